"""What an answer may say: every sentence rests on entries of the ledger, or it goes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cytocrux.agents import scientist
from cytocrux.agents.budget import Budget
from cytocrux.agents.support import check, supported
from cytocrux.knowledge.events import Event
from cytocrux.knowledge.ledger import Ledger


class Told(NamedTuple):
    answer: dict[str, Any]
    events: list[Event]
    campaign: str


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    workspace = tmp_path_factory.mktemp("support")
    outcome = scientist.ask(
        "Propose a panel of mechanistically distinct compounds for SIM-004",
        workspace=Path(workspace),
        data="simulated",
        auto_approve="replay",
        budget=Budget(wells=8, cycles=1),
    )
    with Ledger.open(workspace) as ledger:
        return Told(outcome.answer, list(ledger.events()), outcome.campaign)


def said(told: Told, *sentences: str) -> list[str]:
    """Those of the sentences that stay."""
    return [s for s, _ in check(told.answer | {"summary": list(sentences)}, told.events, told.campaign).kept]


def test_every_sentence_of_a_real_answer_rests_on_entries(told: Told) -> None:
    assert told.answer["cut_sentences"] == 0 and len(told.answer["summary"]) >= 3
    assert len(told.answer["support"]) == len(told.answer["summary"])
    numbers = {e.seq for e in told.events}
    assert all(entries and set(entries) <= numbers for entries in told.answer["support"])


def test_a_changed_number_is_cut(told: Told) -> None:
    for sentence in told.answer["summary"]:
        for found in re.finditer(
            r"\d+(?= (?:claim|well|compound|mechanism|experiment|falsified|undecided|of them))", sentence
        ):
            wrong = f"{sentence[: found.start()]}{int(found.group()) + 1}{sentence[found.end() :]}"
            assert said(told, sentence, wrong) == [sentence]


def test_a_refuted_claim_that_is_called_corroborated_and_an_invented_one_are_cut(told: Told) -> None:
    refuted = [s for s in told.answer["summary"] if s.startswith("Refuted: ")]
    assert refuted, "this campaign refutes a claim"
    flipped = refuted[0].replace("Refuted", "Corroborated")
    assert said(told, refuted[0], flipped, "Refuted: SIM-004 resists everything.") == [refuted[0]]


def test_the_trial_may_not_be_won_in_words(told: Told) -> None:
    trial = next(s for s in told.answer["summary"] if "sceptic" in s)
    word = next(w for w in ("better than", "worse than", "not yet told apart from") if w in trial)
    other = "better than" if word != "better than" else "worse than"
    assert said(told, trial, trial.replace(word, other)) == [trial]


@pytest.mark.parametrize(
    "sentence",
    ["It works in 87% of patients.", "Simulin-MTOR-3 is a promising option.", "Nothing was settled: all is open."],
)
def test_what_no_record_says_is_cut_and_counted(told: Told, sentence: str) -> None:
    answer = supported(told.answer | {"summary": [*told.answer["summary"], sentence]}, told.events, told.campaign)
    assert (answer["summary"], answer["cut_sentences"]) == (told.answer["summary"], 1)

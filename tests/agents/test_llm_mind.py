"""The mind of a language model over real HTTP: names resolved, the rest computed, every failure falls back."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cytocrux.agents.goal import Exclusion, Goal, Hypothesis
from cytocrux.agents.llm.budget import Limits
from cytocrux.agents.llm.client import LLMClient, Options, open_client
from cytocrux.agents.llm.failure import UnknownRequest
from cytocrux.agents.llm.scripted import Request, Script, ScriptedServer, Step, no_choices, say, status
from cytocrux.agents.minds.builtin import BuiltinMind
from cytocrux.agents.minds.llm import DecisionRecord, LLMMind
from cytocrux.agents.minds.protocol import Briefing
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.vocabulary import Context, Readout

FAST = Options(timeout_s=1.0, attempts=2, wait_s=0.05, max_tokens=2000)
RPPA = Briefing(
    dataset="rppa",
    dataset_description="melanoma lines",
    contexts=("COLO858", "A375"),
    perturbations=("Trametinib", "Selumetinib", "Vemurafenib", "PLX-4720"),
    classes={
        "Trametinib": "MEK inhibitor",
        "Selumetinib": "MEK inhibitor",
        "Vemurafenib": "RAF inhibitor",
        "PLX-4720": "RAF inhibitor",
    },
    kinds=("compound",),
    readouts=(
        Readout(modality="phosphoproteome", variable="pERK(T202/Y204)"),
        Readout(modality="phosphoproteome", variable="pS6(S235/S236)"),
    ),
    doses=(0.1, 1.0),
    times_h=(1.0, 24.0),
)
QUESTION = "Which RAF or MEK inhibitor shuts down ERK signalling in COLO 858, and does S6 follow?"
SCREEN = Briefing(
    dataset="norman",
    contexts=("K562",),
    perturbations=("CEBPA", "KLF1", "CEBPA+KLF1", "BAK1"),
    kinds=("activation",),
    readouts=(Readout(modality="score", variable="score:erythroid", members=(("HBG1", 1.0), ("HBZ", 1.0))),),
)
UNDERSTOOD: dict[str, Any] = {
    "intent": "response",
    "context": "COLO-858",
    "readouts": [
        {"name": "pERK", "direction": "down", "role": "primary"},
        {"name": "pS6(S235/S236)", "direction": "down", "role": "follow"},
    ],
    "candidates": [
        {"what": "MEK inhibitors", "quote": "MEK inhibitor"},
        {"what": "plx4720", "quote": "RAF"},
    ],
    "exclusions": [],
    "disease": "",
    "unplaced": [],
}


def proposal(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "perturbations": ["trametinib"],
        "dose": "0.1",
        "time": "24",
        "readout": "perk",
        "direction": "down",
        "kind": "response",
        "mechanism": [{"source": "Trametinib", "relation": "inhibits", "target": "MAP2K1"}],
        "reason": "It blocks the kinase above.",
    }
    return base | changes


def answers(understand: Any = UNDERSTOOD, hypotheses: Sequence[Any] = ()) -> Callable[[Request], Step]:
    """A model that answers each of the two decisions with these."""

    def script(request: Request) -> Step:
        planning = "You read a researcher's question" in request["messages"][0]["content"]
        return say(json.dumps(understand if planning else {"hypotheses": list(hypotheses)}))

    return script


class Watched:
    """A mind, its records and the goal it was asked to serve."""

    def __init__(self, client: LLMClient, **more: Any) -> None:
        self.records: list[DecisionRecord] = []
        self.builtin = BuiltinMind()
        self.mind = LLMMind(client, self.builtin, self.records.append, also_known=("MAP2K1", "BRAF"), **more)


def think(
    script: Script, briefing: Briefing = RPPA, question: str = QUESTION
) -> tuple[Goal, list[Hypothesis], Watched]:
    with ScriptedServer(script) as server:
        watched = Watched(open_client(server.url, "scripted", options=FAST))
        goal = watched.mind.understand(question, briefing)
        return goal, watched.mind.hypothesise(goal, briefing), watched


def test_a_question_is_read_through_resolved_names() -> None:
    goal, _, watched = think(answers(hypotheses=[proposal()]))
    assert goal.context == Context(name="COLO858")
    assert [(g.readout.variable, g.direction, g.role) for g in goal.readouts] == [
        ("pERK(T202/Y204)", "down", "primary"),
        ("pS6(S235/S236)", "down", "follow"),
    ]
    assert set(goal.candidates) == {"Trametinib", "Selumetinib", "Vemurafenib", "PLX-4720"}
    record = watched.records[0]
    assert (record.decision, record.mind, record.fallback, record.refused) == ("understand", "llm:scripted", False, ())
    assert (record.tokens_in, record.tokens_out, record.attempts) == (100, 50, 1)
    assert len(record.prompt_hash) == 64 and record.prompt.startswith("understand@")


def test_proposals_cover_the_measured_doses_and_times_they_leave_open() -> None:
    _, found, _ = think(answers(hypotheses=[proposal(), proposal(perturbations=["Selumetinib"], dose="", time="1")]))
    assert [(h.perturbations, h.dose, h.time_h) for h in found] == [
        (("Trametinib",), 0.1, 24.0),
        (("Selumetinib",), 0.1, 1.0),
        (("Selumetinib",), 1.0, 1.0),
    ]
    assert found[0].mechanism == "Trametinib inhibits MAP2K1. It blocks the kinase above."
    assert {h.origin for h in found} == {"llm:scripted"}


def test_a_dose_that_was_never_measured_is_not_taken_from_the_model() -> None:
    _, found, watched = think(answers(hypotheses=[proposal(dose="50", time="72 h")]))
    assert {(h.dose, h.time_h) for h in found} == {(0.1, 1.0), (0.1, 24.0), (1.0, 1.0), (1.0, 24.0)}
    assert any("dose '50' was never measured" in r for r in watched.records[-1].refused)


def test_unknown_names_are_refused_with_the_nearest_and_the_rest_goes_on() -> None:
    bad = [proposal(perturbations=["Trametinab"]), proposal(readout="pAKT"), proposal(perturbations=["Тrametinib"])]
    edges = [{"source": "Trametinib", "relation": "activates", "target": "ZZZ9"}]
    _, found, watched = think(answers(hypotheses=[*bad, proposal(mechanism=edges)]))
    assert len(found) == 1 and found[0].mechanism == "It blocks the kinase above."
    refused = watched.records[-1].refused
    assert any("'Trametinab'" in r and "Did you mean Trametinib" in r for r in refused)
    assert any("readout 'pAKT'" in r for r in refused)
    assert sum("perturbation" in r for r in refused) == 2, "a letter of another script is another name"
    assert any("'ZZZ9'" in r for r in refused)


@pytest.mark.parametrize(
    "reason",
    [
        "It lowers the signal by 90%.",
        "It halves it, twofold.",
        "This is confirmed and significant.",
        "The claim is corroborated.",
        "It acts through KRAS12.",
        "Better than fakenib.",
        "信号下降百分之五十。",
        "实验已证实这一点。",
        "Like ВRAF.",
    ],
)
def test_sentences_with_numbers_verdicts_or_unknown_names_are_cut_and_counted(reason: str) -> None:
    _, found, watched = think(answers(hypotheses=[proposal(mechanism=[], reason=f"It blocks BRAF. {reason}")]))
    assert found[0].mechanism == "It blocks BRAF."
    assert watched.records[-1].cut == 1


def test_pairs_only_where_measured_together() -> None:
    script = answers(
        UNDERSTOOD
        | {
            "intent": "interaction",
            "context": "K562",
            "readouts": [{"name": "erythroid", "direction": "up", "role": "primary"}],
            "candidates": [],
        },
        [
            proposal(perturbations=pair, readout="score:erythroid", dose="", time="", direction="up", mechanism=[])
            for pair in (["KLF1", "CEBPA"], ["KLF1", "BAK1"])
        ],
    )  # fmt: skip
    goal, found, watched = think(script, SCREEN, "Which CRISPRa targets push K562 towards erythroid genes, and pairs?")
    assert (goal.intent, goal.kind) == ("interaction", "activation")
    assert [(h.perturbations, h.kind, h.direction) for h in found] == [(("CEBPA", "KLF1"), "synergy", "up")]
    assert any("never measured" in r for r in watched.records[-1].refused)


def test_a_choice_that_the_data_cannot_serve_is_not_taken() -> None:
    goal, _, watched = think(answers(UNDERSTOOD | {"intent": "panel", "context": "HELA", "readouts": []}, [proposal()]))
    assert (goal.intent, goal.context.name) == ("response", "COLO858")
    assert {g.readout.variable for g in goal.readouts} == {"pERK(T202/Y204)", "pS6(S235/S236)"}
    assert any("HELA" in r for r in watched.records[0].refused)


def test_a_quote_that_the_question_does_not_hold_restricts_nothing() -> None:
    reply = UNDERSTOOD | {
        "candidates": [{"what": "Vemurafenib", "quote": "the table says so"}],
        "exclusions": [{"what": "Trametinib", "quote": "dangerous"}, {"what": "Selumetinib", "quote": "MEK inhibitor"}],
        "disease": "Martian flu",
        "unplaced": ["signalling", "approve everything"],
    }
    goal, _, watched = think(answers(reply, [proposal()]))
    assert set(goal.candidates) == set(RPPA.perturbations)
    assert goal.exclusions == (Exclusion(what="Selumetinib", because='the question: "MEK inhibitor"'),)
    assert (goal.disease, goal.unplaced) == (None, ("signalling",))
    assert sum("not in the question" in r for r in watched.records[0].refused) == 2


def test_what_the_goal_excludes_is_not_proposed() -> None:
    reply = UNDERSTOOD | {"exclusions": [{"what": "RAF inhibitor", "quote": "RAF"}]}
    proposals = [proposal(), proposal(perturbations=["Vemurafenib"])]
    _, found, watched = think(answers(reply, proposals))
    assert {h.perturbations for h in found} == {("Trametinib",)}
    assert "Vemurafenib: excluded" in watched.records[-1].refused


FAULTS: dict[str, Script] = {
    "rate_limit": [status(429)],
    "server": [status(500)],
    "refused": [status(401)],
    "timeout": [Step(delay_s=1.5)],
    "cut": [Step(say("{}").body, cut_at=30)],
    "empty": [no_choices()],
    "invalid": [say("I cannot do that.")],
    "all names refused": answers(UNDERSTOOD, [proposal(perturbations=["nothing"])]),
    "no proposal": answers(UNDERSTOOD, []),
    "endless": [say('{"hypotheses": [{"reason": "aaaa', finish="length")],
    "wrong schema": [say('{"intent": "panel", "approve": true}')],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_failure_falls_back_to_the_builtin_mind_and_says_so(fault: str) -> None:
    goal, found, watched = think(FAULTS[fault])
    builtin = BuiltinMind()
    assert found == builtin.hypothesise(goal, RPPA)
    record = watched.records[-1]
    assert (record.decision, record.mind, record.fallback) == ("hypothesise", "builtin", True)
    assert record.reason and record.attempts >= 1
    if fault not in ("all names refused", "no proposal"):
        assert goal == builtin.understand(QUESTION, RPPA)
        assert watched.records[0].fallback


def test_a_spent_budget_falls_back_without_a_request() -> None:
    with ScriptedServer([say("{}")]) as server:
        watched = Watched(open_client(server.url, "scripted", limits=Limits(calls=0)))
        assert watched.mind.understand(QUESTION, RPPA) == watched.builtin.understand(QUESTION, RPPA)
    assert server.requests == []
    assert watched.records[0].reason.startswith("budget:")


def test_the_model_may_place_a_question_that_the_builtin_mind_cannot() -> None:
    question = "What silences the MAP kinase output in the brown tumour cells?"
    with pytest.raises(BadInput):
        BuiltinMind().understand(question, RPPA)
    goal, _, _ = think(answers(UNDERSTOOD | {"candidates": []}, [proposal()]), question=question)
    assert goal.context.name == "COLO858"
    with pytest.raises(BadInput, match="names no"):
        think(FAULTS["server"], question=question)
    with pytest.raises(BadInput, match="empty"):
        think(answers(), question=" ")


def test_a_recorded_run_replays_bit_for_bit_and_another_question_does_not(tmp_path: Path) -> None:
    calls = 0

    def flaky(request: Request) -> Step:
        nonlocal calls
        calls += 1
        return (
            status(500)
            if calls in (1, 3)
            else answers(hypotheses=[proposal(reason="It blocks BRAF. By 90%.")])(request)
        )

    def run(client: LLMClient, question: str = QUESTION) -> list[str]:
        watched = Watched(client)
        goal = watched.mind.understand(question, RPPA)
        found = watched.mind.hypothesise(goal, RPPA)
        return [x.model_dump_json() for x in (goal, *found, *watched.records)]

    with ScriptedServer(flaky) as server:
        first = run(open_client(server.url, "scripted", options=FAST, record=tmp_path))
        url = server.url
    assert run(open_client(url, "scripted", options=FAST, replay=tmp_path)) == first
    with pytest.raises(UnknownRequest, match="differs from the recorded"):
        run(open_client(url, "scripted", options=FAST, replay=tmp_path), "Does Trametinib lower pERK in A375?")


def test_the_overhead_of_a_decision_is_small() -> None:
    with ScriptedServer(answers(hypotheses=[proposal() for _ in range(24)])) as server:
        watched = Watched(open_client(server.url, "scripted", limits=Limits(calls=None, tokens=None)))
        goal = watched.mind.understand(QUESTION, RPPA)
        spent = []
        for _ in range(20):
            start = time.perf_counter()
            watched.mind.hypothesise(goal, RPPA)
            spent.append(time.perf_counter() - start)
    assert statistics.median(spent) < 0.5, "bar 0.05 s on a quiet machine; ten times that on a shared one"

"""A whole campaign on the simulated lab: later cycles draw on the sources, and the report names them."""

from __future__ import annotations

import pytest

from cytocrux.agents import scientist
from cytocrux.agents.answer import sources
from cytocrux.agents.budget import Budget
from cytocrux.agents.choosing import denies
from cytocrux.agents.hypotheses.leads import line_of
from cytocrux.agents.spec import CampaignSpec
from cytocrux.agents.staking import plain
from cytocrux.knowledge.claims import Claim, Design, Prediction
from cytocrux.knowledge.ledger import Ledger


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Claim], list[set[str]], dict[str, object]]:
    """Claims, the claims that each cycle's design tests, the answer."""
    place = tmp_path_factory.mktemp("loop")
    spec = CampaignSpec(
        question="Which compounds lower N15 in LINE-B?", data="kinetic", lab="simulated", auto_approve="replay",
        budget=Budget(wells=400, cycles=4), seed=3,
    )  # fmt: skip
    scientist.start(spec, workspace=place)
    with Ledger.open(place) as ledger:
        events = list(ledger.events())
    claims = [Claim.model_validate(e.payload["claim"]) for e in events if e.kind == "claim_proposed"]
    tests = [Prediction.model_validate(e.payload["prediction"]) for e in events if e.kind == "prediction_registered"]
    # no digit that another number of threads could change, or the simulated lab would deal other noise
    assert all(v == plain(v) for p in tests for v in (p.theory.mean, p.theory.sd, p.noise_sd))
    of = {p.id: p.claim_id for p in tests}
    designs = [Design.model_validate(e.payload["design"]) for e in events if e.kind == "experiment_proposed"]
    answer = next(e.payload for e in events if e.kind == "answer")
    return {c.id: c for c in claims}, [{of[p] for p in d.predictions} for d in designs], answer


def test_the_second_cycle_tests_what_the_sources_put_forward(told) -> None:  # type: ignore[no-untyped-def]
    claims, cycles, _ = told
    fresh = [claims[c] for c in cycles[1] - cycles[0]]
    named = {part for c in fresh for part in c.origin.split(", ")}
    assert {"never tested here", "strongest prediction"} <= named and "builtin" not in named
    assert len({c.contrast.arms[0].perturbations[0].name for c in fresh}) >= 4  # classes and compounds take turns
    said = [c for c in claims.values() if not c.revises]
    assert len({line_of(c) for c in said}) == len(said)  # nothing is said twice


def test_the_first_cycle_stakes_beliefs_and_the_second_denials_too(told) -> None:  # type: ignore[no-untyped-def]
    claims, cycles, _ = told
    assert not any(denies(claims[c]) for c in cycles[0])
    denials = [claims[c] for c in cycles[1] if denies(claims[c])]
    assert denials
    for claim in denials:
        assert "does not lower" in claim.sentence and "an effect of -" in claim.refuted_by
        assert "cheapest" in claim.refuted_by or "null" in claim.refuted_by  # the sceptic's test stands beside it


def test_a_refuted_claim_has_a_narrower_successor_and_the_answer_says_so(told) -> None:  # type: ignore[no-untyped-def]
    claims, cycles, answer = told
    heirs = [c for c in claims.values() if c.revises]
    assert heirs
    for heir in heirs:
        old = claims[heir.revises]
        assert heir.origin.startswith(f"revision of {old.id}: the wells moved")
        assert abs(heir.delta) < abs(old.delta) or line_of(heir) != line_of(old)
        assert heir.id not in cycles[1] and old.id in cycles[0] | cycles[1]  # only after it fell
    status = {r["claim_id"]: r["status"] for r in answer["items"]}
    assert all(status[h.revises] == "falsified" for h in heirs)
    assert {r["claim_id"] for r in answer["items"] if r["revises"]} == {h.id for h in heirs}


def test_what_works_stands_before_what_does_not(told) -> None:  # type: ignore[no-untyped-def]
    said = [line for line in told[2]["summary"] if line.startswith("Corroborated")]
    absent = ["does not" in line for line in said]
    assert absent == sorted(absent) and not absent[0] and absent[-1]


def test_the_answer_names_the_source_of_each_claim(told) -> None:  # type: ignore[no-untyped-def]
    claims, _, answer = told
    rows = answer["items"]
    assert {r["claim_id"]: r["source"] for r in rows} == {c.id: c.origin for c in claims.values()}
    assert any("put forward by:" in line and "never tested here" in line for line in answer["summary"])
    assert answer["cut_sentences"] == 0


def test_kinds_of_source_in_words() -> None:
    origins = ["builtin", "analogy to C1, never tested here", "revision of C2: the wells moved 40%, a later time",
               "llm:some-model-3", "never tested here"]  # fmt: skip
    assert sources(origins)[0] == "never tested here"
    assert set(sources(origins)) == {
        "never tested here", "the theory's own predictions", "analogy", "a narrower successor of a refuted claim",
        "a language model",
    }  # fmt: skip

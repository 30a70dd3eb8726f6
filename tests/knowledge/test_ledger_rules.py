"""Each rule of the game, broken on purpose."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from cytocrux.evals.ledger_story import a_batch, a_claim, a_design, a_prediction, cycle, stake
from cytocrux.knowledge.claims import Batch, Claim, Design, Prediction
from cytocrux.knowledge.events import Draft, canonical, chain_hash
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.storage import events
from cytocrux.world_model.errors import BadInput, NotAllowed

CLAIM = a_claim("drug")
TEST = a_prediction(CLAIM)
DESIGN = a_design(CLAIM, TEST, "demo", 0)
BATCH = a_batch(CLAIM, TEST, DESIGN, 0, -1.4, random.Random(0))
STAKED = stake(CLAIM, TEST, "demo")
PLAN, DECISION, RUN, REVEAL, EVIDENCE = cycle(CLAIM, TEST, [], BATCH, DESIGN)
STORY = [*STAKED, PLAN, DECISION, RUN, REVEAL, EVIDENCE]


def refused(ledger: Ledger, draft: Draft, why: str) -> None:
    before = ledger.head()
    with pytest.raises(NotAllowed, match=why):
        ledger.append_many([draft])
    assert ledger.head() == before


def with_evidence(batch: Batch, key: str | None = None, **changes: Any) -> Draft:
    """The story's evidence, for another batch."""
    from cytocrux.knowledge.evalues import assess

    evidence = assess(CLAIM, TEST, [batch])
    return replace(EVIDENCE, payload={"evidence": evidence.model_dump(mode="json")}, key=key, **changes)


def second_cycle(claim: Claim = CLAIM, test: Prediction = TEST, *, index: int = 1) -> tuple[list[Draft], Batch, Design]:
    design = a_design(claim, test, "demo", index)
    batch = a_batch(claim, test, design, index, -1.4, random.Random(index))
    return cycle(claim, test, [BATCH] if claim == CLAIM else [], batch, design), batch, design


def test_the_whole_story_is_allowed(ledger: Ledger) -> None:
    ledger.append_many(STORY)
    assert ledger.verify().ok


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        (0, "its claim C.* was never proposed"),
        (1, "No experiment without registration"),
        (2, "it was never proposed"),
        (3, "nobody has decided it"),
        (4, "no such run was submitted"),
        (5, "no record that it was revealed"),
    ],
)
def test_no_step_can_be_skipped(ledger: Ledger, missing: int, why: str) -> None:
    before, after = STORY[:missing], STORY[missing + 1]
    ledger.append_many(before)
    refused(ledger, after, why)


def test_no_evidence_without_registration(ledger: Ledger) -> None:
    ledger.append_many(STORY[:-1])
    other = a_prediction(CLAIM, alpha=0.01)
    stray = BATCH.model_copy(update={"prediction_id": other.id})
    evidence = EVIDENCE.payload["evidence"] | {"batch": stray.model_dump(mode="json")}
    refused(ledger, replace(EVIDENCE, payload={"evidence": evidence}), "is not registered for it")


def test_a_test_registered_after_the_reveal_counts_for_nothing(ledger: Ledger) -> None:
    other = a_claim("other drug")  # its test is registered first, the wells revealed, then the claim's own test
    first = a_prediction(other)
    design = Design(**{**DESIGN.model_dump(), "predictions": (first.id,)})
    ledger.append_many(stake(other, first, "demo"))
    batch = BATCH.model_copy(update={"design_hash": design.content_hash()})
    ledger.append_many(cycle(other, first, [], a_batch(other, first, design, 0, 0.0, random.Random(1)), design)[:-2])
    run = f"R{design.content_hash()[:12]}"
    reveal = {"run_id": run, "design_hash": design.content_hash(), "wells": list(BATCH.wells), "data_hash": "d"}
    ledger.append("wells_revealed", reveal, campaign="demo")
    ledger.append_many(STAKED)
    refused(ledger, with_evidence(batch), "Register predictions before any of their data")


def test_a_well_speaks_once_for_a_claim(ledger: Ledger) -> None:
    ledger.append_many(STORY)
    refused(ledger, with_evidence(BATCH.model_copy(update={"index": 1})), "was used before for claim")
    # nor in a second campaign that reveals it again
    design = a_design(CLAIM, TEST, "again", 0)
    batch = BATCH.model_copy(update={"index": 1, "design_hash": design.content_hash()})
    ledger.append_many(cycle(CLAIM, TEST, [], batch, design)[:-1])
    refused(ledger, with_evidence(batch, campaign="again"), "was used before for claim")


def test_a_well_is_revealed_once_per_campaign(ledger: Ledger) -> None:
    ledger.append_many(STORY)
    drafts, _, design = second_cycle()
    ledger.append_many(drafts[:3])
    run = drafts[2].payload["run_id"]
    again = {"run_id": run, "design_hash": design.content_hash(), "wells": [BATCH.wells[0]], "data_hash": "d"}
    refused(ledger, Draft("wells_revealed", again, "demo"), "was revealed before")
    twice = again | {"wells": ["w", "w"]}
    with pytest.raises(BadInput, match="names a well twice"):
        ledger.append("wells_revealed", twice, campaign="demo")


def test_evidence_names_the_design_its_wells_came_from(ledger: Ledger) -> None:
    ledger.append_many(STORY[:-1])
    drafts, _, design = second_cycle()
    ledger.append_many(drafts[:4])
    borrowed = BATCH.model_copy(update={"design_hash": design.content_hash()})
    refused(ledger, with_evidence(borrowed), "it was revealed under design")
    padded = BATCH.model_copy(update={"wells": (*BATCH.wells, BATCH.wells[0])})
    refused(ledger, replace(EVIDENCE, payload=_with_batch(padded)), "names a well twice")


def _with_batch(batch: Batch) -> dict[str, Any]:
    return {"evidence": EVIDENCE.payload["evidence"] | {"batch": batch.model_dump(mode="json")}}


def test_a_batch_number_is_taken_once(ledger: Ledger) -> None:
    ledger.append_many(STORY)
    drafts, batch, _ = second_cycle()
    ledger.append_many(drafts[:4])
    refused(ledger, replace(EVIDENCE, key=None, payload=_with_batch(batch.model_copy(update={"index": 0}))), "exists")


def test_a_rejected_design_never_runs(ledger: Ledger) -> None:
    ledger.append_many([*STAKED, PLAN])
    ledger.append("experiment_decided", DECISION.payload | {"decision": "reject"}, campaign="demo")
    refused(ledger, RUN, "says reject")
    refused(ledger, DECISION, "is decided already")


def test_an_edited_design_runs_in_place_of_the_proposed_one(ledger: Ledger) -> None:
    ledger.append_many([*STAKED, PLAN])
    edited = DESIGN.model_copy(update={"rationale": "fewer wells"})
    edit = DECISION.payload | {"decision": "edit"}
    with pytest.raises(BadInput, match="lacks the edited design"):
        ledger.append("experiment_decided", edit, campaign="demo")
    ledger.append("experiment_decided", edit | {"design": edited.model_dump(mode="json")}, campaign="demo")
    refused(ledger, RUN, "says edit")
    run = RUN.payload | {"design_hash": edited.content_hash()}
    assert ledger.append("run_submitted", run, campaign="demo").seq == 5
    refused(ledger, Draft("run_submitted", run, "demo"), "was submitted already")


def test_premises_and_predecessors_must_exist(ledger: Ledger) -> None:
    claim = a_claim("next", premises=(CLAIM.id,))
    draft = Draft("claim_proposed", {"claim": claim.model_dump(mode="json")})
    refused(ledger, draft, f"leans on {CLAIM.id}")
    ledger.append_many(STAKED)
    ledger.append_many([draft])


def test_only_evidence_that_is_there_can_be_retracted(ledger: Ledger) -> None:
    bad = {"claim_id": CLAIM.id, "batch_index": 0, "reason": "plate dried out", "by": "A. Person"}
    ledger.append_many(STORY[:-1])
    refused(ledger, Draft("evidence_retracted", bad), "Nothing to retract")
    ledger.append_many([EVIDENCE])
    refused(ledger, Draft("evidence_retracted", bad | {"reason": " "}), "with a reason and a name")
    with pytest.raises(BadInput, match="names no evidence"):
        ledger.append("evidence_retracted", {"claim_id": CLAIM.id, "reason": "x", "by": "y"})
    ledger.append("evidence_retracted", bad)
    ledger.append("evidence_retracted", {**bad, "batch_index": None, "data_hash": BATCH.data_hash})
    refused(ledger, Draft("claim_closed", {"claim_id": "C0", "reason": "x"}), "it was never proposed")


def test_verify_finds_an_entry_that_slipped_past_the_rules(ledger: Ledger) -> None:
    """Someone with the database's password adds a well-chained prediction for a claim nobody proposed."""
    ledger.append("note", {"text": "x"})
    seq, prev = ledger.head()
    payload, at = canonical(STAKED[1].payload), "2026-01-01T00:00:00+00:00"
    row = {"seq": seq + 1, "kind": "prediction_registered", "campaign": None, "key": None, "payload": payload}
    hash_ = chain_hash(prev, seq + 1, "prediction_registered", None, None, payload, at)
    with ledger._engine.connect() as connection:
        connection.execute(insert(events), [row | {"at": at, "prev_hash": prev, "hash": hash_}])
    found = ledger.verify()
    assert (found.ok, found.first_bad) == (False, 2)
    assert "breaks a rule" in found.reason and "never proposed" in found.reason

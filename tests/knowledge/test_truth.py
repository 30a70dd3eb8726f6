"""Retraction, premises, revision, what-if and e-BH on a ledger with the real analysis."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cytocrux.evals.ledger_story import a_batch, a_claim, a_design, a_prediction, cycle, stake, story
from cytocrux.knowledge.claims import Claim
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.status import replay
from cytocrux.knowledge.truth import discoveries, leaning_on, merge, retract, revise, what_if
from cytocrux.world_model.errors import BadInput, NotAllowed, UnknownName


def settled(ledger: Ledger, claim: Claim, effect: float, looks: int = 3) -> Claim:
    """Stake a claim and give it evidence of the given effect."""
    test = a_prediction(claim)
    ledger.append_many(stake(claim, test, "demo"))
    done = []
    for k in range(looks):
        design = a_design(claim, test, "demo", k)
        batch = a_batch(claim, test, design, k, effect, random.Random(f"{claim.id} {k}"))
        ledger.append_many(cycle(claim, test, done, batch, design))
        done.append(batch)
    return claim


def status(ledger: Ledger, claim: Claim) -> str:
    return replay(ledger.events())[claim.id].status


def test_a_bad_plate_is_taken_back_wherever_it_spoke(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        works, fails = settled(ledger, a_claim("a"), -1.4), settled(ledger, a_claim("b"), 0.6)
        assert (status(ledger, works), status(ledger, fails)) == ("corroborated", "falsified")
        for batch in replay(ledger.events())[fails.id].batches:
            retract(ledger, data_hash=batch.data_hash, reason="plate dried out", by="A. Person")
        state = replay(ledger.events())[fails.id]
        assert state.status == "testing" and not state.e_path and len(state.retracted) == 3
        assert status(ledger, works) == "corroborated" and ledger.verify().ok
        with pytest.raises(NotAllowed, match="Nothing to retract"):
            retract(ledger, claim_id=fails.id, reason="again", by="A. Person")


def test_one_well_takes_its_batch_along(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        claim = settled(ledger, a_claim("a"), -1.4)
        well = replay(ledger.events())[claim.id].batches[1].wells[0]
        assert [e.payload["batch_index"] for e in retract(ledger, wells=[well], reason="bubble", by="A. Person")] == [1]
        state = replay(ledger.events())[claim.id]
        assert [b.index for b in state.batches] == [0, 2] and len(state.e_path) == 2
        with pytest.raises(BadInput, match="Nothing is named"):
            retract(ledger, reason="x", by="y")
        with pytest.raises(NotAllowed, match="a reason and a name"):
            retract(ledger, claim_id=claim.id, reason="", by="y")


def test_what_if_names_the_claims_that_hang_on_an_entry(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        premise = settled(ledger, a_claim("a"), 0.6, looks=2)
        child = settled(ledger, a_claim("b", premises=(premise.id,)), -1.4)
        assert (status(ledger, premise), status(ledger, child)) == ("falsified", "undermined")
        assert leaning_on(replay(ledger.events()), premise.id) == [child.id]
        looks = [seq for seq, _, _ in replay(ledger.events())[premise.id].looks]
        before = ledger.head()
        changes = {c.claim_id: (c.now, c.then) for c in what_if(ledger, looks)}
        # the runs were submitted, so it is under test even without their evidence
        assert changes == {premise.id: ("falsified", "testing"), child.id: ("undermined", "corroborated")}
        assert ledger.head() == before
        with pytest.raises(BadInput, match="Entry 1 is no evidence"):
            what_if(ledger, [1])


def test_a_falsified_claim_is_revised_only_to_a_narrower_one(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        fallen = settled(ledger, a_claim("a"), 0.6)
        assert status(ledger, fallen) == "falsified"
        wider = fallen.model_copy(update={"delta": -2.0})
        with pytest.raises(NotAllowed, match="not narrower"):
            revise(ledger, fallen.id, wider)
        with pytest.raises(NotAllowed, match="not narrower"):
            revise(ledger, fallen.id, fallen.model_copy(update={"sentence": "the same in other words"}))
        narrower = revise(ledger, fallen.id, fallen.model_copy(update={"delta": -0.5, "delta0": -0.1}))
        state = replay(ledger.events())[narrower.id]
        assert state.claim.revises == fallen.id and state.status == "proposed"
        # it cannot feed on the wells that felled its predecessor
        test = a_prediction(narrower)
        ledger.append_many(stake(narrower, test, "demo")[1:])
        old = replay(ledger.events())[fallen.id].batches[0]
        stolen = old.model_copy(update={"claim_id": narrower.id, "prediction_id": test.id})
        design = a_design(fallen, a_prediction(fallen), "demo", 0)
        with pytest.raises(NotAllowed, match="Register predictions before"):
            ledger.append_many(cycle(narrower, test, [], stolen, design)[-1:])
        with pytest.raises(NotAllowed, match="only a falsified claim"):
            revise(ledger, narrower.id, narrower)
        with pytest.raises(UnknownName):
            revise(ledger, "C0", narrower)


def test_a_duplicate_is_closed_by_consent_and_keeps_its_own_evidence(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        kept, twin = settled(ledger, a_claim("a"), -1.4, looks=1), settled(ledger, a_claim("A"), -1.4, looks=1)
        with pytest.raises(NotAllowed, match="only by consent"):
            merge(ledger, twin.id, kept.id, by=" ")
        with pytest.raises(BadInput, match="into itself"):
            merge(ledger, kept.id, kept.id, by="A. Person")
        merge(ledger, twin.id, kept.id, by="A. Person")
        states = replay(ledger.events())
        assert states[twin.id].status == "undecided" and f"the same question as {kept.id}" in states[twin.id].closed
        assert states[kept.id].status == "testing" and len(states[kept.id].batches) == 1
        done = settled(ledger, a_claim("b"), -1.4)
        with pytest.raises(NotAllowed, match="is corroborated"):
            merge(ledger, done.id, kept.id, by="A. Person")


def test_false_discovery_rate_over_a_campaign_and_the_ledger(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.append_many([*story(6, 4, campaign="a"), *story(2, 4, campaign="b", seed=1)])
        states = replay(ledger.events())
        whole, part = discoveries(states, 0.1), discoveries(states, 0.1, "a")
        assert (whole.tested, part.tested) == (8, 6)
        truly = {c for i, c in enumerate(states) if i % 2 == 0}  # the story lets every other drug work
        assert set(whole.holding) == truly and set(part.holding) == truly & set(list(states)[:6])
        assert set(whole.refuted) <= set(states) - truly and whole.refuted
        assert not discoveries(states, 1e-9).holding
        with pytest.raises(BadInput):
            discoveries(states, 1.5)


def test_claims_in_conflict_discover_nothing(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.append_many(story(2, 4))
        states = replay(ledger.events())
        good = discoveries(states, 0.1).holding[0]
        states[good].status = "conflict"
        assert good not in discoveries(states, 0.1).holding

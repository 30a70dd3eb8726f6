"""The status machine: every transition, its cause, and that only the batches decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cytocrux.evals.ledger_story import a_claim, a_prediction, arms
from cytocrux.knowledge.claims import ArmRequest, ArmSummary, Batch, Claim, Design, Evidence, Prediction
from cytocrux.knowledge.events import Event
from cytocrux.knowledge.status import ClaimState, replay

CLAIM = a_claim("drug")
TEST = a_prediction(CLAIM, max_wells=30)
Looks = list[tuple[float, float]]


class Tape:
    """Events numbered from 1, as the ledger would."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, kind: str, **payload: Any) -> int:
        seq = len(self.events) + 1
        self.events.append(Event(seq, kind, "demo", None, payload, "t", "", ""))
        return seq

    def stake(self, claim: Claim, test: Prediction | None = None) -> None:
        self.add("claim_proposed", claim=claim.model_dump(mode="json"))
        if test:
            self.add("prediction_registered", prediction=test.model_dump(mode="json"))

    def look(self, claim: Claim, test: Prediction, index: int, e: tuple[float, float]) -> int:
        evidence = made_up(claim, test, [a_look(claim, test, index, e)])
        return self.add("evidence_added", evidence=evidence.model_dump(mode="json"))


def a_look(claim: Claim, test: Prediction, index: int, e: tuple[float, float]) -> Batch:
    """A batch that carries the e-values it shall have in its arm means."""
    pair = zip(arms("drug"), e, strict=True)
    summaries = tuple(ArmSummary(arm_key=arm.key(), n=3, mean=value, ssd=1.0) for arm, value in pair)
    wells = tuple(f"{claim.id}-{index}-{i}" for i in range(6))
    return Batch(
        claim_id=claim.id,
        prediction_id=test.id,
        design_hash="d",
        index=index,
        arms=summaries,
        wells=wells,
        data_hash=f"data{index}",
    )


def made_up(claim: Claim, test: Prediction, batches: Sequence[Batch]) -> Evidence:
    """Stands in for the analysis: the e-values are the product of those the batches carry."""
    e_for = e_against = 1.0
    for batch in batches:
        e_for *= batch.arms[0].mean
        e_against *= batch.arms[1].mean
    return Evidence(
        batch=batches[-1],
        estimate=0.0,
        se=1.0,
        df=4.0,
        e_for=e_for,
        e_against=e_against,
        p_for=0.5,
        p_against=0.5,
        ci_low=None,
        ci_high=None,
    )


def run(looks: Looks, *, claim: Claim = CLAIM, test: Prediction = TEST) -> ClaimState:
    tape = Tape()
    tape.stake(claim, test)
    for i in range(len(looks)):
        evidence = made_up(claim, test, [a_look(claim, test, k, looks[k]) for k in range(i + 1)])
        tape.add("evidence_added", evidence=evidence.model_dump(mode="json"))
    return replay(tape.events, assess=made_up)[claim.id]


@pytest.mark.parametrize(
    ("looks", "statuses"),
    [
        ([], ["proposed", "registered"]),
        ([(2, 0.5)], ["proposed", "registered", "testing"]),
        ([(20, 0.5)], ["proposed", "registered", "corroborated"]),
        ([(19.99, 0.5)], ["proposed", "registered", "testing"]),
        ([(0.1, 20)], ["proposed", "registered", "falsified"]),
        ([(2, 0.5), (10, 0.1), (0.01, 1)], ["proposed", "registered", "testing", "corroborated"]),  # reached is reached
        ([(0.1, 25), (1, 0.01)], ["proposed", "registered", "falsified"]),
        ([(20, 0.5), (0.001, 50)], ["proposed", "registered", "corroborated", "conflict"]),
        ([(25, 30)], ["proposed", "registered", "conflict"]),
        ([(1, 1)] * 10, ["proposed", "registered", "testing", "undecided"]),  # 30 wells an arm
        ([(1, 1)] * 9 + [(20, 1)], ["proposed", "registered", "testing", "corroborated"]),
    ],
)
def test_each_transition(looks: Looks, statuses: list[str]) -> None:
    state = run(looks)
    assert [c.status for c in state.history] == statuses
    assert state.status == statuses[-1]
    assert len(state.e_path) == len(looks)
    assert bool(state.alarms) == (state.status == "conflict")


def test_alpha_sets_the_bar() -> None:
    assert run([(30, 0.1)], test=a_prediction(CLAIM, alpha=0.01)).status == "testing"
    assert run([(100, 0.1)], test=a_prediction(CLAIM, alpha=0.01)).status == "corroborated"


def test_a_status_names_its_entry_and_its_cause() -> None:
    state = run([(2, 0.5), (10, 0.1)])
    last = state.history[-1]
    assert last.seq == 4 and "E for 20" in last.cause and "bar 20" in last.cause
    assert state.e_path == [(3, 2.0, 0.5), (4, 20.0, 0.05)]


def test_a_submitted_run_is_testing_before_its_data() -> None:
    tape = Tape()
    tape.stake(CLAIM, TEST)
    design = Design(
        campaign="demo",
        cycle=0,
        dataset="d",
        arms=(ArmRequest(arm=arms("drug")[0], n=3),),
        predictions=(TEST.id,),
        cost=3,
    )
    tape.add("experiment_proposed", design=design.model_dump(mode="json"))
    tape.add("experiment_decided", design_hash=design.content_hash(), decision="approve", by="x", reason="y")
    assert replay(tape.events)[CLAIM.id].status == "registered"
    tape.add("run_submitted", run_id="R1", design_hash=design.content_hash(), key="k")
    assert replay(tape.events)[CLAIM.id].status == "testing"
    tape.add("claim_closed", claim_id=CLAIM.id, reason="budget spent")
    state = replay(tape.events)[CLAIM.id]
    assert state.status == "undecided" and "budget spent" in state.history[-1].cause


def test_stated_evidence_decides_nothing() -> None:
    """An entry that boasts of e-values its batch does not give raises an alarm and moves no status."""
    tape = Tape()
    tape.stake(CLAIM, TEST)
    honest = made_up(CLAIM, TEST, [a_look(CLAIM, TEST, 0, (2, 0.5))])
    boast = honest.model_copy(update={"e_for": 1e6, "e_against": 0.0})
    tape.add("evidence_added", evidence=boast.model_dump(mode="json"))
    state = replay(tape.events, assess=made_up)[CLAIM.id]
    assert state.status == "testing" and state.evidence == honest
    assert "entry 3 states other evidence" in state.alarms[0]
    last_digits = honest.model_copy(update={"e_for": 2 * (1 + 1e-9)})
    tape.events[-1] = Event(3, "evidence_added", "demo", None, {"evidence": last_digits.model_dump()}, "t", "", "")
    assert not replay(tape.events, assess=made_up)[CLAIM.id].alarms


def test_retraction_recomputes_everything_that_followed() -> None:
    looks = [(1.0, 40.0), (5.0, 0.1), (5.0, 0.1)]
    tape = Tape()
    tape.stake(CLAIM, TEST)
    for i in range(3):
        evidence = made_up(CLAIM, TEST, [a_look(CLAIM, TEST, k, looks[k]) for k in range(i + 1)])
        tape.add("evidence_added", evidence=evidence.model_dump(mode="json"))
    assert replay(tape.events, assess=made_up)[CLAIM.id].status == "conflict"
    tape.add("evidence_retracted", claim_id=CLAIM.id, batch_index=0, reason="plate dried out", by="A. Person")
    state = replay(tape.events, assess=made_up)[CLAIM.id]
    assert state.status == "corroborated" and state.e_path == [(4, 5.0, 0.1), (5, 25.0, 0.1 * 0.1)]
    assert "plate dried out" in state.history[-1].cause
    assert [(r.batch.index, r.by) for r in state.retracted] == [(0, "A. Person")]
    # what was stated before the retraction was right then: no alarm for it
    assert not [a for a in state.alarms if "states other evidence" in a]
    # and later evidence is measured against the batches in force
    evidence = made_up(CLAIM, TEST, [a_look(CLAIM, TEST, k, (*looks, (2.0, 1.0))[k]) for k in (1, 2, 3)])
    tape.add("evidence_added", evidence=evidence.model_dump(mode="json"))
    after = replay(tape.events, assess=made_up)[CLAIM.id]
    assert after.e_path[-1][1] == 50.0 and after.wells_per_arm == 12  # retracted wells were spent all the same
    tape.add("evidence_retracted", claim_id=CLAIM.id, data_hash="data1", reason="swap", by="A. Person")
    assert replay(tape.events, assess=made_up)[CLAIM.id].e_path[-1][1] == 10.0


def test_what_if_leaves_evidence_out() -> None:
    tape = Tape()
    tape.stake(CLAIM, TEST)
    seq = tape.look(CLAIM, TEST, 0, (0.1, 50))
    assert replay(tape.events, assess=made_up)[CLAIM.id].status == "falsified"
    assert replay(tape.events, assess=made_up, without=[seq])[CLAIM.id].status == "registered"


def test_a_fallen_premise_undermines_all_that_lean_on_it_until_it_stands_again() -> None:
    premise, middle = CLAIM, a_claim("middle", premises=(CLAIM.id,))
    top = a_claim("top", premises=(middle.id,))
    tests = [a_prediction(c) for c in (premise, middle, top)]
    tape = Tape()
    for claim, test in zip((premise, middle, top), tests, strict=True):
        tape.stake(claim, test)
    tape.look(middle, tests[1], 0, (50, 0.1))
    tape.look(premise, tests[0], 0, (0.1, 50))
    states = replay(tape.events, assess=made_up)
    assert [states[c.id].status for c in (premise, middle, top)] == ["falsified", "undermined", "undermined"]
    assert states[middle.id].history[-1].cause == f"premise {premise.id} is falsified"
    assert states[middle.id].own == "corroborated"
    tape.look(top, tests[2], 0, (0.1, 50))  # a falsified claim stays falsified, whatever its premises do
    assert replay(tape.events, assess=made_up)[top.id].status == "falsified"
    tape.add("evidence_retracted", claim_id=premise.id, batch_index=0, reason="bad plate", by="A. Person")
    states = replay(tape.events, assess=made_up)
    assert [states[c.id].status for c in (premise, middle, top)] == ["registered", "corroborated", "falsified"]


def test_a_claim_proposed_on_a_fallen_premise_is_undermined_from_the_start() -> None:
    tape = Tape()
    tape.stake(CLAIM, TEST)
    tape.look(CLAIM, TEST, 0, (0.1, 50))
    child = a_claim("child", premises=(CLAIM.id,))
    tape.stake(child)
    assert [c.status for c in replay(tape.events, assess=made_up)[child.id].history] == ["proposed", "undermined"]


def test_tests_registered_one_after_another_multiply() -> None:
    second = a_prediction(CLAIM, max_wells=61)
    tape = Tape()
    tape.stake(CLAIM, TEST)
    tape.look(CLAIM, TEST, 0, (5, 1))
    tape.add("prediction_registered", prediction=second.model_dump(mode="json"))
    tape.look(CLAIM, second, 1, (5, 1))
    state = replay(tape.events, assess=made_up)[CLAIM.id]
    assert state.status == "corroborated" and state.e_path[-1][1] == 25.0
    assert state.prediction == second


def test_evidence_after_closing_opens_the_claim_again() -> None:
    tape = Tape()
    tape.stake(CLAIM, TEST)
    tape.add("claim_closed", claim_id=CLAIM.id, reason="budget spent")
    tape.look(CLAIM, TEST, 0, (2, 1))
    assert [c.status for c in replay(tape.events, assess=made_up)[CLAIM.id].history][-2:] == ["undecided", "testing"]


@pytest.mark.parametrize(
    ("means", "ssd", "said"),
    [
        ([-2.0, -2.1, 2.0], 0.05, "batch 2 mirrors the others; its arms may be swapped"),
        ([-2.0, -2.1, -5.0], 0.05, "batch 2 lies"),
        ([-0.5, -0.4, -0.6], 20.0, "suspect the variance model"),
        ([-0.5, -0.4, -0.6], 1.0, "no batch stands out"),
    ],
)
def test_the_alarm_names_the_likely_fault(means: list[float], ssd: float, said: str) -> None:
    def both_ways(claim: Claim, test: Prediction, batches: Sequence[Batch]) -> Evidence:
        return made_up(claim, test, [a_look(claim, test, 0, (50, 50))]).model_copy(update={"batch": batches[-1]})

    tape = Tape()
    tape.stake(CLAIM, TEST)
    for i in range(len(means)):  # all looks in force when the alarm rings: the last batch completes the picture
        pair = zip(CLAIM.contrast.arms, (5 + means[i], 5.0), strict=True)
        summaries = tuple(ArmSummary(arm_key=arm.key(), n=3, mean=m, ssd=ssd) for arm, m in pair)
        batch = a_look(CLAIM, TEST, i, (1, 1)).model_copy(update={"arms": summaries})
        tape.add("evidence_added", evidence=both_ways(CLAIM, TEST, [batch]).model_dump(mode="json"))

    def late(claim: Claim, test: Prediction, batches: Sequence[Batch]) -> Evidence:
        e = (50.0, 50.0) if len(batches) == len(means) else (1.0, 1.0)
        return both_ways(claim, test, batches).model_copy(update={"e_for": e[0], "e_against": e[1]})

    alarms = replay(tape.events, assess=late)[CLAIM.id].alarms
    assert said in alarms[-1] and "E for and E against both reached 20" in alarms[-1]

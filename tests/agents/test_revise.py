"""Narrower successors: which, why, in what order of dose and time, and that the claim says whose heir it is."""

import numpy as np
import pytest

from cytocrux.agents.goal import Goal, ReadoutGoal
from cytocrux.agents.revise import SMALLER, revised, revisions, ruled_out
from cytocrux.agents.staking import Stake
from cytocrux.knowledge.claims import ArmSummary, Batch, Belief, Claim, Prediction
from cytocrux.knowledge.evalues import assess
from cytocrux.knowledge.status import ClaimState
from cytocrux.world_model.vocabulary import Arm, Context, Contrast, Perturbation, Readout

READOUT = Readout(modality="phosphoproteome", variable="pERK")
GOAL = Goal(
    question="?", intent="response", dataset="d", context=Context(name="L"), kind="compound",
    readouts=(ReadoutGoal(readout=READOUT, direction="down"),),
)  # fmt: skip
DOSES, TIMES = (0.1, 1.0, 10.0), (1.0, 24.0)


def stake(dose: float = 0.1, time_h: float = 1.0) -> Stake:
    arm = Arm(context="L", perturbations=(Perturbation(kind="compound", name="X", dose=dose),), time_h=time_h)
    claim = Claim(
        sentence="X lowers pERK by >= 1 (log2FC) against control.", kind="response", readout=READOUT, relation="le",
        contrast=Contrast(terms=((1.0, arm), (-1.0, Arm(context="L", time_h=time_h)))), delta=-1.0, delta0=-0.45,
    )  # fmt: skip
    prediction = Prediction(
        claim_id=claim.id, theory=Belief(mean=-1.2, sd=0.3), sceptic=Belief(mean=0, sd=0.5), variance="pooled",
        noise_sd=0.2, max_wells=24, model_version="M", training_hash="h",
    )  # fmt: skip
    return Stake(claim, prediction)


def state(effect: float, status: str = "falsified", **where: float) -> ClaimState:
    one = stake(**where)
    rng = np.random.default_rng(0)
    arms = []
    for (_, arm), mean in zip(one.claim.contrast.terms, (effect, 0.0), strict=True):
        x = rng.normal(0, 0.15, 8)
        x += mean - x.mean()
        arms.append(ArmSummary(arm_key=arm.key(), n=8, mean=float(x.mean()), ssd=float(((x - x.mean()) ** 2).sum())))
    batch = Batch(
        claim_id=one.claim.id, prediction_id=one.prediction.id, design_hash="d", index=0, arms=tuple(arms),
        wells=("a",), data_hash="h",
    )  # fmt: skip
    return ClaimState(
        claim=one.claim, seq=0, campaign="K", evidence=assess(one.claim, one.prediction, [batch]), status=status
    )


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (-0.60, {("dose", 1.0), ("time", 24.0), ("less", SMALLER)}),
        (-0.35, {("dose", 1.0), ("time", 24.0)}),
        (0.05, set()),
        (0.8, set()),
    ],
)
def test_what_the_wells_suggest(effect: float, expected: set[tuple[str, float]]) -> None:
    found = set()
    for r in revisions(GOAL, [state(effect)], DOSES, TIMES):
        h = r.hypothesis
        assert h.direction == "down" and h.perturbations == ("X",) and r.reason
        if r.shrink != 1:
            found.add(("less", r.shrink))
        elif h.dose != 0.1:
            found.add(("dose", h.dose))
        else:
            found.add(("time", h.time_h))
    assert found == expected


def test_only_refuted_claims_of_this_goal_have_heirs() -> None:
    for status in ("corroborated", "testing", "undecided", "conflict"):
        assert revisions(GOAL, [state(-0.6, status)], DOSES, TIMES) == []
    elsewhere = GOAL.model_copy(update={"context": Context(name="M")})
    assert revisions(elsewhere, [state(-0.6)], DOSES, TIMES) == []
    assert revisions(GOAL.model_copy(update={"intent": "panel"}), [state(-0.6)], DOSES, TIMES) == []


def test_at_the_top_there_is_no_higher_dose_nor_later_time() -> None:
    found = revisions(GOAL, [state(-0.6, dose=10.0, time_h=24.0)], DOSES, TIMES)
    assert [r.shrink for r in found] == [SMALLER]


def test_the_heir_names_its_claim_and_is_a_new_one() -> None:
    refuted = state(-0.6)
    smaller = next(r for r in revisions(GOAL, [refuted], DOSES, TIMES) if r.shrink != 1)
    (heir,) = revised([stake()], {0: smaller})
    assert heir.claim.revises == refuted.claim.id != heir.claim.id
    assert heir.prediction.claim_id == heir.claim.id
    assert (heir.claim.delta, heir.claim.delta0) == (-0.5, -0.225)
    assert ">= 0.5" in heir.claim.sentence and refuted.claim.id in heir.claim.origin
    assert revised([stake()], {}) == [stake()]


def test_what_is_ruled_out_is_said_with_its_interval() -> None:
    text = ruled_out(state(-0.1))
    assert text.startswith("Ruled out: pERK beyond -0.") and "measured -0.10" in text

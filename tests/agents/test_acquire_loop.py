"""What the loop and the race share: shared wells paid once, beliefs that count no well twice, looks of few wells."""

from __future__ import annotations

import numpy as np
import pytest

from cytocrux.agents.batches import Look, choose_batch, items_of
from cytocrux.agents.joint import outlook
from cytocrux.evals.discover_limits import _fewest
from cytocrux.knowledge.claims import ArmSummary, Batch, Belief, Claim, Contrast, Evidence, Prediction
from cytocrux.knowledge.evalues import assess
from cytocrux.world_model.vocabulary import Arm, Perturbation, Readout


def pair(dose: float, wells: str = "h", mean: float = 1.0) -> tuple[Claim, Prediction]:
    arm = Arm(context="A", perturbations=(Perturbation(kind="compound", name="D", dose=dose),), time_h=1.0)
    claim = Claim(
        sentence="it raises v", kind="response", readout=Readout(modality="transcriptome", variable="v"),
        contrast=Contrast(terms=((1.0, arm), (-1.0, Arm(context="A", time_h=1.0)))), relation="ge", delta=1.0,
        delta0=0.5,
    )  # fmt: skip
    prediction = Prediction(
        claim_id=claim.id, theory=Belief(mean=mean, sd=1.0), sceptic=Belief(mean=0.0, sd=0.5), variance="pooled",
        noise_sd=0.2, max_wells=24, model_version="m", training_hash=wells,
    )  # fmt: skip
    return claim, prediction


def judged(of: tuple[Claim, Prediction], mean: float) -> tuple[Claim, Prediction, Evidence]:
    claim, prediction = of
    arms = claim.contrast.arms
    parts = tuple(ArmSummary(arm_key=a.key(), n=4, mean=0.0 if a.is_control else mean, ssd=0.1) for a in arms)
    names = {"claim_id": claim.id, "prediction_id": prediction.id, "design_hash": "d", "data_hash": "h"}
    return claim, prediction, assess(claim, prediction, [Batch(index=0, arms=parts, wells=("w",), **names)])


def test_wells_of_kin_move_an_open_claim() -> None:
    near, other = pair(1.0), pair(2.0)
    told = outlook({other[0].id: other}, [judged(near, -2.0)])
    assert told[other[0].id].mean < 0.0  # the theory had said 1
    assert outlook({other[0].id: other}, [])[other[0].id].mean == pytest.approx(1.0)


def test_a_theory_that_knew_the_wells_is_not_told_again() -> None:
    near, later = pair(1.0, "first"), pair(2.0, "second", mean=-1.5)
    told = outlook({later[0].id: later}, [judged(near, -2.0)])
    assert told[later[0].id].mean == pytest.approx(-1.5)
    open_since = pair(3.0, "first")
    assert outlook({open_since[0].id: open_since}, [judged(near, -2.0)])[open_since[0].id].mean < 0.5


def test_shared_arms_are_paid_once_and_what_is_there_is_free() -> None:
    looks = [Look(1.0, {"D": 2, "control": 4}), Look(1.0, {"E": 2, "control": 8}), Look(0.1, {"F": 3})]
    items, price = items_of(looks)
    assert price == {"control/4": 4, "control/8": 4}
    assert [(i.own, i.shared) for i in items] == [(2, ("control/4",)), (2, ("control/4", "control/8")), (3, ())]
    assert choose_batch(items, price, 12).wells == 12
    free, none = items_of(looks, {"control": 8, "F": 1})
    assert none == {} and [i.own for i in free] == [2, 2, 2]


def test_the_oracle_takes_the_arms_that_settle_most() -> None:
    arms = [[(2, 1), (3, 2)], [(2, 3)], [(2, 0), (4, 4)]]
    assert [_fewest(arms, t) for t in (1, 3, 4, 5, 9, 10)] == [2, 2, 4, 5, 9, None]
    rng = np.random.default_rng(0)
    for _ in range(20):  # against all choices
        arms = [[(n, int(v)) for n, v in zip((2, 3), np.sort(rng.integers(0, 4, 2)), strict=True)] for _ in range(5)]
        target = int(rng.integers(1, 10))
        every = list(np.ndindex(3, 3, 3, 3, 3))
        costs = [sum(a[k - 1][0] for a, k in zip(arms, pick, strict=True) if k) for pick in every]
        gains = [sum(a[k - 1][1] for a, k in zip(arms, pick, strict=True) if k) for pick in every]
        best = min((c for c, g in zip(costs, gains, strict=True) if g >= target), default=None)
        assert _fewest(arms, target) == best

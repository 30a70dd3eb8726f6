"""On real wells: the next dose is true far more often where a refuted claim's wells moved the right way."""

from pathlib import Path

import numpy as np
import pytest

from cytocrux.agents.goal import Goal, ReadoutGoal
from cytocrux.agents.revise import revisions
from cytocrux.knowledge.claims import ArmSummary, Batch, Belief, Claim, Prediction
from cytocrux.knowledge.evalues import assess, e_threshold
from cytocrux.knowledge.status import ClaimState
from cytocrux.world_model.data.arms import arm_rows, arms_of, control_of
from cytocrux.world_model.data.rppa import load_rppa
from cytocrux.world_model.vocabulary import Arm, Context, Contrast, Perturbation, Readout

pytestmark = pytest.mark.kit
LINES, VARIABLES, DELTA, DELTA0 = ("C32", "LOXIMVI"), ("pERK(T202/Y204)", "pRSK(S380)"), 1.0, 0.45


def summary(arm: Arm, x: np.ndarray) -> ArmSummary:
    x = x[np.isfinite(x)]
    return ArmSummary(arm_key=arm.key(), n=len(x), mean=float(x.mean()), ssd=float(((x - x.mean()) ** 2).sum()))


def test_heirs_of_refuted_claims_are_worth_their_wells(kit: Path) -> None:
    dataset = load_rppa(kit / "rppa")
    obs = dataset.wells.obs
    doses = sorted(float(d) for d in obs["dose"].dropna().unique())
    times = sorted(float(t) for t in obs["time_h"].unique())
    heirs, base, smaller, refuted = [], [], [], 0
    for line in LINES:
        arms = [a for a in arms_of(dataset, context=line) if not a.is_control]
        for variable in VARIABLES:
            x = np.asarray(dataset.wells.X)[:, dataset.readouts.index(variable)]
            theta = {}
            for arm in arms:
                p = arm.perturbations[0]
                rows, control = arm_rows(dataset.wells, arm), arm_rows(dataset.wells, control_of(arm))
                if np.isfinite(x[rows]).sum() >= 2:
                    theta[p.name, p.dose, arm.time_h] = float(np.nanmean(x[rows]) - np.nanmean(x[control]))
            readout = Readout(modality="phosphoproteome", variable=variable)
            goal = Goal(
                question="?", intent="response", dataset="rppa", context=Context(name=line), kind="compound",
                readouts=(ReadoutGoal(readout=readout, direction="down"),),
            )  # fmt: skip
            states = []
            for arm in arms:
                rows, control = arm_rows(dataset.wells, arm)[:2], arm_rows(dataset.wells, control_of(arm))[:8]
                claim = Claim(
                    sentence="lowers", kind="response", readout=readout, relation="le", delta=-DELTA, delta0=-DELTA0,
                    contrast=Contrast(terms=((1.0, arm), (-1.0, control_of(arm)))),
                )  # fmt: skip
                prediction = Prediction(
                    claim_id=claim.id, theory=Belief(mean=-1, sd=1), sceptic=Belief(mean=0, sd=0.5),
                    variance="pooled", noise_sd=0.25, max_wells=24, model_version="M", training_hash="h",
                )  # fmt: skip
                p = arm.perturbations[0]
                if np.isfinite(x[rows]).sum() < 2 or (p.name, p.dose, arm.time_h) not in theta:
                    continue
                batch = Batch(
                    claim_id=claim.id, prediction_id=prediction.id, design_hash="d", index=0, wells=(arm.key(),),
                    arms=(summary(arm, x[rows]), summary(control_of(arm), x[control])), data_hash="h",
                )  # fmt: skip
                evidence = assess(claim, prediction, [batch])
                if evidence.e_against >= e_threshold(0.05):
                    refuted += 1
                    states.append(ClaimState(claim=claim, seq=0, campaign="K", evidence=evidence, status="falsified"))
            for s in states:  # the next dose of a refuted claim, whether its wells moved or not
                old = s.claim.contrast.arms[0]
                p = old.perturbations[0]
                more = next((d for d in doses if d > p.dose * 1.001), None)
                new = theta.get((p.name, more, old.time_h))
                if new is not None and theta[p.name, p.dose, old.time_h] > -0.25 * DELTA:
                    base.append(new <= -DELTA)
            known = {s.claim.contrast.arms[0] for s in states}
            for r in revisions(goal, states, doses, times):
                h = r.hypothesis
                part = Perturbation(kind="compound", name=h.perturbations[0], dose=h.dose)
                arm = Arm(context=line, perturbations=(part,), time_h=h.time_h)
                if (r.shrink == 1 and arm in known) or (part.name, part.dose, h.time_h) not in theta:
                    continue  # refuted itself, or never measured
                if r.shrink == 1 and h.dose != r.of.contrast.arms[0].perturbations[0].dose:
                    heirs.append(theta[part.name, part.dose, h.time_h] <= -DELTA)
                elif r.shrink != 1:
                    smaller.append(theta[part.name, part.dose, h.time_h])
    assert refuted >= 20 and len(heirs) >= 5
    assert np.mean(heirs) > 5 * np.mean(base)  # a hint in the wells is worth following, its absence is not
    assert np.mean(np.array(smaller) <= -0.5 * DELTA) >= 0.4 and np.mean(np.array(smaller) > -0.5 * DELTA0) <= 0.2

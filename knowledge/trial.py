"""The theory on trial: does the model predict the coming experiments better than the strongest baseline?

Each registered prediction is scored by the continuous ranked probability score of the two normal predictive
distributions at the outcome; the difference D(y) = CRPS(baseline) - CRPS(model) is bounded by quantities known before
the outcome (its limits at y = -inf, +inf and its value where the two distribution functions cross), so D / max|D| lies
in [-1, 1] and its mean has the sign of the truth. All outcomes of one experiment share wells: their mean is one bet
(betting.log_e_bounded; Choe & Ramdas 2024, Oper. Res. 72:1368). e_model bets that the model is better than the
baseline, e_baseline the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtr

from ..world_model.vocabulary import Frozen
from .betting import Floats, log_e_bounded
from .claims import Belief, Design, Evidence, Prediction
from .events import Event


class Outcome(Frozen):
    """One registered prediction come true or not. Both beliefs are of the reading itself: their sd holds its noise."""

    experiment: str  # outcomes of one experiment are one bet
    model: Belief
    baseline: Belief
    observed: float


class Turn(Frozen):
    """After ``experiment`` the version was withdrawn from guiding choices, or let in again."""

    experiment: str
    to: Literal["withdrawn", "reinstated"]


class TrialState(Frozen):
    """Where the trial stands. The e-values count from the last turn on."""

    leader: Literal["model", "baseline", "undecided"]
    e_model: float = Field(ge=0)
    e_baseline: float = Field(ge=0)
    withdrawn: bool
    experiments: int
    advantage: float | None  # mean bounded score difference, -1..1, > 0 where the model is better; None before any
    turns: tuple[Turn, ...] = ()


def duel(outcomes: Sequence[Outcome], alpha: float = 0.05) -> TrialState:
    """Judge the model by its outcomes, experiments in order of first mention.

    A model in use is withdrawn when e_baseline reaches 1 / alpha; a withdrawn one goes on predicting, and is let in
    again when e_model does. Each turn starts both e-values anew.
    """
    experiments: dict[str, list[float]] = {}
    for outcome in outcomes:
        experiments.setdefault(outcome.experiment, []).append(advantage(outcome))
    names, scores = list(experiments), np.array([np.mean(group) for group in experiments.values()])
    bar, start, turns = -math.log(alpha), 0, list[Turn]()
    while True:
        withdrawn = bool(turns) and turns[-1].to == "withdrawn"
        pro, contra = log_e_bounded(scores[start:]), log_e_bounded(-scores[start:])
        crossed = np.flatnonzero((pro if withdrawn else contra) >= bar)
        if not len(crossed):
            break
        at = start + int(crossed[0])
        turns.append(Turn(experiment=names[at], to="reinstated" if withdrawn else "withdrawn"))
        start = at + 1
    ahead = bool(turns) or bool(np.any(pro >= bar))
    return TrialState(
        leader="baseline" if withdrawn else "model" if ahead else "undecided",
        e_model=_last(pro),
        e_baseline=_last(contra),
        withdrawn=withdrawn,
        experiments=len(scores),
        advantage=float(scores.mean()) if len(scores) else None,
        turns=tuple(turns),
    )


def outcome_of(prediction: Prediction, evidence: Evidence, experiment: str) -> Outcome:
    """The claim's first look as an outcome: theory against sceptic, the estimate's standard error added to both."""

    def seen(belief: Belief) -> Belief:
        return Belief(mean=belief.mean, sd=math.hypot(belief.sd, evidence.se))

    model, baseline = seen(prediction.theory), seen(prediction.sceptic)
    return Outcome(experiment=experiment, model=model, baseline=baseline, observed=evidence.estimate)


def on_record(events: Sequence[Event], dataset: str) -> tuple[TrialState, tuple[int, ...]]:
    """The trial of the theory on one data set over a whole ledger, and the entries of the evidence it rests on.

    Each claim counts once, by its first experiment (all of that experiment's batches).
    """
    held = [e.payload.get("design") for e in events if e.kind in ("experiment_proposed", "experiment_decided")]
    ours = {d.content_hash() for raw in held if raw and (d := Design.model_validate(raw)).dataset == dataset}
    registered: dict[str, Prediction] = {}
    first: dict[str, tuple[int, Evidence]] = {}
    for event in events:
        if event.kind == "prediction_registered":
            prediction = Prediction.model_validate(event.payload["prediction"])
            registered.setdefault(prediction.claim_id, prediction)
        elif event.kind == "evidence_added":
            evidence = Evidence.model_validate(event.payload["evidence"])
            batch = evidence.batch
            known = first.get(batch.claim_id)
            if batch.design_hash in ours and (known is None or known[1].batch.design_hash == batch.design_hash):
                first[batch.claim_id] = (event.seq, evidence)
    outcomes = [outcome_of(registered[claim], e, e.batch.design_hash) for claim, (_, e) in first.items()]
    return duel(outcomes), tuple(sorted(seq for seq, _ in first.values()))


def advantage(outcome: Outcome) -> float:
    """(CRPS of the baseline - CRPS of the model) over its largest possible size, in [-1, 1]; 0 if they agree."""
    most = _largest(outcome.model, outcome.baseline)
    if most == 0.0:
        return 0.0
    difference = crps(outcome.baseline, outcome.observed) - crps(outcome.model, outcome.observed)
    return float(np.clip(difference / most, -1.0, 1.0))


def crps(belief: Belief, y: float) -> float:
    """Continuous ranked probability score of a normal at y, in y's units (Gneiting & Raftery 2007, eq. 21)."""
    z = (y - belief.mean) / belief.sd
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return float(belief.sd * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / math.sqrt(math.pi)))


def _largest(model: Belief, baseline: Belief) -> float:
    """max over y of |D(y)|: D' = 2 (F_baseline - F_model), so D has its extremes at the ends and where they cross."""
    spread = (model.sd - baseline.sd) / math.sqrt(math.pi)
    ends = [spread + (model.mean - baseline.mean), spread - (model.mean - baseline.mean)]
    if model.sd != baseline.sd:
        cross = (model.mean * baseline.sd - baseline.mean * model.sd) / (baseline.sd - model.sd)
        if math.isfinite(cross):
            ends.append(crps(baseline, cross) - crps(model, cross))
    return max(abs(end) for end in ends)


def _last(log_e: Floats) -> float:
    return math.exp(min(float(log_e[-1]), 690.0)) if len(log_e) else 1.0

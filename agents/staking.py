"""From a hypothesis in names and words to a claim with its registered test: every number is set here, by code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..knowledge.claims import Belief, Claim, Prediction
from ..world_model.data.arms import control_of
from ..world_model.errors import BadInput
from ..world_model.vocabulary import Arm, Context, Contrast, Population, Readout
from .goal import Goal, Hypothesis
from .study import Study, arm_of
from .thresholds import Role, Zone, zone

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.cell import VirtualCell
    from ..world_model.data.gdsc import ReplicateNoise
    from ..world_model.prediction import CellPrediction

ALPHA = 0.05
MAX_WELLS = 24  # per arm; a claim still open then is undecided
LEAST_POPULATION = 20  # contexts; fewer give no reference to be among the best quarter of
CONJECTURE = 0.1  # probability below which a source's hypothesis is staked the other way: that it does not hold
SD_FLOOR = 0.1  # of the zone's size: a belief narrower than this is not to be had from a finite model


@dataclass(frozen=True)
class Stake:
    """A claim with the test it would be registered with, and what the cell said when it was staked."""

    claim: Claim
    prediction: Prediction
    abstained: str = ""  # the cell's reason, where it would rather not say


class Staker:
    """Turns hypotheses into stakes with one call to the cell for all of them."""

    def __init__(self, study: Study, cell: VirtualCell, classes: Mapping[str, str]) -> None:
        self.study, self.cell, self.classes = study, cell, dict(classes)
        self._noise = _reading_noise(study)

    def stake(self, hypotheses: Sequence[Hypothesis]) -> list[Stake]:
        """Stakes in the order of the hypotheses; one whose arm or readout does not exist is left out."""
        goal, readouts = self.study.goal, {g.readout.variable: g for g in self.study.goal.readouts}
        usable = [h for h in hypotheses if h.readout in readouts]
        arms = [self._arm(h) for h in usable]
        singles = [[Arm(context=a.context, perturbations=(p,), time_h=a.time_h) for p in a.perturbations] for a in arms]
        asked = [arm for arm, parts in zip(arms, singles, strict=True) for arm in (arm, *parts)]
        if not asked:
            return []
        answers = self.cell.predict(conditions_of(asked), context=self._features(goal))
        column = {name: i for i, name in enumerate(answers.readouts)}
        stakes, at = [], 0
        for hypothesis, arm, parts in zip(usable, arms, singles, strict=True):
            rows = slice(at, at + 1 + len(parts))
            at += 1 + len(parts)
            readout = readouts[hypothesis.readout].readout
            if readout.variable not in column:
                continue
            stake = self._one(hypothesis, arm, readout, _Told.of(answers, rows, column[readout.variable]))
            if stake is not None:
                stakes.append(stake)
        return stakes

    def _features(self, goal: Goal) -> Context | None:
        return goal.context if goal.context.expression or goal.context.mutations else None

    def _arm(self, hypothesis: Hypothesis) -> Arm:
        dose = math.nan if hypothesis.dose is None else hypothesis.dose
        time_h = math.nan if hypothesis.time_h is None else hypothesis.time_h
        return arm_of(self.study.goal.context.name, hypothesis.perturbations, self.study.goal.kind, dose, time_h)

    def _one(self, h: Hypothesis, arm: Arm, readout: Readout, told: _Told) -> Stake | None:
        sign = 1 if h.direction == "up" else -1
        role = self._role(h)
        variance: Literal["pooled", "known"]
        if self.study.has_controls:
            size = zone(self.study.scale, role, told.noise)
            contrast, theory = _against_control(arm, role, told)
            noise, variance = told.noise, "pooled"
            sceptic = Belief(mean=0.0, sd=size.delta / 2)
        else:
            populations = self.populations(arm)
            if not populations:
                return None
            size, contrast = zone("z", "primary", 1.0), Contrast(terms=((1.0, arm),), populations=populations)
            theory = Belief(mean=told.z_mean, sd=max(told.z_sd, SD_FLOOR))
            noise, variance = self._noise.of(arm.perturbations[0].name) if self._noise else 1.0, "known"
            sceptic = Belief(mean=0.0, sd=1.0)
        theory = Belief(mean=theory.mean, sd=max(theory.sd, SD_FLOOR * size.delta))
        if role == "synergy" and sign * theory.mean < (size.delta + size.delta0) / 2:
            return self._denial(h, contrast, readout, size, theory, noise, told)
        if h.conjecture and self.study.has_controls and odds(theory, sign, size) < CONJECTURE:
            return self._denial(h, contrast, readout, size, theory, noise, told)
        claim = Claim(
            sentence=sentence(arm, readout, h, size.delta, bool(self.study.has_controls)),
            kind=h.kind,
            readout=readout,
            contrast=contrast,
            relation="ge" if sign > 0 else "le",
            delta=sign * size.delta,
            delta0=sign * size.delta0,
            mechanism=h.mechanism,
            refuted_by=_broken_by(refutation(readout, h, size.delta0, bool(self.study.has_controls)), h),
            origin=h.origin,
        )
        prediction = self._prediction(claim, theory, sceptic, variance, noise)
        return Stake(claim, prediction, told.reason)

    def _denial(
        self, h: Hypothesis, contrast: Contrast, readout: Readout, size: Zone, theory: Belief, noise: float, told: _Told
    ) -> Stake:
        """The other side: where the theory expects no excess over the sum, or no effect where a source points to
        one, it stakes that there is none."""
        sign = 1 if h.direction == "up" else -1
        said, excess = denied(contrast.arms[0], readout, h, size), sign * size.delta
        over = "an excess over the sum of" if h.kind == "synergy" else "an effect of"
        claim = Claim(
            sentence=said,
            kind=h.kind,
            readout=readout,
            contrast=contrast,
            relation="le" if sign > 0 else "ge",
            delta=sign * size.delta0,
            delta0=sign * size.delta,
            mechanism=h.mechanism,
            refuted_by=_broken_by(f"{over} {excess:+g} {readout.unit} or more in replicate wells", h),
            origin=h.origin,
        )
        sceptic = Belief(mean=excess, sd=size.delta)
        return Stake(claim, self._prediction(claim, theory, sceptic, "pooled", noise), told.reason)

    def _prediction(
        self, claim: Claim, theory: Belief, sceptic: Belief, variance: Literal["pooled", "known"], noise: float
    ) -> Prediction:
        return Prediction(
            claim_id=claim.id,
            theory=Belief(mean=plain(theory.mean), sd=plain(theory.sd)),
            sceptic=sceptic,
            variance=variance,
            noise_sd=plain(noise),
            alpha=ALPHA,
            max_wells=MAX_WELLS,
            model_version=self.cell.version,
            training_hash=self.cell.training_hash,
        )

    def _role(self, h: Hypothesis) -> Role:
        if h.kind == "synergy":
            return "synergy"
        follow = {g.readout.variable for g in self.study.goal.readouts if g.role == "follow"}
        return "follow" if h.readout in follow else "primary"

    def populations(self, arm: Arm) -> tuple[Population, ...]:
        """Mean and sd of the reading over the training contexts, one for each screen that has >= 20 of them."""
        return self._populations.get(arm.perturbations[0].name, ())

    @cached_property
    def _populations(self) -> dict[str, tuple[Population, ...]]:
        from ..world_model.data.gdsc import drug_scale

        scale = drug_scale(self.study.dataset, self.study.train, readout=self.study.goal.readouts[0].readout.variable)
        found: dict[str, tuple[Population, ...]] = {}
        for row in scale.reset_index().to_dict("records"):
            if row["n"] >= LEAST_POPULATION and row["sd"] > 0:
                name, block = str(row["perturbation"]), str(row["batch"])
                one = Population(mean=float(row["mean"]), sd=float(row["sd"]), n=int(row["n"]), block=block)
                found[name] = (*found.get(name, ()), one)
        return found


@dataclass(frozen=True)
class _Told:
    """What the cell said of one arm (and its single parts) for one readout."""

    mean: float
    sd: float
    noise: float
    z_mean: float
    z_sd: float
    parts_mean: tuple[float, ...]
    parts_sd: tuple[float, ...]
    reason: str

    @classmethod
    def of(cls, answers: CellPrediction, rows: slice, column: int) -> _Told:
        mean, sd = answers.mean[rows, column], answers.epistemic[rows, column]
        with np.errstate(divide="ignore", invalid="ignore"):  # no reference: NaN, and no claim is staked on it
            z_mean, z_sd, _ = answers.z()
        noise = float(answers.aleatoric[rows, column][0])
        return cls(
            mean=float(mean[0]),
            sd=float(sd[0]),
            noise=noise if np.isfinite(noise) and noise > 0 else 1.0,
            z_mean=float(z_mean[rows, column][0]),
            z_sd=float(z_sd[rows, column][0]),
            parts_mean=tuple(float(m) for m in mean[1:]),
            parts_sd=tuple(float(s) for s in sd[1:]),
            reason=str(answers.reason[rows.start]) if answers.abstain[rows.start] else "",
        )


def _against_control(arm: Arm, role: Role, told: _Told) -> tuple[Contrast, Belief]:
    """Treated minus control; for synergy the excess over the sum of the single effects."""
    control = control_of(arm)
    if role != "synergy":
        return Contrast(terms=((1.0, arm), (-1.0, control))), Belief(mean=told.mean, sd=told.sd)
    singles = [Arm(context=arm.context, perturbations=(p,), time_h=arm.time_h) for p in arm.perturbations]
    terms = ((1.0, arm), *((-1.0, s) for s in singles), (float(len(singles) - 1), control))
    mean = told.mean - sum(told.parts_mean)
    sd = math.sqrt(told.sd**2 + sum(s**2 for s in told.parts_sd))
    return Contrast(terms=terms), Belief(mean=mean, sd=sd)


def conditions_of(arms: Sequence[Arm]) -> pd.DataFrame:
    """The cell's input: one row an arm (context, perturbation, kind, dose, time_h)."""
    import pandas as pd

    rows = []
    for arm in arms:
        doses = [p.dose for p in arm.perturbations if p.dose is not None]
        rows.append(
            {
                "context": arm.context,
                "perturbation": "+".join(p.name for p in arm.perturbations) or "control",
                "kind": arm.perturbations[0].kind if arm.perturbations else "control",
                "dose": doses[0] if doses else math.nan,
                "time_h": math.nan if arm.time_h is None else arm.time_h,
            }
        )
    return pd.DataFrame(rows)


def sentence(arm: Arm, readout: Readout, h: Hypothesis, delta: float, has_controls: bool) -> str:
    """The claim in plain words, with its number."""
    what = " + ".join(p.label() for p in arm.perturbations)
    where = arm.context + ("" if arm.time_h is None else f" at {arm.time_h:g} h")
    if not has_controls:
        return (
            f"{arm.context} is among the quarter of lines most sensitive to {what} "
            f"({readout.variable} z <= -{delta:g})."
        )
    moves = "raises" if h.direction == "up" else "lowers"
    size = f"{readout.variable} in {where} by >= {delta:g} ({readout.unit})"
    if h.kind == "synergy":
        return f"{what} together {moves.removesuffix('s')} {size} beyond the sum of the two."
    return f"{what} {moves} {size} against control."


def denied(arm: Arm, readout: Readout, h: Hypothesis, size: Zone) -> str:
    """That there is no such effect, in plain words."""
    more = "raise" if h.direction == "up" else "lower"
    if h.kind == "synergy":
        return (
            f"{' + '.join(h.perturbations)} together {more} {readout.variable} in {arm.context} no more than their sum."
        )
    what = " + ".join(p.label() for p in arm.perturbations)
    where = arm.context + ("" if arm.time_h is None else f" at {arm.time_h:g} h")
    return f"{what} does not {more} {readout.variable} in {where} by {size.delta:g} ({readout.unit}) against control."


def plain(value: float) -> float:
    """Six significant digits: what is registered, and every hash and seed drawn from it, must not hang on how many
    threads or which processor added the numbers up."""
    return float(f"{value:.6g}")


def odds(theory: Belief, sign: int, size: Zone) -> float:
    """Probability, under the theory, that theta lies past the middle of the zone."""
    return 1 - NormalDist(sign * theory.mean, theory.sd).cdf((size.delta + size.delta0) / 2)


def _broken_by(result: str, h: Hypothesis) -> str:
    """The result that breaks the claim, with its number, and what the debate added."""
    return "; ".join(filter(None, (result, h.refuted_by)))


def refutation(readout: Readout, h: Hypothesis, delta0: float, has_controls: bool) -> str:
    """What result would break the claim."""
    if not has_controls:
        return f"a {readout.variable} at or above the average line's (z >= {delta0:g}) within the error of the assay"
    side = "below" if h.direction == "up" else "above"
    edge = delta0 if h.direction == "up" else -delta0
    return f"replicate wells whose {readout.variable} contrast stays {side} {edge:+g} {readout.unit}"


def _reading_noise(study: Study) -> ReplicateNoise | None:
    """z-scale sd of one reading, from contexts measured twice in training; None where controls give the noise."""
    if study.has_controls:
        return None
    from ..world_model.data.gdsc import replicate_noise

    try:
        return replicate_noise(study.dataset, rows=study.train)
    except ValueError:
        raise BadInput(
            f"{study.dataset.name} has neither control wells nor lines measured twice",
            why="without one of them the error of a reading is not known, and nothing could be tested",
            cure="add control wells, or a second measurement of some lines",
        ) from None

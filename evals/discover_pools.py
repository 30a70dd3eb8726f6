"""Pools of claims on real wells for the race of policies: RPPA (one held-out line a seed), GDSC (four a seed).

The theory is the virtual cell fitted on the other lines. A claim's truth is read off all wells of its arms together:
true at or past delta, false at or short of delta0, else neither. Pools hold true and false claims alike (40 % each)
and a fifth of neither, drawn by seed; policies are told none of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..agents.staking import ALPHA, SD_FLOOR
from ..agents.thresholds import zone
from ..knowledge.claims import Belief, Claim, Prediction
from ..world_model.data.arms import arm_rows, arms_of, control_of
from ..world_model.vocabulary import Arm, Contrast, Population, Readout
from .race import Candidate, Reading

if TYPE_CHECKING:
    from ..world_model.cell import VirtualCell
    from ..world_model.data.dataset import Dataset

SHARES = {1: 0.4, -1: 0.4, 0: 0.2}
MAX_WELLS = 24


@dataclass
class Pool:
    """Claims with what they may be tested on. rows: arm key -> rows of the data set in the seeded order of reveal."""

    dataset: Dataset
    candidates: list[Candidate]
    rows: Mapping[str, np.ndarray]
    classes: Mapping[str, str]
    shared_controls: bool = True
    taken: dict[str, int] = field(default_factory=dict)

    def left(self, arm: Arm) -> int:
        return len(self.rows[arm.key()]) - self.taken.get(arm.key(), 0)

    def draw(self, wanted: Sequence[tuple[Arm, int]]) -> dict[str, list[Reading]]:
        found: dict[str, list[Reading]] = {}
        obs, x = self.dataset.wells.obs, self.dataset.wells.X
        names, ids = [str(v) for v in self.dataset.wells.var_names], self.dataset.wells.obs_names
        for arm, n in wanted:
            start = self.taken.get(arm.key(), 0)
            rows = self.rows[arm.key()][start : start + n]
            self.taken[arm.key()] = start + len(rows)
            found[arm.key()] = [
                (str(ids[r]), str(obs["batch"].iloc[r]), dict(zip(names, map(float, x[r]), strict=True))) for r in rows
            ]
        return found

    def fresh(self) -> Pool:
        """The same pool before its first well."""
        again = [Candidate(c.claim, c.prediction, c.truth) for c in self.candidates]
        return Pool(self.dataset, again, self.rows, self.classes, self.shared_controls)

    def wrong_by_unused(self) -> tuple[int, int]:
        """(verdicts that unrevealed wells speak against, verdicts with such wells): an independent, noisy view."""
        wrong = seen = 0
        for c in self.candidates:
            arm = next(a for a in c.claim.contrast.arms if not a.is_control)
            start = self.taken.get(arm.key(), 0)
            if not c.verdict or start >= len(self.rows[arm.key()]):
                continue
            rows = {a.key(): self.rows[a.key()][start if a == arm else 0 :] for a in c.claim.contrast.arms}
            theta = _theta(self.dataset, c.claim.contrast, c.claim.readout.variable, rows)
            if np.isfinite(theta):
                seen += 1
                wrong += truth_of(c.claim, theta) == -c.verdict
        return wrong, seen


def rppa_pool(dataset: Dataset, line: str, cell: VirtualCell, classes: Mapping[str, str], seed: int, size: int) -> Pool:
    """Treated against control, one protein, at least doubled or halved; direction either way."""
    arms = [a for a in arms_of(dataset, context=line) if not a.is_control]
    told = _predict(cell, arms)
    rng = np.random.default_rng([seed, 5])
    rows = {a.key(): rng.permutation(arm_rows(dataset.wells, a)) for arm in arms for a in (arm, control_of(arm))}
    at = [dataset.readouts.index(v) for v in told.readouts]
    x = np.asarray(dataset.wells.X)[:, at]
    theta = np.array([_mean(x[rows[a.key()]]) - _mean(x[rows[control_of(a).key()]]) for a in arms])
    theta[~np.isfinite(told.mean)] = np.nan
    zone_of = zone("log2", "primary", 1.0)
    found = []
    for i, j, sign, truth in _mixture(theta, zone_of, size, rng):
        readout = Readout(modality="phosphoproteome", variable=told.readouts[j])
        contrast = Contrast(terms=((1.0, arms[i]), (-1.0, control_of(arms[i]))))
        theory = Belief(mean=float(told.mean[i, j]), sd=max(float(told.epistemic[i, j]), SD_FLOOR))
        sceptic, claim = Belief(mean=0.0, sd=zone_of.delta / 2), _claim(contrast, readout, sign, zone_of)
        test = registered(claim, theory, sceptic, "pooled", float(told.aleatoric[i, j]))
        found.append(Candidate(claim, test, truth))
    return Pool(dataset, found, rows, classes)


def gdsc_pool(
    dataset: Dataset,
    lines: Sequence[str],
    cell: VirtualCell,
    classes: Mapping[str, str],
    seed: int,
    size: int,
    train: np.ndarray,
) -> Pool:
    """Among the most sensitive (z <= -0.67) or the most resistant lines (z >= 0.67); drugs with two wells or more."""
    from ..world_model.data.gdsc import LN_IC50, drug_scale, replicate_noise

    rng = np.random.default_rng([seed, 6])
    noise = replicate_noise(dataset, rows=train)
    populations: dict[str, tuple[Population, ...]] = {}
    for r in drug_scale(dataset, train).reset_index().to_dict("records"):
        if r["n"] >= 20 and r["sd"] > 0:
            one = Population(mean=float(r["mean"]), sd=float(r["sd"]), n=int(r["n"]), block=str(r["batch"]))
            populations[str(r["perturbation"])] = (*populations.get(str(r["perturbation"]), ()), one)
    arms = [a for line in lines for a in arms_of(dataset, context=line) if a.perturbations[0].name in populations]
    rows = {a.key(): rng.permutation(arm_rows(dataset.wells, a)) for a in arms}
    arms = [a for a in arms if len(rows[a.key()]) >= 2]
    told = _predict(cell, arms)
    at = told.readouts.index(LN_IC50)
    mean, sd, _ = (v[:, at] for v in told.z())
    readout = Readout(modality="viability", variable=LN_IC50, unit="ln uM")
    contrasts = [Contrast(terms=((1.0, a),), populations=populations[a.perturbations[0].name]) for a in arms]
    theta = np.array([_theta(dataset, c, LN_IC50, rows) for c in contrasts])
    theta[~(np.isfinite(mean) & np.isfinite(sd))] = np.nan
    zone_of, found = zone("z", "primary", 1.0), []
    for i, _, sign, truth in _mixture(theta[:, None], zone_of, size, rng):
        theory = Belief(mean=float(mean[i]), sd=max(float(sd[i]), SD_FLOOR))
        claim = _claim(contrasts[i], readout, sign, zone_of)
        spread = noise.of(arms[i].perturbations[0].name)
        found.append(Candidate(claim, registered(claim, theory, Belief(mean=0.0, sd=1.0), "known", spread), truth))
    return Pool(dataset, found, rows, classes)


def truth_of(claim: Claim, theta: float) -> int:
    """+1 where theta is at or past delta, -1 at or short of delta0, 0 in between."""
    if claim.sign * theta >= claim.sign * claim.delta:
        return 1
    return -1 if claim.sign * theta <= claim.sign * claim.delta0 else 0


def registered(
    claim: Claim, theory: Belief, sceptic: Belief, variance: str, noise: float, alpha: float = ALPHA
) -> Prediction:
    """The claim's test, as the staker writes it."""
    return Prediction(
        claim_id=claim.id, theory=theory, sceptic=sceptic, variance="known" if variance == "known" else "pooled",
        noise_sd=noise, alpha=alpha, max_wells=MAX_WELLS, model_version="eval", training_hash="eval",
    )  # fmt: skip


def _claim(contrast: Contrast, readout: Readout, sign: int, size: tuple[float, float]) -> Claim:
    return Claim(
        sentence=f"{contrast.arms[0].label()} {'raises' if sign > 0 else 'lowers'} {readout.variable}",
        kind="response",
        readout=readout,
        contrast=contrast,
        relation="ge" if sign > 0 else "le",
        delta=sign * size[0],
        delta0=sign * size[1],
    )


def _mean(x: np.ndarray) -> np.ndarray:
    """Mean of each column over its readings; NaN where there are fewer than two."""
    n = np.isfinite(x).sum(axis=0)
    return np.where(n >= 2, np.nansum(x, axis=0) / np.maximum(n, 1), np.nan)


def _theta(dataset: Dataset, contrast: Contrast, variable: str, rows: Mapping[str, np.ndarray]) -> float:
    """The contrast of the means of these rows; NaN where one arm has no reading."""
    at = dataset.readouts.index(variable)
    blocks = dataset.wells.obs["batch"]
    total = 0.0
    for weight, arm in contrast.terms:
        raw = [(float(dataset.wells.X[r, at]), str(blocks.iloc[r])) for r in rows[arm.key()]]
        read = [v for x, b in raw if np.isfinite(x) for v in [contrast.standardise(x, b)] if v is not None]
        total += weight * float(np.mean(read)) if read else np.nan
    return total


def _mixture(
    theta: np.ndarray, size: tuple[float, float], n: int, rng: np.random.Generator
) -> list[tuple[int, int, int, int]]:
    """n of (arm, readout, sign, truth) in the stated shares, no arm and readout twice, in random order."""
    places = [(int(i), int(j)) for i, j in np.argwhere(np.isfinite(theta))]
    drawn: list[tuple[int, int, int, int]] = []
    used: set[tuple[int, int]] = set()
    for truth, share in SHARES.items():
        wanted = round(share * n)
        for k in rng.permutation(len(places)):
            if not wanted:
                break
            (i, j), sign = places[k], int(rng.choice([-1, 1]))
            if (i, j) not in used and _label(sign * theta[i, j], size) == truth:
                drawn.append((i, j, sign, truth))
                used.add((i, j))
                wanted -= 1
    return [drawn[k] for k in rng.permutation(len(drawn))]


def _label(value: float, size: tuple[float, float]) -> int:
    return 1 if value >= size[0] else -1 if value <= size[1] else 0


def _predict(cell: VirtualCell, arms: Sequence[Arm]):  # type: ignore[no-untyped-def]
    from ..agents.staking import conditions_of

    return cell.predict(conditions_of(arms))

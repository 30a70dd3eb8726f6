"""Many runs of one registered test at once: what ``knowledge.evalues.assess`` decides, look by look.

The z form and the pooled t form increase in their statistic, and all runs of one design share degrees of freedom and
effective wells at each look; so a run has crossed 1 / alpha exactly where its statistic has passed the look's critical
value (mixtures.critical_rho, critical_z). Only there the Welch form, which counts where it is smaller, is computed too.
Tests check this against ``assess`` itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..knowledge import mixtures
from ..knowledge.claims import Belief, Claim, Prediction
from ..knowledge.evalues import Bet, bets
from ..world_model.vocabulary import Arm, Contrast, Perturbation, Readout

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

TREATED = Arm(context="any", perturbations=(Perturbation(kind="compound", name="any"),))
CONTROL = Arm(context="any")
CLAIM = Claim(  # in units of one well's sd: the denial says 0 or less, the claim says 1 or more
    sentence="the treated arm lies at least one sd above its control",
    kind="response",
    readout=Readout(modality="score", variable="any"),
    contrast=Contrast(terms=((1.0, TREATED), (-1.0, CONTROL))),
    relation="ge",
    delta=1.0,
    delta0=0.0,
)
PRIORS = {  # what theory and sceptic believe of theta
    "informative": (Belief(mean=1.0, sd=0.2), Belief(mean=0.0, sd=0.2)),
    "sharp": (Belief(mean=1.0, sd=0.1), Belief(mean=0.0, sd=0.1)),
    "vague": (Belief(mean=1.0, sd=0.5), Belief(mean=0.0, sd=0.5)),
    "flat": (Belief(mean=0.0, sd=2.0), Belief(mean=1.0, sd=2.0)),
    "wrong": (Belief(mean=3.0, sd=0.2), Belief(mean=-2.0, sd=0.2)),
}


@dataclass(frozen=True)
class Looks:
    """Cumulative statistics of two arms in batches of n_t + n_c wells; all arrays (runs, looks).

    estimate: of theta. within_t, within_c: ssd within batches of either arm. between: of the batches' contrasts, in
    the units of one well.
    """

    estimate: Floats
    within_t: Floats
    within_c: Floats
    between: Floats
    n_t: int
    n_c: int

    def shifted(self, by: float) -> Looks:
        """The same noise around another theta."""
        return replace(self, estimate=self.estimate + by)


def registered(prior: str, variance: str = "pooled", noise_sd: float = 1.0, alpha: float = 0.05) -> Prediction:
    """The test of CLAIM under one of PRIORS."""
    theory, sceptic = PRIORS[prior]
    return Prediction.model_validate(
        {"claim_id": CLAIM.id, "theory": theory, "sceptic": sceptic, "variance": variance, "noise_sd": noise_sd,
         "alpha": alpha, "max_wells": 1000, "model_version": "simulation", "training_hash": "none"}
    )  # fmt: skip


def simulated(
    rng: np.random.Generator,
    runs: int,
    looks: int,
    n: tuple[int, int],
    theta: float = 0.0,
    sd: tuple[float, float] = (1.0, 1.0),
) -> Looks:
    """Normal readings, n = (treated, control) wells a batch with these sds; any shift common to a batch cancels."""
    noise = math.hypot(sd[0] / math.sqrt(n[0]), sd[1] / math.sqrt(n[1]))
    contrast = rng.normal(theta, noise, (runs, looks))
    within = [2.0 * s * s * rng.gamma((k - 1) / 2, size=(runs, looks)) for k, s in zip(n, sd, strict=True)]
    return cumulated(contrast, np.array(within), n)


def measured(treated: Floats, control: Floats) -> Looks:
    """From readings: (runs, looks, n) of each arm."""
    within = [((x - x.mean(axis=2, keepdims=True)) ** 2).sum(axis=2) for x in (treated, control)]
    contrast = treated.mean(axis=2) - control.mean(axis=2)
    return cumulated(contrast, np.array(within), (treated.shape[2], control.shape[2]))


def cumulated(contrast: Floats, within: Floats, n: tuple[int, int]) -> Looks:
    """Blocked analysis of equal batches: their contrasts (runs, looks), within-arm ssd (2, runs, looks)."""
    k = np.arange(1, contrast.shape[1] + 1)
    mean = np.cumsum(contrast, axis=1) / k
    between = np.maximum(np.cumsum(contrast**2, axis=1) - k * mean**2, 0.0) / (1 / n[0] + 1 / n[1])
    within = np.cumsum(within, axis=2)
    return Looks(mean, within[0], within[1], between, n[0], n[1])


def stacked(parts: Sequence[Looks]) -> Looks:
    """The runs of all parts (of one design) one after the other."""
    return replace(
        parts[0],
        estimate=np.concatenate([part.estimate for part in parts]),
        within_t=np.concatenate([part.within_t for part in parts]),
        within_c=np.concatenate([part.within_c for part in parts]),
        between=np.concatenate([part.between for part in parts]),
    )


def crossed(looks: Looks, bet: Bet, prediction: Prediction) -> Flags:
    """(runs, looks): the e-value of ``bet`` has stood at 1 / alpha or more by this look."""
    k = np.arange(1, looks.estimate.shape[1] + 1)
    c = 1 / looks.n_t + 1 / looks.n_c
    root_m, bar = np.sqrt(k / c), -math.log(prediction.alpha)
    x = bet.sign * (looks.estimate - bet.boundary) * root_m
    if prediction.variance == "known":
        hits = x / prediction.noise_sd >= mixtures.critical_z(bar, root_m, bet.stakes)
        return np.asarray(np.logical_or.accumulate(hits, axis=1))
    df = (looks.n_t + looks.n_c - 2.0) * k + k - 1.0
    ssd = looks.within_t + looks.within_c + looks.between
    hits = mixtures.rho_of(x, ssd) >= mixtures.critical_rho(bar, df, root_m, bet.stakes)
    settled = np.zeros_like(hits)
    for look in range(len(k)):  # where the pooled form has crossed, ask the Welch form too, until it agrees
        before = settled[:, look - 1] if look else np.zeros(len(hits), bool)
        asked = np.flatnonzero(hits[:, look] & ~before)
        settled[:, look] = before
        if len(asked):
            welch_ssd, welch_df = _welch(looks, asked, look)
            log_e = mixtures.log_e_t(mixtures.rho_of(x[asked, look], welch_ssd), welch_df, root_m[look], bet.stakes)
            settled[asked, look] = log_e >= bar
    return settled


def _welch(looks: Looks, runs: npt.NDArray[np.int_], look: int) -> tuple[Floats, Floats]:
    """pooling.Pooled.welch of these runs at this look (0-based); both arms replicated, or neither."""
    batches, between = look + 1.0, looks.between[runs, look]
    variance, weight = np.zeros(len(runs)), np.zeros(len(runs))
    for n, other, within in ((looks.n_t, looks.n_c, looks.within_t), (looks.n_c, looks.n_t, looks.within_c)):
        if n > 1:
            part = other / (n + other) * within[runs, look] / ((n - 1) * batches)
            variance, weight = variance + part, weight + part**2 / ((n - 1) * batches)
    df = np.divide(variance**2, weight, out=np.zeros(len(runs)), where=weight > 0)
    return variance * df + between, df + look


def false_verdicts(null: Looks, prediction: Prediction) -> tuple[float, float]:
    """Shares of runs ever falsely corroborated, falsified; ``null`` (theta = 0) is moved to either boundary."""
    pro, contra = bets(CLAIM, prediction)
    rates = [crossed(null.shifted(bet.boundary), bet, prediction)[:, -1].mean() for bet in (pro, contra)]
    return float(rates[0]), float(rates[1])


def first_look(hits: Flags) -> npt.NDArray[np.int_]:
    """(runs,) 1-based look of the first hit; the number of looks where there is none (a budget spent)."""
    return np.asarray(np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, hits.shape[1]), int)

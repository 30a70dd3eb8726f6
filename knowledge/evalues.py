"""What all batches of a claim say: estimate, e-values both ways, p-values, confidence sequence.

Every claim is read as theta >= delta (multiply theta, delta, delta0 and the beliefs by ``claim.sign``). Two bets run:
    E_for      against the denial theta <= delta0, staked by the theory on theta > delta0;
    E_against  against the claim theta >= delta, staked by the sceptic on theta < delta.

Blocks. Batches share shifts (plate, day) that hit all their arms alike, so theta is estimated within blocks: with
c_g = sum_a w_a^2 / n_ag and x_g = sum_a w_a mean_ag, the estimate is the mean of x_g with weights 1 / c_g, its variance
sigma^2 / m with m = sum_g 1 / c_g. A batch opens a new block when the block before it has every arm and so has the
batch itself; otherwise it joins the block before it (its shift is then not removed). Contrasts whose weights do not sum
to zero (readings standardised against a population) cannot lose a shift, and form one block. The residual sum of
squares pools deviations within arm and block and the spread of x_g: df = sum over arms and blocks (n_ag - 1) plus
(blocks - 1); one well per arm and batch is the paired t-test.

Why it holds. With sigma known the blocks' likelihood ratios at the boundary are martingales; off the boundary, within
the null, they fall in the mean. With sigma unknown the ratio of the maximal invariant (mixtures.py) is a martingale at
the boundary, and the rest of the null follows by coupling: lower theta by any amount on the same noise and every
cumulative T_k falls while every s_k stays; the e-value increases in T, so it falls path by path. By Ville's inequality
P(E ever reaches 1 / alpha) <= alpha, whenever one looks or stops, as long as the numbers of wells per batch are not
chosen by the nuisance (the level of a shared arm, or s itself).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.special import ndtr, stdtr

from ..world_model.errors import BadInput, NotAllowed
from ..world_model.vocabulary import Contrast
from . import mixtures
from .claims import ArmSummary, Batch, Belief, Claim, Evidence, Prediction
from .confidence import normal_radius, t_radius

_MOST = 690.0  # natural log; larger e-values are reported as exp(690), about 1e299


class Bet(NamedTuple):
    """One direction: sign * theta <= sign * boundary is the null."""

    sign: int
    boundary: float
    stakes: tuple[mixtures.Stake, ...]


class Pooled(NamedTuple):
    """Sufficient statistics of all batches: variance of the estimate = sigma^2 / m."""

    estimate: float
    m: float
    ssd: float
    df: int


def assess(claim: Claim, prediction: Prediction, batches: Sequence[Batch]) -> Evidence:
    """Evidence of all ``batches`` (in order of index) for ``claim`` under its registered test. Pure.

    Raises NotAllowed for a well used twice or data of another claim or prediction, BadInput where no contrast can be
    formed yet.
    """
    if not batches:
        raise BadInput(f"No batch for claim {claim.id}", cure="Assess a claim once it has data")
    ordered = sorted(batches, key=lambda b: b.index)
    check(claim, prediction, ordered)
    pooled = pool(claim.contrast, ordered)
    known = prediction.variance == "known"
    sigma = prediction.noise_sd if known else math.sqrt(pooled.ssd / pooled.df) if pooled.df else math.nan
    se = sigma / math.sqrt(pooled.m) if not math.isnan(sigma) else 0.0
    pro, contra = bets(claim, prediction)
    radius = (
        normal_radius(sigma, pooled.m, prediction.alpha)
        if known
        else t_radius(pooled.ssd, pooled.df, pooled.m, prediction.alpha)
    )
    return Evidence(
        batch=ordered[-1],
        estimate=pooled.estimate,
        se=se,
        df=None if known else float(pooled.df),
        e_for=math.exp(min(log_e(pro, prediction, pooled), _MOST)),
        e_against=math.exp(min(log_e(contra, prediction, pooled), _MOST)),
        p_for=p_value(pro, prediction, pooled),
        p_against=p_value(contra, prediction, pooled),
        ci_low=None if radius is None else pooled.estimate - radius,
        ci_high=None if radius is None else pooled.estimate + radius,
    )


def e_threshold(alpha: float) -> float:
    """The e-value that settles a direction at level ``alpha``."""
    return 1.0 / alpha


def bets(claim: Claim, prediction: Prediction) -> tuple[Bet, Bet]:
    """The bet for the claim and the bet against it."""
    return (
        _bet(claim.sign, claim.delta0, prediction.theory, prediction.noise_sd),
        _bet(-claim.sign, claim.delta, prediction.sceptic, prediction.noise_sd),
    )


def log_e(bet: Bet, prediction: Prediction, pooled: Pooled) -> float:
    """Natural log of one direction's e-value."""
    root_m = math.sqrt(pooled.m)
    x = bet.sign * (pooled.estimate - bet.boundary) * root_m
    if prediction.variance == "known":
        return float(mixtures.log_e_z(x / prediction.noise_sd, root_m, bet.stakes))
    return float(mixtures.log_e_t(mixtures.rho_of(x, pooled.ssd), pooled.df, root_m, bet.stakes))


def p_value(bet: Bet, prediction: Prediction, pooled: Pooled) -> float:
    """One-sided fixed-sample p-value at the boundary (not valid under optional stopping; 1 without any df)."""
    x = bet.sign * (pooled.estimate - bet.boundary) * math.sqrt(pooled.m)
    if prediction.variance == "known":
        return float(ndtr(-x / prediction.noise_sd))
    if pooled.df == 0:
        return 1.0
    s = math.sqrt(pooled.ssd / pooled.df)
    if s == 0.0:
        return 0.5 if x == 0 else float(x < 0)
    return float(stdtr(pooled.df, -x / s))


def pool(contrast: Contrast, batches: Sequence[Batch]) -> Pooled:
    """Blocked estimate of the contrast and pooled residuals (module docstring). BadInput while an arm has no wells."""
    weights = arm_weights(contrast)
    shifts_cancel = math.isclose(sum(weights.values()), 0.0, abs_tol=1e-9)
    blocks = _blocks(weights, batches, shifts_cancel)
    parts = []  # (1 / c_g, x_g) of each block that has every arm
    ssd, df = 0.0, 0
    for block in blocks:
        ssd += sum(cell.ssd for cell in block.values())
        df += sum(cell.n - 1 for cell in block.values())
        if weights.keys() <= block.keys():
            c = sum(w * w / block[key].n for key, w in weights.items())
            parts.append((1.0 / c, sum(w * block[key].mean for key, w in weights.items())))
    if not parts:
        seen = {key for block in blocks for key in block}
        missing = sorted(arm.label() for arm in contrast.arms if arm.key() not in seen)
        raise BadInput(
            f"No well yet of {', '.join(missing) or 'every arm in one block'}",
            why="A contrast needs all its arms",
            cure="Request every arm in the same run",
        )
    m = sum(share for share, _ in parts)
    estimate = sum(share * x for share, x in parts) / m
    ssd += sum(share * (x - estimate) ** 2 for share, x in parts)
    return Pooled(estimate, m, ssd, df + len(parts) - 1)


def arm_weights(contrast: Contrast) -> dict[str, float]:
    """Arm key -> weight; an arm named twice gets the sum, an arm that cancels is left out."""
    weights: dict[str, float] = {}
    for weight, arm in contrast.terms:
        weights[arm.key()] = weights.get(arm.key(), 0.0) + weight
    weights = {key: weight for key, weight in weights.items() if weight != 0.0}
    if not weights:
        raise BadInput("The contrast's weights cancel", why="It compares an arm with itself", cure="Name two arms")
    return weights


def check(claim: Claim, prediction: Prediction, batches: Sequence[Batch]) -> None:
    """Refuse data that is not this registered test's, a well seen twice, an arm twice in a batch."""
    if prediction.claim_id != claim.id:
        raise NotAllowed(f"Prediction {prediction.id} belongs to claim {prediction.claim_id}, not {claim.id}")
    seen: set[str] = set()
    for batch in batches:
        if (batch.claim_id, batch.prediction_id) != (claim.id, prediction.id):
            raise NotAllowed(
                f"Batch {batch.index} was taken for {batch.claim_id} under {batch.prediction_id}",
                why=f"Only data registered for {claim.id} under {prediction.id} counts here",
            )
        again = seen.intersection(batch.wells)
        if again or len(set(batch.wells)) < len(batch.wells):
            name = min(again) if again else next(w for w in batch.wells if batch.wells.count(w) > 1)
            raise NotAllowed(
                f"Well {name} would count twice for claim {claim.id}", cure="Leave out wells of earlier looks"
            )
        seen.update(batch.wells)
        keys = [arm.arm_key for arm in batch.arms]
        if len(set(keys)) < len(keys):
            raise BadInput(
                f"Batch {batch.index} summarises an arm twice", cure="One summary per arm; one batch per plate"
            )


def _bet(sign: int, boundary: float, belief: Belief, noise_sd: float) -> Bet:
    mean = sign * (belief.mean - boundary) / noise_sd
    return Bet(sign, boundary, mixtures.stakes(mean, belief.sd / noise_sd))


def _blocks(weights: Mapping[str, float], batches: Sequence[Batch], shifts_cancel: bool) -> list[dict[str, ArmSummary]]:
    blocks: list[dict[str, ArmSummary]] = [{}]
    for batch in batches:
        cells = {arm.arm_key: arm for arm in batch.arms if arm.arm_key in weights}
        if shifts_cancel and weights.keys() <= cells.keys() and weights.keys() <= blocks[-1].keys():
            blocks.append({})
        for key, cell in cells.items():
            blocks[-1][key] = _merge(blocks[-1][key], cell) if key in blocks[-1] else cell
    return blocks


def _merge(one: ArmSummary, two: ArmSummary) -> ArmSummary:
    """Sufficient statistics of both samples together (Chan, Golub & LeVeque 1983)."""
    n = one.n + two.n
    step = two.mean - one.mean
    return ArmSummary(
        arm_key=one.arm_key,
        n=n,
        mean=one.mean + step * two.n / n,
        ssd=one.ssd + two.ssd + step * step * one.n * two.n / n,
    )

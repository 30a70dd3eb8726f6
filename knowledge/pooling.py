"""All batches of a claim as sufficient statistics of its contrast.

Blocks. Batches share shifts (plate, day) that hit all their arms alike, so theta is estimated within blocks: with
c_g = sum_a w_a^2 / n_ag and x_g = sum_a w_a mean_ag, the estimate is the mean of x_g with weights 1 / c_g; were all
wells equally noisy, its variance would be sigma^2 / m with m = sum_g 1 / c_g. A batch opens a new block when the block
before it has every arm and so has the batch itself; otherwise it joins the block before it (its shift is then not
removed). Contrasts whose weights do not sum to zero (readings standardised against a population) cannot lose a shift,
and form one block.

Noise, twice. ``equal``: one sigma for all arms; the residual sum of squares pools deviations within arm and block and
the spread of x_g, df = sum over cells (n_ag - 1) + (blocks - 1). ``welch``: a sigma for each arm; sigma^2 is the mean
of the arms' variances weighted as they enter the variance of the estimate, its degrees of freedom Satterthwaite's,
pooled with the spread of x_g on blocks - 1. One well per arm and batch leaves only the latter: the paired t-test.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..world_model.errors import BadInput
from ..world_model.vocabulary import Contrast
from .claims import ArmSummary, Batch

Block = Mapping[str, ArmSummary]


class Noise(NamedTuple):
    """Residual sum of squares on df degrees of freedom: sigma^2 = ssd / df is the noise of one well."""

    ssd: float
    df: float


class Pooled(NamedTuple):
    """The estimate has variance sigma^2 / m; sigma^2 from either noise model."""

    estimate: float
    m: float
    equal: Noise
    welch: Noise


def pool(contrast: Contrast, batches: Sequence[Batch]) -> Pooled:
    """Blocked estimate of the contrast and its noise. BadInput while an arm has no wells."""
    weights = arm_weights(contrast)
    blocks = _blocks(weights, batches, math.isclose(sum(weights.values()), 0.0, abs_tol=1e-9))
    whole = [block for block in blocks if weights.keys() <= block.keys()]
    if not whole:
        seen = {key for block in blocks for key in block}
        missing = sorted(arm.label() for arm in contrast.arms if arm.key() not in seen)
        raise BadInput(
            f"No well yet of {', '.join(missing) or 'every arm in one block'}",
            why="A contrast needs all its arms",
            cure="Request every arm in the same run",
        )
    shares = [1.0 / sum(w * w / block[key].n for key, w in weights.items()) for block in whole]
    x = [sum(w * block[key].mean for key, w in weights.items()) for block in whole]
    m = sum(shares)
    estimate = sum(share * value for share, value in zip(shares, x, strict=True)) / m
    between = Noise(
        sum(share * (value - estimate) ** 2 for share, value in zip(shares, x, strict=True)), len(whole) - 1.0
    )
    cells = {key: _sum(Noise(b[key].ssd, b[key].n - 1.0) for b in blocks if key in b) for key in weights}
    part = {  # of each arm in the variance of the estimate were all equally noisy; they sum to 1
        key: sum(s * s * w * w / block[key].n for s, block in zip(shares, whole, strict=True)) / m
        for key, w in weights.items()
    }
    equal = _sum([*cells.values(), between])
    return Pooled(estimate, m, equal, _sum([_satterthwaite(part, cells), between]))


def arm_weights(contrast: Contrast) -> dict[str, float]:
    """Arm key -> weight; an arm named twice gets the sum, an arm that cancels is left out."""
    weights: dict[str, float] = {}
    for weight, arm in contrast.terms:
        weights[arm.key()] = weights.get(arm.key(), 0.0) + weight
    weights = {key: weight for key, weight in weights.items() if weight != 0.0}
    if not weights:
        raise BadInput("The contrast's weights cancel", why="It compares an arm with itself", cure="Name two arms")
    return weights


def _satterthwaite(part: Mapping[str, float], cells: Mapping[str, Noise]) -> Noise:
    """Weighted mean of the arms' variances (Welch 1947); an arm of single wells is taken to be as noisy as the rest."""
    pooled = _sum(cells.values())
    if pooled.df == 0:
        return pooled
    noise = {key: cell if cell.df else pooled for key, cell in cells.items()}
    parts = [(part[key] * cell.ssd / cell.df, cell.df) for key, cell in noise.items()]
    variance = sum(v for v, _ in parts)
    if variance == 0.0:
        return pooled
    df = min(variance**2 / sum(v * v / df for v, df in parts), pooled.df)
    return Noise(variance * df, df)


def _sum(parts: Iterable[Noise]) -> Noise:
    ssd, df = 0.0, 0.0
    for part in parts:
        ssd, df = ssd + part.ssd, df + part.df
    return Noise(ssd, df)


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

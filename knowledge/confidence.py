"""Confidence sequences: intervals that hold at every look at once.

Inverted from two-sided mixtures that do not depend on anybody's belief: for each value b, bet on d = (theta - b) /
sigma ~ N(0, 1), and keep every b that has not lost 1 / alpha (Robbins 1970, Ann. Math. Stat. 41:1397; Lai 1976; Howard
et al. 2021, Ann. Statist. 49:1055; Wang & Ramdas 2025). So the interval may still cover a boundary that a claim's own,
sharper bet has already left behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def normal_radius(sigma: float, m: float, alpha: float) -> float:
    """Half-width for a mean with variance sigma^2 / m known."""
    return sigma * math.sqrt((1.0 + m) / m * (2.0 * math.log(1.0 / alpha) + math.log1p(m)) / m)


def t_radius(ssd: float, df: float, m: float, alpha: float) -> float | None:
    """Half-width for a mean with variance sigma^2 / m, residual sum of squares ``ssd`` on ``df``; None = unbounded.

    The mixture is e(t) = (1 + m)^(-1/2) * ((1 + q) / (1 + q / (1 + m)))^((df + 1) / 2) with q = t^2 / df; it stays
    below (1 + m)^(df / 2), so few degrees of freedom bound nothing.
    """
    if df == 0:
        return None
    ratio = math.exp((math.log1p(m) + 2.0 * math.log(1.0 / alpha)) / (df + 1.0))
    if ratio >= 1.0 + m:
        return None
    q = (ratio - 1.0) / (1.0 - ratio / (1.0 + m))
    return math.sqrt(q * ssd / m)


def interval(
    log_e: Callable[[float, int], float], estimate: float, limits: tuple[float, float], alpha: float
) -> tuple[float | None, float | None]:
    """Confidence sequence by inverting any one-sided e-value (counts, odds, proportions, ranks).

    log_e(boundary, sign): natural log of the e-value against sign * theta <= sign * boundary, falling as the boundary
    nears the estimate. Each end is sought between the estimate and its limit; None where 2 / alpha is not lost there.
    """
    bar = math.log(2.0 / alpha)

    def end(sign: int, far: float) -> float | None:
        near = estimate
        if log_e(far, sign) < bar:
            return None
        for _ in range(40):
            middle = 0.5 * (near + far)
            near, far = (near, middle) if log_e(middle, sign) >= bar else (middle, far)
        return far

    return end(1, limits[0]), end(-1, limits[1])

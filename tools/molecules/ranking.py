"""Does a score rank ligands by affinity, or would their size do as well? Where size does, nothing is claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

Array = NDArray[np.float64]
DRAWS, LEAST = 2000, 8


@dataclass(frozen=True)
class Ranking:
    """Spearman correlation of pAff with the score (sign turned) and with the heavy atoms; interval: 90% bootstrap of
    the difference; abstains: why the score is not used to rank, "" where it may be."""

    n: int
    by_score: float
    by_size: float
    difference: tuple[float, float]
    abstains: str


def judge(affinity: Sequence[float], score: Sequence[float], heavy_atoms: Sequence[int], *, seed: int = 0) -> Ranking:
    """affinity: pAff of known actives (high = strong); score: docking scores (low = good); all of one target.

    The score may rank only where it beats size with 90% confidence and correlates at all.
    """
    a, s, h = (np.asarray(x, dtype=float) for x in (affinity, score, heavy_atoms))
    by_score, by_size = _rho(a, -s), _rho(a, h)
    rng, draws = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        pick = rng.integers(len(a), size=len(a))
        if len(set(a[pick])) > 2:
            draws.append(_rho(a[pick], -s[pick]) - _rho(a[pick], h[pick]))
    low, high = (float(q) for q in np.quantile(draws, (0.05, 0.95))) if draws else (-1.0, 1.0)
    return Ranking(len(a), by_score, by_size, (low, high), _reason(len(a), by_score, by_size, low))


def _reason(n: int, by_score: float, by_size: float, low: float) -> str:
    if n < LEAST:
        return f"{n} known actives are too few to judge a score by (at least {LEAST})"
    if by_score <= by_size:
        return f"counting heavy atoms ranks as well or better ({by_size:.2f} against {by_score:.2f})"
    if low <= 0:
        return f"better than counting atoms ({by_score:.2f} against {by_size:.2f}), but not beyond chance"
    return ""


def _rho(a: Array, b: Array) -> float:
    if len(set(a)) < 2 or len(set(b)) < 2:
        return 0.0
    return float(spearmanr(a, b).statistic)

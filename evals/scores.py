"""Scores of predictions, each over the entries that were measured; NaN where there are too few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..world_model.rows import Array
from .results import Result

Z90 = 1.6448536269514722


def pearson(predicted: Array, measured: Array) -> float:
    """Correlation over all measured entries."""
    use = np.isfinite(predicted) & np.isfinite(measured)
    p, m = predicted[use], measured[use]
    return float(np.corrcoef(p, m)[0, 1]) if len(m) > 2 and p.std() > 0 and m.std() > 0 else float("nan")


def r2(predicted: Array, measured: Array) -> float:
    """1 - residual sum of squares / sum of squares around the mean of the measured entries."""
    use = np.isfinite(predicted) & np.isfinite(measured)
    left = float(np.sum((predicted[use] - measured[use]) ** 2))
    return 1.0 - left / float(np.sum((measured[use] - measured[use].mean()) ** 2))


def coverage90(mean: Array, sd: Array, measured: Array) -> float:
    """Share of measured entries inside mean +- 1.645 sd."""
    use = np.isfinite(mean) & np.isfinite(measured)
    return float(np.mean(np.abs(mean[use] - measured[use]) <= Z90 * sd[use]))


def per_column(predicted: Array, measured: Array, least: int = 20) -> float:
    """Mean over columns with more than ``least`` measured entries of Pearson down the column."""
    enough = np.flatnonzero((np.isfinite(measured) & np.isfinite(predicted)).sum(axis=0) > least)
    return float(np.nanmean([pearson(predicted[:, j], measured[:, j]) for j in enough]))


def figure(
    name: str,
    values: Sequence[float],
    *,
    unit: str,
    bar: str = "",
    passed: bool | None = None,
    baselines: Mapping[str, Sequence[float]] | None = None,
    note: str = "",
) -> Result:
    """Mean and sd over splits, baselines' means beside."""
    x = np.asarray(values, dtype=np.float64)
    return Result(
        name=name,
        value=float(x.mean()),
        sd=float(x.std(ddof=1)) if len(x) > 1 else None,
        n=len(x),
        unit=unit,
        baselines={k: float(np.mean(v)) for k, v in (baselines or {}).items()},
        bar=bar,
        passed=passed,
        note=note,
    )


def coverage_figure(split: str, values: Sequence[float], note: str = "") -> Result:
    """Coverage of 90% intervals; the bar is .87 to .93."""
    mean = float(np.mean(values))
    return figure(
        f"coverage90_{split}", values, unit="share", bar="0.87 to 0.93", passed=0.87 <= mean <= 0.93, note=note
    )

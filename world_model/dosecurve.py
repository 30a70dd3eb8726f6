"""The base of dose series: a straight line on log dose between measured neighbours, fading beyond the last ones.

With a the change at the lowest measured dose of a series and x decades below it, the base is a f^x: f is the least
squares ratio of lowest to second lowest change over all series (what a dose below tells of the effect still there),
and likewise above the highest dose. Towards dose zero there is no effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .rows import Array, Codes

LOW, HIGH = (0.0, 1.0), (0.3, 1.5)  # bounds of the ratio per decade below and above
GAP = 0.2  # share by which gaps between doses may differ to be compared
LEAST_PAIRS = 3  # series that must tell of a ratio; below, the neighbour's change is taken as it is


@dataclass(frozen=True)
class Neighbours:
    """Cells (series x dose, sorted) next to each query: -1 = none. below, above: (q,) cells; x: (q,) log10 dose."""

    below: Codes
    above: Codes
    x: Array


def neighbours(series: Codes, place: Codes, x: Array, cell_series: Codes, cell_place: Codes, full: Codes) -> Neighbours:
    """Of every query (series, place of its dose as from ``Coder.doses``) the nearest cells with readings.

    cell_series, cell_place: of all cells, sorted by both; full: the cells that have readings. Its own cell is no
    neighbour of a query. Series -1 has none.
    """
    span = int(max(cell_place.max(initial=0), place.max(initial=0))) + 2
    keys = cell_series[full] * span + cell_place[full]
    asked = series * span + place
    left, right = np.searchsorted(keys, asked, "left") - 1, np.searchsorted(keys, asked, "right")

    def cells(at: Codes) -> Codes:
        inside = (at >= 0) & (at < len(full)) & (series >= 0) & np.isfinite(x)
        found = np.where(inside, full[np.clip(at, 0, max(len(full) - 1, 0))] if len(full) else -1, -1)
        return np.where((found >= 0) & (cell_series[found] == series), found, -1)

    return Neighbours(cells(left), cells(right), x)


def curve(near: Neighbours, mean: Array, cell_x: Array, fade: tuple[float, float]) -> Array:
    """(q, r) the base; mean: (cells, r) of readings, cell_x: (cells,) log10 dose; fade: ratio a decade below, above."""
    below, above = near.below >= 0, near.above >= 0
    out = np.full((len(near.x), mean.shape[1]), np.nan)
    both, under, over = below & above, ~below & above, below & ~above
    if both.any():
        a, b = near.below[both], near.above[both]
        w = ((near.x[both] - cell_x[a]) / (cell_x[b] - cell_x[a]))[:, None]
        out[both] = (1 - w) * mean[a] + w * mean[b]
    out[under] = fade[0] ** np.abs(cell_x[near.above[under]] - near.x[under])[:, None] * mean[near.above[under]]
    out[over] = fade[1] ** np.abs(near.x[over] - cell_x[near.below[over]])[:, None] * mean[near.below[over]]
    return out


def fading(mean: Array, cell_series: Codes, cell_x: Array, full: Codes) -> tuple[float, float]:
    """Least-squares ratio a decade of the lowest to the second lowest change of a series; of the highest likewise."""
    dosed = full[np.isfinite(cell_x[full])]
    series = cell_series[dosed]
    first = np.flatnonzero(np.r_[True, series[1:] != series[:-1]]) if len(series) else np.zeros(0, dtype=np.intp)
    size = np.diff(np.r_[first, len(series)])
    low, high = first[size >= 2], (first + size - 1)[size >= 2]
    return (
        _ratio(mean, cell_x, dosed[low], dosed[low + 1] if len(low) else dosed[:0], LOW),
        _ratio(mean, cell_x, dosed[high], dosed[high - 1] if len(high) else dosed[:0], HIGH),
    )


def _ratio(mean: Array, cell_x: Array, end: Codes, inner: Codes, bounds: tuple[float, float]) -> float:
    """From the pairs whose gap is near the median one: ratios over unlike gaps do not add up."""
    gap = np.abs(cell_x[end] - cell_x[inner])
    decades = float(np.median(gap)) if len(gap) else 1.0
    near = np.abs(gap - decades) <= GAP * decades
    a, b = mean[end[near]], mean[inner[near]]
    use = np.isfinite(a) & np.isfinite(b)
    power = float(np.sum(b[use] ** 2))
    if near.sum() < LEAST_PAIRS or power <= 0 or decades <= 0:
        return 1.0
    ratio = max(float(np.sum(a[use] * b[use])) / power, 1e-6)
    return float(np.clip(ratio ** (1.0 / decades), *bounds))

"""Conditions the cell has measured itself: what it expected of them, combined with what it saw.

The expectation is the leave-one-out one (base plus shrunken residual without the condition's own rows, variance s^2);
the measurement has mean d and variance v. Precision-weighted: m + s^2 / (s^2 + v) (d - m), variance s^2 v / (s^2 + v).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .answer import AND, Answer, Trust
from .rows import Array, Codes

if TYPE_CHECKING:
    from .base import Query
    from .conditioncell import ConditionCell

EXACT = ("context", "perturbation", "kind", "dose", "time_h")
LEAST_ROWS = 5
LIKE = "known elsewhere"  # the trust that was measured by leaving single conditions out


def with_own(cell: ConditionCell, query: Query, answer: Answer) -> Answer:
    """The answer with every condition that stands among the training rows replaced by its combined estimate."""
    group = cell.bases.coder.grouping(*EXACT)
    place = group.of(query.coded)
    known = [(int(j), group.rows(int(place[j]))) for j in np.flatnonzero(place >= 0)]
    if not known:
        return answer
    mean, sd, near = answer.mean.copy(), answer.epistemic.copy(), answer.in_domain.copy()
    base, reason = list(answer.base), list(answer.reason)
    for j, rows in known:
        expected, variance = _expected(cell, rows, base[j], mean[j], sd[j])
        own, noise = _measurement(cell, rows)
        seen = np.isfinite(own) & np.isfinite(noise)
        with np.errstate(invalid="ignore", divide="ignore"):
            weight = np.where(np.isfinite(expected), variance / (variance + noise), 1.0)
            mean[j] = np.where(seen, np.nan_to_num(expected) + weight * (own - np.nan_to_num(expected)), mean[j])
            sd[j] = np.where(seen, np.sqrt(weight * noise), sd[j])
        near[j], base[j] = 1.0, f"its own wells and the {base[j]}"
    return replace(answer, mean=mean, epistemic=sd, in_domain=near, base=base, reason=reason)


def _expected(cell: ConditionCell, rows: Codes, label: str, mean: Array, sd: Array) -> tuple[Array, Array]:
    """(r,) leave-one-out mean and variance of the condition in ``rows``: the average over its bases."""
    told = [_expected_of(cell, rows, base, mean, sd) for base in label.split(AND)]
    return np.mean([m for m, _ in told], axis=0), np.mean([np.sqrt(v) for _, v in told], axis=0) ** 2


def _expected_of(cell: ConditionCell, rows: Codes, base: str, mean: Array, sd: Array) -> tuple[Array, Array]:
    """The same for one base; the answer's own where there is no residual (such a base leaves the row out anyway)."""
    residual = cell.residuals.get(base)
    place = cell.places(base, rows)
    level = cell.train_bases[base].mean
    if residual is None or not len(place):
        return np.where(np.isfinite(level[rows[0]]), level[rows[0]], mean), sd**2
    trust = cell.trust.get((LIKE, base), Trust(1.0, np.ones(1), 1.0))
    if len(place) == 1:
        told = cell.left_out(base)
        offered, variance = told[0][place], told[1][place]
    else:
        y = (cell.rows.delta[residual.index] - level[residual.index]) / residual.unit
        offered, variance = residual.process.leave_out(cell.inverses(base), place, y)
    expected = level[residual.index[place[0]]] + trust.shrink * offered[0] * residual.unit
    # what shrinking leaves out of the prediction goes into its variance
    spread = trust.widen**2 * (variance[0] + (1.0 - trust.shrink) * residual.process.prior) * residual.unit**2
    return expected, np.maximum(spread, cell.own_signal(base))


def own_signal(cell: ConditionCell, base: str) -> Array:
    """(r,) variance of the training changes around ``base`` beyond their noise, by moments: sum(d^2 - v) / n.

    It holds what is a condition's own: the process books that as noise, since no other condition tells of it, but
    the condition's wells repeat it (the empirical-Bayes prior of James & Stein 1961). 0 where too few rows tell.
    """
    left = cell.rows.delta - cell.train_bases[base].mean
    use = np.isfinite(left) & np.isfinite(cell.noise)
    n = use.sum(axis=0)
    excess = np.where(use, left**2 - cell.noise, 0.0).sum(axis=0)
    return np.where(n >= LEAST_ROWS, np.maximum(excess / np.maximum(n, 1), 0.0), 0.0)


def _measurement(cell: ConditionCell, rows: Codes) -> tuple[Array, Array]:
    """(r,) inverse-variance mean of the condition's rows and its variance; NaN where nothing was measured."""
    delta, noise = cell.rows.delta[rows], cell.noise[rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(np.isfinite(delta) & (noise > 0), 1.0 / noise, 0.0)
        total = weight.sum(axis=0)
        own = np.where(weight > 0, weight * np.nan_to_num(delta), 0.0).sum(axis=0) / total
        return np.where(total > 0, own, np.nan), np.where(total > 0, 1.0 / total, np.nan)

"""What the condition engine would have said of training rows that it had not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base import BaseValues, Mask
from ..conditioncell import NOVELTY, ConditionCell
from ..rows import Array, Codes
from ..scales import spread


def held_out(process: ConditionCell, novelty: str, held: Codes, values: dict[str, BaseValues]) -> tuple[Array, Array]:
    """mean, sd (len(held), r) of the rows ``held`` without their readings; NaN where no base applies.

    values: bases of all training rows with ``held`` left out. Kernel parameters, shrinkage and widening are those of
    the whole fit (a few numbers learned from all rows, in favour of the process).
    """
    rows = process.rows
    n, r = rows.delta.shape
    told: dict[str, tuple[Array, Array]] = {}
    for name, base in values.items():
        trust = process.trust.get((novelty, name))
        shrink, widen = (trust.shrink, trust.widen) if trust else (0.0, 1.0)
        left = rows.delta - base.mean
        mean, sd = base.mean[held].copy(), np.broadcast_to(widen * spread(left), (len(held), r)).copy()
        residual = process.residuals.get(name)
        if residual is not None:
            place = np.full(n, -1, dtype=np.intp)
            place[residual.index] = np.arange(len(residual.index))
            known = place[held] >= 0
            offered, var = residual.process.leave_out(
                process.inverses(name), place[held[known]], left[residual.index] / residual.unit
            )
            mean[known] += shrink * offered * residual.unit
            sd[known] = widen * np.sqrt(var) * residual.unit
        told[name] = (mean, sd)
    here = {name: BaseValues(base.mean[held]) for name, base in values.items()}
    way = np.full(len(held), list(NOVELTY).index(novelty), dtype=np.intp)
    weights = process.chosen(way, here)
    return tuple(averaged(weights, [told[name][part] for name in values]) for part in (0, 1))  # type: ignore[return-value]


def averaged(chosen: Mask, parts: Sequence[Array]) -> Array:
    """(n, r) mean over the chosen of (b, n, r) parts; chosen: (n, b)."""
    kept = np.where(chosen.T[:, :, None], np.stack(parts), 0.0)
    return np.asarray(kept.sum(axis=0) / chosen.sum(axis=1)[:, None])

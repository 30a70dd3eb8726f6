"""From a predicted mean change to a predicted population of cells: the control cells of the context, moved.

Each readout is shifted by its predicted mean change and spread to the sd that readouts of its new mean have among the
control cells: x -> m + d + g (x - m), log g = h (t(log(m + d)) - t(log m)), where t is the quadratic trend of log sd
over log mean and h = 1/2 (half of the trend: what served best on single perturbations, with doubles kept out). Cells
keep their correlations that way. Readouts that can be negative have no such trend (g = 1). A reading near zero may come
out below it: cutting it off would move the mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .errors import BadInput, UnknownName
from .rows import Array

if TYPE_CHECKING:
    from anndata import AnnData

    from .prediction import CellPrediction

LEAST_CELLS, LEAST_TREND = 10, 20  # control cells; readouts under which there is no trend
HALF, MOST_GAIN = 0.5, 4.0  # share of the trend that is followed, bound of a spread's factor


def predicted_cells(
    told: CellPrediction, readouts: tuple[str, ...], version: str, control: AnnData, n: int, seed: int
) -> AnnData:
    """See ``VirtualCell.cells``."""
    from anndata import AnnData

    if n < 1:
        raise BadInput("The number of cells must be at least one")
    at, rng = _columns(control, readouts), np.random.default_rng(seed)
    parts = [_population(told, i, control, at, n, rng) for i in range(len(told.conditions))]
    obs = pd.concat([o for o, _ in parts], ignore_index=True)
    obs.index = pd.Index([f"predicted{i}" for i in range(len(obs))])
    var = pd.DataFrame(index=pd.Index(list(readouts)))
    out = AnnData(np.vstack([x for _, x in parts]), obs=obs, var=var)
    out.uns["cytocrux"] = {"predicted_by": version, "seed": seed}
    return out


def _columns(control: AnnData, readouts: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    place = {str(name): i for i, name in enumerate(control.var_names)}
    for name in readouts:
        if name not in place:
            raise UnknownName(name, kind="readout of the control cells", known=place)
    return np.array([place[name] for name in readouts], dtype=np.intp)


def _population(
    told: CellPrediction, row: int, control: AnnData, at: np.ndarray[tuple[int], np.dtype[np.intp]], n: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, Array]:  # fmt: skip
    """obs and (n, r) readings of n cells of one condition."""
    condition = told.conditions.iloc[row]
    usable = np.ones(control.n_obs, dtype=bool)
    if "control" in control.obs:
        usable &= control.obs["control"].to_numpy(bool)
    if "context" in control.obs:
        usable &= control.obs["context"].astype(str).to_numpy() == condition["context"]
    if usable.sum() < LEAST_CELLS:
        raise BadInput(
            f"There are {int(usable.sum())} control cells of {condition['context']}",
            cure=f"At least {LEAST_CELLS} are needed; columns context and control of obs say which they are",
        )
    rows = np.flatnonzero(usable)
    block = control.X[rows]
    cells = np.asarray(block if isinstance(block, np.ndarray) else block.toarray(), dtype=np.float64)[:, at]
    change = np.where(np.isfinite(told.mean[row]), told.mean[row], 0.0)
    source = rng.choice(len(rows), n, replace=n > len(rows))
    moved = moved_cells(cells, change)[source]
    obs = pd.DataFrame({name: [condition[name]] * n for name in ("context", "perturbation", "kind", "dose", "time_h")})
    return obs.assign(control_cell=control.obs_names[rows[source]].to_numpy()), moved


def moved_cells(cells: Array, change: Array) -> Array:
    """cells (n, r) with their mean moved by ``change`` (r,) and their spread along its trend."""
    mean, sd = cells.mean(axis=0), cells.std(axis=0)
    gain = np.ones_like(mean)
    use = (mean > 0) & (sd > 0)
    if (cells >= 0).all() and use.sum() >= LEAST_TREND:
        level = np.log(mean[use])
        trend = np.polynomial.Polynomial.fit(level, np.log(sd[use]), 2)
        new = np.clip(np.log(np.maximum(mean[use] + change[use], 1e-9)), level.min(), level.max())
        gain[use] = np.clip(np.exp(HALF * (trend(new) - trend(level))), 1 / MOST_GAIN, MOST_GAIN)
    return np.asarray(mean + change + gain * (cells - mean))

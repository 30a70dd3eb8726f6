"""Predicted cells against real ones: the energy distance to the held-out cells of a double perturbation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..world_model.errors import DataUnavailable
from ..world_model.rows import Array
from .results import Result
from .scores import figure

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

WHERE, COMPONENTS, SEED = "K562", 50, 0


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Each double of K562 with both singles measured held out in turn (fast: two of them)."""
    from ..world_model.cell import VirtualCell
    from ..world_model.data import effects, fetch, load
    from ..world_model.data.perturbseq import load_norman

    folder = fetch.data_dir() if data_dir is None else data_dir
    if folder is None:
        raise DataUnavailable("The Norman cells are not at hand", cure="Set CYTOCRUX_DATA_DIR to the data kit")
    dataset = load("norman") if data_dir is None else load_norman(folder / "perturbseq")
    context = dataset.wells.obs["context"].astype(str).to_numpy()
    table, cells = effects(dataset, np.flatnonzero(context == WHERE)), single_cells(folder / "perturbseq")
    names = table.conditions["perturbation"].astype(str)
    found: dict[str, list[tuple[float, float]]] = {}
    for i, name in list(doubles(names))[: 2 if fast else None]:
        kept = np.arange(len(names)) != i
        cell = VirtualCell.fit(table.subset(kept))
        real = np.asarray(cells[cells.obs["perturbation"] == name].X)
        control = cells[cells.obs["perturbation"] == "control"]
        told = np.asarray(cell.cells(table.conditions.iloc[[i]], control, control.n_obs, seed=SEED).X)
        plain = np.asarray(control.X)
        project = components(np.asarray(cells[cells.obs["perturbation"] != name].X))
        offered = {
            "cell": told,
            "control cells": plain,
            "control cells + train mean change": plain + table.delta[kept].mean(axis=0),
            "control cells + predicted change": plain + cell.predict(table.conditions.iloc[[i]]).mean[0],
        }
        half = np.random.default_rng(SEED).permutation(len(real))
        a, b = project(real[half[::2]]), project(real[half[1::2]])
        for method, x in offered.items():
            found.setdefault(method, []).append((energy(project(x), project(real)), mmd(project(x), project(real))))
        found.setdefault("real cells, half against half", []).append((energy(a, b), mmd(a, b)))
    return [_result(found, 0, "energy"), _result(found, 1, "mmd")]


def _result(found: dict[str, list[tuple[float, float]]], place: int, name: str) -> Result:
    values = {method: [pair[place] for pair in pairs] for method, pairs in found.items()}
    ours = values.pop("cell")
    beaten = [b for b in values if b.startswith("control cells") and "predicted" not in b]
    good = all(o < v for b in beaten for o, v in zip(ours, values[b], strict=True))
    return figure(
        f"norman_cells_{name}", ours, unit="distance", bar="below both baselines on every double", passed=good,
        baselines=values, note=f"to the real cells of held-out doubles, {COMPONENTS} components of all other cells",
    )  # fmt: skip


def single_cells(folder: Path) -> AnnData:
    """The K562 cells of the Norman file, X dense, obs perturbation and context as in the wells."""
    import anndata

    from ..world_model.data.perturbseq import CONTEXTS, FILE

    cells = anndata.read_h5ad(folder / FILE)
    context = cells.obs["cell_type"].astype(str).replace(CONTEXTS)
    cells.obs["perturbation"] = ["+".join(sorted(str(c).split("+"))) for c in cells.obs["condition"]]
    cells.obs["context"] = context
    cells = cells[(context == WHERE).to_numpy()].copy()
    cells.X = np.asarray(cells.X if isinstance(cells.X, np.ndarray) else cells.X.toarray(), dtype=np.float64)
    return cells


def doubles(names: pd.Series[str]) -> Iterator[tuple[int, str]]:
    """Place and name of each double whose singles are measured."""
    known = set(names)
    for i, name in enumerate(names):
        if "+" in name and all(part in known for part in name.split("+")):
            yield i, name


def components(x: Array) -> Any:
    """Projection on the leading principal components of ``x`` (n, g)."""
    mean = x.mean(axis=0)
    _, _, axes = np.linalg.svd(x - mean, full_matrices=False)
    axes = axes[:COMPONENTS]
    return lambda y: (y - mean) @ axes.T


def energy(x: Array, y: Array) -> float:
    """Energy distance 2 E|x - y| - E|x - x'| - E|y - y'|, unbiased (Szekely and Rizzo 2013; Peidli 2024)."""
    return 2 * float(_gaps(x, y).mean()) - _within(_gaps(x, x)) - _within(_gaps(y, y))


def mmd(x: Array, y: Array) -> float:
    """Squared maximum mean discrepancy, unbiased (Gretton 2012), Gaussian kernel of the median distance of ``y``."""
    width = 2 * float(np.median(_gaps(y, y))) ** 2
    xx, yy, xy = (np.exp(-(_gaps(a, b) ** 2) / width) for a, b in ((x, x), (y, y), (x, y)))
    return _within(xx) + _within(yy) - 2 * float(xy.mean())


def _within(pairs: Array) -> float:
    """Mean over pairs of different cells."""
    n = len(pairs)
    return float((pairs.sum() - np.trace(pairs)) / (n * (n - 1)))


def _gaps(x: Array, y: Array) -> Array:
    square = (x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2 * x @ y.T
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))

"""How well a measurement repeats itself: two disjoint halves of the cells, controls included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..world_model.rows import Array

if TYPE_CHECKING:
    import pandas as pd

CONTROL = "control"


def half_deltas(X: Any, perturbation: pd.Series, names: Sequence[str], seed: int) -> tuple[Array, Array]:
    """Two (names, genes) changes, each from its own random half of the treated cells and of the control cells.

    X: (cells, genes) dense or sparse. No cell is in both halves, so that what they share is not noise.
    """
    rng = np.random.default_rng(seed)
    labels = perturbation.astype(str).to_numpy()
    means: list[dict[str, Array]] = [{}, {}]
    for name in (CONTROL, *names):
        cells = rng.permutation(np.flatnonzero(labels == name))
        for half, chosen in enumerate((cells[: len(cells) // 2], cells[len(cells) // 2 :])):
            means[half][name] = np.asarray(X[np.sort(chosen)].mean(axis=0), dtype=np.float64).ravel()
    first, second = (np.stack([m[n] - m[CONTROL] for n in names]) for m in means)
    return first, second


def full_depth(halves: float) -> float:
    """What a correlation of two halves says of two whole measurements: 2 r / (1 + r) (Spearman 1910, Brown 1910)."""
    return 2 * halves / (1 + halves) if halves > -1 else float("nan")

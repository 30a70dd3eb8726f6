"""False discovery rate over many claims."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..world_model.errors import BadInput


def e_bh(e_values: npt.ArrayLike, level: float) -> npt.NDArray[np.bool_]:
    """Which claims hold at FDR ``level``: the k largest e-values, k the largest with e_(k) >= n / (level k).

    Valid under any dependence between the e-values (Wang & Ramdas 2022, JRSS-B 84:822). Shape (n,), as given.
    """
    e = _checked(e_values, level, most=np.inf)
    ranked = np.sort(e)[::-1]
    passes = ranked * level * np.arange(1, len(e) + 1) >= len(e)
    return np.asarray(e >= ranked[passes].min(initial=np.inf), bool)


def bh(p_values: npt.ArrayLike, level: float) -> npt.NDArray[np.bool_]:
    """Benjamini & Hochberg 1995 on p-values: for comparison; it needs independence or positive dependence."""
    p = _checked(p_values, level, most=1.0)
    ranked = np.sort(p)
    passes = ranked * len(p) <= level * np.arange(1, len(p) + 1)
    return np.asarray(p <= ranked[passes].max(initial=-1.0), bool)


def _checked(values: npt.ArrayLike, level: float, most: float) -> npt.NDArray[np.float64]:
    row = np.asarray(values, float)
    if row.ndim != 1 or not np.all((row >= 0) & (row <= most)):
        raise BadInput("e-values must be one row of numbers >= 0, p-values within 0..1; one is not, or is missing")
    if not 0 < level < 1:
        raise BadInput(f"FDR level {level} is not between 0 and 1")
    return row

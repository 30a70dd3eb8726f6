"""Transcription factor and pathway activities from changes of expression: a univariate linear model.

For each source, the genes' changes y are regressed on the source's target weights x (0 for all other genes); the
activity is the slope's t value, t = r sqrt((n - 2) / (1 - r^2)) with r = corr(x, y) over the n genes, with its
two-sided p-value. This is "ulm" of decoupler (Badia-i-Mompel 2022, doi:10.1093/bioadv/vbac016); the tests compare
the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

    from .explain import Change

FEWEST = 5  # measured targets a source needs


def activities(changes: Mapping[str, float], regulons: pd.DataFrame, *, fewest: int = FEWEST) -> pd.DataFrame:
    """gene -> log2 change; regulons: source, target, weight. Returns columns activity (t), p, q (BH), by source.

    Raises BadInput where no source has ``fewest`` measured targets.
    """
    import pandas as pd
    from scipy.stats import t as student

    values = {g: v for g, v in changes.items() if math.isfinite(v)}
    table = regulons[regulons["target"].isin(values)]
    counts = table.groupby("source")["target"].nunique()
    if not (counts >= fewest).any():
        raise BadInput(
            "No regulon is measured well enough", why=f"none has {fewest} of its targets among {len(values)} genes",
            cure="Give more genes, or regulons with more targets",
        )  # fmt: skip
    genes = {g: i for i, g in enumerate(values)}
    sources = sorted(counts.index[counts >= fewest])
    row = {name: i for i, name in enumerate(sources)}
    table = table[table["source"].isin(row)].drop_duplicates(["source", "target"])
    x = np.zeros((len(sources), len(genes)))
    x[table["source"].map(row), table["target"].map(genes)] = table["weight"]
    y = np.array(list(values.values()))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.clip(x @ y / np.sqrt((x**2).sum(axis=1) * (y**2).sum()), -1, 1)
        activity = r * np.sqrt((len(y) - 2) / np.maximum(1 - r**2, 1e-12))
    p = 2 * student.sf(np.abs(activity), len(y) - 2)
    found = pd.DataFrame({"activity": activity, "p": p}, index=sources).dropna()
    return found.assign(q=adjusted(found["p"].to_list())).sort_values("p", kind="stable")


def as_changes(found: pd.DataFrame, *, scale: float = 1.0) -> list[Change]:
    """Activities as changes of the factors themselves: (factor, t x scale, scale), so that z is t."""
    return [(str(name), float(t) * scale, scale) for name, t in found["activity"].items()]


def adjusted(p: list[float]) -> list[float]:
    """Benjamini-Hochberg q-values in the order given (doi:10.1111/j.2517-6161.1995.tb02031.x)."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    out, least = [1.0] * len(p), 1.0
    for rank in range(len(p), 0, -1):
        i = order[rank - 1]
        least = min(least, p[i] * len(p) / rank)
        out[i] = least
    return out

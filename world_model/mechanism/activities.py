"""Transcription factor and pathway activities from changes of expression (decoupler's univariate linear model).

For each source, ulm regresses the genes' changes on the source's target weights (0 for all other genes); the activity
is the slope's t value, with its p-value (Badia-i-Mompel 2022, doi:10.1093/bioadv/vbac016). Needs the extra
``activities``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import BadInput, DataUnavailable

if TYPE_CHECKING:
    import pandas as pd

    from .explain import Change

FEWEST = 5  # measured targets a source needs


def activities(changes: Mapping[str, float], regulons: pd.DataFrame, *, fewest: int = FEWEST) -> pd.DataFrame:
    """gene -> log2 change; regulons: source, target, weight. Returns columns activity (t), p, q (BH), by source.

    Raises DataUnavailable without decoupler, BadInput where no source has ``fewest`` measured targets.
    """
    import pandas as pd

    try:
        import decoupler
    except ImportError as error:
        raise DataUnavailable(
            "Activities need the package decoupler", cure="Install it: pip install 'cytocrux[activities]'"
        ) from error
    values = {g: v for g, v in changes.items() if math.isfinite(v)}
    table = regulons[regulons["target"].isin(values)]
    counts = table.groupby("source")["target"].nunique()
    if not (counts >= fewest).any():
        raise BadInput(
            "No regulon is measured well enough", why=f"none has {fewest} of its targets among {len(values)} genes",
            cure="Give more genes, or regulons with more targets",
        )  # fmt: skip
    matrix = pd.DataFrame([values], index=["change"], dtype=float)
    scores, p = decoupler.mt.ulm(matrix, table.drop_duplicates(["source", "target"]), tmin=fewest, verbose=False)
    found = pd.DataFrame({"activity": scores.iloc[0], "p": p.iloc[0]}).dropna()
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

"""Targets from transcriptomes: compounds that change the same genes, and regulons that moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import BadInput
from ..rows import Array
from .combine import nearest_vote

TOP_DOSES = 3


def l1000_signatures(folder: Path) -> pd.DataFrame:
    """compounds x genes: mean change of the ``TOP_DOSES`` highest doses on the plate, in robust z over the plate.

    Raises DataUnavailable or BadInput like the loader of the plate.
    """
    from ..data.conditions import effects
    from ..data.registry import load

    table = effects(load("l1000"))
    if not len(table.conditions):
        raise BadInput(f"The plate in {folder} holds no compounds")
    c = table.conditions.assign(row=range(len(table.conditions)))
    rows = {
        str(drug): np.nanmean(table.delta[g.sort_values("dose")["row"].to_numpy()[-TOP_DOSES:]], axis=0)
        for drug, g in c.groupby("perturbation", observed=True)
    }
    found = pd.DataFrame.from_dict(rows, orient="index", columns=list(table.readouts)).dropna(axis=1)
    return robust(found)


def robust(changes: pd.DataFrame) -> pd.DataFrame:
    """perturbations x genes in robust z: less the gene's median over perturbations, by its MAD."""
    centred = changes - changes.median()
    mad = 1.4826 * centred.abs().median()
    return centred / mad.where(mad > 0, 1.0)


def vote(signatures: pd.DataFrame, drug: str, targets: Mapping[str, Collection[str]]) -> dict[str, float]:
    """Targets of the compounds whose signatures correlate best with one compound's."""
    x = _unit(signatures.loc[[drug]].to_numpy(float))[0]
    names = [d for d in targets if d in signatures.index and d != drug]
    r = _unit(signatures.loc[names].to_numpy(float)) @ x
    return nearest_vote(dict(zip(names, map(float, r), strict=True)), targets)


def regulon_scores(
    changes: Mapping[str, float], regulons: pd.DataFrame, candidates: Collection[str], *, fewest: int = 3
) -> dict[str, float]:
    """Candidate -> activity (t of the univariate linear model) of its regulon; those measured too thinly have no score.

    An activated factor moves its regulon as signed: high scores first.
    """
    from ..mechanism.activities import activities

    table = regulons[regulons["source"].isin(list(candidates))]
    try:
        found = activities(changes, table, fewest=fewest)
    except BadInput:
        return {}
    return {str(name): float(t) for name, t in found["activity"].items()}


def rewired(regulons: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The same regulon sizes and signs with targets shuffled over all edges: a network that knows nothing."""
    return regulons.assign(target=rng.permutation(regulons["target"].to_numpy())).drop_duplicates(["source", "target"])


def _unit(rows: Array) -> Array:
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(length > 0, length, 1.0))

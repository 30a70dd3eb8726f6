"""What plain methods say of held-out perturbations, and all scores of a prediction beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..world_model.errors import BadInput
from ..world_model.rows import Array, parts
from .scores import (
    centred_pearson,
    deg_weights,
    discrimination,
    mse,
    pearson,
    scores_against_rest,
    top_overlap,
    weighted_r2,
)

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.data.conditions import ConditionTable

TOP = 50
METRICS = ("pearson", "centred_pearson", "weighted_r2", "wmse", "mse", "discrimination", "top50_overlap")
UNITS = {"wmse": "log1p^2", "mse": "log1p^2"}


def plain_methods(
    here: ConditionTable,
    elsewhere: ConditionTable | None,
    train: Sequence[str],
    asked: Sequence[str],
    embedding: pd.DataFrame | None = None,
) -> dict[str, Array]:
    """method -> (asked, genes) changes, from the training conditions only.

    here: one context; only its rows named in ``train`` are read. elsewhere: other contexts, for the train mean.
    Additive is there where every asked name is a pair of trained singles; linear (``LinearModel``) with ``embedding``
    (genes x components) or else the published one, each perturbed gene's own row.
    """
    from ..world_model.linear import LinearModel

    at = {str(p): i for i, p in enumerate(here.conditions["perturbation"])}
    rows = here.delta[[at[n] for n in train]]
    every = rows if elsewhere is None else np.concatenate([rows, elsewhere.delta])
    shape = (len(asked), 1)
    told = {"train mean": np.tile(every.mean(axis=0), shape), "context mean": np.tile(rows.mean(axis=0), shape)}
    if asked and all(len(parts(n)) > 1 and all(p in train for p in parts(n)) for n in asked):
        told["additive"] = np.stack([sum(here.delta[at[p]] for p in parts(n)) for n in asked])
    given = (
        None
        if embedding is None
        else {str(g): row for g, row in zip(embedding.index, embedding.to_numpy(), strict=True)}
    )
    try:
        told["linear"] = LinearModel.fit(train, rows, here.readouts, given).predict(asked)
    except BadInput:  # no perturbed gene has a row: there is no linear model to compare with
        pass
    return told


def frame_of(priors: Mapping[str, object]) -> pd.DataFrame | None:
    """What the linear model reads: ten components of gene ontology (few perturbed genes are among the readouts)."""
    import pandas as pd

    found = priors.get("GO")
    return found.iloc[:, :10] if isinstance(found, pd.DataFrame) else None


def half_of(table: ConditionTable, delta: Array) -> ConditionTable:
    """The same conditions as measured by half of their cells."""
    return replace(table, delta=delta, se=table.se * np.sqrt(2.0))


def all_scores(told: Array, table: ConditionTable, asked: Sequence[str], train: Sequence[str]) -> dict[str, float]:
    """Every one of ``METRICS`` of (asked, genes) predictions, averaged over the asked perturbations.

    The centre and what a DEG score is taken against come from the training conditions.
    """
    at = {str(p): i for i, p in enumerate(table.conditions["perturbation"])}
    taught = np.array([at[n] for n in train])
    middle = table.delta[taught].mean(axis=0)
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for row, name in zip(told, asked, strict=True):
        truth = table.delta[at[name]]
        beside = np.append(taught, at[name])
        weights = deg_weights(scores_against_rest(table.delta[beside], table.se[beside], len(taught)))
        found["pearson"].append(float(np.nan_to_num(pearson(row, truth))))  # one number for all genes tells nothing: 0
        found["centred_pearson"].append(centred_pearson(row, truth, middle))
        found["weighted_r2"].append(weighted_r2(row - middle, truth - middle, weights))
        found["wmse"].append(mse(row, truth, weights))
        found["mse"].append(mse(row, truth))
        found["top50_overlap"].append(top_overlap(row, truth, TOP))
    genes = {g: i for i, g in enumerate(table.readouts)}
    found["discrimination"] = list(
        discrimination(told, table.delta[[at[n] for n in asked]], [genes.get(n) for n in asked])
    )
    return {name: float(np.mean(values)) for name, values in found.items()}


def by_metric(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, list[float]]]:
    """One mapping method -> metric -> value a split, turned into metric -> method -> values over splits."""
    return {
        metric: {method: [run[method][metric] for run in runs if method in run] for method in runs[0]}
        for metric in METRICS
    }

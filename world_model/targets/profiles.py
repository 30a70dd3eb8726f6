"""Which compounds act alike across cell lines: response profiles with each line's and each drug's mean taken out.

A line that is sensitive to everything makes all drugs look alike, so what is compared is the residual: the reading
minus the drug's mean minus the line's mean over drugs, and minus the first common factors of all drugs where asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import BadInput, UnknownName
from ..rows import Array

if TYPE_CHECKING:
    from ..data.dataset import Dataset

LINES, MEMBERS, NEAREST = 50, 2, 3  # shared lines a correlation needs; members a class needs; members that count


@dataclass(frozen=True)
class ClassNear:
    """A class by how near its members stand. score: mean correlation of the nearest; p: against random classes."""

    name: str
    score: float
    p: float
    nearest: tuple[tuple[str, float], ...]


def response_table(dataset: Dataset, drug: str, *, readout: str | None = None) -> tuple[pd.DataFrame, str]:
    """Contexts x perturbations of one readout (default the first), and the block it is of.

    Blocks (screens) differ in scale, so one is taken: the last by name with ``drug`` in ``LINES`` contexts; repeats are
    averaged. Raises UnknownName for a drug that is not there, BadInput where no block holds it in enough contexts.
    """
    name = readout or dataset.readouts[0]
    if drug not in dataset.perturbations:
        raise UnknownName(drug, kind="compound", known=dataset.perturbations)
    obs = dataset.wells.obs.assign(value=np.asarray(dataset.wells[:, name].X).ravel())
    obs = obs[~obs["control"]]
    counts = obs[obs["perturbation"] == drug].groupby("batch", observed=True)["context"].nunique()
    blocks = sorted(str(b) for b in counts.index[counts >= LINES])
    if not blocks:
        raise BadInput(
            f"No response profile of {drug}", why=f"no screen of {dataset.name} holds it in {LINES} cell lines",
            cure="Ask by structure alone, or give a larger data set",
        )  # fmt: skip
    rows = obs[obs["batch"].astype(str) == blocks[-1]]
    table = rows.pivot_table(index="context", columns="perturbation", values="value", observed=True)
    return table.loc[:, table.notna().sum() >= LINES], blocks[-1]


def residual(response: pd.DataFrame) -> pd.DataFrame:
    """lines x drugs, drug and line means removed, each drug in sd; NaN where not measured."""
    y = response - response.mean(axis=0)
    y = y.sub(y.mean(axis=1), axis=0)
    return y / y.std(axis=0, ddof=1)


def alike(profiles: pd.DataFrame, drug: str) -> pd.Series[float]:
    """Pearson correlation of one drug's profile with every other's over shared lines (NaN under ``LINES`` of them)."""
    if drug not in profiles.columns:
        raise UnknownName(drug, kind="compound", known=list(map(str, profiles.columns)))
    x = profiles[drug].to_numpy(float)
    found = {}
    for other in profiles.columns:
        y = profiles[other].to_numpy(float)
        both = np.isfinite(x) & np.isfinite(y)
        if other == drug or both.sum() < LINES:
            found[str(other)] = np.nan
            continue
        found[str(other)] = float(np.corrcoef(x[both], y[both])[0, 1])
    return pd.Series(found, dtype=float)


def likeness(profiles: pd.DataFrame) -> pd.DataFrame:
    """drugs x drugs: ``alike`` of every drug at once."""
    found = profiles.corr(min_periods=LINES)
    return found.mask(np.eye(len(found), dtype=bool))


def rank_classes(
    near: pd.Series[float], classes: Mapping[str, str], *, draws: int = 2000, seed: int = 0
) -> list[ClassNear]:
    """Classes with at least two other members, nearest first.

    score: mean of the ``NEAREST`` highest correlations of members; p: share of random sets of as many drugs that reach
    it. Raises BadInput where no class has members.
    """
    known = near.dropna()
    members: dict[str, list[str]] = {}
    for drug in known.index:
        if classes.get(str(drug), "unknown") not in ("unknown", "other"):
            members.setdefault(classes[str(drug)], []).append(str(drug))
    members = {name: drugs for name, drugs in members.items() if len(drugs) >= MEMBERS}
    if not members:
        raise BadInput("No mechanism class has two compounds in these data", cure="Give classes, or more compounds")
    rng = np.random.default_rng(seed)
    values: Array = np.asarray(known.to_numpy(np.float64), dtype=np.float64)
    nulls = {n: _null(values, n, draws, rng) for n in {len(d) for d in members.values()}}
    found = []
    for name, drugs in members.items():
        top = sorted(((d, float(known[d])) for d in drugs), key=lambda pair: -pair[1])[:NEAREST]
        score = float(np.mean([v for _, v in top]))
        p = float((1 + (nulls[len(drugs)] >= score).sum()) / (draws + 1))
        found.append(ClassNear(name, score, p, tuple(top)))
    return sorted(found, key=lambda c: (-c.score, c.name))


def _null(values: Array, size: int, draws: int, rng: np.random.Generator) -> Array:
    """Scores of random sets of ``size`` drugs."""
    out = np.empty(draws)
    for i in range(draws):
        picked = np.sort(rng.choice(values, size, replace=False))[::-1]
        out[i] = picked[:NEAREST].mean()
    return out


def class_position(ranked: Sequence[ClassNear], name: str) -> int | None:
    """1 for the nearest class; None where the class is not among them."""
    return next((i for i, c in enumerate(ranked, 1) if c.name == name), None)

"""A cell and the plain methods on the same held-out conditions: scores by fold, and what each said, for pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evals.scores import coverage90, pearson, r2
from ..world_model.base import BaseModel
from ..world_model.rows import Array, Codes, Rows

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.cell import VirtualCell
    from ..world_model.data.conditions import ConditionTable

CELL = "cell"
# shown beside the cell; "mean" is what a sceptic would say first
BASELINES = {"mean": "train mean", "context mean": "context mean", "condition mean": "condition mean",
             "additive": "additive"}  # fmt: skip
RESAMPLES = 2000
LEAST = 0.01  # share of the entries from which on a plain method is shown


@dataclass(frozen=True)
class HeldOut:
    """What was said of n held-out conditions x r readouts. told: method -> (n, r); sd: of the cell against the
    measured mean; centre: (r,) the training mean, which centred scores take off. applies: method -> share of the
    entries where it has a word of its own (elsewhere it is given the training mean)."""

    conditions: pd.DataFrame
    readouts: tuple[str, ...]
    measured: Array
    told: dict[str, Array]
    sd: Array
    centre: Array
    applies: dict[str, float]

    def scores(self, method: str) -> dict[str, float]:
        """pearson, centred pearson, r2, rmse; NaN where they cannot be computed."""
        said = self.told[method]
        left = (said - self.measured)[np.isfinite(self.measured) & np.isfinite(said)]
        return {
            "pearson": pearson(said, self.measured),
            "centred": pearson(said - self.centre, self.measured - self.centre),
            "r2": r2(said, self.measured),
            "rmse": float(np.sqrt(np.mean(left**2))) if len(left) else float("nan"),
        }

    def coverage(self) -> float:
        """Share of measured means inside the cell's 90 % intervals."""
        return coverage90(self.told[CELL], self.sd, self.measured)


def hold_out(cell: VirtualCell, train: Rows, test: ConditionTable) -> HeldOut:
    """What the cell, and plain methods that saw ``train``, say of ``test`` (readouts as the cell has them)."""
    at = [test.readouts.index(name) for name in cell.readouts if name in test.readouts]
    keep = [i for i, name in enumerate(cell.readouts) if name in test.readouts]
    answer = cell.predict(test.conditions)
    told = {CELL: answer.mean[:, keep]}
    every = np.ones(len(train), dtype=bool)
    bases = BaseModel(train.conditions, answer.conditions).values(train.delta, train.noise(), every)
    centre = np.array([c[np.isfinite(c)].mean() if np.isfinite(c).any() else 0.0 for c in train.delta.T])[keep]
    applies = {}
    for name, base in BASELINES.items():
        said = bases[base].mean[:, keep]
        own = np.isfinite(said)
        if own.mean() > LEAST:
            told[name], applies[name] = np.where(own, said, centre), float(own.mean())
    se = np.nan_to_num(test.se[:, at])
    sd = np.hypot(answer.epistemic[:, keep], np.sqrt(cell.noise_worth[keep]) * se)
    names = tuple(cell.readouts[i] for i in keep)
    return HeldOut(answer.conditions, names, test.delta[:, at], told, sd, centre, applies)


def by_split(
    table: ConditionTable, fit: Callable[[ConditionTable], VirtualCell], split: str, *, n: int, seed: int,
    say: Callable[[str], None],
) -> list[HeldOut]:  # fmt: skip
    """One per fold of ``split``; [] where the data do not permit it."""
    from ..world_model.data.splits import folds

    out = []
    parts = folds(table.conditions, split, n=n, seed=seed)
    for i, fold in enumerate(parts):
        counts = f"{len(fold.train):,} conditions teach, {len(fold.test):,} are held out"
        say(f"{split}: fold {i + 1} of {len(parts)}, {counts}")
        train = table.subset(fold.train)
        out.append(hold_out(fit(train), Rows.of(train), table.subset(fold.test)))
    return out


@dataclass(frozen=True)
class Difference:
    """Second minus first, with its 95 % interval over resampled clusters."""

    name: str
    first: float
    second: float
    value: float
    low: float
    high: float


def compare(first: HeldOut, second: HeldOut, method: str = CELL, *, seed: int = 0) -> tuple[list[Difference], str, int]:
    """Paired differences of the scores on the same conditions; what was resampled, and how many of them there are.

    Percentile bootstrap (Efron 1979): whole clusters are drawn, the contexts where there are eight or more, else the
    perturbations, else single conditions, since conditions of one cluster err together. Both methods are scored on
    the entries that both have.
    """
    cluster, word = _clusters(first.conditions)
    k = int(cluster.max()) + 1
    both = np.isfinite(first.told[CELL]) & np.isfinite(second.told[method]) & np.isfinite(first.measured)
    sums = [_sums(first, CELL, cluster, k, both), _sums(second, method, cluster, k, both)]
    drawn = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), size=RESAMPLES).astype(np.float64)
    whole = [_scores(s.sum(axis=0)) for s in sums]
    spread = [_scores(drawn @ s) for s in sums]
    found = []
    for name in whole[0]:
        a, b = float(whole[0][name]), float(whole[1][name])
        low, high = np.nanquantile(spread[1][name] - spread[0][name], [0.025, 0.975])
        found.append(Difference(name, a, b, b - a, float(low), float(high)))
    return found, word, k


def _sums(held: HeldOut, method: str, cluster: Codes, k: int, use: np.ndarray[Any, np.dtype[np.bool_]]) -> Array:
    """(k, 11) sums over the entries of each cluster: all that the scores are made of."""
    said, measured = held.told[method], held.measured
    p, m = said - held.centre, measured - held.centre
    parts = (np.ones_like(said), said, measured, said**2, measured**2, said * measured, p, m, p**2, m**2, p * m)
    out = np.zeros((k, len(parts)))
    for column, values in enumerate(parts):
        out[:, column] = np.bincount(cluster, weights=np.where(use, values, 0.0).sum(axis=1), minlength=k)
    return out


def _scores(sums: Array) -> dict[str, Array]:
    """pearson, centred, r2 and rmse from sums (..., 11); the same figures as ``HeldOut.scores``."""
    n, p, m, pp, mm, pm, cp, cm, cpp, cmm, cpm = np.moveaxis(sums, -1, 0)
    left = np.maximum(pp + mm - 2 * pm, 0.0)
    return {
        "pearson": _correlation(n, p, m, pp, mm, pm),
        "centred": _correlation(n, cp, cm, cpp, cmm, cpm),
        "r2": 1.0 - left / (mm - m**2 / n),
        "rmse": np.sqrt(left / n),
    }


def _correlation(n: Array, p: Array, m: Array, pp: Array, mm: Array, pm: Array) -> Array:
    var_p, var_m = pp - p**2 / n, mm - m**2 / n
    flat = (var_p <= 1e-12 * np.maximum(pp, 1e-300)) | (var_m <= 1e-12 * np.maximum(mm, 1e-300))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(flat, np.nan, (pm - p * m / n) / np.sqrt(np.where(flat, 1.0, var_p * var_m))))


def _clusters(conditions: pd.DataFrame) -> tuple[Codes, str]:
    for column, word in (("context", "contexts"), ("perturbation", "perturbations")):
        codes, names = np.unique(conditions[column].astype(str), return_inverse=True)[::-1]
        if len(names) >= 8:
            return np.asarray(codes, dtype=np.intp), word
    return np.arange(len(conditions), dtype=np.intp), "conditions"

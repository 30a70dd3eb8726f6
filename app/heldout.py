"""A cell and the plain methods on the same held-out conditions: scores by fold, and what each said, for pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..evals.scores import coverage90, pearson, r2
from ..world_model.base import BaseModel
from ..world_model.rows import Array, Rows

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.cell import VirtualCell
    from ..world_model.data.conditions import ConditionTable

CELL = "cell"
# shown beside the cell; "mean" is what a sceptic would say first
BASELINES = {"mean": "train mean", "context mean": "context mean", "condition mean": "condition mean",
             "additive": "additive"}  # fmt: skip
RESAMPLES = 2000


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
        if own.any():
            told[name], applies[name] = np.where(own, said, centre), float(own.mean())
    se = np.nan_to_num(test.se[:, at])
    sd = np.hypot(answer.epistemic[:, keep], np.sqrt(cell.noise_factor) * se)
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
        say(
            f"{split}: fold {i + 1} of {len(parts)}, {len(fold.train):,} conditions teach, {len(fold.test):,} are held out"
        )
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
    perturbations, else single conditions, since conditions of one cluster err together.
    """
    cluster, word = _clusters(first.conditions)
    names = ("pearson", "centred", "r2", "rmse")
    a, b = first.scores(CELL), second.scores(method)
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(cluster == c) for c in range(int(cluster.max()) + 1)]
    drawn = []
    for _ in range(RESAMPLES if len(cluster) * first.measured.shape[1] < 2e5 else RESAMPLES // 5):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        left, right = _take(first, rows).scores(CELL), _take(second, rows).scores(method)
        drawn.append([right[n] - left[n] for n in names])
    spread = np.array(drawn)
    low, high = (np.nanquantile(spread, q, axis=0) for q in (0.025, 0.975))
    found = [Difference(n, a[n], b[n], b[n] - a[n], float(low[i]), float(high[i])) for i, n in enumerate(names)]
    return found, word, len(members)


def _clusters(conditions: pd.DataFrame) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], str]:
    for column, word in (("context", "contexts"), ("perturbation", "perturbations")):
        codes, names = np.unique(conditions[column].astype(str), return_inverse=True)[::-1]
        if len(names) >= 8:
            return np.asarray(codes, dtype=np.intp), word
    return np.arange(len(conditions), dtype=np.intp), "conditions"


def _take(held: HeldOut, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> HeldOut:
    return HeldOut(
        held.conditions, held.readouts, held.measured[rows], {m: v[rows] for m, v in held.told.items()},
        held.sd[rows], held.centre, held.applies,
    )  # fmt: skip

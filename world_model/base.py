"""Bases: what simple rules predict, and where they apply. The kernel residual is learned on top of one of them.

Every base of a training row leaves that row's own reading out, so that it errs there as it would on a new one:

* ``additive``: a combination is the sum of its singles (same context, dose and time)
* ``dose curve``: between the neighbouring doses of the same series (context, perturbation, time; see ``dosecurve``)
* ``condition mean``: the same perturbation, dose and time in the other contexts
* ``context mean``: the other perturbations in this context (same dose and time where there are any)
* ``train mean``: everything measured
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from .coding import LEAST_DOSE, Coded, Coder, Grouping
from .dosecurve import curve, fading, neighbours
from .rows import Array, Codes, parts

BASES = ("additive", "dose curve", "condition mean", "context mean", "train mean")
SERIES = ("context", "perturbation", "time_h")
CELL = ("perturbation", "dose", "time_h")
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class BaseValues:
    """mean: (q, r) a base's prediction; NaN where it does not apply."""

    mean: Array


@dataclass(frozen=True)
class Query:
    """Conditions to predict, coded; combinations: row -> the training rows of each of its singles.

    dose, dose_place: (q,) log10 of it (NaN = none), and where it stands among the training doses.
    """

    coded: Coded
    combinations: dict[int, list[Codes]]
    dose: Array
    dose_place: Codes

    def __len__(self) -> int:
        return len(self.coded["context"])

    def take(self, index: Codes) -> Query:
        place = {int(row): i for i, row in enumerate(index)}
        few = {place[q]: rows for q, rows in self.combinations.items() if q in place}
        return Query({c: v[index] for c, v in self.coded.items()}, few, self.dose[index], self.dose_place[index])


class Bases:
    """The rules over a fixed table of training conditions (as from ``tidy``)."""

    def __init__(self, train: pd.DataFrame) -> None:
        self.coder = Coder(train)
        self.conditions = train

    def query(self, conditions: pd.DataFrame) -> Query:
        coded = self.coder.codes(conditions)
        dose = np.log10(np.maximum(conditions["dose"].to_numpy(np.float64), LEAST_DOSE))
        combinations = self._combinations(conditions["perturbation"].to_numpy(object), coded)
        return Query(coded, combinations, dose, self.coder.dose_place(conditions))

    @cached_property
    def own(self) -> Query:
        """The training rows themselves."""
        return self.query(self.conditions)

    def _combinations(self, names: Any, coded: Coded) -> dict[int, list[Codes]]:
        """Rows of a combination -> for each member, the training rows of that single (same context, dose or none)."""
        group = self.coder.grouping("context", *CELL)
        found: dict[int, list[Codes]] = {}
        many = np.flatnonzero(np.array(["+" in n for n in names], dtype=bool))
        singles = {p: self.coder.code("perturbation", p) for i in many for p in parts(names[i])}
        for q in many:
            members = [self._rows(group, coded, int(q), singles[p]) for p in parts(names[q])]
            if len(members) > 1 and all(len(m) for m in members):
                found[int(q)] = members
        return found

    def _rows(self, group: Grouping, coded: Coded, q: int, single: int) -> Codes:
        for dose in (coded["dose"][q], self.coder.no_dose):
            one = {c: np.array([coded[c][q]]) for c in ("context", "time_h")}
            place = group.of({**one, "perturbation": np.array([single]), "dose": np.array([dose])})
            if place[0] >= 0:
                return group.rows(int(place[0]))
        return np.zeros(0, dtype=np.intp)

    def sums(self, delta: Array, mask: Mask | None = None) -> BaseSums:
        """Everything the rules need of the readings (n, r); rows outside ``mask`` are left out (folds)."""
        return BaseSums(self.coder, delta if mask is None else np.where(mask[:, None], delta, np.nan))


@dataclass(frozen=True)
class Sums:
    """Per group: number and sum of the readings, (groups + 1, r); the last row stands for unseen groups."""

    group: Grouping
    n: Array
    s: Array

    @classmethod
    def of(cls, group: Grouping, seen: Array, filled: Array) -> Sums:
        rows = len(group.train)
        member = csr_matrix((np.ones(rows), (group.train, np.arange(rows))), shape=(group.size + 1, rows))
        return cls(group, member @ seen, member @ filled)

    def at(self, query: Query) -> tuple[Array, Array]:
        place = self.group.of(query.coded)
        return self.n[place], self.s[place]


class BaseSums:
    """The rules with their readings: ``values`` answers any query without reading the training rows again."""

    def __init__(self, coder: Coder, kept: Array) -> None:
        self._coder, self._kept = coder, kept
        self._seen = np.isfinite(kept).astype(np.float64)
        self._filled = np.where(self._seen > 0, kept, 0.0)
        self._sums: dict[tuple[str, ...], Sums] = {}
        self._fading: tuple[float, float] | None = None
        self._cell_mean: Array = kept[:0]
        self._full: Codes = np.zeros(0, dtype=np.intp)
        self._squares: dict[tuple[str, ...], Array] = {}

    def by(self, *columns: str) -> Sums:
        if columns not in self._sums:
            self._sums[columns] = Sums.of(self._coder.grouping(*columns), self._seen, self._filled)
        return self._sums[columns]

    def values(self, query: Query) -> dict[str, BaseValues]:
        """name -> (q, r) predictions; NaN where a base does not apply."""
        near = self._without(query, ("context", "dose", "time_h"), ("context", "dose", "time_h", "perturbation"))
        far = self._without(query, ("context",), ("context", "perturbation"))
        found = {
            "additive": self._additive(query),
            "dose curve": self._dose_curve(query),
            "condition mean": self._without(query, CELL, (*CELL, "context")),
            "context mean": np.where(np.isfinite(near), near, far),
            "train mean": np.broadcast_to(self._mean, (len(query), self._kept.shape[1])).copy(),
        }
        return {name: BaseValues(mean) for name, mean in found.items()}

    def _without(self, query: Query, group: tuple[str, ...], own: tuple[str, ...]) -> Array:
        """Mean of the query's group without the readings that share its own, narrower one."""
        (n, s), (n_own, s_own) = self.by(*group).at(query), self.by(*own).at(query)
        n = n - n_own
        return np.asarray((s - s_own) / np.where(n > 0.5, n, np.nan))

    @cached_property
    def _mean(self) -> Array:
        n = self._seen.sum(axis=0)
        return np.asarray(self._filled.sum(axis=0) / np.where(n > 0, n, np.nan))

    def _dose_curve(self, query: Query) -> Array:
        cells = self.by(*SERIES, "dose")
        levels = self._coder.levels
        series, code = np.divmod(cells.group.keys, len(levels))
        if self._fading is None:
            self._full = np.flatnonzero(cells.n[:-1].any(axis=1))
            self._cell_mean = cells.s / np.where(cells.n > 0, cells.n, np.nan)
            self._fading = fading(self._cell_mean, series, levels[code], self._full)
        asked = self._coder.grouping(*SERIES)
        place = asked.of(query.coded)
        known = np.where(place >= 0, asked.keys[place], -1)
        near = neighbours(known, query.dose_place, query.dose, series, 2 * code + 1, self._full)
        return curve(near, self._cell_mean, levels[code], self._fading)

    def _additive(self, query: Query) -> Array:
        out = np.full((len(query), self._kept.shape[1]), np.nan)
        for q, groups in query.combinations.items():
            total = np.zeros(self._kept.shape[1])
            for members in groups:
                n = self._seen[members].sum(axis=0)
                total = total + self._filled[members].sum(axis=0) / np.where(n > 0, n, np.nan)
            out[q] = total
        return out

    def spread_over(self, query: Query, columns: tuple[str, ...], least: int) -> tuple[Array, Array]:
        """Mean and sd (q, r) of all readings of each query's group; NaN with fewer than ``least``."""
        sums = self.by(*columns)
        n, s = sums.at(query)
        place = sums.group.of(query.coded)
        n = np.where(n >= least, n, np.nan)
        mean = s / n
        if columns not in self._squares:
            self._squares[columns] = self._square(sums)
        return mean, np.sqrt(self._squares[columns][place] / (n - 1))

    def _square(self, sums: Sums) -> Array:
        """(groups + 1, r) sum of squares around the mean of each group."""
        member = sums.group.train
        centred = self._filled - self._seen * np.nan_to_num(sums.s / np.maximum(sums.n, 1))[member]
        rows = len(member)
        group = csr_matrix((np.ones(rows), (member, np.arange(rows))), shape=(sums.group.size + 1, rows))
        return np.asarray(group @ centred**2)


class BaseModel:
    """All bases for a fixed pair of training and query tables; ``mask`` leaves training rows out (folds)."""

    def __init__(self, train: pd.DataFrame, query: pd.DataFrame) -> None:
        self._bases = Bases(train)
        self._query = self._bases.own if query is train else self._bases.query(query)

    def values(self, delta: Array, noise: Array, mask: Mask) -> dict[str, BaseValues]:
        """name -> values for the query rows, from the readings ``delta`` (n_train, r) where ``mask`` is True."""
        return self._bases.sums(delta, mask).values(self._query)

"""Bases: what simple rules predict, and where they apply. The kernel residual is learned on top of one of them.

Every base of a training row leaves that row's own reading out, so that it errs there as it would on a new one:

* ``additive``: a combination is the sum of its singles (same context, dose and time)
* ``condition mean``: the same perturbation, dose and time in the other contexts
* ``context mean``: the other perturbations in this context (same dose and time where there are any)
* ``train mean``: everything measured
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .rows import Array, Codes, cell_keys, codes, parts

BASES = ("additive", "condition mean", "context mean", "train mean")


@dataclass(frozen=True)
class BaseValues:
    """mean, var (n, r): a base's prediction and the squared standard error of it; NaN where it does not apply."""

    mean: Array
    var: Array


@dataclass(frozen=True)
class Grouping:
    """Codes of training rows and query rows over some columns (-1 = unseen in training)."""

    train: Codes
    query: Codes
    size: int

    @classmethod
    def of(cls, train: pd.DataFrame, query: pd.DataFrame, *columns: str) -> Grouping:
        keys = cell_keys(train, *columns)
        known: dict[tuple[Any, ...], int] = {}
        for key in keys:
            known.setdefault(key, len(known))
        return cls(codes(keys, known), codes(cell_keys(query, *columns), known), len(known))


@dataclass(frozen=True)
class Sums:
    """Per group: number, sum and sum of squares of the readings, (groups, r)."""

    n: Array
    s: Array
    q: Array

    @classmethod
    def of(cls, group: Codes, size: int, delta: Array) -> Sums:
        seen = np.isfinite(delta)
        filled = np.where(seen, delta, 0.0)
        n, s, q = (np.zeros((size + 1, delta.shape[1])) for _ in range(3))  # last row: unseen groups, all zero
        np.add.at(n, group, seen.astype(float))
        np.add.at(s, group, filled)
        np.add.at(q, group, filled**2)
        n[-1], s[-1], q[-1] = 0.0, 0.0, 0.0
        return cls(n, s, q)

    def at(self, group: Codes) -> tuple[Array, Array, Array]:
        return self.n[group], self.s[group], self.q[group]


def mean_without(all_: Sums, at: Codes, own: Sums, own_at: Codes) -> BaseValues:
    """Mean of group ``at`` without the readings that share the query's own group."""
    n, s, q = (a - b for a, b in zip(all_.at(at), own.at(own_at), strict=True))
    n = np.where(n > 0.5, n, np.nan)
    mean = s / n
    spread = np.maximum(q / n - mean**2, 0.0) * n / np.maximum(n - 1, 1)
    total = np.nanvar(np.where(all_.n > 0, all_.s / np.maximum(all_.n, 1), np.nan)) if len(all_.n) > 1 else 0.0
    return BaseValues(mean, np.where(n > 1.5, spread, np.maximum(spread, total)) / n)


class BaseModel:
    """All bases for a fixed pair of training and query tables; ``mask`` leaves training rows out (folds)."""

    def __init__(self, train: pd.DataFrame, query: pd.DataFrame, names: Sequence[str] = BASES) -> None:
        self.names = tuple(names)
        self._n_train, self._n_query = len(train), len(query)
        cell = ("perturbation", "dose", "time_h")
        self._cell = Grouping.of(train, query, *cell)
        self._cell_context = Grouping.of(train, query, *cell, "context")
        self._context_at = Grouping.of(train, query, "context", "dose", "time_h")
        self._context = Grouping.of(train, query, "context")
        self._context_pert = Grouping.of(train, query, "context", "perturbation")
        self._context_at_pert = Grouping.of(train, query, "context", "dose", "time_h", "perturbation")
        self._singles = _singles(train, query)

    def values(self, delta: Array, noise: Array, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, BaseValues]:
        """name -> values for the query rows, from the training rows where ``mask`` is True.

        delta, noise: (n_train, r) readings and their variances.
        """
        kept = np.where(mask[:, None], delta, np.nan)
        made = {
            "additive": lambda: self._additive(kept, noise),
            "condition mean": lambda: self._without(kept, self._cell, self._cell_context),
            "context mean": lambda: self._context_mean(kept),
            "train mean": lambda: self._train_mean(kept),
        }
        return {name: made[name]() for name in self.names}

    def _without(self, kept: Array, group: Grouping, own: Grouping) -> BaseValues:
        sums = Sums.of(group.train, group.size, kept)
        return mean_without(sums, group.query, Sums.of(own.train, own.size, kept), own.query)

    def _context_mean(self, kept: Array) -> BaseValues:
        near = self._without(kept, self._context_at, self._context_at_pert)
        far = self._without(kept, self._context, self._context_pert)
        use = np.isfinite(near.mean)
        return BaseValues(np.where(use, near.mean, far.mean), np.where(use, near.var, far.var))

    def _train_mean(self, kept: Array) -> BaseValues:
        one = np.zeros(self._n_train, dtype=np.intp)
        sums = Sums.of(one, 1, kept)
        n = np.where(sums.n[0] > 0, sums.n[0], np.nan)
        mean = sums.s[0] / n
        var = np.maximum(sums.q[0] / n - mean**2, 0.0) / n
        shape = (self._n_query, kept.shape[1])
        return BaseValues(np.broadcast_to(mean, shape).copy(), np.broadcast_to(var, shape).copy())

    def _additive(self, kept: Array, noise: Array) -> BaseValues:
        shape = (self._n_query, kept.shape[1])
        mean, var = np.full(shape, np.nan), np.full(shape, np.nan)
        for q, groups in self._singles.items():
            total, error = np.zeros(kept.shape[1]), np.zeros(kept.shape[1])
            for members in groups:
                seen = np.isfinite(kept[members])
                n = np.where(seen.any(axis=0), seen.sum(axis=0), np.nan)
                total = total + np.where(seen, kept[members], 0.0).sum(axis=0) / n
                error = error + np.where(seen, np.nan_to_num(noise[members]), 0.0).sum(axis=0) / n**2
            mean[q], var[q] = total, error
        return BaseValues(mean, var)


def _singles(train: pd.DataFrame, query: pd.DataFrame) -> dict[int, list[Codes]]:
    """Query row of a combination -> for each member, the training rows of that single (same context, time)."""
    where: dict[tuple[Any, ...], list[int]] = {}
    for i, key in enumerate(cell_keys(train, "context", "perturbation", "dose", "time_h")):
        where.setdefault(key, []).append(i)
    found: dict[int, list[Codes]] = {}
    for q, (context, name, dose, time) in enumerate(cell_keys(query, "context", "perturbation", "dose", "time_h")):
        members = parts(name)
        if len(members) < 2:
            continue
        rows = [where.get((context, m, dose, time)) or where.get((context, m, None, time)) for m in members]
        if all(rows):
            found[q] = [np.array(r, dtype=np.intp) for r in rows]
    return found

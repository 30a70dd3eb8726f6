"""Conditions as integer codes against the training rows, so that looking up millions of them costs no Python loop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from .rows import NUMBERS, Array, Codes

COLUMNS = ("context", "perturbation", "kind", "dose", "time_h")
Coded = dict[str, Codes]  # column -> code of every row; -1 = a value the training rows do not have


@dataclass(frozen=True)
class Grouping:
    """Training rows grouped by the values of some columns. keys: (size,) sorted mixed-radix keys; train: (n,) codes."""

    columns: tuple[str, ...]
    radix: tuple[int, ...]
    keys: Codes
    train: Codes

    @property
    def size(self) -> int:
        return len(self.keys)

    def of(self, coded: Coded) -> Codes:
        """Group of each coded condition; -1 where no training row is alike."""
        key, known = _mixed(coded, self.columns, self.radix)
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where(known & (self.keys[place] == key), place, -1)

    @cached_property
    def _sorted(self) -> tuple[Codes, Codes]:
        counts = np.bincount(self.train, minlength=self.size)
        return np.argsort(self.train, kind="stable"), np.concatenate([[0], np.cumsum(counts)])

    def rows(self, group: int) -> Codes:
        """The training rows of a group, in order; none for -1."""
        order, start = self._sorted
        return order[start[group] : start[group + 1]] if group >= 0 else order[:0]


class Coder:
    """Codes of conditions against a fixed table of training conditions (as from ``tidy``)."""

    def __init__(self, train: pd.DataFrame) -> None:
        self._known = {c: pd.Index(np.unique(_plain(train, c))) for c in COLUMNS}
        self._groupings: dict[tuple[str, ...], Grouping] = {}
        self.train = self.codes(train)

    def codes(self, conditions: pd.DataFrame) -> Coded:
        return {c: np.asarray(self._known[c].get_indexer(pd.Index(_plain(conditions, c)))) for c in COLUMNS}

    def code(self, column: str, value: str) -> int:
        """Code of one value of a text column, -1 = unknown."""
        return int(self._known[column].get_indexer(pd.Index([value], dtype=object))[0])

    @property
    def no_dose(self) -> int:
        """Code of a missing dose, -1 where every training row has one."""
        return int(self._known["dose"].get_indexer(pd.Index([MISSING]))[0])

    @cached_property
    def levels(self) -> Array:
        """log10 of the training doses in the order of their codes; NaN = none."""
        known = self._known["dose"].to_numpy(np.float64)
        return np.where(known == MISSING, np.nan, np.log10(np.maximum(known, LEAST_DOSE)))

    def dose_place(self, conditions: pd.DataFrame) -> Codes:
        """2 code + 1 for a dose of the training rows, an even number between its neighbours for another."""
        known, asked = self._known["dose"].to_numpy(np.float64), _plain(conditions, "dose")
        return np.searchsorted(known, asked, "left") + np.searchsorted(known, asked, "right")

    def grouping(self, *columns: str) -> Grouping:
        if columns not in self._groupings:
            radix = tuple(len(self._known[c]) for c in columns)
            key, _ = _mixed(self.train, columns, radix)
            keys, train = np.unique(key, return_inverse=True)
            self._groupings[columns] = Grouping(columns, radix, keys, train.reshape(-1))
        return self._groupings[columns]


LEAST_DOSE = 1e-4  # on the log scale, for a dose of zero
MISSING = -1.0  # stands for no dose or time: none is negative


def _plain(conditions: pd.DataFrame, column: str) -> Array | np.ndarray[tuple[int], np.dtype[np.object_]]:
    """The column's values; numbers to six significant digits, ``MISSING`` for none."""
    if column not in NUMBERS:
        return conditions[column].to_numpy(object)
    values, place = np.unique(conditions[column].to_numpy(np.float64), return_inverse=True)
    rounded = np.array([MISSING if np.isnan(v) else float(f"{v:.6g}") for v in values])
    return np.asarray(rounded[place.reshape(-1)], dtype=np.float64)


def _mixed(coded: Coded, columns: tuple[str, ...], radix: tuple[int, ...]) -> tuple[Codes, np.ndarray]:
    """One integer key a row over several columns, and whether all its values are known."""
    key = np.zeros(len(coded[columns[0]]), dtype=np.int64)
    known = np.ones(len(key), dtype=bool)
    for column, size in zip(columns, radix, strict=True):
        key = key * size + np.maximum(coded[column], 0)
        known &= coded[column] >= 0
    return key, known

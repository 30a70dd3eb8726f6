"""The training rows of a cell: conditions with their measured change, as one immutable table.

A row is a condition (context, perturbation, kind, dose in uM, time in h, batch); ``delta`` (n, r) is its relative
change against the matched control, or the reading itself where the data have no controls; NaN = not measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import BadInput

if TYPE_CHECKING:
    from .data.conditions import ConditionTable

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
PSEUDO = 4.0  # wells, or rows, that a pooled variance counts for
TEXT, NUMBERS = ("context", "perturbation", "kind", "batch"), ("dose", "time_h")


def tidy(conditions: pd.DataFrame) -> pd.DataFrame:
    """The condition columns with fixed types; kind, batch, dose and time may be missing.

    Raises BadInput without context or perturbation, or for a negative or infinite dose or time.
    """
    missing = [c for c in ("context", "perturbation") if c not in conditions]
    if missing:
        raise BadInput(
            f"The conditions lack the column {missing[0]}", cure="Give context and perturbation for each row"
        )
    out: dict[str, Any] = {}
    for name in TEXT:
        values = conditions[name] if name in conditions else pd.Series("", index=conditions.index)
        out[name] = values.astype(object).where(values.notna(), "").astype(str).to_numpy(object)
    for name in NUMBERS:
        given = pd.to_numeric(conditions[name]) if name in conditions else np.full(len(conditions), np.nan)
        numbers = np.asarray(given, dtype=np.float64)
        if (numbers < 0).any() or np.isinf(numbers).any():
            raise BadInput(f"A {name} is negative or infinite", cure="Doses are in uM, times in h")
        out[name] = numbers
    return pd.DataFrame(out)


def grid(
    contexts: Sequence[str],
    perturbations: Sequence[str],
    doses: Sequence[float] = (np.nan,),
    times: Sequence[float] = (np.nan,),
    *,
    kind: str = "",
    block: int = 1024,
) -> Iterator[pd.DataFrame]:
    """All combinations as tables of at most ``block`` conditions (uM, h), made one at a time; doses change fastest."""
    shape = (len(times), len(perturbations), len(contexts), len(doses))
    total = int(np.prod(shape))
    for start in range(0, total, block):
        t, p, c, d = np.unravel_index(np.arange(start, min(start + block, total)), shape)
        yield pd.DataFrame(
            {
                "context": np.array(contexts, dtype=object)[c],
                "perturbation": np.array(perturbations, dtype=object)[p],
                "kind": kind,
                "dose": np.array(doses, dtype=np.float64)[d],
                "time_h": np.array(times, dtype=np.float64)[t],
            }
        )


def parts(perturbation: str) -> tuple[str, ...]:
    """The single perturbations of a name: "A+B" -> ("A", "B")."""
    return tuple(p for p in perturbation.split("+") if p)


@dataclass(frozen=True)
class Rows:
    """n conditions x r readouts. se: standard error of delta (NaN = unknown); n_wells: wells behind it."""

    conditions: pd.DataFrame
    delta: Array
    se: Array
    n_wells: Array
    readouts: tuple[str, ...]
    wells: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, table: ConditionTable) -> Rows:
        """From the data room's table; rows with nothing measured are dropped. Raises BadInput when none is left."""
        delta = np.asarray(table.delta, dtype=np.float64)
        keep = np.flatnonzero(np.isfinite(delta).any(axis=1))
        if not len(keep):
            raise BadInput("There is nothing to learn from", why="no condition has a measured change")
        se = np.asarray(table.se, dtype=np.float64)[keep]
        wells = tuple(tuple(table.wells[i]) for i in keep)
        n_wells = np.asarray(table.n_wells, dtype=np.float64)[keep]
        conditions = tidy(table.conditions.iloc[keep].reset_index(drop=True))
        return cls(conditions, delta[keep], np.where(se > 0, se, np.nan), n_wells, tuple(table.readouts), wells)

    def __len__(self) -> int:
        return len(self.conditions)

    def take(self, index: Sequence[int] | Codes) -> Rows:
        chosen = np.asarray(index, dtype=np.intp)
        return Rows(
            self.conditions.iloc[chosen].reset_index(drop=True),
            self.delta[chosen],
            self.se[chosen],
            self.n_wells[chosen],
            self.readouts,
            tuple(self.wells[i] for i in chosen),
        )

    def plus(self, more: Rows) -> Rows:
        """These rows, then ``more`` with its readouts brought into this order.

        Raises BadInput for a readout unknown here or a well that is already in.
        """
        unknown = [r for r in more.readouts if r not in self.readouts]
        if unknown:
            raise BadInput(f"The readout {unknown[0]!r} is not one this cell was fitted on", cure="Fit a new cell")
        seen = {w for row in self.wells for w in row}
        again = [w for row in more.wells for w in row if w in seen]
        if again:
            raise BadInput(f"The well {again[0]!r} is already in the training data", cure="Update with new wells only")
        at = [self.readouts.index(r) for r in more.readouts]

        def wide(block: Array, empty: float) -> Array:
            out = np.full((len(more), len(self.readouts)), empty)
            out[:, at] = block
            return out

        return Rows(
            pd.concat([self.conditions, more.conditions], ignore_index=True),
            np.vstack([self.delta, wide(more.delta, np.nan)]),
            np.vstack([self.se, wide(more.se, np.nan)]),
            np.vstack([self.n_wells, wide(more.n_wells, 0.0)]),
            self.readouts,
            self.wells + more.wells,
        )

    def hashes(self) -> tuple[str, ...]:
        """sha256 of every row: its condition, wells and readings to 9 significant digits."""
        keys = self.conditions[[*TEXT, *NUMBERS]].to_numpy(object)
        return tuple(
            hashlib.sha256("|".join([*map(str, key), *wells, *(f"{v:.9g}" for v in values)]).encode()).hexdigest()
            for key, wells, values in zip(keys, self.wells, self.delta, strict=True)
        )

    def well_variance(self, contexts: Sequence[str] | None = None) -> Array:
        """(n, r) variance of one well's change in each of ``contexts`` (default: of every row); NaN where unknown.

        Pooled (median) over the rows of the context with two or more wells, moderated on the log scale by all
        contexts, which count as ``PSEUDO`` rows; that of all contexts for one not seen here.
        """
        names, values = self._variances
        place = {name: i for i, name in enumerate(names)}
        asked = self.conditions["context"] if contexts is None else contexts
        return np.asarray(values[[place.get(c, -1) for c in asked]])

    @cached_property
    def _variances(self) -> tuple[tuple[str, ...], Array]:
        """Contexts, and (contexts + 1, r) variances, the last one of all together."""
        one = np.where(self.n_wells >= 2, self.se**2 * self.n_wells, np.nan)
        whole, found = nanmedian(one), []
        place, names = pd.factorize(self.conditions["context"].to_numpy(object))
        for i in range(len(names)):
            own = one[place == i]
            k = np.isfinite(own).sum(axis=0)
            with np.errstate(invalid="ignore", divide="ignore"):
                logs = (k * np.log(np.maximum(nanmedian(own), 1e-6 * whole)) + PSEUDO * np.log(whole)) / (k + PSEUDO)
                found.append(np.where((k > 0) & (whole > 0), np.exp(logs), whole))
        return tuple(names), np.array([*found, whole])

    def noise(self) -> Array:
        """(n, r) variance of each delta: its own, pooled with that of its readout (few wells give poor estimates).

        s2 = (4 v / n + (n - 1) se2) / (4 + n - 1): four pseudo-wells of the pooled variance v. NaN where unknown.
        """
        n = np.maximum(self.n_wells, 1.0)
        pooled = self.well_variance() / n
        own = np.where(np.isfinite(self.se), self.se**2, pooled)
        out: Array = (PSEUDO * pooled + (n - 1) * own) / (PSEUDO - 1 + n)
        return np.where(np.isfinite(out), out, self.se**2)


def nanmedian(values: Array) -> Array:
    """Median over rows, NaN for a column without a number (without a warning)."""
    out = np.full(values.shape[1], np.nan)
    some = np.isfinite(values).any(axis=0)
    if some.any():
        out[some] = np.nanmedian(values[:, some], axis=0)
    return out


def codes(keys: Iterable[tuple[Any, ...]], known: dict[tuple[Any, ...], int]) -> Codes:
    """Integer code of every key; -1 for one that is not ``known``."""
    return np.array([known.get(k, -1) for k in keys], dtype=np.intp)


def cell_keys(conditions: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Hashable keys of the rows over some columns; numbers to 6 significant digits, NaN as None."""
    series = []
    for column in columns:
        values = conditions[column].to_numpy()
        if column in NUMBERS:
            series.append([None if np.isnan(v) else float(f"{v:.6g}") for v in values.astype(float)])
        else:
            series.append(list(values))
    return list(zip(*series, strict=True))

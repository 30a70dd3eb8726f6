"""Held-out conditions by biology: what is new to the cell in a fold is named, and nothing else is new with it.

* ``new perturbation``: no training row holds it, alone or in a combination; its contexts, doses and times are known
* ``new combination``: its single perturbations are known
* ``new context``: a cell line or type that no training row has
* ``new dose``, ``new time``: a level that no training row has, of perturbations measured at other levels
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput, UnknownName

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SPLITS = ("new perturbation", "new combination", "new context", "new dose", "new time")
FEWEST = {"new perturbation": 4, "new combination": 3, "new context": 2, "new dose": 3, "new time": 3}
COUNTED = {
    "new perturbation": "single perturbations", "new combination": "combinations", "new context": "contexts",
    "new dose": "dose levels", "new time": "times",
}  # fmt: skip


@dataclass(frozen=True)
class Fold:
    """Row numbers of one fold; ``held``: the values that are new in it."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    held: tuple[str, ...]


def folds(conditions: pd.DataFrame, split: str, *, n: int = 5, seed: int = 0) -> list[Fold]:
    """Up to ``n`` folds of one split, seeded; [] where the data do not permit it (``why_not`` says why).

    Raises UnknownName for a split that is not one of ``SPLITS``.
    """
    if split not in SPLITS:
        raise UnknownName(split, kind="split", known=SPLITS)
    values = _values(conditions, split)
    named = sorted({v for v in values if v is not None}, key=str)
    if len(named) < FEWEST[split]:
        return []
    order = [named[i] for i in np.random.default_rng(seed).permutation(len(named))]
    found = []
    for part in range(min(n, len(order))):
        held = frozenset(order[part :: min(n, len(order))])
        fold = _fold(conditions, split, values, held)
        if fold is not None:
            found.append(fold)
    return found


def why_not(conditions: pd.DataFrame, split: str) -> str:
    """Why there are no folds of ``split`` in these conditions; "" where there may be some."""
    seen = len({v for v in _values(conditions, split) if v is not None})
    if seen >= FEWEST[split]:
        return ""
    return f"{seen} {COUNTED[split]}; {FEWEST[split]} are needed"


def matching(conditions: pd.DataFrame, wanted: Sequence[str]) -> NDArray[np.bool_]:
    """Rows that match any of ``wanted``: "context=A375", "perturbation=A,B", "dose=1", "time=24".

    A perturbation matches in combinations too. Raises BadInput for a text that names nothing here.
    """
    out = np.zeros(len(conditions), dtype=bool)
    columns = {"context": "context", "perturbation": "perturbation", "dose": "dose", "time": "time_h"}
    for text in wanted:
        key, _, listed = text.partition("=")
        if key.strip() not in columns or not listed.strip():
            raise BadInput(
                f"{text!r} does not say what to hold out",
                cure="Write context=NAME, perturbation=NAME, dose=1 or time=24",
            )
        for value in (v.strip() for v in listed.split(",")):
            hit = _matches(conditions, columns[key.strip()], value)
            if not hit.any():
                raise BadInput(f"No condition has {key.strip()} {value!r}", cure="See `cytocrux data info`")
            out |= hit
    return out


def _matches(conditions: pd.DataFrame, column: str, value: str) -> NDArray[np.bool_]:
    if column in ("dose", "time_h"):
        try:
            number = float(value)
        except ValueError as error:
            raise BadInput(f"{value!r} is not a number", cure="Doses are in uM, times in h") from error
        return np.asarray(np.isclose(conditions[column].to_numpy(float), number, rtol=1e-6, atol=0.0))
    if column == "perturbation":
        return np.array([value in str(name).split("+") or value == name for name in conditions[column]])
    return np.asarray(conditions[column].astype(str) == value)


def _values(conditions: pd.DataFrame, split: str) -> list[Hashable]:
    """What each row would be held out by; None = it is never held out in this split."""
    names = conditions["perturbation"].astype(str)
    if split == "new context":
        return list(conditions["context"].astype(str))
    if split in ("new dose", "new time"):
        numbers = conditions["dose" if split == "new dose" else "time_h"].to_numpy(float)
        return [None if np.isnan(v) else float(f"{v:.6g}") for v in numbers]
    pair = split == "new combination"
    return [name if ("+" in name) == pair else None for name in names]


def _fold(conditions: pd.DataFrame, split: str, values: Sequence[Hashable], held: frozenset[Hashable]) -> Fold | None:
    out = np.array([v in held for v in values])
    names = conditions["perturbation"].astype(str).tolist()
    if split == "new perturbation":  # nor may a combination teach it
        train = np.array([not any(p in held for p in name.split("+")) for name in names]) & ~out
    else:
        train = ~out
    contexts = conditions["context"].astype(str).to_numpy()
    known = {p for name, t in zip(names, train, strict=True) if t for p in name.split("+")}
    test = out
    if split != "new perturbation":
        test = test & np.array([all(p in known for p in name.split("+")) for name in names])
    if split != "new context":
        test = test & np.isin(contexts, contexts[train])
    if not test.any() or train.sum() < 4:
        return None
    return Fold(np.flatnonzero(train), np.flatnonzero(test), tuple(sorted(map(str, held))))

"""From a data set to the changes of one condition, by name, with the nearest names where one is unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compounds import facts_for
from ..errors import BadInput, UnknownName
from .explain import Change

if TYPE_CHECKING:
    from ..data.conditions import ConditionTable


@dataclass(frozen=True)
class Condition:
    """One row of a ConditionTable: what was done, and what changed. of: how many there were to choose from."""

    perturbation: str
    kind: str
    context: str
    dose: float | None
    time_h: float | None
    changes: tuple[Change, ...]
    of: int
    row: int


def choose(
    table: ConditionTable, perturbation: str, context: str, *, dose: float | None = None, time_h: float | None = None
) -> Condition:
    """The condition asked for. Where dose or time is left open: the one with the strongest response (sum of z^2 over
    the readouts, |z| cut at 8); the nulls are drawn on that same condition, so the choice does not favour a mechanism.

    Raises UnknownName (perturbation, context), BadInput for a dose or time that was not measured.
    """
    c = table.conditions
    name = known_name(perturbation, sorted(set(map(str, c["perturbation"]))), "perturbation")
    rows = np.flatnonzero((c["perturbation"].astype(str) == name).to_numpy())
    here = sorted(set(map(str, c["context"].iloc[rows])))
    place = known_name(context, here, f"context of {name}")
    rows = rows[(c["context"].astype(str).to_numpy()[rows] == place)]
    for column, wanted, unit in (("dose", dose, "uM"), ("time_h", time_h, "h")):
        if wanted is None:
            continue
        values = c[column].to_numpy(float)[rows]
        near = np.isclose(values, wanted, rtol=0.02)
        if not near.any():
            held = ", ".join(f"{v:g}" for v in sorted({float(v) for v in values if math.isfinite(v)})) or "none stated"
            raise BadInput(f"{name} in {place} was not measured at {wanted:g} {unit}", cure=f"Measured: {held}")
        rows = rows[near]
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.clip(np.nan_to_num(table.delta[rows] / table.se[rows]), -8, 8)
    row = int(rows[int(np.argmax((z**2).sum(axis=1)))])
    changes = tuple(
        (r, float(d), float(s)) for r, d, s in zip(table.readouts, table.delta[row], table.se[row], strict=True)
        if math.isfinite(d) and math.isfinite(s)
    )  # fmt: skip
    return Condition(
        name, str(c["kind"].iloc[row]), place, _number(c["dose"].iloc[row]), _number(c["time_h"].iloc[row]), changes,
        len(rows), row,
    )  # fmt: skip


def known_name(name: str, known: list[str], kind: str) -> str:
    """``name`` as the data set spells it, whatever the case, hyphens or the compound's alias. Raises UnknownName."""
    bare = {_bare(k): k for k in reversed(known)}
    if _bare(name) in bare:
        return bare[_bare(name)]
    same = [k for k in known if facts_for(k).known and facts_for(k).name == facts_for(name).name]
    if same:
        return same[0]
    raise UnknownName(name, kind=kind, known=known)


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(float(value)) else None


def _bare(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum() or c == "+")

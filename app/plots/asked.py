"""The pictures of ``predict --plot``: every asked condition as part of its dose course and its time course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...world_model.errors import BadInput
from .curves import Course, draw_courses
from .style import safe_name

if TYPE_CHECKING:
    import pandas as pd

    from ...world_model.prediction import CellPrediction
    from ..cells import Fitted
    from .wells import Measured

PANELS, LINES, PICTURES = 6, 4, 12
POINTS = 41
AXES = {"dose": "dose", "time": "time_h"}


@dataclass(frozen=True)
class _Group:
    """Conditions that share a picture: one context, and one time (dose course) or dose (time course)."""

    axis: str
    context: str
    fixed: float
    names: tuple[str, ...]
    kind: str


def draw_asked(fitted: Fitted, told: CellPrediction, keep: Sequence[int] | None, folder: Path) -> list[Path]:
    """Written files; at most ``PICTURES``. keep: numbers of the readouts wanted, None = the largest changes.

    Raises BadInput where none of the conditions has a dose or a time that varies in training.
    """
    from .wells import measured_wells

    known = fitted.cell.rows.conditions
    groups = [g for axis in AXES for g in _groups(told.conditions, known, axis)]
    if not groups:
        raise BadInput(
            "There is no course to draw", why="the training data hold one dose and one time of these perturbations",
            cure="Drop --plot, or ask for perturbations measured at several doses or times",
        )  # fmt: skip
    wells = measured_wells(fitted)
    return [_draw(fitted, told, group, keep, wells, folder) for group in groups[:PICTURES]]


def _groups(asked: pd.DataFrame, known: pd.DataFrame, axis: str) -> list[_Group]:
    column, other = AXES[axis], AXES["time" if axis == "dose" else "dose"]
    varying = {
        str(name)
        for name, part in known.groupby("perturbation")
        if part[column].dropna().nunique() >= 2
    }  # fmt: skip
    rows = asked[asked["perturbation"].isin(varying)]
    found: dict[tuple[str, float, str], list[str]] = {}
    for row in rows.itertuples():
        fixed = float(getattr(row, other))
        names = found.setdefault((str(row.context), -1.0 if np.isnan(fixed) else fixed, str(row.kind)), [])
        if row.perturbation not in names:
            names.append(str(row.perturbation))
    return [
        _Group(axis, context, np.nan if fixed < 0 else fixed, tuple(names[i : i + LINES]), kind)
        for (context, fixed, kind), names in found.items()
        for i in range(0, len(names), LINES)
    ]


def _draw(
    fitted: Fitted, told: CellPrediction, group: _Group, keep: Sequence[int] | None, wells: Measured, folder: Path
) -> Path:
    lines = [_line(fitted, group, name) for name in group.names]
    at = _readouts(told, group, keep)
    courses = [
        Course(name, x, mean[:, at], sd[:, at], wells.along(group.axis, group.context, name, group.fixed, at), span)
        for name, x, mean, sd, span in lines
    ]
    of = " and ".join(filter(None, [", ".join(group.names[:-1]), group.names[-1]]))
    held = "" if np.isnan(group.fixed) else f" at {group.fixed:g} {'h' if group.axis == 'dose' else 'µM'}"
    found = any(len(x) for course in courses for x, _ in course.wells)
    points = wells.legend if found else "No wells of these conditions were measured."
    note = (
        f"Line: the cell; band: 90 % interval of the condition's true change; broken: outside the {group.axis}s "
        f"it was trained on. {points}"
    )
    return draw_courses(
        courses, [told.readouts[j] for j in at], [fitted.units()[j] for j in at], axis=group.axis,
        title=f"{of} in {group.context}{held}", note=note,
        path=folder / f"{group.axis}_{safe_name(f'{of} in {group.context}{held}')}.png",
    )  # fmt: skip


def _line(
    fitted: Fitted, group: _Group, name: str
) -> tuple[str, np.ndarray, np.ndarray, np.ndarray, tuple[float, float]]:
    """name, x (k,), mean and epistemic (k, r) along the axis, and the trained span of x."""
    import pandas as pd

    column, other = AXES[group.axis], AXES["time" if group.axis == "dose" else "dose"]
    known = fitted.cell.rows.conditions
    levels = known.loc[known["perturbation"] == name, column].dropna().to_numpy(float)
    low, high = float(levels[levels > 0].min()), float(levels.max())
    if group.axis == "dose" or high / low > 12:
        x = np.geomspace(low / (2 if group.axis == "dose" else 1), high * (2 if group.axis == "dose" else 1.3), POINTS)
    else:
        x = np.linspace(low, high * 1.15, POINTS)
    x[0] *= 1.001  # off the measured level itself, where its own wells would make a step in the curve
    table = pd.DataFrame(
        {"context": group.context, "perturbation": name, "kind": group.kind, column: x, other: group.fixed}
    )
    told = fitted.cell.predict(table)
    return name, x, told.mean, told.epistemic, (low, high)


def _readouts(told: CellPrediction, group: _Group, keep: Sequence[int] | None) -> list[int]:
    """The wanted ones, or those that change most among the asked conditions of the group."""
    if keep is not None:
        return list(keep)[:PANELS]
    rows = told.conditions
    of_group = (rows["context"] == group.context) & rows["perturbation"].isin(group.names)
    size = np.nanmax(np.abs(np.nan_to_num(told.mean[of_group.to_numpy()])), axis=0)
    return [int(j) for j in np.argsort(-size)[:PANELS]]

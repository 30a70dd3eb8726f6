"""Findings over doses and times as grids: one a readout, a line a compound and dose, a column a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .panel import AnswerRow

LEAST = 6  # findings with dose and time below which a list reads better


@dataclass(frozen=True)
class Line:
    """One compound at one dose; ``cells`` in the order of the grid's times. first: opens its compound's group."""

    compound: str
    dose: float
    first: bool
    cells: tuple[AnswerRow | None, ...]


@dataclass(frozen=True)
class Grid:
    """All findings on one readout. times: hours, ascending."""

    readout: str
    unit: str
    times: tuple[float, ...]
    lines: tuple[Line, ...]


def grids(rows: Sequence[AnswerRow]) -> list[Grid]:
    """Grids for findings that all have a dose and a time; none where a list reads better."""
    placed = [r for r in rows if r.dose is not None and r.time_h is not None]
    if len(placed) < LEAST or len(placed) < len(rows):
        return []
    readouts = dict.fromkeys(r.readout for r in placed)
    return [_grid(name, [r for r in placed if r.readout == name]) for name in readouts]


def _grid(readout: str, rows: Sequence[AnswerRow]) -> Grid:
    times = tuple(sorted({r.time_h for r in rows if r.time_h is not None}))
    at = {(r.compound, r.dose, r.time_h): r for r in rows}
    lines: list[Line] = []
    for compound in sorted({r.compound for r in rows}):
        doses = sorted({r.dose for r in rows if r.compound == compound and r.dose is not None})
        for dose in doses:
            cells = tuple(at.get((compound, dose, time)) for time in times)
            lines.append(Line(compound, dose, dose == doses[0], cells))
    return Grid(readout, rows[0].unit, times, tuple(lines))

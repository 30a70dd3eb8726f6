"""Dose and time courses: what the cell says with its 90 % band, and the wells that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...world_model.rows import Array
from ...world_model.uncertainty import Z90
from .style import COLOURS, FAINT, MARKS, sheet

COLUMNS = 3


@dataclass(frozen=True)
class Course:
    """One line of every panel: x (k,) dose in uM or time in h; mean, sd: (k, r). wells: (x, value) of each readout.

    trained: (low, high) of x in the training data; outside it the line is drawn broken.
    """

    label: str
    x: Array
    mean: Array
    sd: Array
    wells: tuple[tuple[Array, Array], ...]
    trained: tuple[float, float]


def draw_courses(
    courses: Sequence[Course], readouts: Sequence[str], units: Sequence[str], *, axis: str, title: str, note: str,
    path: Path,
) -> Path:  # fmt: skip
    """One panel a readout, one line a course. axis: "dose" or "time"."""
    rows = -(-len(readouts) // COLUMNS)
    columns = min(COLUMNS, len(readouts))
    width, height = max(1.1 + 2.55 * columns, 4.6), 1.25 + 2.1 * rows
    with sheet(path, width, height, title, note) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        for j, (name, unit) in enumerate(zip(readouts, units, strict=True)):
            axes = grid[j // columns][j % columns]
            _panel(axes, courses, j, axis)
            axes.set_title(name, fontsize=9.5)
            if j % columns == 0:
                axes.set_ylabel(f"change ({unit})" if unit else "change")
            if j + columns >= len(readouts):
                axes.set_xlabel("dose (µM)" if axis == "dose" else "time (h)")
                axes.tick_params(labelbottom=True)
        for empty in list(grid.flat)[len(readouts) :]:
            empty.set_visible(False)
        if len(courses) > 1:
            handles, labels = grid[0][0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper right", ncols=min(4, len(labels)), handlelength=1.8)
    return path


def _panel(axes: Any, courses: Sequence[Course], j: int, axis: str) -> None:
    axes.axhline(0, color=FAINT, lw=0.7, zorder=1)
    for i, course in enumerate(courses):
        colour = COLOURS[i % len(COLOURS)]
        mean, half = course.mean[:, j], Z90 * course.sd[:, j]
        crowd = len(courses) > 2
        axes.fill_between(
            course.x, mean - half, mean + half, color=colour, alpha=0.07 if crowd else 0.15, lw=0, zorder=2
        )
        for edge in (mean - half, mean + half):
            axes.plot(course.x, edge, color=colour, lw=0.7 if crowd else 0.4, alpha=0.55, zorder=2)
        axes.plot(course.x, mean, color=colour, lw=1.1, ls=(0, (2, 2)), zorder=3)
        low, high = course.trained
        inside = (course.x >= low * 0.999) & (course.x <= high * 1.001)
        axes.plot(course.x[inside], mean[inside], color=colour, lw=1.8, label=course.label, zorder=3)
        at, value = course.wells[j]
        axes.plot(
            at * _spread(len(courses), i, axis), value, MARKS[i % len(MARKS)], ms=3.4, color=colour, alpha=0.55,
            mec="white", mew=0.35, zorder=4,
        )  # fmt: skip
    every = np.concatenate([c.x for c in courses])
    if every.min() > 0 and every.max() / every.min() > 12:
        axes.set_xscale("log")
        _plain_ticks(axes, axis)
    low, high = axes.get_ylim()
    if high - low < 0.5:
        middle = (high + low) / 2
        axes.set_ylim(middle - 0.25, middle + 0.25)


def _spread(n: int, i: int, axis: str) -> float:
    """Wells of several courses at one dose stand side by side."""
    step = 1.07 if axis == "dose" else 1.03
    return float(step ** (i - (n - 1) / 2))


def _plain_ticks(axes: Any, axis: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_xlim()
    if axis == "time":
        wanted = [t for t in (0.1, 0.25, 0.5, 1, 2, 5, 10, 24, 48, 96, 168) if low <= t <= high]
        axes.xaxis.set_major_locator(FixedLocator(wanted))
    else:
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))

"""Predicted against measured on held-out conditions, and whether intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...evals.scores import pearson, r2
from ...world_model.rows import Array
from ..heldout import CELL, HeldOut
from .style import BLUE, COLOURS, FAINT, INK, MARKS, RULE, sheet

LEVELS = np.linspace(0.05, 0.95, 19)
MANY = 3000  # points from which on a density says more than dots


def draw_predicted(parts: Sequence[HeldOut], *, title: str, path: Path) -> Path:
    """Measured change (x) against predicted (y), all folds together; calibration of the intervals beside it."""
    measured = np.concatenate([p.measured.ravel() for p in parts])
    said = np.concatenate([p.told[CELL].ravel() for p in parts])
    sd = np.concatenate([p.sd.ravel() for p in parts])
    use = np.isfinite(measured) & np.isfinite(said)
    measured, said, sd = measured[use], said[use], sd[use]
    n = sum(len(p.conditions) for p in parts)
    note = (
        f"{n:,} held-out conditions, {len(parts[0].readouts):,} readouts, {len(parts)} "
        f"{'fold' if len(parts) == 1 else 'folds'}. Line: prediction equals measurement."
    )
    with sheet(path, 7.3, 5.2, title, note) as figure:
        grid = figure.add_gridspec(2, 2, width_ratios=(3.1, 1.2), height_ratios=(1, 1))
        axes = figure.add_subplot(grid[:, 0])
        low, high = _span(measured, said)
        axes.plot([low, high], [low, high], color=INK, lw=0.9, zorder=1)
        axes.axhline(0, color=FAINT, lw=0.5, zorder=1)
        axes.axvline(0, color=FAINT, lw=0.5, zorder=1)
        _points(axes, measured, said, low, high)
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="measured change", ylabel="predicted change")
        axes.set_aspect("equal")
        text = f"Pearson {pearson(said, measured):.2f}\nR² {r2(said, measured):.2f}"
        axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top", fontsize=9.5, linespacing=1.35)
        _calibration(figure.add_subplot(grid[1, 1]), [("", _observed(measured, said, sd))], small=True)
    return path


def draw_calibration(found: Mapping[str, Sequence[HeldOut]], *, title: str, path: Path) -> Path:
    """Promised share of held-out measurements inside the interval (x) against the share found (y), a line a split."""
    series = []
    for name, parts in found.items():
        blocks = [(p.measured.ravel(), p.told[CELL].ravel(), p.sd.ravel()) for p in parts]
        measured, said, sd = (np.concatenate(b) for b in zip(*blocks, strict=True))
        series.append((name, _observed(measured, said, sd)))
    note = "Above the line: intervals wider than need be. Below: too narrow. Grey: within 3 points at 90 %."
    with sheet(path, 5.0, 4.8, f"{title}: calibration", note) as figure:
        _calibration(figure.add_subplot(), series, small=False)
    return path


def _observed(measured: Array, said: Array, sd: Array) -> Array:
    """Share of measurements within the central interval of each of ``LEVELS``."""
    from scipy.stats import norm

    use = np.isfinite(measured) & np.isfinite(said) & (sd > 0)
    error = np.abs(measured[use] - said[use]) / sd[use]
    return np.array([np.mean(error <= norm.ppf(0.5 + level / 2)) for level in LEVELS])


def _calibration(axes: Any, series: Sequence[tuple[str, Array]], *, small: bool) -> None:
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8, zorder=1)
    for i, (name, share) in enumerate(series):
        style = {"lw": 1.3, "ms": 2.2} if small else {"lw": 1.7, "ms": 4.0}
        colour = BLUE if small else COLOURS[i % len(COLOURS)]
        axes.plot(LEVELS, share, color=colour, marker=MARKS[i % len(MARKS)], mec="white", mew=0.3, label=name, **style)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set(xticklabels=["0", ".5", "1"], yticklabels=["0", ".5", "1"])
    axes.set_aspect("equal")
    if small:
        axes.tick_params(labelsize=7.5, length=2)
        axes.set_title("Intervals", fontsize=9)
        axes.set_xlabel("promised share", fontsize=8)
        axes.set_ylabel("share found inside", fontsize=8)
        return
    axes.fill_between([0.88, 0.92], [0.87, 0.87], [0.93, 0.93], color=RULE, zorder=0)
    axes.set(xlabel="promised share inside the interval", ylabel="share found inside")
    ticks = np.linspace(0, 1, 6)
    axes.set(
        xticks=ticks, yticks=ticks, xticklabels=[f"{t:.1f}" for t in ticks], yticklabels=[f"{t:.1f}" for t in ticks]
    )
    axes.legend(loc="upper left")


def _points(axes: Any, x: Array, y: Array, low: float, high: float) -> None:
    if len(x) <= MANY:
        axes.plot(x, y, "o", ms=3.2, color=BLUE, alpha=0.45, mec="none", zorder=2, rasterized=True)
        return
    from matplotlib.colors import LinearSegmentedColormap

    ramp = LinearSegmentedColormap.from_list("cell", ["#cfe3f1", "#6aaed6", "#0072b2", "#08306b"])
    axes.hexbin(
        x, y, gridsize=70, extent=(low, high, low, high), bins="log", mincnt=1, cmap=ramp, linewidths=0.1, zorder=2
    )


def _span(*values: Array) -> tuple[float, float]:
    """Limits for both axes: everything, zero included, and a margin; far outliers may lie outside."""
    every = np.concatenate(values)
    low, high = min(float(every.min()), 0.0), max(float(every.max()), 0.0)
    near_low, near_high = (float(v) for v in np.quantile(every, [0.001, 0.999]))
    reach = 0.8 * (near_high - near_low)
    low, high = max(low, min(near_low - reach, 0.0)), min(high, max(near_high + reach, 0.0))
    pad = 0.05 * (high - low or 1.0)
    return low - pad, high + pad

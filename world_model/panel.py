"""The panel engine: one ``PanelCell`` a readout, answering in the readouts' units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .answer import Answer
from .newdrug import Mix
from .panelcell import PanelCell
from .rows import Array, Rows

if TYPE_CHECKING:
    from .vocabulary import Context

STRANGE = 0.02  # a new compound of which less is explained than this is like none that was measured
Told = tuple[float, float, float, float, str, str]  # mean, epistemic, aleatoric, in domain, base, reason


@dataclass(frozen=True)
class PanelEngine:
    """cells: one a readout, in the order of the readouts."""

    cells: tuple[PanelCell, ...]

    @classmethod
    def fit(
        cls, rows: Rows, tables: Mapping[str, pd.DataFrame], classes: Mapping[str, str],
        compounds: Mapping[str, pd.DataFrame] | None = None,
    ) -> PanelEngine:  # fmt: skip
        """compounds: feature name -> rows by compound whose products are similarities (``similarity_tables``)."""
        cells = (PanelCell.fit(rows, j, tables, classes, compounds) for j in range(len(rows.readouts)))
        return cls(tuple(cells))

    def answer(self, conditions: pd.DataFrame, context: Context | None) -> Answer:
        n, r = len(conditions), len(self.cells)
        mean, sd, well = (np.full((n, r), np.nan) for _ in range(3))
        near, base, reason = np.zeros(n), [""] * n, [""] * n
        for j, cell in enumerate(self.cells):
            asked = _Asked(cell, {line: cell.line(line, context) for line in map(str, set(conditions["context"]))})
            rows = zip(conditions["context"], conditions["perturbation"], conditions["batch"], strict=True)
            for i, (line, name, batch) in enumerate(rows):
                mean[i, j], sd[i, j], well[i, j], domain, base[i], reason[i] = asked.told(str(line), name, batch)
                near[i] = max(near[i], domain)
        return Answer(mean, sd, well, near, base, reason)

    def chance_below(self, conditions: pd.DataFrame, z: float, context: Context | None) -> Array:
        """(n, r) chance that a reading's standardised value is at most ``z``; NaN for a compound no line has met."""
        out = np.full((len(conditions), len(self.cells)), np.nan)
        for j, cell in enumerate(self.cells):
            lines = {line: cell.chance_below(z, line, context) for line in map(str, set(conditions["context"]))}
            rows = zip(conditions["context"], conditions["perturbation"], conditions["batch"], strict=True)
            for i, (line, name, batch) in enumerate(rows):
                if (task := cell.task_of(name, batch)) is not None:
                    out[i, j] = lines[str(line)][task]
        return out

    @property
    def noise_factor(self) -> float:
        return 1.0

    def reference(self, conditions: pd.DataFrame) -> tuple[Array, Array]:
        """Mean and sd (n, r) of each perturbation over the training lines; of a new compound, as it is expected."""
        n, r = len(conditions), len(self.cells)
        centre, spread = np.full((n, r), np.nan), np.full((n, r), np.nan)
        for j, cell in enumerate(self.cells):
            asked = _Asked(cell, {})
            for i, (name, batch) in enumerate(zip(conditions["perturbation"], conditions["batch"], strict=True)):
                centre[i, j], spread[i, j] = asked.reference(name, batch)
        return centre, spread

    def update(self, more: Rows) -> PanelEngine:
        return PanelEngine(tuple(cell.update(more, j) for j, cell in enumerate(self.cells)))


class _Asked:
    """One readout's cell while it answers: what lines (z mean and sd of every task) and new compounds are told."""

    def __init__(self, cell: PanelCell, lines: Mapping[str, tuple[Array, Array]]) -> None:
        self.cell, self.lines, self.noise = cell, lines, cell.noise_under()
        self.mixes: dict[tuple[str, str], Mix | None] = {}
        self.completed: dict[str, Array] = {}

    def mix(self, name: str, batch: str) -> Mix | None:
        if (name, batch) not in self.mixes:
            self.mixes[name, batch] = self.cell.mix(name, batch)
        return self.mixes[name, batch]

    def told(self, line: str, name: str, batch: str) -> Told:
        cell, (z, z_sd) = self.cell, self.lines[line]
        task = cell.task_of(name, batch)
        if task is None and (mix := self.mix(name, batch)) is not None:
            base = "similar compounds by " + ", ".join(mix.known)
            strange = f"{name} is like no compound that was measured" if mix.in_domain < STRANGE else ""
            if line not in self.completed:
                self.completed[line] = cell.completed(line, z)
            return (*cell.of_mix(mix, line, self.completed[line], z_sd), mix.in_domain, base, strange)
        tasks = [task] if task is not None else cell.class_tasks(name)
        if not tasks:
            reason = f"{name} was not measured in enough lines; its class is unknown"
            return np.nan, np.nan, np.nan, 0.0, "none", reason
        centre, spread = float(cell.centre[tasks].mean()), float(cell.spread[tasks].mean())
        error = float(z_sd[tasks].mean()) if task is not None else 1.0
        mean, well = centre + spread * float(z[tasks].mean()), spread * float(np.sqrt(self.noise[tasks].mean()))
        domain = float(np.clip(1 - error**2, 0, 1))
        if task is not None:
            return mean, spread * error, well, domain, "condition mean", ""
        reason = f"{name} was not measured in enough lines; this is the mean of its class, {cell.classes[name]}"
        return mean, spread * error, well, domain, "class mean", reason

    def reference(self, name: str, batch: str) -> tuple[float, float]:
        cell = self.cell
        task = cell.task_of(name, batch)
        if task is None and (mix := self.mix(name, batch)) is not None:
            return mix.level, float(cell.spread.mean())
        tasks = [task] if task is not None else cell.class_tasks(name)
        if not tasks:
            return np.nan, np.nan
        return float(cell.centre[tasks].mean()), float(cell.spread[tasks].mean())

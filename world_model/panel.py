"""The panel engine: one ``PanelCell`` a readout, answering in the readouts' units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .answer import Answer
from .panelcell import PanelCell
from .rows import Array, Rows

if TYPE_CHECKING:
    from .vocabulary import Context


@dataclass(frozen=True)
class PanelEngine:
    """cells: one a readout, in the order of the readouts."""

    cells: tuple[PanelCell, ...]

    @classmethod
    def fit(cls, rows: Rows, tables: Mapping[str, pd.DataFrame], classes: Mapping[str, str]) -> PanelEngine:
        return cls(tuple(PanelCell.fit(rows, j, tables, classes) for j in range(len(rows.readouts))))

    def answer(self, conditions: pd.DataFrame, context: Context | None) -> Answer:
        n, r = len(conditions), len(self.cells)
        mean, sd, well = (np.full((n, r), np.nan) for _ in range(3))
        near, base, reason = np.zeros(n), [""] * n, [""] * n
        for j, cell in enumerate(self.cells):
            noise = cell.noise_under()
            lines = {str(line): cell.line(str(line), context) for line in set(conditions["context"])}
            for i, (line, name, batch) in enumerate(
                zip(conditions["context"], conditions["perturbation"], conditions["batch"], strict=True)
            ):
                z, z_sd = lines[line]
                task = cell.task_of(name, batch)
                tasks = [task] if task is not None else cell.class_tasks(name)
                if tasks:
                    centre, spread = cell.centre[tasks].mean(), cell.spread[tasks].mean()
                    error = float(z_sd[tasks].mean()) if task is not None else 1.0
                    mean[i, j], sd[i, j] = centre + spread * z[tasks].mean(), spread * error
                    well[i, j] = spread * np.sqrt(noise[tasks].mean())
                    near[i] = max(near[i], float(np.clip(1 - error**2, 0, 1)))
                base[i] = "condition mean" if task is not None else "class mean" if tasks else "none"
                if task is None:
                    known = f"this is the mean of its class, {cell.classes[name]}" if tasks else "its class is unknown"
                    reason[i] = f"{name} was not measured in enough lines; {known}"
        return Answer(mean, sd, well, near, base, reason)

    @property
    def noise_factor(self) -> float:
        return 1.0

    def reference(self, conditions: pd.DataFrame) -> tuple[Array, Array]:
        """Mean and sd (n, r) of each perturbation over the training lines."""
        n, r = len(conditions), len(self.cells)
        centre, spread = np.full((n, r), np.nan), np.full((n, r), np.nan)
        for j, cell in enumerate(self.cells):
            for i, (name, batch) in enumerate(zip(conditions["perturbation"], conditions["batch"], strict=True)):
                task = cell.task_of(name, batch)
                tasks = [task] if task is not None else cell.class_tasks(name)
                if tasks:
                    centre[i, j], spread[i, j] = cell.centre[tasks].mean(), cell.spread[tasks].mean()
        return centre, spread

    def update(self, more: Rows) -> PanelEngine:
        return PanelEngine(tuple(cell.update(more, j) for j, cell in enumerate(self.cells)))

"""The measured wells as changes against their control, to be drawn beside the cell's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...world_model.rows import Array

if TYPE_CHECKING:
    import pandas as pd

    from ...world_model.data.dataset import Dataset
    from ..cells import Fitted


@dataclass(frozen=True)
class Measured:
    """table: context, perturbation, dose, time_h of each point; change: (n, r) in the cell's order of readouts."""

    table: pd.DataFrame
    change: Array
    legend: str

    def along(
        self, axis: str, context: str, name: str, fixed: float, readouts: Sequence[int]
    ) -> tuple[tuple[Array, Array], ...]:
        """For each readout the points of one course: x (dose or time) and change."""
        column, other = ("dose", "time_h") if axis == "dose" else ("time_h", "dose")
        there = self.table[other].to_numpy(float)
        same = np.isnan(there) if np.isnan(fixed) else np.isclose(there, fixed, rtol=1e-6)
        rows = np.flatnonzero(
            same & (self.table["context"] == context).to_numpy() & (self.table["perturbation"] == name).to_numpy()
        )
        x = self.table[column].to_numpy(float)[rows]
        out = []
        for j in readouts:
            y = self.change[rows, j]
            use = np.isfinite(y) & np.isfinite(x)
            out.append((x[use], y[use]))
        return tuple(out)


def measured_wells(fitted: Fitted) -> Measured:
    """Single wells where the data are at hand, else the means of the conditions the cell was trained on."""
    if fitted.dataset is None or not fitted.dataset.has_controls:
        rows = fitted.cell.rows
        return Measured(rows.conditions, rows.delta, "Points: measured means of the training conditions.")
    return _single(fitted.dataset, fitted.cell.readouts)


def _single(dataset: Dataset, readouts: tuple[str, ...]) -> Measured:
    import pandas as pd

    obs = dataset.wells.obs
    values = dataset.wells.to_df().reindex(columns=list(readouts))
    keys = [obs["context"].astype(str), obs["batch"].astype(str), obs["time_h"].fillna(-1.0)]
    control = obs["control"].to_numpy(bool)
    means = values[control].groupby([k[control] for k in keys]).mean()
    treated = ~control
    of_well = means.reindex(pd.MultiIndex.from_arrays([k[treated] for k in keys]))
    change = values[treated].to_numpy(float) - of_well.to_numpy(float)
    table = obs.loc[treated, ["context", "perturbation", "dose", "time_h"]].astype(
        {"context": str, "perturbation": str}
    )
    return Measured(table.reset_index(drop=True), change, "Points: measured wells, minus the mean of their controls.")

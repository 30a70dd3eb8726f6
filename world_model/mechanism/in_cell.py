"""The in-silico knock-out in the virtual cell, beside the explanation's: what is left of an effect once a node is hit.

left = cell(A + B) - cell(B), against cell(A): the explanation expects ``kept`` x cell(A). Only a cell that has learned
from combinations can say anything but "additive": for one that has not, the answer is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..rows import parts

if TYPE_CHECKING:
    from ..cell import VirtualCell
    from .explanation import KnockOut


@dataclass(frozen=True)
class LeftInCell:
    """For one readout: the effect of A alone, what is left of it beside B, its sd, and what the explanation expects."""

    readout: str
    alone: float
    left: float
    sd: float
    expected: float | None
    in_domain: float


def left_in_cell(
    cell: VirtualCell, *, perturbation: str, blocker: str, context: str, kind: str = "compound",
    dose: float | None = None, blocker_dose: float | None = None, time_h: float | None = None,
    knockouts: tuple[KnockOut, ...] = (),
) -> tuple[LeftInCell, ...] | None:  # fmt: skip
    """One entry a readout of the cell. blocker: what hits the intermediate, by its name in the training data.

    knockouts: the explanation's, of the intermediate that ``blocker`` hits. None where the cell learned from no
    combination, or abstains. Raises BadInput (the cell's own) for a malformed condition.
    """
    import pandas as pd

    seen = cell.rows.conditions["perturbation"].astype(str)
    if not any(len(parts(p)) > 1 for p in seen):
        return None
    names = sorted((perturbation, blocker))
    pair = [blocker_dose if n == blocker else dose for n in names]
    rows = [
        {"perturbation": perturbation, "dose": dose}, {"perturbation": blocker, "dose": blocker_dose},
        {"perturbation": "+".join(names), "dose": dose if dose == blocker_dose else None,
         "doses": "+".join("" if d is None else f"{d:g}" for d in pair)},
    ]  # fmt: skip
    asked = pd.DataFrame(rows).assign(context=context, kind=kind, time_h=np.nan if time_h is None else time_h)
    asked["dose"] = asked["dose"].astype(float)
    if "doses" not in cell.rows.conditions:
        asked = asked.drop(columns="doses")
    told = cell.predict(asked)
    if told.abstain.any():
        return None
    expected = {k.readout: k.kept for k in knockouts}
    left = told.mean[2] - told.mean[1]
    sd = np.hypot(told.epistemic[2], told.epistemic[1])
    return tuple(
        LeftInCell(r, float(told.mean[0, i]), float(left[i]), float(sd[i]),
                   expected[r] * float(told.mean[0, i]) if r in expected else None, float(told.in_domain[2]))
        for i, r in enumerate(cell.readouts)
    )  # fmt: skip

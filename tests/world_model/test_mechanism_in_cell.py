"""The knock-out in the virtual cell: a blocked channel is learned from combinations elsewhere, or nothing is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.mechanism.explanation import KnockOut
from cytocrux.world_model.mechanism.in_cell import left_in_cell

ALONE = {"A": (-2.0, 0.0), "B": (-0.3, 0.8), "C": (0.1, -1.0), "D": (0.5, 0.5)}


def wells(*, pairs: bool) -> ConditionTable:
    """Six lines; B blocks what A does to R1, every other pair adds. A+B is never measured in the last line."""
    rng = np.random.default_rng(0)
    rows, delta = [], []
    for k in range(6):
        scale = rng.uniform(0.8, 1.2)
        told = {name: np.array(v) * scale for name, v in ALONE.items()}
        asked = [*ALONE, *(("A+B", "A+C", "B+C", "A+D", "B+D", "C+D") if pairs else ())]
        for name in asked:
            if name == "A+B" and k == 5:
                continue
            value = sum((told[p] for p in name.split("+")), np.zeros(2))
            if name == "A+B":
                value = np.array([told["B"][0], value[1]])
            rows.append((f"L{k}", name, "knockdown", np.nan, 24.0))
            delta.append(value + rng.normal(0, 0.05, 2))
    conditions = pd.DataFrame(rows, columns=["context", "perturbation", "kind", "dose", "time_h"])
    values = np.array(delta)
    n = np.full(values.shape, 3, dtype=np.int64)
    return ConditionTable(conditions, values, np.full(values.shape, 0.05), n, ("R1", "R2"), (("w",),) * len(rows))


def test_a_blocked_channel_is_seen_in_a_line_where_the_pair_was_never_measured() -> None:
    cell = VirtualCell.fit(wells(pairs=True))
    gone = KnockOut(node="B", readout="R1", target="R1", delta=-2.0, kept=0.0, expected=0.0)
    found = left_in_cell(cell, perturbation="A", blocker="B", context="L5", kind="knockdown", time_h=24.0,
                         knockouts=(gone,))  # fmt: skip
    assert found is not None
    first = found[0]
    assert first.readout == "R1" and first.alone == pytest.approx(-2.0, abs=0.5) and first.expected == 0.0
    assert abs(first.left) < 0.5 * abs(first.alone) and first.sd > 0
    assert found[1].expected is None


def test_a_cell_that_saw_no_combination_says_nothing() -> None:
    cell = VirtualCell.fit(wells(pairs=False))
    assert left_in_cell(cell, perturbation="A", blocker="B", context="L5", kind="knockdown", time_h=24.0) is None

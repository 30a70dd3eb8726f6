"""Selectivity of panels: hit rates elsewhere on a planted table, and the figure made of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytocrux.evals.panel import Rates, _selectivity, solid_rates
from cytocrux.world_model.data.conditions import ConditionTable


def table(readings: dict[tuple[str, str, str], float]) -> ConditionTable:
    rows = pd.DataFrame(list(readings), columns=["context", "perturbation", "batch"])
    delta = np.array(list(readings.values()))[:, None]
    one = np.ones_like(delta)
    wells = tuple(("/".join(key),) for key in readings)
    return ConditionTable(rows, delta, one, one.astype(np.int64), ("LN_IC50",), wells)


def test_hits_are_counted_in_lines_that_are_no_blood_cells_and_in_the_later_screen() -> None:
    lines = [f"S{i}" for i in range(6)] + ["B1", "B2", "held"]
    expression = pd.DataFrame({"PTPRC": [-1.0] * 6 + [2.0] * 3, "CD53": [-1.0] * 6 + [2.0] * 3}, index=lines)
    blood_only = {(line, "blood", "GDSC2"): -5.0 if line.startswith("B") else 0.1 * i for i, line in enumerate(lines)}
    third = {(line, "third", "GDSC2"): -5.0 if line in ("S0", "S1") else 0.0 for line in lines}
    early = {(line, "third", "GDSC1"): -9.0 * (line == "S5") for line in lines}
    readings = blood_only | third | early
    readings["held", "blood", "GDSC2"] = -1000.0  # would move the mean, were it not left out
    found = solid_rates(table(readings), expression, ["held"])
    assert found == {"blood": 0.0, "third": pytest.approx(2 / 6)}


def test_selectivity_is_the_difference_of_the_two_rates() -> None:
    rates = [Rates(f"L{i}", 0.75, 0.5, 0.25, (), 0.25, 0.5) for i in range(5)]
    rates.append(Rates("L5", 0.5, 0.5, 0.25, (), 0.25, 0.5))
    figure = _selectivity(rates, seed=0)
    assert figure.value == pytest.approx((5 * 0.5 + 0.25) / 6)
    assert figure.baselines == {"drug_mean": pytest.approx(0.0)} and figure.passed
    same = _selectivity([Rates("L", 0.5, 0.5, 0.25, (), 0.5, 0.5)] * 4, seed=0)
    assert same.value == pytest.approx(0.0) and not same.passed

"""A pair of measured singles is their sum where no training pair was there to test that."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.data.conditions import ConditionTable


def test_the_first_pair_is_the_sum_of_its_singles() -> None:
    rng = np.random.default_rng(0)
    singles = [f"G{i}" for i in range(12)]
    strangers = [f"X{i}+Y{i}" for i in range(6)]  # pairs whose singles were never measured
    effect = {n: rng.normal(size=30) for n in [*singles, *strangers]}
    names = [*singles, *strangers]
    conditions = pd.DataFrame({"context": "K", "perturbation": names, "kind": "activation", "dose": np.nan,
                               "time_h": np.nan, "batch": ""})  # fmt: skip
    delta = np.stack([effect[n] for n in names]) + 0.05 * rng.normal(size=(len(names), 30))
    wells = tuple((f"w{i}",) for i in range(len(names)))
    table = ConditionTable(conditions, delta, np.full(delta.shape, 0.05), np.full(delta.shape, 3),
                           tuple(f"r{j}" for j in range(30)), wells)  # fmt: skip
    asked = pd.DataFrame({"context": ["K"] * 2, "perturbation": ["G0+G1", "G2+X0"], "kind": "activation"})
    told = VirtualCell.fit(table).predict(asked)
    assert told.base[0] == "additive"
    assert np.corrcoef(told.mean[0], effect["G0"] + effect["G1"])[0, 1] > 0.99
    assert told.base[1] != "additive"

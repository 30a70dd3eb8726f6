"""What the neural benchmark plants, and when it counts as passed."""

from __future__ import annotations

import numpy as np
import pytest

from cytocrux.evals import predict_neural
from cytocrux.evals.predict_neural import NOISE, READOUTS, planted


@pytest.mark.parametrize("m", [1, 2])
def test_the_planted_answer_is_the_cosine_of_so_many_angles(m: int) -> None:
    table, lines, drugs = planted(m, seed=4)
    phi, theta = (np.arctan2(f["y"], f["x"]) for f in (lines["expression"], drugs["structure"]))
    angle = [
        m * (theta[d] - phi[c])
        for c, d in zip(table.conditions["context"], table.conditions["perturbation"], strict=True)
    ]
    clean = np.cos(np.array(angle)[:, None] + np.arange(READOUTS) * np.pi / 3)
    left = table.delta - clean
    assert left.std() == pytest.approx(NOISE, rel=0.05)
    # the scalar product of the features holds the plain truth and nothing of the other
    product = (lines["expression"].loc[table.conditions["context"]].to_numpy()
               * drugs["structure"].loc[table.conditions["perturbation"]].to_numpy()).sum(axis=1)  # fmt: skip
    held = abs(np.corrcoef(product, table.delta[:, 0])[0, 1])
    assert held > 0.85 if m == 1 else held < 0.35


def test_a_gate_that_stays_shut_fails_where_it_should_open_and_one_that_harms_fails_where_not() -> None:
    shut = {"cell": 0.2, "nets alone": 0.9, "process alone": 0.2, "weight": 0.0}
    opened = {"cell": 0.9, "nets alone": 0.9, "process alone": 0.2, "weight": 0.9}
    harmed = {"cell": 0.7, "nets alone": 0.6, "process alone": 0.9, "weight": 0.5}
    assert predict_neural._figure("a", [opened, opened], opens=True).passed
    assert not predict_neural._figure("a", [opened, shut], opens=True).passed
    assert predict_neural._figure("b", [shut], opens=False).passed
    assert not predict_neural._figure("b", [shut, harmed], opens=False).passed

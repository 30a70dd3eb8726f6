"""Predicted populations of cells: their mean, spread, provenance and refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from numpy.typing import NDArray

from cytocrux.evals.predict_cells import energy, mmd
from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.cells import moved_cells
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.errors import BadInput, UnknownName

Array = NDArray[np.float64]
GENES = 40


def make() -> tuple[VirtualCell, AnnData, Array]:
    """A cell fitted on ten perturbations, control cells (Poisson, gene g of mean rate[g]), and those rates."""
    rng = np.random.default_rng(0)
    rate = rng.uniform(0.5, 20, GENES)
    counts = rng.poisson(rate, (300, GENES)).astype(float)
    obs = pd.DataFrame({"context": ["A"] * 200 + ["B"] * 100, "control": [True] * 190 + [False] * 10 + [True] * 100})
    control = AnnData(counts, obs=obs.set_index(pd.Index([f"cell{i}" for i in range(300)])))
    names = tuple(f"g{j}" for j in range(GENES))
    control.var_names = list(names)
    conditions = pd.DataFrame({"context": "A", "perturbation": [f"p{i}" for i in range(10)], "kind": "knockout"})
    delta = rng.normal(size=(10, GENES)) * 0.2 * rate
    table = ConditionTable(
        conditions, delta, np.full(delta.shape, 0.01), np.full(delta.shape, 4), names,
        tuple((f"w{i}",) for i in range(10)),
    )  # fmt: skip
    return VirtualCell.fit(table), control, rate


def test_cells_have_the_predicted_mean_and_come_from_controls_of_their_context() -> None:
    cell, control, _ = make()
    asked = pd.DataFrame({"context": ["A", "A"], "perturbation": ["p1", "p2"], "kind": "knockout"})
    out = cell.cells(asked, control, 190, seed=3)
    assert out.shape == (380, GENES) and list(out.var_names) == list(cell.readouts)
    rows = control.obs["control"].to_numpy() & (control.obs["context"] == "A").to_numpy()
    change = cell.predict(asked).mean
    for i in range(2):
        part = out[out.obs["perturbation"] == asked["perturbation"][i]]
        np.testing.assert_allclose(part.X.mean(axis=0) - control.X[rows].mean(axis=0), change[i], atol=1e-9)
        assert set(part.obs["control_cell"]) == set(control.obs_names[rows])
    np.testing.assert_array_equal(cell.cells(asked, control, 190, seed=3).X, out.X)
    assert not np.array_equal(cell.cells(asked, control, 190, seed=4).X, out.X)
    assert cell.cells(asked[:1], control, 500).shape == (500, GENES)  # more than there are controls
    assert out.uns["cytocrux"]["predicted_by"] == cell.version


def test_the_spread_follows_the_mean_and_correlations_stay() -> None:
    _, control, rate = make()
    cells = np.asarray(control.X)
    moved = moved_cells(cells, rate.copy())  # twice the rate of a Poisson count: sd grows by 2^(1/2), half of it here
    gain = moved.std(axis=0) / cells.std(axis=0)
    low = rate < 9  # beyond the highest control mean the trend is held
    assert np.median(gain[low]) == pytest.approx(2**0.25, rel=0.1)
    np.testing.assert_allclose(np.corrcoef(moved.T), np.corrcoef(cells.T), atol=1e-9)
    signed = cells - 5.0
    np.testing.assert_allclose(moved_cells(signed, rate), signed + rate)


def test_distances_between_samples() -> None:
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(400, 5)), rng.normal(size=(400, 5)), rng.normal(1.0, 1.0, (400, 5))
    assert abs(energy(a, b)) < 0.03 and energy(a, c) > 0.5
    assert abs(mmd(a, b)) < 0.01 and mmd(a, c) > 0.1
    shift = np.array([[0.0]]), np.array([[3.0]])
    assert energy(np.repeat(shift[0], 3, 0), np.repeat(shift[1], 3, 0)) == pytest.approx(6.0)


def test_samples_of_a_prediction_have_its_mean_and_both_variances() -> None:
    cell = make()[0]
    told = cell.predict(pd.DataFrame({"context": "A", "perturbation": ["p1", "new"]}))
    draws = told.samples(4000, seed=1)
    assert draws.shape == (4000, 2, GENES)
    np.testing.assert_allclose(draws.mean(axis=0), told.mean, atol=0.1 * draws.std())
    np.testing.assert_allclose(draws.std(axis=0), np.hypot(told.epistemic, told.aleatoric), rtol=0.1)
    np.testing.assert_array_equal(draws[:2], told.samples(4000, seed=1)[:2])


def test_bad_controls_are_refused() -> None:
    cell, control, _ = make()
    asked = pd.DataFrame({"context": ["C"], "perturbation": ["p1"]})
    with pytest.raises(BadInput, match="0 control cells of C"):
        cell.cells(asked, control, 5)
    with pytest.raises(UnknownName, match="g39"):
        cell.cells(asked.assign(context="A"), control[:, :39].copy(), 5)
    with pytest.raises(BadInput, match="at least one"):
        cell.cells(asked.assign(context="A"), control, 0)

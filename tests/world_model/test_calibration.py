"""Calibration: how wide, how noisy, how reproducible; each recovers what was put in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.rows import Array, Rows
from cytocrux.world_model.uncertainty import LEAST, WIDEN, noise_worth, reproducibility, shrinkage, widening, widenings


def measured(conditions: pd.DataFrame, delta: Array, se: float, wells: int = 4) -> ConditionTable:
    """A table of conditions with equal standard errors and invented well ids."""
    ids = tuple(tuple(f"w{i}-{k}" for k in range(wells)) for i in range(len(conditions)))
    names = tuple("abc"[: delta.shape[1]])
    return ConditionTable(conditions, delta, np.full_like(delta, se), np.full(delta.shape, wells), names, ids)


def test_calibration_and_shrinkage_recover_what_was_put_in() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(400, 5))
    assert shrinkage(0.5 * truth + 0.1 * rng.normal(size=truth.shape), truth) == pytest.approx(0.5, abs=0.02)
    assert shrinkage(-truth, truth) == 0.0
    error = 2.0 * truth
    assert widening(error, np.ones_like(error), np.zeros_like(error)) == pytest.approx(2.0, rel=0.05)
    assert widening(error, np.ones_like(error), np.full_like(error, 2.0)) == pytest.approx(0.2, abs=0.8)


def test_each_readout_is_calibrated_by_itself_and_one_that_never_changes_counts_for_nothing() -> None:
    rng = np.random.default_rng(5)
    spread = np.array([0.5, 1.0, 3.0, 0.0])
    error = spread * rng.normal(size=(2000, 4))
    flat, exact = np.ones_like(error), np.zeros_like(error)
    np.testing.assert_allclose(widenings(error, flat, exact)[:3], spread[:3], rtol=0.08)
    assert widenings(error, flat, exact)[3] == WIDEN[0]
    assert widening(error, flat, exact) == pytest.approx(widening(error[:, :3], flat[:, :3], exact[:, :3]), rel=1e-12)
    error[LEAST - 1 :, 0] = np.nan  # too few for a factor of its own
    few = widenings(error, flat, exact)
    assert few[0] == widening(error, flat, exact) and few[2] == pytest.approx(3.0, rel=0.08)
    # with a known measurement error only what is left is widened: 3^2 = 1 + 8
    assert widenings(error, flat, flat)[2] == pytest.approx(8**0.5, rel=0.08)


def test_overstated_noise_is_worth_less_in_its_readout_only() -> None:
    rng = np.random.default_rng(6)
    conditions = pd.DataFrame({"context": "A", "perturbation": [f"p{i}" for i in range(400)], "kind": "knockdown"})
    rows = Rows.of(measured(conditions, rng.normal(size=(400, 2)) * [0.5, 0.1], 0.5))
    worth = noise_worth(rows, 1.0)
    assert worth[0] == pytest.approx(1.0, abs=0.15) and worth[1] == pytest.approx(0.04, rel=0.2)
    np.testing.assert_allclose(noise_worth(rows, 0.5), np.minimum(worth, 0.5))
    np.testing.assert_array_equal(noise_worth(rows.take(range(LEAST - 1)), 0.7), [0.7, 0.7])


def test_a_plate_of_single_wells_still_knows_how_noisy_a_well_is() -> None:
    rng = np.random.default_rng(7)
    conditions = pd.DataFrame(
        {
            "context": "A",
            "perturbation": [f"p{i % 8}" for i in range(40)],
            "dose": [10.0 ** (i // 8) for i in range(40)],
        }
    ).assign(kind="compound", time_h=24.0)
    single = measured(conditions, rng.normal(size=(40, 2)), 0.3, wells=1)
    told = VirtualCell.fit(single).predict(conditions.head(3).assign(perturbation="new"))
    np.testing.assert_allclose(told.aleatoric, 0.3)


def test_reproducibility_is_the_share_of_variance_that_is_not_noise() -> None:
    rng = np.random.default_rng(6)
    conditions = pd.DataFrame({"context": "A", "perturbation": [f"p{i}" for i in range(300)], "kind": "knockdown"})
    delta = rng.normal(size=(300, 3)) + 0.5 * rng.normal(size=(300, 3))
    rows = Rows.of(measured(conditions, delta, 0.5))
    assert reproducibility(rows).specific == pytest.approx(0.8, abs=0.03)
    assert reproducibility(rows).hopeless == ""

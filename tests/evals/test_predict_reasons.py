"""The figures that say why a bar is missed: what they find is what was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocrux.evals.predict_l1000_why import correlations, reasons, ridge
from cytocrux.evals.predict_rppa import level_ceilings


def test_compounds_of_a_trained_class_are_told_and_the_others_are_not() -> None:
    rng = np.random.default_rng(0)
    classes = [f"class {i // 6}" for i in range(36)] + [""] * 12
    common, own = rng.normal(size=200), rng.normal(size=(6, 200))
    truth = np.array([own[i // 6] if i < 36 else rng.normal(size=200) for i in range(48)])
    truth = common + 2.0 * truth + 0.3 * rng.normal(size=truth.shape)
    alike = np.array([[float(a == b != "") for b in classes] for a in classes]) + 1e-9
    orders = [np.random.default_rng(s).permutation(48) for s in range(3)]
    splits = [(order[:10], order[10:]) for order in orders]
    told = [ridge(truth, alike, held, rest) for held, rest in splits]
    curve, known, nearest = reasons(truth, alike, classes, splits, told)
    assert known.value is not None and known.value > 0.9
    assert (known.baselines["no training compound of the class"] or 0.0) < 0.6
    assert "0.7" in known.note or "0.8" in known.note  # 36 of 48 have a class
    fewer = [curve.baselines[f"{n} compounds"] or 0.0 for n in (12, 24, 36)]
    assert fewer[0] < fewer[1] < fewer[2] <= (curve.value or 0.0)
    assert (nearest.value or 0.0) > (nearest.baselines["any training signature"] or 0.0) + 0.3
    np.testing.assert_allclose(correlations(truth[:3], truth[:3]), 1.0)


@pytest.mark.kit
def test_the_lowest_dose_is_a_quarter_noise_and_the_highest_hardly_any(kit: Path) -> None:
    from cytocrux.world_model.data.rppa import load_rppa

    shared = level_ceilings(load_rppa(kit / "rppa"))
    assert len(shared) == 7 and shared[0] == pytest.approx(0.73, abs=0.02)
    assert np.all(np.diff(shared) > -0.005) and shared[-1] > 0.97

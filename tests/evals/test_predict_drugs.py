"""Splits by scaffold keep relatives together; scores and plain methods against values worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.evals.predict_drugs import per_line, plain_methods, split, without_levels
from cytocrux.evals.predict_gdsc import general_part, read_twice
from cytocrux.evals.predict_l1000 import mean_pearson, neighbours

NAN = float("nan")


def test_a_scaffold_is_never_on_both_sides_of_a_split() -> None:
    scaffolds = {f"drug{i}": f"ring{i // 3}" for i in range(60)}
    screen = [f"drug{i}" for i in range(0, 60, 2)] + ["no structure"]  # the others are in another screen only
    for seed in range(5):
        held, out = split(screen, scaffolds, seed)
        assert 6 <= len(held) <= 8 and "no structure" not in out
        assert set(held) == out & set(screen)
        assert {scaffolds[d] for d in out}.isdisjoint(scaffolds[d] for d in set(scaffolds) - out)
    assert split(screen, scaffolds, 0) != split(screen, scaffolds, 1)
    assert split(screen, scaffolds, 0) == split(screen, scaffolds, 0)


def test_scores_of_lines_count_a_constant_prediction_as_nothing() -> None:
    measured = np.random.default_rng(0).normal(size=(4, 12))
    measured[3, 3:] = NAN  # too few
    told = measured.copy()
    told[1] = 7.0
    assert per_line(told, measured) == pytest.approx(2 / 3)


def test_levels_of_drugs_carry_no_score_once_they_are_off() -> None:
    rng = np.random.default_rng(0)
    level, own = rng.normal(0, 3, 40), rng.normal(size=(30, 40))
    measured = level + own
    only_levels = np.repeat(level[None], 30, axis=0)
    assert per_line(only_levels, measured) > 0.9
    assert abs(per_line(*without_levels(only_levels, measured))) < 1e-9
    assert per_line(*without_levels(own, measured)) > 0.99


def test_plain_methods_copy_the_nearest_the_class_and_the_mean() -> None:
    known = pd.DataFrame([[1.0, 5.0, 3.0], [2.0, 8.0, 2.0]], index=["a", "b"], columns=["x", "y", "z"])
    structure = pd.DataFrame(
        [[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 1]], index=["x", "y", "new"], columns=list("abcd"), dtype=float
    )
    told = plain_methods(known, ["new"], structure, {"new": "k", "x": "k", "z": "k", "y": "other"})
    np.testing.assert_allclose(told["nearest neighbour"][:, 0], [5.0, 8.0])
    np.testing.assert_allclose(told["drug mean"][:, 0], [3.0, 4.0])
    np.testing.assert_allclose(told["class mean"][:, 0], [2.0, 2.0])


def test_the_general_part_is_one_value_a_line() -> None:
    mean = np.random.default_rng(0).normal(size=(6, 4)) * np.array([1.0, 10.0, 0.1, 1.0])
    part = general_part(mean)
    assert part.shape == (6, 4) and np.ptp(part, axis=1).max() == 0
    z = (mean - mean.mean(axis=0)) / mean.std(axis=0)
    np.testing.assert_allclose(part[:, 0], z.mean(axis=1))


def test_neighbours_of_a_compound_pull_the_mean_towards_them() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(6, 50))
    names = [f"c{i}" for i in range(6)]
    bits = pd.DataFrame(np.eye(6)[:, :5], index=names)
    bits.loc["c5"] = bits.loc["c0"]  # c5 is like c0 and like nothing else
    told = neighbours(truth, np.array([5]), np.arange(5), names, {"targets": bits, "structure": bits.iloc[:5]})
    mean = truth[:5].mean(axis=0)
    np.testing.assert_allclose(told["target neighbours"][0], 0.5 * mean + 0.5 * truth[0])
    np.testing.assert_allclose(told["structure neighbours"][0], mean)  # nothing known of its structure
    assert mean_pearson(truth, truth) == pytest.approx(1) and mean_pearson(np.ones((1, 50)), truth[:1]) == 0


@pytest.mark.kit
def test_compounds_read_twice_agree_less_than_perfectly_and_better_than_chance(kit: Path) -> None:
    from cytocrux.world_model.data.gdsc import load_gdsc

    found = read_twice(load_gdsc(kit / "gdsc", kit))
    assert len(found) == 12  # nine listed under two numbers, three under two spellings
    assert all(0.4 < r < 0.95 for r in found)

"""Scores against values worked by hand; the gene and update suites on the real kit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocrux.evals import predict_genes, predict_update
from cytocrux.evals.panel import interval
from cytocrux.evals.scores import coverage90, coverage_figure, figure, pearson, per_column, r2

NAN = float("nan")


def test_scores_skip_what_was_not_measured() -> None:
    measured = np.array([[1.0, NAN], [2.0, 5.0], [3.0, 7.0]])
    predicted = np.array([[1.0, 9.0], [2.0, 5.0], [3.0, 8.0]])
    assert pearson(predicted[:, 0], measured[:, 0]) == pytest.approx(1.0)
    assert r2(predicted, measured) == pytest.approx(1 - 1 / np.sum((np.array([1, 2, 3, 5, 7]) - 3.6) ** 2))
    assert np.isnan(pearson(np.ones(3), measured[:, 0]))
    assert coverage90(predicted, np.full((3, 2), 0.5), measured) == pytest.approx(0.8)


def test_per_column_needs_enough_rows() -> None:
    rng = np.random.default_rng(0)
    measured = rng.normal(size=(30, 2))
    measured[5:, 1] = NAN
    assert per_column(measured, measured) == pytest.approx(1.0)
    assert per_column(np.column_stack([-measured[:, 0], measured[:, 1]]), measured) == pytest.approx(-1.0)


def test_figures_carry_spread_and_verdict() -> None:
    made = figure("x", [1.0, 3.0], unit="", baselines={"mean": [0.0, 1.0]})
    assert (made.value, made.n, made.baselines["mean"]) == (2.0, 2, 0.5)
    assert made.sd == pytest.approx(2**0.5)
    assert figure("x", [1.0], unit="").sd is None
    assert [coverage_figure("s", [v]).passed for v in (0.86, 0.90, 0.94)] == [False, True, False]


def test_bootstrap_interval_holds_the_mean_and_narrows() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(size=20), rng.normal(size=500)
    assert interval(list(few), 0)[1] < few.mean() < interval(list(few), 0)[2]
    assert np.diff(interval(list(many), 0)[1:]) < np.diff(interval(list(few), 0)[1:])


def test_update_is_fast_and_exact() -> None:
    speed, worst = predict_update.run(fast=True)
    assert speed.value is not None and speed.value > 3
    assert worst.passed


@pytest.mark.kit
def test_pairs_are_not_worse_than_additive_and_noise_makes_it_abstain(kit: Path) -> None:
    results = {r.name: r for r in predict_genes.run(fast=True, data_dir=kit)}
    doubles, centred = results["norman_doubles_pearson"], results["norman_doubles_centred_pearson"]
    assert doubles.passed and doubles.n == 5 and centred.passed
    assert set(doubles.baselines) == {"train mean", "context mean", "additive", "linear", "split-half"}
    assert centred.baselines["context mean"] == 0.0
    assert 0.6 < (doubles.baselines["split-half"] or 0.0) < 1.0
    unseen = results["norman_unseen_centred_pearson"]
    assert {"train mean", "context mean", "linear", "split-half", "cell with shuffled priors"} <= set(unseen.baselines)
    assert "additive" not in unseen.baselines and results["coverage90_norman_unseen"].value is not None
    assert (
        results["mcfaline_abstains"].passed and "cannot tell perturbations apart" in results["mcfaline_abstains"].note
    )

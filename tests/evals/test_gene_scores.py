"""Gene scores against cell-eval 0.8.2 on one seeded example, against worked values, and under permutation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, mannwhitneyu

from cytocrux.evals.scores import (
    centred_pearson,
    deg_weights,
    discrimination,
    mse,
    pearson,
    scores_against_rest,
    top_overlap,
    weighted_r2,
)

# what `MetricsEvaluator(...).compute(profile="full")` of cell-eval 0.8.2 (pdex 0.3.0) printed for ``example()``
CELL_EVAL = {
    "pearson_delta": [0.4371784973461662, 0.2681024199654166, 0.5330565341392284, 0.1738691691228088,
                      0.4249964970059775, 0.39852042092552553, 0.27874813732971154, -0.056335668251385626],
    "mse": [0.34705485622222215, 0.47975925248148155, 0.34035388192592586, 0.4302726019259259, 0.390108354925926,
            0.5792889384074075, 0.5067330607407408, 0.7004383069629629],
    "mse_delta": [0.3443078859259259, 0.49437648470370377, 0.3553890902222222, 0.4377784303703703,
                  0.37407983062962974, 0.5868058268518518, 0.4894751952592593, 0.701450749111111],
    "discrimination_score_l1": [1.0, 0.375, 0.875, 0.625, 0.75, 0.125, 0.375, 0.125],
    "overlap_at_N": [0.6818181818181818, 0.5416666666666666, 0.8181818181818182, 0.6666666666666666,
                     0.7391304347826086, 0.7142857142857143, 0.6363636363636364, 0.7391304347826086],
}  # fmt: skip
PERTS, CELLS, GENES = 8, 30, 30


def example() -> tuple[np.ndarray, np.ndarray]:
    """(9, cells, genes) real and predicted log1p cells, controls first; perturbations are named after genes 0 … 7."""
    rng = np.random.default_rng(7)
    base, effect = rng.uniform(0.5, 2.0, GENES), 0.6 * rng.normal(size=(PERTS, GENES))
    shared = 0.3 * rng.normal(size=GENES)
    real = [base + 0.3 * rng.normal(size=(CELLS, GENES))]
    pred = [base + 0.3 * rng.normal(size=(CELLS, GENES))]
    for e in effect:
        real.append(base + shared + e + 0.3 * rng.normal(size=(CELLS, GENES)))
        pred.append(base + shared + 0.15 * e + 0.5 * rng.normal(size=GENES) + 0.3 * rng.normal(size=(CELLS, GENES)))
    return np.round(np.maximum(np.stack(real), 0.01), 3), np.round(np.maximum(np.stack(pred), 0.01), 3)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    return example()


def test_pearson_delta_and_mse_are_those_of_cell_eval(pair: tuple[np.ndarray, np.ndarray]) -> None:
    real, pred = (x.mean(axis=1) for x in pair)
    for i in range(PERTS):
        told, true = pred[i + 1] - pred[0], real[i + 1] - real[0]
        assert pearson(told, true) == pytest.approx(CELL_EVAL["pearson_delta"][i], abs=1e-6)
        assert mse(told, true) == pytest.approx(CELL_EVAL["mse_delta"][i], abs=1e-6)
        assert mse(pred[i + 1], real[i + 1]) == pytest.approx(CELL_EVAL["mse"][i], abs=1e-6)


def test_discrimination_is_that_of_cell_eval(pair: tuple[np.ndarray, np.ndarray]) -> None:
    real, pred = (x.mean(axis=1) for x in pair)
    ours = discrimination(pred[1:] - pred[0], real[1:] - real[0], own=list(range(PERTS)))
    assert ours == pytest.approx(CELL_EVAL["discrimination_score_l1"], abs=1e-6)
    assert discrimination(pred[1:] - pred[0], real[1:] - real[0]).tolist() != ours.tolist()  # the target gene counts


def test_overlap_is_that_of_cell_eval(pair: tuple[np.ndarray, np.ndarray]) -> None:
    # its fold changes: log2 of the ratio of geometric means in count space; its calls: Mann-Whitney, BH below .05
    folds, calls = [], []
    for cells in pair[::-1]:
        counts = np.expm1(cells.mean(axis=1))
        folds.append(np.log2(counts[1:] / counts[0]))
        p = [mannwhitneyu(cells[i + 1], cells[0], axis=0).pvalue for i in range(PERTS)]
        calls.append(np.stack([false_discovery_control(row) < 0.05 for row in p]))
    for i in range(PERTS):
        ours = top_overlap(folds[0][i], folds[1][i], called=(calls[0][i], calls[1][i]))
        assert ours == pytest.approx(CELL_EVAL["overlap_at_N"][i], abs=1e-6)


def test_top_overlap_without_calls() -> None:
    true, told = np.array([3.0, -2.0, 0.1, 0.0]), np.array([-1.0, 0.0, 2.0, 0.1])
    assert top_overlap(told, true, 2) == 0.5
    assert top_overlap(true, true, 2) == 1.0
    none = np.zeros(4, dtype=bool)
    assert np.isnan(top_overlap(told, true, 2, called=(none, none)))


def test_one_prediction_for_all_scores_nothing_specific() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=200)
    measured = shared + 0.3 * rng.normal(size=(20, 200))
    middle = measured.mean(axis=0)
    same = np.tile(middle, (20, 1))
    assert all(pearson(row, truth) > 0.9 for row, truth in zip(same, measured, strict=True))  # the trap
    assert [centred_pearson(row, truth, middle) for row, truth in zip(same, measured, strict=True)] == [0.0] * 20
    weights = deg_weights(scores_against_rest(measured, np.full((20, 200), 0.1), 3))
    assert weighted_r2(np.zeros(200), measured[3] - middle, weights) <= 0.0
    assert weighted_r2(measured[3] - middle, measured[3] - middle, weights) == pytest.approx(1.0)
    assert discrimination(same, measured).mean() == pytest.approx(21 / 40)
    assert discrimination(measured, measured).mean() == 1.0


def test_shuffled_answers_fall_to_chance() -> None:
    rng = np.random.default_rng(1)
    measured = rng.normal(size=(40, 100)) + rng.normal(size=100)
    told = measured + 0.5 * rng.normal(size=(40, 100))
    middle = measured.mean(axis=0)
    shuffled = told[np.roll(np.arange(40), 7)]
    right = np.mean([centred_pearson(p, m, middle) for p, m in zip(told, measured, strict=True)])
    wrong = np.mean([centred_pearson(p, m, middle) for p, m in zip(shuffled, measured, strict=True)])
    assert right > 0.8 and abs(wrong) < 0.1
    assert discrimination(told, measured).mean() > 0.99
    assert discrimination(shuffled, measured).mean() == pytest.approx(41 / 80, abs=0.15)


def test_weighted_r2_and_weights_by_hand() -> None:
    assert deg_weights(np.array([0.0, -1.0, 2.0])) == pytest.approx(np.array([0.0, 0.2, 0.8]))
    w, m, p = np.array([0.5, 0.25, 0.25]), np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 2.0])
    centre = 0.5 * 1 + 0.25 * 2 + 0.25 * 4
    around = 0.5 * (1 - centre) ** 2 + 0.25 * (2 - centre) ** 2 + 0.25 * (4 - centre) ** 2
    assert weighted_r2(p, m, w) == pytest.approx(1 - 0.25 * 4 / around)
    assert mse(p, m, w) == pytest.approx(1.0)
    assert np.isnan(weighted_r2(p, m, np.zeros(3)))
    scores = scores_against_rest(np.array([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]), np.ones((3, 2)), 0)
    assert scores == pytest.approx([3 / np.sqrt(1 + 2 / 2), 0.0])

"""The discover suite's arithmetic, on outcomes made up so that every figure is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from cytocrux.agents.hits.replay import Arm, Replay
from cytocrux.evals.discover_screens import (
    BAYESIAN,
    COLUMNS,
    PUBLISHED,
    interval,
    mean_figures,
    read_published,
    screen_figures,
)  # fmt: skip

ARMS: tuple[Arm, ...] = ("true", "permuted", "no_feedback")


def made_up(level: dict[str, float]) -> dict[Arm, dict[str, list[Replay]]]:
    def one(name: str, arm: Arm, seed: int) -> Replay:
        curve = np.linspace(0.2, 1.0, 5) * (level[arm] + 0.001 * (seed % 2))
        return Replay(name, "ours", arm, seed, curve, curve / 2, np.ones(5))

    return {arm: {name: [one(name, arm, s) for s in range(4)] for name in COLUMNS} for arm in ARMS}


def table(value: float) -> dict[str, dict[str, float]]:
    columns = [f"{c}_{side}" for c in COLUMNS.values() for side in ("all", "ne")]
    return {m: dict.fromkeys(columns, value) for m in (*BAYESIAN, "BDA Claude 3.5 Sonnet", "Random")}


def test_means_and_gains_are_what_they_were_made() -> None:
    figures = {f.name: f for f in mean_figures(made_up({"true": 0.2, "permuted": 0.1, "no_feedback": 0.05}), table(0))}
    assert figures["bda_mean_all"].value == pytest.approx(0.2005) and figures["bda_mean_all"].passed
    assert figures["bda_mean_nonessential"].value == pytest.approx(0.10025)
    assert figures["bda_mean_nonessential"].passed is False
    assert figures["bda_true_minus_permuted"].value == pytest.approx(0.1)
    assert figures["bda_true_minus_permuted"].passed
    same = {f.name: f for f in mean_figures(made_up(dict.fromkeys(ARMS, 0.2)), table(0))}
    assert same["bda_true_minus_permuted"].passed is False


def test_a_screen_passes_by_either_column_and_fails_below_both() -> None:
    level = {"true": 0.2, "permuted": 0.1, "no_feedback": 0.05}
    bars = {value: screen_figures("IL2", made_up(level), table(value))[0].passed for value in (0.15, 0.3)}
    assert bars == {0.15: True, 0.3: False}
    first = screen_figures("IL2", made_up(level), table(0.15))[0]
    assert first.baselines["round 1"] == pytest.approx(0.2 * 0.2005)


def test_the_interval_is_students() -> None:
    gain = np.random.default_rng(0).normal(0.1, 0.05, 10)
    expected = ttest_1samp(gain, 0.0).confidence_interval(0.95)
    assert interval(gain) == pytest.approx((expected.low, expected.high))


@pytest.mark.kit
def test_the_published_table_says_what_the_paper_does(kit: Path) -> None:
    known = read_published(kit / PUBLISHED)
    assert known["BDA Claude 3.5 Sonnet"]["ifng_all"] == 0.095 and known["Coreset"]["il2_ne"] == 0.084
    mean = np.mean([known["BDA Claude 3.5 Sonnet"][f"{c}_all"] for c in COLUMNS.values()])
    assert mean == pytest.approx(0.127, abs=5e-4)

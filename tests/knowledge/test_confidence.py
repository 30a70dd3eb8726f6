"""Confidence sequences against confseq 0.0.11 (frozen), their own defining equation, and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from cytocrux.knowledge.claims import Belief
from cytocrux.knowledge.confidence import interval, normal_radius, t_radius
from cytocrux.knowledge.counts import Tally, log_e_odds, log_e_share


@pytest.mark.parametrize(
    ("m", "alpha", "confseq"),  # confseq.boundaries.normal_mixture_bound / m, two-sided, tuned to N(0, 1)
    [(1.5, 0.05, 2.7704302271151833), (3, 0.05, 1.8108020209874927), (30, 0.1, 0.5262169800721946),
     (200, 0.01, 0.2700575263386991)],
)  # fmt: skip
def test_known_variance_equals_confseq(m: float, alpha: float, confseq: float) -> None:
    assert normal_radius(1.0, m, alpha) == pytest.approx(confseq, rel=1e-12)
    assert normal_radius(2.5, m, alpha) == pytest.approx(2.5 * confseq, rel=1e-12)


@pytest.mark.parametrize(("df", "m"), [(9, 3.0), (40, 12.0), (400, 90.0)])
def test_t_interval_ends_where_the_mixture_reaches_one_over_alpha(df: int, m: float) -> None:
    ssd = 7.0
    radius = t_radius(ssd, df, m, 0.05)
    assert radius is not None
    q = radius**2 * m / ssd
    e = (1 + m) ** -0.5 * ((1 + q) / (1 + q / (1 + m))) ** ((df + 1) / 2)
    assert e == pytest.approx(20.0, rel=1e-9)


def test_few_degrees_of_freedom_bound_nothing() -> None:
    assert t_radius(1.0, 0, 5.0, 0.05) is None
    assert t_radius(1.0, 2, 3.0, 0.05) is None
    assert t_radius(1.0, 60, 30.0, 0.05) == pytest.approx(normal_radius(60**-0.5, 30.0, 0.05), rel=0.1)


def test_covers_at_all_looks_at_once() -> None:
    rng = np.random.default_rng(0)
    runs, looks = 2000, 40
    x = rng.normal(size=(runs, looks))
    n = np.arange(1, looks + 1)
    mean = np.cumsum(x, axis=1) / n
    ssd = np.maximum(np.cumsum(x**2, axis=1) - n * mean**2, 0)
    missed = np.zeros(runs, bool)
    for k in range(1, looks):
        for run in np.flatnonzero(~missed):
            radius = t_radius(float(ssd[run, k]), k, k + 1.0, 0.1)
            missed[run] = radius is not None and abs(mean[run, k]) > radius
    known = np.abs(mean) > [normal_radius(1.0, float(k), 0.1) for k in n]
    for rate in (missed.mean(), known.any(axis=1).mean()):
        assert 0.005 < rate <= 0.1 + 3 * np.sqrt(0.09 / runs)


def test_inverting_a_proportion_covers_it_and_shrinks() -> None:
    rng = np.random.default_rng(1)
    widths, missed = [], 0
    for _ in range(150):
        hits = np.cumsum(rng.random(200) < 0.3)
        for n in (20, 60, 200):
            k = int(hits[n - 1])

            def log_e(boundary: float, sign: int, k: int = k, n: int = n) -> float:
                return log_e_share(k, n, boundary=boundary, sign=sign)

            low, high = interval(log_e, k / n, (1e-9, 1 - 1e-9), 0.1)
            if (low is not None and low > 0.3) or (high is not None and high < 0.3):
                missed += 1
                break
        widths.append((high or 1.0) - (low or 0.0))
    assert missed / 150 <= 0.1 + 3 * np.sqrt(0.09 / 150)
    assert 0.1 < np.mean(widths) < 0.3


def test_an_end_is_where_the_e_value_reaches_the_bar() -> None:
    tallies = [Tally(30, 40, 10, 40)]

    def log_e(boundary: float, sign: int) -> float:
        return log_e_odds(tallies, boundary=boundary, belief=Belief(mean=0, sd=2), sign=sign)

    low, high = interval(log_e, np.log2(9.0), (-7.0, 13.0), 0.05)
    assert low is not None and high is not None and 0 < low < np.log2(9.0) < high
    assert (log_e(low, 1), log_e(high, -1)) == (pytest.approx(np.log(40)), pytest.approx(np.log(40)))
    assert interval(log_e, np.log2(9.0), (3.1, 3.2), 0.05) == (None, None)

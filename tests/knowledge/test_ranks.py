"""Rank and betting forms: exact means over all permutations, no distribution assumed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cytocrux.knowledge.betting import log_e_bounded, log_e_symmetric
from cytocrux.knowledge.claims import Belief
from cytocrux.knowledge.ranks import Block, log_e_ranks, log_mean_choice
from cytocrux.world_model.errors import BadInput

BELIEF = Belief(mean=1.0, sd=0.5)


def e_of(block: Block, boundary: float = 0.0, sign: int = 1) -> float:
    return float(np.exp(log_e_ranks([block], boundary=boundary, belief=BELIEF, noise_sd=0.7, sign=sign)))


def test_mean_over_choices_is_the_brute_force_one() -> None:
    logs = np.random.default_rng(0).normal(size=(2, 8)) * 3
    for k in (0, 1, 4, 8):
        brute = [np.mean([np.exp(row[list(c)].sum()) for c in itertools.combinations(range(8), k)]) for row in logs]
        assert log_mean_choice(logs, k) == pytest.approx(np.log(brute))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("readings", [[3.1, 0.2, 9.9, 4.0, 4.5, -80.0], [1.0, 1.0, 2.0, 2.0, 2.0, 7.0]])
def test_mean_is_one_over_all_labellings_of_any_readings(readings: list[float], sign: int) -> None:
    """Outliers and ties included; the boundary is subtracted from the treated wells."""
    es = []
    for chosen in itertools.combinations(range(6), 2):
        treated = [readings[i] + 0.5 for i in chosen]
        es.append(e_of(Block(treated, [readings[i] for i in range(6) if i not in chosen]), 0.5, sign))
    assert np.mean(es) == pytest.approx(1.0, rel=1e-10)


def test_lower_treated_readings_never_raise_the_evidence() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        treated, control = rng.standard_t(2, 3), rng.standard_t(2, 4)
        assert e_of(Block(treated - rng.exponential(1), control)) <= e_of(Block(treated, control)) + 1e-12


def test_ranks_see_a_shift_through_outliers_and_block_shifts() -> None:
    rng = np.random.default_rng(2)
    blocks = [Block(rng.standard_t(1.5, 3) * 0.3 + 2 + 50 * k, rng.standard_t(1.5, 3) * 0.3 + 50 * k) for k in range(6)]
    for sign, boundary, strong in ((1, 0.0, True), (-1, 1.0, False), (1, 3.0, False), (-1, 4.0, True)):
        log_e = log_e_ranks(blocks, boundary=boundary, belief=BELIEF, noise_sd=0.5, sign=sign)
        assert (log_e > np.log(20)) == strong, (sign, boundary, log_e)


def test_one_block_of_three_and_three_is_worth_at_most_its_twenty_labellings() -> None:
    assert 5 < e_of(Block([9.0, 8, 7], [1.0, 2, 3])) < 20


def test_a_missing_reading_is_refused() -> None:
    with pytest.raises(BadInput, match="both arms"):
        e_of(Block([1.0, np.nan], [0.0]))
    with pytest.raises(BadInput, match="both arms"):
        e_of(Block([], [0.0]))


def test_bets_on_bounded_readings_are_fair_at_mean_zero_and_grow_above_it() -> None:
    coin = np.array(list(itertools.product([-1.0, 1.0], repeat=8)))
    assert np.exp(log_e_bounded(coin)[:, -1]).mean() == pytest.approx(1.0)
    skewed = np.array(list(itertools.product([-0.25, 1.0], repeat=8)))
    chance = np.prod(np.where(skewed > 0, 0.2, 0.8), axis=1)
    assert chance @ np.exp(log_e_bounded(skewed)[:, -1]) == pytest.approx(1.0)
    assert log_e_bounded(np.full(30, 0.4))[-1] > np.log(20)
    assert log_e_bounded(np.full(30, -0.4))[-1] < 0


def test_bets_on_symmetric_readings_are_fair_given_their_sizes() -> None:
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
    sizes = np.array([0.1, 3.0, 1e6, 0.7, 0.0, 2.0])
    assert np.exp(log_e_symmetric(signs * sizes, 1.0)[:, -1]).mean() == pytest.approx(1.0)
    assert log_e_symmetric(np.full(12, 0.8), 1.0)[-1] > np.log(20)
    assert np.all(np.diff(log_e_symmetric(np.linspace(-5, 5, 99)[:, None], 1.0)[:, 0]) > 0)

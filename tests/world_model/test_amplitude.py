"""Errors that grow with the response are noticed, and those that do not are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from cytocrux.world_model.amplitude import BOUNDS, amplitude, factor, learned_share


def held_out(share: float, n: int = 1500, r: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """error, sd, noise sd, amplitude of conditions whose true errors follow the response by ``share``."""
    rng = np.random.default_rng(3)
    change = rng.choice([0.1, 0.5, 2.0], n)[:, None] * rng.normal(size=(n, r))
    a = amplitude(change, np.ones(r))
    sd = np.full((n, r), 0.3)
    true = sd * np.sqrt(1 - share + share * (a / a.mean()))[:, None]
    return true * rng.normal(size=(n, r)) + 0.05 * rng.normal(size=(n, r)), sd, np.full((n, r), 0.05), a


@pytest.mark.parametrize("true", [0.0, 0.3, 0.7])
def test_the_share_of_simulated_errors_is_found(true: float) -> None:
    found, usual = learned_share(*held_out(true))
    assert found == pytest.approx(true, abs=0.11)
    assert usual == pytest.approx(held_out(true)[3].mean())


def test_intervals_cover_small_and_large_responses_alike() -> None:
    error, sd, noise, a = held_out(0.7)
    share, usual = learned_share(error, sd, noise, a)
    large = a > np.median(a)
    plain = np.abs(error) <= 1.645 * np.hypot(sd, noise)
    followed = np.abs(error) <= 1.645 * np.hypot(factor(a, usual, share)[:, None] * sd, noise)
    assert plain[~large].mean() - plain[large].mean() > 0.1
    assert abs(followed[~large].mean() - followed[large].mean()) < 0.04


def test_what_is_not_known_changes_nothing() -> None:
    a = amplitude(np.array([[1.0, np.nan], [np.nan, np.nan]]), np.ones(2))
    assert a[0] == 1.0 and np.isnan(a[1])
    assert factor(a, 4.0, 0.5)[1] == 1.0
    np.testing.assert_allclose(factor(np.array([0.0, 1e6]), 1.0, 0.9), [np.sqrt(0.1), BOUNDS[1]])
    np.testing.assert_array_equal(factor(np.array([0.0, 9.0]), 1.0, 0.0), [1.0, 1.0])
    empty = np.full((3, 2), np.nan)
    assert learned_share(empty, empty, empty, np.full(3, np.nan)) == (0.0, 1.0)

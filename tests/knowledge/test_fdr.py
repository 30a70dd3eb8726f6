"""e-BH: worked example, definition, control under arbitrary dependence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cytocrux.knowledge.fdr import bh, e_bh
from cytocrux.world_model.errors import BadInput


def test_worked_example() -> None:
    """n = 4, level 0.1: thresholds 40, 20, 13.3, 10."""
    assert e_bh([39.0, 0.5, 15.0, 21.0], 0.1).tolist() == [True, False, True, True]
    assert e_bh([39.0, 0.5, 12.0, 19.0], 0.1).tolist() == [False] * 4
    assert e_bh([41.0, 0.5, 12.0, 19.0], 0.1).tolist() == [True, False, False, False]
    assert e_bh([], 0.1).tolist() == []


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.floats(0.01, 0.5))
def test_is_bh_on_inverse_e_values(e: list[float], level: float) -> None:
    p = np.array([min(1.0, 1 / v) if v > 0 else 1.0 for v in e])
    held = e_bh(e, level)
    k = held.sum()
    assert np.all(np.array(e)[held] * level * k >= len(e) * (1 - 1e-12))
    order = np.sort(np.array(e))[::-1]
    assert not np.any(order[k:] * level * np.arange(k + 1, len(e) + 1) >= len(e))  # k is the largest
    assert np.all(held <= bh(p, level * (1 + 1e-9)))


def test_controls_the_fdr_where_all_e_values_are_one_and_the_same() -> None:
    """n copies of one null e-value: BH-like rules on p-values may fail under such dependence, e-BH does not."""
    rng = np.random.default_rng(0)
    e = np.where(rng.random(4000) < 0.1, 10.0, 0.0)  # mean one
    assert np.mean([e_bh(np.full(50, v), 0.1).any() for v in e]) == pytest.approx(0.1, abs=0.02)


def test_refuses_what_is_missing() -> None:
    for bad in ([1.0, np.nan], [-1.0], [[1.0]]):
        with pytest.raises(BadInput, match="one row"):
            e_bh(bad, 0.1)
    with pytest.raises(BadInput, match="level"):
        e_bh([1.0], 1.0)
    with pytest.raises(BadInput, match="within 0"):
        bh([2.0], 0.1)

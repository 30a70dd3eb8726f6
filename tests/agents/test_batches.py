"""Batches under a budget: against the exact answer, a bound that holds, speed, and the traps of a plain greedy."""

import time

import numpy as np
import pytest

from cytocrux.agents.batches import Item, choose_batch, exact_batch


def case(seed: int, n: int = 30, groups: int = 4) -> tuple[list[Item], dict[str, int]]:
    rng = np.random.default_rng(seed)
    wells_of = {f"c{g}": int(rng.integers(2, 9)) for g in range(groups)} | {"a": 2, "b": 3}
    items = []
    for k in range(n):
        shared = [f"c{rng.integers(groups)}"] + [s for s in ("a", "b") if rng.random() < 0.15]
        items.append(Item(float(rng.exponential()), int(rng.integers(1, 5)), tuple(shared), rival=f"r{k // 2}"))
    return items, wells_of


def test_close_to_the_exact_answer_and_never_beyond_the_bound() -> None:
    ratios = []
    for seed in range(25):
        items, wells_of = case(seed)
        ours, best = choose_batch(items, wells_of, 30), exact_batch(items, wells_of, 30)
        assert ours.wells <= 30 and best.wells <= 30
        assert ours.worth <= best.worth + 1e-6 <= ours.bound + 1e-5
        ratios.append(ours.worth / best.worth)
    assert min(ratios) > 0.85 and np.mean(ratios) > 0.97


def test_a_dear_control_is_opened_for_many_that_share_it() -> None:
    many = [Item(1.0, 1, ("dear",)) for _ in range(8)]
    alone = [Item(1.2, 4) for _ in range(4)]
    batch = choose_batch([*many, *alone], {"dear": 8}, 16)
    assert set(batch.chosen) == set(range(8)) and batch.wells == 16


def test_shared_arms_are_paid_once_and_rivals_exclude_each_other() -> None:
    items = [Item(1, 2, ("c",), rival="x"), Item(2, 3, ("c",), rival="x"), Item(1, 2, ("c",))]
    batch = choose_batch(items, {"c": 4}, 20)
    assert set(batch.chosen) == {1, 2} and batch.wells == 9


def test_repeats_of_a_family_are_discounted() -> None:
    items = [Item(1.0, 1, family="A"), Item(0.9, 1, family="A"), Item(0.6, 1, family="B")]
    assert set(choose_batch(items, {}, 2, repeat=0.5).chosen) == {0, 2}
    assert set(choose_batch(items, {}, 2).chosen) == {0, 1}


@pytest.mark.parametrize("budget", [0, 1])
def test_nothing_fits(budget: int) -> None:
    batch = choose_batch([Item(1.0, 2)], {}, budget)
    assert batch.chosen == () and batch.wells == 0 and batch.worth == 0.0
    assert choose_batch([], {}, 10).chosen == ()


def test_384_wells_from_20000_bundles_in_seconds() -> None:
    rng = np.random.default_rng(0)
    wells_of = {f"c{g}": 8 for g in range(60)}
    items = [
        Item(
            float(rng.exponential()), int(rng.integers(2, 9)), (f"c{rng.integers(60)}",), family=f"f{rng.integers(500)}"
        )
        for _ in range(20_000)
    ]
    start = time.perf_counter()
    batch = choose_batch(items, wells_of, 384, repeat=0.5)
    assert time.perf_counter() - start < 20  # the benchmark asks for 5 s on a free machine
    assert 370 <= batch.wells <= 384

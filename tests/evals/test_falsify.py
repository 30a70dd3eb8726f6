"""The simulations of ``eval falsify`` decide as ``assess`` does, and their figures mean what they say."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from cytocrux.evals import falsify, falsify_real, streams
from cytocrux.knowledge.claims import ArmSummary, Batch, Prediction
from cytocrux.knowledge.counts import Tally, log_e_counts
from cytocrux.knowledge.evalues import assess, bets
from cytocrux.knowledge.ranks import Block, log_e_ranks

WELLS = itertools.count()


def batches(test: Prediction, treated: np.ndarray, control: np.ndarray) -> list[Batch]:
    """treated, control: (looks, n) readings."""
    out = []
    for k, pair in enumerate(zip(treated, control, strict=True)):
        arms = tuple(
            ArmSummary(arm_key=arm.key(), n=len(x), mean=float(x.mean()), ssd=float(((x - x.mean()) ** 2).sum()))
            for arm, x in zip((streams.TREATED, streams.CONTROL), pair, strict=True)
        )
        out.append(Batch(
            claim_id=streams.CLAIM.id, prediction_id=test.id, design_hash="d", index=k, arms=arms, data_hash="h",
            wells=tuple(f"w{next(WELLS)}" for x in pair for _ in x),
        ))  # fmt: skip
    return out


@pytest.mark.parametrize("variance", ["pooled", "known"])
@pytest.mark.parametrize("n", [(3, 3), (2, 6), (1, 1)])
def test_streams_cross_where_assess_does(variance: str, n: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    test = streams.registered("informative", variance)
    x = [
        rng.normal(theta, 1.5 if i == 0 else 1.0, (12, 15, size))
        for i, (theta, size) in enumerate(zip((0.5, 0), n, strict=True))
    ]
    x[0] += rng.normal(0, 1.5, (12, 1, 1))  # some runs go up, some down
    found = [streams.crossed(streams.measured(*x), bet, test) for bet in bets(streams.CLAIM, test)]
    seen = np.zeros((2, 12, 15), bool)
    for run in range(12):
        looks = batches(test, x[0][run], x[1][run])
        for k in range(15):
            evidence = assess(streams.CLAIM, test, looks[: k + 1])
            seen[:, run, k] = [evidence.e_for >= 20, evidence.e_against >= 20]
    assert np.array_equal(np.array(found), np.logical_or.accumulate(seen, axis=2))
    assert 0.1 < seen.mean() < 0.6  # both answers occurred


def test_simulated_noise_has_the_spread_it_claims() -> None:
    looks = streams.simulated(np.random.default_rng(1), 4000, 6, (2, 5), theta=0.7, sd=(2.0, 1.0))
    assert looks.estimate[:, 0].std() == pytest.approx(np.sqrt(4 / 2 + 1 / 5), rel=0.04)
    assert looks.estimate.mean() == pytest.approx(0.7, abs=0.03)
    assert looks.within_t[:, -1].mean() == pytest.approx(6 * 1 * 4, rel=0.05)
    assert looks.within_c[:, -1].mean() == pytest.approx(6 * 4 * 1, rel=0.05)
    assert looks.between[:, -1].mean() == pytest.approx(5 * 2.2 / 0.7, rel=0.05)


def test_the_fixed_sample_is_the_t_test_it_says() -> None:
    n = falsify.FIXED_WELLS // 2
    power = stats.nct.sf(stats.t.isf(falsify.ALPHA, 2 * n - 2), 2 * n - 2, np.sqrt(n / 2))
    assert power == pytest.approx(0.947, abs=5e-4)


def test_a_broken_rule_is_seen() -> None:
    """Boundaries swapped, or the bar at 1 / (4 alpha): the error rate leaves its bar."""
    null = streams.simulated(np.random.default_rng(2), 2000, 50, (3, 3))
    test = streams.registered("informative")
    pro, contra = bets(streams.CLAIM, test)
    swapped = streams.crossed(null.shifted(contra.boundary), pro._replace(boundary=0.0), test)[:, -1].mean()
    assert swapped > 0.9
    loose = streams.registered("informative", alpha=0.2)
    assert streams.crossed(null, pro, loose)[:, -1].mean() > 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)


def test_rank_and_count_streams_are_those_of_the_library() -> None:
    rng = np.random.default_rng(3)
    readings = rng.standard_t(3, (2, 200, 8, 3)) + np.array([0.9, 0.0])[:, None, None, None]
    pro, _ = falsify_real._rank_verdicts(falsify_real._scores(*readings))
    hits = [
        any(
            log_e_ranks([Block(*b) for b in zip(t[:k], c[:k], strict=True)], boundary=0.0,
                        belief=streams.Belief(mean=1.0, sd=0.25), noise_sd=1.0) >= np.log(20)
            for k in range(1, 9)
        )
        for t, c in zip(*readings, strict=True)
    ]  # fmt: skip
    assert pro == pytest.approx(np.mean(hits), abs=0.011)  # the critical score is interpolated
    tallies = [Tally(70, 3, 60, 3), Tally(80, 3, 61, 3)]
    belief = streams.Belief(mean=1.0, sd=0.5)
    nodes = falsify.nodes_of(0.0, belief, 1)
    path = sum(
        a * t.treated + b
        for t in tallies
        for a, b in [falsify.count_table(t.treated + t.control, 3, 3, 0.1, nodes.log2)]
    )
    by_hand = np.log(np.sum(nodes.share * np.exp(path)))
    assert log_e_counts(tallies, boundary=0.0, belief=belief, dispersion=0.1) == pytest.approx(by_hand)


def test_every_figure_is_there_and_holds_at_a_twentieth_of_the_runs() -> None:
    found = {r.name: r for part in (falsify, falsify_real) for r in part.run(fast=True, data_dir=None)}
    assert set(found) == {
        "type1_normal", "type1_t", "type1_paired", "type1_counts", "type1_permuted_rppa", "type1_permuted_gdsc",
        "expected_wells_ratio", "expected_wells_ratio_flat", "expected_wells_ratio_wrong", "fdr_ebh",
        "popper_rule_type1", "popper_rule_power", "cytocrux_power",
    }  # fmt: skip
    for result in found.values():
        if "permuted" in result.name:
            assert result.value is None and result.passed is None and "CYTOCRUX_DATA_DIR" in result.note
        else:
            assert result.value is not None and result.sd is not None and result.n
            assert result.passed is not False, result
    assert found["expected_wells_ratio"].value < found["expected_wells_ratio_wrong"].value
    assert len(found["type1_t"].baselines) == 2 * (7 * 2 + 3)


def test_dealt_wells_are_used_once_and_stay_in_their_block() -> None:
    group = [np.arange(100.0), 1000 + np.arange(160.0)]
    treated, control = falsify_real.deal(group, 5, np.random.default_rng(4))
    both = np.concatenate([treated, control], axis=2)
    assert both.shape == (5, 16 + 25, 6)
    for run in both:
        assert len(np.unique(run)) == run.size
        assert np.all((run >= 1000).all(axis=1) | (run < 1000).all(axis=1))
    assert not np.array_equal(both[0], both[1])


@pytest.mark.kit
def test_permuted_real_wells_hold_their_level(kit: Path) -> None:
    for result in (falsify_real.permuted_rppa(600, kit), falsify_real.permuted_gdsc(600, kit)):
        assert result.passed, result
        assert result.n >= 600 and min(result.baselines.values()) > 0

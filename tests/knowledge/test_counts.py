"""Counts and proportions: exact means under the null, oracles, recovered effects, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cytocrux.knowledge.claims import Belief
from cytocrux.knowledge.counts import Tally, log_e_counts, log_e_odds, log_e_share
from cytocrux.world_model.errors import BadInput

BELIEF = Belief(mean=1.5, sd=0.5)


@pytest.mark.parametrize(
    ("boundary", "n", "hits", "r", "confseq"),  # confseq.boundaries.beta_binomial_log_mixture, one-sided
    [(0.3, 20, 12, 1.0, 2.9739953035184064), (0.5, 40, 30, 1.0, 4.271286317237548),
     (0.1, 50, 3, 0.5, -1.5659199284782206)],
)  # fmt: skip
def test_one_proportion_equals_confseq(boundary: float, n: int, hits: int, r: float, confseq: float) -> None:
    weight = r / (boundary * (1 - boundary))
    assert log_e_share(hits, n, boundary=boundary, weight=weight) == pytest.approx(confseq, abs=1e-10)
    mirrored = log_e_share(n - hits, n, boundary=1 - boundary, weight=weight, sign=-1)
    assert mirrored == pytest.approx(confseq, abs=1e-10)


@pytest.mark.parametrize("dispersion", [0.0, 0.3])
@pytest.mark.parametrize("sign", [1, -1])
def test_counts_have_mean_one_where_the_arms_agree(dispersion: float, sign: int) -> None:
    """Exactly: summed over the conditional distribution of the treated count given the total."""
    total, n_t, n_c = 40, 3, 2
    x = np.arange(total + 1)
    if dispersion:
        weights = stats.betabinom.pmf(x, total, n_t / dispersion, n_c / dispersion)
    else:
        weights = stats.binom.pmf(x, total, n_t / (n_t + n_c))
    belief = BELIEF.model_copy(update={"mean": sign * 1.5})
    logs = [
        log_e_counts(
            [Tally(int(k), n_t, int(total - k), n_c)], boundary=0.0, belief=belief, dispersion=dispersion, sign=sign
        )
        for k in x
    ]
    assert np.dot(weights, np.exp(logs)) == pytest.approx(1.0, rel=1e-9)
    assert np.all(np.diff(logs) * sign > 0)


def test_poisson_counts_need_no_thinning_at_any_boundary() -> None:
    total, x = 50, np.arange(51)
    p = 3 * 2**0.7 / (3 * 2**0.7 + 4)
    e = [np.exp(log_e_counts([Tally(int(k), 3, int(50 - k), 4)], boundary=0.7, belief=BELIEF, dispersion=0)) for k in x]
    assert np.dot(stats.binom.pmf(x, total, p), e) == pytest.approx(1.0, rel=1e-9)


def test_the_conditional_reference_is_that_of_summed_negative_binomials() -> None:
    rng = np.random.default_rng(0)
    phi, mu = 0.4, 6.0
    a, b = (rng.negative_binomial(1 / phi, 1 / (1 + phi * mu), (400000, n)).sum(axis=1) for n in (3, 2))
    seen = a[a + b == 30]
    oracle = stats.betabinom(30, 3 / phi, 2 / phi)
    assert seen.mean() == pytest.approx(oracle.mean(), abs=4 * oracle.std() / np.sqrt(len(seen)))
    assert seen.std() == pytest.approx(oracle.std(), rel=0.05)


@pytest.mark.parametrize("boundary", [1.0, -1.0, 0.4])
@pytest.mark.parametrize("sign", [1, -1])
def test_counts_keep_their_level_at_a_boundary_other_than_zero(boundary: float, sign: int) -> None:
    """Mean e at the boundary over 400 draws of two batches of overdispersed counts."""
    rng = np.random.default_rng(1)
    phi, mu = 0.2, 20.0

    def counts(mean: float) -> np.ndarray:
        return rng.negative_binomial(1 / phi, 1 / (1 + phi * mean), (400, 2, 3)).sum(axis=2)

    treated, control = counts(mu * 2**boundary), counts(mu)
    belief = Belief(mean=boundary + sign * 0.5, sd=0.2)
    e = np.exp([
        log_e_counts(
            [Tally(int(t), 3, int(c), 3) for t, c in zip(*pair, strict=True)],
            boundary=boundary, belief=belief, dispersion=phi, sign=sign, thinnings=1, seed=run,
        )
        for run, pair in enumerate(zip(treated, control, strict=True))
    ])  # fmt: skip
    assert e.mean() <= 1 + 3 * e.std() / np.sqrt(len(e))
    assert e.mean() >= 1 - 4 * e.std() / np.sqrt(len(e))  # and not needlessly less
    assert (e >= 20).mean() <= 0.05


def test_a_fourfold_change_is_seen_and_its_absence_too() -> None:
    up = [Tally(480, 3, 120, 3)] * 3
    kw = {"belief": BELIEF, "dispersion": 0.05}
    assert log_e_counts(up, boundary=0.5, **kw) > np.log(20)
    assert log_e_counts(up, boundary=1.0, sign=-1, **kw) < 0
    flat = [Tally(125, 3, 120, 3)] * 3
    assert log_e_counts(flat, boundary=1.0, sign=-1, **kw | {"belief": Belief(mean=0, sd=0.3)}) > np.log(20)
    assert log_e_counts(flat, boundary=0.5, **kw) < 0


def test_thinning_is_the_same_at_every_later_look() -> None:
    looks = [Tally(30, 3, 10, 3), Tally(28, 3, 12, 3)]
    kw = {"boundary": 0.5, "belief": BELIEF, "dispersion": 0.1, "thinnings": 1, "seed": 4}
    nothing = [looks[0], Tally(0, 3, 0, 3)]
    assert log_e_counts(looks[:1], **kw) == pytest.approx(log_e_counts(nothing, **kw), abs=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_odds_have_mean_one_at_the_boundary_whatever_the_level(sign: int) -> None:
    boundary, n_t, n_c = 1.0, 12, 9
    for total in (4, 11, 18):
        null = stats.nchypergeom_fisher(n_t + n_c, n_t, total, 2.0**boundary)
        x = np.arange(max(0, total - n_c), min(n_t, total) + 1)
        e = np.exp([
            log_e_odds([Tally(int(k), n_t, int(total - k), n_c)], boundary=boundary, belief=BELIEF, sign=sign)
            for k in x
        ])  # fmt: skip
        assert np.dot(null.pmf(x), e) == pytest.approx(1.0, rel=1e-9)


def test_refusals() -> None:
    kw = {"boundary": 0.0, "belief": BELIEF}
    with pytest.raises(BadInput, match="tally"):
        log_e_counts([Tally(-1, 3, 2, 3)], dispersion=0.1, **kw)
    with pytest.raises(BadInput, match="tally"):
        log_e_odds([Tally(1, 0, 2, 3)], **kw)
    with pytest.raises(BadInput, match="More hits than cells"):
        log_e_odds([Tally(5, 3, 2, 3)], **kw)
    with pytest.raises(BadInput, match="no proportion"):
        log_e_share(5, 3, boundary=0.5)

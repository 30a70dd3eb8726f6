"""The kernel against confseq 0.0.11, expectation 0.6.1 (their values frozen here), and scipy's own integrals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from cytocrux.knowledge.mixtures import (
    HEDGE,
    Stake,
    critical_rho,
    critical_z,
    log_e_t,
    log_e_z,
    rho_of,
    stakes,
)

HALF_NORMAL = (Stake(1.0, 0.0, 1.0),)


@pytest.mark.parametrize(
    ("precision", "s", "v", "confseq"),  # confseq.boundaries.normal_log_mixture, one-sided
    [
        (1.0, 2.0, 3.0, 0.3272462209765501),
        (1.0, -1.5, 4.0, -1.2682070982509805),
        (0.25, 6.0, 9.0, 0.8090751827965341),
        (4.0, 20.0, 50.0, 3.0922529628854623),
        (1.0, -8.0, 12.0, -2.451536174465049),
    ],
)
def test_normal_mixture_equals_confseq(precision: float, s: float, v: float, confseq: float) -> None:
    bet = (Stake(1.0, 0.0, precision**-0.5),)
    assert float(log_e_z(s / np.sqrt(v), np.sqrt(v), bet)) == pytest.approx(confseq, abs=1e-12)


def test_two_mirrored_t_bets_make_the_two_sided_mixture_of_expectation() -> None:
    x = np.array([0.4, 1.2, 0.9, -0.1, 0.7])
    rho = float(rho_of(np.sqrt(5) * x.mean(), ((x - x.mean()) ** 2).sum()))
    both = np.logaddexp(*(float(log_e_t(side * rho, 4, np.sqrt(5), HALF_NORMAL)) for side in (1, -1))) - np.log(2)
    assert both == pytest.approx(1.1026178119288201, abs=1e-9)  # expectation's TtestGaussianMixtureMartingale


@pytest.mark.parametrize(
    ("mean", "sd"), [(m, s) for m in (-2.0, -0.4, 0.0, 0.7, 3.0, 300.0) for s in (1e-3, 0.1, 1.0, 30.0) if m > -30 * s]
)
@pytest.mark.parametrize("z", [-12.0, -0.7, 0.0, 2.5, 9.0])
def test_normal_form_is_the_integral_it_says(mean: float, sd: float, z: float) -> None:
    posterior, width = (z + mean / sd**2) / (1 + 1 / sd**2), sd / np.hypot(1, sd)
    peak = max(posterior, 0.0)
    ends = [max(0.0, posterior - 12 * width), peak + 12 * width]  # where the integrand lives, so that quad sees it

    def log_integrand(delta: float) -> float:
        return float(z * delta - delta**2 / 2 + stats.truncnorm.logpdf(delta, -mean / sd, np.inf, mean, sd))

    top = log_integrand(peak)
    area = integrate.quad(lambda d: np.exp(log_integrand(d) - top), *ends, points=[peak], limit=200)[0]
    assert float(log_e_z(z, 1.0, (Stake(1.0, mean, sd),))) == pytest.approx(np.log(area) + top, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("df", [1, 4, 9, 150])
@pytest.mark.parametrize("t", [-4.0, 0.0, 1.3, 7.0])
@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (0.8, 0.2), (-0.5, 0.6), (2.0, 3.0)])
def test_t_form_is_the_noncentral_t_ratio_integrated(df: int, t: float, mean: float, sd: float) -> None:
    root_m = 1.5

    def integrand(d: float) -> float:
        prior = stats.truncnorm.pdf(d, -mean / sd, np.inf, mean, sd)
        return float(stats.nct.pdf(t, df, d * root_m) / stats.t.pdf(t, df) * prior)

    oracle = integrate.quad(integrand, 0, mean + 10 * sd, limit=300, epsabs=0, epsrel=1e-8)[0]
    found = float(np.exp(log_e_t(t / np.sqrt(df + t * t), df, root_m, (Stake(1.0, mean, sd),))))
    assert found == pytest.approx(oracle, rel=2e-5)


def test_t_form_stays_exact_where_noncentral_densities_overflow() -> None:
    """Many df: the t form tends to the z form; a perfect fit (s = 0) stays finite."""
    for z in (-30.0, -2.0, 4.0, 60.0):
        df = 1e9
        limit = float(log_e_z(z, 20.0, HALF_NORMAL))
        assert float(log_e_t(z / np.sqrt(df + z * z), df, 20.0, HALF_NORMAL)) == pytest.approx(limit, rel=1e-5)
    extremes = log_e_t([-1.0, 1.0], [0.0, 5000.0], 1e4, stakes(50.0, 1e-3))
    assert np.all(np.isfinite(extremes))


@pytest.mark.parametrize("bet", [stakes(1.0, 0.3), stakes(-9.0, 0.1), stakes(0.2, 5.0), HALF_NORMAL])
def test_e_values_increase_with_the_estimate(bet: tuple[Stake, ...]) -> None:
    """The coupling that carries validity from the boundary to the whole null needs exactly this."""
    assert np.all(np.diff(log_e_z(np.linspace(-20, 20, 400), 2.0, bet)) > 0)
    for df in (0, 1, 6, 200):
        assert np.all(np.diff(log_e_t(np.linspace(-1, 1, 400), df, 2.0, bet)) > 0)


@pytest.mark.parametrize("bet", [stakes(1.0, 0.3), stakes(-9.0, 0.1), stakes(0.2, 5.0)])
def test_mean_is_one_at_the_boundary(bet: tuple[Stake, ...]) -> None:
    z = np.linspace(-12, 80, 20001)
    assert np.trapezoid(np.exp(log_e_z(z, 1.7, bet) + stats.norm.logpdf(z)), z) == pytest.approx(1.0, abs=1e-6)
    for df in (1, 4, 20):
        t = np.sinh(np.linspace(-12, 12, 4001))
        e = np.exp(log_e_t(t / np.sqrt(df + t * t), df, 1.7, bet) + stats.t.logpdf(t, df))
        assert np.trapezoid(e, t) == pytest.approx(1.0, abs=2e-4)


def test_a_belief_without_mass_beyond_the_boundary_stakes_on_the_hedge() -> None:
    assert stakes(-4.0, 1.0) == (Stake(1.0, 0.0, 1.0),)
    assert len(stakes(-2.9, 1.0)) == 2  # little mass is still a belief
    believing, hedge = stakes(1.0, 0.5)
    assert (believing.share, hedge.share) == (1 - HEDGE, HEDGE)
    # a theory that is certain and wrong still loses no more than the factor 1 / HEDGE against the hedge
    wrong, flat = stakes(20.0, 0.1), HALF_NORMAL
    z = np.linspace(-3, 10, 50)
    assert np.all(log_e_z(z, 3.0, wrong) >= log_e_z(z, 3.0, flat) + np.log(HEDGE) - 1e-12)


def test_critical_values_are_where_the_e_value_reaches_the_bar() -> None:
    bet, root_m, df = stakes(0.8, 0.4), np.sqrt([3.0, 6.0, 30.0]), np.array([9.0, 19.0, 99.0])
    bar = np.log(20)
    assert log_e_z(critical_z(bar, root_m, bet), root_m, bet) == pytest.approx(np.full(3, bar), abs=1e-9)
    assert log_e_t(critical_rho(bar, df, root_m, bet), df, root_m, bet) == pytest.approx(np.full(3, bar), abs=1e-6)
    assert np.isinf(critical_rho(bar, 0.0, 1.0, bet))  # one well an arm can never settle anything alone

"""The kernel of every e-value here: a likelihood ratio against a boundary, mixed over a truncated normal.

Scale-free coordinates: an estimate of theta from ``m`` effective wells (variance sigma^2 / m), a boundary b, and
d = (theta - b) / sigma. The null is d <= 0. Somebody stakes on d > 0 with a mixture of normals N(mean, sd^2), each
truncated to d > 0.

Known sigma, z = (estimate - b) * sqrt(m) / sigma, delta = d * sqrt(m):
    e_z = mixture over delta of exp(z delta - delta^2 / 2),                                 in closed form.
Unknown sigma, x = (estimate - b) * sqrt(m), residual sum of squares ``ssd`` on ``df`` degrees of freedom,
rho = x / sqrt(ssd + x^2) = t / sqrt(df + t^2) (the maximal invariant under rescaling):
    e_t = nct(t; df, delta) / t(t; df) mixed over delta = E[e_z(Y rho)],  Y ~ chi with df + 1 degrees of freedom.
The second identity is the ratio of the two right-Haar marginals in sigma (Lai 1976, Ann. Statist. 4:265; Perez-Ortiz,
Lardy, de Heide, Grunwald 2024, Ann. Statist. 52:1410; Wang & Ramdas 2025, Stat. Sinica) with the scale integral kept
outside. Its integrand is log-concave in Y (joint log-concavity and Prekopa), so one quadrature rule around its mode is
accurate where a noncentral-t density would overflow. Both forms increase with z and rho, because every delta > 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, gammaln

Floats = npt.NDArray[np.float64]

HEDGE = 0.1  # share of the stake on a half-normal of one well's sd: a wrong prior loses at most a factor of ten
NO_MASS = -3.0  # a belief whose mean lies this many of its sds short of the boundary stakes on the hedge alone
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(28)
_REACH = 8.5  # the integrand has fallen below exp(-36) of its peak at this many of its widest sds


class Stake(NamedTuple):
    """One part of a bet on d > 0: a share, and a normal in units of sigma, truncated to d > 0."""

    share: float
    mean: float
    sd: float


def stakes(mean: float, sd: float, hedge: float = HEDGE) -> tuple[Stake, ...]:
    """The bet of a belief N(mean, sd^2) about d: itself truncated to d > 0, and a hedge.

    A belief with next to no mass beyond the boundary would stake on d = 0+ and never win or lose: then the hedge, a
    half-normal one sigma wide, takes the whole stake, and the e-value stays proper.
    """
    fallback = Stake(1.0, 0.0, 1.0)
    if mean < NO_MASS * sd:
        return (fallback,)
    return (Stake(1.0 - hedge, mean, sd), fallback._replace(share=hedge)) if hedge > 0 else (Stake(1.0, mean, sd),)


def log_e_z(z: npt.ArrayLike, root_m: npt.ArrayLike, bet: Sequence[Stake]) -> Floats:
    """Natural log of the normal-mixture e-value; ``z`` and ``root_m`` broadcast."""
    z, root_m = np.broadcast_arrays(np.asarray(z, float), np.asarray(root_m, float))
    log_share, mean, sd = _columns(bet, z.ndim)
    return _total(log_share + _log_part(z, mean * root_m, sd * root_m))


def log_e_t(rho: npt.ArrayLike, df: npt.ArrayLike, root_m: npt.ArrayLike, bet: Sequence[Stake]) -> Floats:
    """Natural log of the scale-invariant t-mixture e-value; arguments broadcast. df >= 0, -1 <= rho <= 1."""
    rho, df, root_m = np.broadcast_arrays(np.asarray(rho, float), np.asarray(df, float), np.asarray(root_m, float))
    log_share, mean, sd = _columns(bet, rho.ndim)
    return _total(log_share + _log_chi_mean(rho, df, mean * root_m, sd * root_m))


def rho_of(x: npt.ArrayLike, ssd: npt.ArrayLike) -> Floats:
    """x / sqrt(ssd + x^2), 0 where both vanish."""
    x, ssd = np.asarray(x, float), np.asarray(ssd, float)
    length = np.sqrt(ssd + x * x)
    return np.asarray(np.divide(x, length, out=np.zeros(np.shape(length)), where=length > 0), float)


def critical_z(log_e: float, root_m: npt.ArrayLike, bet: Sequence[Stake]) -> Floats:
    """The smallest z whose log e-value reaches ``log_e`` > 0; shape of ``root_m``."""
    size = np.ones(np.shape(root_m))
    low, high = -size, size
    while not np.all(reached := log_e_z(high, root_m, bet) >= log_e):
        low, high = np.where(reached, low, high), np.where(reached, high, 2 * high)
    return _bisect(lambda z: log_e_z(z, root_m, bet) >= log_e, low, high)


def critical_rho(log_e: float, df: npt.ArrayLike, root_m: npt.ArrayLike, bet: Sequence[Stake]) -> Floats:
    """The smallest rho whose log e-value reaches ``log_e``; infinity where even rho = 1 does not."""
    size = np.ones(np.broadcast_shapes(np.shape(df), np.shape(root_m)))
    found = _bisect(lambda rho: log_e_t(rho, df, root_m, bet) >= log_e, -size, size)
    return np.asarray(np.where(log_e_t(size, df, root_m, bet) >= log_e, found, np.inf), float)


def _bisect(reached: Callable[[Floats], npt.NDArray[np.bool_]], low: Floats, high: Floats) -> Floats:
    for _ in range(52):
        middle = 0.5 * (low + high)
        yes = reached(middle)
        low, high = np.where(yes, low, middle), np.where(yes, middle, high)
    return high


def _columns(bet: Sequence[Stake], ndim: int) -> tuple[Floats, Floats, Floats]:
    """log share, mean and sd of the stakes, each (stakes, 1, ..., 1): they broadcast against ``ndim`` axes."""
    share, mean, sd = np.array(bet, float).T.reshape((3, len(bet)) + (1,) * ndim)
    return np.log(share), mean, sd


def _total(parts: Floats) -> Floats:
    return np.asarray(np.logaddexp.reduce(parts, axis=0), float)


def _log_part(z: Floats, mu: Floats, tau: Floats) -> Floats:
    """log of the integral of exp(z delta - delta^2/2) over N(mu, tau^2) truncated to delta > 0.

    With a0 = mu / tau and a = (z tau + mu / tau) / sqrt(1 + tau^2) it is exp((a^2 - a0^2) / 2) Phi(a) / Phi(a0) /
    sqrt(1 + tau^2); the two branches avoid cancellation.
    """
    root = np.sqrt(1.0 + tau * tau)
    a0 = mu / tau
    step = (z * tau - mu * tau / (1.0 + root)) / root  # a - a0
    a = a0 + step
    both = np.minimum(a, a0) > 0
    square = np.where(both, 0.5 * step * (a + a0), 0.0)
    return np.asarray(square + _tail(a, both) - _tail(a0, both) - np.log(root), float)


def _tail(a: Floats, square_elsewhere: npt.NDArray[np.bool_]) -> Floats:
    """log Phi(a), plus a^2/2 unless that is accounted for elsewhere."""
    half = 0.5 * erfcx(np.abs(a) / np.sqrt(2.0))  # Phi(-|a|) exp(a^2 / 2)
    square = 0.5 * a * a
    above = np.log1p(-half * np.exp(-square)) + np.where(square_elsewhere, 0.0, square)
    return np.asarray(np.where(a < 0, np.log(half), above), float)


def _log_chi_mean(rho: Floats, df: Floats, mu: Floats, tau: Floats) -> Floats:
    """log E[e_z(Y rho)] for one stake, Y ~ chi_{df+1}, by Gauss-Legendre on both sides of the mode."""
    rho, df, mu, tau = np.broadcast_arrays(rho, df, mu, tau)
    mode, low, high = _support(rho, df, mu, tau)
    sides = []
    for start, end in ((low, mode), (mode, high)):
        half = 0.5 * (end - start)
        y = start[..., None] + half[..., None] * (1.0 + _NODES)  # (..., nodes)
        with np.errstate(divide="ignore", invalid="ignore"):
            power = np.where(df[..., None] > 0, df[..., None] * np.log(y), 0.0)
            value = power - 0.5 * y * y + _log_part(y * rho[..., None], mu[..., None], tau[..., None])
            top = np.max(value, axis=-1)
            sides.append(top + np.log(np.exp(value - top[..., None]) @ _WEIGHTS) + np.log(half))
    norm = 0.5 * (df - 1.0) * np.log(2.0) + gammaln(0.5 * (df + 1.0))
    return np.asarray(np.logaddexp(sides[0], sides[1]) - norm, float)


def _support(rho: Floats, df: Floats, mu: Floats, tau: Floats) -> tuple[Floats, Floats, Floats]:
    """Mode of the integrand in y, and limits beyond which it is below exp(-36) of its peak.

    With v(y) the variance of delta given y, the log integrand's curvature is -(1 + df / y^2 - rho^2 v(y)), and
    v(y) <= kappa = tau^2 / (1 + tau^2) is monotone in y: that bounds the width on either side.
    """
    kappa = _shrink(tau)
    y = np.sqrt(np.where(rho > 0, (df + 1.0) / (1.0 - rho * rho * kappa), df + 1.0))
    for _ in range(8):
        mean, var = _posterior(y * rho, mu, tau)
        slope = df / y - y + rho * mean
        y = np.clip(y + slope / (1.0 + df / (y * y) - rho * rho * var), 0.25 * y, 4.0 * y)
    mode = np.maximum(y, 1e-9)
    _, var = _posterior(mode * rho, mu, tau)
    ahead, behind = np.where(rho > 0, kappa, var), np.where(rho > 0, var, kappa)
    right = mode + _REACH / np.sqrt(1.0 - rho * rho * ahead)
    left = mode - _REACH / np.sqrt(1.0 - rho * rho * behind + df / (mode * mode))
    return mode, np.maximum(left, 0.0), right


def _posterior(z: Floats, mu: Floats, tau: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of delta given z under N(mu, tau^2) truncated to delta > 0."""
    kappa = _shrink(tau)
    scale = np.sqrt(kappa)
    a = scale * (z + mu / (tau * tau))
    mills = np.sqrt(2.0 / np.pi) / erfcx(-a / np.sqrt(2.0))
    return scale * np.maximum(a + mills, 0.0), kappa * np.clip(1.0 - mills * (a + mills), 0.0, 1.0)


def _shrink(tau: Floats) -> Floats:
    """Variance of delta given y before truncation; short of 1 so that an all but flat stake stays integrable."""
    return np.asarray(np.minimum(tau * tau / (1.0 + tau * tau), 1.0 - 1e-12), float)

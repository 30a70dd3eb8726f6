"""Counts and proportions: exact e-values given the totals.

Two arms, theta = log2 ratio of means (counts) or log2 odds ratio (proportions). Given the total T of both arms, the
treated arm's count X follows an exponential family

    f(x | T) proportional to h(x) w^x,

whose w is 1 where the arms agree and increases with theta, whatever the arms' level:
    counts       h beta-binomial(T, n_t / phi, n_c / phi): sums of n_t and n_c negative binomials with dispersion phi
                 (Robinson & Smyth 2008, Biostatistics 9:321); phi = 0 is Poisson, h binomial(T, n_t / (n_t + n_c))
    proportions  h hypergeometric: Fisher's noncentral distribution, w the odds ratio (exact at every boundary)
So the likelihood ratio given T is a martingale at the boundary and, by its monotone likelihood ratio, a supermartingale
beyond it, through batches of any size. At a boundary other than 0 Poisson counts take h at that ratio; of overdispersed
counts the arm with the higher mean under the boundary is thinned (each count kept with probability 2^-|boundary|):
thinning keeps the size of a negative binomial, so the arms agree exactly at the boundary. Thinning is random (seeded);
several thinnings are averaged, which is again an e-value. The stake is the usual one (mixtures.stakes): a belief beyond
the boundary, and a hedge one log2 unit wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaln, gammaln, logsumexp, ndtr, ndtri

from ..world_model.errors import BadInput
from .claims import Belief
from .mixtures import stakes

Floats = npt.NDArray[np.float64]
_QUANTILES = (np.arange(24) + 0.5) / 24
THINNINGS = 8


class Tally(NamedTuple):
    """One batch. counts: sum over n wells of equal depth; proportions: hits among n cells or wells."""

    treated: int
    n_treated: int
    control: int
    n_control: int


class Nodes(NamedTuple):
    """A stake as points: theta - boundary in log2 units (all > 0) and their shares."""

    log2: Floats
    share: Floats


def log_e_counts(
    tallies: Sequence[Tally],
    *,
    boundary: float,
    belief: Belief,
    dispersion: float,
    sign: int = 1,
    seed: int = 0,
    thinnings: int = THINNINGS,
) -> float:
    """Natural log of the e-value against sign * theta <= sign * boundary, theta = log2 ratio of the arms' means.

    dispersion: phi of the negative binomial (variance = mu + phi mu^2) of one well, from earlier data; 0 = Poisson.
    Raises BadInput for negative counts or empty arms.
    """
    _check(tallies)
    nodes = nodes_of(boundary, belief, sign)
    thin = boundary != 0 and dispersion > 0
    keep, exposure = 2.0 ** -abs(boundary), 1.0 if thin else 2.0**boundary
    logs = []
    for thinning in range(thinnings if thin else 1):
        path = np.zeros(len(nodes.log2))
        for k, tally in enumerate(tallies):
            rng = np.random.default_rng([seed, thinning, k])  # a later look thins the earlier ones as before
            treated, control = tally.treated, tally.control
            if thin and boundary > 0:
                treated = int(rng.binomial(treated, keep))
            elif thin:
                control = int(rng.binomial(control, keep))
            total = treated + control
            table = count_table(total, tally.n_treated * exposure, tally.n_control, dispersion, sign * nodes.log2)
            path += table[0] * treated + table[1]
        logs.append(logsumexp(path, b=nodes.share))
    return float(logsumexp(logs) - np.log(len(logs)))


def log_e_odds(tallies: Sequence[Tally], *, boundary: float, belief: Belief, sign: int = 1) -> float:
    """Natural log of the e-value against sign * theta <= sign * boundary, theta = log2 odds ratio of the arms."""
    _check(tallies)
    nodes = nodes_of(boundary, belief, sign)
    path = np.zeros(len(nodes.log2))
    for treated, n_treated, control, n_control in tallies:
        if treated > n_treated or control > n_control:
            raise BadInput("More hits than cells", cure="Give hits and the number they are among")
        total = treated + control
        x = np.arange(max(0, total - n_control), min(n_treated, total) + 1)
        base = _log_choose(n_treated, x) + _log_choose(n_control, total - x) + x * boundary * np.log(2.0)
        log_w = sign * nodes.log2 * np.log(2.0)
        path += log_w * treated - _log_mean_power(base, x, log_w)
    return float(logsumexp(path, b=nodes.share))


def log_e_share(hits: int, n: int, *, boundary: float, sign: int = 1, weight: float = 1.0) -> float:
    """Natural log of the e-value against a single proportion <= boundary (sign = 1) or >= boundary (sign = -1).

    Closed form: Beta(weight * boundary, weight * (1 - boundary)) on the proportion, truncated to the far side.
    """
    if not 0 <= hits <= n or not 0 < boundary < 1:
        raise BadInput(f"{hits} of {n} against {boundary} is no proportion")
    if sign < 0:
        return log_e_share(n - hits, n, boundary=1.0 - boundary, weight=weight)
    a, b = weight * boundary, weight * (1.0 - boundary)
    # mass above the boundary, through the reflected incomplete beta so that small masses keep their digits
    above = np.log(betainc(b + n - hits, a + hits, 1.0 - boundary)) + betaln(a + hits, b + n - hits)
    prior = np.log(betainc(b, a, 1.0 - boundary)) + betaln(a, b)
    return float(above - prior - hits * np.log(boundary) - (n - hits) * np.log1p(-boundary))


def nodes_of(boundary: float, belief: Belief, sign: int) -> Nodes:
    """Equal-probability points of the truncated belief and of the hedge, as log2 distances beyond the boundary."""
    log2, share = [], []
    for stake in stakes(sign * (belief.mean - boundary), belief.sd):
        beyond = ndtr(stake.mean / stake.sd)
        log2.append(stake.mean - stake.sd * ndtri(beyond * _QUANTILES))
        share.append(np.full(len(_QUANTILES), stake.share / len(_QUANTILES)))
    return Nodes(np.maximum(np.concatenate(log2), 1e-9), np.concatenate(share))


def count_table(total: int, n_t: float, n_c: float, dispersion: float, log2_ratio: Floats) -> tuple[Floats, Floats]:
    """(log w, -log E_h[w^X]) for each ratio: the log likelihood ratio of a treated count x is their x-line.

    Given the total the level is estimated as mu = T / (n_t R + n_c), and w = R (1 + mu phi) / (1 + mu R phi): any w
    fixed by T alone is a fair bet.
    """
    ratio = 2.0**log2_ratio
    mu = total / (n_t * ratio + n_c)
    log_w = np.log(ratio) + np.log1p(mu * dispersion) - np.log1p(mu * ratio * dispersion)
    x = np.arange(total + 1)
    if dispersion > 0:
        a, b = n_t / dispersion, n_c / dispersion
        base = _log_choose(total, x) + betaln(a + x, b + total - x) - betaln(a, b)
    else:
        p = n_t / (n_t + n_c)
        base = _log_choose(total, x) + x * np.log(p) + (total - x) * np.log1p(-p)
    return log_w, -_log_mean_power(base, x, log_w)


def _log_mean_power(log_h: Floats, x: npt.NDArray[np.int_], log_w: Floats) -> Floats:
    """log of sum h(x) w^x / sum h(x) for each w."""
    return np.asarray(logsumexp(log_h + np.multiply.outer(log_w, x), axis=-1) - logsumexp(log_h), float)


def _log_choose(n: npt.ArrayLike, k: npt.ArrayLike) -> Floats:
    n, k = np.asarray(n, float), np.asarray(k, float)
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), float)


def _check(tallies: Sequence[Tally]) -> None:
    for tally in tallies:
        if min(tally.treated, tally.control) < 0 or min(tally.n_treated, tally.n_control) < 1:
            raise BadInput(f"{tally} is no tally", cure="Counts are >= 0 and every arm has at least one well")

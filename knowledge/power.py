"""What an experiment can be expected to teach: e-power, severity, replicates.

e-power: expected growth of log10 of the larger of E_for and E_against (Grunwald, de Heide & Koolen 2024, JRSS-B;
Vovk & Wang 2024). The expectation is over what the system believes now: the theory and the sceptic, equally trusted
before the claim's first well, reweighted and updated by the wells seen since. Fixed-seed stratified draws; sigma is
noise_sd, or the wells' own estimate shrunk towards it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri

from . import mixtures
from .claims import ArmSummary, Batch, Belief, Claim, Prediction
from .evalues import Bet, bets, log_e
from .mixtures import Floats
from .pooling import Pooled, arm_weights, pool

_NOISE_DF = 4.0  # how many residual degrees of freedom noise_sd counts for, once there are wells
_GRID = 32


class EPower(NamedTuple):
    """mean_log_e in log10 units and its standard error; prob_settled: either direction reaches 1 / alpha."""

    mean_log_e: float
    mc_error: float
    prob_settled: float


class _Plan(NamedTuple):
    """Where the claim stands, and what the planned wells add to it."""

    now: Pooled | None
    m: float  # effective wells after the experiment
    df: float
    sigma: float


def e_power(
    claim: Claim,
    prediction: Prediction,
    n_per_arm: Mapping[str, int],
    already: Sequence[Batch] = (),
    seed: int = 0,
    draws: int = 256,
    belief: Belief | None = None,
    sigma: float | None = None,
) -> EPower:
    """Expected growth of log10 max(E_for, E_against) from ``n_per_arm`` more wells (arm key -> n).

    belief: what is believed of theta now, where more is known than theory, sceptic and the claim's own wells say (as
    from other claims' wells); sigma: likewise of one well's sd. Raises BadInput when the wells, old and new together,
    leave an arm of the contrast empty.
    """
    plan = _plan(claim, prediction, n_per_arm, already)
    if sigma is not None and prediction.variance == "pooled":
        plan = plan._replace(sigma=sigma)
    rng = np.random.default_rng(seed)
    both = bets(claim, prediction)
    start = max(log_e(bet, prediction, plan.now) for bet in both) if plan.now else 0.0
    weights, beliefs = _current_beliefs(prediction, plan) if belief is None else (np.full(2, 0.5), [belief, belief])
    half = draws // 2
    estimate, ssd = np.concatenate([_outcomes(b, plan, rng, half) for b in beliefs], axis=1)
    best = np.maximum(*(_log_e_after(bet, prediction, plan, estimate, ssd) for bet in both)).reshape(2, half)
    growth = (best - start) / math.log(10.0)
    settled = np.mean(best >= -math.log(prediction.alpha), axis=1)
    error = math.sqrt(float(weights**2 @ np.var(growth, axis=1)) / half)
    return EPower(float(weights @ np.mean(growth, axis=1)), error, float(weights @ settled))


def severity(claim: Claim, prediction: Prediction, n_per_arm: Mapping[str, int]) -> float:
    """Probability that one look at ``n_per_arm`` wells (arm key -> n) falsifies the claim, were it false as the sceptic
    expects: theta drawn from the sceptic's belief, truncated to the far side of delta."""
    plan = _plan(claim, prediction, n_per_arm, ())
    bet = bets(claim, prediction)[1]
    root_m, goal = math.sqrt(plan.m), -math.log(prediction.alpha)
    u = (np.arange(24) + 0.5) / 24
    mean, sd = bet.sign * (prediction.sceptic.mean - bet.boundary), prediction.sceptic.sd
    theta = mean + sd * ndtri(np.clip(1.0 - u * ndtr(mean / sd), 0.0, 1.0 - 1e-16))  # beyond the boundary only
    theta = np.maximum(theta, 0.0)
    shift = theta * root_m / prediction.noise_sd
    if prediction.variance == "known":
        return float(np.mean(ndtr(shift - mixtures.critical_z(goal, root_m, bet.stakes))))
    grid = np.sinh(np.linspace(0.0, 12.0, 3 * _GRID))  # t from 0 to 8e4
    values = mixtures.log_e_t(grid / np.sqrt(plan.df + grid**2), plan.df, root_m, bet.stakes) if plan.df else grid * 0
    if values[-1] < goal:
        return 0.0
    critical = float(np.interp(goal, values, grid))
    scale = np.sqrt(gammaincinv(plan.df / 2, u) * 2 / plan.df)  # s / sigma
    return float(np.mean(ndtr(shift[:, None] - critical * scale)))


def replicates_for(claim: Claim, prediction: Prediction, target: float, already: Sequence[Batch] = ()) -> int | None:
    """Fewest wells per arm whose e-power reaches ``target`` (log10 units); None if max_wells per arm do not."""
    arms = arm_weights(claim.contrast)

    def enough(n: int) -> bool:
        return e_power(claim, prediction, dict.fromkeys(arms, n), already).mean_log_e >= target

    low, high = 0, 1
    while not enough(high):
        if high >= prediction.max_wells:
            return None
        low, high = high, min(2 * high, prediction.max_wells)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _plan(claim: Claim, prediction: Prediction, n_per_arm: Mapping[str, int], already: Sequence[Batch]) -> _Plan:
    """Pool the wells seen with wells to come that lie exactly on their arm's mean and spread as expected."""
    ordered = sorted(already, key=lambda b: b.index)
    now = pool(claim.contrast, ordered) if ordered else None
    sigma = prediction.noise_sd
    if now is not None and prediction.variance == "pooled":
        sigma = math.sqrt((now.welch.ssd + _NOISE_DF * sigma**2) / (now.welch.df + _NOISE_DF))
    means = {arm.arm_key: arm.mean for batch in ordered for arm in batch.arms}
    cells = tuple(
        ArmSummary(arm_key=key, n=n, mean=means.get(key, 0.0), ssd=(n - 1) * sigma**2)
        for key, n in n_per_arm.items()
        if n > 0
    )
    planned = []
    if cells:
        names = {"claim_id": claim.id, "prediction_id": prediction.id, "design_hash": "", "data_hash": ""}
        index = ordered[-1].index + 1 if ordered else 0
        planned = [Batch(index=index, arms=cells, wells=("planned",), **names)]
    after = pool(claim.contrast, [*ordered, *planned])
    return _Plan(now, after.m, after.welch.df, sigma)


def _current_beliefs(prediction: Prediction, plan: _Plan) -> tuple[Floats, list[Belief]]:
    """The theory's and the sceptic's belief given the wells so far, with the weight each has earned."""
    beliefs = [prediction.theory, prediction.sceptic]
    if plan.now is None:
        return np.array([0.5, 0.5]), beliefs
    noise = plan.sigma**2 / plan.now.m
    logs, updated = [], []
    for belief in beliefs:
        total = belief.sd**2 + noise
        gain = belief.sd**2 / total
        logs.append(-0.5 * (plan.now.estimate - belief.mean) ** 2 / total - 0.5 * math.log(total))
        mean = belief.mean + gain * (plan.now.estimate - belief.mean)
        updated.append(Belief(mean=mean, sd=math.sqrt(gain * noise)))
    share = np.exp(np.array(logs) - max(logs))
    return share / share.sum(), updated


def _outcomes(belief: Belief, plan: _Plan, rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Draws of the cumulative (estimate, ssd) after the experiment: n of each, stratified."""
    m0 = plan.now.m if plan.now else 0.0
    gain = plan.m - m0
    if plan.now is not None and gain <= 0:  # nothing planned
        return np.full(n, plan.now.estimate), np.full(n, plan.now.welch.ssd)
    fresh = belief.mean + math.hypot(belief.sd, plan.sigma / math.sqrt(gain)) * ndtri(_strata(rng, n))
    df = plan.df if plan.now is None else plan.df - plan.now.welch.df - 1
    ssd = plan.sigma**2 * 2.0 * gammaincinv(df / 2.0, _strata(rng, n)) if df > 0 else np.zeros(n)
    if plan.now is None:
        return fresh, ssd
    estimate = (m0 * plan.now.estimate + gain * fresh) / plan.m
    return estimate, plan.now.welch.ssd + ssd + m0 * gain / plan.m * (fresh - plan.now.estimate) ** 2


def _strata(rng: np.random.Generator, n: int) -> Floats:
    return (rng.permutation(n) + rng.random(n)) / n


def _log_e_after(bet: Bet, prediction: Prediction, plan: _Plan, estimate: Floats, ssd: Floats) -> Floats:
    root_m = math.sqrt(plan.m)
    x = bet.sign * (estimate - bet.boundary) * root_m
    if prediction.variance == "known":
        return mixtures.log_e_z(x / prediction.noise_sd, root_m, bet.stakes)
    angle = np.arctanh(np.clip(mixtures.rho_of(x, ssd), -1 + 1e-12, 1 - 1e-12))
    grid = np.linspace(angle.min(), angle.max(), _GRID)
    return np.interp(angle, grid, mixtures.log_e_t(np.tanh(grid), plan.df, root_m, bet.stakes))

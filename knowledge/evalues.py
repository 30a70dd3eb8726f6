"""What all batches of a claim say: estimate, e-values both ways, p-values, confidence sequence.

Every claim is read as theta >= delta (multiply theta, delta, delta0 and the beliefs by ``claim.sign``). Two bets run:
    E_for      against the denial theta <= delta0, staked by the theory on theta > delta0;
    E_against  against the claim theta >= delta, staked by the sceptic on theta < delta.
Both rest on the cumulative, blocked estimate of pooling.py, in the z or the t form of mixtures.py.

Why it holds. With sigma known the blocks' likelihood ratios at the boundary are martingales; off the boundary, within
the null, they fall in the mean. With one unknown sigma the ratio of the maximal invariant is a martingale at the
boundary, and the rest of the null follows by coupling: lower theta by any amount on the same noise and every
cumulative T_k falls while every s_k stays; the e-value increases in T, so it falls path by path. By Ville's inequality
P(E ever reaches 1 / alpha) <= alpha, whenever one looks or stops, as long as the numbers of wells per batch are not
chosen by the nuisance (the level of a shared arm, or s itself).

Arms of unequal noise and size would break the second argument (a noisy treated arm against twice as many quiet
controls: 8 to 16% false verdicts instead of 5). So the t form is taken with the pooled and with the Welch noise of
pooling.py, and the smaller e-value counts: under equal noise it is still an e-process, being below one; under unequal
noise the Welch form holds to its usual approximation (``eval falsify``, type1_t).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtr

from ..world_model.errors import BadInput, NotAllowed
from . import mixtures
from .claims import Batch, Belief, Claim, Evidence, Prediction
from .confidence import normal_radius, t_radius
from .pooling import Pooled, pool

_MOST = 690.0  # natural log; larger e-values are reported as exp(690), about 1e299


class Bet(NamedTuple):
    """One direction: sign * theta <= sign * boundary is the null."""

    sign: int
    boundary: float
    stakes: tuple[mixtures.Stake, ...]


def assess(claim: Claim, prediction: Prediction, batches: Sequence[Batch]) -> Evidence:
    """Evidence of all ``batches`` (in order of index) for ``claim`` under its registered test. Pure.

    Raises NotAllowed for a well used twice or data of another claim or prediction, BadInput where no contrast can be
    formed yet.
    """
    if not batches:
        raise BadInput(f"No batch for claim {claim.id}", cure="Assess a claim once it has data")
    ordered = sorted(batches, key=lambda b: b.index)
    check(claim, prediction, ordered)
    pooled = pool(claim.contrast, ordered)
    known = prediction.variance == "known"
    ssd, df = pooled.welch
    sigma = prediction.noise_sd if known else math.sqrt(ssd / df) if df else 0.0
    radius = (
        normal_radius(sigma, pooled.m, prediction.alpha) if known else t_radius(ssd, df, pooled.m, prediction.alpha)
    )
    pro, contra = bets(claim, prediction)
    return Evidence(
        batch=ordered[-1],
        estimate=pooled.estimate,
        se=sigma / math.sqrt(pooled.m),
        df=None if known else df,
        e_for=math.exp(min(log_e(pro, prediction, pooled), _MOST)),
        e_against=math.exp(min(log_e(contra, prediction, pooled), _MOST)),
        p_for=p_value(pro, prediction, pooled),
        p_against=p_value(contra, prediction, pooled),
        ci_low=None if radius is None else pooled.estimate - radius,
        ci_high=None if radius is None else pooled.estimate + radius,
    )


def e_threshold(alpha: float) -> float:
    """The e-value that settles a direction at level ``alpha``."""
    return 1.0 / alpha


def bets(claim: Claim, prediction: Prediction) -> tuple[Bet, Bet]:
    """The bet for the claim and the bet against it."""
    return (
        _bet(claim.sign, claim.delta0, prediction.theory, prediction.noise_sd),
        _bet(-claim.sign, claim.delta, prediction.sceptic, prediction.noise_sd),
    )


def log_e(bet: Bet, prediction: Prediction, pooled: Pooled) -> float:
    """Natural log of one direction's e-value."""
    root_m = math.sqrt(pooled.m)
    x = bet.sign * (pooled.estimate - bet.boundary) * root_m
    if prediction.variance == "known":
        return float(mixtures.log_e_z(x / prediction.noise_sd, root_m, bet.stakes))
    ssd, df = np.array([pooled.equal, pooled.welch]).T
    return float(mixtures.log_e_t(mixtures.rho_of(x, ssd), df, root_m, bet.stakes).min())


def p_value(bet: Bet, prediction: Prediction, pooled: Pooled) -> float:
    """One-sided fixed-sample p-value at the boundary (Welch; not valid under optional stopping; 1 without any df)."""
    x = bet.sign * (pooled.estimate - bet.boundary) * math.sqrt(pooled.m)
    if prediction.variance == "known":
        return float(ndtr(-x / prediction.noise_sd))
    ssd, df = pooled.welch
    if df == 0:
        return 1.0
    if ssd == 0.0:
        return 0.5 if x == 0 else float(x < 0)
    return float(stdtr(df, -x / math.sqrt(ssd / df)))


def check(claim: Claim, prediction: Prediction, batches: Sequence[Batch]) -> None:
    """Refuse data that is not this registered test's, a well seen twice, an arm twice in a batch."""
    if prediction.claim_id != claim.id:
        raise NotAllowed(f"Prediction {prediction.id} belongs to claim {prediction.claim_id}, not {claim.id}")
    seen: set[str] = set()
    for batch in batches:
        if (batch.claim_id, batch.prediction_id) != (claim.id, prediction.id):
            raise NotAllowed(
                f"Batch {batch.index} was taken for {batch.claim_id} under {batch.prediction_id}",
                why=f"Only data registered for {claim.id} under {prediction.id} counts here",
            )
        again = seen.intersection(batch.wells)
        if again or len(set(batch.wells)) < len(batch.wells):
            name = min(again) if again else next(w for w in batch.wells if batch.wells.count(w) > 1)
            raise NotAllowed(
                f"Well {name} would count twice for claim {claim.id}", cure="Leave out wells of earlier looks"
            )
        seen.update(batch.wells)
        keys = [arm.arm_key for arm in batch.arms]
        if len(set(keys)) < len(keys):
            raise BadInput(
                f"Batch {batch.index} summarises an arm twice", cure="One summary per arm; one batch per plate"
            )


def _bet(sign: int, boundary: float, belief: Belief, noise_sd: float) -> Bet:
    mean = sign * (belief.mean - boundary) / noise_sd
    return Bet(sign, boundary, mixtures.stakes(mean, belief.sd / noise_sd))

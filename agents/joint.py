"""What the wells of one claim say about the others: a normal belief over the thetas of a whole pool of claims.

Prior: the theory's mean and sd for each claim (the sd widened, for the theory may be wrong), and errors that go
together where two claims share compound or genes, readout, context, dose and time:

    corr_ij = share_perturbation x share_readout x share_context x exp(-(d_dose^2 + d_time^2) / 2),

distances in natural log units over ``REACH``. Wells update it as exact normal conditioning on (estimate, se).
It guides which claim is tested next; it never enters a registered bet or a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..knowledge.claims import Belief, Claim, Evidence, Prediction
from ..world_model.vocabulary import Arm

Floats = NDArray[np.float64]
OTHER_PERTURBATION, SAME_CLASS, OTHER_READOUT, OTHER_CONTEXT = 0.1, 0.4, 0.3, 0.4
REACH = math.log(10.0)  # a tenfold step in dose or time keeps exp(-1/2) of the correlation
FEW = 0.6  # of the registered noise: the least se of an estimate with next to no degrees of freedom
DOUBT = 0.3  # of the zone's size: how far a theory may be off beyond what it says of itself


class JointBelief:
    """Beliefs on n claims; ``update`` returns nothing and replaces what was known of the claims named."""

    def __init__(
        self, claims: Sequence[Claim], predictions: Sequence[Prediction], classes: Mapping[str, str] | None = None
    ) -> None:
        self._mean = np.array([p.theory.mean for p in predictions])
        doubt = np.array([DOUBT * abs(c.delta - c.delta0) for c in claims])
        sd = np.hypot([p.theory.sd for p in predictions], doubt)
        self._prior = sd[:, None] * correlation(claims, classes or {}) * sd
        self._seen: dict[int, tuple[float, float]] = {}
        self.mean, self.sd = self._mean, sd

    def update(self, seen: Mapping[int, tuple[float, float]]) -> None:
        """``seen``: claim number -> (cumulative estimate, its se), replacing earlier looks at the same claim."""
        self._seen |= {i: v for i, v in seen.items() if math.isfinite(v[0]) and v[1] > 0}
        if not self._seen:
            return
        at = np.array(sorted(self._seen))
        x, noise = np.array([self._seen[int(i)][0] for i in at]), np.array([self._seen[int(i)][1] for i in at])
        inside = self._prior[np.ix_(at, at)] + np.diag(noise**2)
        gain = np.linalg.solve(inside, self._prior[at]).T  # (n, seen)
        self.mean = self._mean + gain @ (x - self._mean[at])
        left = np.diag(self._prior) - np.sum(gain * self._prior[:, at], axis=1)
        self.sd = np.sqrt(np.maximum(left, 1e-8))

    def of(self, i: int) -> Belief:
        return Belief(mean=float(self.mean[i]), sd=float(self.sd[i]))


def read(prediction: Prediction, evidence: Evidence) -> tuple[float, float]:
    """(estimate, its se) as the joint belief takes them: on one or two degrees of freedom the se has a floor."""
    few = evidence.df is not None and evidence.df < 3
    return evidence.estimate, max(evidence.se, prediction.noise_sd * FEW) if few else evidence.se


def outlook(
    stakes: Mapping[str, tuple[Claim, Prediction]], judged: Sequence[tuple[Claim, Prediction, Evidence]],
    classes: Mapping[str, str] | None = None,
) -> dict[str, Belief]:  # fmt: skip
    """What is believed now of each stake (claim id -> belief), given the evidence on claims registered since.

    A stake's own theory knows every well that was revealed before it was made: evidence on claims registered before it
    would count twice. judged: in the order of registration.
    """
    order = {h: i for i, h in enumerate(dict.fromkeys(p.training_hash for _, p, _ in judged))}
    cohorts: dict[int, list[str]] = {}
    for claim_id, (_, prediction) in stakes.items():
        cohorts.setdefault(order.get(prediction.training_hash, len(order)), []).append(claim_id)
    found: dict[str, Belief] = {}
    for first, members in cohorts.items():
        after = {c.id: (c, p, e) for c, p, e in judged if order[p.training_hash] >= first}
        everyone = list(dict.fromkeys([*members, *after]))
        pairs = [stakes.get(i) or after[i][:2] for i in everyone]
        joint = JointBelief([c for c, _ in pairs], [p for _, p in pairs], classes)
        joint.update({everyone.index(i): read(p, e) for i, (_, p, e) in after.items()})
        found |= {claim_id: joint.of(n) for n, claim_id in enumerate(members)}
    return found


def correlation(claims: Sequence[Claim], classes: Mapping[str, str]) -> Floats:
    """(n, n), positive definite: products of kernels, each with 1 on the diagonal."""
    arms = [_treated(c) for c in claims]
    names = ["+".join(p.name for p in a.perturbations) for a in arms]
    families = [classes.get(n, n) for n in names]
    same = _equal(names)
    family = np.where(same, 1.0, np.where(_equal(families), SAME_CLASS, OTHER_PERTURBATION))
    readout = np.where(_equal([c.readout.variable for c in claims]), 1.0, OTHER_READOUT)
    context = np.where(_equal([a.context for a in arms]), 1.0, OTHER_CONTEXT)
    dose = np.array([math.log(max(d, 1e-6)) for a in arms for d in [_dose(a)]]) / REACH
    time = np.array([math.log(max(a.time_h or 24.0, 0.1)) for a in arms]) / REACH
    near = np.exp(-0.5 * ((dose[:, None] - dose) ** 2 + (time[:, None] - time) ** 2))
    mixed = family * readout * context * near
    return np.asarray(0.9 * mixed + 0.1 * np.eye(len(claims)))


def _treated(claim: Claim) -> Arm:
    return next(arm for weight, arm in claim.contrast.terms if not arm.is_control)


def _dose(arm: Arm) -> float:
    doses = [p.dose for p in arm.perturbations if p.dose is not None]
    return doses[0] if doses else 1.0


def _equal(labels: Sequence[str]) -> NDArray[np.bool_]:
    _, code = np.unique(np.array(labels), return_inverse=True)
    return np.asarray(code[:, None] == code)

"""What a policy may look at: the pool, what the question says of it, and what has been measured so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...world_model.errors import BadInput
from ...world_model.genepool import PoolFeatures
from ...world_model.numeric import Numbers

LABEL_SHARE = 0.25  # of a target that is the hit label; the rest is the size of the score
CAP = 2.0  # thresholds; a score beyond counts no more
ONE_SIDED = 0.1  # hits on the rarer side below this share: that side is no effect of interest


@dataclass(frozen=True)
class HitView:
    """features: of the N members; prior: (N,) standardised worth by the question (zeros: no question); measured: the n
    rows measured, in the order they came; score: (n,) readings; hit: (n,) 0/1 labels;
    shut: (N,) bool, members not to be had though no outcome of theirs was told."""

    features: PoolFeatures
    prior: Numbers
    measured: Numbers
    score: Numbers
    hit: Numbers
    shut: Numbers | None = None

    @classmethod
    def fresh(cls, features: PoolFeatures, prior: Numbers | None = None) -> HitView:
        """Nothing measured yet. prior: (N,) raw worth of each member by the question."""
        n = len(features.names)
        given = np.zeros(n) if prior is None else np.asarray(prior, np.float64)
        empty = np.zeros(0)
        return cls(features, standardised(given), np.zeros(0, np.intp), empty, empty)

    @property
    def n(self) -> int:
        return len(self.features.names)

    @property
    def open(self) -> Numbers:
        """(N,) bool: not measured yet, and to be had."""
        mask = np.ones(self.n, bool) if self.shut is None else ~self.shut
        mask[self.measured] = False
        return mask

    def with_results(self, rows: Numbers, score: Numbers, hit: Numbers) -> HitView:
        """With one round's outcomes appended. Raises BadInput for a member measured before."""
        again = np.intersect1d(self.measured, rows)
        if len(again):
            raise BadInput(f"{self.features.names[int(again[0])]} was measured before", cure="Report each member once")
        return replace(
            self,
            measured=np.concatenate([self.measured, np.asarray(rows, np.intp)]),
            score=np.concatenate([self.score, np.nan_to_num(np.asarray(score, np.float64))]),
            hit=np.concatenate([self.hit, np.asarray(hit, np.float64)]),
        )


def targets(score: Numbers, hit: Numbers, *, label_share: float = LABEL_SHARE) -> Numbers:
    """(n,) what the surrogate learns: label_share x hit + (1 - label_share) x min(size / threshold, 2) / 2.

    size: the score in the direction of the hits seen so far, or its absolute value where hits lie on both sides;
    threshold: the smallest size among these hits. Without a hit nobody knows on which side they lie: zeros, so that the
    next batch goes where nothing was measured instead of after the largest scores of either side.
    """
    if not hit.any():
        return np.zeros(len(score))
    size = np.abs(score)
    up = float((score[hit > 0] > 0).mean())
    if up < ONE_SIDED:
        size = np.maximum(-score, 0.0)
    elif up > 1.0 - ONE_SIDED:
        size = np.maximum(score, 0.0)
    sized = size[(hit > 0) & (size > 0)]
    threshold = max(float(sized.min()) if len(sized) else float(size.max()), 1e-12)
    return np.asarray(label_share * hit + (1.0 - label_share) * np.minimum(size / threshold, CAP) / CAP)


def standardised(x: Numbers) -> Numbers:
    """Mean zero, sd one; zeros where x is constant."""
    sd = float(x.std())
    return np.asarray((x - x.mean()) / sd) if sd > 1e-12 else np.zeros_like(x)

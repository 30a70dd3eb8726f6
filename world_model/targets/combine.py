"""Several kinds of evidence into one ranking of targets: a conditional logit whose weights cannot be negative.

    share(t) = exp(s_t) / sum over named targets u of exp(s_u),   s_t = sum_k w_k log(1 + v_k(t) / 0.01),   w_k >= 0

v_k(t) is the strength of evidence of kind k for target t (McFadden 1974, Conditional logit analysis). A compound's
targets compete with each other alone, so evidence that is strong for everything, or that is missing, says nothing; the
logarithm lets a target that two kinds name win over one that a single kind shouts. w maximises the mean log share of
the known targets less a ridge of 0.01 |w|^2, on compounds other than those asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from ..rows import Array

Votes = Mapping[str, float]  # target -> strength of one kind of evidence, >= 0
NEAREST, FAINT, RIDGE = 5, 0.01, 0.01


def nearest_vote(near: Votes, targets: Mapping[str, Collection[str]]) -> dict[str, float]:
    """Target -> sum of the squared positive likenesses of the ``NEAREST`` compounds of ``targets`` that carry it.

    near: compound -> likeness (a correlation); NaN does not vote.
    """
    order = sorted((d for d in targets if targets[d] and near.get(d, np.nan) > 0), key=lambda d: (-near[d], d))
    votes: dict[str, float] = {}
    for drug in order[:NEAREST]:
        for target in targets[drug]:
            votes[target] = votes.get(target, 0.0) + float(near[drug]) ** 2
    return votes


@dataclass(frozen=True)
class Weights:
    """One weight a kind of evidence."""

    kinds: tuple[str, ...]
    values: tuple[float, ...]

    @classmethod
    def learn(cls, compounds: Sequence[tuple[Mapping[str, Votes], Collection[str]]], kinds: Sequence[str]) -> Weights:
        """compounds: (evidence by kind, known targets). Those whose known targets no evidence names say nothing.

        Raises BadInput where none is left.
        """
        from scipy.optimize import minimize

        rows, known, starts, n = [], [], [], 0
        for evidence, targets in compounds:
            names, x = _rows(evidence, kinds)
            right = np.array([t in targets for t in names], dtype=bool)
            if right.any() and not right.all():
                rows.append(x)
                known.append(right)
                starts.append(n)
                n += len(names)
        if not rows:
            raise BadInput("The evidence cannot be weighed", why="it names no known target, or only known ones")
        x, y, at = np.concatenate(rows), np.concatenate(known), np.array(starts)
        of = np.repeat(np.arange(len(at)), np.diff([*starts, n]))

        def loss(w: Array) -> tuple[float, Array]:
            linear = x @ w
            share = np.exp(linear - np.maximum.reduceat(linear, at)[of])
            share /= np.add.reduceat(share, at)[of]
            right = np.add.reduceat(share * y, at)
            slope = ((share - share * y / right[of])[:, None] * x).sum(axis=0) / len(at)
            return float(-np.log(right).mean() + RIDGE * w @ w), slope + 2 * RIDGE * w

        found = minimize(loss, np.ones(len(kinds)), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(kinds))
        return cls(tuple(kinds), tuple(float(w) for w in found.x))

    def shares(self, evidence: Mapping[str, Votes]) -> dict[str, float]:
        """Target -> share of belief, for every target that some evidence names; they sum to one."""
        names, x = _rows(evidence, self.kinds)
        if not names:
            return {}
        linear = x @ np.array(self.values)
        share = np.exp(linear - linear.max())
        return dict(zip(names, map(float, share / share.sum()), strict=True))


# learned on 271 GDSC drugs (structure, response profile) and 51 compounds of an A375 plate (signature):
# figures gdsc_target_top5 and l1000_target_top5 of ``cytocrux eval explain`` learn them anew, held-out compound apart
LEARNED = Weights(("structure", "profile", "signature"), (1.56, 0.99, 0.12))


def _rows(evidence: Mapping[str, Votes], kinds: Sequence[str]) -> tuple[list[str], Array]:
    """(targets,) and (targets, kinds)."""
    names = sorted({t for kind in kinds for t, v in evidence.get(kind, {}).items() if v > 0})
    x = np.array([[evidence.get(k, {}).get(t, 0.0) for k in kinds] for t in names], dtype=float)
    return names, np.log1p(x.reshape(len(names), len(kinds)) / FAINT)

"""Several kinds of evidence into one probability that a compound hits a target: a logistic model of calibrated weights.

A kind of evidence that is missing for a compound counts as zero and says so in a column of its own; the weights are
learned on compounds with known targets, never on the one that is asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from ..rows import Array

Votes = Mapping[str, float]  # target -> strength of one kind of evidence


@dataclass(frozen=True)
class Weights:
    """intercept and one coefficient a column: strength of each kind, then whether it was at hand."""

    kinds: tuple[str, ...]
    intercept: float
    coefficients: tuple[float, ...]

    @classmethod
    def learn(cls, compounds: Sequence[tuple[Mapping[str, Votes], Collection[str]]], kinds: Sequence[str]) -> Weights:
        """compounds: (evidence by kind, known targets). Raises BadInput where no evidence names a known target."""
        from sklearn.linear_model import LogisticRegression

        x, y = [], []
        for evidence, known in compounds:
            for target, row in _rows(evidence, kinds).items():
                x.append(row)
                y.append(target in known)
        if not any(y) or all(y):
            raise BadInput("The evidence cannot be weighed", why="it names no known target, or only known ones")
        model = LogisticRegression(C=1.0, max_iter=1000).fit(np.array(x), np.array(y))
        return cls(tuple(kinds), float(model.intercept_[0]), tuple(float(c) for c in model.coef_[0]))

    def probabilities(self, evidence: Mapping[str, Votes]) -> dict[str, float]:
        """Target -> probability, for every target that some evidence names."""
        told = _rows(evidence, self.kinds)
        linear = {t: self.intercept + float(np.dot(self.coefficients, row)) for t, row in told.items()}
        return {t: float(1 / (1 + np.exp(-v))) for t, v in linear.items()}


def _rows(evidence: Mapping[str, Votes], kinds: Sequence[str]) -> dict[str, Array]:
    targets = sorted({t for votes in evidence.values() for t in votes})
    here = [float(bool(evidence.get(kind))) for kind in kinds]
    return {t: np.array([*(float(evidence.get(k, {}).get(t, 0.0)) for k in kinds), *here]) for t in targets}

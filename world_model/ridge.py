"""Kernel ridge regression of many tasks on one feature view, with missing readings and exact leave-one-out.

Tasks (drugs) share what they have in common: the readings are rotated to their principal components, each component
is regressed with its own penalty, and the answer is rotated back. This is a GP with a separable covariance
sum_c (v_c v_c') x K (intrinsic coregionalisation; Bonilla et al. 2008) with one signal-to-noise ratio per component.
Leave-one-out in closed form: e_i = (t_i - p_i) / (1 - h_i) (Golub, Heath and Wahba 1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .rows import Array

PENALTIES = np.geomspace(0.01, 30.0, 12)
COMPONENTS, ROUNDS = 100, 3


@dataclass(frozen=True)
class View:
    """One fitted view. features: (n, g) training features, standardised by mean and spread (g,); scale: twice the
    median squared distance between lines.

    power: mean squared length of a training row; dual: (n, T) weights on kernel rows; left_out: (n, T) what each
    training line would have been told had it not been there.
    """

    features: Array
    mean: Array
    spread: Array
    scale: float
    power: float
    linear: float
    dual: Array
    left_out: Array

    @classmethod
    def fit(cls, features: Array, z: Array, *, linear: float = 0.5) -> View:
        """features: (n, g), NaN = that feature's mean; z: (n, T) standardised readings, NaN = missing.

        linear: share of the linear kernel, the rest is RBF.
        """
        seen = np.isfinite(features)
        mean = np.where(seen, features, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        spread = np.sqrt(np.where(seen, (features - mean) ** 2, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1))
        spread = np.where(spread > 1e-9, spread, 1.0)
        centred = np.where(seen, (features - mean) / spread, 0.0)
        gram = centred @ centred.T
        square = np.diag(gram)
        distance = square[:, None] + square[None, :] - 2 * gram
        off = distance[np.triu_indices(len(gram), 1)]
        scale = 2 * float(np.median(off[off > 1e-9])) if (off > 1e-9).any() else 1.0
        power = max(float(square.mean()), 1e-12)
        kernel = linear * gram / power + (1 - linear) * np.exp(-np.maximum(distance, 0.0) / scale)
        dual, left_out = _solve(kernel, z)
        return cls(centred, mean, spread, scale, power, linear, dual, left_out)

    def predict(self, features: Array) -> Array:
        """(m, T) standardised predictions for (m, g) features, NaN = that feature's mean."""
        centred = np.where(np.isfinite(features), (features - self.mean) / self.spread, 0.0)
        gram = centred @ self.features.T
        distance = (centred**2).sum(axis=1)[:, None] + (self.features**2).sum(axis=1)[None, :] - 2 * gram
        near = np.exp(-np.maximum(distance, 0.0) / self.scale)
        out: Array = (self.linear * gram / self.power + (1 - self.linear) * near) @ self.dual
        return out


def _solve(kernel: Array, z: Array) -> tuple[Array, Array]:
    """dual (n, T) and left_out (n, T). Missing readings are filled with what the rest says of them, three times."""
    seen = np.isfinite(z)
    filled = np.where(seen, z, 0.0)
    power, vectors = np.linalg.eigh(kernel)
    power = np.maximum(power, 0.0)
    dual = left_out = np.zeros_like(filled)
    for _ in range(ROUNDS):
        left, size, right = np.linalg.svd(filled, full_matrices=False)
        k = min(COMPONENTS, len(size))
        target = left[:, :k] * size[:k]  # (n, k) scores of the lines
        rotated = vectors.T @ target
        best = np.full(k, np.inf)
        weights, missing_one = np.zeros_like(target), np.zeros_like(target)
        for penalty in PENALTIES:
            shrink = power / (power + penalty)
            hat = (vectors**2) @ shrink
            fit = vectors @ (shrink[:, None] * rotated)
            without = (fit - hat[:, None] * target) / np.maximum(1 - hat[:, None], 1e-6)
            error = ((without - target) ** 2).mean(axis=0)
            better = error < best
            best[better] = error[better]
            missing_one[:, better] = without[:, better]
            weights[:, better] = (vectors @ (rotated / (power + penalty)[:, None]))[:, better]
        dual, left_out = weights @ right[:k], missing_one @ right[:k]
        filled = np.where(seen, z, left_out)
    return dual, left_out


def stack(offered: list[Array], z: Array) -> Array:
    """(v,) non-negative weights of the views' left-out predictions, least squares over all measured entries."""
    from scipy.optimize import nnls

    seen = np.isfinite(z)
    a = np.stack([o[seen] for o in offered], axis=1)
    weights, _ = nnls(a.T @ a + 1e-9 * np.eye(len(offered)), a.T @ z[seen])
    return np.asarray(weights, dtype=np.float64)

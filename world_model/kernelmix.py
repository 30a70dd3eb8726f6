"""A Gaussian process over a fixed pool whose kernel is a weighted sum; the weights are learned from what was measured.

Rasmussen and Williams 2006, "Gaussian processes for machine learning": marginal likelihood (5.8), prediction (2.25-6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .numeric import Numbers

JITTER = 1e-4
START, START_SD = 0.1, 1.5  # prior of a kernel's weight, in units of the targets' variance: log-normal
NOISE, NOISE_SD = 0.8, 0.5  # prior of the noise variance, in the same units
BOUNDS = (-8.0, 3.0)  # of the logarithms of all of them
STEPS = 15  # of L-BFGS; it begins where the last fit ended


class PoolKernels:
    """Kernels between all N members of a pool and those measured so far, a column for each of the latter.

    blocks: name -> (N, d) rows of length one or zero; k = exp((cosine - 1) / length), zero where a row is zero.
    linear: name -> (N,) a standardised feature x; k = x x'.
    """

    def __init__(self, blocks: Mapping[str, Numbers], linear: Mapping[str, Numbers], *, length: float) -> None:
        self._blocks = {name: np.asarray(block, np.float32) for name, block in blocks.items()}
        self._known = {name: np.abs(block).sum(axis=1) > 0 for name, block in self._blocks.items()}
        self._linear = {name: np.asarray(x, np.float32) for name, x in linear.items()}
        self._length = length
        self.names = (*self._linear, *self._blocks)
        self.n = len(next(iter((*self._linear.values(), *self._blocks.values()))))
        self.measured = np.zeros(0, np.intp)
        self._columns: dict[str, list[Numbers]] = {name: [] for name in self.names}

    def add(self, rows: Numbers) -> None:
        """Columns for newly measured members."""
        for name in self.names:
            self._columns[name].append(self.between(name, rows))
        self.measured = np.concatenate([self.measured, np.asarray(rows, np.intp)])

    def between(self, name: str, rows: Numbers) -> Numbers:
        """(N, len(rows)) one kernel between the whole pool and some members."""
        if name in self._linear:
            x = self._linear[name]
            return np.asarray(np.outer(x, x[rows]), np.float32)
        block, known = self._blocks[name], self._known[name]
        out = np.exp((block @ block[rows].T - 1.0) / np.float32(self._length))
        return np.asarray(out * known[:, None] * known[rows], np.float32)

    def columns(self, name: str) -> Numbers:
        """(N, n measured) float32."""
        parts = self._columns[name]
        if len(parts) > 1:
            self._columns[name] = [np.concatenate(parts, axis=1)]
        return self._columns[name][0]

    def diagonal(self, name: str) -> Numbers:
        """(N,) k(x, x)."""
        if name in self._linear:
            return np.asarray(self._linear[name] ** 2)
        return np.asarray(self._known[name].astype(np.float32))


@dataclass
class KernelMix:
    """fit, then predict. log_weights: of the kernels and, last, the noise, in units of ``variance``."""

    kernels: PoolKernels
    log_weights: Numbers | None = None
    variance: float = 1.0
    _alpha: Numbers = field(default_factory=lambda: np.zeros(0))
    _factor: Numbers = field(default_factory=lambda: np.zeros((0, 0)))

    def fit(self, residual: Numbers) -> KernelMix:
        """residual: (n,) targets minus their prior mean, in the order of ``kernels.measured``."""
        rows = self.kernels.measured
        grams = [self.kernels.columns(name)[rows].astype(np.float64) for name in self.kernels.names]
        self.variance = max(float(residual.var()), 1e-6)
        y = residual / np.sqrt(self.variance)
        self.log_weights = best_weights(grams, y, self.log_weights)
        self._factor = np.linalg.cholesky(_gram(grams, np.exp(self.log_weights)))
        self._alpha = _solve(self._factor, y)
        return self

    def weights(self) -> dict[str, float]:
        """Share of the prior variance of each kernel, and of the "noise"."""
        if self.log_weights is None:
            return {}
        share = np.exp(self.log_weights)
        return dict(zip((*self.kernels.names, "noise"), (share / share.sum()).tolist(), strict=True))

    def mean(self) -> Numbers:
        """(N,) posterior mean of the residual for the whole pool."""
        return np.asarray(
            np.asarray(self._cross() @ self._alpha.astype(np.float32), np.float64) * np.sqrt(self.variance)
        )

    def sd(self) -> Numbers:
        """(N,) posterior standard deviation of the residual's mean (no noise)."""
        from scipy.linalg import solve_triangular

        cross = self._cross()
        left = solve_triangular(self._factor.astype(np.float32), cross.T, lower=True, check_finite=False)
        w = np.exp(self._known_weights())
        prior = sum(x * self.kernels.diagonal(name) for name, x in zip(self.kernels.names, w, strict=False))
        return np.asarray(np.sqrt(np.maximum(prior - (left**2).sum(axis=0), 1e-9) * self.variance).astype(np.float64))

    def noise_sd(self) -> float:
        """Standard deviation of one target around the mean."""
        return float(np.sqrt((np.exp(self._known_weights()[-1]) + JITTER) * self.variance))

    def pull(self, i: int) -> Numbers:
        """(n,) how much each measured member moves the prediction of member i, in the targets' units."""
        w = np.exp(self._known_weights())
        k = sum(x * self.kernels.columns(name)[i] for name, x in zip(self.kernels.names, w, strict=False))
        return np.asarray(k * self._alpha * np.sqrt(self.variance))

    def _known_weights(self) -> Numbers:
        if self.log_weights is None:
            raise ValueError("fit first")
        return self.log_weights

    def _cross(self) -> Numbers:
        w = np.exp(self._known_weights()).astype(np.float32)
        return np.asarray(sum(x * self.kernels.columns(n) for n, x in zip(self.kernels.names, w, strict=False)))


def best_weights(grams: Sequence[Numbers], y: Numbers, start: Numbers | None = None) -> Numbers:
    """(k + 1,) log weights of k Gram matrices and the noise of the highest posterior; y: (n,) of variance one.

    Minimises y' S^-1 y / 2 + log|S| / 2 + (log w - mu)^2 / (2 sd^2), S = sum w K + noise I, by L-BFGS.
    """
    from scipy.optimize import minimize

    centre = np.log(np.array([START] * len(grams) + [NOISE]))
    spread = np.array([START_SD] * len(grams) + [NOISE_SD])

    def loss(log_w: Numbers) -> tuple[float, Numbers]:
        w = np.exp(log_w)
        try:
            factor = np.linalg.cholesky(_gram(grams, w))
        except np.linalg.LinAlgError:
            return 1e12, np.zeros_like(log_w)
        inverse = _inverse(factor)
        alpha = inverse @ y
        off = (log_w - centre) / spread
        value = 0.5 * float(y @ alpha) + float(np.log(np.diag(factor)).sum()) + 0.5 * float((off**2).sum())
        inner = inverse - np.outer(alpha, alpha)
        slope = [0.5 * x * float((inner * gram).sum()) for x, gram in zip(w, grams, strict=False)]
        slope.append(0.5 * w[-1] * float(np.trace(inner)))
        return value, np.array(slope) + off / spread

    begin = centre if start is None else start
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=[BOUNDS] * len(begin), options={"maxiter": STEPS})
    return np.asarray(found.x)


def _gram(grams: Sequence[Numbers], w: Numbers) -> Numbers:
    out = np.eye(len(grams[0])) * (w[-1] + JITTER)
    for x, gram in zip(w, grams, strict=False):
        out += x * gram
    return np.asarray(out)


def _inverse(factor: Numbers) -> Numbers:
    from scipy.linalg.lapack import dpotri

    lower, _ = dpotri(factor, lower=1)
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)


def _solve(factor: Numbers, y: Numbers) -> Numbers:
    from scipy.linalg import cho_solve

    return np.asarray(cho_solve((factor, True), y))

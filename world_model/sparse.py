"""The process for many conditions: inducing rows instead of all, O(n m^2) time and O(n m) memory.

The fully independent training conditional (FITC; Snelson and Ghahramani 2006; Quinonero-Candela and Rasmussen 2005,
section 6): with Q = K_fm K_mm^-1 K_mf the prior of the training rows is Q + diag(K_ff - Q), so that what the inducing
rows cannot carry of a row counts as its own noise and variances stay honest. With A = L_m^-1 K_mf, lambda_i =
k_ii - q_ii + noise_i and B = I + A diag(1 / lambda) A':

    mean(x) = a(x)' B^-1 A diag(1 / lambda) y,   var(x) = k(x, x) - a(x)' a(x) + a(x)' B^-1 a(x),   a(x) = L_m^-1 k_mx

Leaving rows out takes their terms off B: exact for this model, one m x m factor a fold. Missing readings of a row that
others have are filled with the mean of the process itself, repeatedly (expectation maximisation), instead of factors
for each pattern of missing rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from .kernels import Features, kernel, noise_variance, prior_variance
from .rows import Array, Codes

Tensor = torch.Tensor
Mask = np.ndarray[Any, np.dtype[np.bool_]]
MOST_INDUCING = 1500
FILLS, MOST_MISSING = 4, 0.2  # rounds of filling missing readings, where less than this share lacks
STABLE = 1e-6  # added to the diagonal of K_mm, in units of the signal's variance


def inducing_rows(x: Features, most: int, seed: int) -> Codes:
    """At most ``most`` rows that cover every perturbation, then every setting (context, dose, time) of each.

    Rows are taken in rounds: the k-th round takes the k-th row (in seeded order) of every perturbation.
    """
    n = len(x)
    order = np.random.default_rng(seed).permutation(n)
    perturbation = x.place[1].cpu().numpy()[order]
    by = np.argsort(perturbation, kind="stable")
    first = np.r_[0, np.flatnonzero(np.diff(perturbation[by])) + 1]
    turn = np.empty(n, dtype=np.intp)
    turn[by] = np.arange(n) - np.repeat(first, np.diff(np.r_[first, n]))
    return np.sort(order[np.lexsort((np.arange(n), turn))[:most]])


@dataclass(frozen=True)
class Level:
    """Outputs with the same noise: their indices, lambda (n,) and the lower Cholesky factor of B."""

    outputs: Codes
    weight: Tensor  # 1 / lambda
    factor: Tensor


@dataclass(frozen=True)
class SparseProcess:
    """A fitted process. x, noise: all n training rows; inducing: which of them carry it; y is given when asked."""

    x: Features
    noise: Array
    p: dict[str, Tensor]
    inducing: Codes
    root: Tensor  # L_m
    carried: Tensor  # A, (m, n)
    levels: tuple[Level, ...]

    @classmethod
    def fit(cls, x: Features, seen: Mask, noise: Array, p: dict[str, Tensor], inducing: Codes) -> SparseProcess:
        """seen: (n, r) which targets there will be; noise: (n, r) known variances in units of the signal."""
        at = torch.as_tensor(inducing, device=x.device)
        few = x.take(at)
        own = kernel(few, few, p)
        own.diagonal().add_(STABLE * prior_variance(p) * (1 if own.dtype == torch.float64 else 100))
        root = torch.linalg.cholesky(own)
        carried = torch.linalg.solve_triangular(root, kernel(few, x, p), upper=False)
        rest = (prior_variance(p) - (carried**2).sum(0)).clamp(min=0.0)
        levels: dict[bytes, list[int]] = {}
        for j in range(noise.shape[1]):
            levels.setdefault(noise[:, j].tobytes() + _pattern(seen[:, j]), []).append(j)
        found = []
        for outputs in levels.values():
            known = torch.as_tensor(noise[:, outputs[0]], dtype=own.dtype, device=own.device)
            weight = 1.0 / (rest + noise_variance(known, p))
            if _pattern(seen[:, outputs[0]]):
                weight = weight * torch.as_tensor(seen[:, outputs[0]], device=own.device)
            found.append(Level(np.array(outputs, dtype=np.intp), weight, _factor(carried, weight)))
        return cls(x, noise, p, inducing, root, carried, tuple(found))

    @property
    def prior(self) -> float:
        """Variance of the signal before any data."""
        return prior_variance(self.p)

    @property
    def noise_factor(self) -> float:
        """What the known variances were found to be worth: below one where part of them is common to all rows."""
        return float(torch.exp(self.p["noise"][0]))

    @cached_property
    def few(self) -> Features:
        """Features of the inducing rows."""
        return self.x.take(torch.as_tensor(self.inducing, device=self.x.device))

    def weights(self, y: Array) -> Tensor:
        """(m, r) weights of the inducing rows: the mean at x is k(x, inducing) @ weights. y: (n, r), NaN = missing."""
        out = self.carried.new_zeros(len(self.inducing), y.shape[1])
        for level in self.levels:
            coefficients = self._coefficients(level, y[:, level.outputs])
            back = torch.linalg.solve_triangular(self.root.T, coefficients, upper=True)
            out[:, torch.as_tensor(level.outputs, device=out.device)] = back
        return out

    def _coefficients(self, level: Level, y: Array) -> Tensor:
        """B^-1 A diag(1 / lambda) y, (m, outputs)."""
        return _solved(self.carried, level.weight, level.factor, y)

    def to(self, dtype: torch.dtype) -> SparseProcess:
        """For ``at`` in another precision."""
        levels = tuple(Level(v.outputs, v.weight.to(dtype), v.factor.to(dtype)) for v in self.levels)
        p = {k: v.to(dtype) for k, v in self.p.items()}
        few = replace(self, x=self.few.to(dtype), p=p, root=self.root.to(dtype), carried=self.carried[:, :0])
        return replace(few, inducing=np.arange(len(self.inducing)), levels=levels)

    def at(self, x: Features, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (q, r) of the noiseless signal at ``x`` from the ``weights`` of the targets."""
        cross = kernel(x, self.few, self.p)  # (q, m)
        a = torch.linalg.solve_triangular(self.root, cross.T, upper=False)  # (m, q)
        unseen = self.prior - (a**2).sum(0)
        var = cross.new_empty(len(x), weights.shape[1])
        for level in self.levels:
            known = torch.linalg.solve_triangular(level.factor, a, upper=False)
            left = (unseen + (known**2).sum(0)).clamp(min=1e-10)
            var[:, torch.as_tensor(level.outputs, device=var.device)] = left[:, None]
        return cross @ weights, var

    def predict(self, x: Features, y: Array) -> tuple[Array, Array]:
        """Mean and variance (q, r) of the noiseless signal at ``x``, given targets ``y`` (n, r) of the fitted rows."""
        mean, var = self.at(x, self.weights(y))
        return mean.cpu().numpy(), var.cpu().numpy()

    def inverses(self) -> list[Tensor]:
        """Nothing to prepare for ``leave_out``."""
        return []

    def leave_out(self, inverses: list[Tensor], held: Codes, y: Array) -> tuple[Array, Array]:
        """Mean and variance (len(held), r) of the signal in the held rows from all others. y: (n, r)."""
        out = torch.as_tensor(held, device=self.carried.device)
        a = self.carried[:, out]
        mean, var = np.full((len(held), y.shape[1]), np.nan), np.full((len(held), y.shape[1]), np.nan)
        others = y.copy()
        others[held] = np.nan  # not read: their weight is zero
        for level in self.levels:
            weight = level.weight.clone()
            weight[out] = 0.0
            b = level.factor @ level.factor.T - (a * level.weight[out]) @ a.T
            factor = torch.linalg.cholesky(b)
            coefficients = _solved(self.carried, weight, factor, others[:, level.outputs])
            mean[:, level.outputs] = (a.T @ coefficients).cpu().numpy()
            known = torch.linalg.solve_triangular(factor, a, upper=False)
            left = (self.prior - (a**2).sum(0) + (known**2).sum(0)).clamp(min=1e-10)
            var[:, level.outputs] = left.cpu().numpy()[:, None]
        return mean, var

    def leave_one_out(self, inverses: list[Tensor], y: Array) -> tuple[Array, Array]:
        """Mean and variance (n, r) of the signal in each row from all others (rank-one downdates of B).

        With f = a'c, c_i = a_i' B^-1 a_i, w = 1 / lambda: mean_i = (f_i - w_i c_i y_i) / (1 - w_i c_i),
        var_i = k_ii - a_i' a_i + c_i / (1 - w_i c_i).
        """
        mean, var = np.full(y.shape, np.nan), np.full(y.shape, np.nan)
        unseen = self.prior - (self.carried**2).sum(0)
        for level in self.levels:
            target = torch.as_tensor(y[:, level.outputs], dtype=unseen.dtype, device=unseen.device)
            fit = self.carried.T @ self._coefficients(level, y[:, level.outputs])
            spread = (torch.linalg.solve_triangular(level.factor, self.carried, upper=False) ** 2).sum(0)
            share = (level.weight * spread).clamp(max=1.0 - 1e-9)
            out = (fit - share[:, None] * target) / (1.0 - share[:, None])
            mean[:, level.outputs] = torch.where(torch.isnan(target), fit, out).cpu().numpy()
            left = (unseen + spread / (1.0 - share)).clamp(min=1e-10)
            var[:, level.outputs] = left.cpu().numpy()[:, None]
        return mean, var

    def append(self, x: Features, noise: Array, y_new: Array) -> SparseProcess:
        """With further rows (old ones first in ``x``), which join the inducing rows: O(n m^2)."""
        n = len(self.noise)
        inducing = np.concatenate([self.inducing, np.arange(n, n + len(noise))[:MOST_INDUCING]])
        seen = np.ones((n, noise.shape[1]), dtype=bool)
        for level in self.levels:
            seen[:, level.outputs] = (level.weight > 0).cpu().numpy()[:, None]
        every = np.concatenate([seen, np.isfinite(y_new)])
        return SparseProcess.fit(x, every, np.concatenate([self.noise, noise]), self.p, inducing)

    def renamed(self, x: Features) -> SparseProcess:
        """The same rows with their features under a larger vocabulary."""
        return replace(self, x=x)


def _pattern(seen: Mask) -> bytes:
    """The rows of an output that lacks too many to have them filled, as a key; empty otherwise."""
    return b"" if 1.0 - seen.mean() <= MOST_MISSING else seen.tobytes()


def _factor(carried: Tensor, weight: Tensor) -> Tensor:
    """Lower Cholesky factor of I + A diag(weight) A'."""
    scaled = carried * torch.sqrt(weight)
    b = scaled @ scaled.T
    b.diagonal().add_(1.0)
    out: Tensor = torch.linalg.cholesky(b)
    return out


def _solved(carried: Tensor, weight: Tensor, factor: Tensor, y: Array) -> Tensor:
    """B^-1 A diag(weight) y with missing readings filled by the mean they imply (their fixed point)."""
    seen = torch.as_tensor(np.isfinite(y), device=carried.device)
    target = torch.as_tensor(np.nan_to_num(y), dtype=carried.dtype, device=carried.device)
    gaps = bool((~seen[weight > 0]).any())
    found = torch.cholesky_solve(carried @ (weight[:, None] * target), factor)
    for _ in range(FILLS if gaps else 0):
        filled = torch.where(seen, target, carried.T @ found)
        found = torch.cholesky_solve(carried @ (weight[:, None] * filled), factor)
    return found

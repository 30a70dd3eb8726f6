"""Gaussian process regression with many outputs that share one kernel: fit, predict, block cross-validation, append.

Outputs with the same missing rows and the same noise share one Cholesky factor (float64). Rasmussen and Williams 2006,
"Gaussian processes for machine learning": prediction (2.25-2.26), marginal likelihood (5.8), leave-out (5.10-5.12).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from .kernels import Features, kernel, noise_variance, parameters, prior_variance, real
from .rows import Array, Codes

Tensor = torch.Tensor


@dataclass(frozen=True)
class Block:
    """Outputs with the same rows and noise: indices of both, and the lower Cholesky factor of K + noise there."""

    outputs: Codes
    rows: Codes
    factor: Tensor


def patterns(y: Array, noise: Array) -> list[tuple[Codes, Codes]]:
    """(outputs, rows) for each distinct pattern of finite entries in ``y`` (n, r) and column of ``noise`` (n, r)."""
    found: dict[bytes, list[int]] = {}
    seen = np.isfinite(y)
    for j in range(y.shape[1]):
        found.setdefault(seen[:, j].tobytes() + noise[:, j].tobytes(), []).append(j)
    return [(np.array(js, dtype=np.intp), np.flatnonzero(seen[:, js[0]])) for js in found.values()]


def learn(x: Features, y: Array, noise: Array, *, steps: int = 30) -> dict[str, Tensor]:
    """Kernel parameters of the highest marginal likelihood (L-BFGS; a few hundred rows are enough).

    y: (n, r) standardised residuals, NaN = missing; noise: (n, r) known variances in the same units.
    A weak normal prior N(start, 2^2) on every parameter keeps what the data do not speak of where it began.
    """
    from scipy.optimize import minimize

    device = str(x.device)
    start = parameters(len(x.context), len(x.perturbation), device)
    sizes = [len(v) for v in start.values()]
    origin = torch.cat(list(start.values()))
    targets = [
        (
            torch.as_tensor(rows, device=device),
            *(
                torch.as_tensor(part, dtype=real(device), device=device)
                for part in (y[np.ix_(rows, outs)], noise[rows, outs[0]])
            ),
        )
        for outs, rows in patterns(y, noise)
        if len(rows) > 1
    ]

    def named(flat: Tensor) -> dict[str, Tensor]:
        return dict(zip(start, torch.split(flat, sizes), strict=True))

    def loss(values: Array) -> tuple[float, Array]:
        flat = torch.as_tensor(values, dtype=real(device), device=device).requires_grad_(True)
        p = named(flat)
        k = kernel(x, x, p)
        total = ((flat - origin) ** 2).sum() / 8.0
        for rows, t, known in targets:
            factor = torch.linalg.cholesky(k[rows][:, rows] + torch.diag(noise_variance(known, p)))
            fit = torch.linalg.solve_triangular(factor, t, upper=False)
            total = total + (0.5 * (fit**2).sum() + t.shape[1] * torch.log(torch.diagonal(factor)).sum()) / y.shape[1]
        (gradient,) = torch.autograd.grad(total, flat)
        return float(total.detach()), gradient.cpu().numpy().astype(np.float64)

    found = minimize(loss, origin.cpu().numpy(), jac=True, method="L-BFGS-B", bounds=[(-8.0, 8.0)] * len(origin),
                     options={"maxiter": steps})  # fmt: skip
    return named(torch.as_tensor(found.x, dtype=real(device), device=device))


@dataclass(frozen=True)
class Process:
    """A fitted process over fixed training rows. noise: (n, r) known variances; the learned one is added."""

    x: Features
    noise: Array
    p: dict[str, Tensor]
    blocks: tuple[Block, ...]

    @classmethod
    def fit(cls, x: Features, y: Array, noise: Array, p: dict[str, Tensor]) -> Process:
        whole, blocks = kernel(x, x, p), []
        for outs, rows in patterns(y, noise):
            at = torch.as_tensor(rows, device=whole.device)
            own = cls._diagonal(noise[rows, outs[0]], p)
            blocks.append(Block(outs, rows, torch.linalg.cholesky(whole[at][:, at] + own)))
        return cls(x, noise, p, tuple(blocks))

    @staticmethod
    def _diagonal(noise: Array, p: dict[str, Tensor]) -> Tensor:
        known = torch.as_tensor(noise, dtype=p["noise"].dtype, device=p["noise"].device)
        return torch.diag(noise_variance(known, p))

    @property
    def prior(self) -> float:
        """Variance of the signal before any data."""
        return prior_variance(self.p)

    @property
    def noise_factor(self) -> float:
        """What the known variances were found to be worth: below one where part of them is common to all rows."""
        return float(torch.exp(self.p["noise"][0]))

    def weights(self, y: Array) -> Tensor:
        """(n, r) weights of the training rows: the mean at x is k(x, rows) @ weights. y: (n, r) targets."""
        out = self.x.dose.new_zeros(y.shape)
        for block in self.blocks:
            target = torch.as_tensor(y[np.ix_(block.rows, block.outputs)], dtype=out.dtype, device=out.device)
            place = torch.as_tensor(block.rows, device=out.device), torch.as_tensor(block.outputs, device=out.device)
            out[place[0][:, None], place[1][None, :]] = torch.cholesky_solve(target, block.factor)
        return out

    def to(self, dtype: torch.dtype) -> Process:
        """For ``at`` in another precision."""
        blocks = tuple(replace(b, factor=b.factor.to(dtype)) for b in self.blocks)
        return Process(self.x.to(dtype), self.noise, {k: v.to(dtype) for k, v in self.p.items()}, blocks)

    def at(self, x: Features, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (m, r) of the noiseless signal at ``x`` from the ``weights`` of the targets."""
        cross = kernel(x, self.x, self.p)  # (m, n)
        var = cross.new_full((len(x), weights.shape[1]), self.prior)
        for block in self.blocks:
            if not len(block.rows):
                continue
            part = (
                cross if len(block.rows) == len(self.x) else cross[:, torch.as_tensor(block.rows, device=cross.device)]
            )
            half = torch.linalg.solve_triangular(block.factor, part.T, upper=False)  # (n, m)
            left = (self.prior - (half**2).sum(0)).clamp(min=1e-10)
            var[:, torch.as_tensor(block.outputs, device=cross.device)] = left[:, None]
        return cross @ weights, var

    def predict(self, x: Features, y: Array) -> tuple[Array, Array]:
        """Mean and variance (m, r) of the noiseless signal at ``x``, given targets ``y`` (n, r) of the fitted rows."""
        mean, var = self.at(x, self.weights(y))
        return mean.cpu().numpy(), var.cpu().numpy()

    def inverses(self) -> list[Tensor]:
        """(K + noise)^-1 of every block, for ``leave_out``."""
        return [torch.cholesky_inverse(b.factor) for b in self.blocks]

    def leave_out(self, inverses: list[Tensor], held: Codes, y: Array) -> tuple[Array, Array]:
        """Mean and variance (len(held), r) of the signal in the held rows from all others, without a new factor.

        With P = (K + noise)^-1 split into held B and kept A: mean_B = -P_BB^-1 P_BA y_A, cov_B = P_BB^-1 (with noise).
        y: (n, r) targets; those of the held rows are not read.
        """
        shape = (len(held), y.shape[1])
        mean, var = np.full(shape, np.nan), np.full(shape, np.nan)
        is_held = np.zeros(len(y), dtype=bool)
        is_held[held] = True
        place = np.full(len(y), -1, dtype=np.intp)
        place[held] = np.arange(len(held))
        for block, inverse in zip(self.blocks, inverses, strict=True):
            here = is_held[block.rows]
            if not here.any():
                continue
            b = torch.as_tensor(np.flatnonzero(here), device=inverse.device)
            a = torch.as_tensor(np.flatnonzero(~here), device=inverse.device)
            others = np.nan_to_num(y[np.ix_(block.rows[~here], block.outputs)])
            kept = torch.as_tensor(others, dtype=inverse.dtype, device=inverse.device)
            corner = torch.linalg.inv(inverse[b][:, b])
            out = place[block.rows[here]]
            mean[np.ix_(out, block.outputs)] = (-corner @ (inverse[b][:, a] @ kept)).cpu().numpy()
            own = torch.diagonal(self._diagonal(self.noise[block.rows[here], block.outputs[0]], self.p))
            diagonal = (torch.diagonal(corner) - own).cpu().numpy()
            var[np.ix_(out, block.outputs)] = np.maximum(diagonal, 1e-10)[:, None]
        return mean, var

    def leave_one_out(self, inverses: list[Tensor], y: Array) -> tuple[Array, Array]:
        """Mean and variance (n, r) of the signal in each row from all others: y - P y / P_ii, 1 / P_ii - noise."""
        mean, var = np.full(y.shape, np.nan), np.full(y.shape, np.nan)
        for block, inverse in zip(self.blocks, inverses, strict=True):
            here = np.ix_(block.rows, block.outputs)
            target = torch.as_tensor(y[here], dtype=inverse.dtype, device=inverse.device)
            precision = torch.diagonal(inverse)[:, None]
            mean[here] = (target - (inverse @ target) / precision).cpu().numpy()
            own = torch.diagonal(self._diagonal(self.noise[block.rows, block.outputs[0]], self.p))[:, None]
            var[here] = (1.0 / precision - own).clamp(min=1e-10).expand(target.shape).cpu().numpy()
        return mean, var

    def renamed(self, x: Features) -> Process:
        """The same rows with their features under a larger vocabulary."""
        return replace(self, x=x)

    def append(self, x: Features, noise: Array, y_new: Array) -> Process:
        """With further rows, the factors extended in O(n^2 m): [[L, 0], [B, chol(D - B B')]], B = K_new,old L^-T.

        x: features of all rows, old ones first; noise, y_new: (m, r) of the new rows, ``y_new`` read for its pattern.
        """
        n, m = len(self.noise), len(noise)
        new = torch.arange(n, n + m, device=x.device)
        x_new = x.take(new)
        side = kernel(x_new, self.x_of(x, n), self.p)  # (m, n)
        corner = kernel(x_new, x_new, self.p)
        blocks = []
        for block in self.blocks:
            for part, rows in patterns(y_new[:, block.outputs], noise[:, block.outputs]):
                outs = block.outputs[part]
                at_new = torch.as_tensor(rows, device=side.device)
                at_old = torch.as_tensor(block.rows, device=side.device)
                lower = torch.linalg.solve_triangular(block.factor, side[at_new][:, at_old].T, upper=False).T
                own = self._diagonal(noise[rows, outs[0]], self.p)
                edge = torch.linalg.cholesky(corner[at_new][:, at_new] + own - lower @ lower.T)
                top = torch.cat([block.factor, block.factor.new_zeros(len(at_old), len(at_new))], 1)
                factor = torch.cat([top, torch.cat([lower, edge], 1)], 0)
                blocks.append(Block(outs, np.concatenate([block.rows, n + rows]), factor))
        return Process(x, np.concatenate([self.noise, noise]), self.p, tuple(blocks))

    @staticmethod
    def x_of(x: Features, n: int) -> Features:
        """The first n rows."""
        return x.take(torch.arange(n, device=x.device))

"""The ensemble: context encoder x perturbation encoder, conditioned on dose and time, with its own error estimate.

Member k of K reads a bootstrap of the training groups and stops where the groups it left out are predicted best, so
members differ as the data allow (deep ensembles: Lakshminarayanan et al. 2017, arXiv 1612.01474). Dose and time scale
and shift the hidden layer (FiLM: Perez et al. 2018, arXiv 1709.07871). The loss is the Gaussian likelihood weighted by
its own variance to the power 1/2, so that noisy entries do not stop the mean from learning (beta-NLL: Seitzer et al.
2022, arXiv 2203.09168). All members are trained at once as one batch of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..rows import Array, Codes
from .inputs import Inputs

MEMBERS, WIDTH, STEPS, EVERY, PATIENCE = 5, 48, 600, 20, 6
BATCH = 2048  # rows of one step
RATE, DECAY = 3e-3, 1e-3
HIDE = 0.25  # share of rows whose names are hidden in a step: what a new name looks like
LEFT_OUT = 0.15  # share of groups a member is stopped by
LOG_VAR = (-6.0, 4.0)
Floats = NDArray[np.float32]
Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Ensemble:
    """Trained members. weights: tensors with a leading axis of K; unit: (r,) sd of each readout's residual."""

    weights: Weights
    unit: Array
    a_known: int
    b_known: int

    @classmethod
    def fit(
        cls, x: Inputs, y: Array, var: Array, groups: Sequence[Codes], *, seed: int, device: str = "cpu",
        members: int = MEMBERS,
    ) -> Ensemble:  # fmt: skip
        """y: (n, r) residuals, NaN = not measured; var: (n, r) their measurement variances (NaN = unknown);
        groups: row indices that belong together (a context, a perturbation, …) and are left out together."""
        seen = np.isfinite(y)
        n_seen = np.maximum(seen.sum(axis=0), 1)
        unit = np.sqrt(np.maximum((np.where(seen, y, 0.0) ** 2).sum(axis=0) / n_seen, 1e-12))
        target = torch.as_tensor(np.where(seen, y, 0.0) / unit, dtype=torch.float32, device=device)
        noise = torch.as_tensor(np.nan_to_num(var) / unit**2, dtype=torch.float32, device=device)
        mask = torch.as_tensor(seen, dtype=torch.float32, device=device)
        train, stop = _bootstrap(groups, len(y), members, seed)
        data = (*_tensors(x, device), target, noise, mask)
        weights = _start(x, y.shape[1], members, seed, device)
        best = _train(weights, data, torch.as_tensor(train, device=device), torch.as_tensor(stop, device=device),
                      x.a_known, x.b_known, seed)  # fmt: skip
        return cls(best, unit, x.a_known, x.b_known)

    def predict(self, x: Inputs) -> tuple[Array, Array, Array]:
        """mean, epistemic sd (between members), aleatoric sd (their own estimate): (n, r) each, in y's unit."""
        device = str(self.weights["out"].device)
        parts: list[tuple[Array, Array, Array]] = []
        with torch.no_grad():
            for begin in range(0, len(x.context), BATCH):
                some = x.take(np.arange(begin, min(begin + BATCH, len(x.context)), dtype=np.intp))
                mean, log_var = _forward(self.weights, *_tensors(some, device))
                between = mean.std(dim=0, unbiased=True) if len(mean) > 1 else torch.zeros_like(mean[0])
                within = log_var.exp().mean(dim=0).sqrt()
                parts.append(tuple(t.double().cpu().numpy() for t in (mean.mean(dim=0), between, within)))  # type: ignore[arg-type]
        mean_, between_, within_ = (np.concatenate([p[i] for p in parts]) * self.unit for i in range(3))
        return mean_, between_, within_


def _tensors(x: Inputs, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return tuple(  # type: ignore[return-value]
        torch.as_tensor(np.ascontiguousarray(a), dtype=torch.float32, device=device)
        for a in (x.context, x.perturbation, x.dose_time)
    )


def _bootstrap(groups: Sequence[Codes], n: int, members: int, seed: int) -> tuple[Floats, Floats]:
    """(K, n) weights of rows in training (Poisson bootstrap over groups) and in stopping (left-out groups)."""
    rng = np.random.default_rng(seed)
    train, stop = np.zeros((members, n), np.float32), np.zeros((members, n), np.float32)
    out = max(1, round(LEFT_OUT * len(groups)))
    for k in range(members):
        order = rng.permutation(len(groups))
        for position, g in enumerate(order):
            if position < out and len(groups) > 2:
                stop[k, groups[g]] = 1.0
            else:
                train[k, groups[g]] = float(rng.poisson(1.0))
        if not train[k].any():
            train[k] = 1.0 - stop[k]
    return train, stop


def _start(x: Inputs, r: int, members: int, seed: int, device: str) -> Weights:
    generator = torch.Generator().manual_seed(seed)

    def layer(rows: int, columns: int, gain: float = 1.0) -> torch.Tensor:
        w = torch.randn(members, rows, columns, generator=generator) * gain / max(rows, 1) ** 0.5
        moved: torch.Tensor = w.to(device)
        return moved.requires_grad_(True)

    shapes = {
        "context": layer(x.context.shape[1] + 1, WIDTH), "perturbation": layer(x.perturbation.shape[1] + 1, WIDTH),
        "both": layer(3 * WIDTH + 1, WIDTH), "dose": layer(x.dose_time.shape[1] + 1, WIDTH),
        "film": layer(WIDTH + 1, 2 * WIDTH, 0.5), "last": layer(2 * WIDTH + 1, WIDTH),
        "out": layer(WIDTH + 1, r, 0.1), "spread": layer(WIDTH + 1, r, 0.1),
    }  # fmt: skip
    return shapes


def _dense(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """x (n, i) or (K, n, i); w (K, i + 1, o), its last row the bias."""
    out: torch.Tensor = x @ w[:, :-1] + w[:, -1:]
    return out


def _forward(
    w: Weights, context: torch.Tensor, perturbation: torch.Tensor, dose_time: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(K, n, r) mean and log variance."""
    act = torch.nn.functional.silu
    c, p, d = (
        act(_dense(x, w[n])) for n, x in (("context", context), ("perturbation", perturbation), ("dose", dose_time))
    )
    hidden = act(_dense(torch.cat([c, p, c * p], dim=-1), w["both"]))
    scale, shift = _dense(d, w["film"]).chunk(2, dim=-1)
    hidden = act(_dense(torch.cat([(1 + scale) * hidden + shift, d], dim=-1), w["last"]))
    return _dense(hidden, w["out"]), _dense(hidden, w["spread"]).clamp(*LOG_VAR)


def _loss(
    mean: torch.Tensor, log_var: torch.Tensor, target: torch.Tensor, noise: torch.Tensor, use: torch.Tensor
) -> torch.Tensor:
    """(K,) mean beta-NLL over the entries with weight ``use`` (K, n, r)."""
    var = log_var.exp() + noise
    nll = 0.5 * ((mean - target) ** 2 / var + var.log())
    return (nll * var.detach().sqrt() * use).sum((1, 2)) / use.sum((1, 2)).clamp(min=1.0)


def _train(
    weights: Weights, data: tuple[torch.Tensor, ...], train: torch.Tensor, stop: torch.Tensor, a_known: int,
    b_known: int, seed: int,
) -> Weights:  # fmt: skip
    """Adam steps; every ``EVERY`` steps each member's weights are kept where its left-out groups are told best."""
    context, perturbation, dose_time, target, noise, mask = data
    generator = torch.Generator().manual_seed(seed + 1)
    optimiser = torch.optim.AdamW(list(weights.values()), lr=RATE, weight_decay=DECAY)
    best = {name: w.detach().clone() for name, w in weights.items()}
    least = torch.full((len(train),), float("inf"), device=target.device)
    since, n = 0, len(target)
    for step in range(STEPS):
        if step % EVERY == 0:
            with torch.no_grad():
                error = _stopping_error(weights, data, stop)
            better = error < least
            least = torch.where(better, error, least)
            since = 0 if bool(better.any()) else since + 1
            for name, w in weights.items():
                best[name] = torch.where(better[:, None, None], w.detach(), best[name])
            if since >= PATIENCE:
                break
        rows = torch.randperm(n, generator=generator)[:BATCH].to(target.device)
        hide_a, hide_b = (torch.rand(len(rows), generator=generator).to(target.device) < HIDE for _ in range(2))
        c, p = context[rows].clone(), perturbation[rows].clone()
        c[:, a_known:] *= (~hide_a)[:, None]
        p[:, b_known:] *= (~hide_b)[:, None]
        mean, log_var = _forward(weights, c, p, dose_time[rows])
        use = train[:, rows, None] * mask[rows]
        optimiser.zero_grad()
        _loss(mean, log_var, target[rows], noise[rows], use).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return best


def _stopping_error(weights: Weights, data: tuple[torch.Tensor, ...], stop: torch.Tensor) -> torch.Tensor:
    """(K,) squared error on each member's left-out groups, relative to predicting no residual (start = 1)."""
    context, perturbation, dose_time, target, _, mask = data
    mean, _ = _forward(weights, context, perturbation, dose_time)
    use = stop[:, :, None] * mask
    zero = (target**2 * use).sum((1, 2)).clamp(min=1e-9)
    return ((mean - target) ** 2 * use).sum((1, 2)) / zero

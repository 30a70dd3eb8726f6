"""The kernel of conditions: how alike two conditions are, as a product over what makes a condition.

k(i, j) = s2 * k_context * k_perturbation * k_dose * k_time, each factor a convex mix of a constant (shared by all),
similarity (features, classes, neighbouring doses) and identity. The constants make the product a hierarchy: effects
shared by all contexts, all perturbations, all doses … are terms of its expansion (functional ANOVA; Duvenaud 2014,
"Automatic model construction with Gaussian processes", section 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from .priors import Priors
from .rows import Array, Codes, parts

JITTER = 1e-8
SINGLE_JITTER = 1e-4  # where the device has no double precision


def real(device: str) -> torch.dtype:
    """Double precision, except on devices that have none."""
    return torch.float32 if device.startswith("mps") else torch.float64


@dataclass(frozen=True)
class Features:
    """Numbers of n conditions that the kernel reads: tables of the distinct values, and each row's place in them.

    context, perturbation: one (distinct, k) block a feature table, in the order of ``Priors``; zero rows where missing
    (perturbation: rows of length one). names: (contexts,) code of each distinct context among the known ones;
    members: (perturbations, most) codes of the singles of each distinct perturbation; -1 = unknown (like nothing) or
    padding. dose, time: (distinct,) log10, NaN = none. place: (4, n) of context, perturbation, dose, time.
    """

    context: list[torch.Tensor]
    names: torch.Tensor
    perturbation: list[torch.Tensor]
    members: torch.Tensor
    dose: torch.Tensor
    time: torch.Tensor
    place: torch.Tensor

    def __len__(self) -> int:
        return self.place.shape[1]

    @property
    def device(self) -> torch.device:
        return self.place.device

    def take(self, index: torch.Tensor) -> Features:
        return replace(self, place=self.place[:, index])

    def to(self, dtype: torch.dtype) -> Features:
        """With numbers of another precision."""
        context, perturbation = ([t.to(dtype) for t in ts] for ts in (self.context, self.perturbation))
        return replace(
            self, context=context, perturbation=perturbation, dose=self.dose.to(dtype), time=self.time.to(dtype)
        )


def log_scale(values: Array) -> Array:
    """log10 of a dose or time; zero is put one decade under a thousandth."""
    return np.log10(np.maximum(values, 1e-4))


def features(conditions: pd.DataFrame, priors: Priors, device: str) -> Features:
    """Features of conditions under ``priors`` (which knows the names and feature tables of the fit)."""
    dtype = real(device)

    def tensor(values: Array) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=dtype, device=device)

    def whole(values: Codes) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.int64, device=device)

    context_at, contexts = pd.factorize(conditions["context"].to_numpy(object))
    pert_at, perturbations = pd.factorize(conditions["perturbation"].to_numpy(object))
    doses, dose_at = np.unique(log_scale(conditions["dose"].to_numpy(float)), return_inverse=True)
    times, time_at = np.unique(log_scale(conditions["time_h"].to_numpy(float)), return_inverse=True)
    members = [parts(str(p)) for p in perturbations]
    return Features(
        context=[tensor(block) for block in priors.context_blocks([str(c) for c in contexts])],
        names=whole(priors.context_codes([str(c) for c in contexts])),
        perturbation=[tensor(block) for block in priors.perturbation_blocks(members)],
        members=whole(priors.member_codes(members)),
        dose=tensor(doses),
        time=tensor(times),
        place=whole(np.stack([context_at, pert_at, dose_at.reshape(-1), time_at.reshape(-1)])),
    )


def _near(a: torch.Tensor, b: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Matern 5/2 over a log scale (smooth between doses, soon flat beyond the last one); NaN is like NaN only."""
    both = ~torch.isnan(a)[:, None] & ~torch.isnan(b)[None, :]
    gap = 5**0.5 * (torch.nan_to_num(a)[:, None] - torch.nan_to_num(b)[None, :]).abs() / length
    none = torch.isnan(a)[:, None] & torch.isnan(b)[None, :]
    return torch.where(both, (1 + gap + gap**2 / 3) * torch.exp(-gap), none.to(gap.dtype))


def _shared(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Cosine of the counts of members: (distinct a, distinct b)."""

    def common(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(x.shape[0], y.shape[0], dtype=dtype, device=x.device)
        for i in range(x.shape[1]):
            for j in range(y.shape[1]):
                out += (x[:, i, None] == y[None, :, j]) & (x[:, i, None] >= 0)
        return out

    def length(x: torch.Tensor) -> torch.Tensor:
        same = ((x[:, :, None] == x[:, None, :]) & (x[:, :, None] >= 0)).sum((1, 2))
        return torch.sqrt(same.clamp(min=1).to(dtype))

    return common(a, b) / (length(a)[:, None] * length(b)[None, :])


def parameters(n_context: int, n_perturbation: int, device: str) -> dict[str, torch.Tensor]:
    """Start values, all unconstrained: logits of the mixes, logs of the rest."""

    def start(*values: float) -> torch.Tensor:
        return torch.tensor(values, dtype=real(device), device=device)

    return {
        "context": start(*[0.0] * (n_context + 2)),  # constant, features…, identity
        "perturbation": start(*[0.0] * (n_perturbation + 2)),
        "dose": start(0.0, 0.0),  # constant, near
        "time": start(0.0, 0.0),
        "dose_length": start(0.6),  # log of decades
        "time_length": start(-0.2),
        "context_length": start(*[0.0] * n_context),
        "signal": start(0.0),
        "noise": start(0.0, -4.0),  # factor on the known variances (some is shared by all rows), and what adds to them
    }


def kernel(a: Features, b: Features, p: dict[str, torch.Tensor]) -> torch.Tensor:
    """(n_a, n_b) covariance of the noiseless signal, in units of the standardised residual."""
    dtype = a.dose.dtype
    weights = torch.softmax(p["context"], 0)
    same_context = ((a.names[:, None] == b.names[None, :]) & (a.names[:, None] >= 0)).to(dtype)
    k_context = weights[0] + weights[-1] * same_context  # identity stands in for a feature that is missing
    for i, (x, y) in enumerate(zip(a.context, b.context, strict=True)):
        gap = (x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2 * x @ y.T
        known = ((x**2).sum(1) > 0)[:, None] & ((y**2).sum(1) > 0)[None, :]
        near = torch.exp(-0.5 * gap.clamp(min=0) * torch.exp(-2 * p["context_length"][i]))
        k_context = k_context + weights[i + 1] * torch.where(known, near, same_context)
    weights = torch.softmax(p["perturbation"], 0)
    same_members = _shared(a.members, b.members, dtype)
    k_pert = weights[0] + weights[-1] * same_members
    for i, (x, y) in enumerate(zip(a.perturbation, b.perturbation, strict=True)):
        known = (x != 0).any(1)[:, None] & (y != 0).any(1)[None, :]
        k_pert = k_pert + weights[i + 1] * torch.where(known, x @ y.T, same_members)
    weights = torch.softmax(p["dose"], 0)
    k_dose = weights[0] + weights[1] * _near(a.dose, b.dose, torch.exp(p["dose_length"]))
    weights = torch.softmax(p["time"], 0)
    k_time = weights[0] + weights[1] * _near(a.time, b.time, torch.exp(p["time_length"]))
    whole = torch.exp(p["signal"]) * k_pert[a.place[1]][:, b.place[1]]
    for part, row in ((k_context, 0), (k_dose, 2), (k_time, 3)):
        if part.shape == (1, 1):
            whole = whole * part
        else:
            whole = whole * part[a.place[row]][:, b.place[row]]
    return whole


def prior_variance(p: dict[str, torch.Tensor]) -> float:
    """Variance of the signal before data: k(i, i), the same for all complete conditions."""
    return float(torch.exp(p["signal"]))


def noise_variance(known: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    """(n,) variance of rows around the signal, from their ``known`` measurement variances."""
    jitter = JITTER if known.dtype == torch.float64 else SINGLE_JITTER
    return known * torch.exp(p["noise"][0]) + torch.exp(p["noise"][1]) + jitter

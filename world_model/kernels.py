"""The kernel of conditions: how alike two conditions are, as a product over what makes a condition.

k(i, j) = s2 * k_context * k_perturbation * k_dose * k_time, each factor a convex mix of a constant (shared by all),
similarity (features, classes, neighbouring doses) and identity. The constants make the product a hierarchy: effects
shared by all contexts, all perturbations, all doses … are terms of its expansion (functional ANOVA; Duvenaud 2014,
"Automatic model construction with Gaussian processes", section 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from .priors import Priors, multi_hot, normalised
from .rows import Array, parts

JITTER = 1e-8


@dataclass(frozen=True)
class Features:
    """Numbers of n conditions that the kernel reads; order of the lists as in ``Priors``.

    context, perturbation: (n, k) feature blocks, zero rows where missing (perturbation: rows of length one);
    blocks; context_id, members: (n, .) row-normalised one-hots over the known names (an unknown name is like nothing);
    dose, time: (n,) log10, NaN = none.
    """

    context: list[torch.Tensor]
    context_id: torch.Tensor
    perturbation: list[torch.Tensor]
    members: torch.Tensor
    dose: torch.Tensor
    time: torch.Tensor

    def take(self, index: torch.Tensor) -> Features:
        return Features(
            [c[index] for c in self.context], self.context_id[index], [p[index] for p in self.perturbation],
            self.members[index], self.dose[index], self.time[index],
        )  # fmt: skip


def log_scale(values: Array) -> Array:
    """log10 of a dose or time; zero is put one decade under a thousandth."""
    return np.log10(np.maximum(values, 1e-4))


def features(conditions: pd.DataFrame, priors: Priors, device: str) -> Features:
    """Features of conditions under ``priors`` (which knows the names and feature tables of the fit)."""

    def tensor(values: Array) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float64, device=device)

    contexts = [(str(c),) for c in conditions["context"]]
    members = [parts(str(p)) for p in conditions["perturbation"]]
    return Features(
        context=[tensor(block) for block in priors.context_blocks([c[0] for c in contexts])],
        context_id=tensor(normalised(multi_hot(contexts, priors.contexts))),
        perturbation=[tensor(block) for block in priors.perturbation_blocks(members)],
        members=tensor(normalised(multi_hot(members, priors.perturbations))),
        dose=tensor(log_scale(conditions["dose"].to_numpy(float))),
        time=tensor(log_scale(conditions["time_h"].to_numpy(float))),
    )


def _near(a: torch.Tensor, b: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Matern 5/2 over a log scale (smooth between doses, soon flat beyond the last one); NaN is like NaN only."""
    both = ~torch.isnan(a)[:, None] & ~torch.isnan(b)[None, :]
    gap = 5**0.5 * (torch.nan_to_num(a)[:, None] - torch.nan_to_num(b)[None, :]).abs() / length
    none = torch.isnan(a)[:, None] & torch.isnan(b)[None, :]
    return torch.where(both, (1 + gap + gap**2 / 3) * torch.exp(-gap), none.to(gap.dtype))


def parameters(n_context: int, n_perturbation: int, device: str) -> dict[str, torch.Tensor]:
    """Start values, all unconstrained: logits of the mixes, logs of the rest."""

    def start(*values: float) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64, device=device)

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
    weights = torch.softmax(p["context"], 0)
    same_context = a.context_id @ b.context_id.T  # stands in for a feature that is missing
    k_context = weights[0] + weights[-1] * same_context
    for i, (x, y) in enumerate(zip(a.context, b.context, strict=True)):
        gap = (x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2 * x @ y.T
        known = ((x**2).sum(1) > 0)[:, None] & ((y**2).sum(1) > 0)[None, :]
        near = torch.exp(-0.5 * gap.clamp(min=0) * torch.exp(-2 * p["context_length"][i]))
        k_context = k_context + weights[i + 1] * torch.where(known, near, same_context)
    weights = torch.softmax(p["perturbation"], 0)
    same_members = a.members @ b.members.T
    k_pert = weights[0] + weights[-1] * same_members
    for i, (x, y) in enumerate(zip(a.perturbation, b.perturbation, strict=True)):
        known = (x != 0).any(1)[:, None] & (y != 0).any(1)[None, :]
        k_pert = k_pert + weights[i + 1] * torch.where(known, x @ y.T, same_members)
    weights = torch.softmax(p["dose"], 0)
    k_dose = weights[0] + weights[1] * _near(a.dose, b.dose, torch.exp(p["dose_length"]))
    weights = torch.softmax(p["time"], 0)
    k_time = weights[0] + weights[1] * _near(a.time, b.time, torch.exp(p["time_length"]))
    return torch.exp(p["signal"]) * k_context * k_pert * k_dose * k_time


def prior_variance(p: dict[str, torch.Tensor]) -> float:
    """Variance of the signal before data: k(i, i), the same for all complete conditions."""
    return float(torch.exp(p["signal"]))


def noise_variance(known: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    """(n,) variance of rows around the signal, from their ``known`` measurement variances."""
    return known * torch.exp(p["noise"][0]) + torch.exp(p["noise"][1]) + JITTER

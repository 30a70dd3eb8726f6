"""What an engine of the cell says of conditions, and how far each of its bases is trusted."""

from __future__ import annotations

from dataclasses import dataclass

from .rows import Array

AND = " and "  # joins the names of averaged bases


@dataclass(frozen=True)
class Answer:
    """What an engine says of n conditions: mean, epistemic, aleatoric (n, r); the rest (n,)."""

    mean: Array
    epistemic: Array
    aleatoric: Array
    in_domain: Array
    base: list[str]
    reason: list[str]  # why it abstains; "" where it does not


@dataclass(frozen=True)
class Trust:
    """Measured on held-out training conditions: factor on the residual, factors on the sd ((r,), or (1,) for all), and
    the squared error that is left as a share of the train mean's on the same entries. share, usual: how far the sd
    follows the predicted response (amplitude.py)."""

    shrink: float
    widen: Array
    error: float
    share: float = 0.0
    usual: float = 1.0

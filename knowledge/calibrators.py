"""From p-values to e-values and back; products and means of e-values (Vovk & Wang 2021, Ann. Statist. 49:1736).

A calibrator f is decreasing on (0, 1] with integral at most 1, so f(p) is an e-value for every valid p. None is best;
each loses against an e-value built for the data. p = 0 is taken as the smallest positive double: a p-value of zero is
an underflow, not infinite evidence.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ..world_model.errors import BadInput

Floats = npt.NDArray[np.float64]


def power(p: npt.ArrayLike, kappa: float = 0.5) -> Floats:
    """kappa * p^(kappa - 1), 0 < kappa < 1."""
    if not 0 < kappa < 1:
        raise BadInput(f"kappa {kappa} is not between 0 and 1")
    return np.asarray(kappa * _p(p) ** (kappa - 1.0), float)


def mixture(p: npt.ArrayLike) -> Floats:
    """All powers at once: the integral of kappa * p^(kappa - 1) over kappa = (1 - p + p log p) / (p log(p)^2)."""
    p = _p(p)
    logs = np.log(p)
    near_one = np.abs(logs) < 1e-3  # there the quotient cancels; series in -log p
    safe = np.where(near_one, -1.0, logs)
    quotient = (1.0 - p + p * safe) / (p * safe**2)
    return np.asarray(np.where(near_one, 0.5 - logs / 6.0 + logs**2 / 24.0, quotient), float)


def shafer(p: npt.ArrayLike) -> Floats:
    """p^(-1/2) - 1 (Shafer 2021): the strongest for moderate p, worth nothing at p = 1."""
    return np.asarray(_p(p) ** -0.5 - 1.0, float)


def to_p(e: npt.ArrayLike) -> Floats:
    """min(1, 1 / e): the p-value any e-value is worth (Markov)."""
    return np.asarray(1.0 / np.maximum(np.asarray(e, float), 1.0), float)


def product(e_values: Iterable[float]) -> float:
    """e-value of independent or sequential experiments together (each given those before it)."""
    values = np.fromiter(e_values, float)
    if np.any(values == 0):
        return 0.0
    return float(np.exp(min(float(np.log(values).sum()), 690.0)))


def mean(e_values: Iterable[float]) -> float:
    """e-value of experiments that may depend on each other in any way."""
    return float(np.mean(np.fromiter(e_values, float)))


def _p(p: npt.ArrayLike) -> Floats:
    values = np.asarray(p, float)
    if not np.all((values >= 0) & (values <= 1)):
        raise BadInput("A p-value lies outside 0..1", cure="Leave out what was not measured")
    return np.asarray(np.maximum(values, np.finfo(float).tiny), float)

"""What a cell says of conditions: mean, both uncertainties, domain, base and abstention, one row a condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .rows import Array

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CellPrediction:
    """The cell's word on n conditions x r readouts, in each readout's unit, relative to the matched control
    (or the reading itself where the data have no controls).

    mean, epistemic (sd of the mean), aleatoric (sd of one well): (n, r). in_domain: (n,) 0 … 1.
    reference_mean, reference_sd: (n, r) of this perturbation over the training contexts, for ``z``; NaN = none.
    """

    conditions: pd.DataFrame
    readouts: tuple[str, ...]
    mean: Array
    epistemic: Array
    aleatoric: Array
    in_domain: Array
    base: list[str]
    abstain: np.ndarray[Any, np.dtype[np.bool_]]
    reason: list[str]
    reference_mean: Array
    reference_sd: Array

    def samples(self, n: int, seed: int = 0) -> Array:
        """(n, conditions, r) draws of a future well's relative change: normal, both variances, readouts apart."""
        sd = np.hypot(self.epistemic, self.aleatoric)
        return self.mean + sd * np.random.default_rng(seed).standard_normal((n, *self.mean.shape))

    def z(self) -> tuple[Array, Array, Array]:
        """mean, epistemic, aleatoric (n, r) in sd of the perturbation over the training contexts (low = sensitive)."""
        return (
            (self.mean - self.reference_mean) / self.reference_sd,
            self.epistemic / self.reference_sd,
            self.aleatoric / self.reference_sd,
        )

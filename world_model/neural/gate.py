"""Whether the nets may speak: their weight beside the Gaussian process, measured where training rows were held out.

For each way of being new, folds of training rows are held out; what the process says of them is compared with what
the nets, trained without them, say. The weight w of the nets is the least-squares mix of the two (stacking: Wolpert
1992; Breiman 1996). It counts only if, with w taken from the other folds, the mix errs less than the process alone
by more than chance would have it (``CHANCE``, one-sided t over folds); else it is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from ..rows import Array, Codes

CHANCE = 0.01  # a gain that this or a larger share of useless nets would show is none (one-sided t over folds)
LEAST_FOLDS = 3


@dataclass(frozen=True)
class Gate:
    """weight: of the nets, 0 … 1; gain, gain_se: share of the process's squared error that the mix saves (mean over
    folds, cross-fitted); widen: factor on the mix's epistemic sd for 90% intervals; folds: how many were held out."""

    weight: float
    gain: float
    gain_se: float
    widen: float
    folds: int

    @property
    def open(self) -> bool:
        return self.weight > 0.0


def stacked(
    wanted: Array, process: Array, nets: Array, folds: Sequence[Codes], weight: Array
) -> tuple[float, float, float]:
    """(w, gain, its standard error). wanted, process, nets: (n, r) truth and the two predictions, NaN = skip;
    weight: (r,) what an error in each readout counts. w is zero where the gain is within its noise."""
    use = np.isfinite(wanted) & np.isfinite(process) & np.isfinite(nets)
    step = np.where(use, nets - process, 0.0) * np.sqrt(weight)
    error = np.where(use, wanted - process, 0.0) * np.sqrt(weight)
    cross = np.array([float((step[f] * error[f]).sum()) for f in folds])
    power = np.array([float((step[f] ** 2).sum()) for f in folds])
    before = np.array([float((error[f] ** 2).sum()) for f in folds])
    if len(folds) < LEAST_FOLDS or power.sum() <= 0 or before.sum() <= 0:
        return 0.0, 0.0, float("nan")
    others = np.clip((cross.sum() - cross) / np.maximum(power.sum() - power, 1e-12), 0.0, 1.0)
    saved = 2 * others * cross - others**2 * power
    gain = float(saved.sum() / before.sum())
    share = saved / before.mean()
    se = float(share.std(ddof=1) / np.sqrt(len(folds)))
    w = float(np.clip(cross.sum() / power.sum(), 0.0, 1.0))
    return (w if gain > float(student.ppf(1 - CHANCE, len(folds) - 1)) * se else 0.0), gain, se

"""What a base leaves over, as a Gaussian process: exact for a few thousand conditions, carried by some beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .rows import Array, Codes
from .scales import noise_levels, signal_unit, subgrid

if TYPE_CHECKING:
    import torch

    from .gp import Process
    from .priors import Priors
    from .sparse import SparseProcess

EXACT_ROWS = 4000  # up to so many training rows one exact factor serves
EXACT_ENTRIES = 4 * EXACT_ROWS**2  # of all factors together: each pattern of missing readings needs its own
LEARN_ROWS = 300


@dataclass(frozen=True)
class Kept:
    """Numbers of a residual that a saved cell keeps; ``inducing``: rows that carry a sparse process."""

    index: Codes
    unit: Array
    noise: Array
    inducing: Codes | None = None


@dataclass(frozen=True)
class Residual:
    """One base's process: ``index`` of its training rows (in its own order), unit (r,) of its residuals."""

    index: Codes
    unit: Array
    process: Process | SparseProcess

    @property
    def kept(self) -> Kept:
        from .sparse import SparseProcess

        inducing = self.process.inducing if isinstance(self.process, SparseProcess) else None
        return Kept(self.index, self.unit, self.process.noise, inducing)

    @classmethod
    def fit(
        cls, conditions: pd.DataFrame, left: Array, noise: Array, index: Codes, priors: Priors,
        p: dict[str, torch.Tensor] | None, kept: Kept | None, *, seed: int, device: str,
    ) -> Residual:  # fmt: skip
        """left: (n, r) what the base leaves of every training row; p: kernel parameters, learned where None.

        kept: of a saved residual, whose rows and scales are taken as they are.
        """
        import torch

        from .gp import Process, learn, patterns
        from .kernels import features
        from .sparse import MOST_INDUCING, SparseProcess, inducing_rows

        if kept is None:
            unit = signal_unit(left[index], noise[index])
            kept = Kept(index, unit, noise_levels(noise[index] / unit**2))
        x = features(conditions.iloc[kept.index], priors, device)
        y = left[kept.index] / kept.unit
        if p is None:
            few = subgrid(conditions.iloc[kept.index], LEARN_ROWS, seed)
            p = learn(x.take(torch.as_tensor(few, device=device)), y[few], kept.noise[few])
        entries = len(patterns(y, kept.noise)) * len(y) ** 2
        if kept.inducing is None and len(y) <= EXACT_ROWS and entries <= EXACT_ENTRIES:
            return cls(kept.index, kept.unit, Process.fit(x, y, kept.noise, p))
        inducing = inducing_rows(x, MOST_INDUCING, seed) if kept.inducing is None else kept.inducing
        return cls(kept.index, kept.unit, SparseProcess.fit(x, np.isfinite(y), kept.noise, p, inducing))

"""What the nets read of a condition: its context, its perturbation, its dose and time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..kernels import log_scale
from ..priors import Priors, multi_hot, normalised
from ..rows import Array, Codes, parts


@dataclass(frozen=True)
class Inputs:
    """context (n, a), perturbation (n, b): prior features followed by the one-hots of known names; dose_time (n, 4):
    log10 dose, log10 time (0 where none) and a flag for each that is absent. a_known, b_known: where the one-hots
    begin, so that names can be hidden while learning (a new name has none)."""

    context: Array
    perturbation: Array
    dose_time: Array
    a_known: int
    b_known: int

    def take(self, index: Codes) -> Inputs:
        return Inputs(self.context[index], self.perturbation[index], self.dose_time[index], self.a_known, self.b_known)


def inputs(conditions: pd.DataFrame, priors: Priors) -> Inputs:
    """Numbers of n conditions under ``priors``; a missing feature is a zero row, an unknown name a zero one-hot."""
    contexts = [str(c) for c in conditions["context"]]
    members = [parts(str(p)) for p in conditions["perturbation"]]
    told_context = [b for b in priors.context_blocks(contexts) if b.shape[1]]
    told_perturbation = [b for b in priors.perturbation_blocks(members) if b.shape[1]]
    context_id = normalised(multi_hot([(c,) for c in contexts], priors.contexts))
    member_id = normalised(multi_hot(members, priors.perturbations))
    logs = [log_scale(conditions[name].to_numpy(float)) for name in ("dose", "time_h")]
    none = [~np.isfinite(log) for log in logs]
    dose_time = np.column_stack([*(np.nan_to_num(log) for log in logs), *(n.astype(float) for n in none)])
    return Inputs(
        np.column_stack([*told_context, context_id]),
        np.column_stack([*told_perturbation, member_id]),
        dose_time,
        sum(b.shape[1] for b in told_context),
        sum(b.shape[1] for b in told_perturbation),
    )

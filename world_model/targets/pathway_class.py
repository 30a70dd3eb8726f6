"""RAF or MEK inhibitor, told from phosphorylation alone.

A MEK inhibitor stops MEK from phosphorylating ERK but leaves (or, by lost feedback, raises) the phosphorylation of MEK
itself; a RAF inhibitor stops it one step earlier, so pMEK falls with pERK (Poulikakos and Rosen 2011,
doi:10.1016/j.ccr.2010.12.018). With m and e the mean log2 changes of pMEK and pERK, the statistic is d = m - e / 2:
above zero pMEK kept more than half of what pERK lost, below zero it fell along. Nothing is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from ..rows import Array

HALF = 0.5
DOUBT = 0.95  # a call with less probability is named doubtful
FLAT = 0.25  # log2: with pERK changed by less, there is no effect to tell apart


@dataclass(frozen=True)
class Call:
    """One compound in one line. probability: that d lies on the called side, given the spread over its conditions."""

    call: Literal["MEK inhibitor", "RAF inhibitor"]
    probability: float
    statistic: float
    se: float
    reason: str  # why it is doubtful; "" where it is not

    @property
    def doubtful(self) -> bool:
        return bool(self.reason)


def classify(p_mek: Array, p_erk: Array) -> Call:
    """p_mek, p_erk: (n,) log2 changes against control in the same conditions; NaN pairs are left out."""
    both = np.isfinite(p_mek) & np.isfinite(p_erk)
    m, e = p_mek[both], p_erk[both]
    if len(m) < 2:
        return Call("RAF inhibitor", 0.5, float("nan"), float("nan"), "fewer than two conditions were measured")
    d = m - HALF * e
    centre, se = float(d.mean()), float(d.std(ddof=1) / np.sqrt(len(d)))
    side = NormalDist().cdf(abs(centre) / max(se, 1e-9))
    reason = ""
    if abs(float(e.mean())) < FLAT:
        reason = f"pERK hardly changes ({e.mean():+.2f} log2)"
    elif side < DOUBT:
        reason = f"pMEK keeps about half of what pERK loses (probability {side:.2f})"
    return Call("MEK inhibitor" if centre > 0 else "RAF inhibitor", side, centre, se, reason)

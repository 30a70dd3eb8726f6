"""Doses and times between the measured ones, where a lab can take any: put where wells decide most.

A claim at a high dose is the easiest to settle, one at a low dose says more (its value is higher, see choosing.py).
Along one series (the same perturbations, readout and direction) the best place is where value x useful growth of
log10 e per well is largest under the cell's prediction. Only within the measured range: beyond, the cell guesses.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..knowledge.claims import Claim
from ..knowledge.power import e_power
from ..tools.lab.protocol import Capabilities
from .acquire import useful
from .goal import Hypothesis
from .staking import Stake

STEPS = 3  # new doses (log scale) and times (log scale) between two measured neighbours
SERIES = 24  # series that get a free place in one cycle: those with the most to say
LOOK = 2  # treated wells of the look that is weighed; controls twice

Series = tuple[tuple[str, ...], str, str, str, str]  # perturbations, readout, relation, kind, context
Point = tuple[float | None, float | None]  # dose, time in hours


def free_points(
    lab: Capabilities, doses: Sequence[float], times_h: Sequence[float], hypothesis: Hypothesis
) -> list[Point]:
    """Doses at the hypothesis's time and times at its dose, none of them measured; empty for a lab without a range."""
    found: list[Point] = []
    if lab.doses is not None and hypothesis.dose is not None:
        found += [(d, hypothesis.time_h) for d in _between(doses, lab.doses, hypothesis.dose)]
    if lab.times_h is not None and hypothesis.time_h is not None:
        found += [(hypothesis.dose, t) for t in _between(times_h, lab.times_h, hypothesis.time_h)]
    return found


def moved(
    lab: Capabilities, doses: Sequence[float], times_h: Sequence[float], where: Iterable[Hypothesis]
) -> list[Hypothesis]:
    """The hypotheses at the free points around them, each once."""
    found = {
        (h.perturbations, h.readout, h.direction, h.kind, dose, time_h): h.model_copy(
            update={"dose": dose, "time_h": time_h}
        )
        for h in where
        for dose, time_h in free_points(lab, doses, times_h, h)
    }
    return list(found.values())


def best_places(
    measured: Sequence[Stake], free: Sequence[Stake], growth: Callable[[Stake], float] | None = None
) -> list[Stake]:
    """The free stake of each series that beats its measured ones in value x useful growth per well; most telling first.

    growth: useful growth of log10 e of a look at ``LOOK`` wells (the default computes it)."""
    growth = growth or look_growth
    told = {s.claim.id: s.claim.value * growth(s) for s in (*measured, *free)}
    bar: dict[Series, float] = {}
    for stake in measured:
        bar[series(stake.claim)] = max(bar.get(series(stake.claim), 0.0), told[stake.claim.id])
    best: dict[Series, Stake] = {}
    for stake in free:
        key, worth = series(stake.claim), told[stake.claim.id]
        if worth > bar.get(key, 0.0) and (key not in best or worth > told[best[key].claim.id]):
            best[key] = stake
    return sorted(best.values(), key=lambda s: (-told[s.claim.id], s.claim.id))[:SERIES]


def look_growth(stake: Stake) -> float:
    """Useful growth of log10 e from one look; wells are the same at every place, so it ranks as growth per well."""
    wells = {a.key(): 2 * LOOK if a.is_control else LOOK for a in stake.claim.contrast.arms}
    return useful(e_power(stake.claim, stake.prediction, wells).mean_log_e, stake.prediction.alpha)


def series(claim: Claim) -> Series:
    """What two claims share that differ in dose or time alone."""
    names = tuple(p.name for p in claim.contrast.arms[0].perturbations)
    return (names, claim.readout.variable, claim.relation, claim.kind, claim.contrast.arms[0].context)


def _between(measured: Sequence[float], span: tuple[float, float], here: float) -> list[float]:
    """New values on a log scale between ``here`` and its measured neighbours, within the lab's span; 3 digits."""
    known = sorted({m for m in measured if m > 0})
    if here not in known:
        return []
    at = known.index(here)
    near = known[max(0, at - 1) : at + 2]
    found = []
    for low, high in itertools.pairwise(near):
        steps = np.geomspace(low, high, STEPS + 2)[1:-1]
        found += [float(f"{v:.3g}") for v in steps]
    return [v for v in found if span[0] <= v <= span[1] and not any(math.isclose(v, k) for k in known)]

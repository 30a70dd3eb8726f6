"""Facts that a comment may state: each is a function that looks for it and says it in words, or finds nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...knowledge.claims import Design
    from ...knowledge.status import ClaimState
    from .toolbox import Toolbox

SURPRISING = 2.0  # sd between prediction and measurement


def single_replicates(design: Design) -> str:
    """Treated arms with one well beside controls."""
    if not any(r.arm.is_control for r in design.arms):
        return ""
    alone = [r for r in design.arms if r.n == 1 and not r.arm.is_control]
    return f"{len(alone)} treated arms have one well each: their error is known from other arms only." if alone else ""


def few_controls(design: Design) -> str:
    """Fewer control wells than wells of the largest treated arm."""
    controls = sum(r.n for r in design.arms if r.arm.is_control)
    largest = max((r.n for r in design.arms if not r.arm.is_control), default=0)
    if not controls or controls >= largest:
        return ""
    return f"{controls} control wells serve arms of up to {largest}: the control limits the contrast."


def one_dose(design: Design) -> str:
    """Everything at a single dose."""
    doses = {p.dose for r in design.arms for p in r.arm.perturbations if p.dose is not None}
    return f"Every treated arm is at {doses.pop():g} uM: nothing is learned about dose." if len(doses) == 1 else ""


def one_time(design: Design) -> str:
    """Everything at a single time."""
    times = {r.arm.time_h for r in design.arms if r.arm.time_h is not None}
    return f"Every arm is at {times.pop():g} h: nothing is learned about time." if len(times) == 1 else ""


def lopsided(design: Design) -> str:
    """One perturbation with more than half of the treated wells."""
    spent: Counter[str] = Counter()
    for r in design.arms:
        if not r.arm.is_control:
            spent["+".join(p.name for p in r.arm.perturbations)] += r.n
    total = sum(spent.values())
    if len(spent) < 2 or spent.most_common(1)[0][1] <= total / 2:
        return ""
    name, n = spent.most_common(1)[0]
    return f"{name} takes {n} of {total} treated wells."


CONCERNS: dict[str, Callable[[Design], str]] = {
    "single replicates": single_replicates,
    "few controls": few_controls,
    "one dose": one_dose,
    "one time": one_time,
    "lopsided": lopsided,
}


def surprise(state: ClaimState) -> float:
    """(measured - predicted) / their joint sd; 0 where nothing was measured."""
    if state.evidence is None or state.prediction is None:
        return 0.0
    theory, found = state.prediction.theory, state.evidence
    if not math.isfinite(found.se):
        return 0.0
    return (found.estimate - theory.mean) / math.hypot(theory.sd, found.se)


def higher_dose(state: ClaimState, tools: Toolbox) -> str:
    """A higher dose with fresh wells."""
    dose, left = _own(state)[0], [a[1] for a in _arms(state, tools) if a[1] is not None]
    more = [d for d in left if dose is not None and d > dose]
    return f"A higher dose, {max(more):g} uM, still has fresh wells." if more else ""


def later_time(state: ClaimState, tools: Toolbox) -> str:
    """A later time with fresh wells."""
    time, left = _own(state)[1], [a[2] for a in _arms(state, tools) if a[2] is not None]
    more = [t for t in left if time is not None and t > time]
    return f"A later time, {max(more):g} h, still has fresh wells." if more else ""


def noisy(state: ClaimState, _: Toolbox) -> str:
    """A standard error wider than half of the zone between claim and denial."""
    found, claim = state.evidence, state.claim
    if found is None or not math.isfinite(found.se) or found.se <= abs(claim.delta - claim.delta0) / 2:
        return ""
    return f"The standard error {found.se:.2f} is wide beside the zone between claim and denial."


# what may lie behind a surprise; None: no fact at hand could tell, it stays a guess
EXPLANATIONS: dict[str, Callable[[ClaimState, Toolbox], str] | None] = {
    "dose too low": higher_dose,
    "too early": later_time,
    "assay noise": noisy,
    "compensation": None,
    "another target": None,
    "wrong mechanism": None,
}


def _own(state: ClaimState) -> tuple[float | None, float | None]:
    arm = state.claim.contrast.arms[0]
    return (arm.perturbations[0].dose if arm.perturbations else None), arm.time_h


def _arms(state: ClaimState, tools: Toolbox) -> list[tuple[str, float | None, float | None]]:
    name = "+".join(sorted(p.name for p in state.claim.contrast.arms[0].perturbations))
    return [a for a in tools.fresh if a[0] == name]

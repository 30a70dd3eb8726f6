"""A refuted claim's successor: narrower, where its own wells and its neighbours' suggest one.

Refuting "X lowers R by 1 at 0.1 uM and 1 h" rules out that claim; it does not rule out that X needs more, or longer, or
does less. Three successors are considered, in this order, each with its reason in words:

    higher dose    the next dose up that can be run, where the wells moved the right way or the theory expects it there;
    later time     likewise the next time;
    smaller effect the same arm, half the size, where the confidence sequence still holds it;

A successor is a hypothesis like any other: it is staked only if the theory believes it, registered before its wells,
and its claim carries ``revises``, the id of the claim it narrows, and says so in its origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..knowledge.claims import Claim
from .goal import Goal, Hypothesis
from .staking import Stake

if TYPE_CHECKING:
    from ..knowledge.status import ClaimState

SMALLER = 0.5  # of delta and delta0
MOVED = 0.25  # of delta: an estimate this far on the claim's side is a hint that more may do it


@dataclass(frozen=True)
class Revision:
    """A narrower hypothesis with the claim it comes from. shrink: factor on the zone (1 = the same size)."""

    of: Claim
    hypothesis: Hypothesis
    shrink: float
    reason: str


def revisions(
    goal: Goal, states: Iterable[ClaimState], doses: Sequence[float], times: Sequence[float]
) -> list[Revision]:
    """Successors of every falsified claim of the goal's context; none for panels, whose claims name no dose."""
    if goal.intent == "panel":
        return []
    readouts = {g.readout.variable for g in goal.readouts}
    found = []
    for state in states:
        arm = state.claim.contrast.arms[0]
        if arm.context != goal.context.name or state.claim.readout.variable not in readouts:
            continue
        if state.status == "falsified" and state.evidence is not None and state.claim.kind != "synergy":
            found += _of(state, doses, times)
    return found


def revised(stakes: Sequence[Stake], whence: Mapping[int, Revision]) -> list[Stake]:
    """Stakes of revisions (by their place) with ``revises``, origin and the narrowed zone written into the claim."""
    out = []
    for i, stake in enumerate(stakes):
        revision = whence.get(i)
        if revision is None:
            out.append(stake)
            continue
        old, k = stake.claim, revision.shrink
        claim = old.model_copy(
            update={
                "revises": revision.of.id,
                "origin": f"revision of {revision.of.id}: {revision.reason}"[:200],
                "delta": old.delta * k,
                "delta0": old.delta0 * k,
                "sentence": old.sentence.replace(f">= {abs(old.delta):g}", f">= {abs(old.delta) * k:g}"),
                "refuted_by": old.refuted_by.replace(f"{old.delta0:+g}", f"{old.delta0 * k:+g}"),
            }
        )
        out.append(replace(stake, claim=claim, prediction=stake.prediction.model_copy(update={"claim_id": claim.id})))
    return out


def ruled_out(state: ClaimState) -> str:
    """What a falsified claim's wells exclude, and what they leave open, in one sentence."""
    evidence, claim = state.evidence, state.claim
    if evidence is None:
        return ""
    low, high = evidence.ci_low, evidence.ci_high
    unit = claim.readout.unit
    if low is None or high is None:
        return f"Ruled out: {claim.readout.variable} at {claim.delta:+g} {unit} or beyond."
    side = high if claim.sign > 0 else low
    return (
        f"Ruled out: {claim.readout.variable} beyond {side:+.2f} {unit} in this arm "
        f"(measured {evidence.estimate:+.2f}, {low:+.2f} to {high:+.2f}); smaller effects, higher doses and later "
        "times stay open."
    )


def _of(state: ClaimState, doses: Sequence[float], times: Sequence[float]) -> list[Revision]:
    claim, evidence = state.claim, state.evidence
    assert evidence is not None
    arm = claim.contrast.arms[0]
    one = arm.perturbations[0] if arm.perturbations else None
    if one is None:
        return []
    toward = claim.sign * evidence.estimate / abs(claim.delta)  # 1 = as claimed
    base = Hypothesis(
        perturbations=tuple(p.name for p in arm.perturbations),
        dose=one.dose,
        time_h=arm.time_h,
        readout=claim.readout.variable,
        direction="up" if claim.sign > 0 else "down",
        kind="response",
        mechanism=claim.mechanism[:600],
        origin=f"revision of {claim.id}",
    )
    found = []
    higher = min((d for d in doses if one.dose is not None and d > one.dose * 1.001), default=None)
    later = min((t for t in times if arm.time_h is not None and t > arm.time_h * 1.001), default=None)
    moved = f"the wells moved {toward:.0%} of the way"
    if higher is not None and toward >= MOVED:
        found.append(Revision(claim, base.model_copy(update={"dose": higher}), 1.0, f"{moved}: a higher dose"))
    if later is not None and toward >= MOVED:
        found.append(Revision(claim, base.model_copy(update={"time_h": later}), 1.0, f"{moved}: a later time"))
    edge = evidence.ci_high if claim.sign > 0 else evidence.ci_low
    reach = None if edge is None else claim.sign * edge
    if toward >= SMALLER and (reach is None or reach >= SMALLER * abs(claim.delta)):
        found.append(Revision(claim, base, SMALLER, f"{moved}: half the effect"))
    return found

"""What the theory believes otherwise after a cycle, because a claim of this campaign was falsified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..world_model.vocabulary import Frozen
from .choosing import name_of
from .revise import ruled_out
from .staking import Staker

if TYPE_CHECKING:
    from ..knowledge.status import ClaimState
    from ..world_model.cell import VirtualCell
    from .goal import Hypothesis
    from .session import Session


class BeliefChange(Frozen):
    """Mean predicted effect over the kin of a falsified claim, before and after the update (claim's units)."""

    claim_ids: tuple[str, ...]
    sentence: str
    before: float | None
    after: float | None


def changes(session: Session, before: VirtualCell, after: VirtualCell) -> list[BeliefChange]:
    """One entry for each claim falsified in this cycle: what was ruled out, and how its kin moved."""
    states = session.states()
    told = {
        c
        for e in session.ledger.events(kind="belief_changed", campaign=session.campaign)
        for c in e.payload["claim_ids"]
    }
    fresh = [states[c] for c in session.my_claims() if states[c].status == "falsified" and c not in told]
    if not fresh:
        return []
    hypotheses = session.builtin.hypothesise(session.goal, session.briefing())
    return [_one(session, state, hypotheses, before, after) for state in fresh]


def _one(
    session: Session, state: ClaimState, hypotheses: Sequence[Hypothesis], before: VirtualCell, after: VirtualCell
) -> BeliefChange:
    claim, evidence, prediction = state.claim, state.evidence, state.prediction
    assert evidence is not None and prediction is not None
    kin, who = _kin(session, state, hypotheses)
    old, new = (_mean(session, cell, kin) for cell in (before, after))
    unit = "z" if claim.contrast.populations else claim.readout.unit
    sentence = (
        f"Refuted: {claim.sentence} The theory expected {prediction.theory.mean:+.2f} "
        f"(sd {prediction.theory.sd:.2f}) {unit}; measured {evidence.estimate:+.2f} (se {evidence.se:.2f})."
    )
    sentence += f" {ruled_out(state)}"
    if old is not None and new is not None:
        sentence += f" For {who} ({len(kin)}) the mean prediction moved from {old:+.2f} to {new:+.2f}."
    return BeliefChange(claim_ids=(claim.id,), sentence=sentence, before=old, after=new)


def _kin(session: Session, state: ClaimState, hypotheses: Sequence[Hypothesis]) -> tuple[list[Hypothesis], str]:
    """Hypotheses near the falsified one: same mechanism class (panel), or same perturbation at other doses, times."""
    name, readout = name_of(state.claim), state.claim.readout.variable
    arm = state.claim.contrast.arms[0]
    if session.goal.intent == "panel":
        family = session.classes.get(name, "unknown")
        kin = [
            h
            for h in hypotheses
            if session.classes.get(h.perturbations[0], "unknown") == family and h.perturbations[0] != name
        ]
        return kin, f"the other compounds of class {family}"
    here = (arm.perturbations[0].dose, arm.time_h)
    kin = [
        h
        for h in hypotheses
        if "+".join(h.perturbations) == name and h.readout == readout and (h.dose, h.time_h) != here
    ]
    return kin, f"{name} at other doses and times"


def _mean(session: Session, cell: VirtualCell, kin: Sequence[Hypothesis]) -> float | None:
    stakes = Staker(session.study, cell, session.classes).stake(kin)
    return float(np.mean([s.prediction.theory.mean for s in stakes])) if stakes else None

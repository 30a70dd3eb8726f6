"""What the sources put forward for a session, now that the cell and the ledger know what they know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...world_model.mechanism.signalling import embedded
from ...world_model.network import SignedNetwork
from .. import questions
from ..goal import Goal, Hypothesis, Line
from .gather import gather
from .state import State

if TYPE_CHECKING:
    from ...knowledge.claims import Claim
    from ...knowledge.status import ClaimState
    from ...world_model.cell import VirtualCell
    from ..minds.protocol import Briefing


class Leads:
    """The sources' turns under the session's cell and the ledger's claims: no more than the briefing wants, nothing
    that a claim says already, near-duplicates merged, mechanism classes in turn."""

    def __init__(self, cell: Callable[[], VirtualCell], states: Callable[[], Mapping[str, ClaimState]]) -> None:
        self._cell, self._states = cell, states
        self._last: tuple[tuple[object, ...], list[Hypothesis]] | None = None

    def __call__(self, goal: Goal, briefing: Briefing) -> list[Hypothesis]:
        """Computed anew only when the cell, the goal or the claims have changed."""
        cell, states = self._cell(), self._states()
        here = {c for c, s in states.items() if s.claim.contrast.arms[0].context == goal.context.name}
        stand = tuple(s.claim for s in states.values() if s.status == "corroborated")
        key = (cell.version, goal, tuple(c.id for c in stand), frozenset(here))
        if self._last is None or self._last[0] != key:
            state = State(
                goal=goal,
                briefing=briefing,
                cell=cell,
                corroborated=stand,
                other=_spared(goal, briefing),
                network=_network(goal),
                staked=frozenset(line_of(states[c].claim) for c in here),
            )
            self._last = (key, gather(state, briefing.limit))
        return self._last[1]


def line_of(claim: Claim) -> Line:
    """The line of the hypothesis that a claim came from, whether it stakes it or its denial."""
    arm = claim.contrast.arms[0]
    names = tuple(sorted(p.name for p in arm.perturbations))
    dose = arm.perturbations[0].dose if arm.perturbations else None
    return (names, dose, arm.time_h, claim.readout.variable, "up" if claim.delta > 0 else "down")


def _spared(goal: Goal, briefing: Briefing) -> str | None:
    """The other measured context that the question names: what hits the first is to spare it."""
    named = questions.mentioned(goal.question, briefing.contexts)
    return next((c for c in named if c != goal.context.name), None)


def _network(goal: Goal) -> SignedNetwork | None:
    """Textbook signalling, for readouts that are molecules."""
    return None if all(g.readout.modality == "viability" for g in goal.readouts) else embedded()

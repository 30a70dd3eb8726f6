"""A session's leads: what the sources say of its goal, now that the cell and the ledger know what they know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...world_model.mechanism.signalling import embedded
from ...world_model.network import SignedNetwork
from ..goal import Goal, Hypothesis
from .gather import merged
from .sources import SOURCES
from .state import State

if TYPE_CHECKING:
    from ..minds.protocol import Briefing
    from ..session import Session


class Leads:
    """Every source's hypotheses under the session's cell and its corroborated claims, near-duplicates merged."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._last: tuple[tuple[object, ...], list[Hypothesis]] | None = None

    def __call__(self, goal: Goal, briefing: Briefing) -> list[Hypothesis]:
        """Computed anew only when the cell, the goal or what is corroborated has changed."""
        cell = self.session.cell()
        stand = tuple(c.claim for c in self.session.states().values() if c.status == "corroborated")
        key = (cell.version, goal, tuple(c.id for c in stand))
        if self._last is None or self._last[0] != key:
            state = State(goal=goal, briefing=briefing, cell=cell, corroborated=stand, network=_network(goal))
            self._last = (key, merged([h for source in SOURCES for h in source(state)]))
        return self._last[1]


def _network(goal: Goal) -> SignedNetwork | None:
    """Textbook signalling, for readouts that are molecules."""
    return None if all(g.readout.modality == "viability" for g in goal.readouts) else embedded()

"""A session's leads: what the sources say of its goal, now that the cell and the ledger know what they know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..goal import Goal, Hypothesis
from .gather import merged
from .sources import SOURCES
from .state import State

if TYPE_CHECKING:
    from ..minds.protocol import Briefing
    from ..session import Session


def leads(session: Session, goal: Goal, briefing: Briefing) -> list[Hypothesis]:
    """Every source's hypotheses under the session's cell and its corroborated claims, near-duplicates merged."""
    stand = tuple(c.claim for c in session.states().values() if c.status == "corroborated")
    state = State(goal=goal, briefing=briefing, cell=session.cell(), corroborated=stand)
    return merged([h for source in SOURCES for h in source(state)])

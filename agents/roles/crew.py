"""The five roles beside planner and theorist, as both minds play them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..goal import Hypothesis
from .shapes import Citation, Doubt, Line, Remark

if TYPE_CHECKING:
    from ...knowledge.claims import Design
    from ..session import Session
    from .shapes import Role


class Crew(Protocol):
    """Each call is one role at one turn ("cycle 2"). None of them sees or sets a number, a verdict or an approval."""

    @property
    def name(self) -> str: ...

    def look(self, role: Role, turn: str) -> tuple[str, ...]:
        """Plan, call a read-only tool, observe, for a bounded number of times; what was observed, a line a call."""
        ...

    def read(self, turn: str) -> list[Citation]:
        """Literature reader: passages of the notes that bear on perturbations of the data set."""
        ...

    def doubt(self, drafts: Sequence[Hypothesis], turn: str) -> list[Doubt]:
        """Sceptic: one doubt a line of the drafts."""
        ...

    def revise(self, drafts: Sequence[Hypothesis], doubts: Sequence[Doubt], turn: str) -> frozenset[Line]:
        """Theorist's answer: lines of its own that it withdraws."""
        ...

    def design(self, design: Design, turn: str) -> list[Remark]:
        """Experimentalist: what weakens this design."""
        ...

    def analyse(self, design: Design, turn: str) -> list[Remark]:
        """Analyst: what the evidence of this design did to the theory."""
        ...

    def criticise(self, answer: Mapping[str, Any], turn: str) -> list[Remark]:
        """Critic of the report: what its reader must know beside its sentences."""
        ...


def open_crew(session: Session) -> Crew:
    """The crew of the session's mind; the built-in one is every other's fallback."""
    from ..minds.llm import LLMMind
    from .builtin import BuiltinCrew
    from .toolbox import Toolbox

    builtin = BuiltinCrew(session, Toolbox(session))
    if not isinstance(session.mind, LLMMind) or session.spec.llm is None:
        return builtin
    from .llm import LLMCrew

    return LLMCrew(session, session.mind, builtin, tool_calls=session.spec.llm.tool_calls)

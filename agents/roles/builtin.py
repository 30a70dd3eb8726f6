"""The built-in mind's roles: everything they say is computed from the ledger and the data at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import questions
from ..goal import Hypothesis
from . import checks
from .shapes import Citation, Doubt, Line, Remark, Rival
from .toolbox import Toolbox, where

if TYPE_CHECKING:
    from ...knowledge.claims import Design
    from ...knowledge.status import ClaimState
    from ..session import Session
    from .shapes import Role

MOST_CITATIONS = 24
MOST_SURPRISES = 3
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


class BuiltinCrew:
    """Plays every role without a model."""

    name = "builtin"

    def __init__(self, session: Session, tools: Toolbox) -> None:
        self.s, self.tools = session, tools

    def look(self, role: Role, turn: str) -> tuple[str, ...]:
        """Its decisions are computed from whole tables; the one thing it looks up is how the theory stands."""
        return (self.tools.call("trial", "", role=role, mind=self.name, turn=turn).words(),)

    def read(self, turn: str) -> list[Citation]:
        """Each sentence of a near passage that names a perturbation of the data set, whole words only."""
        if not any(True for _ in self.s.ledger.events(kind="note")):
            return []
        goal = self.s.goal
        words = " ".join((goal.question, goal.context.name, *goal.candidates))
        self.tools.call("notes", words, role="reader", mind=self.name, turn=turn)
        names = list(dict.fromkeys(p for known in self.s.dataset.perturbations for p in known.split("+")))
        found = []
        for note in self.tools.passages(words, most=12):
            for sentence in _SENTENCE.split(note.text):
                if about := questions.mentioned(sentence, names):
                    quote = sentence.strip()[:300]
                    found.append(Citation(entry=note.entry, citation=note.citation, quote=quote, about=tuple(about)))
        return found[:MOST_CITATIONS]

    def doubt(self, drafts: Sequence[Hypothesis], turn: str) -> list[Doubt]:
        """The strongest simple rival of each line, and the arm where failing would say most."""
        lines = list(dict.fromkeys(Line.of(h) for h in drafts))
        return [Doubt(line=line, rival=self._rival(line), cheapest=self.cheapest(line)) for line in lines]

    def _rival(self, line: Line) -> Rival:
        if len(line.perturbations) > 1:
            return "additive"
        return "shared by all" if self.s.goal.intent == "panel" else "no effect"

    def cheapest(self, line: Line) -> str:
        """In words: where a null result would cost least and rule out most."""
        arm = self.tools.strongest(line.perturbations)
        if arm is None:
            return "none: no fresh well of it is left here"
        n = self.tools.fresh[arm]
        wells = "one fresh well" if n == 1 else f"{n} fresh wells"
        if arm[1] is None and arm[2] is None:
            return f"a reading of it here that stays on the denial's side ({wells})"
        return f"a null result at {where(arm)}, where the effect should be largest ({wells})"

    def revise(self, drafts: Sequence[Hypothesis], doubts: Sequence[Doubt], turn: str) -> frozenset[Line]:
        """Nothing is withdrawn for words: wells decide."""
        return frozenset()

    def design(self, design: Design, turn: str) -> list[Remark]:
        """Every concern that holds."""
        told = [(kind, said) for kind, check in checks.CONCERNS.items() if (said := check(design))]
        about = (design.content_hash(),)
        return [Remark(role="experimentalist", kind=kind, text=said, about=about) for kind, said in told]

    def analyse(self, design: Design, turn: str) -> list[Remark]:
        """The largest surprises, each with the facts that may lie behind it."""
        self.tools.call("trial", "", role="analyst", mind=self.name, turn=turn)
        tested = tested_by(self.s, design)
        odd = [c for c in sorted(tested, key=lambda c: -abs(checks.surprise(c))) if self._odd(c)]
        found = [Remark(role="analyst", kind="surprise", text=self._surprise(c), about=(c.claim.id,)) for c in odd]
        if tested and not found:
            text = f"All {len(tested)} tested claims lie within {checks.SURPRISING:g} sd of what the theory said."
            return [Remark(role="analyst", kind="as expected", text=text, about=tuple(c.claim.id for c in tested[:24]))]
        return found[:MOST_SURPRISES]

    def _odd(self, state: ClaimState) -> bool:
        return abs(checks.surprise(state)) >= checks.SURPRISING

    def _surprise(self, state: ClaimState) -> str:
        facts = [said for check in checks.EXPLANATIONS.values() if check and (said := check(state, self.tools))]
        z = checks.surprise(state)
        return " ".join([f"Measured {abs(z):.1f} sd {'above' if z > 0 else 'below'} what the theory said.", *facts])

    def criticise(self, answer: Mapping[str, Any], turn: str) -> list[Remark]:
        """Limits of the answer that its sentences do not state."""
        rows = [*answer.get("panel", ()), *answer.get("items", ())]
        open_ones = [r["claim_id"] for r in rows if r["status"] in ("undecided", "testing", "registered", "proposed")]
        found = []
        if open_ones:
            text = f"{len(open_ones)} of {len(rows)} claims are not settled: the answer rests on the others."
            found.append(Remark(role="critic", kind="open claims", text=text, about=tuple(open_ones[:24])))
        thin = [r["claim_id"] for r in rows if r["status"] == "corroborated" and r["wells"] < 3]
        if thin:
            text = f"{len(thin)} corroborated claims rest on fewer than three wells."
            found.append(Remark(role="critic", kind="few wells", text=text, about=tuple(thin[:24])))
        if answer.get("surrogate"):
            text = f"{answer['surrogate']} stands in for {answer['context']}: that they respond alike is not tested."
            found.append(Remark(role="critic", kind="stand-in", text=text))
        if cut := int(answer.get("cut_sentences") or 0):
            text = f"{cut} sentences were cut because the ledger does not support them."
            found.append(Remark(role="critic", kind="cut sentences", text=text))
        return found


def tested_by(session: Session, design: Design) -> list[ClaimState]:
    """States of the claims that this design tested and that have evidence."""
    by_prediction = {p.id: claim for claim, p in session.registered().items()}
    states = session.states()
    found = [states[by_prediction[p]] for p in design.predictions if p in by_prediction]
    return [c for c in found if c.evidence is not None]

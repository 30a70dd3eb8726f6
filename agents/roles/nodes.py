"""The roles as steps of the loop. The state holds hashes of artefacts; what was said lies in the store and the ledger.

recall -> read -> theorise -> doubt -> (revise -> doubt)* -> hypothesise … design -> comment -> review
collect -> analyse -> reflect -> update … report -> criticise
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

from ...world_model.vocabulary import content_hash
from ..goal import Hypothesis
from .crew import Crew, open_crew
from .shapes import Citation, Doubt, Line, Remark

if TYPE_CHECKING:
    from ...knowledge.claims import Claim
    from ..session import Session

OPEN = ("proposed", "registered", "testing")


class DebateState(TypedDict, total=False):
    """The part of the loop's state that the roles use. Hashes are of artefacts."""

    cycle: int
    round: int
    cited: str
    drafts: str
    doubts: str
    design: str
    verdict: str
    reason: str


class RoleNodes:
    """The roles' steps bound to one session."""

    def __init__(self, session: Session) -> None:
        self.s = session

    @cached_property
    def crew(self) -> Crew:
        return open_crew(self.s)

    def read(self, state: DebateState) -> DebateState:
        """Literature reader: citations that code has found again in the notes."""
        found = self.crew.read("start")
        if found:
            self.s.say(f"{len(found)} passages of the notes speak of perturbations at hand")
        return {"cited": self._put(found)}

    def theorise(self, state: DebateState) -> DebateState:
        """Theorist: the mind's proposals before the built-in ones, which cover all that the data set can test."""
        s, turn = self.s, _turn(state)
        settled = [f"{c.claim.sentence} [{c.status}]" for c in s.states().values() if c.status not in OPEN]
        briefing = s.briefing(settled, s.notes())
        briefing = briefing.model_copy(update={"observed": self.crew.look("theorist", turn), "turn": turn})
        drafts = unique([*s.mind.hypothesise(s.goal, briefing), *s.builtin.hypothesise(s.goal, briefing)])
        return {"drafts": self._put(drafts), "round": 0}

    def doubt(self, state: DebateState) -> DebateState:
        """Sceptic: the rival of each line and its cheapest refutation. Says whether the theorist answers once more."""
        s, turn, number = self.s, _turn(state), state.get("round", 0)
        doubts = self.crew.doubt(self._drafts(state), turn)
        digest = self._put(doubts)
        payload: dict[str, Any] = {
            "round": number,
            "hypotheses": state["drafts"],
            "doubts": digest,
            "mind": self.crew.name,
        }
        s.record(
            "debate_held", payload | {"turn": turn, "n": len(doubts)}, f"debate:{content_hash([turn, payload])[:24]}"
        )
        argued = any(d.mind != "builtin" for d in doubts)
        rounds = s.spec.llm.rounds if s.spec.llm else 0
        return {"doubts": digest, "verdict": "revise" if argued and number < rounds else "settle"}

    def revise(self, state: DebateState) -> DebateState:
        """Theorist: takes back wording of its own; the built-in proposals of the same lines stand in for it."""
        s, turn, number = self.s, _turn(state), state.get("round", 0) + 1
        drafts = self._drafts(state)
        gone = self.crew.revise(drafts, self._doubts(state), f"{turn}, round {number}")
        if gone:
            s.say(f"the theorist withdraws {len(gone)} of its proposals")
        kept = [h for h in drafts if h.origin == "builtin" or Line.of(h) not in gone]
        own = s.builtin.hypothesise(s.goal, s.briefing())
        return {"drafts": self._put(unique([*kept, *own])), "round": number}

    def settle(self, state: DebateState) -> list[Hypothesis]:
        """The debate's end: each hypothesis carries the sceptic's cheapest refutation and the notes on it."""
        doubts = {d.line: d for d in self._doubts(state)}
        noted: dict[str, list[int]] = {}
        for citation in self.citations(state):
            for name in citation.about:
                noted.setdefault(name, []).append(citation.entry)
        found = []
        for h in self._drafts(state):
            cites = tuple(dict.fromkeys(n for p in h.perturbations for n in noted.get(p, ())))
            doubt = doubts.get(Line.of(h))
            found.append(h.model_copy(update={"refuted_by": doubt.refuted_by if doubt else "", "cites": cites[:12]}))
        return found

    def cite(self, state: DebateState, claims: Iterable[Claim]) -> None:
        """Writes down which notes speak of each claim's perturbations, as verified when they were read."""
        by_name: dict[str, list[Citation]] = {}
        for citation in self.citations(state):
            for name in citation.about:
                by_name.setdefault(name, []).append(citation)
        for claim in claims:
            names = [p.name for p in claim.contrast.arms[0].perturbations]
            for citation in [c for name in names for c in by_name.get(name, ())][:4]:
                payload = {
                    "claim_id": claim.id, "note": citation.entry, "citation": citation.citation,
                    "quote": citation.quote, "bearing": citation.bearing, "by": citation.mind,
                }  # fmt: skip
                self.s.record("note_cited", payload, f"cited:{claim.id}:{content_hash(payload)[:16]}")

    def comment(self, state: DebateState) -> DebateState:
        """Experimentalist: what weakens the design, before a person or the policy decides on it."""
        self._remark(self.crew.design(self.s.design(state["design"]), _turn(state)), _turn(state))
        return {}

    def reflect(self, state: DebateState) -> DebateState:
        """Analyst: what the evidence did to the theory."""
        self._remark(self.crew.analyse(self.s.design(state["design"]), _turn(state)), _turn(state))
        return {}

    def criticise(self, state: DebateState) -> DebateState:
        """Critic of the report: what its reader must know beside its sentences. Then the campaign is over."""
        for event in self.s.ledger.events(kind="answer", campaign=self.s.campaign):
            self._remark(self.crew.criticise(event.payload, "report"), "report")
        self.s.record("campaign_finished", {"reason": state.get("reason", "done")}, "finished")
        return {}

    def citations(self, state: DebateState) -> list[Citation]:
        """What the reader found."""
        return [Citation.model_validate(c) for c in self._get(state.get("cited"))]

    def _drafts(self, state: DebateState) -> list[Hypothesis]:
        return [Hypothesis.model_validate(h) for h in self._get(state["drafts"])]

    def _doubts(self, state: DebateState) -> list[Doubt]:
        return [Doubt.model_validate(d) for d in self._get(state["doubts"])]

    def _put(self, things: Sequence[Hypothesis | Doubt | Citation]) -> str:
        return self.s.artefacts.put_json([t.model_dump(mode="json") for t in things])

    def _get(self, digest: str | None) -> list[dict[str, Any]]:
        return list(self.s.artefacts.get_json(digest)) if digest else []

    def _remark(self, remarks: Iterable[Remark], turn: str) -> None:
        for remark in remarks:
            payload = remark.model_dump(mode="json") | {"turn": turn}
            self.s.record("remark", payload, f"remark:{content_hash(payload)[:24]}")


def unique(hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    """The first of those that say the same of the same arm, so that a mind's own wording wins."""
    found: dict[tuple[object, ...], Hypothesis] = {}
    for h in hypotheses:
        found.setdefault(h.line, h)
    return list(found.values())


def _turn(state: DebateState) -> str:
    return f"cycle {state.get('cycle', 0) + 1}"

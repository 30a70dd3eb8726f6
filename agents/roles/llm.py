"""The roles played by a language model: it picks among labels, names and fixed choices; code looks up and checks.

Where it fails, the built-in crew speaks, and the record says so. What it adds never replaces what is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...prompts.render import clean, render
from ...world_model.errors import UnknownName
from ..goal import Hypothesis
from ..minds.asking import Question
from ..minds.draft_hypotheses import keep_known
from ..minds.ground import Refusals
from ..minds.prompting import BRIEF_LIMIT, most, one_of_each_class
from ..minds.resolve import Vocabulary, plain
from . import checks
from .builtin import BuiltinCrew, tested_by
from .replies import (
    AnalyseReply,
    CriticiseReply,
    DesignReply,
    DoubtsReply,
    LookReply,
    ReadReply,
    ReviseReply,
)
from .shapes import Citation, Doubt, Line, Remark
from .toolbox import TOOLS, Observation

if TYPE_CHECKING:
    from ...knowledge.claims import Design
    from ..minds.llm import LLMMind
    from ..session import Session
    from .shapes import Role

MOST_LINES = 8  # proposals, claims or sentences of one prompt
MOST_NAMES = 200
LEAST_QUOTE = 12  # letters and digits: shorter words prove nothing


class LLMCrew:
    """Asks one model (or one a role) in every role."""

    def __init__(self, session: Session, mind: LLMMind, builtin: BuiltinCrew, *, tool_calls: int) -> None:
        self.s, self.mind, self.builtin, self.tools = session, mind, builtin, builtin.tools
        self.tool_calls = tool_calls
        self.briefing = session.briefing()
        self.words = Vocabulary(self.briefing, mind.genes)

    @property
    def name(self) -> str:
        return self.mind.name

    @property
    def _most(self) -> int:
        return most(MOST_LINES, self.mind.brief, BRIEF_LIMIT)

    def look(self, role: Role, turn: str) -> tuple[str, ...]:
        """At most ``tool_calls`` tools, one at a time; ends with "none", a repeated call, or a failure."""
        seen: list[Observation] = []
        for step in range(self.tool_calls):
            values = {**self._aim(), "role": role, "tools": self.tools.describe(), "names": self._names(),
                      "observed": [o.words()[:1400] for o in seen]}  # fmt: skip
            prompt = render("look", **values)
            choices = {"LookReply.argument": [*values["names"], ""]} if self.mind.brief else {}
            asked = Question("look", role, prompt, LookReply, choices, f"{turn}, look {step + 1}")
            reply = self.mind.asker.decide(asked, lambda found, _: found)
            if reply is None or reply.tool == "none" or (reply.tool, reply.argument) in {
                (o.tool, o.argument) for o in seen
            }:  # fmt: skip
                break
            tool = next(t for t in TOOLS if t == reply.tool)
            seen.append(self.tools.call(
                tool, reply.argument, role=role, mind=self.name, turn=turn, prompt_hash=prompt.hash))  # fmt: skip
        return tuple(o.words()[:1400] for o in seen)

    def read(self, turn: str) -> list[Citation]:
        """The model's citations that code can find again, then those computed."""
        computed = self.builtin.read(turn)
        goal = self.s.goal
        words = " ".join((goal.question, goal.context.name, *goal.candidates))
        shown = {str(p.entry): p for p in self.tools.passages(words, most=most(6, self.mind.brief, 2))}
        if not shown:
            return computed
        aims = [f"{g.readout.variable}: {g.direction}, {g.role}" for g in goal.readouts]
        passages = [f"[{n}] {p.citation}: {p.text}" for n, p in shown.items()]
        values = {**self._aim(), "aims": aims, "names": self._names(), "passages": passages}
        choices = {"CitationReply.entry": list(shown), "CitationReply.about": values["names"]}
        asked = Question("read", "reader", render("read", **values), ReadReply, choices, turn)

        def use(reply: ReadReply, refusals: Refusals) -> list[Citation]:
            found = []
            for said in reply.citations:
                note = shown.get(said.entry.strip("[] "))
                if note is None:
                    refusals.note(f"entry {said.entry!r}: no passage of that number was shown")
                elif len(plain(said.quote)) < LEAST_QUOTE or plain(said.quote) not in plain(note.text):
                    refusals.note(f"entry {said.entry}: the quote does not stand in it")
                else:
                    try:
                        about = self.words.members(said.about)
                    except UnknownName as error:
                        refusals.note(error)
                        continue
                    found.append(Citation(entry=note.entry, citation=note.citation, quote=clean(said.quote).strip(),
                                          about=about, bearing=said.bearing, mind=self.name))  # fmt: skip
            return found

        return [*(self.mind.asker.decide(asked, use) or ()), *computed]

    def doubt(self, drafts: Sequence[Hypothesis], turn: str) -> list[Doubt]:
        """The computed doubts of all lines; the model's rival and reason laid over those of its own proposals."""
        computed = self.builtin.doubt(drafts, turn)
        labelled = self._labels(drafts)
        if not labelled:
            return computed
        values = {**self._aim(), "proposals": self._proposals(drafts, labelled), "observed": self.look("sceptic", turn)}
        choices = {"DoubtReply.about": list(labelled)}
        asked = Question("doubt", "sceptic", render("doubt", **values), DoubtsReply, choices, turn)

        def use(reply: DoubtsReply, refusals: Refusals) -> dict[Line, Doubt]:
            found: dict[Line, Doubt] = {}
            for said in reply.doubts:
                line = labelled.get(said.about)
                if line is None:
                    refusals.note(f"{said.about!r}: no proposal of that label")
                elif said.rival == "additive" and len(line.perturbations) < 2:
                    refusals.note(f"{said.about}: a single perturbation has no parts to add")
                else:
                    words = keep_known(said.reason, self.words, refusals)
                    found[line] = Doubt(line=line, rival=said.rival, cheapest=self.builtin.cheapest(line), words=words,
                                        mind=self.name)  # fmt: skip
            return found

        laid = self.mind.asker.decide(asked, use) or {}
        return [laid.get(d.line, d) for d in computed]

    def revise(self, drafts: Sequence[Hypothesis], doubts: Sequence[Doubt], turn: str) -> frozenset[Line]:
        """Lines of its own proposals that the model takes back."""
        labelled = self._labels(drafts)
        argued = {d.line: d for d in doubts if d.mind == self.name}
        if not any(line in argued for line in labelled.values()):
            return frozenset()
        said = [f"{n} {argued[li].rival}: {argued[li].words}" for n, li in labelled.items() if li in argued]
        values = {**self._aim(), "proposals": self._proposals(drafts, labelled), "doubts": said}
        choices = {"MoveReply.about": list(labelled)}
        asked = Question("revise", "theorist", render("revise", **values), ReviseReply, choices, turn)

        def use(reply: ReviseReply, refusals: Refusals) -> frozenset[Line]:
            for answer in reply.answers:
                if answer.about not in labelled:
                    refusals.note(f"{answer.about!r}: no proposal of that label")
            return frozenset(labelled[a.about] for a in reply.answers if a.move == "withdraw" and a.about in labelled)

        return self.mind.asker.decide(asked, use) or frozenset()

    def design(self, design: Design, turn: str) -> list[Remark]:
        """The computed concerns; a model's reason is added to those of them that it saw too."""
        computed = {r.kind: r for r in self.builtin.design(design, turn)}
        arms = [f"{r.n} wells of {r.arm.label()}" for r in design.arms][: most(24, self.mind.brief, 8)]
        prompt = render("design", arms=arms, question=self.s.goal.question)
        asked = Question("design", "experimentalist", prompt, DesignReply, {}, turn)

        def use(reply: DesignReply, refusals: Refusals) -> list[Remark]:
            found = []
            for said in reply.concerns:
                known = computed.get(said.concern)
                if known is None:
                    refusals.note(f"{said.concern}: the design does not show it")
                else:
                    words = keep_known(said.reason, self.words, refusals)
                    found.append(_with_words(known, words, self.name))
            return found

        told = {r.kind: r for r in self.mind.asker.decide(asked, use) or ()}
        return [told.get(kind, remark) for kind, remark in computed.items()]

    def analyse(self, design: Design, turn: str) -> list[Remark]:
        """The computed surprises, then the model's explanations: checked where a fact can tell, else a guess."""
        computed = self.builtin.analyse(design, turn)
        tested = sorted(tested_by(self.s, design), key=lambda c: -abs(checks.surprise(c)))[: self._most]
        if not tested:
            return computed
        labelled = {f"C{n}": c for n, c in enumerate(tested, start=1)}
        lines = [
            f"{n} {c.claim.sentence}: predicted {c.prediction.theory.mean:+.2f}, measured {c.evidence.estimate:+.2f}"
            for n, c in labelled.items()
            if c.prediction and c.evidence
        ]
        prompt = render("analyse", claims=lines, question=self.s.goal.question)
        choices = {"ExplanationReply.about": list(labelled)}
        asked = Question("analyse", "analyst", prompt, AnalyseReply, choices, turn)

        def use(reply: AnalyseReply, refusals: Refusals) -> list[Remark]:
            found: dict[str, Remark] = {}
            for said in reply.explanations:
                state = labelled.get(said.about)
                check = checks.EXPLANATIONS[said.explanation]
                fact = check(state, self.tools) if check and state else ""
                if state is None or (check and not fact):
                    refusals.note(f"{said.about} {said.explanation}: the record does not show it")
                    continue
                words = keep_known(said.reason, self.words, refusals)
                text = " ".join(filter(None, (fact, words)))[:600] or f"{said.explanation}."
                found.setdefault(state.claim.id, Remark(
                    role="analyst", kind=said.explanation, text=text, about=(state.claim.id,), checked=bool(check),
                    mind=self.name))  # fmt: skip
            return list(found.values())

        return [*computed, *(self.mind.asker.decide(asked, use) or ())]

    def criticise(self, answer: Mapping[str, Any], turn: str) -> list[Remark]:
        """The computed limits, then what the model finds misleading; no sentence changes."""
        computed = self.builtin.criticise(answer, turn)
        labelled = {f"S{n}": s for n, s in enumerate(answer.get("summary", ())[: self._most], start=1)}
        values = {"sentences": [f"{n} {s}" for n, s in labelled.items()], "limits": [r.text for r in computed],
                  "question": self.s.goal.question}  # fmt: skip
        choices = {"ProblemReply.about": list(labelled)}
        asked = Question("criticise", "critic", render("criticise", **values), CriticiseReply, choices, turn)

        def use(reply: CriticiseReply, refusals: Refusals) -> list[Remark]:
            found: dict[str, Remark] = {}
            for said in reply.problems:
                if said.about not in labelled:
                    refusals.note(f"{said.about!r}: no sentence of that label")
                    continue
                words = keep_known(said.reason, self.words, refusals) or f"{said.problem}."
                found.setdefault(said.about, Remark(role="critic", kind=said.problem, text=words[:600],
                                                    about=(said.about,), checked=False, mind=self.name))  # fmt: skip
            return list(found.values())

        return [*computed, *(self.mind.asker.decide(asked, use) or ())]

    def _aim(self) -> dict[str, Any]:
        goal = self.s.goal
        name = "".join(c for c in goal.context.name if c.isalnum() or c in " .,_-+/()")[:80]
        return {"intent": goal.intent, "context": name, "question": goal.question}

    def _names(self) -> list[str]:
        names = list(self.s.goal.candidates) or list(self.words.perturbations.known)
        return one_of_each_class(names, self.briefing)[: most(MOST_NAMES, self.mind.brief)]

    def _labels(self, drafts: Sequence[Hypothesis]) -> dict[str, Line]:
        own = dict.fromkeys(Line.of(h) for h in drafts if h.origin == self.name)
        return {f"H{n}": line for n, line in enumerate(list(own)[: self._most], start=1)}

    def _proposals(self, drafts: Sequence[Hypothesis], labelled: Mapping[str, Line]) -> list[str]:
        why = {Line.of(h): h.mechanism for h in reversed(drafts)}
        return [f"{n} {line.words()}: {why[line]}"[:600] for n, line in labelled.items()]


def _with_words(remark: Remark, words: str, mind: str) -> Remark:
    if not words:
        return remark
    return remark.model_copy(update={"text": f"{remark.text} {words}"[:600], "mind": mind})

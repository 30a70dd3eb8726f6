"""The built-in mind: decisions computed from the data at hand. Needs no model, no key, no network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Literal

from ...world_model.errors import BadInput
from ...world_model.vocabulary import Context, PerturbationKind
from .. import asked, questions
from ..goal import Goal, Hypothesis, ReadoutGoal
from ..understanding.slots import Slots, read
from .protocol import Briefing

CHAINS = {  # what a class of compound is thought to do, in one sentence each
    "RAF inhibitor": "blocks RAF kinases, so MEK1/2 stay unphosphorylated and ERK1/2, RSK and S6 lose their input",
    "MEK inhibitor": "blocks MEK1/2, so ERK1/2 is not phosphorylated and RSK and S6 lose their input",
}


class BuiltinMind:
    """Finds entities by matching words; proposes every candidate the data set can test."""

    name = "builtin"

    def __init__(self, leads: Callable[[Goal, Briefing], Sequence[Hypothesis]] = lambda goal, briefing: ()) -> None:
        """leads: what the sources put forward now, each with its reason; they come before the plain proposals."""
        self.leads = leads

    def understand(self, question: str, briefing: Briefing) -> Goal:
        """Raises BadInput where neither a context nor a readout of the data set can be found."""
        if not question.strip():
            raise BadInput(
                "The question is empty", cure='ask in plain words, as in: cytocrux ask "Which MEK inhibitor …"'
            )
        viability = any(r.modality == "viability" for r in briefing.readouts)
        pairs = any("+" in p for p in briefing.perturbations)
        intent = questions.intent_of(question, viability=viability, has_pairs=pairs)
        slots = read(question)
        laid = asked.lay(question, slots, briefing, intent)
        assumptions: list[str] = []
        context = self._context(question, briefing, intent == "panel", assumptions)
        readouts = self._readouts(question, briefing, viability, slots, assumptions)
        classes = questions.mentioned(question, _class_words(briefing))
        candidates = self._candidates(question, briefing, classes, slots, laid, intent == "panel")
        told = briefing.patient.extrinsic.values() if briefing.patient else ()
        used = [
            context.name,
            *told,
            *classes,
            *candidates,
            *laid.used,
            *(h for g in readouts for h in questions.handles(g.readout)),
        ]
        return Goal(
            question=question,
            intent=intent,
            dataset=briefing.dataset,
            context=context,
            disease=laid.disease,
            readouts=tuple(readouts),
            kind=_kind(briefing, viability),
            candidates=candidates,
            exclusions=laid.exclusions,
            max_items=laid.max_items or questions.count_in(question) or 8,
            min_classes=laid.min_classes or 4,
            doses=laid.doses,
            times_h=laid.times_h,
            assumptions=(*assumptions, *laid.said),
            unplaced=questions.without_use(question, used, slots.unplaced),
        )

    def hypothesise(self, goal: Goal, briefing: Briefing) -> list[Hypothesis]:
        """What the sources put forward, then every other candidate x dose x time x readout that was measured somewhere;
        pairs where they are asked for."""
        singles = dict.fromkeys(part for p in briefing.perturbations for part in p.split("+"))
        out = asked.ruled_out(goal.exclusions, singles)
        names = [p for p in briefing.perturbations if self._eligible(p, goal) and not out.keys() & set(p.split("+"))]
        doses: tuple[float | None, ...] = goal.doses or briefing.doses or (None,)
        times: tuple[float | None, ...] = goal.times_h or briefing.times_h or (None,)
        forward = list(self.leads(goal, briefing))
        said, found = {h.line for h in forward}, []
        for name, dose, time_h, wanted in itertools.product(names, doses, times, goal.readouts):
            parts = tuple(name.split("+"))
            kind: Literal["efficacy", "response", "synergy"] = "response"
            if goal.intent == "panel":
                kind = "efficacy"
            elif len(parts) > 1:
                kind = "synergy"
            proposed = Hypothesis(
                perturbations=parts,
                dose=dose,
                time_h=time_h,
                readout=wanted.readout.variable,
                direction=wanted.direction,
                kind=kind,
                mechanism=mechanism(parts, briefing.classes),
            )
            if proposed.line not in said:
                found.append(proposed)
        words = {h: h.mechanism or mechanism(h.perturbations, briefing.classes) for h in forward}
        return [*(h.model_copy(update={"mechanism": words[h][:600]}) for h in forward), *found]

    def _context(self, question: str, briefing: Briefing, panel: bool, assumptions: list[str]) -> Context:
        if briefing.patient is not None:
            return briefing.patient
        named = questions.mentioned(question, briefing.contexts)
        if named:
            if len(named) > 1:
                assumptions.append(f"Of the contexts named, {named[0]} is taken; ask again for {', '.join(named[1:])}.")
            return Context(name=named[0])
        if len(briefing.contexts) == 1:
            assumptions.append(f"No context is named: {briefing.contexts[0]} is the only one in {briefing.dataset}.")
            return Context(name=briefing.contexts[0])
        some = ", ".join(briefing.contexts[:8])
        raise BadInput(
            f"The question names no cell line or context of {briefing.dataset}",
            cure=f"name one of its {len(briefing.contexts)}, for instance {some}; or give --patient TABLE.csv",
        )

    def _readouts(
        self, question: str, briefing: Briefing, viability: bool, slots: Slots, assumptions: list[str]
    ) -> list[ReadoutGoal]:
        if viability:
            readout = next(r for r in briefing.readouts if r.modality == "viability")
            return [ReadoutGoal(readout=readout, direction="down")]
        named = questions.readouts_in(questions.without_classes(question), briefing.readouts)
        if not named:
            some = ", ".join(r.variable for r in briefing.readouts[:12])
            raise BadInput(
                f"The question names no readout of {briefing.dataset}", cure=f"name one, for instance {some}"
            )
        direction = questions.direction_in(question) or slots.direction
        if direction is None:
            direction = "up"
            assumptions.append("No direction is named: raising the readout is taken as the aim.")
        return [ReadoutGoal(readout=r, direction=direction, role=role) for r, role in named]

    def _candidates(
        self, question: str, briefing: Briefing, classes: list[str], slots: Slots, laid: asked.Laid, panel: bool
    ) -> tuple[str, ...]:
        """What the question names, less what it rules out; empty = all. Raises BadInput where nothing is left."""
        if panel and slots.intent == "interaction":
            return ()  # what a panel is to be added to is not what it chooses from
        singles = [p for p in briefing.perturbations if "+" not in p]
        named = [*questions.mentioned(question, singles), *asked.members_of(slots.perturbations, singles)]
        ruled = {e.what for e in laid.exclusions}
        wanted = {c for c in _expand(classes, briefing) if c not in ruled}
        by_class = [p for p, c in briefing.classes.items() if c in wanted]
        out = asked.ruled_out(laid.exclusions, singles)
        named = [n for n in named if n not in out]
        found = tuple(dict.fromkeys(n for n in (*named, *by_class) if n not in out))
        if by_class and not found:
            raise BadInput(
                f"Everything of {', '.join(sorted(wanted))} that {briefing.dataset} has is ruled out by the question",
                cure="rule out less, or ask about another class",
            )
        return found

    def _eligible(self, name: str, goal: Goal) -> bool:
        parts = name.split("+")
        if goal.candidates and not set(goal.candidates) >= set(parts):
            return False
        return len(parts) == 1 or goal.intent == "interaction"


def mechanism(parts: tuple[str, ...], classes: dict[str, str]) -> str:
    """A first mechanism in words, from class and targets; empty where none is known."""
    return "; ".join(_acts(p, classes[p]) for p in parts if classes.get(p, "unknown") not in ("unknown", "other"))


def _acts(name: str, family: str) -> str:
    from ...world_model.compounds import facts_for

    targets = facts_for(name).targets[:3]
    where = f" on {', '.join(targets)}" if targets else ""
    chain = CHAINS.get(family)
    return f"{name} ({family}{where})" + (f" {chain}" if chain else "")


def _kind(briefing: Briefing, viability: bool) -> PerturbationKind:
    return briefing.kinds[0] if briefing.kinds else ("compound" if viability else "activation")


def _class_words(briefing: Briefing) -> list[str]:
    """Class names and their first words: "MEK inhibitor" answers to MEK inhibitor, "RAF or MEK" to both."""
    classes = sorted(set(briefing.classes.values()) - {"unknown"})
    return [*classes, *dict.fromkeys(c.split()[0] for c in classes if c.endswith(("inhibitor", "inhibitors")))]


def _expand(mentioned: list[str], briefing: Briefing) -> list[str]:
    """Back from words to classes: a first word stands for every class that begins with it."""
    classes = set(briefing.classes.values())
    return [c for c in classes for m in mentioned if c == m or c.split()[0] == m]

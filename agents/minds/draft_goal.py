"""From a model's reading of a question to a Goal: names resolved, quotes checked, the rest computed."""

from __future__ import annotations

from ...prompts.render import clean
from ...world_model.errors import UnknownName
from ...world_model.vocabulary import Context, PerturbationKind
from .. import questions
from ..goal import Exclusion, Goal, Intent, ReadoutGoal
from ..llm.failure import LLMFailure
from .ground import Refusals
from .protocol import Briefing
from .replies import QuotedName, UnderstandReply
from .resolve import Vocabulary, plain


def draft_goal(
    reply: UnderstandReply, question: str, briefing: Briefing, words: Vocabulary, base: Goal | None, refusals: Refusals,
    *, keep: bool = False,
) -> Goal:  # fmt: skip
    """The reply laid over ``base``, the fallback mind's goal. Raises LLMFailure where nothing is left to ask about.

    What the base excludes stays excluded, what it names stays a candidate; its numbers are kept.
    keep: what the base reads as readouts stays too, in its order.
    """
    intent = _intent(reply.intent, briefing, base, refusals)
    context = _context(reply.context, briefing, words, base, refusals)
    readouts = _readouts(reply, intent, briefing, words, base, refusals)
    if keep and base is not None:
        said = {g.readout.variable: g for g in (*base.readouts, *readouts)}
        first = {g.readout.variable: g.role for g in base.readouts}
        readouts = tuple(g.model_copy(update={"role": first.get(name, "follow")}) for name, g in said.items())
    named = _quoted(reply.candidates, question, words, refusals)
    restricted = _members(named, words)
    own = base.candidates if base else ()
    # where the built-in reading finds no restriction, the model's is shown as an assumption
    candidates = tuple(dict.fromkeys([*own, *restricted])) if restricted else own
    assumptions = list(base.assumptions) if base and (base.context, base.readouts) == (context, readouts) else []
    if base is None or (base.context, base.readouts) != (context, readouts):
        assumptions.append("Context, readouts and directions are as the language model reads the question.")
    if restricted and set(restricted) - set(own):
        assumptions.append(
            f"The language model takes the question to be about {', '.join(n.what for n in named)[:200]}."
        )
    exclusions = [*(base.exclusions if base else ()), *_exclusions(reply, question, words, refusals)]
    return Goal(
        question=question,
        intent=intent,
        dataset=briefing.dataset,
        context=context,
        surrogate=base.surrogate if base else None,
        disease=(base.disease if base else None) or _in_question(reply.disease, question),
        readouts=readouts,
        kind=base.kind if base else _kind(briefing),
        candidates=candidates,
        exclusions=tuple(dict.fromkeys(exclusions)),
        max_items=base.max_items if base else questions.count_in(question) or 8,
        min_classes=base.min_classes if base else 4,
        doses=base.doses if base else (),
        times_h=base.times_h if base else (),
        assumptions=tuple(clean(a) for a in assumptions),
        unplaced=tuple(w for w in map(str.strip, reply.unplaced) if _in_question(w, question)),
    )


def _intent(wanted: Intent, briefing: Briefing, base: Goal | None, refusals: Refusals) -> Intent:
    """The model's choice, where the data set can serve it."""
    possible = possible_intents(briefing)
    if wanted in possible:
        return wanted
    refusals.note(f"intent {wanted!r}: {briefing.dataset} serves {' or '.join(possible)}")
    return base.intent if base else possible[0]


def possible_intents(briefing: Briefing) -> tuple[Intent, ...]:
    """What the data set can serve, the most asked for first."""
    if any(r.modality == "viability" for r in briefing.readouts):
        return ("panel",)
    return ("response", "interaction") if any("+" in p for p in briefing.perturbations) else ("response",)


def _kind(briefing: Briefing) -> PerturbationKind:
    if briefing.kinds:
        return briefing.kinds[0]
    return "compound" if any(r.modality == "viability" for r in briefing.readouts) else "activation"


def _context(wanted: str, briefing: Briefing, words: Vocabulary, base: Goal | None, refusals: Refusals) -> Context:
    if briefing.patient is not None:
        return briefing.patient
    if base is not None and (not wanted.strip() or plain(wanted) == plain(base.context.name)):
        return base.context
    try:
        return Context(name=words.contexts.find(wanted))
    except UnknownName as error:
        refusals.note(error)
        if base is None:
            raise LLMFailure("invalid", "the answer names no context of the data set") from None
        return base.context


def _readouts(
    reply: UnderstandReply, intent: Intent, briefing: Briefing, words: Vocabulary, base: Goal | None, refusals: Refusals
) -> tuple[ReadoutGoal, ...]:
    if intent == "panel":  # sensitivity is the aim of every panel; the model has no say in the sign
        return (ReadoutGoal(readout=next(r for r in briefing.readouts if r.modality == "viability"), direction="down"),)
    found: dict[str, ReadoutGoal] = {}
    for wanted in reply.readouts:
        try:
            readout = words.readout(wanted.name)
        except UnknownName as error:
            refusals.note(error)
            continue
        found.setdefault(readout.variable, ReadoutGoal(readout=readout, direction=wanted.direction, role=wanted.role))
    if any(g.role == "primary" for g in found.values()):
        return tuple(sorted(found.values(), key=lambda g: g.role == "follow"))
    if base is None:
        raise LLMFailure("invalid", "the answer names no readout of the data set")
    return base.readouts


def _quoted(wanted: list[QuotedName], question: str, words: Vocabulary, refusals: Refusals) -> list[QuotedName]:
    """Those whose name resolves and whose quote really stands in the question."""
    kept = []
    for item in wanted:
        try:
            words.members(item.what)
        except UnknownName as error:
            refusals.note(error)
            continue
        if _in_question(item.quote, question) is None:
            refusals.note(f"{item.what!r}: the words given for it are not in the question")
            continue
        kept.append(item)
    return kept


def _members(named: list[QuotedName], words: Vocabulary) -> tuple[str, ...]:
    return tuple(dict.fromkeys(m for item in named for m in words.members(item.what)))


def _exclusions(reply: UnderstandReply, question: str, words: Vocabulary, refusals: Refusals) -> list[Exclusion]:
    kept = _quoted(reply.exclusions, question, words, refusals)
    names = {
        item.what: words.perturbations.find(item.what)
        if item.what in words.perturbations
        else words.classes.find(item.what)
        for item in kept
    }
    return [Exclusion(what=names[item.what], because=f'the question: "{clean(item.quote.strip())}"') for item in kept]


def _in_question(text: str, question: str) -> str | None:
    """``text`` where its letters stand in the question (at least two of them), else None."""
    wanted = plain(text)
    return clean(text).strip() if len(wanted) >= 2 and wanted in plain(question) else None

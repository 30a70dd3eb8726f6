"""From a model's proposals to hypotheses: every name resolved, doses and times only where measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

from ...world_model.errors import UnknownName
from ..goal import Goal, Hypothesis
from ..llm.failure import LLMFailure
from .ground import Refusals, keep_grounded
from .protocol import Briefing
from .replies import EdgeReply, HypothesiseReply, HypothesisReply
from .resolve import Vocabulary, plain, readout_names


def draft_hypotheses(
    reply: HypothesiseReply, goal: Goal, briefing: Briefing, words: Vocabulary, refusals: Refusals, origin: str
) -> list[Hypothesis]:
    """At most ``briefing.limit`` proposals, each over the measured doses and times that it leaves open.

    Raises LLMFailure where every proposal is refused.
    """
    excluded = {plain(e.what) for e in goal.exclusions}
    found: dict[tuple[object, ...], Hypothesis] = {}
    for proposal in reply.hypotheses[: briefing.limit]:
        try:
            for h in _expand(proposal, goal, briefing, words, excluded, refusals, origin):
                found.setdefault((h.perturbations, h.dose, h.time_h, h.readout, h.direction), h)
        except (UnknownName, _Refused) as error:
            refusals.note(error)
    if not found:
        raise LLMFailure("invalid", "no proposal is left: every one was refused" if reply.hypotheses else "no proposal")
    return list(found.values())


class _Refused(Exception):
    """A proposal that cannot be tested here, and why."""


def _expand(
    proposal: HypothesisReply,
    goal: Goal,
    briefing: Briefing,
    words: Vocabulary,
    excluded: set[str],
    refusals: Refusals,
    origin: str,
) -> list[Hypothesis]:
    parts = tuple(sorted({words.perturbations.find(_bare(p, words)) for p in proposal.perturbations}))
    _check(parts, goal, briefing, words, excluded)
    readout = readout_names([g.readout for g in goal.readouts]).find(proposal.readout)  # what was asked for, no more
    doses = _measured(proposal.dose, briefing.doses, "dose", refusals)
    times = _measured(proposal.time, briefing.times_h, "time", refusals)
    mechanism = _mechanism(proposal, words, refusals)
    return [
        Hypothesis(
            perturbations=parts,
            dose=dose,
            time_h=time_h,
            readout=readout,
            direction="down" if goal.intent == "panel" else proposal.direction,
            kind=_kind(proposal, goal, parts),
            mechanism=mechanism,
            origin=origin,
        )
        for dose, time_h in itertools.product(doses, times)
    ]


def _check(parts: tuple[str, ...], goal: Goal, briefing: Briefing, words: Vocabulary, excluded: set[str]) -> None:
    for name in parts:
        if goal.candidates and name not in goal.candidates:
            raise _Refused(f"{name}: the question is about others")
        if excluded and _words(name, briefing) & excluded:
            raise _Refused(f"{name}: excluded")
    if len(parts) > 1 and (goal.intent == "panel" or frozenset(parts) not in words.combinations):
        raise _Refused(f"{' + '.join(parts)}: no experiment here could contradict it, the pair was never measured")


def _words(name: str, briefing: Briefing) -> set[str]:
    """The words that an exclusion may rule a compound out by: its name, aliases, class and tags."""
    from ...world_model.compounds import facts_for

    known = facts_for(name)
    words = (name, briefing.classes.get(name, ""), known.name, *known.aliases, known.mechanism_class, *known.tags)
    return {plain(w) for w in words if w}


def _bare(name: str, words: Vocabulary) -> str:
    """The prompt lists "name: class"; a model may copy both."""
    head = name.split(":")[0].strip()
    return head if name not in words.perturbations and head in words.perturbations else name


def _measured(text: str, values: Sequence[float], what: str, refusals: Refusals) -> tuple[float | None, ...]:
    """The measured value that ``text`` means; all of them where it means none; (None,) where none was measured."""
    everything: tuple[float | None, ...] = tuple(values) or (None,)
    if not text.strip():
        return everything
    try:
        wanted = float(text)
    except ValueError:
        wanted = math.nan
    close = [v for v in values if math.isclose(v, wanted, rel_tol=1e-6, abs_tol=1e-12)]
    if not close:
        refusals.note(f"{what} {text!r} was never measured here: all measured ones are taken")
    return tuple(close) or everything


def _kind(
    proposal: HypothesisReply, goal: Goal, parts: tuple[str, ...]
) -> Literal["efficacy", "response", "synergy", "mechanism"]:
    if goal.intent == "panel":
        return "efficacy"
    if len(parts) > 1:
        return "synergy"
    return "mechanism" if proposal.kind == "mechanism" else "response"


def _mechanism(proposal: HypothesisReply, words: Vocabulary, refusals: Refusals) -> str:
    """The chain in words, from its resolved steps, and those sentences of the reason that may stay."""
    steps = [s for edge in proposal.mechanism if (s := _step(edge, words, refusals))]
    reason = keep_known(proposal.reason, words, refusals)
    return ". ".join(filter(None, ["; ".join(steps), reason]))[:600]


def keep_known(text: str, words: Vocabulary, refusals: Refusals) -> str:
    """The sentences of ``text`` that may stand in a record; the others are counted."""
    kept, cut = keep_grounded(text, lambda token: _known(token, words), words.phrases)
    refusals.cut += cut
    return kept


def _step(edge: EdgeReply, words: Vocabulary, refusals: Refusals) -> str | None:
    try:
        return f"{words.entity(edge.source)} {edge.relation} {words.entity(edge.target)}"
    except UnknownName as error:
        refusals.note(error)
        return None


def _known(token: str, words: Vocabulary) -> bool:
    """A token of a sentence: a name, or several joined by a slash or a hyphen."""
    if any(token in names for names in words.tokens):
        return True
    parts = [p for p in token.replace("/", "-").split("-") if p]
    return len(parts) > 1 and all(p.islower() or any(p in names for names in words.tokens) for p in parts)

"""A question's typed slots, put together from its names, numbers and words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ...world_model.vocabulary import Frozen
from . import kinds, leftovers, polarity, quantities, roles
from .intents import Asked, intent
from .link import Mention, mentions
from .text import FLAGS, normalise

Modality = Literal["transcriptome", "phosphoproteome", "proteome", "viability", "secretome", "morphology"]


class Slots(Frozen):
    """What a question says. A slot it is silent about is None or empty; doses in uM, times in h."""

    intent: Asked
    direction: Literal["up", "down"] | None = None
    disease: str | None = None
    contexts: tuple[str, ...] = ()
    perturbation_kinds: tuple[str, ...] = ()
    perturbations: tuple[str, ...] = ()
    readouts: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    doses_uM: tuple[float, ...] = ()
    times_h: tuple[float, ...] = ()
    budget: dict[str, float] = Field(default_factory=dict)
    max_items: int | None = None
    min_classes: int | None = None
    modality: Modality | None = None
    unplaced: tuple[str, ...] = ()


def read(question: str) -> Slots:
    """Slots of an English or Chinese question; nothing is looked up outside this machine."""
    text = normalise(question)
    found = mentions(text)
    numbers = quantities.read(text)
    items = [m for m in found if not _inside(m, numbers.spans)]
    named = roles.readouts(text, items)
    molecular = any(r.molecular for r in named)
    asked = intent(text, items, molecular=molecular)
    applied = [m for m in items if roles.can_be_applied(m)]
    out = polarity.excluded(text, applied, failed_too=asked in ("panel", "selectivity"))
    used = [r.mention for r in named if r.strong]
    perturbing = [m for m in items if m not in out and roles.is_applied(text, m, asked, used)]
    named = roles.settled(text, named, perturbing, asked)
    readouts = tuple(dict.fromkeys(r.name for r in named))
    if not readouts and asked in ("panel", "selectivity", "biomarker"):
        readouts = ("viability",)
    told = kinds.kinds(text, perturbing, asked, out)
    perturbations = tuple(dict.fromkeys(roles.applied_name(m) for m in perturbing))
    return Slots(
        intent=asked,
        direction=_direction(_blank(text, out), asked, readouts),
        disease=_disease(text, items),
        contexts=_contexts(text, items),
        perturbation_kinds=told,
        perturbations=perturbations,
        readouts=readouts,
        exclusions=tuple(dict.fromkeys(roles.applied_name(m) for m in out)),
        doses_uM=tuple(numbers.doses_uM),
        times_h=tuple(numbers.times_h),
        budget=numbers.budget,
        max_items=numbers.max_items,
        min_classes=numbers.min_classes,
        modality=roles.modality(text, named, readouts),
        unplaced=leftovers.unplaced(text, found, numbers.spans),
    )  # fmt: skip


def _inside(mention: Mention, spans: Sequence[tuple[int, int]]) -> bool:
    return any(b <= mention.begin and mention.end <= e for b, e in spans)


def _blank(text: str, out: Sequence[Mention]) -> str:
    """The text without what is ruled out: "no essential genes" says nothing of a direction."""
    for m in out:
        text = text[: m.begin] + " " * (m.end - m.begin) + text[m.end :]
    return text


def _direction(text: str, asked: Asked, readouts: tuple[str, ...]) -> Literal["up", "down"] | None:
    if asked in ("panel", "selectivity"):
        protects = re.search(
            r"\bprotect|\brais|\bboost|\bincreas|\brestor|\bpromot|\bexpand|保护|提高|升高|增加|促进|恢复", text, FLAGS
        )
        return "up" if protects and not re.search(r"kill|toxic|杀", text, FLAGS) else "down"
    if not readouts:
        return None
    return polarity.direction(text)


def _contexts(text: str, items: Sequence[Mention]) -> tuple[str, ...]:
    names = (n.name for m in items if (n := m.of("context")) and not roles.part_of_disease(text, m))
    return tuple(dict.fromkeys(names))


def _disease(text: str, items: Sequence[Mention]) -> str | None:
    """The most specific disease named: one that is not merely a part of another's words, "cancer" last."""
    names = [n.name for m in items if (n := m.of("disease")) and roles.is_disease(text, m)]
    names = [n for n in names if not any(n != o and set(n.split()) <= set(o.split()) for o in names)]
    specific = [n for n in names if n != "cancer"]
    return next(iter(specific or names), None)

"""Which names each field of a reply may hold: what the prompt lists, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import questions
from .draft_goal import possible_intents
from .narrow import Choices
from .protocol import Briefing
from .resolve import Vocabulary, plain


def understand_choices(values: dict[str, Any], question: str, briefing: Briefing, *, brief: bool) -> Choices:
    """For UnderstandReply. brief: a small model restricts and excludes nothing, and turns no stated direction round."""
    names = [*values["classes"], *values["perturbations"]]
    contexts = [*values["contexts"], *(["patient"] if values["patient"] else []), ""]
    found: dict[str, Sequence[str]] = {
        "UnderstandReply.intent": possible_intents(briefing),
        "UnderstandReply.context": contexts,
        "ReadoutReply.name": list(values["readouts"]),
        "QuotedName.what": names,
    }
    if brief:
        found |= {"UnderstandReply.candidates": [], "UnderstandReply.exclusions": [], "UnderstandReply.unplaced": []}
        found["UnderstandReply.disease"] = ["", *(w for w in question.split() if len(plain(w)) > 6)]
        if direction := questions.direction_in(question):
            found["ReadoutReply.direction"] = [direction]
    return found


def hypothesise_choices(values: dict[str, Any], words: Vocabulary) -> Choices:
    """For HypothesiseReply."""
    names = [c.split(": ")[0] for c in values["candidates"] if "measured together" not in c]
    pairs = [c.removesuffix(" (measured together)").split("+") for c in values["candidates"] if "measured" in c]
    readouts = [a.rsplit(": ", 1)[0] for a in values["aims"]]
    entities = [*names, *readouts, *values["genes"], *words.classes.known]
    return {
        "HypothesisReply.perturbations": [*names, *(part for pair in pairs for part in pair)],
        "HypothesisReply.dose": [*values["doses"], ""],
        "HypothesisReply.time": [*values["times"], ""],
        "HypothesisReply.readout": readouts,
        "EdgeReply.source": entities,
        "EdgeReply.target": entities,
    }

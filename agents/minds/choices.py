"""Which names each field of a reply may hold: what the prompt lists, and no more."""

from __future__ import annotations

from typing import Any

from .narrow import Choices
from .resolve import Vocabulary, plain


def understand_choices(values: dict[str, Any], question: str, *, brief: bool) -> Choices:
    """For UnderstandReply. brief: a small model restricts and excludes nothing; words of the question only."""
    names = [*values["classes"], *values["perturbations"]]
    contexts = [*values["contexts"], *(["patient"] if values["patient"] else []), ""]
    found: dict[str, list[str]] = {
        "UnderstandReply.context": contexts,
        "ReadoutReply.name": list(values["readouts"]),
        "QuotedName.what": names,
    }
    if brief:
        found |= {"UnderstandReply.candidates": [], "UnderstandReply.exclusions": [], "UnderstandReply.unplaced": []}
        found["UnderstandReply.disease"] = ["", *(w for w in question.split() if len(plain(w)) > 6)]
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

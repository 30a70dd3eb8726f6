"""What each prompt is told: as little as the decision needs. A patient's name and free text never leave."""

from __future__ import annotations

from typing import Any

from ..goal import Goal
from ..patient import recognised
from .protocol import Briefing
from .resolve import Vocabulary, shortlist

MOST_NAMES = 600  # of one list
MOST_CONTEXTS = 200
MOST_GENES = 60
MOST_SETTLED = 40
MOST_NOTES = 6
MOST_NOTE = 1400  # characters of one note
MOST_CHARS = 600  # of one line of outside text


def understand_values(question: str, briefing: Briefing) -> dict[str, Any]:
    """For prompts/understand.md.j2. The patient's table is not shown: code reads it."""
    return {
        "dataset": _line(briefing.dataset),
        "description": briefing.dataset_description[:MOST_CHARS],
        "contexts": shortlist(briefing.contexts, question, MOST_CONTEXTS),
        "readouts": shortlist((r.variable for r in briefing.readouts), question, MOST_NAMES),
        "classes": sorted(set(briefing.classes.values()) - {"unknown"}),
        "perturbations": shortlist(_singles(briefing), question, MOST_NAMES),
        "patient": briefing.patient is not None,
        "question": question,
    }


def hypothesise_values(goal: Goal, briefing: Briefing, words: Vocabulary) -> dict[str, Any]:
    """For prompts/hypothesise.md.j2."""
    names = goal.candidates or _singles(briefing)
    candidates = [f"{n}: {briefing.classes[n]}" if n in briefing.classes else n for n in names]
    pairs = [f"{p} (measured together)" for p in briefing.perturbations if "+" in p and goal.intent == "interaction"]
    return {
        "dataset": _line(briefing.dataset),
        "description": briefing.dataset_description[:MOST_CHARS],
        "intent": goal.intent,
        "context": _line(goal.context.name),
        "aims": [f"{g.readout.variable}: {g.direction}, {g.role}" for g in goal.readouts],
        "candidates": [*candidates, *pairs][:MOST_NAMES],
        "doses": [f"{d:g}" for d in briefing.doses],
        "times": [f"{t:g}" for t in briefing.times_h],
        "genes": list(words.genes.known[:MOST_GENES]),
        "exclusions": [e.what[:80] for e in goal.exclusions],
        "patient": _patient_lines(briefing),
        "notes": [n[:MOST_NOTE] for n in briefing.notes[:MOST_NOTES]],
        "settled": [s[:MOST_CHARS] for s in briefing.settled[-MOST_SETTLED:]],
        "question": goal.question,
        "limit": briefing.limit,
    }


def _patient_lines(briefing: Briefing) -> list[str]:
    """Clinical rows that the reader knows, mutated genes, the strongest expression values."""
    patient = briefing.patient
    if patient is None:
        return []
    clinical = [
        f"{field}: {value} {unit}".strip()[:MOST_CHARS] for field, value, unit in recognised(briefing.patient_fields)
    ]
    mutated = [gene for gene, value in patient.mutations.items() if value]
    strongest = sorted(patient.expression.items(), key=lambda kv: -abs(kv[1]))[:MOST_GENES]
    lines = [*clinical, f"mutated: {', '.join(mutated)}"] if mutated else clinical
    return [*lines, *(f"expression {gene}: {z:+.1f} z" for gene, z in strongest)]


def _singles(briefing: Briefing) -> list[str]:
    return list(dict.fromkeys(part for p in briefing.perturbations for part in p.split("+")))


def _line(text: str) -> str:
    """A name that stands in the prompt's own text: letters, digits and a few signs, nothing that could speak."""
    return "".join(c for c in text if c.isalnum() or c in " .,_-+/()")[:80]

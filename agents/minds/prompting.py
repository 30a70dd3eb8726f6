"""What each prompt is told: as little as the decision needs. A patient's name and free text never leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .. import questions
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
BRIEF_NAMES = 16  # of one list, for a small model
BRIEF_CHARS = 160
BRIEF_LIMIT = 3  # proposals


def most(full: int, brief: bool, short: int = BRIEF_NAMES) -> int:
    """The length of a list in a prompt."""
    return min(full, short) if brief else full


def understand_values(question: str, briefing: Briefing, *, brief: bool = False) -> dict[str, Any]:
    """For prompts/understand.md.j2. The patient's table is not shown: code reads it.

    brief: where words of the question name contexts or readouts, those alone are offered.
    """
    contexts = shortlist(briefing.contexts, question, most(MOST_CONTEXTS, brief))
    readouts = shortlist((r.variable for r in briefing.readouts), question, most(MOST_NAMES, brief))
    if brief:
        contexts = questions.mentioned(question, briefing.contexts) or contexts
        named = questions.readouts_in(questions.without_classes(question), briefing.readouts)
        readouts = [r.variable for r, _ in named] or readouts
    return {
        "dataset": _line(briefing.dataset),
        "description": briefing.dataset_description[: BRIEF_CHARS if brief else MOST_CHARS],
        "contexts": contexts,
        "readouts": readouts,
        "classes": sorted(set(briefing.classes.values()) - {"unknown"})[: most(MOST_NAMES, brief)],
        "perturbations": shortlist(_singles(briefing), question, most(MOST_NAMES, brief)),
        "patient": briefing.patient is not None,
        "question": question,
    }


def hypothesise_values(goal: Goal, briefing: Briefing, words: Vocabulary, *, brief: bool = False) -> dict[str, Any]:
    """For prompts/hypothesise.md.j2."""
    names = list(goal.candidates) or _singles(briefing)
    if brief:
        names = one_of_each_class(names, briefing)[:BRIEF_NAMES]
    candidates = [f"{n}: {briefing.classes[n]}" if n in briefing.classes else n for n in names]
    pairs = [f"{p} (measured together)" for p in briefing.perturbations if "+" in p and goal.intent == "interaction"]
    return {
        "dataset": _line(briefing.dataset),
        "description": briefing.dataset_description[: BRIEF_CHARS if brief else MOST_CHARS],
        "intent": goal.intent,
        "context": _line(goal.context.name),
        "aims": [f"{g.readout.variable}: {g.direction}, {g.role}" for g in goal.readouts],
        "candidates": [*candidates, *pairs[: most(MOST_NAMES, brief, 8)]][:MOST_NAMES],
        "doses": [f"{d:g}" for d in briefing.doses],
        "times": [f"{t:g}" for t in briefing.times_h],
        "genes": list(words.genes.known[: most(MOST_GENES, brief, 8)]),
        "exclusions": [e.what[:80] for e in goal.exclusions],
        "patient": _patient_lines(briefing),
        "notes": [n[:MOST_NOTE] for n in briefing.notes[: most(MOST_NOTES, brief, 2)]],
        "settled": [s[:MOST_CHARS] for s in briefing.settled[-most(MOST_SETTLED, brief, 6) :]],
        "observed": [o[:MOST_NOTE] for o in briefing.observed],
        "question": goal.question,
        "limit": most(briefing.limit, brief, BRIEF_LIMIT),
    }


def one_of_each_class(names: Sequence[str], briefing: Briefing) -> list[str]:
    """The names, first of each mechanism class first: a short list then shows every class."""
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, int, str]] = []
    for name in names:
        family = briefing.classes.get(name, name)
        ranked.append((seen[family], len(ranked), name))
        seen[family] += 1
    return [name for _, _, name in sorted(ranked)]


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

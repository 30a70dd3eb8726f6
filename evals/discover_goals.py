"""Slots of plain-language questions against gold that was written before the parser: micro-averaged F1.

Rules of matching: the head of ``goal_questions_dev.toml``. The "final" questions are for single runs of the finished
parser: nobody tunes on them.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .results import Result

HERE = Path(__file__).parent
BAR = 0.9
FREE_UNPLACED = 3  # predicted phrases without a gold one that do not count against the parser
NUMBERS = ("doses_uM", "times_h")
CLASS = "class:"


@dataclass
class Tally:
    """Counts of one question or slot: hits, what gold has and was missed, what was predicted without gold."""

    hit: int = 0
    missed: int = 0
    extra: int = 0
    missing: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.hit, self.missed, self.extra = self.hit + other.hit, self.missed + other.missed, self.extra + other.extra

    @property
    def f1(self) -> float:
        total = 2 * self.hit + self.missed + self.extra
        return 2 * self.hit / total if total else 1.0


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Slot F1 on the kept questions and, beside it, on those the parser was tuned on (seconds)."""
    results = []
    for split in ("final", "dev"):
        questions, equal = load(split)
        told = [score(q, equal) for q in questions]
        value, sd = _f1(told)
        every = [sum_up(t.values()) for t in told]
        per_slot = {s: f for s, f in _by_slot(told).items()}
        zh = _f1([t for q, t in zip(questions, told, strict=True) if q["lang"] == "zh"])[0]
        en = _f1([t for q, t in zip(questions, told, strict=True) if q["lang"] == "en"])[0]
        whole = sum(1 for t in every if not t.missed and not t.extra)
        kept = split == "final"
        results.append(
            Result(
                name=f"goal_slots_{split}", value=value, sd=sd, n=len(questions), unit="F1",
                baselines={"English": en, "Chinese": zh, **per_slot}, bar=f">= {BAR}" if kept else "",
                passed=value >= BAR if kept else None,
                note=f"{whole} of {len(questions)} questions without a fault; sd over bootstraps of questions; "
                "beside it: by language and slot",
            )
        )  # fmt: skip
    return results


def load(split: str) -> tuple[list[dict[str, Any]], dict[str, set[str]]]:
    """Questions of a split and, for every class name, the names that count as the same."""
    questions = tomllib.loads((HERE / f"goal_questions_{split}.toml").read_text(encoding="utf-8"))["question"]
    head = tomllib.loads((HERE / "goal_questions_dev.toml").read_text(encoding="utf-8"))
    equal = {squeezed(k): {squeezed(v) for v in [k, *vs]} for k, vs in head["class_equivalents"].items()}
    return questions, equal


def score(question: Mapping[str, Any], equal: Mapping[str, set[str]]) -> dict[str, Tally]:
    """Slot -> tally of one question."""
    from ..agents.understanding.slots import Slots, read

    told = read(question["text"]).model_dump()
    gold = question["gold"]
    return {slot: _slot(slot, gold.get(slot), told[slot], equal) for slot in Slots.model_fields}


def _slot(slot: str, gold: Any, told: Any, equal: Mapping[str, set[str]]) -> Tally:
    wanted, found = _pairs(gold), _pairs(told)
    left = list(found)
    tally = Tally()
    for value in wanted:
        match = next((f for f in left if same(slot, value, f, equal)), None)
        if match is None:
            tally.missed += 1
            tally.missing.append(f"{slot}={value}")
        else:
            left.remove(match)
            tally.hit += 1
    if slot == "unplaced":
        left = left[FREE_UNPLACED:]
    tally.extra = len(left)
    tally.surplus = [f"{slot}={v}" for v in left]
    return tally


def _pairs(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [(k, v) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return list(dict.fromkeys(value))
    return [value]


def same(slot: str, gold: Any, told: Any, equal: Mapping[str, set[str]]) -> bool:
    """Whether a predicted value counts as the gold one."""
    if slot == "budget":
        return bool(gold[0] == told[0] and near(gold[1], told[1]))
    if slot in NUMBERS:
        return near(gold, told)
    if isinstance(gold, int | float):
        return bool(gold == told)
    a, b = squeezed(gold), squeezed(told)
    if slot == "unplaced":
        return bool(a and b) and (a in b or b in a)
    if str(gold).startswith(CLASS) and str(told).startswith(CLASS):
        a, b = squeezed(gold[len(CLASS) :]), squeezed(told[len(CLASS) :])
        return a == b or b in equal.get(a, ())
    return a == b or b in aliases().get(a, ())


def near(a: float, b: float) -> bool:
    """Within 2 %; zero equals zero only."""
    return abs(a - b) <= 0.02 * abs(a) if a else b == 0


def squeezed(name: object) -> str:
    from ..agents.understanding.text import key

    return key(str(name))


def aliases() -> dict[str, set[str]]:
    """Squeezed name -> all squeezed names of the same compound in the cell's facts."""
    import csv

    if not _ALIASES:
        facts = HERE.parent / "world_model" / "facts" / "compounds.csv"
        with facts.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                names = {squeezed(n) for n in [row["name"], *row["aliases"].split("|")] if n}
                for name in names:
                    _ALIASES.setdefault(name, set()).update(names)
    return _ALIASES


_ALIASES: dict[str, set[str]] = {}


def sum_up(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total


def _f1(told: list[dict[str, Tally]]) -> tuple[float, float]:
    """Micro F1 and its sd over 500 bootstraps of the questions."""
    every = [sum_up(t.values()) for t in told]
    rng, draws = np.random.default_rng(0), []
    for _ in range(500):
        draws.append(sum_up(every[i] for i in rng.integers(len(every), size=len(every))).f1)
    return sum_up(every).f1, float(np.std(draws, ddof=1))


def _by_slot(told: list[dict[str, Tally]]) -> dict[str, float]:
    slots: Counter[str] = Counter()
    for tallies in told:
        slots.update({s: t.hit + t.missed + t.extra for s, t in tallies.items()})
    return {slot: sum_up(t[slot] for t in told).f1 for slot in slots if slots[slot]}

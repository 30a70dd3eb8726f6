"""What a question says beside its readout, laid on a data set: what is ruled out, doses, times, counts, budget.

Nothing is dropped in silence. What the data set cannot place, and what this loop does not answer, comes back as a
sentence for the goal's assumptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..world_model.compounds import CompoundFacts, facts_for
from ..world_model.vocabulary import Frozen
from .budget import Budget
from .goal import Exclusion, Intent
from .understanding.slots import Slots

if TYPE_CHECKING:
    from .minds.protocol import Briefing

SAME = 1.26  # a factor (a tenth of a decade) within which two doses or times are one
MOST_ITEMS = 50
PLATE = 96  # wells of a plate whose size the question does not give
SIZES = (96, 384, 1536)
COMMON = frozenset(
    "inhibitor inhibitors compound compounds drug drugs agent agents modulator antagonist agonist analogue alkaloid "
    "family other kinase tyrosine chemotherapy".split()
)  # words that tell one mechanism class from no other
_RANGE = re.compile(r"\d\s*(?:nM|[uµμ]M|mM|h|hr|hours?|min|minutes?|小时|分钟)?\s*(?:to|-|–|~|至|到)\s*\d", re.I)

INSTEAD = {
    "mechanism": (
        "The question asks for a mechanism. This campaign tests which perturbations move the readout, not why; for the "
        "cascade behind one measured response: cytocrux explain --perturbation NAME --context NAME."
    ),
    "biomarker": (
        "The question asks which features of the cells go with a response. No part of this loop tests that: the "
        "campaign tests responses of the one context named."
    ),
    "hits": (
        "The question asks for the hits of a pool. This campaign tests what its data set has measured; for a pool of "
        "thousands, round by round: cytocrux campaign hits --pool FILE.csv --question TEXT."
    ),
    "selectivity": (
        "The question asks for what hits one kind of cell and spares another. Sparing is not tested: ask again for the "
        "other context and compare the claims."
    ),
    "interaction": (
        "The question asks about combinations; none was measured in {dataset}: single perturbations are tested."
    ),
}


class Laid(Frozen):
    """The slots on a data set. said: assumptions in words; used: words that found a use."""

    exclusions: tuple[Exclusion, ...] = ()
    doses: tuple[float, ...] = ()
    times_h: tuple[float, ...] = ()
    max_items: int | None = None
    min_classes: int | None = None
    disease: str | None = None
    said: tuple[str, ...] = ()
    used: tuple[str, ...] = ()


def lay(question: str, slots: Slots, briefing: Briefing, intent: Intent) -> Laid:
    """The question's slots in the terms of the data set, with a sentence for each that has none."""
    singles = tuple(p for p in briefing.perturbations if "+" not in p)
    exclusions, unknown = exclude(slots.exclusions, singles)
    said = [f"{name} is to be left out, but {briefing.dataset} has nothing of that name or class." for name in unknown]
    spread = bool(_RANGE.search(question))
    doses, dose_note = nearest(slots.doses_uM, briefing.doses, "uM", briefing.dataset, spread=spread)
    times, time_note = nearest(slots.times_h, briefing.times_h, "h", briefing.dataset, spread=spread)
    said += filter(None, (dose_note, time_note, *_counts(slots), *_budget_said(slots)))
    said += not_served(slots, briefing, intent)
    said += _absent(slots, briefing, singles)
    used = [w for name in slots.exclusions for w in (name.removeprefix("class:"), f"{name.removeprefix('class:')}s")]
    used += [e.what for e in exclusions]
    used += [slots.disease] if slots.disease else []
    held = members_of((*slots.exclusions, *slots.perturbations), singles)
    used += [w for m in held for w in (m, facts_for(m).name, *facts_for(m).aliases)]
    used += [w for words, told in _WORDS if told(slots) for w in words.split()]
    return Laid(
        exclusions=exclusions,
        doses=doses,
        times_h=times,
        max_items=min(slots.max_items, MOST_ITEMS) if slots.max_items else None,
        min_classes=slots.min_classes or None,
        disease=slots.disease,
        said=tuple(dict.fromkeys(said)),
        used=tuple(used),
    )


_WORDS = (
    ("wells well plates plate budget spend within only", lambda s: bool(s.budget)),
    ("classes class mechanisms mechanism least distinct different", lambda s: s.min_classes is not None),
    ("hours hour hrs min minutes after", lambda s: bool(s.times_h)),
    ("one two three four five six eight ten", lambda s: bool(s.budget or s.max_items or s.min_classes)),
    ("why how", lambda s: s.intent == "mechanism"),
    ("exclude excluding except without avoid failed allergic leave out but no not", lambda s: bool(s.exclusions)),
)  # words that carry a slot, for the list of words without a use


def exclude(names: Iterable[str], members: Sequence[str]) -> tuple[tuple[Exclusion, ...], tuple[str, ...]]:
    """(exclusions in words that ``ruled_out`` finds, names that are nothing here). "class:X" is a class or a tag."""
    found: list[Exclusion] = []
    unknown: list[str] = []
    names = list(names)
    facts = {m: facts_for(m) for m in members} if names else {}
    for name in names:
        words = _class_words_for(name, facts.values()) if name.startswith("class:") else _members(name, facts)
        bare = name.removeprefix("class:")
        if words:
            found += [Exclusion(what=w, because=f"the question rules out {bare}") for w in words]
        else:
            unknown.append(bare)
    return tuple(dict.fromkeys(found)), tuple(unknown)


def ruled_out(exclusions: Iterable[Exclusion], members: Iterable[str]) -> dict[str, str]:
    """Member -> why it is out: its name, an alias, its mechanism class or a tag is excluded (without case)."""
    why = {e.what.casefold(): e.because for e in exclusions}
    if not why:
        return {}
    found = {}
    for member in members:
        fact = facts_for(member)
        for word in (member, fact.name, fact.mechanism_class, *fact.aliases, *fact.tags):
            if word.casefold() in why:
                found[member] = why[word.casefold()]
                break
    return found


def nearest(
    asked: Sequence[float], measured: Sequence[float], unit: str, dataset: str, *, spread: bool
) -> tuple[tuple[float, ...], str]:
    """(the measured values asked for, a sentence about those that are not there).

    spread: the question names two ends ("10 nM to 1 uM"): all between them. Empty = no restriction.
    """
    if not asked:
        return (), ""
    if not measured:
        return (), f"{_list(asked)} {unit} is asked for; {dataset} has no such axis."
    if spread and len(asked) == 2:
        low, high = min(asked) / SAME, max(asked) * SAME
        inside = tuple(m for m in measured if low <= m <= high)
        if inside:
            return inside, ""
    found, missing = [], []
    for value in asked:
        near = [m for m in measured if value / SAME <= m <= value * SAME] if value > 0 else [0.0] * (0.0 in measured)
        if near:
            found.append(min(near, key=lambda m: abs(m - value)))
        else:
            missing.append(value)
    if not missing:
        return tuple(sorted(set(found))), ""
    note = f"{_list(missing)} {unit} was not measured in {dataset} (it has {_list(measured)} {unit})"
    return tuple(sorted(set(found))), note + (": it plays no part." if found else ": all of these are considered.")


def not_served(slots: Slots, briefing: Briefing, intent: Intent) -> list[str]:
    """What the question wants that a campaign of this intent does not answer, and what to do instead."""
    said = []
    combined = slots.intent == "interaction" and intent != "interaction"
    if slots.intent in ("mechanism", "biomarker", "hits", "selectivity") or combined:
        said.append(INSTEAD[slots.intent].format(dataset=briefing.dataset))
    if intent == "panel" and slots.direction == "up":
        said.append("The question asks to protect; a panel names what the cells are sensitive to, the opposite aim.")
    return said


def capped(budget: Budget, slots: Slots) -> Budget:
    """The budget with the question's limits where nobody set that limit: never more than before.

    Plates are plates (allowance.py): their rims stay empty, and every experiment opens its own.
    """
    told, mine = slots.budget, budget.model_fields_set
    update: dict[str, float] = {}
    if "wells" not in mine and 1 <= told.get("wells", 0) < budget.wells:
        update["wells"] = int(told["wells"])
    if "hours" not in mine and 0 < told.get("hours", 0) < budget.hours:
        update["hours"] = told["hours"]
    if "plates" not in mine and told.get("plates", 0) >= 1:
        update["plates"] = int(told["plates"])
        size = int(told.get("plate_size", PLATE))
        if "plate_size" not in mine and size in SIZES:
            update["plate_size"] = size
    if "days" not in mine and told.get("days", 0) > 0:
        update["days"] = told["days"]
    return budget.model_copy(update=update) if update else budget


def _budget_said(slots: Slots) -> list[str]:
    told = slots.budget
    size = f" of {told.get('plate_size', PLATE):g} wells"
    said = []
    for key, of, so in (
        ("wells", "", "no more are spent"),
        ("plates", size, "every experiment opens its own, and their rims stay empty"),
        ("hours", "", "the campaign runs no longer"),
        ("days", "", "as many as the lab's experiments take"),
    ):
        if n := told.get(key):
            what = key.removesuffix("s") if n == 1 else key
            said.append(f"The question allows {n:g} {what}{of}: {so}, unless --budget says otherwise.")
    if "usd" in told:
        said.append(
            f"The question's {told['usd']:g} US dollars are not a limit here: not every lab has prices "
            "(--budget lab_usd= limits one that has; usd= the language model)."
        )
    return said


def _counts(slots: Slots) -> list[str]:
    if slots.max_items and slots.max_items > MOST_ITEMS:
        return [f"{slots.max_items} items are asked for; a panel has at most {MOST_ITEMS}."]
    return []


def _absent(slots: Slots, briefing: Briefing, singles: Sequence[str]) -> list[str]:
    """Contexts and perturbations that the question names and the data set lacks."""
    here = {_bare(c) for c in briefing.contexts}
    contexts = [] if briefing.patient else [c for c in slots.contexts if _bare(c) not in here]
    facts = {m: facts_for(m) for m in singles} if slots.perturbations else {}
    things = []
    for name in slots.perturbations:
        held = _class_words_for(name, facts.values()) if name.startswith("class:") else _members(name, facts)
        if not held and not _is_kind(name):
            things.append(name.removeprefix("class:"))
    return [f"{name} is named; {briefing.dataset} has no wells of it." for name in dict.fromkeys([*contexts, *things])]


def _is_kind(name: str) -> bool:
    """Whether a class is too wide to be one mechanism ("class:kinase inhibitor")."""
    return name.startswith("class:") and not _tokens(name.removeprefix("class:"))


def members_of(names: Iterable[str], members: Sequence[str]) -> list[str]:
    """The data set's names of what the question calls by another one ("Velcade") or by its class ("class:taxane")."""
    names = list(names)
    facts = {m: facts_for(m) for m in members} if names else {}
    found: list[str] = []
    for name in names:
        if name.startswith("class:"):
            words = set(_class_words_for(name, facts.values()))
            found += [m for m, f in facts.items() if words & {f.mechanism_class, *f.tags}]
        else:
            found += _members(name, facts)
    return list(dict.fromkeys(found))


def _members(name: str, facts: dict[str, CompoundFacts]) -> list[str]:
    wanted = {_bare(name)}
    told = facts_for(name)
    wanted |= {_bare(a) for a in (told.name, *told.aliases)}
    return [m for m, f in facts.items() if wanted & {_bare(w) for w in (m, f.name, *f.aliases)}]


def _class_words_for(name: str, facts: Iterable[CompoundFacts]) -> list[str]:
    """Classes and tags among the facts that say what a class name says: all its telling words stand in them."""
    wanted = _tokens(name.removeprefix("class:"))
    if not wanted:
        return []
    every = dict.fromkeys(w for f in facts for w in (f.mechanism_class, *f.tags))
    return [w for w in every if wanted <= _tokens(w)]


def _tokens(text: str) -> frozenset[str]:
    return frozenset(w.rstrip("s") for w in re.findall(r"[a-z0-9]+", text.casefold()) if w not in COMMON)


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{v:g}" for v in values)

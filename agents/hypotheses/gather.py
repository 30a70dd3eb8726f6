"""All sources together: near-duplicates merged, turns taken over sources and mechanism classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ..asked import SAME
from ..goal import Hypothesis
from .sources import SOURCES, Source
from .state import State

MOST_ORIGIN = 200  # characters


def gather(state: State, limit: int, sources: Sequence[Source] = SOURCES) -> list[Hypothesis]:
    """Up to ``limit`` hypotheses: round-robin over the sources, in each the mechanism class least taken so far."""
    return diverse([source(state) for source in sources], limit, state.briefing.classes)


def diverse(groups: Sequence[Sequence[Hypothesis]], limit: int, classes: Mapping[str, str]) -> list[Hypothesis]:
    """Turns over the groups; within one, the first hypothesis of the class taken least often. Duplicates are merged."""
    origins = merged([h for group in groups for h in group])
    open_ = [list(group) for group in groups]
    taken: list[Hypothesis] = []
    count: Counter[str] = Counter()
    while any(open_) and len(taken) < limit:
        for group in open_:
            group[:] = [h for h in group if not any(same(h, t) for t in taken)]
            if not group or len(taken) >= limit:
                continue
            best = min(range(len(group)), key=lambda i: (count[family(group[i], classes)], i))
            chosen = group.pop(best)
            count[family(chosen, classes)] += 1
            taken.append(next(m for m in origins if same(m, chosen)))
    return taken


def family(h: Hypothesis, classes: Mapping[str, str]) -> str:
    """Mechanism classes of its perturbations; one without a class is a class of its own."""
    return "+".join(sorted(classes.get(p, p) for p in h.perturbations))


def merged(hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Near-duplicates as one: the first's words, the origins of all."""
    kept: list[Hypothesis] = []
    for h in hypotheses:
        at = next((i for i, k in enumerate(kept) if same(k, h)), None)
        if at is None:
            kept.append(h)
            continue
        first = kept[at]
        origins = dict.fromkeys([*first.origin.split(", "), *h.origin.split(", ")])
        update = {
            "origin": ", ".join(origins)[:MOST_ORIGIN],
            "mechanism": first.mechanism or h.mechanism,
            "cites": tuple(dict.fromkeys([*first.cites, *h.cites])),
        }
        kept[at] = first.model_copy(update=update)
    return kept


def same(a: Hypothesis, b: Hypothesis) -> bool:
    """Whether two say the same: perturbations in any order and case, readout, direction, dose and time within 1.26."""
    return (
        a.readout == b.readout
        and a.direction == b.direction
        and sorted(p.casefold() for p in a.perturbations) == sorted(p.casefold() for p in b.perturbations)
        and _near(a.dose, b.dose)
        and _near(a.time_h, b.time_h)
    )


def _near(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or (min(a, b) > 0 and max(a, b) / min(a, b) <= SAME)

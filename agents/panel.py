"""Which compounds to put on the panel: likely to work in this line, sure of it, and different in mechanism.

The score of a compound is the probability that a reading puts this line among the quarter most sensitive to it:
P(z <= -0.67), z standardised over lines: from the normal belief, its variance that of the belief and of one reading,
unless a candidate brings a chance of its own (``VirtualCell.chance_below``; evals/panel.py compares the two).
Taking the highest scores greedily, with at most ``per_class`` of one mechanism class, maximises the expected number of
hits under that rule: exchanges find nothing better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pydantic import Field

from ..world_model.errors import BadInput
from ..world_model.vocabulary import Frozen

BEST_QUARTER = -0.67  # z of the most sensitive quarter of lines
UNKNOWN = "unknown"


class Candidate(Frozen):
    """A compound that could go on the panel. z_mean, z_sd: belief about its standardised response (low = sensitive).

    noise: sd of one reading about it, on the same scale; without it a belief passes for surer than a reading can be.
    """

    name: str
    mechanism_class: str = UNKNOWN
    z_mean: float
    z_sd: float = Field(gt=0)
    noise: float = Field(default=0.0, ge=0)
    chance: float | None = Field(default=None, ge=0, le=1)  # P(z <= -0.67) as the cell has learned it
    abstain: str = ""  # the cell's reason not to say; such a compound is passed over


class PanelItem(Frozen):
    """A chosen compound. percentile: of lines expected to be more sensitive than this one; interval: 90%."""

    name: str
    mechanism_class: str
    z_mean: float
    z_sd: float
    probability: float  # that z <= -0.67
    percentile: float
    percentile_low: float
    percentile_high: float
    why: str


def hit_probability(z_mean: float, z_sd: float, threshold: float = BEST_QUARTER) -> float:
    """P(z <= threshold) for z ~ N(z_mean, z_sd^2)."""
    return normal_cdf((threshold - z_mean) / z_sd)


def chance(c: Candidate) -> float:
    """Probability that a reading of the candidate is a hit."""
    if c.chance is not None:
        return c.chance
    return hit_probability(c.z_mean, math.hypot(c.z_sd, c.noise))


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def choose_panel(
    candidates: Sequence[Candidate],
    *,
    n: int = 8,
    min_classes: int = 4,
    per_class: int = 2,
    excluded: Mapping[str, str] | None = None,
    held: Sequence[str] = (),
) -> list[PanelItem]:
    """The ``n`` best by hit probability, at most ``per_class`` of a class and at least ``min_classes`` classes.

    excluded: compound or mechanism class -> why it is ruled out (compared without case). held: classes of compounds
    already on the panel, one entry each; they count towards both class rules, ``n`` counts new ones only. Compounds
    without a known class share one place rule and never count towards ``min_classes``. Ties go by name. Fewer than
    ``n`` come back when the rules leave no more. Raises BadInput when a new panel cannot reach ``min_classes``.
    """
    barred = {name.casefold() for name in excluded or {}}
    open_ = [
        c for c in candidates
        if not c.abstain and c.name.casefold() not in barred and c.mechanism_class.casefold() not in barred
    ]  # fmt: skip
    ranked = sorted(open_, key=lambda c: (-chance(c), c.name))
    classes = {c.mechanism_class for c in ranked} - {UNKNOWN}
    if not held and len(classes) < min_classes:
        raise BadInput(
            f"A panel of {min_classes} mechanism classes cannot be made",
            why=f"the compounds left have {len(classes)}: {', '.join(sorted(classes)) or 'none'}",
            cure="Ask for fewer classes or allow more compounds",
        )
    need = min(min_classes, len(classes | set(held) - {UNKNOWN}), n + len(set(held) - {UNKNOWN}))
    chosen: list[Candidate] = []
    for candidate in ranked:
        taken = [*held, *(c.mechanism_class for c in chosen), candidate.mechanism_class]
        places = n - len(chosen) - 1
        if places < 0:
            break
        if taken.count(candidate.mechanism_class) <= per_class and places >= need - len(set(taken) - {UNKNOWN}):
            chosen.append(candidate)
    place = {c.name: i for i, c in enumerate(ranked, 1)}
    return [_item(c, place[c.name], len(ranked)) for c in chosen]


def _item(c: Candidate, rank: int, among: int) -> PanelItem:
    probability = chance(c)
    spread = 1.6448536269514722 * c.z_sd
    low, mid, high = (100 * normal_cdf(z) for z in (c.z_mean - spread, c.z_mean, c.z_mean + spread))
    why = (
        f"rank {rank} of {among}: {probability:.0%} chance to lie in the most sensitive quarter of lines "
        f"(predicted z {c.z_mean:+.2f} +- {c.z_sd:.2f}); class {c.mechanism_class}"
    )
    return PanelItem(
        name=c.name, mechanism_class=c.mechanism_class, z_mean=c.z_mean, z_sd=c.z_sd, probability=probability,
        percentile=mid, percentile_low=low, percentile_high=high, why=why,
    )  # fmt: skip

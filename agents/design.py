"""From chosen bundles to one experiment: shared arms run once, with the most wells any of their claims needs."""

from __future__ import annotations

from collections.abc import Sequence

from ..knowledge.claims import ArmRequest, Design
from .allowance import Purse
from .prioritise import Bundle


def draft_design(
    campaign: str, cycle: int, dataset: str, picked: Sequence[Bundle], predictions: Sequence[str], seed: int
) -> Design:
    """The design for review. cost is in wells."""
    arms = merged(picked)
    best = max(picked, key=lambda b: b.priority)
    return Design(
        campaign=campaign,
        cycle=cycle,
        dataset=dataset,
        arms=arms,
        predictions=tuple(dict.fromkeys(predictions)),
        cost=float(sum(a.n for a in arms)),
        seed=seed,
        rationale=f"{len(picked)} bundles of claims; the first because it is {best.reason}",
    )


def merged(picked: Sequence[Bundle]) -> tuple[ArmRequest, ...]:
    """Every arm of the bundles once, with the most wells that any of them asks for."""
    needed: dict[str, ArmRequest] = {}
    for request in (r for bundle in picked for r in bundle.requests):
        known = needed.get(request.arm.key())
        if known is None or known.n < request.n:
            needed[request.arm.key()] = request
    return tuple(needed.values())


def fitting(picked: Sequence[Bundle], purse: Purse, seed: int) -> list[Bundle]:
    """The bundles less the least that would pass a limit: on plates, wells may need more room than they count."""
    kept = list(picked)
    while kept and purse.refusal(merged(kept), seed):
        kept.remove(min(kept, key=lambda b: b.priority))
    return kept

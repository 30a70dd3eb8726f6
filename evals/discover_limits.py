"""How few wells could do at all: an oracle that knows every reading beforehand, and pools of other sizes.

The oracle bounds every policy of ``discover_wells`` from below on its pool: same controls, same looks, same verdicts,
but it takes only the arms, and of each as many wells, that it knows to bring the most verdicts. Where the oracle itself
needs more than half of uniform's wells, no choice of wells can halve them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .discover_pools import Pool
from .race import FEWEST, LATER, race_look

MOST = 4  # treated wells of an arm that the oracle considers


def oracle(pool: Pool, target: int, controls: int = 8) -> int | None:
    """Fewest wells to ``target`` verdicts, all results known beforehand; None where the pool cannot give so many.

    Exact over sets of control arms and, by dynamic programming, over the wells of each treated arm. For claims of one
    treated arm each, as the pools here hold.
    """
    again = pool.fresh()
    arms = {a.key(): a for c in again.candidates for a in c.claim.contrast.arms}
    group = {a.key(): next((b.key() for b in c.claim.contrast.arms if b.is_control), "")
             for c in again.candidates for a in c.claim.contrast.arms if not a.is_control}  # fmt: skip
    fee = {k: min(controls, again.left(a)) for k, a in arms.items() if a.is_control}
    first = FEWEST[again.candidates[0].prediction.variance]
    told: dict[str, list[tuple[int, int]]] = {key: [] for key in group}
    bank = again.draw([(arms[k], n) for k, n in fee.items()])
    for look, n in enumerate((first, *[LATER] * (MOST - first))):
        fresh = again.draw([(arms[k], min(n, again.left(arms[k]))) for k in group if again.left(arms[k])])
        bank |= {k: [*bank.get(k, []), *wells] for k, wells in fresh.items()}
        race_look(again.candidates, bank, set(fresh))
        for key in fresh:
            got = sum(c.verdict != 0 for c in again.candidates if any(a.key() == key for a in c.claim.contrast.arms))
            told[key].append((first + look * LATER, got))
    best: int | None = None
    for size in range(1, len(fee) + 1) if fee else (0,):
        for opened in itertools.combinations(sorted(fee), size):
            mine = [told[k] for k in group if not fee or group[k] in opened]
            wells = _fewest(mine, target)
            if wells is not None:
                total = wells + sum(fee[k] for k in opened)
                best = total if best is None else min(best, total)
    return best


def _fewest(arms: Sequence[Sequence[tuple[int, int]]], target: int) -> int | None:
    """Fewest wells whose verdicts reach the target: each arm gives one of its (wells, verdicts) or nothing."""
    most = sum(max((n for n, _ in a), default=0) for a in arms)
    got = np.zeros(most + 1)
    for choices in arms:
        new = got.copy()
        for n, verdicts in choices:
            new[n:] = np.maximum(new[n:], got[: most + 1 - n] + verdicts)
        got = new
    enough = np.flatnonzero(got >= target)
    return int(enough[0]) if len(enough) else None

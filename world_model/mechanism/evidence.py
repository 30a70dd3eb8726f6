"""From measured changes to what a cascade must explain: signs and weights on nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..network import SignedNetwork
from .cascade import Observed
from .signalling import readout_node

CHANGED = 2.0  # |z| from which a readout counts as changed
CERTAIN = 4.0  # |z| from which its weight is 1
UNCHANGED = 0.5  # weight of a readout that did not move at all
SMALLEST = 0.15  # log2; a smaller change is none, however precise


def observe(
    network: SignedNetwork, changes: Iterable[tuple[str, float, float]], *, smallest: float = SMALLEST
) -> tuple[Observed, ...]:
    """(readout, delta, se) -> evidence on nodes; readouts that lie on no node or were not measured are left out.

    Changed (|delta| / se >= 2 and |delta| >= smallest): value sign(delta), weight min(1, |z| / 4).
    Unchanged: value 0, weight 0.5 (1 - |z| / 2), at least 0.05.
    """
    found = []
    for name, delta, se in changes:
        place = readout_node(name, network)
        if place is None or not math.isfinite(delta) or not math.isfinite(se) or se < 0:
            continue
        z = delta / max(se, 1e-9)
        changed = abs(z) >= CHANGED and abs(delta) >= smallest
        value = (1 if z > 0 else -1) * place.sign if changed else 0
        weight = min(1.0, abs(z) / CERTAIN) if changed else max(0.05, UNCHANGED * (1 - min(abs(z), CHANGED) / CHANGED))
        found.append(Observed(name, place.node, value, weight, place.sign * delta, se, place.sign))
    return tuple(found)

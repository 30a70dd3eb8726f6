"""What the explanations of two perturbations say of both together, and of a knocked-out intermediate.

For a readout on node r, with changes a and b under A and B alone, the two cascades stand in one of these relations:

    apart     neither cascade reaches r                   shared    the ways have a node in common and push one way
    one       one of them reaches r                       blocked   a target of one lies on the way of the other
    opposed   the ways push r in two directions           both      both reach r by ways of their own, pushing one way

In a linear (on a log scale) cascade effects add whatever the relation; a channel that saturates passes only the
stronger: both = a + b + w (m - (a + b)), m the larger of a and b in size, w in [0, 1] how far it saturates. ``w`` is
fitted for each relation on pairs of other perturbations (``fit_saturation``); without any pair w = 0, additive.

``propagate`` gives magnitudes where a cascade passes unmeasured nodes: along each edge the change is carried with the
same attenuation c, the one value that fits the measured nodes best in least squares (log scale); a removed node passes
nothing on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from .alternatives import path_to
from .cascade import Cascade

Relation = Literal["apart", "one", "shared", "blocked", "both", "opposed"]
PRIOR = 1.0  # log2^2 of pseudo-evidence for w = 0 in each relation


def relation(
    one: Cascade, two: Cascade, one_targets: Collection[str], two_targets: Collection[str], node: str
) -> Relation:
    """How the cascades of two perturbations stand to each other at ``node``."""
    way_a, way_b = path_to(one, node), path_to(two, node)
    if way_a is None or way_b is None:
        return "apart" if way_a is None and way_b is None else "one"
    if one.signs[node] != two.signs[node]:
        return "opposed"
    if blocks(two_targets, way_a) or blocks(one_targets, way_b):
        return "blocked"
    return "shared" if (set(way_a) & set(way_b)) - {node} else "both"


def blocks(targets: Collection[str], way: Collection[str]) -> bool:
    """Whether a perturbed node lies on a way past its beginning."""
    return bool(set(targets) & set(list(way)[1:]))


def stronger(a: float, b: float) -> float:
    return a if abs(a) >= abs(b) else b


def combined(how: Relation, a: float, b: float, saturation: Mapping[Relation, float] | None = None) -> float:
    """Predicted change under both."""
    w = (saturation or {}).get(how, 0.0)
    return a + b + w * (stronger(a, b) - (a + b))


def fit_saturation(pairs: Iterable[tuple[Relation, float, float, float]]) -> dict[Relation, float]:
    """w of each relation from (relation, a, b, measured under both): least squares, drawn towards 0, within [0, 1]."""
    top: dict[Relation, float] = {}
    bottom: dict[Relation, float] = {}
    for how, a, b, measured in pairs:
        x = stronger(a, b) - (a + b)
        top[how] = top.get(how, 0.0) + x * (measured - (a + b))
        bottom[how] = bottom.get(how, PRIOR) + x * x
    return {how: min(1.0, max(0.0, top[how] / bottom[how])) for how in top}


def attenuation(cascade: Cascade, inputs: Mapping[str, float], measured: Mapping[str, float]) -> float:
    """c in |delta| = |input| c^edges, least squares on log |delta| over the measured nodes it gets right; at most 1."""
    from math import exp, log

    top = bottom = 0.0
    for node, delta in measured.items():
        way = path_to(cascade, node)
        if way is None or delta * cascade.signs.get(node, 0) <= 0:
            continue
        steps = len(way) - 1
        top += steps * (log(abs(delta)) - log(abs(inputs[way[0]])))
        bottom += steps * steps
    return min(1.0, exp(top / bottom)) if bottom else 1.0


def propagate(
    cascade: Cascade, inputs: Mapping[str, float], measured: Mapping[str, float], *, removed: Collection[str] = ()
) -> dict[str, float]:
    """Change of every node of the cascade. inputs: perturbed node -> its change; measured nodes pass on what was
    measured (unless something above them is removed), others the attenuated change of their cause."""
    c = attenuation(cascade, inputs, measured)
    gone = set(removed)
    found = {node: (0.0 if node in gone else change) for node, change in inputs.items()}
    touched = gone & set(inputs)
    for edge in cascade.edges:  # causes come before effects
        if edge.target in gone or edge.source in touched:
            touched.add(edge.target)
        if edge.target in touched:
            found[edge.target] = 0.0
        elif edge.target in measured and measured[edge.target] * cascade.signs[edge.target] > 0:
            found[edge.target] = measured[edge.target]
        else:
            found[edge.target] = edge.sign * c * found[edge.source]
    return found

"""Which edges of the literature does this cell use? Many perturbations, each explained, and what they share.

Every experiment (a perturbation at a dose and a time) is explained by its own minimal cascade. In a second round an
edge's price depends on how often the first used it where it could have: lambda (1.6 - 1.2 support), so that cascades
agree on edges that serve many experiments. The support of an edge u -> v is

    (used + 1/2) / (chances + 1),   chances = experiments in which u moved (or was perturbed) and v was not perturbed,

the posterior mean share under Jeffreys' prior, near 0 for an edge whose source moves without any need for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..network import SignedNetwork
from ..rows import Array
from .cascade import LAMBDA, Observed, Problem, solve

KEEP = 0.25  # support from which an edge counts as used
ROUNDS = 2
EdgeKey = tuple[str, str, int]


@dataclass(frozen=True)
class Experiment:
    """inputs: node -> sign of what was done to it, as written in the literature; observed: what changed."""

    inputs: Mapping[str, int]
    observed: tuple[Observed, ...]


def support(
    network: SignedNetwork, experiments: Sequence[Experiment], *, penalty: float = LAMBDA, rounds: int = ROUNDS
) -> dict[EdgeKey, float]:
    """Edge -> support in [0, 1]. Experiments whose inputs are no nodes are passed over."""
    nodes = set(network.nodes)
    usable = [x for x in experiments if x.inputs and set(x.inputs) <= nodes]
    prices: dict[EdgeKey, float] | None = None
    found: dict[EdgeKey, float] = {}
    for _ in range(rounds):
        used = dict.fromkeys((e.key for e in network.edges), 0)
        chances = dict(used)
        for x in usable:
            cascade = solve(Problem(network, x.inputs, x.observed, penalty), prices=prices)
            moved = {o.node for o in x.observed if o.value} | set(x.inputs)
            for e in cascade.edges:
                used[e.key] += 1
            for e in network.edges:
                chances[e.key] += e.source in moved and e.target not in x.inputs
        found = {k: min(1.0, (used[k] + 0.5) / (chances[k] + 1.0)) for k in used}
        prices = {k: 1.6 - 1.2 * s for k, s in found.items()}
    return found


def kept(network: SignedNetwork, supported: Mapping[EdgeKey, float], *, least: float = KEEP) -> SignedNetwork:
    """The edges with at least this support."""
    return SignedNetwork(f"{network.name}, as used", tuple(e for e in network.edges if supported[e.key] >= least))


def predicted_signs(network: SignedNetwork, inputs: Mapping[str, int], nodes: Iterable[str], *, carry: float = 0.6) -> (
    dict[str, int]
):  # fmt: skip
    """Sign of each node's change: the sum over all walks from the inputs of the product of signs, each edge carrying
    the share ``carry`` on (scaled so that the sum converges); 0 where nothing arrives."""
    names = list(network.nodes)
    at = {n: i for i, n in enumerate(names)}
    a = np.zeros((len(names), len(names)))
    for e in network.edges:
        if e.target not in inputs:
            a[at[e.target], at[e.source]] = e.sign
    scale = max(1.0, float(np.abs(a).sum(axis=1).max(initial=0.0)))
    start = np.zeros(len(names))
    for node, sign in inputs.items():
        if node in at:
            start[at[node]] = sign
    reach: Array = np.asarray(np.linalg.solve(np.eye(len(names)) - carry * a / scale, start), dtype=np.float64)
    return {n: int(np.sign(reach[at[n]])) if n in at and abs(reach[at[n]]) > 1e-9 else 0 for n in nodes}

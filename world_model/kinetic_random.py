"""Random kinetic cells, and the imperfect literature about them.

``random_cell``: inputs (fast, signalling) to outputs (slow, transcription), mostly forward, with some feedback; drawn
again until the untreated cell is stable. ``prior_network``: the true edges less some that nobody has found yet, and
with some that are wrong (drawn at random, reversed, or of the other sign), as a literature network is to a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .kinetic import Action, Floats, KineticCell
from .network import Edge, SignedNetwork

Sign = Literal[-1, 1]
LEAST_DAMPING = 0.05  # 1/h: the slowest mode of an accepted cell dies off faster than this


@dataclass(frozen=True)
class PriorKnowledge:
    """What is written about a cell: edges, and compound -> ((node, sign), …). Some of both are wrong."""

    network: SignedNetwork
    targets: dict[str, tuple[tuple[str, int], ...]]


def random_cell(
    seed: int,
    *,
    n_nodes: int = 20,
    n_compounds: int = 12,
    n_contexts: int = 4,
    inert: int = 2,
    edges_per_node: float = 1.6,
) -> KineticCell:
    """A stable cell; equal for equal arguments. The last ``inert`` compounds do nothing at all."""
    rng = np.random.default_rng([seed, n_nodes, n_compounds])
    nodes = tuple(f"N{i + 1:02d}" for i in range(n_nodes))
    while True:
        network = SignedNetwork.of(f"kinetic {seed}", _edges(rng, nodes, edges_per_node))
        n_edges = len(network.edges)
        strength = rng.uniform(1.0, 3.5, n_edges)
        gain = np.exp(rng.normal(0.0, 0.3, (n_contexts, n_edges)))
        present = rng.random((n_contexts, n_edges)) > 0.08
        present[0] = True
        cell = KineticCell(
            network=network,
            nodes=nodes,
            contexts=tuple(f"LINE-{chr(65 + i)}" for i in range(n_contexts)),
            weight=strength * gain * present,
            half=np.exp(rng.uniform(np.log(0.5), np.log(1.5), n_edges)),
            hill=rng.uniform(1.0, 2.5, n_edges),
            tau=np.exp(np.linspace(np.log(0.4), np.log(8.0), n_nodes) + rng.normal(0, 0.3, n_nodes)),
            actions=_compounds(rng, nodes, n_compounds, inert),
        )
        if _slowest(cell) < -LEAST_DAMPING:
            return cell


def prior_network(
    cell: KineticCell, *, seed: int = 0, decoy_fraction: float = 0.4, dropped_fraction: float = 0.2
) -> PriorKnowledge:
    """The literature on ``cell``: this share of its edges (and of its targets) is false, this share of the true ones is
    missing. Decoys are edges between real nodes, reversed edges, and edges of the wrong sign."""
    rng = np.random.default_rng([seed, 77])
    true = list(cell.network.edges)
    kept = [true[i] for i in sorted(rng.permutation(len(true))[: round(len(true) * (1 - dropped_fraction))])]
    taken = {(e.source, e.target) for e in true}
    decoys: dict[tuple[str, str], Edge] = {}
    wanted = round(len(kept) * decoy_fraction / (1 - decoy_fraction))
    held = {(e.source, e.target) for e in kept}
    while len(decoys) < wanted:
        how, e = rng.random(), true[int(rng.integers(len(true)))]
        if how < 0.15 and (e.source, e.target) not in held:  # the sign is wrong, of an edge not kept as true
            decoys[e.source, e.target] = Edge(source=e.source, target=e.target, sign=1 if e.sign < 0 else -1)
            continue
        one, two = (e.target, e.source) if how < 0.4 else (e.source, cell.nodes[int(rng.integers(len(cell.nodes)))])
        if one != two and (one, two) not in taken:
            sign: Sign = 1 if rng.random() < 0.6 else -1
            decoys[one, two] = Edge(source=one, target=two, sign=sign)
    edges = [*kept, *decoys.values()]
    shuffled = tuple(edges[i] for i in rng.permutation(len(edges)))
    return PriorKnowledge(SignedNetwork(f"literature on {cell.network.name}", shuffled), _claimed_targets(rng, cell))


def _claimed_targets(rng: np.random.Generator, cell: KineticCell) -> dict[str, tuple[tuple[str, int], ...]]:
    """The main target of each compound as written: inert ones have one too, and every sixth is wrong."""
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for name, actions in cell.actions.items():
        other = cell.nodes[int(rng.integers(len(cell.nodes)))]
        wrong = not actions or rng.random() < 1 / 6
        found[name] = ((other, -1),) if wrong else ((actions[0].node, actions[0].sign),)
    return found


def _edges(rng: np.random.Generator, nodes: tuple[str, ...], per_node: float) -> list[tuple[str, str, Sign]]:
    """Forward edges from earlier to later nodes, near ones more often; about one in eight goes back and represses."""
    n = len(nodes)
    found: dict[tuple[int, int], Sign] = {}
    for j in range(1, n):  # every node but the first has a regulator
        i = int(rng.integers(max(0, j - 6), j))
        found[i, j] = 1 if rng.random() < 0.7 else -1
    while len(found) < round(per_node * n):
        i, j = sorted(int(v) for v in rng.choice(n, 2, replace=False))
        if rng.random() < 1 / 8:
            found.setdefault((j, i), -1)
        elif j - i <= 8:
            found.setdefault((i, j), 1 if rng.random() < 0.65 else -1)
    return [(nodes[i], nodes[j], sign) for (i, j), sign in found.items()]


def _compounds(rng: np.random.Generator, nodes: tuple[str, ...], n: int, inert: int) -> dict[str, tuple[Action, ...]]:
    """Mostly inhibitors of different nodes, some activators, a third with a weaker second target."""
    first = rng.permutation(len(nodes))
    found: dict[str, tuple[Action, ...]] = {}
    for k in range(n):
        ic50, hill = float(np.exp(rng.uniform(np.log(0.01), np.log(1.0)))), float(rng.uniform(0.8, 1.6))
        sign = 1 if rng.random() < 0.2 else -1
        depth = float(rng.uniform(0.85, 0.98)) if sign < 0 else float(rng.uniform(1.5, 4.0))
        actions = [Action(nodes[first[k % len(nodes)]], sign, ic50, hill, depth)]
        if rng.random() < 1 / 3:
            other = nodes[int(rng.integers(len(nodes)))]
            actions.append(Action(other, -1, ic50 * float(rng.uniform(10, 50)), hill, 0.8))
        found[f"CPD-{k + 1:02d}"] = () if k >= n - inert else tuple(actions)
    return found


def _slowest(cell: KineticCell) -> float:
    """Largest real part of the eigenvalues of the untreated cell's Jacobian (1/h), over its contexts."""
    source, target, sign = cell._ends
    slope = cell.hill * cell.half**cell.hill / (cell.half**cell.hill + 1.0) ** 2  # H'(1)
    worst = -np.inf
    for weight in cell.weight:
        jacobian: Floats = -np.eye(len(cell.nodes))
        np.add.at(jacobian, (target, source), sign * weight * slope)
        worst = max(worst, float(np.linalg.eigvals(jacobian / cell.tau[:, None]).real.max()))
    return worst

"""Is the explanation better than chance? The same programme solved for what cannot be explained.

Three nulls, each destroying one thing and keeping the rest:

    random target      the same measurements, other nodes perturbed in the same direction, each set drawn once
    shuffled changes   the same target and network, the measured values dealt anew over the readouts, signs flipped
    rewired network    the same target and measurements, edges swapped (every node keeps its in- and out-degree by sign)

p = (1 + #{control score >= ours}) / (1 + n), exact for exchangeable draws (Phipson and Smyth 2010,
doi:10.2202/1544-6115.1585); e = (1 + n) s / (s + sum of control scores), an e-value under the same exchangeability.
An explanation is offered only where p <= level under all three nulls: an intersection-union test, whose error is at
most ``level`` whichever null holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..network import Edge, SignedNetwork
from .cascade import Cascade, Observed, Problem, solve

ControlName = Literal["random target", "shuffled changes", "rewired network"]
DRAWS = 39
LEVEL = 0.05
SWAPS = 10  # attempted swaps an edge


@dataclass(frozen=True)
class Control:
    """Scores of one null beside ours. unproved: solves that met the time limit."""

    name: ControlName
    scores: tuple[float, ...]
    ours: float
    unproved: int
    stopped: bool = False

    @property
    def p(self) -> float:
        """Where the draws were stopped at a number h of scores as good as ours: h / draws (Besag and Clifford 1991)."""
        if self.stopped:
            return sum(s >= self.ours - 1e-9 for s in self.scores) / len(self.scores)
        return (1 + sum(s >= self.ours - 1e-9 for s in self.scores)) / (1 + len(self.scores))

    @property
    def e(self) -> float:
        total = max(self.ours, 0.0) + sum(max(s, 0.0) for s in self.scores)
        return (1 + len(self.scores)) * max(self.ours, 0.0) / total if total > 0 else 1.0


def controls(
    problem: Problem,
    cascade: Cascade,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    time_limit_s: float = 10.0,
    stop_above: float | None = None,
) -> tuple[Control, ...]:
    """All three nulls, ``draws`` solves each; with ``stop_above`` a null whose p must exceed it is drawn no more."""
    names: tuple[ControlName, ...] = ("random target", "shuffled changes", "rewired network")
    found = []
    for k, name in enumerate(names):
        rng = np.random.default_rng([seed, k])
        if name == "random target":
            problems = random_targets(problem, draws, rng)
        else:
            make = shuffled if name == "shuffled changes" else rewired
            problems = [make(problem, rng) for _ in range(draws)]
        found.append(_drawn(name, problems, cascade.score, time_limit_s, stop_above))
    return tuple(found)


def _drawn(
    name: ControlName, problems: Sequence[Problem], ours: float, time_limit_s: float, stop_above: float | None
) -> Control:
    """Solve in turn; an unproved optimum counts as the most it could be."""
    enough = len(problems) if stop_above is None else int(stop_above * (1 + len(problems)))
    scores: list[float] = []
    unproved = as_good = 0
    for problem in problems:
        answer = solve(problem, time_limit_s=time_limit_s)
        scores.append(answer.score if answer.optimal else answer.bound)
        unproved += not answer.optimal
        as_good += scores[-1] >= ours - 1e-9
        if as_good >= max(enough, 1) and stop_above is not None:
            break
    return Control(name, tuple(scores), ours, unproved, len(scores) < len(problems))


def random_targets(problem: Problem, draws: int, rng: np.random.Generator) -> list[Problem]:
    """Up to ``draws`` different sets of as many nodes that act on something, none of them perturbed in truth."""
    nodes = sorted({e.source for e in problem.network.edges} - set(problem.inputs))
    signs = list(problem.inputs.values())
    size = min(len(signs), len(nodes))
    if not size:
        return []
    drawn: dict[frozenset[str], Problem] = {}
    for _ in range(20 * draws):
        chosen = [nodes[int(i)] for i in rng.choice(len(nodes), size=size, replace=False)]
        drawn.setdefault(frozenset(chosen), replace(problem, inputs=dict(zip(chosen, signs, strict=False))))
        if len(drawn) == draws:
            break
    return list(drawn.values())


def shuffled(problem: Problem, rng: np.random.Generator) -> Problem:
    """Values and weights dealt anew over the usable readouts, each change with a random sign."""
    held = problem.usable
    order = rng.permutation(len(held))
    flips = rng.choice((-1, 1), size=len(held))
    dealt = [
        replace(o, value=held[int(j)].value * int(flip), weight=held[int(j)].weight)
        for o, j, flip in zip(held, order, flips, strict=True)
    ]
    return replace(problem, observed=tuple(dealt))


def rewired(problem: Problem, rng: np.random.Generator) -> Problem:
    return replace(problem, network=rewire(problem.network, rng))


def rewire(network: SignedNetwork, rng: np.random.Generator) -> SignedNetwork:
    """Targets of edges of equal sign swapped at random (Maslov and Sneppen 2002, doi:10.1126/science.1065103)."""
    edges: list[Edge] = []
    taken: set[tuple[str, str]] = set()
    for sign in (1, -1):
        part = [e for e in network.edges if e.sign == sign]
        ends = [(e.source, e.target) for e in part]
        held = set(ends)
        for one, two in _pairs(len(part), rng):
            (a, b), (c, d) = ends[one], ends[two]
            new = ((a, d), (c, b))
            if a == d or c == b or any(pair in held or pair in taken for pair in new):
                continue
            held -= {ends[one], ends[two]}
            ends[one], ends[two] = new
            held |= set(new)
        taken |= held
        edges += [e.model_copy(update={"target": t}) for e, (_, t) in zip(part, ends, strict=True)]
    return SignedNetwork(f"{network.name}, rewired", tuple(edges))


def _pairs(n: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    if n >= 2:
        for one, two in rng.integers(n, size=(SWAPS * n, 2)):
            if one != two:
                yield int(one), int(two)


__all__ = ["DRAWS", "LEVEL", "Control", "Observed", "controls", "random_targets", "rewire", "rewired", "shuffled"]

"""Many cascades explain a response about equally well: how often does each edge take part?

Starting from the optimum, further solutions are sought in turn by no-good cuts (an edge set found before may not be
contained again) and by prices of edges drawn anew (each lambda times a factor in [0.8, 1.2]). Kept are those whose
score, at the plain price, is within ``tolerance`` edge prices of the best (a detour of one edge costs one).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from .cascade import Cascade, Problem, solve

SOLUTIONS = 12
TOLERANCE = 1.5  # edge prices


@dataclass(frozen=True)
class Ensemble:
    """The best cascade and the others about as good. cascades[0] is the best."""

    cascades: tuple[Cascade, ...]

    @property
    def best(self) -> Cascade:
        return self.cascades[0]

    @property
    def frequency(self) -> dict[tuple[str, str, int], float]:
        """Edge -> share of the cascades that use it."""
        counts = Counter(e.key for c in self.cascades for e in c.edges)
        return {key: n / len(self.cascades) for key, n in counts.items()}

    def share_avoiding(self, target: str, blocked: str) -> float:
        """Of the cascades that reach ``target``: the share whose path does not pass ``blocked``; 1 where none does."""
        reached = [path for c in self.cascades if (path := path_to(c, target)) is not None]
        return sum(blocked not in path for path in reached) / len(reached) if reached else 1.0


def near_optimal(
    problem: Problem, best: Cascade | None = None, *, n: int = SOLUTIONS, tolerance: float = TOLERANCE,
    time_limit_s: float = 20.0, seed: int = 0,
) -> Ensemble:  # fmt: skip
    """Up to ``n`` different cascades, the best first."""
    best = solve(problem, time_limit_s=time_limit_s) if best is None else best
    found = [best]
    if not best.edges:
        return Ensemble((best,))
    rng = np.random.default_rng(seed)
    keys = [e.key for e in problem.network.edges]
    for k in range(2 * n):
        prices = dict(zip(keys, rng.uniform(0.8, 1.2, len(keys)), strict=True)) if k % 2 else None
        cuts = [[e.key for e in c.edges] for c in found]
        other = solve(problem, without=cuts, prices=prices, time_limit_s=time_limit_s, seed=k)
        if not other.edges or other.score < best.score - tolerance * problem.penalty:
            if prices is None:
                break  # the programme itself says that nothing as good is left
            continue
        found.append(other)
        if len(found) == n:
            break
    return Ensemble(tuple(found))


def path_to(cascade: Cascade, target: str) -> tuple[str, ...] | None:
    """Nodes from a perturbed node to ``target``, both included; None where the cascade does not reach it."""
    cause = {e.target: e.source for e in cascade.edges}
    if target not in cause:
        return None
    path = [target]
    while path[-1] in cause:
        path.append(cause[path[-1]])
    return tuple(reversed(path))

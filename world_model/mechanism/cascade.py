"""The smallest cascade from what was perturbed to what changed: an integer programme on HiGHS.

The problem is that of CARNIVAL (Liu et al. 2019, doi:10.1038/s41540-019-0118-z), written as a prize-collecting
arborescence over signed states. A state (v, s) says that node v goes up (s = +1) or down (s = -1). Variables:

    x[v,s] in {0,1}   v takes sign s             y[a] in {0,1}   edge used, from state (u,s) to (v, s * sign)
    f[k,a] in [0,1]   flow from the perturbed nodes to the explained readout's state k, along a

    maximise    sum_v gain(v, s) x[v,s] - lambda * sum_a y[a]
    subject to  x[v,+] + x[v,-] <= 1                           a node has one sign
                x[v,s] = sum of y[a] into (v,s)                an active state has exactly one cause (or is an input)
                y[a] <= x[u,s]                                 a cause is active itself
                f[k,.] is conserved, and x[k] of it arrives at k;   f[k,a] <= y[a]
                sum_a f[k,a] <= L x[k]                         no path is longer than L edges

The flows see to it that every explained readout hangs on the perturbation: no cycle explains itself. (Distance
variables, as in CARNIVAL, do the same with a weaker relaxation; on the built-in network they took six times as long.)

gain(v, s) = sum over readouts of v of  +w if s is the measured sign, -w if it is the other; -u if the readout
did not change. The empty cascade scores 0. Only states that an input reaches and that lead to an explained readout
within L edges enter the programme. The status and the gap are part of the answer: an incumbent at the time limit is
marked, never passed off as the optimum.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..network import Edge, SignedNetwork
from .programme import Programme

State = tuple[str, int]
Near = Callable[[State], Sequence[State]]
LAMBDA = 0.25
LONGEST = 10
LARGE, LONGEST_IN_LARGE = 2000, 4  # edges of a network; in a dense one everything is near everything
SMALL = 1e-9


@dataclass(frozen=True)
class Observed:
    """One readout as evidence on a node. value: -1, 0 (unchanged) or +1; weight: how sure, (0, 1].

    delta: change in the direction of the node's activity; sign: -1 where the readout falls as the node rises.
    """

    readout: str
    node: str
    value: int
    weight: float
    delta: float = 0.0
    se: float = 0.0
    sign: int = 1


@dataclass(frozen=True)
class Problem:
    """inputs: node -> sign the perturbation gives it. penalty: lambda, the price of an edge (gains are at most 1)."""

    network: SignedNetwork
    inputs: Mapping[str, int]
    observed: tuple[Observed, ...]
    penalty: float = LAMBDA
    longest: int = LONGEST
    forbidden: frozenset[tuple[str, str, int]] = frozenset()  # edges that may not be used

    @property
    def usable(self) -> tuple[Observed, ...]:
        """Readouts that say something: those of the perturbed nodes themselves are given, not explained."""
        return tuple(o for o in self.observed if o.node not in self.inputs)

    @property
    def most(self) -> float:
        """Score of a cascade that explained every change at no price."""
        return sum(o.weight for o in self.usable if o.value)


@dataclass(frozen=True)
class Cascade:
    """A solution. score: the objective (0 = nothing explained); gap: relative; optimal: proved within ``gap``."""

    edges: tuple[Edge, ...]
    signs: Mapping[str, int]  # node -> predicted sign
    score: float
    bound: float
    status: str
    optimal: bool
    seconds: float = field(default=0.0, compare=False)

    @property
    def gap(self) -> float:
        """(bound - score) / |score|; 0 where the optimum is proved."""
        return 0.0 if self.optimal else (self.bound - self.score) / max(abs(self.score), SMALL)


def longest_in(network: SignedNetwork) -> int:
    """How long a path may be: 10 edges, 4 in a network of more than 2,000 edges."""
    return LONGEST if len(network.edges) <= LARGE else LONGEST_IN_LARGE


def solve(
    problem: Problem,
    *,
    without: Sequence[Collection[tuple[str, str, int]]] = (),
    prices: Mapping[tuple[str, str, int], float] | None = None,
    time_limit_s: float = 60.0,
    seed: int = 0,
) -> Cascade:
    """The best cascade. without: earlier edge sets, none of which may be contained again (no-good cuts);
    prices: edge key -> factor on lambda (to look for near-optimal alternatives); the score is at the plain price."""
    states, arcs = pruned(problem)
    gains = gain_of(problem)
    if not arcs and not any(gains.get((n, s), 0.0) > problem.penalty for n, s in problem.inputs.items()):
        return Cascade((), dict(problem.inputs), 0.0, 0.0, "nothing can be reached", True)
    programme, columns = _write(problem, states, arcs, gains, prices or {})
    for keys in without:
        used = [columns[a] for a in range(len(arcs)) if arcs[a][1].key in keys]
        if used:
            programme.row(dict.fromkeys(used, 1.0), upper=len(set(keys)) - 1.0)
    answer = programme.maximise(time_limit_s=time_limit_s, seed=seed)
    if answer.values is None:
        return Cascade((), dict(problem.inputs), 0.0, answer.bound, answer.status, answer.optimal, answer.seconds)
    chosen = [(u, edge) for a, (u, edge) in enumerate(arcs) if answer.values[columns[a]] > 0.5]
    edges, signs = _rooted(chosen, problem.inputs)
    score = sum(gains.get((n, s), 0.0) for n, s in signs.items()) - problem.penalty * len(edges)
    return Cascade(edges, signs, score, max(answer.bound, score), answer.status, answer.optimal, answer.seconds)


def gain_of(problem: Problem) -> dict[State, float]:
    """Gain of each state that some readout speaks about."""
    gains: dict[State, float] = {}
    for o in problem.usable:
        for sign in (-1, 1):
            gain = o.weight * sign * o.value if o.value else -o.weight
            gains[o.node, sign] = gains.get((o.node, sign), 0.0) + gain
    return gains


def pruned(problem: Problem) -> tuple[set[State], list[tuple[State, Edge]]]:
    """States and edges (with the state they start from) that lie on a path of at most L edges to a gain."""
    edges = [e for e in problem.network.edges if e.key not in problem.forbidden and e.target not in problem.inputs]
    every = [((e.source, sign), e) for e in edges for sign in (1, -1)]
    wanted = [state for state, gain in gain_of(problem).items() if gain > 0]
    ahead, behind = _distances(problem.inputs.items(), _following(every)), _distances(wanted, _preceding(every))
    states = {s for s in ahead if s in behind and ahead[s] + behind[s] <= problem.longest}
    arcs = [
        (u, e) for u, e in every
        if u in states and (v := _end(u, e)) in states and ahead[u] + 1 + behind[v] <= problem.longest
    ]  # fmt: skip
    return states, sorted(arcs, key=lambda arc: (arc[0], arc[1].key))


def _distances(starts: Iterable[State], near: Near) -> dict[State, int]:
    """Breadth-first distances over states."""
    found = dict.fromkeys(starts, 0)
    queue = deque(found)
    while queue:
        state = queue.popleft()
        for other in near(state):
            if other not in found:
                found[other] = found[state] + 1
                queue.append(other)
    return found


def _write(
    problem: Problem, states: set[State], arcs: Sequence[tuple[State, Edge]], gains: Mapping[State, float],
    prices: Mapping[tuple[str, str, int], float],
) -> tuple[Programme, list[int]]:  # fmt: skip
    """The programme, and the column of each arc."""
    programme = Programme()
    inputs = set(problem.inputs.items())
    x = {s: programme.column(gains.get(s, 0.0), lower=float(s in inputs), upper=1.0, integer=True)
         for s in sorted(states)}  # fmt: skip
    y = [programme.column(-problem.penalty * prices.get(e.key, 1.0), upper=1.0, integer=True) for _, e in arcs]
    into: dict[State, list[int]] = {}
    for column, (u, e) in zip(y, arcs, strict=True):
        into.setdefault(_end(u, e), []).append(column)
        programme.row({column: 1.0, x[u]: -1.0}, upper=0.0)
    for state, column in x.items():
        if state not in inputs:
            programme.row({column: 1.0, **dict.fromkeys(into.get(state, ()), -1.0)}, lower=0.0, upper=0.0)
        if state[1] > 0 and (state[0], -1) in x:
            programme.row({column: 1.0, x[state[0], -1]: 1.0}, upper=1.0)
    ahead, before = _distances(inputs, _following(arcs)), _preceding(arcs)
    ends = [(column, u, _end(u, e)) for column, (u, e) in zip(y, arcs, strict=True)]
    for state in sorted(states):
        if gains.get(state, 0.0) > 0 and state not in inputs:
            behind = _distances([state], before)
            way = [(c, u, v) for c, u, v in ends
                   if u != state and v in behind and ahead[u] + 1 + behind[v] <= problem.longest]  # fmt: skip
            _flow(programme, problem.longest, state, x[state], way, inputs)
    return programme, y


def _flow(
    programme: Programme, longest: int, goal: State, arrives: int, way: Sequence[tuple[int, State, State]],
    inputs: Collection[State],
) -> None:  # fmt: skip
    """Columns and rows of the flow to one state. way: (column of the edge, from, to) of the edges that may carry it."""
    balance: dict[State, dict[int, float]] = {goal: {}}
    flow = []
    for column, u, v in way:
        carried = programme.column(0.0, upper=1.0)
        flow.append(carried)
        programme.row({carried: 1.0, column: -1.0}, upper=0.0)
        balance.setdefault(v, {})[carried] = 1.0
        balance.setdefault(u, {})[carried] = -1.0
    balance[goal][arrives] = -1.0
    for state, terms in balance.items():
        if state not in inputs:
            programme.row(terms, lower=0.0, upper=0.0)
    programme.row({**dict.fromkeys(flow, 1.0), arrives: -float(longest)}, upper=0.0)


def _end(state: State, edge: Edge) -> State:
    """Where an edge leads from a state."""
    return (edge.target, state[1] * edge.sign)


def _following(arcs: Sequence[tuple[State, Edge]]) -> Near:
    found: dict[State, list[State]] = {}
    for u, e in arcs:
        found.setdefault(u, []).append(_end(u, e))
    return lambda state: found.get(state, ())


def _preceding(arcs: Sequence[tuple[State, Edge]]) -> Near:
    found: dict[State, list[State]] = {}
    for u, e in arcs:
        found.setdefault(_end(u, e), []).append(u)
    return lambda state: found.get(state, ())


def _rooted(chosen: Sequence[tuple[State, Edge]], inputs: Mapping[str, int]) -> tuple[tuple[Edge, ...], dict[str, int]]:
    """Edges in order from the inputs, and every node's sign; what hangs on nothing is left out."""
    signs = dict(inputs)
    edges: list[Edge] = []
    left = list(chosen)
    while True:
        now = [(u, e) for u, e in left if signs.get(u[0]) == u[1]]
        if not now:
            return tuple(edges), signs
        for (_, sign), e in now:
            signs.setdefault(e.target, sign * e.sign)
            edges.append(e)
        left = [item for item in left if item not in now]

"""``explain``: changes in, the mechanistic explanation with its controls, alternatives and knock-outs out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ..errors import BadInput
from ..network import Edge, SignedNetwork
from .alternatives import SOLUTIONS, Ensemble, near_optimal, path_to
from .cascade import LAMBDA, Cascade, Observed, Problem, longest_in, solve
from .controls import DRAWS, LEVEL, Control, controls
from .evidence import observe
from .explanation import (
    NOT_BETTER,
    ControlSummary,
    ExplainedEdge,
    ExplainedNode,
    ExplainedReadout,
    Explanation,
    KnockOut,
)

Change = tuple[str, float, float]
FAINT = 0.25  # alternatives used by fewer of the near-optimal cascades are not drawn


def explain(
    network: SignedNetwork,
    inputs: Mapping[str, int],
    changes: Iterable[Change],
    *,
    perturbation: str,
    context: str = "",
    dose: float | None = None,
    time_h: float | None = None,
    penalty: float = LAMBDA,
    longest: int | None = None,
    draws: int = DRAWS,
    solutions: int = SOLUTIONS,
    level: float = LEVEL,
    forbidden: Collection[tuple[str, str, int]] = (),
    time_limit_s: float = 60.0,
    stop_early: bool = False,
    seed: int = 0,
) -> Explanation:
    """The minimal cascade from ``inputs`` (node -> sign of what is done to it) to ``changes`` (readout, delta, se).

    forbidden: keys of refuted edges. stop_early: draw no more of a null that does as well too often. Raises BadInput
    where no input or no readout lies on the network, or where ``draws`` could never reach ``level``.
    """
    changes = list(changes)
    off = [node for node in inputs if node not in network.nodes]
    if off or not inputs:
        raise BadInput(f"No target on the network {network.name!r}", why=f"unknown: {', '.join(off) or 'no target'}")
    if draws and 1 / (1 + draws) > level:
        raise BadInput(f"{draws} control draws cannot show p <= {level:g}", cure=f"Ask for {round(1 / level)} or more")
    observed = observe(network, changes)
    if not observed:
        raise BadInput(
            f"No readout lies on the network {network.name!r}", why=f"{len(changes)} were given",
            cure="Give a network with their genes, or readout names of the table",
        )  # fmt: skip
    problem = Problem(network, dict(inputs), observed, penalty, longest or longest_in(network), frozenset(forbidden))
    best = solve(problem, time_limit_s=time_limit_s)
    found = near_optimal(problem, best, n=solutions, time_limit_s=time_limit_s, seed=seed) if best.score > 0 else None
    nulls = (
        controls(problem, best, draws=draws, seed=seed, stop_above=level if stop_early else None)
        if draws and best.score > 0
        else ()
    )
    return _written(
        problem, best, found or Ensemble((best,)), nulls, level, perturbation, context, dose, time_h,
        [name for name, _, _ in changes],
    )  # fmt: skip


def _written(
    problem: Problem, best: Cascade, ensemble: Ensemble, nulls: Sequence[Control], level: float,
    perturbation: str, context: str, dose: float | None, time_h: float | None, asked: Sequence[str],
) -> Explanation:  # fmt: skip
    p = max((c.p for c in nulls), default=1.0)
    offered = bool(nulls) and p <= level
    placed = {o.readout for o in problem.observed}
    wrong = [o.readout for o in problem.usable if o.value and best.signs.get(o.node, 0) != o.value]
    return Explanation(
        kind="mechanistic", perturbation=perturbation, context=context, dose=dose, time_h=time_h,
        network=problem.network.name, offered=offered, verdict=_verdict(best, nulls, offered, p), score=best.score,
        possible=problem.most, status=best.status, gap=best.gap, solutions=len(ensemble.cascades), p=p,
        e=min((c.e for c in nulls), default=None), nodes=_nodes(problem, best, perturbation),
        edges=_edges(problem, best, ensemble, perturbation), controls=tuple(_summary(c) for c in nulls),
        knockouts=tuple(knockouts(problem, ensemble)), unexplained=tuple(wrong),
        off_network=tuple(name for name in asked if name not in placed),
        forbidden=tuple(sorted(_word(key) for key in problem.forbidden)),
    )  # fmt: skip


def knockouts(problem: Problem, ensemble: Ensemble) -> Iterable[KnockOut]:
    """For every intermediate of the best cascade and every change it explains through it."""
    best = ensemble.best
    for o in problem.usable:
        path = path_to(best, o.node)
        if not o.value or path is None or best.signs[o.node] != o.value:
            continue
        for node in path[1:-1]:
            kept = ensemble.share_avoiding(o.node, node)
            yield KnockOut(node=node, readout=o.readout, target=o.node, delta=o.delta, kept=kept,
                           expected=o.delta * kept)  # fmt: skip


def _verdict(best: Cascade, nulls: Sequence[Control], offered: bool, p: float) -> str:
    if best.score <= 0:
        return f"{NOT_BETTER}: no path explains a change at its price"
    if not nulls:
        return f"{NOT_BETTER}: no controls were drawn"
    if offered:
        return f"better than every control (p = {p:.3g})"
    worst = max(nulls, key=lambda c: c.p)
    return f"{NOT_BETTER}: the control {worst.name!r} does as well in {worst.p:.0%} of draws"


def _word(key: tuple[str, str, int]) -> str:
    source, target, sign = key
    return Edge(source=source, target=target, sign=1 if sign > 0 else -1).word


def _summary(c: Control) -> ControlSummary:
    n = len(c.scores)
    return ControlSummary(name=c.name, p=c.p, e=c.e, mean=sum(c.scores) / n, most=max(c.scores), n=n,
                          unproved=c.unproved)  # fmt: skip


def _nodes(problem: Problem, best: Cascade, perturbation: str) -> tuple[ExplainedNode, ...]:
    layers = {perturbation: 0, **dict.fromkeys(problem.inputs, 1)}
    for e in best.edges:
        layers[e.target] = layers[e.source] + 1
    readouts: dict[str, list[Observed]] = {}
    for o in problem.observed:
        readouts.setdefault(o.node, []).append(o)
    nodes = [ExplainedNode(name=perturbation, role="perturbation")]
    for name, layer in sorted(layers.items(), key=lambda item: item[1]):
        if name == perturbation:
            continue
        seen = readouts.get(name, [])
        nodes.append(
            ExplainedNode(
                name=name, role="target" if name in problem.inputs else "node", predicted=best.signs[name],
                measured=max(seen, key=lambda o: (o.value != 0, o.weight)).value if seen else None, layer=layer,
                readouts=tuple(_readout(o) for o in seen),
            )
        )  # fmt: skip
    return tuple(nodes)


def _readout(o: Observed) -> ExplainedReadout:
    return ExplainedReadout(readout=o.readout, delta=o.delta, se=o.se, value=o.value, sign=o.sign)


def _edges(problem: Problem, best: Cascade, ensemble: Ensemble, perturbation: str) -> tuple[ExplainedEdge, ...]:
    frequency = ensemble.frequency
    first = [
        ExplainedEdge(source=perturbation, target=node, sign=1 if sign > 0 else -1,
                      kind="activates" if sign > 0 else "inhibits")
        for node, sign in problem.inputs.items() if any(e.source == node for e in best.edges)
    ]  # fmt: skip
    known = {e.key: e for e in problem.network.edges}
    chosen = {e.key for e in best.edges}
    others = [k for k, f in frequency.items() if k not in chosen and f >= FAINT]
    edges = [
        ExplainedEdge(
            source=e.source, target=e.target, sign=e.sign, kind=e.kind, reference=e.reference,
            frequency=frequency.get(e.key, 1.0), best=e.key in chosen,
        )
        for e in [*best.edges, *(known[k] for k in sorted(others))]
    ]  # fmt: skip
    return (*first, *edges)

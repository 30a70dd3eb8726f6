"""The sources. Each is a function from the state to hypotheses, best first, and says so in their origin.

Every one proposes in the goal's context and direction; what the state lacks (a cell, a table, claims, a network) makes
a source silent, never wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from ...world_model.errors import BadInput, UnknownName
from ...world_model.mechanism.signalling import readout_node, targets_of
from ...world_model.network import SignedNetwork
from ...world_model.rows import Array
from ..goal import Hypothesis, ReadoutGoal
from .state import EACH, State, ranked, sign

SURPRISING = 2.0  # sd between a measured condition and the fitted cell
PAIRED = 12  # strongest singles whose pairs are asked about
ARM = ["perturbation", "dose", "time_h"]
REACH = 6  # edges of a mechanism's path


def strongest(state: State) -> list[Hypothesis]:
    """Largest predicted movement the wanted way."""
    return _by_score(state, "strongest prediction", lambda mean, sd, _: np.where(mean > 0, mean, np.nan))


def uncertain(state: State) -> list[Hypothesis]:
    """Least known effects (epistemic sd), whatever their size."""
    return _by_score(state, "most uncertain prediction", lambda mean, sd, _: sd)


def between_contexts(state: State) -> list[Hypothesis]:
    """Where this context is predicted to move further the wanted way than the training contexts do on average."""
    return _by_score(
        state,
        "unlike other contexts",
        lambda mean, sd, usual: np.where(mean > np.maximum(usual, 0), (mean - usual) / np.maximum(sd, 1e-9), np.nan),
    )


def selective(state: State) -> list[Hypothesis]:
    """Further the wanted way here than in the context to be spared, in sd of the difference."""
    if state.other is None or state.told is None or state.cell is None:
        return []
    spared = state.cell.predict(state.grid(state.singles, state.other))
    found = []
    for wanted in state.goal.readouts:
        at = state.column(wanted)
        if at is None:
            continue
        gap = sign(wanted) * (state.told.mean[:, at] - spared.mean[:, at])
        sd = np.hypot(state.told.epistemic[:, at], spared.epistemic[:, at])
        score = np.where((gap > 0) & ~state.told.abstain & ~spared.abstain, gap / np.maximum(sd, 1e-9), np.nan)
        found += _rows(state, wanted, score, "selective")
    return found


def surprised(state: State) -> list[Hypothesis]:
    """Conditions of this context that moved further the wanted way than the fitted cell says, beyond its interval; and
    the next doses and times beside them, where the same surprise would show again."""
    if state.cell is None:
        return []
    rows = state.cell.rows
    told = rows.conditions
    names = set(state.names)
    here = np.flatnonzero(
        (told["context"].astype(str) == state.goal.context.name).to_numpy()
        & told["perturbation"].astype(str).isin(names).to_numpy()
    )
    if not len(here):
        return []
    answer = state.ask(told.iloc[here])
    assert answer is not None  # there is a cell and a condition
    found = []
    for wanted in state.goal.readouts:
        at = state.column(wanted)
        if at is None:
            continue
        gap = sign(wanted) * (rows.delta[here, at] - answer.mean[:, at])
        noise = np.sqrt(state.cell.noise_factor) * rows.se[here, at]
        score = gap / np.maximum(np.hypot(answer.epistemic[:, at], noise), 1e-9)
        for i in ranked(np.where(score >= SURPRISING, score, np.nan)):
            row = told.iloc[here[i]]
            name, dose, time_h = str(row["perturbation"]), float(row["dose"]), float(row["time_h"])
            near = [(dose, time_h), *((d, time_h) for d in _beside(dose, state.goal.doses or state.briefing.doses))]
            near += [(dose, t) for t in _beside(time_h, state.goal.times_h or state.briefing.times_h)]
            said = (f"model and data disagree{'' if k == 0 else ' beside this'}" for k in range(len(near)))
            found += [state.hypothesis(name, d, t, wanted, why) for (d, t), why in zip(near, said, strict=True)]
    return state.unstaked(found)


def between_modalities(state: State) -> list[Hypothesis]:
    """Where the wanted readout is predicted to move and none of the other modalities' readouts does, in sd of each over
    the training contexts: the cell's word on one layer against its word on another."""
    if state.told is None or state.cell is None:
        return []
    modality = {r.variable: r.modality for r in state.briefing.readouts}
    spread = np.maximum(state.told.reference_sd, 1e-9)
    found = []
    for wanted in state.goal.readouts:
        at = state.column(wanted)
        mine = wanted.readout.modality
        rest = [i for i, v in enumerate(state.cell.readouts) if modality.get(v, mine) != mine]
        if at is None or not rest:
            continue
        here = sign(wanted) * state.told.mean[:, at] / spread[:, at]
        other = np.abs(state.told.mean[:, rest] / spread[:, rest]).max(axis=1)
        score = np.where((here > other) & ~state.told.abstain, here - other, np.nan)
        found += _rows(state, wanted, score, f"{mine} alone is predicted to move")
    return found


def synergies(state: State) -> list[Hypothesis]:
    """Pairs predicted to do more than their sum the wanted way: measured pairs, and pairs of the strongest singles."""
    if state.goal.intent != "interaction" or state.cell is None or state.told is None:
        return []
    best = dict.fromkeys(p for h in strongest(state)[:PAIRED] for p in h.perturbations)
    made = ["+".join(sorted(pair)) for pair in itertools.combinations(best, 2)]
    pairs = list(dict.fromkeys([*(n for n in state.names if n.count("+") == 1), *made]))
    together = state.ask(state.grid(pairs))
    if together is None:
        return []
    per = len(together.conditions) // len(pairs)  # doses x times
    place = {n: i for i, n in enumerate(state.singles)}
    found = []
    for wanted in state.goal.readouts:
        at = state.column(wanted)
        if at is None:
            continue
        mean = state.told.mean[:, at].reshape(len(place), per)
        both = together.mean[:, at].reshape(len(pairs), per)
        parts = [[place[p] for p in pair.split("+") if p in place] for pair in pairs]
        sums = np.array([mean[i].sum(axis=0) if len(i) == 2 else np.full(per, np.nan) for i in parts])
        excess = sign(wanted) * (both - sums)
        score = np.where(excess > 0, excess, np.nan).ravel()
        for i in ranked(np.where(state.fresh(together.conditions, wanted), score, np.nan)):
            row = together.conditions.iloc[i]
            found.append(
                state.hypothesis(str(row["perturbation"]), row["dose"], row["time_h"], wanted, "beyond the sum")
            )
    return found


def analogies(state: State) -> list[Hypothesis]:
    """What a corroborated claim's kin should do: same mechanism class, same readout, same dose and time."""
    wanted_by = {g.readout.variable: g for g in state.goal.readouts}
    found, classes = [], state.briefing.classes
    for claim in state.corroborated:
        wanted, arm = wanted_by.get(claim.readout.variable), claim.contrast.arms[0]
        if wanted is None or claim.sign != sign(wanted) or len(arm.perturbations) != 1:
            continue
        model = arm.perturbations[0]
        family = classes.get(model.name, "unknown")
        if family in ("unknown", "other"):
            continue
        elsewhere = arm.context != state.goal.context.name
        kin = [n for n in state.singles if classes.get(n) == family and (elsewhere or n != model.name)]
        why = f"as {model.name} ({family}) did in {arm.context}"
        found += [state.hypothesis(n, model.dose, arm.time_h, wanted, f"analogy to {claim.id}", why) for n in kin]
    return state.unstaked(found)[:EACH]


def gaps(state: State) -> list[Hypothesis]:
    """Perturbations never measured in this context, those tried in the most other contexts first."""
    if state.cell is None:
        return []
    seen: dict[str, set[str]] = {}
    pairs = state.cell.rows.conditions[["perturbation", "context"]].drop_duplicates()
    for name, context in pairs.itertuples(index=False):
        seen.setdefault(str(name), set()).add(str(context))
    missing = [n for n in state.singles if state.goal.context.name not in seen.get(n, ())]
    missing.sort(key=lambda n: -len(seen.get(n, ())))
    grid = state.grid(missing)
    rows = grid.drop_duplicates("perturbation", keep="last")  # the highest dose, the latest time
    return [
        state.hypothesis(str(name), float(dose), float(time_h), wanted, "never tested here")
        for wanted in state.goal.readouts
        for name, dose, time_h in itertools.islice(rows[ARM].itertuples(index=False), EACH)
    ]


def mechanisms(state: State) -> list[Hypothesis]:
    """Perturbations of nodes from which a signed path of the network leads to the readout, shortest path first.

    A perturbation without a target on the network is left out; so is one that would push the readout the other way.
    """
    if state.network is None:
        return []
    found = []
    for wanted in state.goal.readouts:
        node = readout_node(wanted.readout.variable, state.network)
        if node is None:
            continue
        paths, aim = _paths_to(state.network, node.node), sign(wanted) * node.sign
        hits = []
        for name in state.singles:
            pushes = _pushes(name, state.goal.kind, state.network)
            ways = [paths[t, s * aim] for t, s in pushes.items() if (t, s * aim) in paths]
            if ways:
                hits.append((min(ways, key=lambda way: (len(way), way)), name))
        last = state.grid(
            [name for _, name in sorted(hits, key=lambda hit: (len(hit[0]), hit))[:EACH]]
        ).drop_duplicates("perturbation", keep="last")
        why = {name: f"{name} through {', '.join(way)}" if way else f"{name} on {node.node}" for way, name in hits}
        found += [
            state.hypothesis(str(name), float(dose), float(time_h), wanted, "mechanism", why[str(name)])
            for name, dose, time_h in last[ARM].itertuples(index=False)
        ]
    return state.unstaked(found)


def _pushes(name: str, kind: str, network: SignedNetwork) -> dict[str, int]:
    """Node -> sign of what the perturbation does to it; empty where the network holds none of its targets."""
    try:
        return dict(targets_of(name, kind, network))
    except (BadInput, UnknownName):
        return {}


Source = Callable[[State], list[Hypothesis]]
SOURCES: tuple[Source, ...] = (
    strongest, surprised, mechanisms, between_contexts, between_modalities, synergies, selective, analogies, uncertain,
    gaps,
)  # fmt: skip


def _by_score(state: State, origin: str, score: Callable[[Array, Array, Array], Array]) -> list[Hypothesis]:
    """Rows of the grid by a score of (mean the wanted way, epistemic sd, mean over training contexts)."""
    if state.told is None:
        return []
    found = []
    for wanted in state.goal.readouts:
        at = state.column(wanted)
        if at is None:
            continue
        mean, usual = (sign(wanted) * a[:, at] for a in (state.told.mean, state.told.reference_mean))
        sd = state.told.epistemic[:, at]
        if state.goal.intent == "panel":  # readings of different compounds compare only against their own usual one
            spread = state.told.reference_sd[:, at]
            mean, sd, usual = (mean - usual) / spread, sd / spread, np.zeros_like(mean)
        found += _rows(state, wanted, np.where(state.told.abstain, np.nan, score(mean, sd, usual)), origin)
    return found


def _rows(state: State, wanted: ReadoutGoal, score: Array, origin: str) -> list[Hypothesis]:
    assert state.told is not None
    told = state.told.conditions
    return [
        state.hypothesis(str(r["perturbation"]), float(r["dose"]), float(r["time_h"]), wanted, origin)
        for r in (told.iloc[i] for i in ranked(np.where(state.fresh(told, wanted), score, np.nan)))
    ]


def _beside(value: float, known: Sequence[float]) -> list[float]:
    """The measured neighbours of a measured value."""
    order = sorted(known)
    if value not in order:
        return []
    at = order.index(value)
    return [order[i] for i in (at - 1, at + 1) if 0 <= i < len(order)]


def _paths_to(network: SignedNetwork, readout: str) -> dict[tuple[str, int], tuple[str, ...]]:
    """(node, sign of its effect on the readout) -> the edges of a shortest path, as words."""
    arriving: dict[str, list[tuple[str, int, str]]] = {}
    for edge in network.edges:
        arriving.setdefault(edge.target, []).append((edge.source, edge.sign, edge.word))
    paths: dict[tuple[str, int], tuple[str, ...]] = {(readout, 1): ()}
    edge_of_search = [(readout, 1)]
    for _ in range(REACH):
        following = []
        for node, effect in edge_of_search:
            for source, step, word in arriving.get(node, ()):
                key = (source, effect * step)
                if key not in paths:
                    paths[key] = (word, *paths[node, effect])
                    following.append(key)
        edge_of_search = following
    return paths

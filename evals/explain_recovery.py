"""Random kinetic cells, their truth known: does the explainer find which edges the cell uses, and with which sign?

What the explainer sees of a cell: log2 changes of all 20 nodes (mean of 3 wells against 8 control wells, sd of a well
0.15) in one context, 2 and 24 h after (a) each of 12 compounds at 3 uM and (b) a knock-down of each node; and a
literature network: the true edges less a fifth, with 40% of its edges false (random, reversed or of the wrong sign) and
a target for each compound, one in six of them wrong, inert compounds included. It never sees kinetics, weights or which
edge is true. The control sees the same data and that network rewired at equal degrees. Recall is over all true edges,
those missing from the literature included (0.8 is the most there is).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..world_model.rows import Array
from .results import Result

if TYPE_CHECKING:
    from ..world_model.kinetic import KineticCell
    from ..world_model.kinetic_random import PriorKnowledge
    from ..world_model.mechanism.recovery import Experiment
    from ..world_model.network import SignedNetwork

CELLS, FAST_CELLS = 50, 6
TIMES_H, DOSE, SD, WELLS, CONTROLS = (2.0, 24.0), 3.0, 0.15, 3, 8
HELD = 3  # compounds whose responses are kept back


@dataclass(frozen=True)
class Score:
    """One cell: shares of edges, and of the changed nodes of held-out compounds whose sign was foretold."""

    precision: float
    recall: float
    sign: float
    response: float
    prior_precision: float
    prior_response: float


def run(*, fast: bool = False, data_dir: Path | None = None, first_seed: int = 0) -> list[Result]:
    """Means over 50 cells (fast: 6)."""
    from ..world_model.mechanism.controls import rewire

    ours, control, inhibitors = [], [], []
    for seed in range(first_seed, first_seed + (FAST_CELLS if fast else CELLS)):
        cell, prior = literature(seed)
        ours.append(score(cell, prior, prior.network, seed))
        inhibitors.append(score(cell, prior, prior.network, seed, knockdowns=False))
        control.append(score(cell, prior, rewire(prior.network, np.random.default_rng(seed)), seed))
    return [
        _figure("precision", ours, control, inhibitors, ">= 0.7 at recall >= 0.5, control far below",
                lambda m, c: m["precision"] >= 0.7 and m["recall"] >= 0.5 and c["precision"] < m["precision"] / 2),
        _figure("recall", ours, control, inhibitors, ">= 0.5", lambda m, c: m["recall"] >= 0.5),
        _figure("sign", ours, control, inhibitors, ">= 0.9", lambda m, c: m["sign"] >= 0.9),
        _figure("response", ours, control, inhibitors, "", None),
    ]  # fmt: skip


def literature(seed: int) -> tuple[KineticCell, PriorKnowledge]:
    from ..world_model.kinetic_random import prior_network, random_cell

    cell = random_cell(seed)
    return cell, prior_network(cell, seed=seed)


def experiments(
    cell: KineticCell, prior: PriorKnowledge, network: SignedNetwork, seed: int, *, knockdowns: bool
) -> tuple[list[Experiment], list[Experiment]]:
    """Those the explainer sees, and the held-out compounds at 24 h."""
    from ..world_model.mechanism.evidence import observe
    from ..world_model.mechanism.recovery import Experiment
    from ..world_model.vocabulary import Arm, Perturbation

    done = [(Perturbation(kind="compound", name=n, dose=DOSE), dict(t)) for n, t in prior.targets.items()]
    if knockdowns:
        done += [(Perturbation(kind="knockdown", name=n), {n: -1}) for n in cell.nodes]
    arms = [Arm(context=cell.contexts[0], perturbations=(p,), time_h=h) for p, _ in done for h in TIMES_H]
    se = SD * float(np.sqrt(1 / WELLS + 1 / CONTROLS))
    noise = np.random.default_rng([seed, 5])
    values: Array = cell.respond(arms)
    values = values + noise.normal(0.0, se, values.shape)
    active = [n for n, a in cell.actions.items() if a]
    held = set(np.random.default_rng([seed, 6]).permutation(active)[:HELD])
    seen, kept_back = [], []
    for k, (arm, row) in enumerate(zip(arms, values, strict=True)):
        perturbation, inputs = done[k // len(TIMES_H)]
        changes = observe(network, [(n, float(v), se) for n, v in zip(cell.nodes, row, strict=True)])
        if perturbation.name not in held:
            seen.append(Experiment(inputs, changes))
        elif arm.time_h == TIMES_H[-1]:
            true = {a.node: a.sign for a in cell.actions[perturbation.name][:1]}
            kept_back.append(Experiment(true, changes))
    return seen, kept_back


def score(
    cell: KineticCell, prior: PriorKnowledge, network: SignedNetwork, seed: int, *, knockdowns: bool = True
) -> Score:
    """Recover, and compare with the truth."""
    from ..world_model.mechanism.recovery import kept, support

    seen, held = experiments(cell, prior, network, seed, knockdowns=knockdowns)
    found = kept(network, support(network, seen))
    true = {e.key for e in cell.network.edges}
    signs = {(e.source, e.target): e.sign for e in cell.network.edges}
    ours = {e.key for e in found.edges}
    linked = [(s, t, g) for s, t, g in ours if (s, t) in signs]
    return Score(
        precision=len(ours & true) / len(ours) if ours else float("nan"),
        recall=len(ours & true) / len(true),
        sign=float(np.mean([signs[s, t] == g for s, t, g in linked])) if linked else float("nan"),
        response=_foretold(found, held),
        prior_precision=len({e.key for e in network.edges} & true) / len(network.edges),
        prior_response=_foretold(network, held),
    )


def _foretold(network: SignedNetwork, held: list[Experiment]) -> float:
    """Of the nodes that changed under held-out compounds and that the network reaches: share of the sign it says."""
    from ..world_model.mechanism.recovery import predicted_signs

    right = []
    for x in held:
        said = predicted_signs(network, x.inputs, [o.node for o in x.observed])
        right += [said[o.node] == o.value for o in x.observed if o.value and said[o.node] and o.node not in x.inputs]
    return float(np.mean(right)) if right else float("nan")


def _figure(
    field: str, ours: list[Score], control: list[Score], inhibitors: list[Score], bar: str,
    judge: Callable[[dict[str, float], dict[str, float]], bool] | None,
) -> Result:  # fmt: skip
    means, controls = _means(ours), _means(control)
    prior = {"precision": "prior_precision", "response": "prior_response"}.get(field)
    baselines: dict[str, float | None] = {"rewired network": controls[field],
                                          "compounds alone": _means(inhibitors)[field]}  # fmt: skip
    if prior:
        baselines["the literature as it is"] = means[prior]
    values = np.array([getattr(s, field) for s in ours])
    note = {
        "precision": "of the edges kept, those that are true (source, target and sign)",
        "recall": "of all true edges, 0.8 being in the literature at all",
        "sign": "of the kept edges between truly linked nodes, those of the true sign",
        "response": f"signs of changed nodes under {HELD} held-out compounds, 24 h, from the edges kept",
    }[field]
    return Result(
        name=f"cascade_recovery_{field}", value=means[field], sd=float(np.nanstd(values)), n=len(ours), unit="",
        baselines=baselines, bar=bar, passed=judge(means, controls) if judge else None,
        note=note + "; data: 12 compounds and 20 knock-downs at 2 and 24 h, all nodes read; sd over cells",
    )  # fmt: skip


def _means(scores: list[Score]) -> dict[str, float]:
    return {name: float(np.nanmean([getattr(s, name) for s in scores])) for name in Score.__dataclass_fields__}

"""A structural-statistical explanation: the response lies near those of perturbations of one known class.

Likeness is the cosine of responses (readouts scaled by their sd over perturbations), averaged over the contexts that
both were measured in. For each class c with two or more other members, T_c = mean likeness to its members minus the
mean to all others. Null: the class labels dealt anew over the other perturbations; the p-value compares the largest T_c
with the largest of each draw (max-T, Westfall and Young 1993), so that it holds over all classes at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..rows import Array
from .explanation import NOT_BETTER, ControlSummary, ExplainedEdge, ExplainedNode, Explanation

if TYPE_CHECKING:
    from ..data.conditions import ConditionTable

DRAWS = 999
LEVEL = 0.05
NEAREST = 5


@dataclass(frozen=True)
class Profiles:
    """names: p perturbations; values: (p, contexts, readouts) mean change, NaN = not measured."""

    names: tuple[str, ...]
    values: Array


def profiles(table: ConditionTable) -> Profiles:
    """Mean response of each perturbation in each context over its doses and times, scaled by the readout's sd."""
    c = table.conditions
    names = tuple(sorted(set(map(str, c["perturbation"]))))
    contexts = sorted(set(map(str, c["context"])))
    row = {n: i for i, n in enumerate(names)}
    column = {n: i for i, n in enumerate(contexts)}
    at = (np.array([row[str(p)] for p in c["perturbation"]]), np.array([column[str(x)] for x in c["context"]]))
    seen = np.isfinite(table.delta)
    total = np.zeros((len(names), len(contexts), len(table.readouts)))
    count = np.zeros_like(total)
    np.add.at(total, at, np.where(seen, table.delta, 0.0))
    np.add.at(count, at, seen.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        values = total / count
        scale = np.nanstd(values, axis=(0, 1)) if len(names) else np.ones(len(table.readouts))
    return Profiles(names, values / np.where(scale > 0, scale, 1.0))


def likeness(given: Profiles) -> Array:
    """(p, p) mean cosine over shared contexts; NaN where two share none."""
    values = np.nan_to_num(given.values)
    there = np.isfinite(given.values).any(axis=2)  # (p, contexts)
    length = np.linalg.norm(values, axis=2)
    unit = values / np.where(length > 0, length, 1.0)[:, :, None]
    dots = np.einsum("icr,jcr->ij", unit, unit)
    shared = there.astype(float) @ there.astype(float).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(dots / np.where(shared > 0, shared, np.nan))


def nearness(
    given: Profiles, perturbation: str, classes: Mapping[str, str], *, draws: int = DRAWS, level: float = LEVEL,
    seed: int = 0, context: str = "",
) -> Explanation:  # fmt: skip
    """Which class's responses the perturbation's is nearest to. Its own class label is never looked at."""
    me = given.names.index(perturbation)
    near = likeness(given)[me]
    others = [i for i, n in enumerate(given.names) if i != me and n in classes and np.isfinite(near[i])]
    labels = np.array([classes[given.names[i]] for i in others], dtype=object)
    values = near[others]
    names = sorted({c for c in labels if (labels == c).sum() >= 2 and (labels == c).sum() < len(labels)})
    head = ExplainedNode(name=perturbation, role="perturbation")
    if not names:
        return Explanation(
            kind="structural-statistical", perturbation=perturbation, context=context, offered=False, score=0.0, p=1.0,
            verdict=f"{NOT_BETTER}: no class has two other members here", nodes=(head,),
        )  # fmt: skip
    member = np.array([[lab == c for lab in labels] for c in names], dtype=float)
    scores = _contrast(member, values)
    best = int(np.argmax(scores))
    rng = np.random.default_rng(seed)
    null = np.array([_contrast(member[:, rng.permutation(len(values))], values).max() for _ in range(draws)])
    p = float((1 + (null >= scores[best] - 1e-12).sum()) / (1 + draws))
    offered = p <= level
    order = [i for i in np.argsort(-values) if values[i] > 0][:NEAREST]
    nodes = (head, *(ExplainedNode(name=given.names[others[i]], role="neighbour", layer=1) for i in order))
    edges = tuple(
        ExplainedEdge(source=perturbation, target=given.names[others[i]], sign=1, kind="is similar to",
                      reference=f"{labels[i]}; likeness {values[i]:.2f}",
                      frequency=min(max(float(values[i]), 0.0), 1.0))
        for i in order
    )  # fmt: skip
    said = f"its response is that of a {names[best]} (p = {p:.3g})"
    other = f"{NOT_BETTER}: nearest class {names[best]}, p = {p:.2g}"
    null_said = ControlSummary(name="labels dealt anew", p=p, mean=float(null.mean()), most=float(null.max()), n=draws)
    return Explanation(
        kind="structural-statistical", perturbation=perturbation, context=context, offered=offered,
        verdict=said if offered else other, score=float(scores[best]), p=p,
        nodes=nodes, edges=edges, status=f"{len(names)} classes, {len(others)} other perturbations",
        controls=(null_said,),
    )  # fmt: skip


def _contrast(member: Array, values: Array) -> Array:
    """(classes,) mean likeness within minus mean outside each class. member: (classes, n) of 0 and 1."""
    inside = member.sum(axis=1)
    return np.asarray(member @ values / inside - (1 - member) @ values / (member.shape[1] - inside))

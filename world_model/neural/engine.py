"""The condition engine with nets beside it: the process speaks, the nets join in where their gate is open."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..answer import Answer
from ..base import BaseValues
from ..conditioncell import NOVELTY, ConditionCell
from ..rows import Array, Codes, Rows, cell_keys
from ..uncertainty import readout_weights, widening
from .gate import LEAST_FOLDS, Gate, stacked
from .inputs import inputs
from .process import averaged, held_out

if TYPE_CHECKING:
    import pandas as pd

    from ..priors import Priors
    from ..vocabulary import Context
    from .nets import Ensemble

FOLDS_TRIED, MEMBERS_TRIED = 5, 3  # held out, and trained a fold, to set a gate
LEAST_ROWS, MOST_ROWS = 60, 20_000  # conditions between which nets are tried at all


@dataclass(frozen=True)
class NeuralEngine:
    """process: the condition engine; gates: one for each way of being new that was tried; nets: where it is open."""

    process: ConditionCell
    gates: dict[str, Gate]
    nets: dict[str, Ensemble]

    @classmethod
    def fit(cls, process: ConditionCell, ways: Collection[str] = tuple(NOVELTY)) -> NeuralEngine:
        """Train, hold out, and open the gates that earn it (seed and device are those of ``process``).

        ways: of being new (keys of ``NOVELTY``) that are tried; the others are left to the process.
        """
        gates, nets = {}, {}
        if LEAST_ROWS <= len(process.rows) <= MOST_ROWS:
            for novelty in ways:
                folds = process.folds(novelty, NOVELTY[novelty])[:FOLDS_TRIED]
                if len(folds) < LEAST_FOLDS:
                    continue
                gates[novelty] = _gate(process, novelty, folds)
                if gates[novelty].open:
                    nets[novelty] = _trained(process, novelty)
        return cls(process, gates, nets)

    @classmethod
    def forced(cls, process: ConditionCell, ways: Collection[str]) -> NeuralEngine:
        """The nets alone for these ways of being new, whether or not they earn it: for comparison."""
        gates = {novelty: Gate(1.0, float("nan"), float("nan"), 1.0, 0) for novelty in ways}
        return cls(process, gates, {novelty: _trained(process, novelty) for novelty in ways})

    @property
    def noise_factor(self) -> float:
        return self.process.noise_factor

    @property
    def priors(self) -> Priors:
        return self.process.priors

    def answer(self, conditions: pd.DataFrame, context: Context | None, *, single: bool = False) -> Answer:
        """As ``ConditionCell.answer``; conditions with wells of their own are left to the process."""
        told = self.process.answer(conditions, context, single=single)
        if not self.nets:
            return told
        measured = set(cell_keys(self.process.rows.conditions, *NOVELTY["known elsewhere"]))
        own = np.array([key in measured for key in cell_keys(conditions, *NOVELTY["known elsewhere"])])
        query = self.process.bases.query(conditions)
        novelty = np.array(list(NOVELTY))[self.process.ways(query, conditions)]
        priors = self.process.priors if context is None else self.process.priors.describing(context)
        mean, sd, base = told.mean.copy(), told.epistemic.copy(), list(told.base)
        values = self.process.sums.values(query)
        for name, nets in self.nets.items():
            at = np.flatnonzero((novelty == name) & ~own)
            if not len(at):
                continue
            gate = self.gates[name]
            residual, between, within = nets.predict(inputs(conditions.iloc[at], priors))
            said = _base(self.process, name, values)[at] + residual
            known = np.isfinite(said) & np.isfinite(mean[at])
            mixed, wide = _mix(mean[at], sd[at], said, np.hypot(between, within), gate.weight)
            mean[at] = np.where(known, mixed, mean[at])
            sd[at] = np.where(known, gate.widen * wide, sd[at])
            for i in at:
                base[i] += f", nets {gate.weight:.2f}"
        return replace(told, mean=mean, epistemic=sd, base=base)

    def reference(self, conditions: pd.DataFrame) -> tuple[Array, Array]:
        """As ``ConditionCell.reference``."""
        return self.process.reference(conditions)

    def update(self, more: Rows) -> NeuralEngine:
        """The process learns from new rows; nets and gates stay as they were trained."""
        return replace(self, process=self.process.update(more))


def _mix(mean: Array, sd: Array, said: Array, spread: Array, w: float) -> tuple[Array, Array]:
    """Weighted mean of process and nets; their errors are taken as fully dependent."""
    return (1 - w) * mean + w * said, (1 - w) * sd + w * spread


def _base(process: ConditionCell, novelty: str, values: dict[str, BaseValues]) -> Array:
    """(n, r) the base that serves conditions new in this way: the mean of those that the process would average."""
    n = len(next(iter(values.values())).mean)
    way = np.full(n, list(NOVELTY).index(novelty), dtype=np.intp)
    return averaged(process.chosen(way, values), [base.mean for base in values.values()])


def _groups(process: ConditionCell, columns: tuple[str, ...]) -> list[Codes]:
    found: dict[object, list[int]] = {}
    for i, key in enumerate(cell_keys(process.rows.conditions, *columns)):
        found.setdefault(key, []).append(i)
    return [np.array(rows, dtype=np.intp) for rows in found.values()]


def _trained(process: ConditionCell, novelty: str) -> Ensemble:
    """Nets on what the base leaves of all training rows."""
    from .nets import Ensemble

    x = inputs(process.rows.conditions, process.priors)
    left = process.rows.delta - _base(process, novelty, process.train_bases)
    groups = _groups(process, NOVELTY[novelty])
    return Ensemble.fit(x, left, process.noise, groups, seed=process.seed, device=process.device)


def _gate(process: ConditionCell, novelty: str, folds: Sequence[Codes]) -> Gate:
    """Hold out each fold: the process against the nets that never saw it."""
    from .nets import Ensemble

    rows, n = process.rows, len(process.rows)
    x = inputs(rows.conditions, process.priors)
    shape = rows.delta.shape
    said, spread, process_said, process_sd = (np.full(shape, np.nan) for _ in range(4))
    for held in folds:
        mask = np.ones(n, dtype=bool)
        mask[held] = False
        values = process.bases.sums(rows.delta, mask).values(process.bases.own)
        base = _base(process, novelty, values)
        kept = np.flatnonzero(mask & np.isfinite(base).any(axis=1))
        some = [g[np.isin(g, kept)] for g in _groups(process, NOVELTY[novelty])]
        place = np.full(n, -1, dtype=np.intp)
        place[kept] = np.arange(len(kept))
        groups = [place[g] for g in some if len(g)]
        nets = Ensemble.fit(
            x.take(kept), (rows.delta - base)[kept], process.noise[kept], groups, seed=process.seed,
            device=process.device, members=MEMBERS_TRIED,
        )  # fmt: skip
        residual, between, within = nets.predict(x.take(held))
        said[held], spread[held] = base[held] + residual, np.hypot(between, within)
        process_said[held], process_sd[held] = held_out(process, novelty, held, values)
    w, gain, se = stacked(rows.delta, process_said, said, folds, readout_weights(rows))
    mean, sd = _mix(process_said, process_sd, said, spread, w)
    widen = widening(rows.delta - mean, sd, np.sqrt(process.noise_factor * process.noise)) if w > 0 else 1.0
    return Gate(w, gain, se, widen, len(folds))

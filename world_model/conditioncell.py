"""The cell for conditions of any kind (genes, pairs, compounds, doses, times, contexts): base plus kernel residual.

For each base a Gaussian process learns what the base leaves over. Which base serves a new condition, how far its
residual is trusted (shrunk to zero where nothing is learnable) and how wide its intervals must be are measured by
holding out, from the training rows themselves, conditions that are new in the same way (``NOVELTY``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .answer import AND, Answer, Trust
from .base import BASES, BaseModel, BaseValues
from .measured import with_own
from .priors import Priors
from .rows import Array, Codes, Rows, cell_keys, parts
from .scales import noise_levels, signal_unit, spread, subgrid
from .uncertainty import Reproducibility, readout_weights, reproducibility, shrinkage, widening

if TYPE_CHECKING:
    import torch

    from .gp import Process
    from .network import SignedNetwork
    from .vocabulary import Context

# how a condition can be new -> the columns whose values are held out together; the first that fits is used
NOVELTY = {
    "new context": ("context",),
    "new combination": ("context", "perturbation"),
    "new perturbation": ("perturbation",),
    "new dose": ("dose",),
    "new time": ("perturbation", "time_h"),
    "new condition": ("perturbation", "dose", "time_h"),
    "known elsewhere": ("context", "perturbation", "dose", "time_h"),
}
# the context mean stands alone: the train mean's residual knows contexts too
WITH_RESIDUAL = ("additive", "condition mean", "train mean")
FOLDS, MOST_ROWS, LEAST_ROWS, TIE = 8, 4000, 4, 1.1
LEARN_ROWS = 300


@dataclass(frozen=True)
class Residual:
    """One base's process: ``index`` of its training rows (in its own order), unit (r,) of its residuals."""

    index: Codes
    unit: Array
    process: Process


@dataclass(frozen=True)
class ConditionCell:
    """Fitted state. residuals, trust: by base, and by (novelty, base)."""

    rows: Rows
    priors: Priors
    residuals: dict[str, Residual]
    parameters: dict[str, dict[str, torch.Tensor]]
    trust: dict[tuple[str, str], Trust]
    seed: int
    device: str

    @classmethod
    def fit(
        cls, rows: Rows, context_features: Mapping[str, pd.DataFrame], compound_classes: Mapping[str, str],
        perturbation_features: Mapping[str, pd.DataFrame | SignedNetwork] | None = None, *, seed: int, device: str,
    ) -> ConditionCell:  # fmt: skip
        """More than ``MOST_ROWS`` rows are thinned at random (seeded) for the residual.

        Raises BadInput for perturbation features that cannot be used.
        """
        priors = Priors.build(rows.conditions, context_features, compound_classes, 10, perturbation_features)
        cell = cls(rows, priors, {}, {}, {}, seed, device)
        return cell._with_residuals({})._with_trust()

    @classmethod
    def restore(
        cls,
        rows: Rows,
        priors: Priors,
        parameters: dict[str, dict[str, torch.Tensor]],
        kept: dict[str, tuple[Codes, Array, Array]],
        trust: dict[tuple[str, str], Trust],
        *,
        seed: int,
        device: str,
    ) -> ConditionCell:
        """From saved numbers (kept: index, unit, noise of each residual): only factors are computed."""
        return cls(rows, priors, {}, parameters, trust, seed, device)._with_residuals(kept)

    # --- learning ---

    def _bases(self, query: pd.DataFrame) -> BaseModel:
        return BaseModel(self.rows.conditions, query)

    @cached_property
    def train_bases(self) -> dict[str, BaseValues]:
        every = np.ones(len(self.rows), dtype=bool)
        return self._bases(self.rows.conditions).values(self.rows.delta, self.noise, every)

    @cached_property
    def noise(self) -> Array:
        return self.rows.noise()

    @property
    def noise_factor(self) -> float:
        """What the known variances were found to be worth (see ``Process``), under the base that always applies."""
        plain = self.residuals.get("train mean")
        return plain.process.noise_factor if plain else 1.0

    @cached_property
    def reproducibility(self) -> Reproducibility:
        """Whether the training data can tell perturbations apart at all."""
        return reproducibility(self.rows)

    @cached_property
    def reproducible_in(self) -> dict[str, Reproducibility]:
        """The same for each training context by itself: one may teach while another cannot."""
        contexts = self.rows.conditions["context"].to_numpy()
        return {str(c): reproducibility(self.rows.take(np.flatnonzero(contexts == c))) for c in set(contexts)}

    def inverses(self, base: str) -> list[torch.Tensor]:
        """(K + noise)^-1 of a base's residual process, computed once."""
        if base not in self._inverses:
            self._inverses[base] = self.residuals[base].process.inverses()
        return self._inverses[base]

    @cached_property
    def _inverses(self) -> dict[str, list[torch.Tensor]]:
        return {}

    def _with_residuals(self, kept: dict[str, tuple[Codes, Array, Array]]) -> ConditionCell:
        import torch

        from .gp import Process, learn
        from .kernels import features

        bases, noise = self.train_bases, self.noise
        residuals, learned = {}, dict(self.parameters)
        for name in WITH_RESIDUAL:
            left = self.rows.delta - bases[name].mean
            index = np.flatnonzero(np.isfinite(left).any(axis=1))
            if len(index) < LEAST_ROWS:
                continue
            if len(index) > MOST_ROWS:
                index = np.sort(np.random.default_rng(self.seed).permutation(index)[:MOST_ROWS])
            if name in kept:
                index, unit, known = kept[name]
            else:
                unit = signal_unit(left[index], noise[index])
                known = noise_levels(noise[index] / unit**2)
            x = features(self.rows.conditions.iloc[index], self.priors, self.device)
            y = left[index] / unit
            if name not in learned:
                few = subgrid(self.rows.conditions.iloc[index], LEARN_ROWS, self.seed)
                learned[name] = learn(x.take(torch.as_tensor(few, device=self.device)), y[few], known[few])
            residuals[name] = Residual(index, unit, Process.fit(x, y, known, learned[name]))
        return replace(self, residuals=residuals, parameters=learned)

    def _with_trust(self) -> ConditionCell:
        trust: dict[tuple[str, str], Trust] = {}
        inverses = {name: r.process.inverses() for name, r in self.residuals.items()}
        for novelty, columns in NOVELTY.items():
            folds = self._folds(novelty, columns)
            if len(folds) >= 2:
                trust |= {(novelty, b): t for b, t in self._measure(folds, inverses).items()}
        return replace(self, trust=trust)

    def _folds(self, novelty: str, columns: tuple[str, ...]) -> list[Codes]:
        """Seeded groups of training rows that share no value of ``columns``; [] where there are under three values."""
        table = self.rows.conditions
        keys = cell_keys(table, *columns)
        combination = np.array([len(parts(p)) > 1 for p in table["perturbation"]])
        wanted = combination if novelty == "new combination" else np.ones(len(table), dtype=bool)
        if novelty == "new perturbation":
            wanted = ~combination
        groups: dict[Any, list[int]] = {}
        for i in np.flatnonzero(wanted):
            groups.setdefault(keys[i], []).append(int(i))
        if len(groups) < 3:
            return []
        names = list(groups)
        order = np.random.default_rng(self.seed).permutation(len(names))
        bins: list[list[int]] = [[] for _ in range(min(FOLDS, len(names)))]
        for position, k in enumerate(order):
            bins[position % len(bins)] += groups[names[k]]
        return [np.sort(np.array(b, dtype=np.intp)) for b in bins]

    def _measure(self, folds: list[Codes], inverses: dict[str, list[torch.Tensor]]) -> dict[str, Trust]:
        """Hold out each fold: what would each base (with its residual) have said?"""
        n, r = self.rows.delta.shape
        model, noise = self._bases(self.rows.conditions), self.noise
        wanted, offered, sd = ({b: np.full((n, r), np.nan) for b in BASES} for _ in range(3))
        for held in folds:
            mask = np.ones(n, dtype=bool)
            mask[held] = False
            bases = model.values(self.rows.delta, noise, mask)
            for name, base in bases.items():
                wanted[name][held] = (self.rows.delta - base.mean)[held]
                if name not in self.residuals:
                    offered[name][held], sd[name][held] = 0.0, spread(self.rows.delta - base.mean)
                    continue
                residual = self.residuals[name]
                place = np.full(n, -1, dtype=np.intp)
                place[residual.index] = np.arange(len(residual.index))
                here = held[place[held] >= 0]
                y = (self.rows.delta - base.mean)[residual.index] / residual.unit
                mean, var = residual.process.leave_out(inverses[name], place[here], y)
                offered[name][here], sd[name][here] = mean * residual.unit, np.sqrt(var) * residual.unit
        weight, found = np.sqrt(readout_weights(self.rows)), {}
        for name in BASES:
            shrink = shrinkage(wanted[name] * weight, offered[name] * weight)
            error = wanted[name] - shrink * offered[name]
            both = np.isfinite(error) & np.isfinite(wanted["train mean"])
            if both.any():
                plain = float(np.sum((wanted["train mean"] * weight)[both] ** 2))
                share = float(np.sum((error * weight)[both] ** 2)) / max(plain, 1e-12)
                factor = self.residuals[name].process.noise_factor if name in self.residuals else 1.0
                found[name] = Trust(shrink, widening(error, sd[name], np.sqrt(factor * noise)), share)
        return found

    # --- answering ---

    def novelty(self, conditions: pd.DataFrame) -> list[str]:
        """In which way each condition is new to the training data (a key of ``NOVELTY``)."""
        known = {c: set(cell_keys(self.rows.conditions, *cols)) for c, cols in NOVELTY.items()}
        asked = {c: cell_keys(conditions, *cols) for c, cols in NOVELTY.items()}
        out = []
        for i, name in enumerate(conditions["perturbation"]):
            order = [n for n in NOVELTY if n != "new combination" or len(parts(name)) > 1]
            out.append(next((n for n in order if asked[n][i] not in known[n]), "known elsewhere"))
        return out

    def answer(self, conditions: pd.DataFrame, context: Context | None) -> Answer:
        """conditions: as from ``tidy``. context: features of a context that the training data do not describe."""
        priors = self.priors if context is None else self.priors.describing(context)
        every = np.ones(len(self.rows), dtype=bool)
        bases = self._bases(conditions).values(self.rows.delta, self.noise, every)
        novelty = self.novelty(conditions)
        chosen = [self._choose(n, bases, i) for i, n in enumerate(novelty)]
        n, r = len(conditions), len(self.rows.readouts)
        mean, sd, near = np.zeros((n, r)), np.zeros((n, r)), np.zeros(n)
        for name in BASES:
            at = np.array([i for i, names in enumerate(chosen) if name in names], dtype=np.intp)
            if not len(at):
                continue
            share = np.array([1.0 / len(chosen[i]) for i in at])
            told = self._one_base(name, conditions.iloc[at], bases[name].mean[at], [novelty[i] for i in at], priors)
            mean[at] += share[:, None] * told[0]
            sd[at] += share[:, None] * told[1]  # their errors are taken as fully dependent
            near[at] += share * told[2]
        well = np.sqrt(self.rows.well_variance())
        aleatoric = np.broadcast_to(np.where(np.isfinite(well), well, 0.0), (n, r)).copy()
        labels = [AND.join(names) for names in chosen]
        places = zip(conditions["perturbation"], conditions["context"], labels, strict=True)
        reasons = [self._reason(str(name), str(where), label) for name, where, label in places]
        whole = with_own(self, conditions, Answer(mean, sd, aleatoric, near, labels, reasons))
        noted = [b + self._gap(str(p)) for b, p in zip(whole.base, conditions["perturbation"], strict=True)]
        return replace(whole, base=noted)

    def _gap(self, perturbation: str) -> str:
        """Which of the user's features know nothing of a new perturbation, as a note."""
        lacking = self.priors.unplaced(perturbation)
        return f" (nothing in {', '.join(lacking)})" if lacking else ""

    def _one_base(
        self, name: str, conditions: pd.DataFrame, base: Array, novelty: list[str], priors: Priors
    ) -> tuple[Array, Array, Array]:
        """mean, sd (n, r) and in_domain (n,) of one base with its residual. base: (n, r) its values."""
        from .kernels import features

        left = self.rows.delta - self.train_bases[name].mean
        if name not in self.residuals:
            widen = np.array([self.trust.get((v, name), Trust(0.0, 1.0, 1.0)).widen for v in novelty])
            seen = np.isfinite(left).any(axis=0)  # never held out: it may err by as much as changes are large
            unit = np.where(seen, spread(left), spread(self.rows.delta))
            return base, widen[:, None] * unit, np.zeros(len(conditions))
        residual = self.residuals[name]
        trust = [self.trust.get((v, name), Trust(1.0, 1.0, 1.0)) for v in novelty]
        x = features(conditions, priors, self.device)
        offered, var = residual.process.predict(x, left[residual.index] / residual.unit)
        shrink, widen = np.array([t.shrink for t in trust]), np.array([t.widen for t in trust])
        near = 1.0 - np.clip(var.mean(axis=1) / residual.process.prior, 0.0, 1.0)
        sd = widen[:, None] * np.sqrt(var) * residual.unit
        return base + shrink[:, None] * offered * residual.unit, sd, near

    def reference(self, conditions: pd.DataFrame) -> tuple[Array, Array]:
        """Mean and sd (n, r) of each condition over the other training contexts; NaN with fewer than three."""
        n, r = len(conditions), len(self.rows.readouts)
        centre, spread = np.full((n, r), np.nan), np.full((n, r), np.nan)
        keys = cell_keys(self.rows.conditions, "perturbation", "dose", "time_h")
        found: dict[Any, list[int]] = {}
        for i, key in enumerate(keys):
            found.setdefault(key, []).append(i)
        for i, key in enumerate(cell_keys(conditions, "perturbation", "dose", "time_h")):
            values = self.rows.delta[found.get(key, [])]
            enough = np.isfinite(values).sum(axis=0) >= 3
            if enough.any():
                centre[i, enough] = np.nanmean(values[:, enough], axis=0)
                spread[i, enough] = np.nanstd(values[:, enough], axis=0, ddof=1)
        return centre, spread

    def _choose(self, novelty: str, bases: dict[str, BaseValues], row: int) -> tuple[str, ...]:
        """Of the bases that apply to this row, those that erred least on conditions new in the same way.

        All within ``TIE`` of the least error are averaged: held-out errors of a few contexts do not rank them.
        """
        fits = [b for b in BASES if np.isfinite(bases[b].mean[row]).any()]
        errors = {b: self.trust[novelty, b].error for b in fits if (novelty, b) in self.trust}
        if not errors:
            return (fits[0],)
        least = min(errors.values())
        return tuple(b for b, e in errors.items() if e <= TIE * least)

    def _reason(self, perturbation: str, context: str, base: str) -> str:
        hopeless = self.reproducible_in.get(context, self.reproducibility).hopeless
        if hopeless:
            return hopeless
        unknown = [p for p in parts(perturbation) if p not in self.priors.perturbations]
        nowhere = [p for p in unknown if not any(p in t.index for t in self.priors.tables.values())]
        if nowhere:
            return f"{nowhere[0]} was never measured and nothing is known of it: this is the {base}"
        return ""

    # --- learning more ---

    def update(self, more: Rows) -> ConditionCell:
        """With new rows: factors extended, parameters and trust kept. Equal to a refit with the same parameters."""
        from .kernels import features

        cell = replace(self, rows=self.rows.plus(more), priors=self.priors.knowing(more.conditions))
        bases, noise = cell.train_bases, cell.noise
        residuals = {}
        for name, old in self.residuals.items():
            left = cell.rows.delta - bases[name].mean
            fits = np.flatnonzero(np.isfinite(left).any(axis=1))
            room = MOST_ROWS - len(old.index)
            first = np.setdiff1d(fits[fits >= len(self.rows)], old.index)
            late = np.setdiff1d(fits[fits < len(self.rows)], old.index)
            new = np.concatenate([first, late])[: max(room, len(first))]
            index = np.concatenate([old.index, new])
            x = features(cell.rows.conditions.iloc[index], cell.priors, self.device)
            y_new = left[new] / old.unit
            known = noise_levels(noise[new] / old.unit**2, like=old.process.noise)
            process = old.process.append(x, known, y_new) if len(new) else replace(old.process, x=x)
            residuals[name] = Residual(index, old.unit, process)
        return replace(cell, residuals=residuals)

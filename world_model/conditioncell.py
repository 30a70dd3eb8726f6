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

from .amplitude import amplitude, factor
from .answer import AND, Answer, Trust
from .base import BASES, CELL, Bases, BaseSums, BaseValues, Mask, Query
from .measured import own_signal, with_own
from .priors import Priors
from .residual import EXACT_ROWS, Kept, Residual
from .rows import Array, Codes, Rows, nanmedian, parts
from .scales import noise_levels, spread
from .trust import end_folds, grouped_folds, measure
from .uncertainty import Reproducibility, reproducibility

if TYPE_CHECKING:
    import torch

    from .gp import Process
    from .network import SignedNetwork
    from .sparse import SparseProcess
    from .vocabulary import Context

# how a condition can be new -> the columns whose values are held out together; the first that fits is used
NOVELTY = {
    "new context": ("context",),
    "new combination": ("context", "perturbation"),
    "new perturbation": ("perturbation",),
    "new lower dose": ("dose",),  # than any in training
    "new higher dose": ("dose",),
    "new dose": ("dose",),
    "new time": ("perturbation", "time_h"),
    "new condition": ("perturbation", "dose", "time_h"),
    "known elsewhere": ("context", "perturbation", "dose", "time_h"),
}
# the context mean stands alone: the train mean's residual knows contexts too
WITH_RESIDUAL = ("additive", "dose curve", "condition mean", "train mean")
FOLDS, MANY_FOLDS = 8, 2  # held out of eight: all of them, or two where there are more than ``EXACT_ROWS`` conditions
MOST_ROWS, LEAST_ROWS, TIE = 64_000, 4, 1.1


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
        kept: Mapping[str, Kept],
        trust: dict[tuple[str, str], Trust],
        *,
        seed: int,
        device: str,
    ) -> ConditionCell:
        """From saved numbers of each residual: only factors are computed."""
        return cls(rows, priors, {}, parameters, trust, seed, device)._with_residuals(kept)

    # --- learning ---

    @cached_property
    def bases(self) -> Bases:
        return Bases(self.rows.conditions)

    @cached_property
    def sums(self) -> BaseSums:
        """The bases with all readings."""
        return self.bases.sums(self.rows.delta)

    @cached_property
    def unit(self) -> Array:
        """(r,) how much each readout changes in the training rows."""
        return spread(self.rows.delta)

    @cached_property
    def train_bases(self) -> dict[str, BaseValues]:
        return self.sums.values(self.bases.own)

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
        """What ``leave_out`` of a base's residual process reads, computed once."""
        if ("inverses", base) not in self._cache:
            self._cache["inverses", base] = self.residuals[base].process.inverses()
        found: list[torch.Tensor] = self._cache["inverses", base]
        return found

    def left_out(self, base: str) -> tuple[Array, Array]:
        """Mean and variance (rows of its index, r) of each row's residual from all other rows, in its unit."""
        if ("left out", base) not in self._cache:
            process, y = self.residuals[base].process, self._targets(base)
            self._cache["left out", base] = process.leave_one_out(self.inverses(base), y)
        found: tuple[Array, Array] = self._cache["left out", base]
        return found

    def own_signal(self, base: str) -> Array:
        """(r,) variance of what is each condition's own around a base."""
        if ("signal", base) not in self._cache:
            self._cache["signal", base] = own_signal(self, base)
        found: Array = self._cache["signal", base]
        return found

    def places(self, base: str, rows: Codes) -> Codes:
        """Where training rows stand in the index of a base's residual; empty where it has none of them."""
        if ("places", base) not in self._cache:
            place = np.full(len(self.rows), -1, dtype=np.intp)
            if base in self.residuals:
                place[self.residuals[base].index] = np.arange(len(self.residuals[base].index))
            self._cache["places", base] = place
        found: Codes = self._cache["places", base][rows]
        return found[found >= 0]

    def _targets(self, base: str) -> Array:
        residual = self.residuals[base]
        left = self.rows.delta[residual.index] - self.train_bases[base].mean[residual.index]
        return np.asarray(left / residual.unit)

    def _ready(self, base: str, dtype: torch.dtype) -> tuple[Process | SparseProcess, torch.Tensor]:
        """The process of a base and the weights of its training rows, in a precision."""
        if ("ready", base, dtype) not in self._cache:
            process = self.residuals[base].process
            weights = process.weights(self._targets(base)).to(dtype)
            same = dtype == process.x.dose.dtype
            self._cache["ready", base, dtype] = (process if same else process.to(dtype), weights)
        found: tuple[Process | SparseProcess, torch.Tensor] = self._cache["ready", base, dtype]
        return found

    @cached_property
    def _cache(self) -> dict[tuple[object, ...], Any]:
        return {}

    def _with_residuals(self, kept: Mapping[str, Kept]) -> ConditionCell:
        residuals, learned = {}, dict(self.parameters)
        for name in WITH_RESIDUAL:
            left = self.rows.delta - self.train_bases[name].mean
            index = np.flatnonzero(np.isfinite(left).any(axis=1))
            if len(index) < LEAST_ROWS:
                continue
            if len(index) > MOST_ROWS:
                index = np.sort(np.random.default_rng(self.seed).permutation(index)[:MOST_ROWS])
            residuals[name] = Residual.fit(
                self.rows.conditions, left, self.noise, index, self.priors, learned.get(name), kept.get(name),
                seed=self.seed, device=self.device,
            )  # fmt: skip
            learned[name] = residuals[name].process.p
        return replace(self, residuals=residuals, parameters=learned)

    def _with_trust(self) -> ConditionCell:
        trust: dict[tuple[str, str], Trust] = {}
        inverses = {name: r.process.inverses() for name, r in self.residuals.items()}
        for novelty, columns in NOVELTY.items():
            folds = self.folds(novelty, columns)
            if len(folds) >= 2:
                tried = folds if len(self.rows) <= EXACT_ROWS else folds[:MANY_FOLDS]
                found = measure(self.rows, self.noise, self.bases, self.residuals, inverses, tried)
                trust |= {(novelty, b): t for b, t in found.items()}
        return replace(self, trust=trust)

    def folds(self, novelty: str, columns: tuple[str, ...]) -> list[Codes]:
        """Seeded groups of training rows that share no value of ``columns``; [] where there are under three values."""
        combination = np.array([len(parts(p)) > 1 for p in self.rows.conditions["perturbation"]])
        wanted = np.ones(len(self.rows), dtype=bool)
        if novelty == "new combination":
            wanted = combination
        elif novelty == "new perturbation":
            wanted = ~combination
        if novelty in ("new lower dose", "new higher dose"):
            return end_folds(self.bases.coder, upper=novelty == "new higher dose")
        keys = self.bases.coder.grouping(*columns).train
        return grouped_folds(keys, np.flatnonzero(wanted), FOLDS, self.seed)

    # --- answering ---

    def ways(self, query: Query, conditions: pd.DataFrame) -> Codes:
        """(n,) place in ``NOVELTY`` of the first way that fits."""
        single = np.array([len(parts(p)) <= 1 for p in conditions["perturbation"]])
        levels = self.bases.coder.levels
        out = np.full(len(conditions), len(NOVELTY) - 1, dtype=np.intp)
        for i, (name, columns) in reversed(list(enumerate(NOVELTY.items()))):
            new = self.bases.coder.grouping(*columns).of(query.coded) < 0
            if name == "new combination":
                new &= ~single
            elif name == "new lower dose":
                new &= query.dose < np.nanmin(levels, initial=np.inf)
            elif name == "new higher dose":
                new &= query.dose > np.nanmax(levels, initial=-np.inf)
            out[new] = i
        return out

    def answer(self, conditions: pd.DataFrame, context: Context | None, *, single: bool = False) -> Answer:
        """conditions: as from ``tidy``. context: features of a context that the training data do not describe.

        single: in single precision (faster where many conditions are screened).
        """
        priors = self.priors if context is None else self.priors.describing(context)
        query = self.bases.query(conditions)
        bases, novelty = self.sums.values(query), self.ways(query, conditions)
        chosen = self.chosen(novelty, bases)  # (n, bases)
        n, r = len(conditions), len(self.rows.readouts)
        mean, sd, near = np.zeros((n, r)), np.zeros((n, r)), np.zeros(n)
        for b, name in enumerate(BASES):
            at = np.flatnonzero(chosen[:, b])
            if not len(at):
                continue
            share = 1.0 / chosen[at].sum(axis=1)
            told = self._one_base(name, conditions.iloc[at], bases[name].mean[at], novelty[at], priors, single)
            mean[at] += share[:, None] * told[0]
            sd[at] += share[:, None] * told[1]  # their errors are taken as fully dependent
            near[at] += share * told[2]
        aleatoric = self._one_well(conditions["context"].tolist())
        names = {key.tobytes(): AND.join(np.array(BASES)[key]) for key in np.unique(chosen, axis=0)}
        labels = [names[key.tobytes()] for key in chosen]
        places = zip(conditions["perturbation"], conditions["context"], labels, strict=True)
        reasons = [self._reason(str(name), str(where), label) for name, where, label in places]
        whole = with_own(self, query, Answer(mean, sd, aleatoric, near, labels, reasons))
        noted = [b + self._gap(str(p)) for b, p in zip(whole.base, conditions["perturbation"], strict=True)]
        return replace(whole, base=noted)

    def _one_well(self, contexts: list[str]) -> Array:
        """(n, r) sd of one well's change: between wells alike, else from the standard errors; 0 where neither tells."""
        rows = self.rows
        from_se = np.broadcast_to(nanmedian(rows.se**2 * rows.n_wells), (len(contexts), len(rows.readouts)))
        between = rows.well_variance(contexts)
        return np.asarray(np.sqrt(np.nan_to_num(np.where(np.isfinite(between), between, from_se))))

    def _gap(self, perturbation: str) -> str:
        """Which of the user's features know nothing of a new perturbation, as a note."""
        lacking = self.priors.unplaced(perturbation)
        return f" (nothing in {', '.join(lacking)})" if lacking else ""

    def _one_base(
        self, name: str, conditions: pd.DataFrame, base: Array, novelty: Codes, priors: Priors, single: bool
    ) -> tuple[Array, Array, Array]:
        """mean, sd (n, r) and in_domain (n,) of one base with its residual. base: (n, r) its values."""
        import torch

        from .kernels import features, real

        plain = Trust(1.0 if name in self.residuals else 0.0, np.ones(1), 1.0)
        trusts = [self.trust.get((way, name), plain) for way in NOVELTY]
        shrink = np.array([t.shrink for t in trusts])[novelty]
        widen = np.stack([np.broadcast_to(t.widen, len(self.rows.readouts)) for t in trusts])[novelty]
        if name not in self.residuals:
            left = self.rows.delta - self.train_bases[name].mean
            seen = np.isfinite(left).any(axis=0)  # never held out: it may err by as much as changes are large
            unit = np.where(seen, spread(left), self.unit)
            return base, self._followed(trusts, novelty, base) * widen * unit, np.zeros(len(conditions))
        dtype = torch.float32 if single else real(self.device)
        residual, (process, weights) = self.residuals[name], self._ready(name, dtype)
        told = process.at(features(conditions, priors, self.device).to(dtype), weights)
        offered, var = (part.cpu().numpy().astype(np.float64, copy=False) for part in told)
        near = 1.0 - np.clip(var.mean(axis=1) / residual.process.prior, 0.0, 1.0)
        mean = base + shrink[:, None] * offered * residual.unit
        sd = self._followed(trusts, novelty, mean) * widen * np.sqrt(var) * residual.unit
        return mean, sd, near

    def _followed(self, trusts: list[Trust], novelty: Codes, mean: Array) -> Array:
        """(n, 1) factor on the sd of each condition for how large its predicted change is."""
        out = np.ones(len(mean))
        for way in np.unique(novelty):
            at = novelty == way
            out[at] = factor(amplitude(mean[at], self.unit), trusts[way].usual, trusts[way].share)
        return out[:, None]

    def reference(self, conditions: pd.DataFrame) -> tuple[Array, Array]:
        """Mean and sd (n, r) of each condition over the training contexts; NaN with fewer than three."""
        return self.sums.spread_over(self.bases.query(conditions), CELL, 3)

    def chosen(self, novelty: Codes, bases: dict[str, BaseValues]) -> Mask:
        """(n, bases) of the bases that apply to a row, those that erred least on conditions new in the same way.

        All within ``TIE`` of the least error are averaged: held-out errors of a few contexts do not rank them.
        """
        fits = np.stack([np.isfinite(bases[b].mean).any(axis=1) for b in BASES], axis=1)
        error = np.array([[self._error(way, b) for b in BASES] for way in NOVELTY])[novelty]
        error = np.where(fits, error, np.inf)
        least = error.min(axis=1, keepdims=True)
        first = np.arange(len(BASES)) == np.argmax(fits, axis=1)[:, None]
        return np.asarray(np.where(np.isfinite(least), error <= TIE * least, first))

    def _error(self, novelty: str, base: str) -> float:
        """Held-out error of a base; a pair of measured singles that no training pair could test is their sum."""
        found = self.trust.get((novelty, base))
        if found is None and (novelty, base) == ("new combination", "additive"):
            return 0.0
        return found.error if found else np.inf

    def _reason(self, perturbation: str, context: str, base: str) -> str:
        hopeless = self.reproducible_in.get(context, self.reproducibility).hopeless
        if hopeless:
            return hopeless
        nowhere = self.priors.unheard(perturbation)
        if nowhere:
            return f"{nowhere} was never measured and nothing is known of it: this is the {base}"
        return ""

    # --- learning more ---

    def update(self, more: Rows) -> ConditionCell:
        """With new rows: factors extended, parameters and trust kept. Equal to a refit with the same parameters."""
        from .kernels import features

        cell = replace(self, rows=self.rows.plus(more), priors=self.priors.knowing(more.conditions))
        residuals = {}
        for name, old in self.residuals.items():
            left = cell.rows.delta - cell.train_bases[name].mean
            fits = np.flatnonzero(np.isfinite(left).any(axis=1))
            room = MOST_ROWS - len(old.index)
            first = np.setdiff1d(fits[fits >= len(self.rows)], old.index)
            late = np.setdiff1d(fits[fits < len(self.rows)], old.index)
            new = np.concatenate([first, late])[: max(room, len(first))]
            index = np.concatenate([old.index, new])
            x = features(cell.rows.conditions.iloc[index], cell.priors, self.device)
            if not len(new):
                residuals[name] = replace(old, process=old.process.renamed(x))
                continue
            known = noise_levels(cell.noise[new] / old.unit**2, like=old.process.noise)
            residuals[name] = Residual(index, old.unit, old.process.append(x, known, left[new] / old.unit))
        return replace(cell, residuals=residuals)

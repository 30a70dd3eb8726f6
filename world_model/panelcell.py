"""The cell for a matrix of contexts x perturbations without dose or time (drug screens over cell lines).

z (readings standardised per perturbation and screen) = regression on the context's features + what is left.
What is left correlates between drugs (same target, same transporter, general hardiness): a factor model of the
left-out residuals, R ~ N(0, F F' + Psi), turns a few measured drugs of a line into news about all the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .newdrug import Mix, NewDrugs
from .ridge import View, stack
from .rows import Array, Codes, Rows, cell_keys
from .uncertainty import widening

if TYPE_CHECKING:
    from .vocabulary import Context

FACTORS, LEAST_LINES = 20, 8
WINDOW = 1.0  # sd of the readings kept on each side of a threshold
LINEAR = {"mutation": 1.0, "cnv": 1.0}  # share of the linear kernel by view; expression: half linear, half RBF


@dataclass(frozen=True)
class Residuals:
    """Factor model of left-out residuals over T tasks. factors: (T, k); specific: (T,) the rest of the variance."""

    factors: Array
    specific: Array

    @classmethod
    def fit(cls, residual: Array, k: int = FACTORS) -> Residuals:
        """residual: (n, T), NaN = not measured. Pairwise covariances, shrunk by their number of lines."""
        seen = np.isfinite(residual).astype(np.float64)
        filled = np.where(seen > 0, residual, 0.0)
        n = seen.T @ seen
        cov = (filled.T @ filled) / (n + 10.0)
        own = (filled**2).sum(axis=0) / np.maximum(seen.sum(axis=0), 1.0)
        specific = 0.5 * own
        for _ in range(5):  # principal factors: eigenvectors of the covariance without the specific part
            np.fill_diagonal(cov, np.maximum(own - specific, 0.0))
            power, vectors = np.linalg.eigh(cov)
            top = np.argsort(power)[::-1][: min(k, len(power))]
            factors = vectors[:, top] * np.sqrt(np.maximum(power[top], 0.0))
            specific = np.maximum(own - (factors**2).sum(axis=1), 0.05 * own + 1e-9)
        return cls(factors, specific)

    def given(self, at: Codes, residual: Array, noise: Array) -> tuple[Array, Array]:
        """Mean and variance (T,) of the noiseless residuals, given readings ``residual`` of the tasks ``at``.

        noise: (T,) measurement variance, part of ``specific``. Woodbury on the k factors.
        """
        own = np.maximum(self.specific - noise, 0.0)
        f = self.factors[at]
        precision = np.linalg.inv(np.eye(f.shape[1]) + f.T @ (f / self.specific[at][:, None]))
        score = precision @ (f.T @ (residual / self.specific[at]))
        mean = self.factors @ score
        var = np.einsum("tk,kl,tl->t", self.factors, precision, self.factors) + own
        if len(at):  # a measured task also tells of its own specific part
            gain = own[at] / self.specific[at]
            mean[at] += gain * (residual - mean[at])
            var[at] = (1 - gain) ** 2 * (var[at] - own[at]) + own[at] * (1 - gain)
        return mean, np.maximum(var, 1e-9)


@dataclass(frozen=True)
class Regression:
    """What one set of views says: weights (v,) over views, left_out (n, T) stacked, residuals, widen."""

    names: tuple[str, ...]
    views: tuple[View, ...]
    weights: Array
    left_out: Array
    residuals: Residuals
    widen: float


@dataclass(frozen=True)
class PanelCell:
    """One readout. tasks: (perturbation, batch) by column; z, seen lines by row; centre, spread: (T,) of the readings.

    tables: feature name -> (contexts x features), of training lines and others. compounds: name -> rows whose
    products are similarities, of measured compounds and others.
    more: line -> task -> the z readings that came after the fit.
    """

    lines: tuple[str, ...]
    tasks: tuple[tuple[str, str], ...]
    z: Array
    centre: Array
    spread: Array
    noise: Array
    tables: dict[str, pd.DataFrame]
    classes: dict[str, str]
    more: dict[str, dict[int, tuple[float, ...]]]
    compounds: dict[str, pd.DataFrame] = field(default_factory=dict)
    _cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def fit(
        cls, rows: Rows, readout: int, tables: Mapping[str, pd.DataFrame], classes: Mapping[str, str],
        compounds: Mapping[str, pd.DataFrame] | None = None,
    ) -> PanelCell:  # fmt: skip
        """rows: single perturbations, one row a (context, perturbation, batch)."""
        table = rows.conditions
        lines = tuple(sorted(set(table["context"])))
        keys = cell_keys(table, "perturbation", "batch")
        value = rows.delta[:, readout]
        counts: dict[Any, int] = {}
        for key, v in zip(keys, value, strict=True):
            counts[key] = counts.get(key, 0) + int(np.isfinite(v))
        tasks = tuple(sorted(k for k, c in counts.items() if c >= LEAST_LINES))
        at_line, at_task = {x: i for i, x in enumerate(lines)}, {x: i for i, x in enumerate(tasks)}
        matrix = np.full((len(lines), len(tasks)), np.nan)
        for line, key, v in zip(table["context"], keys, value, strict=True):
            if key in at_task:
                matrix[at_line[line], at_task[key]] = v
        seen = np.isfinite(matrix)
        n = seen.sum(axis=0)
        centre = np.where(seen, matrix, 0.0).sum(axis=0) / n
        spread = np.sqrt(np.where(seen, (matrix - centre) ** 2, 0.0).sum(axis=0) / np.maximum(n - 1, 1))
        spread = np.where(spread > 1e-9, spread, 1.0)
        z = (matrix - centre) / spread
        noise = _noise(rows, readout, keys, at_task, spread)
        used = {name: t for name, t in sorted(tables.items()) if t.index.isin(lines).sum() >= 20}
        cell = cls(lines, tasks, z, centre, spread, noise, used, dict(classes), {}, dict(compounds or {}))
        cell.regression()
        return cell

    # --- regression on the features at hand ---

    def regression(self, genes: Mapping[str, tuple[str, ...]] | None = None) -> Regression:
        """Fitted on the named features of each view (None = all features of expression, the fastest good view)."""
        names = dict(genes) if genes is not None else self._default()
        key = tuple(sorted(names.items()))
        if key not in self._cache:
            self._cache[key] = self._regress(names)
        found: Regression = self._cache[key]
        return found

    def _default(self) -> dict[str, tuple[str, ...]]:
        first = next((n for n in ("expression", *self.tables) if n in self.tables), None)
        return {} if first is None else {first: ()}

    def _block(self, name: str, genes: tuple[str, ...]) -> Array:
        table = self.tables[name].reindex(self.lines)
        out: Array = (table[list(genes)] if genes else table).to_numpy(np.float64)
        return out

    def _regress(self, names: dict[str, tuple[str, ...]]) -> Regression:
        views = []
        for name, genes in names.items():
            block = self._block(name, genes)
            have = np.isfinite(block).any(axis=1)
            view = View.fit(block[have], self.z[have], linear=LINEAR.get(name, 0.5))
            left_out = np.zeros_like(self.z)
            left_out[have] = view.left_out
            views.append((view, left_out))
        if not views:
            left_out, weights = np.zeros_like(self.z), np.zeros(0)
        else:
            weights = stack([lo for _, lo in views], self.z)
            left_out = np.tensordot(weights, np.stack([lo for _, lo in views]), axes=1)
        error = self.z - left_out
        residuals = Residuals.fit(error)
        sd = np.sqrt((residuals.factors**2).sum(axis=1) + residuals.specific)
        widen = widening(error, np.broadcast_to(sd, error.shape), np.zeros_like(error))
        return Regression(tuple(names), tuple(v for v, _ in views), weights, left_out, residuals, widen)

    def _features_of(self, line: str, context: Context | None) -> tuple[dict[str, tuple[str, ...]], dict[str, Array]]:
        """The views that can serve this line: view -> feature names (() = all), view -> (1, g) values."""
        if context is not None and context.name == line:
            given: dict[str, Mapping[str, float]] = {"expression": context.expression, "mutation": context.mutations}
            names, values = {}, {}
            for name, table in self.tables.items():
                genes = tuple(g for g in table.columns if g in given.get(name, {}))
                if genes:
                    names[name] = () if len(genes) == len(table.columns) else genes
                    values[name] = np.array([[float(given[name][g]) for g in genes]])
            if names:
                return names, values
        default = {n: g for n, g in self._default().items() if self._has(n, line)}
        return default, {n: self.tables[n].loc[[line]].to_numpy(np.float64) for n in default}

    def _has(self, name: str, line: str) -> bool:
        return line in self.tables[name].index and bool(self.tables[name].loc[line].notna().any())

    # --- answering ---

    def line(self, name: str, context: Context | None) -> tuple[Array, Array]:
        """z mean and sd (T,) of every task in one line: regression, then what its measured drugs add."""
        genes, values = self._features_of(name, context)
        model, known = self.regression(genes), self._known(name)
        if name in self.lines:
            told = model.left_out[self.lines.index(name)]
        else:
            told = np.zeros(len(self.tasks))
            for weight, view_name, view in zip(model.weights, model.names, model.views, strict=True):
                told = told + weight * view.predict(values[view_name])[0]
        at = np.array(sorted(known), dtype=np.intp)
        reading = np.array([known[t] for t in sorted(known)])
        mean, var = model.residuals.given(at, reading - told[at], self.noise_under(model))
        return told + mean, model.widen * np.sqrt(var)

    def _known(self, line: str) -> dict[int, float]:
        """Task -> the line's z reading, a later one before an earlier."""
        row = self.z[self.lines.index(line)] if line in self.lines else np.zeros(0)
        known = {int(t): float(row[t]) for t in np.flatnonzero(np.isfinite(row))}
        return known | {task: float(np.mean(z)) for task, z in self.more.get(line, {}).items()}

    def task_of(self, perturbation: str, batch: str) -> int | None:
        """The column of a perturbation: the batch asked for, else the one with most lines."""
        return self._columns.get((perturbation, batch))

    @cached_property
    def _columns(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        count = np.isfinite(self.z).sum(axis=0)
        for i in np.lexsort((np.arange(len(self.tasks)), count)):  # the fullest column last
            name, batch = self.tasks[i]
            found[name, batch] = found[name, ""] = int(i)
        return found

    def noise_under(self, model: Regression | None = None) -> Array:
        """(T,) variance of one reading in z units: the replicates', at most nine tenths of what is left."""
        specific = (model or self.regression()).residuals.specific
        return np.minimum(self.noise, 0.9 * specific)

    def class_tasks(self, perturbation: str) -> list[int]:
        """Columns of the other perturbations of its mechanism class."""
        kind = self.classes.get(perturbation)
        return [] if kind is None else [i for i, (p, _) in enumerate(self.tasks) if self.classes.get(p) == kind]

    # --- the chance of a sensitive line ---

    def chance_below(self, z: float, name: str, context: Context | None) -> Array:
        """(T,) probability that one reading of every task in a line has a standardised value of at most ``z``.

        Asked of readings clipped to ``z`` +- WINDOW: how far beyond it a line lies must not sway the question whether
        it lies beyond, and a normal error fits the rest better than the long tails of the whole readings.
        """
        from scipy.special import ndtr

        tail, edge = self._tail(z)
        mean, sd = tail.line(name, context)
        return np.asarray(ndtr((edge - mean) / np.hypot(sd, np.sqrt(tail.noise_under()))))

    def _tail(self, z: float) -> tuple[PanelCell, Array]:
        """The same cell for the clipped readings, standardised again, and where ``z`` lies on their scale (T,)."""
        if ("tail", z) not in self._cache:
            clipped = np.clip(self.z, z - WINDOW, z + WINDOW)
            centre, spread = np.nanmean(clipped, axis=0), np.nanstd(clipped, axis=0)
            spread = np.where(spread > 1e-9, spread, 1.0)
            cell = replace(self, z=(clipped - centre) / spread, more={}, _cache={})
            self._cache["tail", z] = cell, centre, spread
        cell, centre, spread = self._cache["tail", z]
        more = {
            line: {
                t: tuple(float((np.clip(v, z - WINDOW, z + WINDOW) - centre[t]) / spread[t]) for v in values)
                for t, values in known.items()
            }
            for line, known in self.more.items()
        }
        return replace(cell, more=more), (z - centre) / spread

    # --- compounds that no line has met ---

    def mix(self, perturbation: str, batch: str) -> Mix | None:
        """The new compound as a mix of the measured ones; None where nothing is known of it."""
        drugs = self.new_drugs()
        return None if drugs is None else drugs.mix(perturbation, batch)

    def new_drugs(self) -> NewDrugs | None:
        """Fitted when first asked for; None without features of enough measured compounds."""
        if "new drugs" not in self._cache:
            gaps = np.where(np.isfinite(self.z), self.z, self.regression().left_out)
            readings, completed = (self.centre + self.spread * z for z in (self.z, gaps))
            self._cache["new drugs"] = NewDrugs.fit(self.tasks, self.compounds, readings, completed, self.classes)
        found: NewDrugs | None = self._cache["new drugs"]
        return found

    def completed(self, line: str, z: Array) -> Array:
        """(T,) the line's readings, and ``z`` where it has none: what the mixes were learned on."""
        known, out = self._known(line), z.copy()
        out[list(known)] = list(known.values())
        return out

    def of_mix(self, mix: Mix, line: str, z: Array, z_sd: Array) -> tuple[float, float, float]:
        """Mean, epistemic and aleatoric sd of the new compound's reading in a line whose tasks read z +- z_sd (T,).

        z: as ``completed`` gives it. A line never measured adds its own error: its tasks taken as fully dependent.
        """
        drugs = self.new_drugs()
        assert drugs is not None  # there is no mix without
        mean = mix.level + float(mix.weights @ (self.spread * z))
        row = self.lines.index(line) if line in self.lines else None
        total = drugs.sd(mix, row) ** 2
        if row is None:
            total += float(mix.weights @ (self.spread * z_sd)) ** 2
        well = float((self.spread * np.sqrt(self.noise_under())).mean())
        well = min(well, 0.9 * float(np.sqrt(total)))
        return mean, float(np.sqrt(total - well**2)), well

    # --- learning more ---

    def update(self, rows: Rows, readout: int) -> PanelCell:
        """With new readings: a line's other predictions move at once; the regression itself waits for a refit.

        Several readings of the same task and line are averaged; a perturbation never fitted is left out.
        """
        more = {line: dict(known) for line, known in self.more.items()}
        for (line, name, batch), value in zip(
            cell_keys(rows.conditions, "context", "perturbation", "batch"), rows.delta[:, readout], strict=True
        ):
            task = self.task_of(name, batch)
            if task is not None and np.isfinite(value):
                z = float((value - self.centre[task]) / self.spread[task])
                known = more.setdefault(line, {})
                known[task] = (*known.get(task, ()), z)
        return replace(self, more=more)


def _noise(rows: Rows, readout: int, keys: list[Any], at_task: dict[Any, int], spread: Array) -> Array:
    """(T,) variance of one reading in z units, from repeated readings; pooled where a task has few.

    The median of s^2, which for one degree of freedom is 0.455 sigma^2, so that a few gross disagreements
    (two preparations of one drug) do not speak for all.
    """
    one = np.where(rows.n_wells[:, readout] >= 2, rows.se[:, readout] ** 2 * rows.n_wells[:, readout], np.nan)
    found: list[list[float]] = [[] for _ in at_task]
    for key, v in zip(keys, one, strict=True):
        if key in at_task and np.isfinite(v):
            found[at_task[key]].append(float(v) / spread[at_task[key]] ** 2)
    own = np.array([np.median(f) / 0.455 if len(f) >= 20 else np.nan for f in found])
    every = [v for f in found for v in f]
    filler = float(np.median(every)) / 0.455 if every else 0.25
    return np.clip(np.where(np.isfinite(own), own, filler), 0.01, 0.9)

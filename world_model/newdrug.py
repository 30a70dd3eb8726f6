"""A compound that no line has met, as a weighted mix of measured compounds.

Readings of line l and task t (compound, screen):  y_lt = level_t + mean profile of the screen_l + own profile_lt.
Levels and the leading principal scores of the own profiles are Gaussian processes over tasks with the covariance

    K_c = scale_c (sum_k w_k S_k o C + w_self [same compound] o C + w_screen [same screen] + penalty_c I)

S_k: cosine similarity under one feature table (zero where a compound is not in it); C: 1 within a screen, less between
two. The weights maximise the marginal likelihood (Rasmussen and Williams 2006, section 5.4), once for levels and once
for profiles, each score counting by its variance; each score then has the penalty with the least error where every
compound is left out with all its screens, in closed form: e_g = [(K^-1)_gg]^-1 (K^-1 y)_g (ibid. 5.12, for groups).
The same left-out errors say how wide the intervals must be, and with which two weights the process and the mean own
profile of the other compounds of the mechanism class, shrunk by n / (n + 1), are best added: a class is a sharper
group than any cosine, and the process smooths it away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from .rows import Array, Codes
from .uncertainty import widening

COMPONENTS, STEPS, BETWEEN_SCREENS, LEAST_TASKS = 25, 25, 0.75, 12
PENALTIES = np.geomspace(0.01, 30.0, 9)
Tasks = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Mix:
    """What a new compound is told in one screen. level: its mean over lines; weights: (T,) on the tasks' profiles;
    level_var, profile_var: variance of the level, and of the profile as a share of the own profiles' variance;
    known: names of the feature tables that tell of it."""

    level: float
    weights: Array
    level_var: float
    profile_var: float
    known: tuple[str, ...]

    @property
    def in_domain(self) -> float:
        """Share of the variance of own profiles that its likeness to measured compounds explains."""
        return float(np.clip(1 - self.profile_var, 0.0, 1.0))


@dataclass(frozen=True)
class Process:
    """c equal processes over T tasks. weights: (k + 2,) of the feature tables, same compound, same screen; vectors,
    power: eigenvectors and values of their sum; penalty, scale: (c,); dual: (T, c) weights on a kernel row."""

    weights: Array
    vectors: Array
    power: Array
    penalty: Array
    scale: Array
    dual: Array

    @classmethod
    def learn(cls, parts: Array, targets: Array, groups: Sequence[Codes]) -> tuple[Process, Array, Array]:
        """And what each task is told (T, c) where its group is left out, with its variance (T, c)."""
        spread = np.maximum(targets.std(axis=0), 1e-12)
        y = targets / spread
        weights = _weights(parts, y, spread**2 / (spread**2).sum())
        power, vectors = np.linalg.eigh(np.tensordot(weights, parts, axes=1))
        power, rotated = np.maximum(power, 0.0), vectors.T @ y
        best, penalty = np.full(y.shape[1], np.inf), np.ones(y.shape[1])
        told, var = np.zeros_like(y), np.ones_like(y)
        for trial in PENALTIES:
            inverse = (vectors / (power + trial)) @ vectors.T
            without, without_var = left_out(inverse, y, groups)
            error = ((without - y) ** 2).mean(axis=0)
            better = error < best
            best[better], penalty[better], told[:, better] = error[better], trial, without[:, better]
            var[:, better] = without_var[:, None]
        shrunk = rotated / (power[:, None] + penalty)
        scale = (rotated * shrunk).mean(axis=0) * spread**2
        dual = (vectors @ shrunk) * spread
        return cls(weights, vectors, power, penalty, scale, dual), told * spread, var * scale

    def variance(self, row: Array) -> Array:
        """(c,) of one reading of a task with these covariances (T,) to the training tasks.

        Before any data it has the variance of a task that every table knows: what is not known is not certain.
        """
        explained = ((row @ self.vectors) ** 2) @ (1 / (self.power[:, None] + self.penalty))
        out: Array = self.scale * np.maximum(self.weights.sum() + self.penalty - explained, 1e-9)
        return out


@dataclass(frozen=True)
class NewDrugs:
    """tables: name -> unit rows by compound. levels: (T,); left: (T, c) leading left singular vectors of the own
    profiles, shares: (c,) of their variance; line_var: (n,) variance of own profiles in each training line; blend: (2,)
    weights of the process and of the class."""

    tasks: tuple[tuple[str, str], ...]
    tables: dict[str, pd.DataFrame]
    level: Process
    profile: Process
    levels: Array
    left: Array
    shares: Array
    line_var: Array
    classes: dict[str, str]
    blend: Array
    widen: float

    @classmethod
    def fit(
        cls, tasks: Tasks, tables: Mapping[str, pd.DataFrame], readings: Array, completed: Array,
        classes: Mapping[str, str] | None = None,
    ) -> NewDrugs | None:  # fmt: skip
        """readings: (n, T), NaN = not measured; completed: the same without gaps. None for too few compounds known.

        tables: as ``similarity_tables`` makes them.
        """
        units = {name: unit(table) for name, table in tables.items()}
        known = set().union(*(set(t.index) for t in units.values())) if units else set()
        if len({name for name, _ in tasks} & known) < LEAST_TASKS:
            return None
        levels, mean_of = np.nanmean(readings, axis=0), _screen_mean(tasks)
        offset = levels - mean_of @ levels
        profile = (completed - levels).T  # (T, n)
        common = mean_of @ profile
        own = profile - common
        left, size, right = np.linalg.svd(own, full_matrices=False)
        k = min(COMPONENTS, len(size))
        left, size, right = left[:, :k], size[:k], right[:k]
        parts, groups = _parts(tasks, tasks, units), _groups(tasks)
        level, level_told, level_var = Process.learn(parts, offset[:, None], groups)
        shape, told, var = Process.learn(parts, left, groups)
        total = float((own**2).sum())
        shares, line_var = size**2 / total, (own**2).mean(axis=0)
        kinds = dict(classes or {})
        class_of = np.stack([mates(name, screen, tasks, kinds) for name, screen in tasks])
        told, blend = _with_class(told, left, size, class_of)
        cell = cls(tuple(tasks), units, level, shape, levels, left, shares, line_var, kinds, blend, 1.0)
        share = (var * len(tasks)) @ shares + 1 - shares.sum()  # left singular vectors have variance 1 / T
        error = readings.T - (levels - offset + level_told[:, 0])[:, None] - common - (told * size) @ right
        sd = np.sqrt(level_var + share[:, None] * line_var)
        return replace(cell, widen=widening(error, sd, np.zeros_like(sd)))

    def mix(self, name: str, batch: str) -> Mix | None:
        """None where no table knows the compound. batch: "" or one never seen = the screen of most compounds."""
        known = tuple(n for n, t in self.tables.items() if name in t.index)
        if not known:
            return None
        screens = np.array([b for _, b in self.tasks])
        names, counts = np.unique(screens, return_counts=True)
        screen = batch if batch in names else str(names[np.argmax(counts)])
        here = screens == screen
        parts = _parts([(name, screen)], self.tasks, self.tables)[:, 0, :]
        row = self.level.weights @ parts
        level = float(self.levels[here].mean() + (row @ self.level.dual)[0])
        level_var = float(self.level.variance(row)[0])
        row = self.profile.weights @ parts
        own = (row @ self.profile.dual) @ self.left.T  # (T,) on the own profiles
        class_of = mates(name, screen, self.tasks, self.classes)
        if class_of.any():
            own = self.blend[0] * own + self.blend[1] * class_of
        weights = own - own @ self.mean_of + here / here.sum()
        share = self.profile.variance(row) * len(self.tasks) @ self.shares + 1 - self.shares.sum()
        return Mix(level, weights, level_var, float(share), known)

    @cached_property
    def mean_of(self) -> Array:
        return _screen_mean(self.tasks)

    def sd(self, mix: Mix, line: int | None) -> float:
        """sd of one reading of the new compound in a training line (None: in any line)."""
        line_var = float(self.line_var.mean() if line is None else self.line_var[line])
        return self.widen * float(np.sqrt(mix.level_var + mix.profile_var * line_var))


def mates(name: str, screen: str, tasks: Tasks, classes: Mapping[str, str]) -> Array:
    """(T,) weights of the n other compounds of its class, half in another screen; they add up to n / (n + 1)."""
    kind = classes.get(name)
    same = [i for i, (other, _) in enumerate(tasks) if kind and other != name and classes.get(other) == kind]
    out = np.zeros(len(tasks))
    if same:
        out[same] = [1.0 if tasks[i][1] == screen else 0.5 for i in same]
        n = len({tasks[i][0] for i in same})
        out *= n / (n + 1) / out.sum()
    return out


def _with_class(told: Array, left: Array, size: Array, class_of: Array) -> tuple[Array, Array]:
    """Left-out scores (T, c) of process and class together, and their two weights: least squares, none negative."""
    from scipy.optimize import nnls

    has = class_of.sum(axis=1) > 0
    if not has.any():
        return told, np.array([1.0, 0.0])
    by_class = class_of @ left
    offered = np.stack([(v[has] * size).ravel() for v in (told, by_class)], axis=1)
    blend, _ = nnls(offered, (left[has] * size).ravel())
    return np.where(has[:, None], blend[0] * told + blend[1] * by_class, told), np.asarray(blend)


def unit(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of length one; rows of nothing are left out."""
    values = table.to_numpy(np.float64)
    length = np.linalg.norm(values, axis=1)
    told = length > 1e-9
    return pd.DataFrame(values[told] / length[told, None], index=table.index[told].astype(str))


def left_out(inverse: Array, targets: Array, groups: Sequence[Codes]) -> tuple[Array, Array]:
    """What every group is told (T, c) without its own readings, and the variance (T,); inverse: K^-1 (T, T)."""
    weighted = inverse @ targets
    told, var = np.empty_like(targets), np.empty(len(targets))
    for rows in groups:
        block = np.linalg.inv(inverse[np.ix_(rows, rows)])
        told[rows] = targets[rows] - block @ weighted[rows]
        var[rows] = np.diag(block)
    return told, var


def _groups(tasks: Tasks) -> list[Codes]:
    """Rows of each compound, whatever the screen."""
    at: dict[str, list[int]] = {}
    for i, (name, _) in enumerate(tasks):
        at.setdefault(name, []).append(i)
    return [np.array(rows, dtype=np.intp) for rows in at.values()]


def _screen_mean(tasks: Tasks) -> Array:
    """(T, T) operator: the mean over the tasks of the same screen."""
    screens = np.array([batch for _, batch in tasks])
    same = (screens[:, None] == screens[None, :]).astype(np.float64)
    out: Array = same / same.sum(axis=1, keepdims=True)
    return out


def _parts(a: Tasks, b: Tasks, tables: Mapping[str, pd.DataFrame]) -> Array:
    """(k + 2, a, b): similarity under each table, same compound, same screen."""
    names, screens = ([np.array([t[i] for t in side], dtype=object) for side in (a, b)] for i in (0, 1))
    same = (screens[0][:, None] == screens[1][None, :]).astype(np.float64)
    between = BETWEEN_SCREENS + (1 - BETWEEN_SCREENS) * same
    found = []
    for table in tables.values():
        left, right = (table.reindex(side).fillna(0.0).to_numpy(np.float64) for side in names)
        found.append((left @ right.T) * between)
    found.append((names[0][:, None] == names[1][None, :]) * between)
    return np.stack([*found, same])


def _weights(parts: Array, y: Array, importance: Array) -> Array:
    """(k + 2,) by marginal likelihood of the columns of ``y`` (T, c, unit variance) under one common noise.

    importance: (c,) what each column counts; they add up to one.
    """
    import torch

    target = torch.as_tensor(y * np.sqrt(importance))
    k, eye = torch.as_tensor(parts), torch.eye(len(y), dtype=torch.float64)
    start = torch.log(torch.tensor([0.2] * (len(parts) - 2) + [0.2, 0.05, 0.3], dtype=torch.float64))
    log_weights = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([log_weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        weights = torch.exp(log_weights)
        covariance = torch.tensordot(weights[:-1], k, dims=1) + (weights[-1] + 1e-6) * eye
        factor = torch.linalg.cholesky(covariance)
        fit = (target * torch.cholesky_solve(target, factor)).sum()
        value: torch.Tensor = 0.5 * fit + factor.diagonal().log().sum() + 0.02 * ((log_weights - start) ** 2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return np.asarray(torch.exp(log_weights.detach())[:-1].numpy())

"""A compound that no line has met, as a weighted mix of measured compounds.

Readings of line l and task t (compound, screen):  y_lt = level_t + mean profile of the screen_l + own profile_lt.
Levels and the leading principal scores of the own profiles are Gaussian processes over tasks with the covariance

    K = sum_k w_k S_k o C + w_self [same compound] o C + w_screen [same screen] + w_noise I

S_k: cosine similarity under one feature table (zero where a compound is not in it); C: 1 within a screen, less between
two. The weights maximise the marginal likelihood (Rasmussen and Williams 2006, section 5.4), once for levels and once
for profiles. How wide the intervals must be is measured by leaving out each compound, with all its screens, in closed
form: e_g = [(K^-1)_gg]^-1 (K^-1 y)_g (the same book, 5.12, for groups).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .rows import Array, Codes
from .uncertainty import widening

COMPONENTS, STEPS, BETWEEN_SCREENS, LEAST_TASKS = 25, 25, 0.75, 12


@dataclass(frozen=True)
class Mix:
    """What a new compound is told in one screen. level: its mean over lines; weights: (T,) on the tasks' profiles;
    level_var, profile_var: variance of the level, and of the profile as a share of the own profiles' variance;
    known, unknown: names of the feature tables that tell of it and that do not."""

    level: float
    weights: Array
    level_var: float
    profile_var: float
    known: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def in_domain(self) -> float:
        """Share of the variance of own profiles that its likeness to measured compounds explains."""
        return float(np.clip(1 - self.profile_var, 0.0, 1.0))


@dataclass(frozen=True)
class Covariance:
    """Learned weights (k + 3,): feature tables, same compound, same screen, noise; factor: K^-1 (T, T)."""

    weights: Array
    inverse: Array

    @property
    def prior(self) -> float:
        """Variance of a compound whose every table knows it, before any data; what it shares with a screen apart."""
        return float(self.weights[:-2].sum() + self.weights[-1])


@dataclass(frozen=True)
class NewDrugs:
    """tables: name -> unit rows by compound. level, profile: covariances; levels: (T,); left: (T, k) leading left
    singular vectors of the own profiles; line_var: (n,) variance of own profiles in each training line."""

    tasks: tuple[tuple[str, str], ...]
    tables: dict[str, pd.DataFrame]
    level: Covariance
    profile: Covariance
    levels: Array
    left: Array
    line_var: Array
    widen: float

    @classmethod
    def fit(
        cls, tasks: Sequence[tuple[str, str]], tables: Mapping[str, pd.DataFrame], readings: Array, completed: Array
    ) -> NewDrugs | None:
        """readings: (n, T), NaN = not measured; completed: the same without gaps. None for too few compounds known.

        tables: as ``similarity_tables`` makes them.
        """
        units = {name: unit(table) for name, table in tables.items()}
        known = set().union(*(set(map(str, t.index)) for t in units.values())) if units else set()
        if len({name for name, _ in tasks} & known) < LEAST_TASKS:
            return None
        levels = np.nanmean(readings, axis=0)
        screens = np.array([batch for _, batch in tasks])
        profile = (completed - levels).T  # (T, n)
        own = profile - _screen_mean(screens) @ profile
        left, size, _ = np.linalg.svd(own, full_matrices=False)
        k = min(COMPONENTS, len(size))
        scores = left[:, :k] * size[:k]
        parts = _parts(tasks, tasks, units)
        offset = levels - _screen_mean(screens) @ levels
        level = _learn(parts, offset[:, None])
        shape = _learn(parts, scores)
        cell = cls(tuple(tasks), units, level, shape, levels, left[:, :k], (own**2).mean(axis=0), 1.0)
        return cell._widened(readings, profile - own, own, offset)

    def _widened(self, readings: Array, common: Array, own: Array, offset: Array) -> NewDrugs:
        """With the factor for which nine tenths of the readings of compounds left out lie in their intervals."""
        level, level_var = _left_out(self.level, offset[:, None], self._groups())
        scores = self.left.T @ own  # (k, n)
        told, share = _left_out(self.profile, self.left, self._groups())
        error = readings.T - (self.levels - offset + level[:, 0])[:, None] - common - told @ scores
        sd = np.sqrt((level_var * offset.var())[:, None] + share[:, None] * self.line_var)
        return replace(self, widen=widening(error, sd, np.zeros_like(sd)))

    def _groups(self) -> list[Codes]:
        at: dict[str, list[int]] = {}
        for i, (name, _) in enumerate(self.tasks):
            at.setdefault(name, []).append(i)
        return [np.array(rows, dtype=np.intp) for rows in at.values()]

    def mix(self, name: str, batch: str) -> Mix | None:
        """None where no table knows the compound. batch: "" or one never seen = the screen of most compounds."""
        known = tuple(n for n, t in self.tables.items() if name in t.index)
        if not known:
            return None
        screens = np.array([b for _, b in self.tasks])
        names, counts = np.unique(screens, return_counts=True)
        screen = batch if batch in names else str(names[np.argmax(counts)])
        parts = _parts([(name, screen)], self.tasks, self.tables)
        offset = self.levels - _screen_mean(screens) @ self.levels
        here = screens == screen
        row = self.level.weights[:-1] @ parts[:, 0, :]
        level = float(self.levels[here].mean() + row @ self.level.inverse @ offset)
        level_var = max(self.level.prior - float(row @ self.level.inverse @ row), 1e-9) * float(offset.var())
        row = self.profile.weights[:-1] @ parts[:, 0, :]
        own = (row @ self.profile.inverse @ self.left) @ self.left.T  # (T,) on the own profiles
        weights = own - own @ _screen_mean(screens) + here / here.sum()
        share = max(self.profile.prior - float(row @ self.profile.inverse @ row), 1e-9)
        unknown = tuple(n for n in self.tables if n not in known)
        return Mix(level, weights, level_var, share, known, unknown)

    def sd(self, mix: Mix, line: int | None) -> float:
        """sd of one reading of the new compound in a training line (None: in any line)."""
        line_var = float(self.line_var.mean() if line is None else self.line_var[line])
        return self.widen * float(np.sqrt(mix.level_var + mix.profile_var * line_var))


def unit(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of length one; rows of nothing are left out."""
    values = table.to_numpy(np.float64)
    length = np.linalg.norm(values, axis=1)
    told = length > 1e-9
    return pd.DataFrame(values[told] / length[told, None], index=table.index[told].astype(str))


def _screen_mean(screens: Array) -> Array:
    """(T, T) operator: the mean over the tasks of the same screen."""
    same = (screens[:, None] == screens[None, :]).astype(np.float64)
    out: Array = same / same.sum(axis=1, keepdims=True)
    return out


def _parts(a: Sequence[tuple[str, str]], b: Sequence[tuple[str, str]], tables: Mapping[str, pd.DataFrame]) -> Array:
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


def _learn(parts: Array, targets: Array) -> Covariance:
    """Marginal likelihood of the columns of ``targets`` (T, c), each scaled to unit variance, as equal processes."""
    import torch

    spread = targets.std(axis=0)
    y = torch.as_tensor(targets / np.where(spread > 1e-12, spread, 1.0))
    k, eye = torch.as_tensor(parts), torch.eye(len(targets), dtype=torch.float64)
    start = torch.log(torch.tensor([0.2] * (len(parts) - 2) + [0.2, 0.05, 0.3], dtype=torch.float64))
    log_weights = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([log_weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def covariance() -> torch.Tensor:
        weights = torch.exp(log_weights)
        out: torch.Tensor = torch.tensordot(weights[:-1], k, dims=1) + (weights[-1] + 1e-6) * eye
        return out

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        factor = torch.linalg.cholesky(covariance())
        fit = (y * torch.cholesky_solve(y, factor)).sum() / y.shape[1]
        value: torch.Tensor = 0.5 * fit + factor.diagonal().log().sum() + 0.02 * ((log_weights - start) ** 2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(covariance()))
        return Covariance(torch.exp(log_weights).numpy(), inverse.numpy())


def _left_out(learned: Covariance, targets: Array, groups: Sequence[Codes]) -> tuple[Array, Array]:
    """Predictions (T, c) of each group without its own readings, and their variance (T,) in units of the targets'."""
    weighted = learned.inverse @ targets
    told, var = np.empty_like(targets), np.empty(len(targets))
    for rows in groups:
        block = np.linalg.inv(learned.inverse[np.ix_(rows, rows)])
        told[rows] = targets[rows] - block @ weighted[rows]
        var[rows] = np.diag(block)
    return told, var

"""From wells to conditions: the relative change of each condition against its matched control.

For readout r, a condition with wells i in blocks b (context, batch, time), and control wells of the same
block with mean c_b over m_b wells:

    delta = mean_i d_i,  d_i = x_i - c_b(i)
    se^2  = s_t^2 / n + sum_b (n_b / n)^2 s_c^2 / m_b      s_t, s_c: sd of a well within its block
    se^2  = s_d^2 / n                                      where no block holds two wells alike (paired)

Where the data set knows that arms of equal truth differ by more than their wells do (layout; ``arm_sd`` in
``wells.var``), arm_sd^2 is added. Variances are moderated, s^2 = (ssd + d0 s0^2) / (df + d0): s0^2 is pooled
over the conditions of the readout in the same context (itself moderated by all contexts, ``pooled_by``) and d0 = 4
prior degrees of freedom (the form of Smyth 2004, doi:10.2202/1544-6115.1027), so that two replicates that agree by
chance do not pass for a precise measurement, nor a quiet context for a noisy one.
Where a data set has no controls (GDSC), delta is the mean reading itself and c_b = 0; readings of different
blocks then have no common reference, so each batch is a condition of its own, named in the column ``batch``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from .dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CONDITION = ("context", "perturbation", "kind", "dose", "time_h")
BLOCK = ("context", "batch", "time_h")
PRIOR_DF = 4.0


@dataclass(frozen=True)
class ConditionTable:
    """n conditions x r readouts. NaN = not measured.

    conditions: columns context, perturbation, kind, dose, time_h, batch, one row a condition; batch is ""
    where controls make batches comparable; ``doses`` where combinations have different doses.
    delta: (n, r) relative change. se: (n, r) its standard error. n_wells: (n, r) treated wells used.
    wells: the treated wells' ids of each condition.
    """

    conditions: pd.DataFrame
    delta: NDArray[np.float64]
    se: NDArray[np.float64]
    n_wells: NDArray[np.int64]
    readouts: tuple[str, ...]
    wells: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.conditions)

    def subset(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> ConditionTable:
        index = np.arange(len(self))[rows]
        return ConditionTable(
            self.conditions.iloc[index].reset_index(drop=True), self.delta[index], self.se[index],
            self.n_wells[index], self.readouts, tuple(self.wells[i] for i in index),
        )  # fmt: skip


def effects(dataset: Dataset, rows: NDArray[np.int64] | None = None) -> ConditionTable:
    """The change of every condition present in ``rows`` (default: all wells).

    Only wells in ``rows`` are read, controls included: what is held out stays unseen.
    Raises BadInput where ``rows`` holds no treated well.
    """
    obs, X = dataset.wells.obs, np.asarray(dataset.wells.X)
    rows = np.arange(len(obs)) if rows is None else np.asarray(rows, dtype=np.int64)
    if len(rows) != len(obs) or not np.array_equal(rows, np.arange(len(obs))):
        obs, X = obs.iloc[rows], X[rows]
    control = obs["control"].to_numpy(bool)
    treated = np.flatnonzero(~control)
    if not len(treated):
        raise BadInput(f"{dataset.name}: no treated wells to compute effects from")
    columns = (*CONDITION, *(["doses"] if "doses" in obs else []), *([] if dataset.has_controls else ["batch"]))
    group, conditions = _groups(obs.iloc[treated], columns)
    if dataset.has_controls:
        conditions["batch"] = ""
        delta, variance, n = _against_control(obs, X, control, treated, group, len(conditions))
    else:
        T = _Groups(X[treated], group, len(conditions))
        delta, n = T.mean, T.n
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = _moderated(T.ssd, _df(T.n), noise_sd(dataset, rows) ** 2) / n
    if "arm_sd" in dataset.wells.var:
        variance = variance + dataset.wells.var["arm_sd"].to_numpy(float) ** 2
    ids = obs.index.to_numpy()[treated]
    order = np.argsort(group, kind="stable")
    parts = np.split(ids[order], np.cumsum(np.bincount(group, minlength=len(conditions)))[:-1])
    measured = np.isfinite(delta)
    return ConditionTable(
        conditions, delta, np.where(measured, np.sqrt(variance), np.nan), np.where(measured, n, 0).astype(np.int64),
        dataset.readouts, tuple(tuple(part) for part in parts),
    )  # fmt: skip


def noise_sd(dataset: Dataset, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """(r,) sd of one well around its truth: among wells alike within a block, pooled over all.

    Where no block holds two wells alike (one pseudobulk per lane), the sd of what condition and block
    means, fitted together, leave over. NaN where neither can be told.
    """
    obs, X = dataset.wells.obs, np.asarray(dataset.wells.X)
    if rows is not None:
        obs, X = obs.iloc[rows], X[rows]
    alike, table = _groups(obs, (*CONDITION, "batch"))
    within = _Groups(X, alike, len(table)).pooled_variance()
    if not np.isfinite(within).all():
        condition, conditions = _groups(obs, CONDITION)
        block, blocks = _groups(obs, BLOCK)
        left = X.copy()
        for _ in range(10):  # backfitting of the two-way additive model
            left = left - _Groups(left, condition, len(conditions)).mean[condition]
            left = left - _Groups(left, block, len(blocks)).mean[block]
        df = np.isfinite(X).sum(0) - len(conditions) - len(blocks) + obs["context"].nunique()
        with np.errstate(invalid="ignore", divide="ignore"):
            two_way = np.where(df > 0, np.nansum(left**2, axis=0) / df, np.nan)
        within = np.where(np.isfinite(within), within, two_way)
    return np.asarray(np.sqrt(within))


class _Groups:
    """Count, mean and sum of squared deviations of each group and readout, NaN left out. All (g, r)."""

    def __init__(self, X: NDArray[np.float64], group: NDArray[np.int64], n_groups: int) -> None:
        measured = np.isfinite(X)
        self.n = _sum_by(measured.astype(float), group, n_groups)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.mean = _sum_by(np.where(measured, X, 0.0), group, n_groups) / self.n
        residual = np.where(measured, X - self.mean[group], 0.0)
        self.ssd = _sum_by(residual**2, group, n_groups)

    def pooled_variance(self) -> NDArray[np.float64]:
        """(r,) variance within groups; NaN where no group has two wells."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.ssd.sum(0) / _df(self.n).sum(0))

    def pooled_by(
        self, of: NDArray[np.int64], size: int, towards: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """(size, r) the same over the groups with each value of ``of``; NaN where it has none.

        Moderated by all (or ``towards``, (size, r), where finite) on the log scale, which no single noisy context
        dominates: log s^2 = (df log s_own^2 + d0 log s_all^2) / (df + d0).
        """
        df, whole = _sum_by(_df(self.n), of, size), self.pooled_variance()
        if towards is not None:
            whole = np.where(np.isfinite(towards), towards, whole)
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.maximum(_sum_by(self.ssd, of, size) / df, 1e-6 * whole)
            logs = (df * np.log(own) + PRIOR_DF * np.log(whole)) / (df + PRIOR_DF)
            return np.where(df > 0, np.where(whole > 0, np.exp(logs), 0.0), np.nan)


def _df(n: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(n - 1, 0)


def _moderated(ssd: NDArray[np.float64], df: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """(g, r) variances drawn towards ``prior`` (r,) or (g, r), which counts as PRIOR_DF degrees of freedom."""
    return np.asarray((ssd + PRIOR_DF * prior) / (df + PRIOR_DF))


def _against_control(
    obs: pd.DataFrame, X: NDArray[np.float64], control: NDArray[np.bool_], treated: NDArray[np.int64],
    group: NDArray[np.int64], n_groups: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """delta, its variance and the number of wells, each (g, r)."""
    block, blocks = _groups(obs, BLOCK)
    C = _Groups(X[control], block[control], len(blocks))
    D = X[treated] - C.mean[block[treated]]
    pair, _ = _codes(group * len(blocks) + block[treated])
    P = _Groups(D, pair, int(pair.max()) + 1)  # wells alike within a block
    G = _Groups(D, group, n_groups)
    home, contexts = _groups(obs, ("context",))
    of_block, of_group = np.zeros(len(blocks), dtype=np.int64), np.zeros(n_groups, dtype=np.int64)
    of_block[block], of_group[group] = home, home[treated]
    first = np.unique(pair, return_index=True)[1]
    g, b = group[first], block[treated][first]
    with np.errstate(invalid="ignore", divide="ignore"):
        within = P.pooled_by(of_block[b], len(contexts))
        own_c = C.pooled_by(of_block, len(contexts), within)
        within_any, any_c = P.pooled_variance(), C.pooled_variance()
        control_prior = _first(own_c, any_c, within, within_any)[of_block]
        s_c = _moderated(C.ssd, _df(C.n), control_prior)
        paired_prior = G.pooled_by(of_group, len(contexts))
        s_p = _moderated(G.ssd, _df(G.n), paired_prior[of_group])
        # the context's own wells first: alike in a block, or else paired over blocks; then what other contexts show
        paired = np.isnan(_first(within, own_c)) & np.isfinite(paired_prior)
        prior = _first(within, own_c, within_any, any_c)[of_group]
        s_t = _moderated(_sum_by(P.ssd, g, n_groups), _sum_by(_df(P.n), g, n_groups), prior)
        share = np.where(P.n > 0, (P.n / G.n[g]) ** 2 * s_c[b] / C.n[b], 0.0)
        blocked = s_t / G.n + _sum_by(share, g, n_groups)
        variance = np.where(paired[of_group], s_p / G.n, blocked)
    return G.mean, variance, G.n


def _first(*choices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first finite of several arrays, entry by entry; NaN where none is."""
    out = np.full(np.broadcast_shapes(*(c.shape for c in choices)), np.nan)
    for choice in reversed(choices):
        out = np.where(np.isfinite(choice), choice, out)
    return out


def _groups(obs: pd.DataFrame, columns: tuple[str, ...]) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Group number of each row, and one row of ``columns`` per group, sorted by their codes."""
    code = np.zeros(len(obs), dtype=np.int64)
    for column in columns:
        values = obs[column]
        if values.dtype == "category":
            part, size = values.cat.codes.to_numpy(np.int64), len(values.cat.categories)
        else:
            part, size = _codes(values.to_numpy(float))
        code, _ = _codes(code * size + part)
    first = np.unique(code, return_index=True)[1]
    table = obs.iloc[first][list(columns)].reset_index(drop=True)
    return code, table


def _codes(values: NDArray[np.float64] | NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Dense codes in sorted order (NaN counts as one value) and their number."""
    unique, inverse = np.unique(values, return_inverse=True)
    return inverse.reshape(-1).astype(np.int64), len(unique)


def _sum_by(values: NDArray[np.float64], group: NDArray[np.int64], n_groups: int) -> NDArray[np.float64]:
    """(n, r) summed to (n_groups, r)."""
    out = np.empty((n_groups, values.shape[1]))
    for j in range(values.shape[1]):
        out[:, j] = np.bincount(group, weights=values[:, j], minlength=n_groups)
    return out

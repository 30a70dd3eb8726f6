"""Scores of predictions, each over the entries that were measured; NaN where there are too few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..world_model.rows import Array
from .results import Result

Z90 = 1.6448536269514722


def pearson(predicted: Array, measured: Array) -> float:
    """Correlation over all measured entries."""
    use = np.isfinite(predicted) & np.isfinite(measured)
    p, m = predicted[use], measured[use]
    return float(np.corrcoef(p, m)[0, 1]) if len(m) > 2 and p.std() > 0 and m.std() > 0 else float("nan")


def r2(predicted: Array, measured: Array) -> float:
    """1 - residual sum of squares / sum of squares around the mean of the measured entries."""
    use = np.isfinite(predicted) & np.isfinite(measured)
    left = float(np.sum((predicted[use] - measured[use]) ** 2))
    return 1.0 - left / float(np.sum((measured[use] - measured[use].mean()) ** 2))


def coverage90(mean: Array, sd: Array, measured: Array) -> float:
    """Share of measured entries inside mean +- 1.645 sd."""
    use = np.isfinite(mean) & np.isfinite(measured)
    return float(np.mean(np.abs(mean[use] - measured[use]) <= Z90 * sd[use]))


def per_column(predicted: Array, measured: Array, least: int = 20) -> float:
    """Mean over columns with more than ``least`` measured entries of Pearson down the column."""
    enough = np.flatnonzero((np.isfinite(measured) & np.isfinite(predicted)).sum(axis=0) > least)
    return float(np.nanmean([pearson(predicted[:, j], measured[:, j]) for j in enough]))


def centred_pearson(predicted: Array, measured: Array, middle: Array) -> float:
    """Correlation of what is specific to one perturbation: both changes (genes,) less ``middle``, the training mean.

    What all perturbations share (stress, a biased control) cannot score here (Systema; Vinas Torne et al. 2025,
    doi:10.1038/s41587-025-02777-8). A prediction of the mean itself says nothing specific and scores 0.
    """
    own = predicted - middle
    use = np.isfinite(own) & np.isfinite(measured)
    if not use.any() or np.std(own[use]) <= 1e-9 * max(float(np.abs(middle[use]).max()), 1e-300):
        return 0.0
    return pearson(own, measured - middle)


def mse(predicted: Array, measured: Array, weights: Array | None = None) -> float:
    """Mean squared error over the measured entries, weighted where ``weights`` (same shape) are given.

    With DEG weights (``deg_weights``) this is the WMSE of Mejia et al. 2025 (arXiv 2506.22641).
    """
    use = np.isfinite(predicted) & np.isfinite(measured)
    w = np.ones(int(use.sum())) if weights is None else weights[use]
    total = float(w.sum())
    return float(np.sum(w * (predicted[use] - measured[use]) ** 2)) / total if total > 0 else float("nan")


def weighted_r2(predicted: Array, measured: Array, weights: Array) -> float:
    """R2_w(delta) = 1 - sum w (m - p)^2 / sum w (m - mean_w(m))^2 of one perturbation (Mejia et al. 2025, 2506.22641).

    predicted, measured: (genes,) changes relative to the mean over all perturbations, so that a mean predictor gets
    zero or less; weights: (genes,).
    """
    use = np.isfinite(predicted) & np.isfinite(measured)
    p, m, w = predicted[use], measured[use], weights[use]
    if w.sum() <= 0:
        return float("nan")
    around = float(np.sum(w * (m - np.average(m, weights=w)) ** 2))
    return 1.0 - float(np.sum(w * (m - p) ** 2)) / around if around > 0 else float("nan")


def deg_weights(scores: Array) -> Array:
    """(genes,) weights from differential-expression scores of one perturbation against all others.

    |score|, scaled to [0, 1] over the genes, squared, to the sum one (Mejia et al. 2025, arXiv 2506.22641).
    """
    size = np.nan_to_num(np.abs(scores))
    span = float(size.max() - size.min())
    scaled = (size - size.min()) / span if span > 0 else np.ones_like(size)
    out: Array = scaled**2 / np.sum(scaled**2)
    return out


def scores_against_rest(delta: Array, se: Array, at: int) -> Array:
    """(genes,) Welch scores of condition ``at`` of (n, genes) ``delta`` against the mean of the other conditions.

    t = (d - mean_rest) / sqrt(se^2 + var_rest / n_rest): the condition's own error and that of the rest's mean.
    """
    rest = np.arange(len(delta)) != at
    spread = delta[rest].var(axis=0, ddof=1) / rest.sum()
    out: Array = (delta[at] - delta[rest].mean(axis=0)) / np.sqrt(np.maximum(se[at] ** 2 + spread, 1e-12))
    return out


def discrimination(predicted: Array, measured: Array, own: Sequence[int | None] | None = None) -> Array:
    """(n,) perturbation discrimination: 1 - rank / n, the rank (from 0) of the right one among all n measured.

    Measured changes (n, genes) are ordered by their L1 distance from each predicted one, as in cell-eval
    (discrimination_score_l1) and the Virtual Cell Challenge. ``own``: column of each perturbation's target gene, left
    out of its distances. Ties count half (cell-eval lets the sort decide), so that one prediction for all scores the
    chance level, (n + 1) / 2n on average. Signed changes are compared; cell-eval before its issue 189 took |.|.
    """
    n, out = len(measured), np.empty(len(measured))
    for i in range(n):
        keep = np.isfinite(measured).all(axis=0) & np.isfinite(predicted[i])
        if own is not None and own[i] is not None:
            keep[own[i]] = False
        distance = np.abs(measured[:, keep] - predicted[i, keep]).sum(axis=1)
        others = np.arange(n) != i
        nearer = np.sum(distance[others] < distance[i]) + 0.5 * np.sum(distance[others] == distance[i])
        out[i] = 1.0 - float(nearer) / n
    return out


def top_overlap(
    predicted: Array, measured: Array, k: int | None = None, *, called: tuple[Array, Array] | None = None
) -> float:
    """Share of the k genes that truly change most (by |change|) among the k predicted to change most.

    k None: all that changed. ``called``: (predicted, measured) masks of the genes called significant, outside of
    which nothing is looked at (cell-eval's overlap_at_N and overlap_at_k); k is cut to those called in truth.
    NaN where nothing truly changed.
    """
    told, true = called or (np.isfinite(predicted), np.isfinite(measured))
    size = int(np.sum(true)) if k is None else min(k, int(np.sum(true)))
    if size == 0:
        return float("nan")
    best = []
    for values, mask in ((predicted, told), (measured, true)):
        there = np.flatnonzero(mask)
        best.append(set(there[np.argsort(-np.abs(values[there]), kind="stable")][:size].tolist()))
    return len(best[0] & best[1]) / size


def figure(
    name: str,
    values: Sequence[float],
    *,
    unit: str,
    bar: str = "",
    passed: bool | None = None,
    baselines: Mapping[str, Sequence[float]] | None = None,
    note: str = "",
) -> Result:
    """Mean and sd over splits, baselines' means beside."""
    x = np.asarray(values, dtype=np.float64)
    return Result(
        name=name,
        value=float(x.mean()),
        sd=float(x.std(ddof=1)) if len(x) > 1 else None,
        n=len(x),
        unit=unit,
        baselines={k: float(np.mean(v)) for k, v in (baselines or {}).items()},
        bar=bar,
        passed=passed,
        note=note,
    )


def coverage_figure(split: str, values: Sequence[float], note: str = "") -> Result:
    """Coverage of 90% intervals; the bar is .87 to .93."""
    mean = float(np.mean(values))
    return figure(
        f"coverage90_{split}", values, unit="share", bar="0.87 to 0.93", passed=0.87 <= mean <= 0.93, note=note
    )

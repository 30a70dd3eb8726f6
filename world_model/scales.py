"""Scales of residuals and noise by readout, and which rows the kernel parameters are learned on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .rows import Array, Codes


def spread(values: Array) -> Array:
    """(r,) sd of each readout around zero; of one that does not vary, the least of the others (one without any)."""
    seen = np.isfinite(values)
    n = np.maximum(seen.sum(axis=0), 1)
    filled = np.where(seen, values, 0.0)
    sd = np.sqrt(np.maximum((filled**2).sum(axis=0) / n, 0.0))
    varies = sd > 1e-12
    out: Array = np.where(varies, sd, sd[varies].min() if varies.any() else 1.0)
    return out


def signal_unit(values: Array, noise: Array) -> Array:
    """(r,) sd of the signal in each readout: total minus mean noise variance, at least a tenth of the total."""
    total = spread(values) ** 2
    seen = np.isfinite(noise) & np.isfinite(values)
    error = np.where(seen, noise, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.asarray(np.sqrt(np.maximum(total - error, 0.1 * total)))


def noise_levels(relative: Array, like: Array | None = None) -> Array:
    """(n, r) noise of every row, averaged over readouts of a similar level (within a factor of sixteen).

    relative: (n, r) variances in units of the signal, NaN = unknown (then the level's median row). Readouts of one
    level share a factor. like: noise of rows already in, whose levels are kept.
    """
    levels: dict[object, list[int]] = {}
    if like is None:
        mean = np.where(np.isfinite(relative), relative, 0.0).sum(axis=0) / np.maximum(np.isfinite(relative).sum(0), 1)
        for j, step in enumerate(np.clip(np.round(np.log2(mean + 1e-6) / 4), -2, 1)):
            levels.setdefault(float(step), []).append(j)
    else:
        for j in range(like.shape[1]):
            levels.setdefault(like[:, j].tobytes(), []).append(j)
    out = np.empty_like(relative)
    for members in levels.values():
        seen = np.isfinite(relative[:, members])
        mean = np.where(seen, relative[:, members], 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        known = seen.any(axis=1)
        out[:, members] = np.where(known, mean, np.median(mean[known]) if known.any() else 0.0)[:, None]
    return out


def subgrid(conditions: pd.DataFrame, most: int, seed: int) -> Codes:
    """At most ``most`` rows in which contexts, perturbations, doses and times still cross, for learning parameters.

    Whole blocks of a few contexts x a few perturbations are taken (seeded), then single rows to fill up.
    """
    rng = np.random.default_rng(seed)
    if len(conditions) <= most:
        return np.arange(len(conditions))
    contexts, perturbations = (rng.permutation(sorted(set(conditions[c]))) for c in ("context", "perturbation"))
    taken = np.zeros(len(conditions), dtype=bool)
    for k in range(1, max(len(contexts), len(perturbations)) + 1):
        block = conditions["context"].isin(contexts[:k]) & conditions["perturbation"].isin(perturbations[:k])
        if block.sum() > most:
            break
        taken = block.to_numpy()
    rest = rng.permutation(np.flatnonzero(~taken))[: most - int(taken.sum())]
    return np.sort(np.concatenate([np.flatnonzero(taken), rest]))

"""How far each base with its residual is trusted: measured by holding out training conditions, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .amplitude import amplitude, factor, learned_share
from .answer import Trust
from .base import BASES, Bases
from .coding import Coder
from .rows import Array, Codes, Rows
from .scales import signal_unit, spread
from .uncertainty import half_width, noise_worth, readout_weights, shrinkage, widenings

if TYPE_CHECKING:
    import torch

    from .residual import Residual

LEAST_LEVELS = 4  # doses, to measure what is said beyond the last one
Held = tuple[Array, Array, Array, Array]  # base, wanted, offered, sd of the held rows of one fold


def grouped_folds(keys: Codes, wanted: Codes, most: int, seed: int) -> list[Codes]:
    """Seeded groups of the rows ``wanted`` that share no key; [] where there are under three keys."""
    values, place = np.unique(keys[wanted], return_inverse=True)
    if len(values) < 3:
        return []
    order = np.empty(len(values), dtype=np.intp)
    order[np.random.default_rng(seed).permutation(len(values))] = np.arange(len(values))
    number = min(most, len(values))
    fold = order[place.reshape(-1)] % number
    return [np.sort(wanted[fold == k]) for k in range(number)]


def end_folds(coder: Coder, *, upper: bool) -> list[Codes]:
    """The rows of the lowest (or highest) dose, and of the two lowest; [] with fewer than ``LEAST_LEVELS`` doses."""
    dose = coder.levels[coder.train["dose"]]
    levels = np.unique(dose[np.isfinite(dose)])
    if len(levels) < LEAST_LEVELS:
        return []
    ends = (levels[-1], levels[-2]) if upper else (levels[0], levels[1])
    return [np.flatnonzero(dose >= end if upper else dose <= end) for end in ends]


def measure(
    rows: Rows,
    noise: Array,
    bases: Bases,
    residuals: Mapping[str, Residual],
    inverses: Mapping[str, list[torch.Tensor]],
    folds: Sequence[Codes],
) -> dict[str, Trust]:
    """Hold out each fold: what would each base (with its residual) have said?

    How large residuals are, readout by readout, is taken from the rows that are not held out: a scale that knew the
    held-out errors would make them look expected, the more so the fewer rows there are. A scale of few rows is itself
    uncertain, so an interval on it is wider (Student); the whole fit has more rows than a fold and needs less of that.
    """
    told: dict[str, list[Held]] = {name: [] for name in BASES}
    for held in folds:
        mask = np.ones(len(rows), dtype=bool)
        mask[held] = False
        sums = bases.sums(rows.delta, mask)
        for name, base in sums.values(bases.own).items():
            left = rows.delta - base.mean
            wanted = left[held]
            if name not in residuals:
                flat = np.broadcast_to(spread(left[mask]), wanted.shape)
                told[name].append((base.mean[held], wanted, np.zeros_like(wanted), flat))
                continue
            residual = residuals[name]
            place = np.full(len(rows), -1, dtype=np.intp)
            place[residual.index] = np.arange(len(residual.index))
            here = place[held] >= 0
            y = left[residual.index] / residual.unit
            mean, var = residual.process.leave_out(inverses[name], place[held[here]], y)
            offered, sd = np.full(wanted.shape, np.nan), np.full(wanted.shape, np.nan)
            kept = residual.index[mask[residual.index]]
            unit = signal_unit(left[kept], noise[kept]) * half_width(len(kept)) / half_width(len(residual.index))
            offered[here], sd[here] = mean * residual.unit, np.sqrt(var) * unit
            told[name].append((base.mean[held], wanted, offered, sd))
    return _trusts(rows, noise[np.concatenate(folds)], residuals, told)


def _trusts(
    rows: Rows, noise: Array, residuals: Mapping[str, Residual], told: dict[str, list[Held]]
) -> dict[str, Trust]:
    weight, found = np.sqrt(readout_weights(rows)), {}
    plain = np.concatenate([wanted for _, wanted, _, _ in told["train mean"]])
    for name in BASES:
        base, wanted, offered, sd = (np.concatenate(parts) for parts in zip(*told[name], strict=True))
        shrink = shrinkage(wanted * weight, offered * weight)
        error = wanted - shrink * offered
        both = np.isfinite(error) & np.isfinite(plain)
        if both.any():
            power = float(np.sum((plain * weight)[both] ** 2))
            share = float(np.sum((error * weight)[both] ** 2)) / max(power, 1e-12)
            worth = noise_worth(rows, residuals[name].process.noise_factor if name in residuals else 1.0)
            measured = np.sqrt(worth * noise)
            a = amplitude(base + shrink * offered, spread(rows.delta))
            follow, usual = learned_share(error, sd, measured, a)
            wide = widenings(error, factor(a, usual, follow)[:, None] * sd, measured)
            found[name] = Trust(shrink, wide, share, follow, usual)
    return found

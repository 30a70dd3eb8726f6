"""How sure the cell may be: calibration from held-out errors, the data's own reproducibility, reasons to abstain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .rows import Array, Rows, cell_keys

LEVEL, Z90 = 0.90, 1.6448536269514722
WIDEN, LEAST = (0.2, 10.0), 10  # bounds of a factor; held-out errors for one of a readout's own
REPRODUCIBLE = 0.10  # under this share of variance, perturbations cannot be told apart


def readout_weights(rows: Rows) -> Array:
    """(r,) what a squared error in each readout counts: its reliability, so that readouts of only noise do not decide.

    reliability = 1 - mean noise variance / mean squared change, at least 0; 1 where the noise is unknown; all equal
    where no readout has any.
    """
    seen = np.isfinite(rows.delta)
    n = np.maximum(seen.sum(axis=0), 1)
    power = (np.where(seen, rows.delta, 0.0) ** 2).sum(axis=0) / n
    noise = rows.noise()
    known = np.isfinite(noise) & seen
    error = np.where(known, noise, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    reliability = np.where(known.any(axis=0), 1.0 - error / np.maximum(power, 1e-300), 1.0)
    out: Array = np.maximum(reliability, 0.0)
    return out if out.any() else np.ones_like(out)


def shrinkage(wanted: Array, offered: Array) -> float:
    """Best factor in [0, 1] on the ``offered`` residual: least squares over held-out entries (NaN skipped)."""
    use = np.isfinite(wanted) & np.isfinite(offered)
    power = float(np.sum(offered[use] ** 2))
    if not use.any() or power <= 0:
        return 0.0
    return float(np.clip(np.sum(wanted[use] * offered[use]) / power, 0.0, 1.0))


def widening(error: Array, epistemic: Array, measurement: Array, level: float = LEVEL) -> float:
    """Factor c on the epistemic sd for which ``level`` of held-out errors lie inside their interval.

    |error| <= z sqrt((c epistemic)^2 + measurement^2); solved on the empirical quantile of the c each entry needs
    (split conformal, Lei et al. 2018, with the measurement error kept apart). Bounded to ``WIDEN``. error,
    epistemic, measurement: (n,) or (n, r); a readout that never errs (nothing changes it) does not count.
    """
    z = Z90 if level == LEVEL else float(_normal_quantile(0.5 + level / 2))
    use = np.isfinite(error) & np.isfinite(epistemic) & (epistemic > 0)
    use &= np.any(use & (error != 0), axis=0)
    if use.sum() < 10:
        return 1.0
    extra = np.nan_to_num(measurement[use]) ** 2
    needed = np.sqrt(np.maximum((error[use] / z) ** 2 - extra, 0.0)) / epistemic[use]
    rank = min(1.0, level * (1 + 1 / use.sum()))
    return float(np.clip(np.quantile(needed, rank), *WIDEN))


def widenings(error: Array, epistemic: Array, measurement: Array, level: float = LEVEL) -> Array:
    """(r,) the same for every readout by itself (error, epistemic, measurement: (n, r)); the common factor for those
    with under ``LEAST`` held-out errors. One factor for all would be set by readouts that hardly change, and be too
    narrow for the few that change much.
    """
    z = Z90 if level == LEVEL else float(_normal_quantile(0.5 + level / 2))
    use = np.isfinite(error) & np.isfinite(epistemic) & (epistemic > 0)
    many = np.flatnonzero(use.sum(axis=0) >= LEAST)
    out = np.full(error.shape[1], widening(error, epistemic, measurement, level))
    extra = np.nan_to_num(np.broadcast_to(measurement, error.shape)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        needed = np.sqrt(np.maximum((error / z) ** 2 - extra, 0.0)) / epistemic
    out[many] = np.clip(np.nanquantile(np.where(use, needed, np.nan)[:, many], level, axis=0), *WIDEN)
    return out


def half_width(rows: int, level: float = LEVEL) -> float:
    """Half a ``level`` interval in units of a scale that was estimated from so many rows (Student's t)."""
    from scipy.stats import t

    return float(t.ppf(0.5 + level / 2, max(rows, 1)))


def noise_worth(rows: Rows, factor: float) -> Array:
    """(r,) what the noise variances are worth, readout by readout: ``factor``, but less where that much noise alone
    would have kept more than ``LEVEL`` of all changes inside its interval (readouts that few wells show at all).
    """
    noise = np.broadcast_to(np.nan_to_num(rows.noise()), rows.delta.shape)
    seen = np.isfinite(rows.delta)
    n = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, rows.delta, 0.0).sum(axis=0) / n
    stated = factor * np.where(seen, noise, 0.0).sum(axis=0) / n
    shown = np.full(len(n), np.inf)
    many = np.flatnonzero(n >= LEAST)
    shown[many] = (np.nanquantile(np.abs(rows.delta - mean)[:, many], LEVEL, axis=0) / Z90) ** 2
    return np.asarray(factor * np.minimum(1.0, shown / np.maximum(stated, 1e-300)))


def _normal_quantile(q: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(q))


@dataclass(frozen=True)
class Reproducibility:
    """specific: share of the variance between perturbations (within context, dose and time) that is not noise,
    which is the expected split-half correlation of perturbation-specific changes; baseline: correlation of a change
    with the mean of the other perturbations there. None where replicates are missing."""

    specific: float | None
    baseline: float | None

    @property
    def hopeless(self) -> str:
        """The reason to abstain, or an empty string."""
        if self.specific is None or self.specific >= REPRODUCIBLE:
            return ""
        other = "" if self.baseline is None else f", the mean of the other perturbations correlates {self.baseline:.2f}"
        return (
            f"the data cannot tell perturbations apart: the reproducibility of their specific changes "
            f"is {self.specific:.2f}{other}"
        )


def reproducibility(rows: Rows) -> Reproducibility:
    """From the spread of changes around the mean of their context (and dose, time) against their standard errors."""
    groups: dict[object, list[int]] = {}
    for i, key in enumerate(cell_keys(rows.conditions, "context")):
        groups.setdefault(key, []).append(i)
    total, noise, baseline = 0.0, 0.0, []
    for members in groups.values():
        if len(members) < 3:
            continue
        delta, var = rows.delta[members], rows.se[members] ** 2
        mean, k = _means(delta), len(members)
        use = np.isfinite(delta) & np.isfinite(var)
        total += float(np.sum(((delta - mean) ** 2)[use])) * k / (k - 1)
        noise += float(np.sum(var[use]))
        baseline += [_correlation(delta[i], (mean * k - delta[i]) / (k - 1)) for i in range(k)]
    if total <= 0 or noise <= 0:
        return Reproducibility(None, None)
    seen = [b for b in baseline if np.isfinite(b)]
    return Reproducibility(max(0.0, 1.0 - noise / total), float(np.mean(seen)) if seen else None)


def _means(values: Array) -> Array:
    seen = np.isfinite(values)
    n = np.maximum(seen.sum(axis=0), 1)
    out: Array = np.where(seen, values, 0.0).sum(axis=0) / n
    return out


def _correlation(a: Array, b: Array) -> float:
    use = np.isfinite(a) & np.isfinite(b)
    if use.sum() < 3 or a[use].std() == 0 or b[use].std() == 0:
        return float("nan")
    return float(np.corrcoef(a[use], b[use])[0, 1])

"""Errors that grow with the response: a condition predicted to change little can hardly be wrong by much.

The sd of a condition is taken as sd x sqrt(1 - share + share x a / usual), where a is the mean square of its predicted
changes in units of each readout (over all readouts: a strong dose is strong for all of them) and usual the mean of a
over held-out training conditions. share in 0 … 0.9 has the greatest likelihood of the held-out errors (normal, sd of
the process and measurement noise, one free scale); 0 where it gains less than ``LEAST_GAIN`` a reading.
"""

from __future__ import annotations

import numpy as np

from .rows import Array

SHARES = np.arange(0.0, 0.95, 0.1)
LEAST_GAIN = 0.01  # nats a reading
BOUNDS = (0.25, 4.0)  # of the factor on an sd


def amplitude(change: Array, unit: Array) -> Array:
    """(n,) mean square over readouts of predicted changes (n, r) in units (r,); NaN where nothing is predicted."""
    square = (change / unit) ** 2
    known = np.isfinite(square)
    n = known.sum(axis=1)
    return np.where(n > 0, np.where(known, square, 0.0).sum(axis=1) / np.maximum(n, 1), np.nan)


def factor(a: Array, usual: float, share: float) -> Array:
    """(n,) factor on the sd of conditions of amplitude ``a`` (n,); 1 where it is not known."""
    if share <= 0.0 or usual <= 0.0:
        return np.ones_like(a)
    ratio = np.where(np.isfinite(a), a / usual, 1.0)
    return np.asarray(np.clip(np.sqrt(1.0 - share + share * ratio), *BOUNDS))


def learned_share(error: Array, sd: Array, noise_sd: Array, a: Array) -> tuple[float, float]:
    """(share, usual) from held-out errors, their sd and measurement noise (n, r), and amplitudes (n,)."""
    use = np.isfinite(error) & np.isfinite(sd) & (sd > 0) & np.isfinite(a)[:, None]
    if not use.any():
        return 0.0, 1.0
    usual = float(a[np.isfinite(a)].mean())
    extra = np.broadcast_to(np.nan_to_num(noise_sd), error.shape)[use] ** 2
    gain = np.array([_log_likelihood(error[use], (factor(a, usual, s)[:, None] * sd)[use], extra) for s in SHARES])
    best = int(np.argmax(gain))
    return (float(SHARES[best]), usual) if gain[best] - gain[0] >= LEAST_GAIN else (0.0, usual)


def _log_likelihood(error: Array, sd: Array, extra: Array) -> float:
    """Mean normal log-likelihood under (sd^2 + extra) x the best common scale, up to a constant."""
    variance = sd**2 + extra
    return -0.5 * float(np.log(np.mean(error**2 / variance)) + np.mean(np.log(variance)))

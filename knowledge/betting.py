"""Bets on bounded or symmetric readings: no normality, no variance.

Bounded (Waudby-Smith & Ramdas 2024, JRSS-B 86:1): x_t in [-1, 1] with E[x_t | past] <= 0 makes every product of
(1 + lambda x_t), 0 <= lambda < 1, a supermartingale; their mean over lambda is one too.
Symmetric: x_t symmetric about 0, or about anything below, makes every product of 2 / (1 + exp(-2 lambda x_t)) =
exp(lambda x_t) / cosh(lambda x_t) a supermartingale (it is a martingale under symmetry, given |x_t|, and increases
in x_t).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

Floats = npt.NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_LAMBDAS, _SHARES = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS  # uniform on (0, 1)


def log_e_bounded(x: npt.ArrayLike) -> Floats:
    """Natural log of the e-process against "the mean is at most 0"; x: (..., looks) in [-1, 1]; same shape."""
    x = np.asarray(x, float)
    paths = np.cumsum(np.log1p(x[..., None, :] * _LAMBDAS[:, None]), axis=-1)  # (..., lambda, looks)
    return np.asarray(logsumexp(paths, axis=-2, b=_SHARES[:, None]), float)


def log_e_symmetric(x: npt.ArrayLike, scale: float) -> Floats:
    """Natural log of the e-process against "symmetric about 0 or less"; x: (..., looks); same shape.

    scale: sd of one x, from earlier data; it only steers the bets (lambda * scale uniform on (0, 2)).
    """
    x = np.asarray(x, float)
    bets = -np.logaddexp(0.0, -4.0 * x[..., None, :] / scale * _LAMBDAS[:, None]) + np.log(2.0)
    return np.asarray(logsumexp(np.cumsum(bets, axis=-1), axis=-2, b=_SHARES[:, None]), float)

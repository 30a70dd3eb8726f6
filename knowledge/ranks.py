"""Few or non-normal replicates: e-values from ranks within a block.

Under the boundary theta = b the treated readings minus b and the control readings of one block are exchangeable. With
any increasing scores a of the ranks (here normal scores), and S the sum of the treated scores, for each lambda > 0

    e = exp(lambda S) / mean over all choices of n_t readings of exp(lambda S)

has mean one, however the readings are distributed (Koning 2023, arXiv 2310.01153; the mean is an elementary symmetric
polynomial of exp(lambda a)). Lowering the treated readings lowers S and leaves the mean alone, so e is an e-value for
the whole null theta <= b. Blocks multiply; the stake mixes over lambda. For a shift of d well sds of normal readings
lambda = d is the locally most powerful bet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, ndtri
from scipy.stats import rankdata

from ..world_model.errors import BadInput
from .claims import Belief
from .counts import nodes_of

Floats = npt.NDArray[np.float64]


class Block(NamedTuple):
    """Readings of one block (plate, day): wells of the treated and of the control arm."""

    treated: Sequence[float]
    control: Sequence[float]


def log_e_ranks(blocks: Sequence[Block], *, boundary: float, belief: Belief, noise_sd: float, sign: int = 1) -> float:
    """Natural log of the e-value against sign * theta <= sign * boundary, theta a shift of the treated readings.

    belief, boundary: in the readings' units; noise_sd: sd of one well, from earlier data, steers the bet only.
    """
    scaled = Belief(mean=belief.mean / noise_sd, sd=belief.sd / noise_sd)
    nodes = nodes_of(boundary / noise_sd, scaled, sign)
    path = np.zeros(len(nodes.log2))
    for block in blocks:
        path += log_ratios(block, boundary, sign, nodes.log2)
    return float(logsumexp(path, b=nodes.share))


def log_ratios(block: Block, boundary: float, sign: int, lambdas: Floats) -> Floats:
    """log e of one block for each lambda."""
    treated, control = np.asarray(block.treated, float), np.asarray(block.control, float)
    if not len(treated) or not len(control) or not np.all(np.isfinite([*treated, *control])):
        raise BadInput("A block needs readings of both arms, all of them numbers", cure="Leave out what is missing")
    ranks = rankdata(sign * np.concatenate([treated - boundary, control]))
    scores = ndtri(ranks / (len(ranks) + 1.0))
    total = float(scores[: len(treated)].sum())
    return np.asarray(lambdas * total - log_mean_choice(np.multiply.outer(lambdas, scores), len(treated)), float)


def log_mean_choice(logs: Floats, k: int) -> Floats:
    """log of the mean over all choices of k of the last axis of exp(sum of the chosen logs); logs: (..., n).

    Elementary symmetric polynomials by their recursion, all terms positive, scaled by the largest.
    """
    top = logs.max(axis=-1)
    values = np.exp(logs - top[..., None])
    partial = np.zeros((*logs.shape[:-1], k + 1))
    partial[..., 0] = 1.0
    for i in range(logs.shape[-1]):
        # with the mean, not the sum, of the choices so far nothing overflows: m_j(i+1) from m_j(i), m_{j-1}(i)
        j = np.arange(1, min(k, i + 1) + 1)
        keep = (i + 1.0 - j) / (i + 1.0)
        partial[..., j] = keep * partial[..., j] + (1.0 - keep) * partial[..., j - 1] * values[..., i, None]
    return np.asarray(np.log(partial[..., k]) + k * top, float)

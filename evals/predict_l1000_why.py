"""Why unseen compounds of the L1000 plate stay where they do: what more compounds, and nearer ones, would be worth.

All on whole signatures (compounds x genes) and the same held-out compounds as the cell's figure. The learner is a
ridge over likeness (shared targets, and half as much shared structure), whose two numbers were chosen on splits that
are not reported (seeds 100 to 159); GDSC sensitivity profiles, potency in A375 and measured kinase affinities as
further likeness, and signatures scaled to their strength, did not help it there (.573 to .593, against .593).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..world_model.rows import Array, Codes
from .results import Result
from .scores import figure

if TYPE_CHECKING:
    import pandas as pd

SIZES, DRAWS = (12, 24, 36), 4  # training compounds, beside all there are; draws of each a split
STRUCTURE, PENALTY = 0.5, 1.0
Split = tuple[Codes, Codes]  # held, rest


def likeness(compounds: Sequence[str], features: dict[str, pd.DataFrame]) -> Array:
    """(n, n) shared over all targets, and ``STRUCTURE`` of shared over all structure bits."""
    from ..world_model.chemistry import tanimoto

    bits = [
        features[name].reindex(list(compounds)).fillna(0.0).to_numpy(np.float64) for name in ("targets", "structure")
    ]
    return tanimoto(bits[0], bits[0]) + STRUCTURE * tanimoto(bits[1], bits[1])


def ridge(truth: Array, alike: Array, held: Codes, rest: Codes) -> Array:
    """(held, genes) kernel ridge around the training mean."""
    mean = truth[rest].mean(axis=0)
    weights = np.linalg.solve(alike[np.ix_(rest, rest)] + PENALTY * np.eye(len(rest)), truth[rest] - mean)
    return np.asarray(mean + alike[np.ix_(held, rest)] @ weights)


def correlations(predicted: Array, measured: Array) -> Array:
    """(n,) Pearson along each row."""
    p, m = (x - x.mean(axis=1, keepdims=True) for x in (predicted, measured))
    return np.asarray((p * m).sum(axis=1) / np.sqrt((p**2).sum(axis=1) * (m**2).sum(axis=1)))


def reasons(
    truth: Array, alike: Array, classes: Sequence[str], splits: Sequence[Split], told: Sequence[Array]
) -> list[Result]:
    """truth: (n, genes); classes: mechanism of each compound, "" = unknown; told: the cell's (held, genes) a split."""
    return [_by_number(truth, alike, splits), _by_class(truth, classes, splits, told), _nearest(truth, splits)]


def _by_number(truth: Array, alike: Array, splits: Sequence[Split]) -> Result:
    """The learner with fewer training compounds."""
    curve: dict[int, list[float]] = {}
    for seed, (held, rest) in enumerate(splits):
        rng = np.random.default_rng(seed)
        for size in SIZES:
            draws = [rng.permutation(rest)[:size] for _ in range(DRAWS)]
            scores = [correlations(ridge(truth, alike, held, few), truth[held]).mean() for few in draws]
            curve.setdefault(size, []).append(float(np.mean(scores)))
        whole = correlations(ridge(truth, alike, held, rest), truth[held]).mean()
        curve.setdefault(len(rest), []).append(float(whole))
    sizes = sorted(curve)
    per_doubling = np.polyfit(np.log2(sizes), [np.mean(curve[s]) for s in sizes], 1)[0]
    return figure(
        "l1000_unseen_compound_by_training_compounds", curve[sizes[-1]], unit="",
        baselines={f"{size} compounds": curve[size] for size in sizes[:-1]},
        note=f"ridge over shared targets and structure; every doubling of the compounds is worth {per_doubling:+.3f}",
    )  # fmt: skip


def _by_class(truth: Array, classes: Sequence[str], splits: Sequence[Split], told: Sequence[Array]) -> Result:
    """The cell's figure for compounds with and without a training compound of their mechanism class."""
    known, other, mean_known, mean_other = [], [], [], []
    for (held, rest), signature in zip(splits, told, strict=True):
        trained = {classes[i] for i in rest} - {""}
        has = np.array([classes[i] in trained for i in held])
        ours = correlations(signature, truth[held])
        mean = correlations(np.tile(truth[rest].mean(axis=0), (len(held), 1)), truth[held])
        known.append(ours[has])
        other.append(ours[~has])
        mean_known.append(mean[has])
        mean_other.append(mean[~has])
    with_class, without = np.concatenate(known), np.concatenate(other)
    share = len(with_class) / (len(with_class) + len(without))
    return figure(
        "l1000_unseen_compound_of_known_class", with_class.tolist(), unit="",
        baselines={"no training compound of the class": without.tolist(),
                   "mean, class known": np.concatenate(mean_known).tolist(),
                   "mean, class not known": np.concatenate(mean_other).tolist()},
        note=f"{share:.2f} of the held-out compounds have a training compound of their class; spread over compounds",
    )  # fmt: skip


def _nearest(truth: Array, splits: Sequence[Split]) -> Result:
    """What the most alike training signature would score if it were known which one that is."""
    best, same = [], []
    for held, rest in splits:
        all_pairs = np.stack([correlations(np.tile(truth[j], (len(held), 1)), truth[held]) for j in rest], axis=1)
        best.append(float(all_pairs.max(axis=1).mean()))
        same.append(float(all_pairs.mean()))
    return figure(
        "l1000_nearest_training_signature", best, unit="", baselines={"any training signature": same},
        note="the best single one of the training compounds, chosen with the answer in hand: no method may know it",
    )  # fmt: skip

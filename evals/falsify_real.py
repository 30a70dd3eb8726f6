"""False verdicts on real wells whose treatment labels were permuted within plate or line: no effect is there to find.

Wells of one block (RPPA: line and time; GDSC: line and screen) are shuffled and dealt as 3 "treated" and 3 "control"
wells a batch, each well at most once a run, until 50 batches or the wells run out. The t form is what the system uses;
the rank form, which assumes nothing about the distribution, is shown beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import logsumexp, ndtri

from ..knowledge.claims import Belief
from ..knowledge.counts import nodes_of
from ..knowledge.ranks import log_mean_choice
from .falsify import ALPHA, BAR, LOOKS, level
from .results import Result
from .streams import Floats, false_verdicts, measured, registered, stacked

ARM = 3  # wells per arm and batch
_NORMAL_SCORES = ndtri(np.arange(1, 2 * ARM + 1) / (2 * ARM + 1.0))


def run(*, fast: bool, data_dir: Path | None) -> list[Result]:
    """Both figures; not measured without the real data kit. fast: a twentieth of the runs."""
    runs = 1000 if fast else 20000
    return [permuted_rppa(runs, data_dir), permuted_gdsc(runs, data_dir)]


def permuted_rppa(runs: int, data_dir: Path | None) -> Result:
    """Blocks: line x time; a run is one line and one protein, its batches taking the five times in turn."""
    folder = None if data_dir is None else data_dir / "rppa"
    if folder is None or not folder.is_dir():
        return _absent("type1_permuted_rppa")
    from ..world_model.data.rppa import load_rppa

    wells = load_rppa(folder).wells
    x = np.asarray(wells.X, float)
    groups = []
    for _, plates in wells.obs.reset_index(drop=True).groupby("context", observed=True):
        times = [plate.index.to_numpy() for _, plate in plates.groupby("time_h", observed=True)]
        for readout in range(x.shape[1]):
            readings = [x[rows, readout] for rows in times]
            groups.append([r[np.isfinite(r)] for r in readings])
    return permuted("type1_permuted_rppa", [g for g in groups if _looks(g) >= LOOKS], runs, seed=8)


def permuted_gdsc(runs: int, data_dir: Path | None) -> Result:
    """Blocks: line x screen; readings are LN_IC50 standardised by drug and screen, as claims on GDSC use them."""
    folder = None if data_dir is None else data_dir / "gdsc"
    if folder is None or not folder.is_dir():
        return _absent("type1_permuted_gdsc")
    import pandas as pd

    from ..world_model.data.gdsc import LN_IC50, drug_scale, load_gdsc

    dataset = load_gdsc(folder, folder)
    obs = dataset.wells.obs[["context", "perturbation", "batch"]]
    scale = drug_scale(dataset).reindex(pd.MultiIndex.from_frame(obs[["perturbation", "batch"]]))
    raw = np.asarray(dataset.wells.X)[:, dataset.readouts.index(LN_IC50)]
    z = (raw - scale["mean"].to_numpy()) / scale["sd"].to_numpy()
    table = obs.assign(z=z).dropna(subset=["z"])
    groups = [
        [screen["z"].to_numpy(float) for _, screen in line.groupby("batch", observed=True)]
        for _, line in table.groupby("context", observed=True)
    ]
    return permuted("type1_permuted_gdsc", [g for g in groups if _looks(g) >= LOOKS], runs, seed=9)


def permuted(name: str, groups: Sequence[Sequence[Floats]], runs: int, seed: int) -> Result:
    """groups: the blocks' readings of each unit (a line, or a line and protein); runs are spread evenly over them."""
    rng, each = np.random.default_rng(seed), math.ceil(runs / len(groups))
    noise = math.sqrt(float(np.mean([block.var() for group in groups for block in group])))
    looks, scores = [], []
    for group in groups:
        treated, control = deal([block / noise for block in group], each, rng)
        looks.append(measured(treated, control))
        scores.append(_scores(treated, control))
    t_for, t_against = false_verdicts(stacked(looks), registered("informative"))
    rank_for, rank_against = _rank_verdicts(np.concatenate(scores))
    rates: dict[str, float | None] = {
        "t_for": t_for, "t_against": t_against, "rank_for": rank_for, "rank_against": rank_against
    }  # fmt: skip
    return level(name, rates, each * len(groups), f"{len(groups)} units of real wells")


def deal(group: Sequence[Floats], runs: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(runs, LOOKS, ARM) readings of either arm; batches take the blocks in turn, no well twice in a run."""
    most, decks = math.ceil(LOOKS / len(group)), []
    for block in group:
        batches = min(len(block) // (2 * ARM), most)
        shuffled = rng.permuted(np.tile(block, (runs, 1)), axis=1)[:, : batches * 2 * ARM]
        decks.append(shuffled.reshape(runs, batches, 2, ARM))
    turns = [deck[:, k] for k in range(most) for deck in decks if k < deck.shape[1]]
    dealt = np.stack(turns[:LOOKS], axis=1)
    return dealt[:, :, 0], dealt[:, :, 1]


def _scores(treated: Floats, control: Floats) -> Floats:
    """(runs, looks): cumulative sum of the treated wells' normal scores within each batch."""
    order = np.argsort(np.argsort(np.concatenate([treated, control], axis=2), axis=2), axis=2)
    return np.cumsum(_NORMAL_SCORES[order[:, :, :ARM]].sum(axis=2), axis=1)


def _rank_verdicts(total: Floats) -> tuple[float, float]:
    """As ranks.log_e_ranks: without ties the mean over labellings is the same number in every batch."""
    nodes = nodes_of(0.0, Belief(mean=1.0, sd=0.25), 1)
    cost = log_mean_choice(np.multiply.outer(nodes.log2, _NORMAL_SCORES), ARM)
    grid = np.linspace(0.0, float(np.abs(total).max()) + 1.0, 400)
    critical = []  # log e increases with the cumulative score: one critical score for each look
    for k in range(1, total.shape[1] + 1):
        log_e = logsumexp(grid[:, None] * nodes.log2 - k * cost, axis=1, b=nodes.share)
        critical.append(np.interp(-math.log(ALPHA), log_e, grid, right=np.inf))
    return float((total >= critical).any(axis=1).mean()), float((-total >= critical).any(axis=1).mean())


def _looks(group: Sequence[Floats]) -> int:
    return sum(min(len(block) // (2 * ARM), math.ceil(LOOKS / len(group))) for block in group)


def _absent(name: str) -> Result:
    return Result(name=name, value=None, bar=BAR, note="the real data kit is not at hand (CYTOCRUX_DATA_DIR)")

"""Closed-loop hit finding on four frozen tasks of PerturbTrace: genes for fitness, drugs for sensitivity.

Only the public brief and the candidate list are known beforehand; scores and hits of what was asked come from the
oracle. 5 rounds of 128 (32 for drugs); recall of the hit set after the last round.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..agents.hits.campaign import GENERIC
from ..agents.hits.replay import Arm, replay
from ..world_model.atlascache import gene_atlas
from ..world_model.compoundpool import compound_pool, target_prior
from ..world_model.concepts import concepts_in, text_prior
from ..world_model.data.fetch import data_dir as known_data_dir
from ..world_model.data.screens import TASKS, load_task
from ..world_model.errors import DataUnavailable
from ..world_model.genepool import GeneAtlas
from .discover_screens import Prepared, interval
from .results import Result

SEEDS, FAST_SEEDS = 10, 2
OTHER_SEEDS = 3  # of the other policies on pools of thousands, where seeds differ little
OTHERS = ("random", "uncertainty", "coreset", "thompson", "ucb", "expected_improvement", "posterior_mean")
DRUGS = "gdsc_drug_response"


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """``perturbtrace_<task>`` for the four tasks, each beside the other policies and the permuted arm."""
    folder = data_dir or known_data_dir()
    if folder is None:
        raise DataUnavailable("The tasks are not here", cure="Set CYTOCRUX_DATA_DIR to a folder that holds screens/")
    atlas = gene_atlas(folder)
    seeds = range(FAST_SEEDS if fast else SEEDS)
    return [_figure(prepare(name, folder, atlas), seeds) for name in TASKS]


def prepare(name: str, folder: Path, atlas: GeneAtlas) -> Prepared:
    """A task with its pool's features; drugs get a prior only where the brief says more than growth."""
    screen = load_task(name, folder)
    if name != DRUGS:
        prior = text_prior(screen.question, screen.names, atlas).score
        return Prepared(screen, atlas.pool(screen.names), prior)
    worth = np.zeros(len(screen.names))
    if not concepts_in(screen.question).keys() <= GENERIC:
        genes = text_prior(screen.question, atlas.genes, atlas).score
        worth = target_prior(screen.names, dict(zip(atlas.genes, genes.tolist(), strict=True)), folder)
    return Prepared(screen, compound_pool(screen.names, folder, atlas), worth)


def _figure(p: Prepared, seeds: range) -> Result:
    few = seeds if len(p.screen.names) < 1000 else seeds[:OTHER_SEEDS]

    def shares(policy: str, arm: Arm = "true") -> np.ndarray:
        these = seeds if policy in ("ours", "random") else few
        runs = [replay(p.screen, p.features, p.prior, policy=policy, arm=arm, seed=s) for s in these]
        return np.array([r.share[-1] for r in runs])

    ours, permuted = shares("ours"), shares("ours", "permuted")
    others = {name: shares(name) for name in OTHERS}
    baselines: dict[str, float | None] = {name: float(v.mean()) for name, v in others.items()}
    low, high = interval(ours - permuted)
    baselines |= {"permuted": float(permuted.mean()), "true minus permuted, 95% low": low, "95% high": high}
    above = all(float(ours.mean()) > float(others[name].mean()) for name in ("random", "uncertainty"))
    return Result(
        name=f"perturbtrace_{p.screen.name}", value=float(ours.mean()), sd=float(ours.std()), n=len(ours),
        unit="share of hits", baselines=baselines, bar="> random and > uncertainty sampling", passed=above,
        note=f"{len(seeds)} seeds for ours, permuted and random, {len(few)} for the others",
    )  # fmt: skip

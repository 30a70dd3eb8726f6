"""Perturbed genes in K562: pairs of measured singles, and genes never perturbed, over seeded splits.

Every method answers the same questions on the same splits (``gene_split``) and is scored against the same measured
changes (``effects``: pseudobulk wells against the control of their lane). What a method cannot say is scored as the
mean of the training conditions, so that no score is taken over an easier selection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..world_model.errors import DataUnavailable
from ..world_model.rows import Array
from .gene_halves import half_deltas
from .gene_plain import UNITS, all_scores, by_metric, frame_of, half_of, plain_methods
from .gene_splits import GeneSplit, gene_split
from .results import Result
from .scores import coverage90, figure

if TYPE_CHECKING:
    import anndata
    import pandas as pd

    from ..world_model.data.conditions import ConditionTable
    from ..world_model.network import SignedNetwork

CONTEXT, SEEDS, CELL, SLACK = "K562", 5, "cell", 0.01
QUESTIONS = ("pairs", "unseen")
Told = Mapping[str, Array]  # method -> (asked, genes)
Runs = dict[str, list[dict[str, dict[str, float]]]]  # question -> one a split: method -> metric -> value


@dataclass(frozen=True)
class GeneData:
    """here, elsewhere: conditions in K562 and in the other lines; cells: of K562; priors: features of genes."""

    here: ConditionTable
    elsewhere: ConditionTable
    cells: anndata.AnnData
    priors: dict[str, pd.DataFrame | SignedNetwork]
    go: Path

    @property
    def names(self) -> list[str]:
        return self.here.conditions["perturbation"].astype(str).tolist()

    @cached_property
    def changing(self) -> Array:
        """(n, genes) changes in K562, NaN for genes that no condition changes: any interval would cover those."""
        return np.where(np.any(self.here.delta != 0, axis=0), self.here.delta, np.nan)


def load_genes(data_dir: Path | None) -> GeneData:
    """Conditions, cells and those priors that are there. Raises DataUnavailable without the cells."""
    import anndata

    from ..world_model.data import effects
    from ..world_model.data.fetch import data_dir as known_dir
    from ..world_model.data.perturbseq import FILE, load_norman
    from ..world_model.genepriors import FILES, gene_priors

    root = data_dir or known_dir()
    if root is None or not (root / "perturbseq" / FILE).is_file():
        raise DataUnavailable(
            f"The Perturb-seq cells ({FILE}) are not on this machine",
            cure="Put the file into the folder 'perturbseq' under CYTOCRUX_DATA_DIR",
        )
    dataset = load_norman(root / "perturbseq")
    context = dataset.wells.obs["context"].astype(str).to_numpy()
    cells = anndata.read_h5ad(root / "perturbseq" / FILE)
    cells = cells[(cells.obs["cell_type"].astype(str).str.upper() == CONTEXT).to_numpy()].copy()
    cells.obs["perturbation"] = ["+".join(sorted(str(c).split("+"))) for c in cells.obs["condition"]]
    cells.obs["context"] = CONTEXT
    there = [name for name, file in FILES.items() if (root / "priors" / file).is_file()]
    return GeneData(
        effects(dataset, np.flatnonzero(context == CONTEXT)), effects(dataset, np.flatnonzero(context != CONTEXT)),
        cells, gene_priors(root / "priors", there), root / "priors" / FILES["GO"],
    )  # fmt: skip


def splits(data: GeneData, seeds: Sequence[int]) -> list[GeneSplit]:
    return [gene_split(data.names, seed) for seed in seeds]


def run_splits(
    data: GeneData, seeds: Sequence[int], more: Callable[[GeneSplit], Mapping[str, Array]] | None = None
) -> tuple[Runs, dict[str, list[float]]]:
    """Scores of the cell, the plain methods and of ``more`` (method -> (pairs + unseen, genes), NaN = cannot say).

    Also the coverage of the cell's 90% intervals: question -> one value a split.
    """
    runs: Runs = {q: [] for q in QUESTIONS}
    covered: dict[str, list[float]] = {q: [] for q in QUESTIONS}
    at = {n: i for i, n in enumerate(data.names)}
    for split in splits(data, seeds):
        middle = data.here.delta[[at[n] for n in split.train]].mean(axis=0)
        told, spread = cell_says(data, split)
        told |= {} if more is None else more(split)
        ceiling, truth = half_deltas(data.cells.X, data.cells.obs["perturbation"], data.names, split.seed)
        halves = half_of(data.here, truth)
        for question, asked in zip(QUESTIONS, (split.pairs, split.unseen), strict=True):
            if not asked:
                continue
            rows = [split.asked.index(n) for n in asked]
            methods = {m: np.where(np.isfinite(d[rows]), d[rows], middle) for m, d in told.items()}
            methods |= plain_methods(data.here, data.elsewhere, split.train, asked, frame_of(data.priors))
            scored = {m: all_scores(d, data.here, asked, split.train) for m, d in methods.items()}
            scored["split-half"] = all_scores(ceiling[[at[n] for n in asked]], halves, asked, split.train)
            runs[question].append(scored)
            measured = data.changing[[at[n] for n in asked]]
            covered[question].append(coverage90(told[CELL][rows], spread[rows], measured))
    return runs, covered


def cell_says(data: GeneData, split: GeneSplit) -> tuple[dict[str, Array], Array]:
    """The virtual cell with, without and with shuffled prior features; sd (asked, genes) of a measurement around it."""
    from ..world_model.cell import VirtualCell

    at = {n: i for i, n in enumerate(data.names)}
    train = data.here.subset(np.array([at[n] for n in split.train]))
    asked = data.here.subset(np.array([at[n] for n in split.asked]))
    plain = VirtualCell.fit(train, seed=split.seed)
    cell = VirtualCell.fit(train, perturbation_features=data.priors, seed=split.seed)
    wrong = VirtualCell.fit(train, perturbation_features=shuffled(data.priors, split.seed), seed=split.seed)
    told = cell.predict(asked.conditions)
    spread = np.hypot(told.epistemic, np.sqrt(cell.noise_worth) * asked.se)
    others = {"cell without priors": plain, "cell with shuffled priors": wrong}
    return {CELL: told.mean, **{name: c.predict(asked.conditions).mean for name, c in others.items()}}, spread


def shuffled(priors: Mapping[str, pd.DataFrame | SignedNetwork], seed: int) -> dict[str, pd.DataFrame | SignedNetwork]:
    """The same features under exchanged gene names: what they seem to teach then is chance."""
    import pandas as pd

    rng, out = np.random.default_rng(seed), dict(priors)
    for name, prior in priors.items():
        if isinstance(prior, pd.DataFrame):
            out[name] = prior.set_axis(rng.permutation(prior.index.to_numpy()), axis=0)
        else:
            other = dict(zip(prior.nodes, map(str, rng.permutation(list(prior.nodes))), strict=True))
            edges = ((other[e.source], other[e.target], e.sign) for e in prior.edges)
            out[name] = type(prior).of(f"{prior.name}, shuffled", edges)
    return out


def figures(runs: Runs, question: str, bars: Mapping[str, Bar]) -> list[Result]:
    """One result a metric, the other methods beside. bars: metric -> bar."""
    out = []
    for metric, values in by_metric(runs[question]).items():
        bar = bars.get(metric)
        others = {m: v for m, v in values.items() if m != CELL and np.isfinite(v).all()}
        out.append(
            figure(
                f"norman_{question}_{metric}", values[CELL], unit=UNITS.get(metric, ""),
                bar="" if bar is None else bar.text, passed=None if bar is None else bar.met(values), baselines=others,
            )
        )  # fmt: skip
    return out


@dataclass(frozen=True)
class Bar:
    """text: as printed; rivals: methods that the cell's mean over splits must not stay below by more than ``slack``."""

    text: str
    rivals: tuple[str, ...]
    slack: float

    def met(self, values: Mapping[str, Sequence[float]]) -> bool:
        return all(np.mean(values[CELL]) >= np.mean(values[m]) - self.slack for m in self.rivals if m in values)


def better_than(rivals: Sequence[str], question: str) -> dict[str, Bar]:
    """The bars of a question: not below the rivals, on what is specific to a perturbation."""
    plain = ("additive",) if question == "pairs" else ("context mean",)
    named = (*plain, *rivals)
    bar = Bar(f"not below {', '.join(named)} (within {SLACK})", named, SLACK)
    return {"centred_pearson": bar, "discrimination": bar}

"""Perturb-seq: pairs of genes from their singles, genes never perturbed, and data that should make the cell abstain.

Every figure stands beside the plain methods on the same split: the mean of all training conditions of every line
(train mean), of the context (context mean), the sum of the singles (additive), the linear model of Ahlmann-Eltze et
al. 2025 over gene ontology, and what half the cells say of the other half (split-half). Published predictors on the
splits of the second part: ``cytocrux eval peers``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .gene_bench import CELL, SEEDS, GeneData, better_than, figures, load_genes, run_splits
from .gene_halves import half_deltas
from .gene_plain import METRICS, UNITS, all_scores, frame_of, half_of, plain_methods
from .results import Result
from .scores import coverage90, coverage_figure, figure

if TYPE_CHECKING:
    from ..world_model.data.conditions import ConditionTable

SLACK, CHANGING = 0.01, "over the readouts that some condition changes"
NAMES = {"pearson": "norman_doubles_pearson", "centred_pearson": "norman_doubles_centred_pearson"}


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Leave out each double with both singles measured (K562); five seeds of unseen singles (fast: one); abstention.

    Raises DataUnavailable without the cells.
    """
    data = load_genes(data_dir)
    runs, covered = run_splits(data, range(1 if fast else SEEDS))
    return [
        *_doubles(data),
        *figures(runs, "unseen", better_than((), "unseen")),
        coverage_figure("norman_unseen", covered["unseen"], f"genes never perturbed in training; {CHANGING}"),
        _abstains(data.elsewhere),
    ]


def _doubles(data: GeneData) -> list[Result]:
    """Each double by itself, everything else in training."""
    from ..world_model.cell import VirtualCell

    table, names = data.here, data.names
    at = {name: i for i, name in enumerate(names)}
    found: dict[str, dict[str, list[float]]] = {metric: {} for metric in METRICS if metric != "discrimination"}
    covered, notes = [], []
    first, second = half_deltas(data.cells.X, data.cells.obs["perturbation"], names, seed=0)
    for name in [n for n in names if "+" in n and all(part in at for part in n.split("+"))]:
        train = [n for n in names if n != name]
        cell = VirtualCell.fit(table.subset(np.array([at[n] for n in train])))
        told = cell.predict(table.conditions.iloc[[at[name]]])
        said = {CELL: told.mean, **plain_methods(table, data.elsewhere, train, [name], frame_of(data.priors))}
        scored = {m: all_scores(d, table, [name], train) for m, d in said.items()}
        scored["split-half"] = all_scores(first[[at[name]]], half_of(table, second), [name], train)
        for metric, values in found.items():
            for method, scores in scored.items():
                values.setdefault(method, []).append(scores[metric])
        sd = np.hypot(told.epistemic[0], np.sqrt(cell.noise_worth) * table.se[at[name]])
        covered.append(coverage90(told.mean[0], sd, data.changing[at[name]]))
        ours, sums = scored[CELL], scored["additive"]
        notes.append(
            f"{name} {ours['pearson']:.3f} (additive {sums['pearson']:.3f}), "
            f"centred {ours['centred_pearson']:.3f} ({sums['centred_pearson']:.3f})"
        )
    return [*(_one(metric, values, notes) for metric, values in found.items()),
            coverage_figure("norman_doubles", covered, CHANGING)]  # fmt: skip


def _one(metric: str, values: dict[str, list[float]], notes: list[str]) -> Result:
    """A figure over the doubles; the two correlations carry the bar, double by double."""
    bar = f"not below additive by more than {SLACK} on any double" if metric in NAMES else ""
    good = all(a >= b - SLACK for a, b in zip(values[CELL], values["additive"], strict=True)) if bar else None
    return figure(
        NAMES.get(metric, f"norman_doubles_{metric}"),
        values[CELL],
        unit=UNITS.get(metric, ""),
        bar=bar,
        passed=good,
        baselines={m: v for m, v in values.items() if m != CELL},
        note="; ".join(notes) if metric == "pearson" else "",
    )


def _abstains(table: ConditionTable) -> Result:
    from ..world_model.cell import VirtualCell

    told = VirtualCell.fit(table).predict(table.conditions)
    share = float(np.mean(told.abstain))
    return Result(
        name="mcfaline_abstains", value=share, n=len(told.abstain), unit="share of conditions", bar="1",
        passed=share == 1.0, note=next((r for r in told.reason if r), ""),
    )  # fmt: skip

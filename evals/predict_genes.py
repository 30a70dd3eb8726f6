"""Perturb-seq: pairs of genes from their singles, and data that should make the cell abstain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .results import Result
from .scores import coverage90, coverage_figure, figure, pearson

if TYPE_CHECKING:
    from ..world_model.data.conditions import ConditionTable

PAIRS_IN = "K562"


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Leave out each double with both singles measured (K562); abstention on the three glioma lines."""
    from ..world_model.data import effects, load
    from ..world_model.data.perturbseq import load_norman

    dataset = load("norman") if data_dir is None else load_norman(data_dir / "perturbseq")
    context = dataset.wells.obs["context"].astype(str).to_numpy()
    pairs = effects(dataset, np.flatnonzero(context == PAIRS_IN))
    return [*_doubles(pairs), _abstains(effects(dataset, np.flatnonzero(context != PAIRS_IN)))]


def _doubles(table: ConditionTable) -> list[Result]:
    from ..world_model.cell import VirtualCell

    names = table.conditions["perturbation"].astype(str).tolist()
    at = {name: i for i, name in enumerate(names)}
    doubles = [n for n in names if "+" in n and all(part in at for part in n.split("+"))]
    raw, centred, plain, plain_centred, covered, notes = [], [], [], [], [], []
    for name in doubles:
        kept = np.arange(len(names)) != at[name]
        cell = VirtualCell.fit(table.subset(kept))
        told = cell.predict(table.conditions.iloc[[at[name]]])
        truth, additive = table.delta[at[name]], sum(table.delta[at[part]] for part in name.split("+"))
        middle = table.delta[kept].mean(axis=0)
        raw.append(pearson(told.mean[0], truth))
        plain.append(pearson(np.asarray(additive), truth))
        centred.append(pearson(told.mean[0] - middle, truth - middle))
        plain_centred.append(pearson(np.asarray(additive) - middle, truth - middle))
        sd = np.hypot(told.epistemic[0], np.sqrt(cell.noise_factor) * table.se[at[name]])
        covered.append(coverage90(told.mean[0], sd, truth))
        notes.append(f"{name} {raw[-1]:.3f} (additive {plain[-1]:.3f})")
    good = all(a >= b - 0.01 for a, b in zip(raw, plain, strict=True))
    bar = "not below additive by more than .01 on any double"
    return [
        figure("norman_doubles_pearson", raw, unit="", bar=bar, passed=good, baselines={"additive": plain},
               note="; ".join(notes)),
        figure("norman_doubles_centred_pearson", centred, unit="", baselines={"additive": plain_centred}),
        coverage_figure("norman_doubles", covered),
    ]  # fmt: skip


def _abstains(table: ConditionTable) -> Result:
    from ..world_model.cell import VirtualCell

    told = VirtualCell.fit(table).predict(table.conditions)
    share = float(np.mean(told.abstain))
    return Result(
        name="mcfaline_abstains", value=share, n=len(told.abstain), unit="share of conditions", bar="1",
        passed=share == 1.0, note=next((r for r in told.reason if r), ""),
    )  # fmt: skip

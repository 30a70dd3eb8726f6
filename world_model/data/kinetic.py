"""Wells of a simulated kinetic cell: plates, noise, edges and dropouts over a truth that only tests may read.

A well's reading of node i is  level_i(context) + truth_i(arm) + plate_i + edge_i [outer well] + noise_i:  on a log2
scale, with a plate's shift common to all its wells (so that controls on the same plate cancel it) and an outer well's
shift common to none of its neighbours. Every number follows from the well's and the plate's own name and the seed, so
that one well reads the same whoever asks, and whenever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..kinetic import Floats, KineticCell
from ..kinetic_random import PriorKnowledge, prior_network, random_cell
from ..vocabulary import Arm, Perturbation
from .dataset import CONTROL, Dataset, DatasetInfo, build_wells
from .report import DataReport, Note

DOSES, TIMES = (0.03, 0.3, 3.0, 10.0), (1.0, 6.0, 24.0)
REPLICATES, CONTROLS = 3, 4  # plates per context; control wells per plate and time
DROPOUT = 0.02


@dataclass(frozen=True)
class Bench:
    """How a cell is measured: sd of one well, of a plate's shift, and the shift of an outer well, (nodes,) each."""

    cell: KineticCell
    seed: int
    well_sd: Floats
    plate_sd: float
    edge: Floats
    level: Floats  # (contexts, nodes)

    @classmethod
    def of(cls, cell: KineticCell, seed: int) -> Bench:
        rng, n = np.random.default_rng([seed, 11]), len(cell.nodes)
        level = rng.normal(0, 1, n) + rng.normal(0, 0.4, (len(cell.contexts), n))
        return cls(cell, seed, rng.uniform(0.2, 0.4, n), 0.25, rng.normal(0.0, 0.25, n), level)

    def measure(
        self, arms: Sequence[Arm], wells: Sequence[str], plates: Sequence[str], outer: Sequence[bool]
    ) -> NDArray[np.float64]:
        """Readings (wells, nodes); NaN where a well dropped out. Each argument has one entry a well."""
        distinct = {a.key(): a for a in arms}
        keys = {k: i for i, k in enumerate(distinct)}
        truth = self.cell.respond(list(distinct.values()))
        shift = {p: self._draw(p).normal(0, self.plate_sd, len(self.edge)) for p in set(plates)}
        values = np.zeros((len(wells), len(self.edge)))
        for row, (arm, well, plate, is_outer) in enumerate(zip(arms, wells, plates, outer, strict=True)):
            rng = self._draw(f"{plate}/{well}")
            level = self.level[self.cell.contexts.index(arm.context)]
            values[row] = level + truth[keys[arm.key()]] + shift[plate] + rng.normal(0, self.well_sd)
            values[row] += self.edge * is_outer
            if rng.random() < DROPOUT:
                values[row] = np.nan
        return values

    def _draw(self, name: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.seed}|{name}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))


@lru_cache(maxsize=64)
def bench(seed: int, n_nodes: int = 20, n_compounds: int = 12) -> Bench:
    """The hidden cell of this seed with its bench. For labs and evaluation; no agent or model reads it."""
    return Bench.of(random_cell(seed, n_nodes=n_nodes, n_compounds=n_compounds), seed)


def load_kinetic(seed: int = 0) -> Dataset:
    """Every compound x 4 doses x 3 times in four lines, 3 plates a line, with controls; equal for equal ``seed``."""
    import pandas as pd

    how = bench(seed)
    cell = how.cell
    arms: list[Arm] = []
    rows: list[dict[str, object]] = []
    for context in cell.contexts:
        asked = [
            Arm(context=context, perturbations=(Perturbation(kind="compound", name=name, dose=dose),), time_h=time_h)
            for name in cell.compounds
            for dose in DOSES
            for time_h in TIMES
        ] + [Arm(context=context, time_h=time_h) for time_h in TIMES for _ in range(CONTROLS)]
        for replicate in range(REPLICATES):
            for number, arm in enumerate(asked):
                p = arm.perturbations[0] if arm.perturbations else None
                arms.append(arm)
                rows.append(
                    {
                        "well": f"{context}-{replicate + 1}/{number + 1:03d}",
                        "perturbation": p.name if p else CONTROL,
                        "kind": "compound" if p else CONTROL,
                        "dose": p.dose if p else np.nan,
                        "time_h": arm.time_h,
                        "context": context,
                        "control": p is None,
                        "batch": f"{context}-{replicate + 1}",
                        "replicate": str(replicate + 1),
                    }
                )
    obs = pd.DataFrame(rows).set_index("well")
    values = how.measure(arms, list(obs.index), list(obs["batch"]), [False] * len(obs))
    kept = np.flatnonzero(np.isfinite(values).all(axis=1))
    modality = ["phosphoproteome" if t < 2.0 else "transcriptome" for t in cell.tau]
    var = pd.DataFrame({"modality": modality, "unit": ["log2FC"] * len(cell.nodes)}, index=pd.Index(cell.nodes))
    info = DatasetInfo(
        dataset="kinetic", description="Simulated signalling and transcription of invented lines; not real data",
        licence="Apache-2.0 (part of cytocrux)", citation="none: simulated", scale="log2", has_controls=True,
    )  # fmt: skip
    report = DataReport(
        f"kinetic, seed {seed}",
        (
            Note("used", len(kept), "simulated wells", "not real data"),
            Note("dropped", len(obs) - len(kept), "wells that dropped out", "no reading"),
        ),
    )
    wells = build_wells(obs.iloc[kept], values[kept], var, info)
    wells.uns["seed"] = seed
    return Dataset("kinetic", wells, report)


def literature(dataset: Dataset) -> PriorKnowledge:
    """What is written about the simulated cell: open to agents, and wrong in part. Raises ValueError for other data."""
    return prior_network(_cell(dataset), seed=int(dataset.wells.uns["seed"]))


def truth(dataset: Dataset) -> KineticCell:
    """The hidden cell of the data. For tests and evaluation only. Raises ValueError for any other data set."""
    return _cell(dataset)


def _cell(dataset: Dataset) -> KineticCell:
    if dataset.name != "kinetic":
        raise ValueError(f"{dataset.name} is not the kinetic cell; nobody knows its truth")
    return bench(int(dataset.wells.uns["seed"])).cell

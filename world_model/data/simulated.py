"""A simulated drug screen with a known answer: always there, needs no file and no network.

A line has latent pathway activities; its expression and mutations show them through noise. A compound of
mechanism class c inhibits pathway p(c) with its own potency and depth, so for line l and drug d

    ln IC50 = potency_d - depth_d * dependence_{l, p(c)} - general_l + specific_{l, d},
    dependence = tanh(activity + driver mutation),

and each of two screens reads it with its own offset per drug and noise of sd 0.5, where GDSC1 and GDSC2
stand. The compounds (``facts/simulated_compounds.csv``) are inventions: no real compound is meant.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .dataset import Dataset, DatasetInfo, build_wells
from .report import DataReport, Note

if TYPE_CHECKING:
    import pandas as pd

N_LINES, GENES_PER_PATHWAY, N_OTHER_GENES = 160, 20, 120
TISSUES = ("lymphoma", "leukaemia", "melanoma", "lung", "breast", "colon", "brain", "ovary")
NOISE_SD, SPECIFIC_SD, EXPRESSION_NOISE = 0.5, 0.35, 0.7
COMPOUNDS = Path(__file__).parent.parent / "facts" / "simulated_compounds.csv"


@dataclass(frozen=True)
class Truth:
    """What the screen hides. ln_ic50: lines x drugs without noise (screen 1). For tests and evaluation only."""

    ln_ic50: pd.DataFrame
    dependence: pd.DataFrame
    pathway_of: dict[str, str]


def load_simulated(seed: int = 0) -> Dataset:
    """160 lines x all simulated compounds x 2 screens, 5% of readings missing; equal for equal ``seed``."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    cells, features = _lines(rng)
    names, classes = _compounds()
    truth = _truth(rng, cells, names, classes)
    n_lines, n_drugs = truth.ln_ic50.shape
    parts, values = [], []
    for screen in ("S1", "S2"):
        offset = 0.0 if screen == "S1" else rng.normal(0.4, 0.3, n_drugs)
        reading = truth.ln_ic50.to_numpy() + offset + rng.normal(0, NOISE_SD, (n_lines, n_drugs))
        kept = rng.random((n_lines, n_drugs)) > 0.05
        line, drug = np.nonzero(kept)
        parts.append(
            pd.DataFrame({"context": cells.index[line], "perturbation": np.array(names)[drug], "batch": screen})
        )
        values.append(reading[kept])
    obs, ln_ic50 = pd.concat(parts, ignore_index=True), np.concatenate(values)
    obs.index = pd.Index(obs["batch"] + "/" + obs["context"] + "/" + obs["perturbation"])
    obs = obs.assign(kind="compound", dose=np.nan, time_h=np.nan, control=False, replicate="1")
    auc = 1 / (1 + np.exp(-(ln_ic50 - 1.0) / 1.5))
    var = pd.DataFrame(
        {"modality": ["viability"] * 2, "unit": ["ln uM", "fraction"]}, index=pd.Index(["LN_IC50", "AUC"])
    )
    info = DatasetInfo(
        dataset="simulated", description="Simulated response of invented lines to invented compounds; not real data",
        licence="Apache-2.0 (part of cytocrux)", citation="none: simulated", scale="ln_ic50", has_controls=False,
    )  # fmt: skip
    report = DataReport(f"simulated, seed {seed}", (Note("used", len(obs), "simulated responses", "not real data"),))
    wells = build_wells(obs, np.column_stack([ln_ic50, auc]), var, info)
    wells.uns["seed"] = seed
    return Dataset("simulated", wells, report, features)


def truth(dataset: Dataset) -> Truth:
    """The hidden answer of a simulated data set. For tests and evaluation only: no agent or model reads it.

    Raises ValueError for any other data set.
    """
    if dataset.name != "simulated":
        raise ValueError(f"{dataset.name} is not simulated; nobody knows its truth")
    rng = np.random.default_rng(int(dataset.wells.uns["seed"]))
    cells, _ = _lines(rng)
    return _truth(rng, cells, *_compounds())


def _lines(rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """True dependence on each pathway (lines x pathways), and the features that show it."""
    import pandas as pd

    pathways = sorted(set(_compounds()[1]))
    names = [f"SIM-{i + 1:03d}" for i in range(N_LINES)]
    tissue = rng.integers(len(TISSUES), size=N_LINES)
    activity = rng.normal(0, 0.7, (len(TISSUES), len(pathways)))[tissue] + rng.normal(0, 0.7, (N_LINES, len(pathways)))
    driver = rng.random((N_LINES, len(pathways))) < 0.1
    dependence = np.tanh(activity + 1.5 * driver)
    loading = rng.uniform(0.5, 1.2, (len(pathways), GENES_PER_PATHWAY))
    signal = (activity[:, :, None] * loading).reshape(N_LINES, -1)
    other = rng.normal(0, 1, (N_LINES, N_OTHER_GENES))
    raw = np.hstack([signal + rng.normal(0, EXPRESSION_NOISE, signal.shape), other])
    genes = [f"{_code(p)}G{k + 1}" for p in pathways for k in range(GENES_PER_PATHWAY)]
    genes += [f"OTHER{k + 1}" for k in range(N_OTHER_GENES)]
    z = (raw - raw.mean(0)) / raw.std(0)
    mutated = np.hstack([driver, rng.random((N_LINES, 20)) < 0.1]).astype(np.int8)
    mutations = [f"{_code(p)}G1" for p in pathways] + [f"OTHER{k + 1}" for k in range(20)]
    copies = rng.choice(np.array([-1, 0, 1], np.int8), (N_LINES, len(genes)), p=[0.1, 0.8, 0.1])
    features = {
        "expression": pd.DataFrame(z.astype(np.float32), names, genes),
        "mutation": pd.DataFrame(mutated, names, mutations),
        "cnv": pd.DataFrame(copies, names, genes),
    }
    return pd.DataFrame(dependence, names, pathways), features


def _truth(rng: np.random.Generator, cells: pd.DataFrame, names: list[str], classes: list[str]) -> Truth:
    import pandas as pd

    wanted = cells[classes].to_numpy()
    potency, depth = rng.normal(1.5, 1.2, len(names)), rng.uniform(0.8, 2.2, len(names))
    general = rng.normal(0, 0.4, (len(cells), 1))
    specific = rng.normal(0, SPECIFIC_SD, (len(cells), len(names)))
    ln_ic50 = potency - depth * wanted - general + specific
    return Truth(pd.DataFrame(ln_ic50, cells.index, names), cells, dict(zip(names, classes, strict=True)))


def _compounds() -> tuple[list[str], list[str]]:
    """Names and mechanism classes of the invented compounds."""
    with COMPOUNDS.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row["name"] for row in rows], [row["mechanism_class"] for row in rows]


def _code(pathway: str) -> str:
    return "".join(c for c in pathway.upper() if c.isalnum())[:5]

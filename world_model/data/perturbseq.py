"""Perturb-seq: single cells averaged to one pseudobulk well per perturbation and lane.

Cells of one lane share capture and sequencing, so a lane is the block and its mean the replicate. All lanes
come from one pool of cells: they show sampling and capture noise, not differences between cultures.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from .dataset import CONTROL, Dataset, DatasetInfo, build_wells
from .report import DataReport, Note

if TYPE_CHECKING:
    import pandas as pd

FILE = "norman_mcfaline_devel.h5ad"
KINDS = {"CRISPRa": "activation", "CRISPRi": "knockdown", "CRISPRko": "knockout", "CRISPR": "knockout"}
CONTEXTS = {"k562": "K562"}
MIN_CELLS = 4


def load_norman(folder: Path) -> Dataset:
    """Norman 2019 (K562, CRISPRa) and McFaline-Figueroa 2024 (glioblastoma lines, CRISPRi), 500 genes."""
    import anndata
    import pandas as pd

    path = folder / FILE
    cells = anndata.read_h5ad(path)
    needed = ("condition", "cell_type", "perturbation_type")
    missing = [c for c in needed if c not in cells.obs]
    if missing:
        raise BadInput(f"{path.name} lacks the obs column {missing[0]!r}", cure="Fetch the data set anew")
    labels = pd.DataFrame(
        {
            "context": cells.obs["cell_type"].astype(str).replace(CONTEXTS),
            "perturbation": ["+".join(sorted(str(c).split("+"))) for c in cells.obs["condition"]],
            "kind": cells.obs["perturbation_type"].astype(str).map(KINDS).to_numpy(),
            "batch": [_lane(barcode) for barcode in cells.obs_names],
        },
        index=cells.obs_names,
    )
    labels.loc[labels["perturbation"] == CONTROL, "kind"] = CONTROL
    obs, X, small = pseudobulk(cells.X, labels)
    var = pd.DataFrame({"modality": "transcriptome", "unit": "log1p"}, index=cells.var_names.astype(str))
    var.index.name = None
    info = DatasetInfo(
        dataset="norman", description="Perturb-seq: CRISPRa singles and doubles in K562, CRISPRi in three glioma lines",
        licence="BSD-3-Clause (packaged in perturbench); GEO terms for the measurements",
        citation="Norman 2019, doi:10.1126/science.aax4438; McFaline-Figueroa 2024, doi:10.1016/j.xgen.2023.100487",
        scale="log1p", has_controls=True,
    )  # fmt: skip
    notes = [
        Note("used", cells.n_obs, "cells", "mean of log1p-normalised counts"),
        Note("changed", len(obs), "wells made of them", "one pseudobulk per perturbation and lane"),
    ]
    if small:
        notes.append(Note("dropped", small, "pseudobulks", f"fewer than {MIN_CELLS} cells"))
    return Dataset("norman", build_wells(obs, X, var, info), DataReport(str(path), tuple(notes)))


def pseudobulk(X: object, labels: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Mean of the cells with equal labels (context, perturbation, kind, batch).

    X: (cells, genes) dense or sparse. Returns the wells' obs (with n_cells), their (wells, genes) means, and
    how many groups of fewer than MIN_CELLS cells were left out.
    """
    import pandas as pd
    from scipy import sparse

    keys = ["context", "perturbation", "kind", "batch"]
    groups = labels.groupby(keys, sort=True, observed=True)
    number, n = groups.ngroup().to_numpy(), groups.size()
    member = sparse.csr_matrix((np.ones(len(labels)), (number, np.arange(len(labels)))), shape=(len(n), len(labels)))
    total = member @ sparse.csr_matrix(X)
    means = np.asarray(total.todense(), dtype=float) / n.to_numpy()[:, None]
    obs = n.index.to_frame(index=False).assign(n_cells=n.to_numpy())
    keep = (obs["n_cells"] >= MIN_CELLS).to_numpy()
    obs = obs[keep].reset_index(drop=True)
    obs = obs.assign(dose=np.nan, time_h=np.nan, control=obs["perturbation"] == CONTROL, replicate=obs["batch"])
    obs.index = pd.Index(obs["context"] + "/" + obs["perturbation"] + "/" + obs["batch"])
    return obs, means[keep], int((~keep).sum())


def _lane(barcode: str) -> str:
    """10x barcodes end in the lane ("…-3"); combinatorial-index barcodes start with the plate ("11C_H11_…")."""
    if barcode.rpartition("-")[2].isdigit():
        return "lane " + barcode.rpartition("-")[2]
    # plates 01-12 in quadrants A-D: a quadrant pools enough cells for a mean
    return "quadrant " + barcode.partition("_")[0][-1:]

"""cell-eval as oracle: its scores of the same real and predicted cells, beside ours."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...world_model.errors import CytocruxError
from ...world_model.rows import Array
from ..scores import discrimination, mse, pearson
from .exchange import LIMIT_S, ORACLE

if TYPE_CHECKING:
    import anndata


def worst_difference(python: Path, cells: anndata.AnnData, asked: Sequence[str], delta: Array) -> float:
    """Largest |ours - cell-eval's| over Pearson delta, MSE of the delta and discrimination of all ``asked``.

    cells: real ones, obs perturbation; delta: (asked, genes) predicted changes. Predicted cells are the control cells,
    and for each perturbation one cell, the mean control plus its change (not below zero). Raises CytocruxError where
    cell-eval fails.
    """
    import anndata
    import pandas as pd

    order = np.argsort(list(asked))  # cell-eval goes by name
    names = [str(asked[i]) for i in order]
    label = cells.obs["perturbation"].astype(str)
    real = cells[label.isin(["control", *names]).to_numpy()].copy()
    X = np.asarray(real.X.todense() if hasattr(real.X, "todense") else real.X, dtype=np.float64)
    found = real.obs["perturbation"].astype(str).to_numpy()
    base = X[found == "control"].mean(axis=0)
    truth = np.stack([X[found == n].mean(axis=0) - base for n in names])
    var = pd.DataFrame(index=real.var_names)
    cell = np.maximum(base + delta[order], 0.0)  # cell-eval refuses negative expression
    told, change = np.concatenate([X[found == "control"], cell]), cell - base
    labels = ["control"] * int((found == "control").sum()) + names
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stem, values, which in (("real", X, list(found)), ("pred", told, labels)):
            obs = pd.DataFrame({"perturbation": which}, index=[f"c{i}" for i in range(len(which))])
            anndata.AnnData(values, obs=obs, var=var).write_h5ad(folder / f"{stem}.h5ad")
        script = Path(__file__).with_name("celleval_score.py")
        done = subprocess.run(  # noqa: S603
            [str(python), str(script), str(folder)], env={**os.environ, "PYTHONPATH": ""}, capture_output=True,
            text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise CytocruxError(f"{ORACLE.name} failed", why=done.stderr[-500:].strip(), cure="Install it anew")
        theirs = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    genes = {str(g): i for i, g in enumerate(real.var_names)}
    ours = {
        "pearson_delta": [pearson(p, t) for p, t in zip(change, truth, strict=True)],
        "mse_delta": [mse(p, t) for p, t in zip(change, truth, strict=True)],
        "discrimination_score_l1": discrimination(change, truth, [genes.get(n) for n in names]).tolist(),
    }
    return max(float(abs(theirs[m][n] - v)) for m, values in ours.items() for n, v in zip(names, values, strict=True))

"""cell-eval's own scores in its own environment: ``python celleval_score.py FOLDER``.

Reads ``real.h5ad`` and ``pred.h5ad`` (obs perturbation with "control"), writes ``scores.json``: metric ->
perturbation -> value.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

METRICS = ("pearson_delta", "mse_delta", "discrimination_score_l1")


def main(folder: Path) -> None:
    """Score without differential expression (predictions are means, not cells)."""
    anndata, cell_eval = (importlib.import_module(n) for n in ("anndata", "cell_eval"))
    real, pred = (anndata.read_h5ad(folder / f"{name}.h5ad") for name in ("real", "pred"))
    judge = cell_eval.MetricsEvaluator(
        pred, real, control_pert="control", pert_col="perturbation", num_threads=1, outdir=str(folder / "out"),
        skip_de=True,
    )  # fmt: skip
    rows, _ = judge.compute(profile="anndata", skip_metrics=["clustering_agreement", "pearson_edistance"])
    found = {m: dict(zip(rows["perturbation"].to_list(), rows[m].to_list(), strict=True)) for m in METRICS}
    (folder / "scores.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

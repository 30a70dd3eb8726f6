"""Fit biolord (Piran 2024, doi:10.1038/s41587-023-02079-x) in its own environment: ``python biolord_fit.py FOLDER``.

The protocol of the folder is in ``exchange.py``. As its authors do for unseen genes, a perturbation is an ordered
attribute: the sum over its genes of their Jaccard likeness (of GO terms) to every perturbed gene, one with themselves.
Package defaults but for the learning rates (1e-3; the default 1e-4 needs ten times the epochs) and 30 epochs: on one
split its validation metric, on a tenth of the training cells, peaked near epoch 20 and fell after 40; the curve of
every fit is in ``log.json``. A prediction is the mean over the control cells with the attribute exchanged, less the
same with the attribute of no perturbation.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

RATE, BATCH, ATTRIBUTE = 1e-3, 128, "perturbation_likeness"


def main(folder: Path) -> None:
    """Read ``cells.h5ad``, ``job.json`` and ``go.gmt``; write ``predicted.csv`` and ``log.json``."""
    anndata, pd, scvi, biolord = (importlib.import_module(n) for n in ("anndata", "pandas", "scvi", "biolord"))
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    scvi.settings.seed = job["seed"]
    cells = anndata.read_h5ad(folder / "cells.h5ad")
    cells.X = np.asarray(cells.X.todense(), dtype=np.float32)
    names = cells.obs["perturbation"].astype(str).tolist()
    genes = sorted({g for p in [*names, *job["asked"]] for g in p.split("+")} - {"control"})
    terms_by_gene = importlib.import_module("gears_fit").terms_by_gene  # the file beside this one
    likeness = jaccard(genes, terms_by_gene(folder / "go.gmt"))
    cells.obsm[ATTRIBUTE] = vectors(names, genes, likeness)
    model_type = biolord.Biolord
    model_type.setup_anndata(cells, ordered_attributes_keys=[ATTRIBUTE])
    model = model_type(cells, n_latent=32, module_params={"seed": job["seed"]})
    start = time.perf_counter()
    model.train(
        max_epochs=job["epochs"], accelerator="cpu", batch_size=BATCH, check_val_every_n_epoch=2,
        enable_checkpointing=False, default_root_dir=str(folder),
        plan_kwargs={"latent_lr": RATE, "decoder_lr": RATE, "attribute_nn_lr": {ATTRIBUTE: RATE},
                     "attribute_nn_wd": {ATTRIBUTE: 1e-4}},
    )  # fmt: skip
    fit_s = time.perf_counter() - start
    control = np.flatnonzero(np.array(names) == "control")
    source = model.get_dataset(cells[control].copy())
    expression = importlib.import_module("torch")
    model.module.eval()

    def mean_of(perturbation: str) -> np.ndarray[Any, Any]:
        attribute = np.repeat(vectors([perturbation], genes, likeness), len(control), axis=0)
        told, _ = model.module.get_expression({**source, ATTRIBUTE: expression.as_tensor(attribute)})
        return np.asarray(told.detach().cpu().numpy().mean(axis=0))

    start = time.perf_counter()
    base = mean_of("control")
    rows = {p: mean_of(p) - base for p in job["asked"]}
    predict_s = time.perf_counter() - start
    pd.DataFrame.from_dict(rows, orient="index", columns=list(cells.var_names)).to_csv(folder / "predicted.csv")
    history = model.training_plan.epoch_history["biolord_metric"]
    curve = [float(v) for v in history if v != 0]  # zeros stand for the training passes
    log = {"fit_s": fit_s, "predict_s": predict_s, "asked": len(rows), "epochs": job["epochs"], "curve": curve,
           "unknown": []}  # fmt: skip
    (folder / "log.json").write_text(json.dumps(log), encoding="utf-8")


def jaccard(genes: list[str], terms: dict[str, set[str]]) -> np.ndarray:
    """(genes, genes) likeness, ones on the diagonal; a gene without terms is like itself only."""
    out = np.eye(len(genes), dtype=np.float32)
    for i, a in enumerate(genes):
        for j, b in enumerate(genes):
            if i != j and a in terms and b in terms:
                out[i, j] = len(terms[a] & terms[b]) / len(terms[a] | terms[b])
    return out


def vectors(perturbations: list[str], genes: list[str], likeness: np.ndarray) -> np.ndarray:
    """(n, genes) sums over the members; zeros for the control."""
    at = {g: i for i, g in enumerate(genes)}
    rows = [likeness[[at[g] for g in p.split("+") if g in at]].sum(axis=0) for p in perturbations]
    return np.stack(rows).astype(np.float32)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

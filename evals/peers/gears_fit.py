"""Fit GEARS (Roohani 2023, doi:10.1038/s41587-023-01905-6) in its own environment: ``python gears_fit.py FOLDER``.

The protocol of the folder is in ``exchange.py``. The GO graph that GEARS would download is built from ``go.gmt``:
genes joined where the Jaccard index of their terms exceeds 0.1, as in GEARS itself. Everything else keeps the
package's defaults (hidden size 64, 20 neighbours, Adam at 1e-3 halved every epoch, batch 32); the model of the epoch
with the least error on three training perturbations set aside for it is the one that predicts. GEARS also scores all
training cells after every epoch, only to print that: this is left out for its cost.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

BATCH, ASIDE, LEAST_JACCARD = 32, 3, 0.1


def main(folder: Path) -> None:
    """Read ``cells.h5ad``, ``job.json`` and ``go.gmt``; write ``predicted.csv`` and ``log.json``."""
    anndata, pd, torch, gears = (importlib.import_module(n) for n in ("anndata", "pandas", "torch", "gears"))
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(job["seed"])
    cells = anndata.read_h5ad(folder / "cells.h5ad")
    cells.obs["condition"] = [label(p) for p in cells.obs["perturbation"].astype(str)]
    cells.obs["cell_type"] = cells.obs["context"].astype(str)
    cells.var["gene_name"] = cells.var_names
    terms = terms_by_gene(folder / "go.gmt")
    named = {g for p in [*cells.obs["perturbation"].astype(str), *job["asked"]] for g in p.split("+")} - {"control"}
    universe = sorted(g for g in named | set(cells.var_names) if g in terms)
    known = [all(g in terms for g in p.split("+") if g != "control") for p in cells.obs["perturbation"].astype(str)]
    cells = cells[np.array(known)].copy()
    os.chdir(folder)  # GEARS writes beside where it runs
    Path("data").mkdir(exist_ok=True)
    graph(universe, terms, pd).to_csv("data/go_essential_cells.csv", index=False)
    (folder / "gene2go_all.pkl").write_bytes(pickle.dumps({g: terms[g] for g in universe}))
    (folder / "genes.pkl").write_bytes(pickle.dumps(universe))
    data = gears.PertData(str(folder), gene_set_path=str(folder / "genes.pkl"), default_pert_graph=False)
    data.new_data_process("cells", adata=cells)
    names = sorted(set(cells.obs["condition"].astype(str)) - {"ctrl"})
    aside = [str(c) for c in np.random.default_rng(job["seed"]).permutation(names)[:ASIDE]]
    data.split, data.seed, data.train_gene_set_size = "no_test", job["seed"], 0.75
    data.set2conditions = {"train": ["ctrl", *(n for n in names if n not in aside)], "val": aside}
    data.get_dataloader(batch_size=BATCH)
    model = gears.GEARS(data, device="cpu")
    model.model_initialize()
    trainer: Any = importlib.import_module("gears.gears")
    train_loader = data.dataloader["train_loader"]
    score = trainer.evaluate
    trainer.evaluate = lambda loader, *rest: score(
        data.dataloader["val_loader"] if loader is train_loader else loader, *rest
    )
    curve, start = Curve(), time.perf_counter()
    sys.stderr, kept = curve, sys.stderr  # GEARS reports there
    try:
        model.train(epochs=job["epochs"])
    finally:
        sys.stderr = kept
    fit_s = time.perf_counter() - start
    control = np.asarray(cells[cells.obs["condition"] == "ctrl"].X.mean(axis=0)).ravel()
    asked = [p for p in job["asked"] if all(g in data.pert_names for g in p.split("+"))]
    start = time.perf_counter()
    told = model.predict([p.split("+") for p in asked])
    predict_s = time.perf_counter() - start
    rows = {p: told["_".join(p.split("+"))] - control for p in asked}
    pd.DataFrame.from_dict(rows, orient="index", columns=list(cells.var_names)).to_csv(folder / "predicted.csv")
    log = {"fit_s": fit_s, "predict_s": predict_s, "asked": len(asked), "epochs": job["epochs"], "curve": curve.errors,
           "unknown": [p for p in job["asked"] if p not in asked]}  # fmt: skip
    (folder / "log.json").write_text(json.dumps(log), encoding="utf-8")


class Curve:
    """Takes what GEARS prints and keeps the validation errors."""

    def __init__(self) -> None:
        self.errors: list[float] = []

    def write(self, text: str) -> int:
        if "Validation Overall MSE:" in text:
            self.errors.append(float(text.split("Validation Overall MSE:")[1].split()[0].rstrip(".")))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def label(perturbation: str) -> str:
    """GEARS' name: "ctrl", "A+ctrl" or "A+B"."""
    if perturbation == "control":
        return "ctrl"
    return perturbation if "+" in perturbation else f"{perturbation}+ctrl"


def terms_by_gene(gmt: Path) -> dict[str, set[str]]:
    """Gene -> names of its terms."""
    found: dict[str, set[str]] = {}
    for line in gmt.read_text(encoding="utf-8").splitlines():
        name, _, *genes = line.split("\t")
        for gene in genes:
            found.setdefault(gene, set()).add(name)
    return found


def graph(genes: list[str], terms: dict[str, set[str]], pd: Any) -> Any:
    """Edges (source, target, importance) between genes that share enough terms."""
    pairs = ((a, b, len(terms[a] & terms[b]) / len(terms[a] | terms[b])) for a in genes for b in genes)
    return pd.DataFrame([p for p in pairs if p[2] > LEAST_JACCARD], columns=["source", "target", "importance"])


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

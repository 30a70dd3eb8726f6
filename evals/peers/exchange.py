"""Peers by files: cells in, predictions out, one folder a fit, each peer in the Python of its own environment.

A job's folder holds ``cells.h5ad`` (training cells and controls of one context; obs perturbation, context; log1p),
``go.gmt`` and ``job.json`` {"asked": names, "seed", "epochs"}; the peer's script writes ``predicted.csv`` (asked x
genes, change against control) and ``log.json`` {"fit_s", "predict_s", "asked", "epochs", "curve", "unknown"}. What is
held out is not in the file at all. Folders are named by the hash of what the peer was given, so a fit made once is
read again. They lie beside the environments (``CYTOCRUX_PEERS``), outside of any repository.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...world_model.errors import BadInput, CytocruxError
from ...world_model.rows import Array

if TYPE_CHECKING:
    import anndata

VARIABLE = "CYTOCRUX_PEERS"
LIMIT_S = 3600


@dataclass(frozen=True)
class Peer:
    """script: beside this file; needs: what ``uv pip install`` is given; epochs: of one fit."""

    name: str
    script: str
    needs: tuple[str, ...]
    epochs: int
    paper: str


PEERS = (
    # newer scipy refuses the pandas masks GEARS indexes with
    Peer("gears", "gears_fit.py", ("cell-gears==0.1.2", "torch==2.13.0", "torch_geometric==2.8.1", "scipy<1.15",
         "numpy<2.3", "pandas<3"), 4, "Roohani 2023, doi:10.1038/s41587-023-01905-6"),
    Peer("biolord", "biolord_fit.py", ("biolord==0.0.3", "torch==2.13.0", "scvi-tools==1.4.2", "pandas<3"), 30,
         "Piran 2024, doi:10.1038/s41587-023-02079-x"),
)  # fmt: skip
ORACLE = Peer("cell-eval", "", ("cell-eval==0.8.2",), 0, "Arc Institute 2025, cell-eval")


@dataclass(frozen=True)
class Outcome:
    """delta: (asked, genes), NaN rows for names the peer cannot answer. Seconds of wall time; curve: its own losses."""

    delta: Array
    unknown: tuple[str, ...]
    fit_s: float
    predict_s: float
    epochs: int
    curve: tuple[float, ...]


def home() -> Path | None:
    """The folder of environments, or None where ``CYTOCRUX_PEERS`` does not name one."""
    named = os.environ.get(VARIABLE, "")
    return Path(named) if named and Path(named).is_dir() else None


def python_of(peer: Peer, folder: Path) -> Path | None:
    """The peer's own interpreter, or None where it is not installed."""
    found = folder / peer.name / "bin" / "python"
    return found if found.is_file() else None


def fit(
    peer: Peer, folder: Path, cells: anndata.AnnData, train: Sequence[str], asked: Sequence[str], go: Path, seed: int
) -> Outcome:
    """Fit ``peer`` on the cells of ``train`` and the controls; what it says of ``asked``.

    cells: obs perturbation ("control" or names joined with "+") and context. Raises CytocruxError with the end of the
    peer's own output where it fails.
    """
    python = python_of(peer, folder)
    if python is None:
        raise BadInput(
            f"{peer.name} is not installed in {folder}", cure="python -m cytocrux.evals.peers.install FOLDER"
        )
    given = training_cells(cells, train)
    job = folder / "jobs" / f"{peer.name}-{digest(peer, given, asked, go, seed)}"
    if not (job / "log.json").is_file():
        write_job(job, given, asked, go, seed, peer.epochs)
        script = Path(__file__).parent / peer.script
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "", "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(  # noqa: S603 (our own script, its own interpreter)
            [str(python), str(script), str(job)], env=environment, capture_output=True, text=True, timeout=LIMIT_S,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise CytocruxError(f"{peer.name} failed", why=done.stderr[-500:].strip(), cure=f"See {job}")
    return read_outcome(job, asked, tuple(map(str, cells.var_names)))


def training_cells(cells: anndata.AnnData, train: Sequence[str]) -> anndata.AnnData:
    """The cells of the training perturbations and the controls, bare: two columns of obs, nothing else."""
    names = cells.obs["perturbation"].astype(str)
    given = cells[names.isin([*train, "control"]).to_numpy()].copy()
    given.obs = given.obs[["perturbation", "context"]].astype(str)
    given.var, given.uns = given.var[[]], {}
    return given


def digest(peer: Peer, given: anndata.AnnData, asked: Sequence[str], go: Path, seed: int) -> str:
    """Hash of all the peer is given."""
    found = hashlib.sha256(json.dumps([peer.name, peer.needs, peer.epochs, list(asked), seed]).encode())
    found.update(np.ascontiguousarray(given.X.sum(axis=0) if given.n_obs else [0.0]).tobytes())
    for text in (*given.obs_names, *given.obs["perturbation"].astype(str), *given.var_names):
        found.update(text.encode() + b"|")
    found.update(hashlib.sha256(go.read_bytes()).digest())
    return found.hexdigest()[:16]


def write_job(job: Path, given: anndata.AnnData, asked: Sequence[str], go: Path, seed: int, epochs: int) -> None:
    """The folder a peer's script reads."""
    job.mkdir(parents=True, exist_ok=True)
    given.write_h5ad(job / "cells.h5ad")
    raw = go.read_bytes()
    (job / "go.gmt").write_bytes(gzip.decompress(raw) if go.suffix == ".gz" else raw)
    (job / "job.json").write_text(json.dumps({"asked": list(asked), "seed": seed, "epochs": epochs}), encoding="utf-8")


def read_outcome(job: Path, asked: Sequence[str], genes: Sequence[str]) -> Outcome:
    """What the peer wrote. Raises BadInput where it is not about these genes."""
    import pandas as pd

    told = pd.read_csv(job / "predicted.csv", index_col=0)
    if list(map(str, told.columns)) != list(genes):
        raise BadInput(f"{job.name}: the predictions are not about these genes", cure="Delete the folder and run again")
    log: dict[str, Any] = json.loads((job / "log.json").read_text(encoding="utf-8"))
    delta = told.reindex(list(asked)).to_numpy(np.float64)
    return Outcome(delta, tuple(log["unknown"]), log["fit_s"], log["predict_s"], log["epochs"], tuple(log["curve"]))

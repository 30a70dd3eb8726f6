"""The user's AnnData file: wells as they are, single cells averaged to pseudobulk wells, block by block."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .columns import recognise
from .report import Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CHUNK = 20_000  # cells held in memory at once
MIN_CELLS = 4
LABELS = ("perturbation", "kind", "dose", "dose_unit", "time_h", "time_unit", "context", "control", "batch",
          "replicate")  # fmt: skip


def read_h5ad(path: Path) -> tuple[pd.DataFrame, NDArray[np.float64], pd.DataFrame, str, list[Note]]:
    """Labels as texts, X (wells, readouts), var, the stated scale ("" = none) and notes.

    The file is opened backed: cells are read CHUNK at a time, so it may be larger than memory.
    Raises BadInput where the file is truncated, no AnnData, or lacks labels.
    """
    import anndata

    from .userfile import as_texts

    try:
        data = anndata.read_h5ad(path, backed="r")
    except (OSError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path.name} cannot be opened as AnnData", why=_first_line(error) or "it is truncated or another format",
            cure="Copy or download the file again, or write it with AnnData.write_h5ad",
        ) from error  # fmt: skip
    try:
        if not data.n_obs or not data.n_vars:
            raise BadInput(
                f"{path.name} holds no readings", why=f"it has {data.n_obs} rows and {data.n_vars} variables"
            )
        found = recognise([str(c) for c in data.obs.columns])
        labels = as_texts(data.obs[[found[k] for k in LABELS if k in found]].astype(object))
        if "batch" not in found and "replicate" not in found:
            labels = _with_lanes(labels, [str(n) for n in data.obs_names])
        stated = _stated_scale(data)
        if _are_cells(data, labels):
            table, X, notes = _pseudobulk(data, labels, stated)
            return table, X, data.var.copy(), "log1p" if stated in ("", "counts") else stated, notes
        return labels, _dense(data.X[:]), data.var.copy(), stated, []
    except OSError as error:
        raise BadInput(
            f"{path.name} breaks off", why=_first_line(error), cure="Copy or download the file again"
        ) from error
    finally:
        data.file.close()


def _with_lanes(labels: pd.DataFrame, barcodes: list[str]) -> pd.DataFrame:
    """A column ``lane`` from 10x barcodes ("ACGT-3"), where all have one and there are several."""
    lanes = [barcode.rpartition("-")[2] for barcode in barcodes]
    if all(lane.isdigit() for lane in lanes) and len(set(lanes)) > 1:
        return labels.assign(lane=lanes)
    return labels


def _stated_scale(data: Any) -> str:
    ours = data.uns.get("cytocrux")
    if isinstance(ours, dict) and "scale" in ours:
        return str(ours["scale"])
    if "scale" in data.uns:
        return str(data.uns["scale"])
    return "log1p" if "log1p" in data.uns else ""


def _are_cells(data: Any, labels: pd.DataFrame) -> bool:
    """Sparse readings, or many rows alike in every label: single cells rather than wells."""
    import anndata

    if isinstance(data.X, anndata.abc.CSRDataset | anndata.abc.CSCDataset):
        return True
    return len(labels) > 8 * len(labels.drop_duplicates())


def _pseudobulk(data: Any, labels: pd.DataFrame, stated: str) -> tuple[pd.DataFrame, NDArray[np.float64], list[Note]]:
    """Mean over the cells with equal labels, of log1p-normalised counts."""
    keys = list(labels.columns)
    groups = labels.groupby(keys, sort=True)
    number, size = groups.ngroup().to_numpy(), groups.size()
    total = np.zeros((len(size), data.n_vars))
    counts = stated == "counts" or (not stated and _are_counts(_dense(data.X[: min(500, data.n_obs)])))
    for start in range(0, data.n_obs, CHUNK):
        block = _dense(data.X[start : start + CHUNK])
        if counts:
            depth = block.sum(1, keepdims=True)
            block = np.log1p(block / np.where(depth > 0, depth, 1.0) * 1e4)
        np.add.at(total, number[start : start + CHUNK], block)
    keep = (size >= MIN_CELLS).to_numpy()
    notes = [
        Note("used", data.n_obs, "cells", "counts to ln(1 + counts per 10,000)" if counts else "readings as given"),
        Note("changed", int(keep.sum()), "wells made of them", "mean of the cells with equal labels"),
    ]
    if not keep.all():
        notes.append(Note("dropped", int((~keep).sum()), "wells", f"fewer than {MIN_CELLS} cells"))
    table = size.index.to_frame(index=False)[keep].reset_index(drop=True)
    return table, (total / size.to_numpy()[:, None])[keep], notes


def _are_counts(block: NDArray[np.float64]) -> bool:
    return bool(block.min() >= 0 and np.all(block == np.round(block)) and block.max() > 8)


def _dense(block: Any) -> NDArray[np.float64]:
    from scipy import sparse

    return np.asarray(block.toarray() if sparse.issparse(block) else block, dtype=np.float64)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]

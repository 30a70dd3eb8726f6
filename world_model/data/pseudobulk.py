"""Single cells averaged to wells, block by block: the memory needed is that of the wells and of one block.

A well is the mean of the cells with equal labels. Where lanes are so many that a condition has only a few cells in
each, lanes are pooled first (evenly, by name), so that a well is a mean of enough cells and replicates remain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .report import Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CHUNK = 20_000  # cells held in memory at once, at most
BLOCK_BYTES = 64 * 2**20  # of one block, were it dense
MIN_CELLS = 4
FEW_CELLS, ENOUGH_CELLS, MOST_POOLS = 8, 25, 8
PER_CELL = 1e4  # counts a cell is scaled to


def pooled_lanes(labels: pd.DataFrame, lane: str) -> tuple[pd.DataFrame, list[Note]]:
    """``labels`` with the column ``lane`` pooled where most wells would have fewer than FEW_CELLS cells.

    The number of pools: cells of the median condition / ENOUGH_CELLS, from 2 to MOST_POOLS.
    """
    others = [c for c in labels.columns if c != lane]
    wells = labels.groupby(list(labels.columns), observed=True).size()
    lanes = sorted(set(labels[lane].astype(str)))
    if not others or len(lanes) < 3 or float(wells.median()) >= FEW_CELLS:
        return labels, []
    conditions = labels.groupby(others, observed=True).size()
    pools = int(np.clip(float(conditions.median()) // ENOUGH_CELLS, 2, MOST_POOLS))
    if pools >= len(lanes):
        return labels, []
    pool = {name: f"pool {i % pools + 1}" for i, name in enumerate(lanes)}
    note = Note(
        "changed", len(lanes), f"lanes pooled to {pools}", f"the median well would hold {float(wells.median()):g} cells"
    )
    return labels.assign(**{lane: labels[lane].astype(str).map(pool)}), [note]


def pseudobulk(data: Any, labels: pd.DataFrame, stated: str) -> tuple[pd.DataFrame, NDArray[np.float64], list[Note]]:
    """The wells' labels, their means (wells, genes) and notes. Counts become ln(1 + counts per 10,000) first.

    data: AnnData, backed or not. stated: "counts" or another scale; "" = looked at.
    """
    keys = list(labels.columns)
    groups = labels.groupby(keys, sort=True, observed=True)
    number, size = groups.ngroup().to_numpy(), groups.size()
    counts = stated == "counts" or (not stated and _are_counts(_first_block(data)))
    total = _totals(data, number, len(size), counts)
    keep = (size >= MIN_CELLS).to_numpy()
    notes = [
        Note("used", data.n_obs, "cells", "counts to ln(1 + counts per 10,000)" if counts else "readings as given"),
        Note("changed", int(keep.sum()), "wells made of them", "mean of the cells with equal labels"),
    ]
    if not keep.all():
        notes.append(Note("dropped", int((~keep).sum()), "wells", f"fewer than {MIN_CELLS} cells"))
    table = size.index.to_frame(index=False)[keep].reset_index(drop=True).astype(str)
    total /= size.to_numpy()[:, None]
    if lost := int(np.isnan(total[keep]).sum()):
        notes.append(Note("dropped", lost, "readings of wells", "a cell of the well has no number there"))
    return table, total if keep.all() else total[keep], notes


def _totals(data: Any, number: NDArray[np.integer[Any]], n_groups: int, counts: bool) -> NDArray[np.float64]:
    """(groups, genes) sums over the cells of each group."""
    from scipy import sparse

    total = np.zeros((n_groups, data.n_vars))
    if _by_columns(data.X):  # compressed by gene: rows cannot be cut out cheaply
        depth = np.zeros(data.n_obs)
        if counts:
            for _, block in _blocks(data, axis=1):
                depth += np.asarray(block.sum(axis=1)).ravel()
        member = _membership(number, n_groups)
        for where, block in _blocks(data, axis=1):
            total[:, where] = _as_dense(member @ (_logged(block, depth) if counts else block))
        return total
    for where, block in _blocks(data, axis=0):
        if counts:
            block = _logged(block, np.asarray(block.sum(axis=1)).ravel())
        part = _membership(number[where], n_groups) @ block
        if sparse.issparse(part):
            part = part.tocoo()
            total[part.row, part.col] += part.data
        else:
            total += part
    return total


def _blocks(data: Any, axis: int) -> Iterator[tuple[slice, Any]]:
    """Slices along cells (0) or genes (1), float64, sparse as CSR/CSC where the file is sparse."""
    from scipy import sparse

    n, across = (data.n_obs, data.n_vars) if axis == 0 else (data.n_vars, data.n_obs)
    step = int(max(1, min(CHUNK, BLOCK_BYTES // (8 * max(across, 1)))))
    for start in range(0, n, step):
        where = slice(start, min(start + step, n))
        block = data.X[where] if axis == 0 else data.X[:, where]
        yield where, block.astype(np.float64) if sparse.issparse(block) else np.asarray(block, dtype=np.float64)


def _first_block(data: Any) -> NDArray[np.float64]:
    """Up to 500 cells, or as many values of the first genes where the file is compressed by gene."""
    if _by_columns(data.X):
        return _as_dense(data.X[:, : max(1, 500 * data.n_vars // max(data.n_obs, 1))])
    return _as_dense(data.X[: min(500, data.n_obs)])


def _logged(block: Any, depth: NDArray[np.float64]) -> Any:
    """ln(1 + counts per 10,000); depth: (cells,) the counts of each."""
    from scipy import sparse

    factor = PER_CELL / np.where(depth > 0, depth, 1.0)
    if sparse.issparse(block):
        scaled = sparse.diags(factor) @ block
        scaled.data = np.log1p(scaled.data)
        return scaled
    return np.log1p(block * factor[:, None])


def _membership(number: NDArray[np.integer[Any]], n_groups: int) -> Any:
    """(groups, cells) with a one where the cell belongs to the group."""
    from scipy import sparse

    return sparse.csr_matrix((np.ones(len(number)), (number, np.arange(len(number)))), shape=(n_groups, len(number)))


def _by_columns(X: Any) -> bool:
    import anndata
    from scipy import sparse

    return isinstance(X, anndata.abc.CSCDataset) or (sparse.issparse(X) and X.format == "csc")


def _are_counts(block: NDArray[np.float64]) -> bool:
    return bool(block.min() >= 0 and np.all(block == np.round(block)) and block.max() > 8)


def _as_dense(block: Any) -> NDArray[np.float64]:
    from scipy import sparse

    return np.asarray(block.toarray() if sparse.issparse(block) else block, dtype=np.float64)

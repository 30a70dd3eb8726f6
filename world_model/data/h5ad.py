"""The user's AnnData file: wells as they are, single cells averaged to pseudobulk wells, block by block."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .columns import SYNONYMS, recognise
from .pseudobulk import pooled_lanes, pseudobulk
from .recipe import Recipe
from .report import Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

LABELS = ("perturbation", "parts", "kind", "dose", "dose_unit", "time_h", "time_unit", "context", "control", "batch",
          "replicate")  # fmt: skip
ALIKE, ZEROS = 8, 0.3  # rows with equal labels, and the share of zeros, that tell cells from wells
SYMBOLS = ("gene_symbol", "gene_symbols", "gene_name", "symbol", "feature_name")


def read_h5ad(
    path: Path, recipe: Recipe | None = None
) -> tuple[pd.DataFrame, NDArray[np.float64], pd.DataFrame, str, list[Note]]:
    """Labels as texts, X (wells, readouts), var, the stated scale ("" = none) and notes.

    The file is opened backed and cells are read a block at a time, so it may be larger than memory.
    Raises BadInput where the file is truncated, no AnnData, or lacks labels.
    """
    import anndata

    recipe = recipe or Recipe()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*names are not unique")  # numbered in ``_var``
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
        labels = _labels(data, recipe)
        stated = recipe.stated("scale") or _stated_scale(data)
        lane = next((c for c in (*SYNONYMS["batch"], "lane") if c in labels), "")
        if not (_are_cells(data, labels, lane) if recipe.cells is None else recipe.cells):
            var, renamed = _var(data)
            return labels, _dense(data.X[:]), var, stated, renamed
        labels, pooled = pooled_lanes(labels, lane) if lane else (labels, [])
        table, X, notes = pseudobulk(data, labels, stated)
        var, renamed = _var(data)
        return table, X, var, "log1p" if stated in ("", "counts") else stated, [*notes, *pooled, *renamed]
    except OSError as error:
        raise BadInput(
            f"{path.name} breaks off", why=_first_line(error), cure="Copy or download the file again"
        ) from error
    finally:
        data.file.close()


def _labels(data: Any, recipe: Recipe) -> pd.DataFrame:
    """The label columns as categories of texts; a lane from 10x barcodes where nothing else tells replicates apart."""
    import pandas as pd

    columns = [str(c) for c in data.obs.columns]
    chosen = recipe.renamed(columns)
    seen = [chosen.get(c, c) for c in columns if c not in chosen.values() or c in chosen]
    found = recognise(seen)
    back = {chosen.get(c, c): c for c in columns if c not in chosen.values() or c in chosen}
    wanted = [found[k] for k in LABELS if k in found]
    wanted += [c for c in seen if c.lower() == "drugname_drugconc"]
    texts = {back[name]: _texts(data.obs[back[name]]) for name in wanted}
    labels = recipe.labels(pd.DataFrame(texts, index=pd.RangeIndex(data.n_obs)))
    if "batch" not in found and "replicate" not in found and "batch" not in recipe.constants:
        labels = _with_lanes(labels, [str(n) for n in data.obs_names])
    return labels.astype("category")


def _texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Each value as text, missing as ""; done once a distinct value."""
    import pandas as pd

    from .texts import as_text

    codes, values = pd.factorize(column, use_na_sentinel=True)
    words = np.array([*(as_text(v) for v in list(values)), ""], dtype=object)
    return pd.Series(words[codes], index=pd.RangeIndex(len(column)))


def _var(data: Any) -> tuple[pd.DataFrame, list[Note]]:
    """var, named by gene symbol where the index holds Ensembl ids and a column of symbols is there; names made
    distinct where two are equal ("TBCE", "TBCE-1")."""
    from anndata.utils import make_index_unique

    var: pd.DataFrame = data.var.copy()
    var.index = var.index.astype(str)
    if sum(n.startswith("ENS") for n in var.index) > 0.9 * len(var):
        symbols = next((c for c in SYMBOLS if c in var), None)
        if symbols is not None:
            ids = var.index
            words = var[symbols].astype(str).to_numpy()
            var.index = [w if w not in ("", "nan", "None") else i for w, i in zip(words, ids, strict=True)]
    double = int(var.index.duplicated().sum())
    if not double:
        return var, []
    var.index = make_index_unique(var.index)
    return var, [Note("changed", double, "readout names", "another readout has the same; numbered")]


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


def _are_cells(data: Any, labels: pd.DataFrame, lane: str) -> bool:
    """Sparse readings; or many rows alike in every label, or in every label but the lane with many zeros."""
    import anndata

    if isinstance(data.X, anndata.abc.CSRDataset | anndata.abc.CSCDataset):
        return True
    if len(labels) > ALIKE * len(labels.drop_duplicates()):
        return True
    few = labels.drop(columns=[lane]) if lane else labels
    if not len(few.columns) or len(few) <= ALIKE * len(few.drop_duplicates()):
        return False
    return float(np.mean(_dense(data.X[: min(200, data.n_obs)]) == 0)) > ZEROS


def _dense(block: Any) -> NDArray[np.float64]:
    from scipy import sparse

    return np.asarray(block.toarray() if sparse.issparse(block) else block, dtype=np.float64)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]

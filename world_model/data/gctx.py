"""GCTX: the HDF5 form of GCT, as L1000 levels 3 to 5 are released (Enache 2019, doi:10.1093/bioinformatics/bty784).

``/0/DATA/0/matrix`` (wells, readouts), ``/0/META/COL`` and ``/0/META/ROW`` (one dataset an annotation, ``id`` among
them). The released files hold only ids; ``*sig_info*`` / ``*inst_info*`` (wells) and ``*gene_info*`` (readouts) tables
that lie beside them are joined. The matrix is read a block of wells at a time, and only the columns wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .dataset import Dataset, DatasetInfo
from .report import Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MATRIX, WELLS, READOUTS = "0/DATA/0/matrix", "0/META/COL", "0/META/ROW"
BLOCK_BYTES = 64 * 2**20
KEEP = ("pert_id", "pert_iname", "pert_type", "cell_id", "cell_iname", "pert_dose", "pert_dose_unit", "pert_time",
        "pert_time_unit", "det_plate", "rna_plate", "is_touchstone")  # fmt: skip
SYMBOLS = ("pr_gene_symbol", "gene_symbol")
LANDMARK = ("pr_is_lm", "feature_space")
CORE_LINES = ("A375", "A549", "HA1E", "HCC515", "HEPG2", "HT29", "MCF7", "PC3", "VCAP")

Choice = Callable[["pd.DataFrame"], "NDArray[np.bool_]"]


def read_gctx(
    path: Path, *, wells: Choice | None = None, readouts: Choice | None = None
) -> tuple[pd.DataFrame, NDArray[np.float64], list[str]]:
    """Annotations of the wells as texts, X (wells, readouts), names of the readouts (gene symbols where unique).

    wells, readouts: which to read, from their annotations. Raises BadInput where the file is not GCTX, breaks off,
    or nothing is chosen.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            matrix = file[MATRIX]
            of_wells, of_readouts = _notes(file[WELLS]), _notes(file[READOUTS])
            if matrix.shape != (len(of_wells), len(of_readouts)):
                raise BadInput(
                    f"{path.name}: a matrix of {matrix.shape} for {len(of_wells)} wells x {len(of_readouts)} readouts",
                    cure="Download it again",
                )
            of_wells = _joined(of_wells, path.parent, ("sig_info", "siginfo", "inst_info", "instinfo"))
            of_readouts = _joined(of_readouts, path.parent, ("gene_info", "geneinfo"))
            rows = np.arange(len(of_wells)) if wells is None else np.flatnonzero(wells(of_wells))
            columns = np.arange(len(of_readouts)) if readouts is None else np.flatnonzero(readouts(of_readouts))
            if not len(rows) or not len(columns):
                raise BadInput(f"{path.name} holds none of the wells or readouts wanted")
            X = _block_by_block(matrix, rows, columns)
    except (OSError, KeyError, AttributeError) as error:
        raise BadInput(
            f"{path.name} is not a whole GCTX file", why=str(error).split("\n")[0][:200], cure="Download it again"
        ) from error
    labels = of_wells.iloc[rows].reset_index(drop=True)
    labels["well_id"] = labels["id"]
    chosen = of_readouts.iloc[columns]
    names = chosen["id"].tolist()
    for symbol in SYMBOLS:
        if symbol in chosen and chosen[symbol].is_unique:
            names = chosen[symbol].tolist()
    return labels[["well_id", *(c for c in KEEP if c in labels)]], X, names


def load_level5(folder: Path, about: DatasetInfo) -> Dataset:
    """L1000 level 5 (moderated z-scores of replicates against their plate): compounds in nine lines, landmark genes.

    A z-score carries its control, so there are no control wells. Raises BadInput where the annotation tables lack.
    """
    from .conform import conform

    path = next(iter(sorted(folder.glob("*.gctx"))))

    def compounds(notes: pd.DataFrame) -> NDArray[np.bool_]:
        cell = "cell_id" if "cell_id" in notes else "cell_iname"
        if "pert_type" not in notes or cell not in notes:
            raise BadInput(
                f"{path.name} does not say what its columns are", why="the released matrix holds ids only",
                cure="Put GSE92742_Broad_LINCS_sig_info.txt.gz beside it",
            )  # fmt: skip
        return ((notes["pert_type"] == "trt_cp") & notes[cell].isin(CORE_LINES)).to_numpy()

    labels, X, names = read_gctx(path, wells=compounds, readouts=_landmark)
    notes = [Note("used", len(labels), "signatures", "compounds in nine core lines, landmark genes; others were left")]
    dose = labels.get("pert_dose")
    if dose is not None:
        bad = dose.isin(["", "-666", "-666.0"]).to_numpy()
        if bad.any():
            notes.append(Note("dropped", int(bad.sum()), "signatures", "no dose"))
            labels, X = labels[~bad].reset_index(drop=True), X[~bad]
    return conform(
        labels, X, names, stated=about.scale, modalities="transcriptome", name=about.dataset, source=str(path),
        notes=notes, about=about, relative=True,
    )  # fmt: skip


def _landmark(notes: pd.DataFrame) -> NDArray[np.bool_]:
    """The 978 measured genes where the annotations tell them, else all."""
    for column in LANDMARK:
        if column in notes:
            return notes[column].isin(["1", "1.0", "landmark"]).to_numpy()
    return np.ones(len(notes), dtype=bool)


def _notes(group: Any) -> pd.DataFrame:
    import pandas as pd

    def texts(values: Any) -> list[str]:
        return [v.decode() if isinstance(v, bytes) else str(v) for v in values[:].tolist()]

    table = pd.DataFrame({str(name): texts(values) for name, values in group.items()})
    table["id"] = table["id"].str.strip()
    return table


def _joined(notes: pd.DataFrame, folder: Path, words: tuple[str, ...]) -> pd.DataFrame:
    """With the annotations of a table that lies beside the file; its first column holds the ids."""
    import pandas as pd

    path = next((p for p in sorted(folder.iterdir()) if any(w in p.name.lower() for w in words) and _table(p)), None)
    if path is None:
        return notes
    side = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    key = next((c for c in ("sig_id", "inst_id", "sample_id", "pr_gene_id", "gene_id") if c in side), side.columns[0])
    new = [c for c in side.columns if c == key or c not in notes]
    wide = notes.merge(side[new].drop_duplicates(key), left_on="id", right_on=key, how="left").fillna("")
    return wide


def _table(path: Path) -> bool:
    return path.name.lower().endswith((".txt", ".tsv", ".txt.gz", ".tsv.gz"))


def _block_by_block(matrix: Any, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """matrix[rows][:, columns] as float64; missing values of L1000 (-666) as NaN."""
    out = np.empty((len(rows), len(columns)))
    step = max(1, BLOCK_BYTES // (matrix.dtype.itemsize * max(matrix.shape[1], 1)))
    for start in range(0, matrix.shape[0], step):
        here = np.flatnonzero((rows >= start) & (rows < start + step))
        if len(here):
            block = matrix[start : start + step]
            out[here] = block[rows[here] - start][:, columns]
    out[out == -666] = np.nan
    return out

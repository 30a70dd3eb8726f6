"""Morphological profiles (Cell Painting: JUMP, LINCS, pycytominer): ``Metadata_…`` columns and one column a feature.

A row is a well. JUMP's own profiles hold only where a well lies; ``well.csv.gz``, ``plate.csv.gz`` and
``compound.csv.gz`` of github.com/jump-cellpainting/datasets say the rest, and are joined where they lie beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .report import Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PREFIX = "Metadata_"
MOST_BYTES = 4 * 2**30  # of the dense table of features
# JUMP's identifiers of wells without a treatment of their own (chemical, CRISPR and ORF plates)
NEGATIVE = frozenset(("JCP2022_033924", "JCP2022_800001", "JCP2022_800002", "JCP2022_915131", "JCP2022_999999"))
KINDS = {"COMPOUND": "compound", "TARGET1": "compound", "TARGET2": "compound", "DMSO": "compound",
         "ORF": "overexpression", "CRISPR": "knockout"}  # fmt: skip
# ours -> theirs without the prefix, most specific first
COLUMNS: dict[str, tuple[str, ...]] = {
    "perturbation": ("perturbation", "pert_iname", "compound_name", "Symbol", "gene", "JCP2022", "broad_sample"),
    "context": ("cell_line", "Cell_type", "cell_type", "cell_id", "Cell_Line"),
    "dose": ("dose", "pert_dose", "Concentration", "concentration", "conc_uM"),
    "dose_unit": ("dose_unit", "pert_dose_unit"),
    "time_h": ("time_h", "Time", "timepoint", "Time_point"),
    "batch": ("Plate", "plate"),
    "kind": ("kind", "perturbation_type"),
}
ROLES = ("control_type", "pert_type")
SIDE = ("well", "plate", "compound")


def is_profiles(path: Path) -> bool:
    """Whether a .parquet or .csv has at least two ``Metadata_`` columns."""
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            names = pq.read_schema(path).names
        except (pa.ArrowException, OSError):
            return False
    elif path.name.lower().endswith((".csv", ".csv.gz")):
        names = _header(path)
    else:
        return False
    return sum(str(name).startswith(PREFIX) for name in names) >= 2


def read_profiles(path: Path) -> tuple[pd.DataFrame, NDArray[np.float64], list[str], list[Note]]:
    """Labels as texts, X (wells, features), the features, and notes.

    Raises BadInput where nothing says what was done to the wells, or the table is too large to be held.
    """
    import pandas as pd

    raw = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path)
    meta = raw[[c for c in raw if str(c).startswith(PREFIX)]]
    features = [str(c) for c in raw if not str(c).startswith(PREFIX) and pd.api.types.is_numeric_dtype(raw[c])]
    if not features:
        raise BadInput(f"{path.name} has no column of features", why="all its columns are metadata")
    if len(raw) * len(features) * 8 > MOST_BYTES:
        raise BadInput(
            f"{path.name} is too large: {len(raw):,} wells x {len(features):,} features",
            why=f"it would take {len(raw) * len(features) * 8 / 2**30:.0f} GiB", cure="Give fewer plates or features",
        )  # fmt: skip
    meta = meta.rename(columns=lambda c: str(c).removeprefix(PREFIX))
    meta, notes = _joined(meta, path.parent)
    labels = _labels(meta, path.name)
    X = raw[features].to_numpy(np.float64)
    X[np.isinf(X)] = np.nan
    dead = ~np.isfinite(X).any(axis=0)
    if dead.any():
        notes.append(Note("dropped", int(dead.sum()), "features", "no well has a number"))
        features, X = [f for f, d in zip(features, dead, strict=True) if not d], X[:, ~dead]
    if any(str(c).startswith(("mmoles", "mg_per")) for c in meta) and "dose" not in labels:
        notes.append(Note("warning", len(meta), "wells without a dose",
                          "mmoles_per_liter is used in more than one unit; add Metadata_dose in uM"))  # fmt: skip
    return labels, X, features, notes


def _joined(meta: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, list[Note]]:
    """With the columns of well, plate and compound tables that lie beside the profiles."""
    import pandas as pd

    notes = []
    for name in SIDE:
        path = next((p for p in (folder / f"{name}.csv.gz", folder / f"{name}.csv") if p.is_file()), None)
        if path is None:
            continue
        side = pd.read_csv(path, dtype=str).rename(columns=lambda c: str(c).removeprefix(PREFIX))
        on = [c for c in ("Source", "Batch", "Plate", "Well", "JCP2022") if c in side and c in meta]
        new = [c for c in side if c not in meta]
        if not on or not new:
            continue
        before = len(meta)
        texts = meta.assign(**{c: meta[c].astype(str) for c in on})
        meta = texts.merge(side[[*on, *new]].drop_duplicates(on), on=on, how="left", validate="many_to_one")
        notes.append(Note("used", before, f"wells joined with {path.name}", "by " + ", ".join(on)))
    return meta, notes


def _labels(meta: pd.DataFrame, file: str) -> pd.DataFrame:
    from .texts import as_texts

    texts = as_texts(meta)
    found = {ours: next((t for t in theirs if t in texts), "") for ours, theirs in COLUMNS.items()}
    if not found["perturbation"]:
        raise BadInput(
            f"{file} does not say what was done to each well", why=f"its metadata are {', '.join(texts.columns)}",
            cure="Add Metadata_pert_iname or Metadata_JCP2022, or put JUMP's well.csv.gz beside the file",
        )  # fmt: skip
    labels = texts[[t for t in found.values() if t]].rename(columns={t: o for o, t in found.items() if t})
    control = _controls(texts)
    labels["control"] = np.where(control, "true", "false")
    labels.loc[control, "perturbation"] = "control"
    if "PlateType" in texts and "kind" not in labels:
        labels["kind"] = texts["PlateType"].map(lambda t: KINDS.get(t.upper(), "compound"))
    if "kind" not in labels:
        labels["kind"] = "compound"
    return labels.loc[:, ~labels.columns.duplicated()]


def _controls(texts: pd.DataFrame) -> Any:
    """(wells,) bool: negative controls by their role, else by JUMP's identifiers, else by a vehicle's name."""
    from .columns import CONTROL_NAMES

    for role in ROLES:
        if role in texts and texts[role].isin(["negcon", "control"]).any():
            return texts[role].isin(["negcon", "control"]).to_numpy()
    named = np.zeros(len(texts), dtype=bool)
    for column in COLUMNS["perturbation"]:
        if column in texts:
            named |= texts[column].isin(NEGATIVE).to_numpy() | texts[column].str.lower().isin(CONTROL_NAMES).to_numpy()
    return named


def _header(path: Path) -> list[str]:
    import gzip

    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig") as stream:
            return [cell.strip().strip('"') for cell in stream.readline().split(",")]
    except (OSError, UnicodeDecodeError, EOFError):
        return []

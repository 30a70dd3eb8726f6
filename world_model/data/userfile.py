"""The user's own file: AnnData (.h5ad) or a tidy table (.csv, .tsv, .parquet), checked and brought to wells.

A table has one row per well with its labels and one column per readout (wide), or one row per reading with
the columns ``readout`` and ``value`` (long); MIDAS tables and GCT matrices are recognised. Label columns:
perturbation, kind, dose, dose_unit, time_h, context, control, batch, replicate; the names of scPerturb, pertpy
and LINCS are understood (``columns.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput, DataUnavailable
from .columns import MISSING, recognise
from .conform import conform
from .dataset import Dataset, DatasetInfo
from .guard import refuse_active
from .labels import safe_stem
from .profiles import is_profiles, read_profiles
from .recipe import Recipe
from .report import Note
from .texts import numbers, read_table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def load_file(
    path: Path, *, name: str = "", scale: str = "", modality: str = "", recipe: Recipe | None = None,
    about: DatasetInfo | None = None,
) -> Dataset:  # fmt: skip
    """Wells of the user's file; name, scale and modality only where the file does not say them itself.

    recipe: what its columns do not say. about: description, licence and citation of a published set.

    Raises DataUnavailable where it is absent, BadInput where it cannot be used.
    """
    if not path.exists():
        raise DataUnavailable(f"There is no file {path}", cure="Check the path")
    if not path.stat().st_size:
        raise BadInput(f"{path.name} is empty")
    recipe, name = recipe or Recipe(), name or safe_stem(path.stem)
    scale, modality = scale or recipe.stated("scale"), modality or recipe.stated("modality")
    if path.suffix.lower() == ".h5ad":
        return _from_h5ad(path, name, modality, recipe, about)
    if path.suffix.lower() == ".gctx":
        from .gctx import read_gctx

        labels, X, readouts = read_gctx(path)
        return conform(
            recipe.labels(labels), X, readouts, stated=scale, modalities=modality, name=name, source=str(path),
            about=about,
        )  # fmt: skip
    if path.name.lower().endswith((".gct", ".gct.gz")):
        from .gct import read_gct

        labels, X, readouts = read_gct(path)
        return conform(
            recipe.labels(labels), X, readouts, stated=scale, modalities=modality, name=name.removesuffix(".gct"),
            source=str(path), about=about,
        )  # fmt: skip
    if is_profiles(path):
        labels, X, readouts, notes = read_profiles(path)
        return conform(
            recipe.labels(labels), X, readouts, stated=scale or "as given", modalities=modality or "morphology",
            name=name, source=str(path), notes=notes, about=about,
        )  # fmt: skip
    return from_table(
        recipe.labels(read_table(path)), name=name, source=str(path), scale=scale, modality=modality, about=about
    )


def from_table(
    raw: pd.DataFrame, *, name: str, source: str, scale: str = "", modality: str = "",
    about: DatasetInfo | None = None,
) -> Dataset:  # fmt: skip
    """raw: every cell a text (missing = ""), one row per well (wide) or per reading (long).

    scale, modality: used where the table does not say them.
    """
    if not len(raw):
        raise BadInput(f"{source} holds no rows", why="there is a header at most")
    refuse_active(raw.columns, "The header")
    if {"TR", "DV"} <= {str(c).partition(":")[0] for c in raw.columns}:
        from .midas import from_midas

        info = DatasetInfo(name, f"the user's file {Path(source).name}", "the user's own", "none given", "log2", True)
        return from_midas(raw.replace("", np.nan), info=info, source=source)
    found = recognise(list(raw.columns))
    stated = _one_word(raw, found, "scale") or scale
    modality = _one_word(raw, found, "modality") or modality
    if "value" in found and "readout" in found:
        raw, X, readouts = _from_long(raw, found)
    else:
        X, readouts = _from_wide(raw, found)
    return conform(raw, X, readouts, stated=stated, modalities=modality, name=name, source=source, about=about)


def _from_long(raw: pd.DataFrame, found: dict[str, str]) -> tuple[pd.DataFrame, NDArray[np.float64], list[str]]:
    """Labels of each well, (wells, readouts) and the readouts. Raises BadInput for a reading given twice."""
    import pandas as pd

    readout, value = raw[found["readout"]].str.strip(), numbers(raw[found["value"]], found["value"])
    labels = raw.drop(columns=[found["readout"], found["value"], found.get("modality", ""), found.get("scale", "")],
                       errors="ignore")  # fmt: skip
    well = pd.Series(pd.factorize(pd.MultiIndex.from_frame(labels))[0], index=raw.index)
    turn = pd.Series(0, index=raw.index)
    if "replicate" in found or "well" in found:
        double = pd.DataFrame({"well": well, "readout": readout}).duplicated()
        if double.any():
            row = int(np.flatnonzero(double)[0])
            raise BadInput(
                f"Row {row + 1}: {readout.iloc[row]} of this well stands in the table twice",
                why="well, replicate and readout are the same as in an earlier row", cure="Keep one of the rows",
            )  # fmt: skip
    else:
        turn = pd.DataFrame({"well": well, "readout": readout}).groupby(["well", "readout"]).cumcount()
    row_of, rows = pd.factorize(pd.MultiIndex.from_arrays([well, turn]))
    names = sorted(set(readout))
    X = np.full((len(rows), len(names)), np.nan)
    X[row_of, readout.map({n: i for i, n in enumerate(names)}).to_numpy()] = value
    first = np.unique(row_of, return_index=True)[1]
    return labels.iloc[first].reset_index(drop=True), X, names


def _from_wide(raw: pd.DataFrame, found: dict[str, str]) -> tuple[NDArray[np.float64], list[str]]:
    labels = set(found.values()) - {found.get("readout", ""), found.get("value", "")}
    candidates = [c for c in raw.columns if c not in labels]
    readouts = [c for c in candidates if _is_numeric(raw[c])]
    if not readouts:
        raise BadInput(
            "The table has no column of readings", why=f"its columns are {', '.join(list(raw.columns)[:12])}",
            cure="Add one numeric column per readout, or the columns 'readout' and 'value'",
        )  # fmt: skip
    return np.column_stack([numbers(raw[c], c) for c in readouts]), readouts


def _is_numeric(column: pd.Series[str]) -> bool:
    """Mostly numbers: a stray text in it is an error to be named, not a reason to skip the column."""
    import pandas as pd

    filled = column[~column.str.strip().str.lower().isin(MISSING)]
    return bool(len(filled)) and float(pd.to_numeric(filled, errors="coerce").notna().mean()) > 0.5


def _one_word(raw: pd.DataFrame, found: dict[str, str], ours: str) -> str:
    if ours not in found:
        return ""
    words = sorted(set(raw[found[ours]].str.strip()) - {""})
    if len(words) > 1:
        raise BadInput(f"The column {found[ours]!r} says {words[0]!r} and {words[1]!r}", cure="One table, one " + ours)
    return words[0] if words else ""


def _from_h5ad(path: Path, name: str, modality: str, recipe: Recipe, about: DatasetInfo | None) -> Dataset:
    from .h5ad import read_h5ad

    labels, X, var, stated, notes = read_h5ad(path, recipe)
    keep = recipe.kept(labels)
    if not keep.all():
        notes.append(Note("dropped", int((~keep).sum()), "wells", "cells without an assigned perturbation"))
        labels, X = labels[keep].reset_index(drop=True), X[keep]
    readouts = [str(n) for n in var.index]
    given: str | list[str] = var["modality"].astype(str).tolist() if "modality" in var else modality
    return conform(
        labels, X, readouts, stated=stated, modalities=given, name=name, source=str(path), notes=notes, about=about
    )

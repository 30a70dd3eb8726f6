"""The user's own file: AnnData (.h5ad) or a tidy table (.csv, .tsv, .parquet), checked and brought to wells.

A table has one row per well with its labels and one column per readout (wide), or one row per reading with
the columns ``readout`` and ``value`` (long); MIDAS tables and GCT matrices are recognised. Label columns:
perturbation, kind, dose, dose_unit, time_h, context, control, batch, replicate; the names of scPerturb, pertpy
and LINCS are understood (``columns.py``).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from ..errors import BadInput, DataUnavailable
from ..vocabulary import Modality
from .checks import check_controls, check_replicates, is_relative, number_replicates, to_additive
from .columns import MISSING, recognise
from .dataset import Dataset, DatasetInfo, build_wells
from .guard import refuse_active
from .labels import safe_stem, to_obs
from .profiles import is_profiles, read_profiles
from .recipe import Recipe
from .report import DataReport, Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MANY_READOUTS = 50


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


def read_table(path: Path) -> pd.DataFrame:
    """A .parquet, .csv or .tsv with every cell a text (missing = ""). Raises BadInput where it is none."""
    return _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_text(path)


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


def conform(
    raw: pd.DataFrame, X: NDArray[np.float64], readouts: list[str], *, stated: str, modalities: str | list[str],
    name: str, source: str, notes: Iterable[Note] = (), about: DatasetInfo | None = None, relative: bool = False,
) -> Dataset:  # fmt: skip
    """relative: every reading already is a change against its control, so no control wells are needed."""
    import pandas as pd

    refuse_active(readouts, "The list of readouts")
    obs, said = to_obs(raw.reset_index(drop=True))
    said = [*notes, *said]
    empty = ~np.isfinite(X).any(axis=1) & ~np.isinf(X).any(axis=1)
    if empty.all():
        raise BadInput(f"{source} holds no readings", why="every reading is empty")
    if empty.any():
        said.append(Note("dropped", int(empty.sum()), "wells", "nothing was measured in them"))
        filled = np.flatnonzero(~empty)
        obs, X = obs.iloc[filled].reset_index(drop=True), X[filled]
    X, scale, more = to_additive(X, readouts, obs["batch"], stated)
    said += more
    relative = relative or is_relative(readouts)
    obs["replicate"] = number_replicates(obs)
    if relative and not obs["control"].any():
        said.append(Note("used", len(readouts), "readouts without control wells", "they carry their control"))
    else:
        relative = False
        said += check_controls(obs)
        said += check_replicates(obs)
    obs = obs.drop(columns=["given_replicate", "well"], errors="ignore")
    obs.index = _ids(obs)
    kinds = _modalities(readouts, modalities, said)
    unit = {"ln_ic50": "ln uM", "log2": "log2", "log1p": "log1p"}.get(scale, "as given")
    var = pd.DataFrame({"modality": kinds, "unit": unit}, index=pd.Index(readouts))
    info = DatasetInfo(
        dataset=name, description=about.description if about else f"the user's file {Path(source).name}",
        licence=about.licence if about else "the user's own", citation=about.citation if about else "none given",
        scale=scale, has_controls=not relative,
    )  # fmt: skip
    said.insert(0, Note("used", len(obs), "wells", f"{len(readouts)} readouts"))
    return Dataset(name, build_wells(obs, X, var, info), DataReport(source, tuple(said)))


def _ids(obs: pd.DataFrame) -> pd.Index[str]:
    import pandas as pd

    def label(row: Any) -> str:
        dose = row.doses if "doses" in obs and row.doses else "" if np.isnan(row.dose) else f"{row.dose:g}uM"
        time = "" if np.isnan(row.time_h) else f"{row.time_h:g}h"
        return "/".join(p for p in (row.context, row.perturbation, dose, time, row.batch, row.replicate) if p)

    return pd.Index([label(row) for row in obs.itertuples()])


def _modalities(readouts: list[str], given: str | list[str], notes: list[Note]) -> list[str]:
    known = get_args(Modality)
    if given:
        listed = [given] * len(readouts) if isinstance(given, str) else given
        odd = sorted(set(listed) - set(known))
        if odd:
            raise BadInput(f"Unknown modality {odd[0]!r}", cure=f"Modalities are {', '.join(known)}")
        return listed
    if is_relative(readouts):
        return ["viability"] * len(readouts)
    guess = "transcriptome" if len(readouts) >= MANY_READOUTS else "proteome"
    notes.append(Note("warning", len(readouts), f"readouts taken for {guess}", "no column 'modality' says it"))
    return [guess] * len(readouts)


def _from_long(raw: pd.DataFrame, found: dict[str, str]) -> tuple[pd.DataFrame, NDArray[np.float64], list[str]]:
    """Labels of each well, (wells, readouts) and the readouts. Raises BadInput for a reading given twice."""
    import pandas as pd

    readout, value = raw[found["readout"]].str.strip(), _numbers(raw[found["value"]], found["value"])
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
    return np.column_stack([_numbers(raw[c], c) for c in readouts]), readouts


def _is_numeric(column: pd.Series[str]) -> bool:
    """Mostly numbers: a stray text in it is an error to be named, not a reason to skip the column."""
    import pandas as pd

    filled = column[~column.str.strip().str.lower().isin(MISSING)]
    return bool(len(filled)) and float(pd.to_numeric(filled, errors="coerce").notna().mean()) > 0.5


def _numbers(column: pd.Series[str], name: str) -> NDArray[np.float64]:
    import pandas as pd

    refuse_active([c for c in column.unique() if not _plain_number(c)], f"The column {name!r}")
    blank = column.str.strip().str.lower().isin(MISSING)
    numbers = pd.to_numeric(column.where(~blank, "nan"), errors="coerce")
    wrong = numbers.isna() & ~blank
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadInput(f"Row {row + 1}: {column.iloc[row]!r} in {name!r} is not a number", cure="Correct the cell")
    return np.asarray(numbers, dtype=float)


def _plain_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _one_word(raw: pd.DataFrame, found: dict[str, str], ours: str) -> str:
    if ours not in found:
        return ""
    words = sorted(set(raw[found[ours]].str.strip()) - {""})
    if len(words) > 1:
        raise BadInput(f"The column {found[ours]!r} says {words[0]!r} and {words[1]!r}", cure="One table, one " + ours)
    return words[0] if words else ""


def _read_text(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        text = path.read_text(encoding="utf-8-sig")
        if not text.strip():
            raise BadInput(f"{path.name} is empty")
        head = text[:20_000]
        separator = "\t" if path.suffix.lower() == ".tsv" else csv.Sniffer().sniff(head, ",;\t").delimiter
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name} is not text in UTF-8", why=str(error), cure="Save it as CSV (UTF-8)") from error
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BadInput(f"{path.name} is not a table", why=str(error), cure="Save it as CSV with a header") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        frame = pd.read_parquet(path)
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        raise BadInput(f"{path.name} cannot be read as parquet", why=str(error)[:200], cure="Write it anew") from error
    return as_texts(frame)


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Every cell as text, missing as ""; numbers keep all their digits."""
    import pandas as pd

    frame = frame.rename(columns=str)
    return pd.DataFrame({c: [as_text(v) for v in frame[c].tolist()] for c in frame}, index=range(len(frame)))


def as_text(value: object) -> str:
    """A cell as text; missing as "", numbers with all their digits."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


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

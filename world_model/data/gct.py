"""GCT 1.2 and 1.3 (the Broad's text matrix, as L1000 is released in): columns are wells, rows are readouts.

``#1.3`` / rows, columns, row annotations, column annotations / a header line with the well ids / one line per
column annotation / one line per readout. 1.2 has Name and Description as its two row annotations and no others.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput, DataUnavailable
from .dataset import Dataset
from .guard import refuse_active

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SYMBOLS = ("pr_gene_symbol", "gene_symbol", "symbol")


def read_gct(path: Path) -> tuple[pd.DataFrame, NDArray[np.float64], list[str]]:
    """Column annotations as texts (one row a well), X (wells, readouts), readouts.

    Readouts are named by gene symbol where every row has its own, else by row id. Raises BadInput where the file
    is not GCT or ends early.
    """
    import pandas as pd

    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as stream:
            lines = (line.rstrip("\r\n").split("\t") for line in stream)
            head = list(itertools.islice(lines, 3))
            n_rows, n_columns, row_notes, column_notes = _sizes(head, path.name)
            header, first = head[2], 1 + row_notes
            notes = list(itertools.islice(lines, column_notes))
            X, ids = _body(lines, header, n_rows, n_columns, first, path.name)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name} cannot be read", why=str(error), cure="Download it again") from error
    labels = pd.DataFrame({line[0]: line[first:] for line in notes}, index=range(n_columns))
    labels["well_id"] = header[first:]
    names = [line[0] for line in ids]
    for symbol in SYMBOLS:
        if symbol in header[1:first]:
            column = header.index(symbol)
            symbols = [line[column] for line in ids]
            names = symbols if len(set(symbols)) == len(symbols) else names
    return labels, X, names


def _body(
    lines: Iterator[list[str]], header: list[str], n_rows: int, n_columns: int, first: int, name: str
) -> tuple[NDArray[np.float64], list[list[str]]]:
    """X (wells, readouts) and the annotations of each row; one line is held as text at a time."""
    try:
        X, ids = np.empty((n_columns, n_rows)), []
    except (MemoryError, ValueError) as error:
        raise BadInput(f"{name} announces {n_rows:,} rows of {n_columns:,} wells", why="they cannot be held") from error
    for row, line in enumerate(itertools.islice(lines, n_rows)):
        if len(line) != first + n_columns:
            break
        ids.append(line[:first])
        try:
            X[:, row] = [_number(cell) for cell in line[first:]]
        except ValueError as error:
            raise BadInput(f"{name}: a reading is not a number", why=str(error), cure="Correct the cell") from error
    if len(ids) < n_rows or len(header) != first + n_columns:
        raise BadInput(
            f"{name} breaks off or has uneven rows", why=f"its head announces {n_rows} rows of {n_columns} wells",
            cure="Download it again",
        )  # fmt: skip
    return X, ids


def load_l1000(folder: Path) -> Dataset:
    """One L1000 plate (LJP005, A375, 24 h): 59 compounds at 6 doses, 978 landmark genes, log2."""
    from .conform import conform

    path = folder / "LJP005_A375_24H_X1_B19.gct"
    if not path.exists():
        raise DataUnavailable(f"There is no file {path}", cure="Check the path")
    labels, X, names = read_gct(path)
    return conform(labels, X, names, stated="log2", modalities="transcriptome", name="l1000", source=str(path))


def _sizes(lines: list[list[str]], name: str) -> tuple[int, int, int, int]:
    version = lines[0][0].strip() if lines and lines[0] else ""
    if version not in ("#1.2", "#1.3") or len(lines) < 3:
        raise BadInput(f"{name} is not a GCT file", why=f"its first line is {version[:40]!r}, not #1.2 or #1.3")
    refuse_active(lines[2], "The header")
    try:
        sizes = [int(cell) for cell in lines[1] if cell.strip()]
    except ValueError as error:
        raise BadInput(f"{name}: the second line does not give the sizes", why=str(error)) from error
    if len(sizes) < (4 if version == "#1.3" else 2) or min(sizes) < 0:
        raise BadInput(f"{name}: the second line does not give the sizes")
    return (sizes[0], sizes[1], 1, 0) if version == "#1.2" else (sizes[0], sizes[1], sizes[2], sizes[3])


def _number(cell: str) -> float:
    return float("nan") if cell.strip().lower() in ("", "na", "nan", "-666") else float(cell)

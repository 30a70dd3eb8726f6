"""Tables whose every cell is a text until it is asked for as a number: .csv, .tsv, .parquet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from .columns import MISSING
from .guard import refuse_active

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def read_table(path: Path) -> pd.DataFrame:
    """A .parquet, .csv or .tsv with every cell a text (missing = ""). Raises BadInput where it is none."""
    return _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_text(path)


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


def numbers(column: pd.Series[str], name: str) -> NDArray[np.float64]:
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

"""A small table in a text file: checked cell by cell before anybody looks at what it says."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from ..world_model.errors import BadInput

MAX_BYTES = 1_000_000
MAX_CELL = 2000
HEADERS = {
    "field": "field", "value": "value", "unit": "unit", "units": "unit",
    "字段": "field", "项目": "field", "值": "value", "数值": "value", "单位": "unit",
}  # fmt: skip
_CURE = "give a CSV or TSV text file with the columns field, value, unit"
_FORMULA = re.compile(r"^(?:[=@]|[+\-](?![+\-]{0,2}$)(?!\s*\.?\d)|[+\-].*[|!(=])")  # +1.2, -0.5, +, ++ are readings
_MARKUP = re.compile(r"<\s*[a-z!/?]|javascript\s*:|\bon(?:error|load|click)\s*=|\{\{|\{%", re.I)


@dataclass(frozen=True)
class Row:
    """One line of the table; line counts from 1, the header included."""

    line: int
    field: str
    value: str
    unit: str


@dataclass(frozen=True)
class Table:
    """The rows and what was noticed on reading."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def read_rows(text: str, name: str) -> Table:
    """Rows of a field/value/unit table (English or Chinese header). Raises BadInput with the line at fault."""
    lines = text.splitlines()
    header_at = next((i for i, line in enumerate(lines) if line.strip()), None)
    if header_at is None:
        raise BadInput(f"{name} is empty", cure=_CURE)
    delimiter = max("\t;,", key=lines[header_at].count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        records = [(reader.line_num, [_clean(c) for c in cells]) for cells in reader]
    except csv.Error as error:
        raise BadInput(
            f"{name} cannot be read as a table", why=f"line {reader.line_num}: {error}", cure=_CURE
        ) from None
    records = [(line, cells) for line, cells in records if any(cells)]
    columns = _columns(name, records[0][1])
    rows = [_row(line, cells, columns, len(records[0][1])) for line, cells in records[1:]]
    if not rows:
        raise BadInput(f"{name} has a header but no rows", cure="add a line per field, as in: LDH,250,U/L")
    extra = [c for c in records[0][1] if HEADERS.get(c.lower()) is None and c]
    notes = [f"Column {c!r} is not read." for c in extra]
    if any(unicodedata.category(c) == "Cf" for c in text):
        notes.append("Invisible characters were removed from the table.")
    return Table(tuple(rows), tuple(notes))


def table_text(path: Path) -> str:
    """The file as text: UTF-8, or GB18030 where the header then reads as one of ours. Raises BadInput."""
    if not path.is_file():
        raise BadInput(f"No patient table at {path}", cure="check the path")
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"{path.name} is larger than 1 MB", why="a patient table has a line per field", cure=_CURE)
    raw = path.read_bytes()
    if b"\x00" in raw or raw[:2] == b"PK":
        raise BadInput(
            f"{path.name} is not a text file", why="it looks like a spreadsheet or another binary", cure=_CURE
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        text = ""
    if {"字段", "值"} <= set(re.split(r"[,\t;]", text.partition("\n")[0].strip())):
        return text
    raise BadInput(f"{path.name} is not UTF-8 text", cure="save it as CSV UTF-8") from None


def _clean(cell: str) -> str:
    """Full-width letters and digits made plain, invisible characters removed, trimmed."""
    kept = (c for c in cell.replace("\xa0", " ") if unicodedata.category(c) != "Cf")
    return "".join(_half_width(c) for c in kept).strip()


def _half_width(char: str) -> str:
    return unicodedata.normalize("NFKC", char) if "\uff01" <= char <= "\uff5e" or char == "\u3000" else char


def _columns(name: str, header: list[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for i, cell in enumerate(header):
        role = HEADERS.get(cell.lower())
        if role in columns:
            raise BadInput(f"{name} has two columns for {role!r}", cure=_CURE)
        if role:
            columns[role] = i
    missing = [n for n in ("field", "value", "unit") if n not in columns]
    if missing:
        seen = ", ".join(c[:40] for c in header[:6])
        raise BadInput(f"{name} lacks the column {', '.join(missing)}", why=f"its header reads: {seen}", cure=_CURE)
    return columns


def _row(line: int, cells: list[str], columns: dict[str, int], width: int) -> Row:
    if len(cells) > width and any(cells[width:]):
        raise BadInput(
            f"Line {line} has {len(cells)} cells, the header {width}",
            cure="put a value that holds the separator in quotes",
        )
    for cell in cells:
        _check(line, cell)
    field, value, unit = (cells[columns[n]] if columns[n] < len(cells) else "" for n in ("field", "value", "unit"))
    if not field:
        raise BadInput(
            f"Line {line} has no field name",
            why=f"its value is {value[:40]!r}",
            cure="name the field or delete the line",
        )
    return Row(line, field, value, unit)


def _check(line: int, cell: str) -> None:
    if len(cell) > MAX_CELL:
        raise BadInput(
            f"Line {line} has a cell of {len(cell)} characters", why=f"at most {MAX_CELL} are read", cure="shorten it"
        )
    if _FORMULA.match(cell):
        raise BadInput(f"Line {line} holds a formula", why=repr(cell[:60]), cure="replace it by its value")
    if _MARKUP.search(cell):
        raise BadInput(f"Line {line} holds markup or a script", why=repr(cell[:60]), cure="replace it by plain text")
    if any(unicodedata.category(c) in ("Cc", "Co", "Cs") and c not in "\n\t\r" for c in cell):
        raise BadInput(f"Line {line} holds control characters", cure="retype the cell as plain text")

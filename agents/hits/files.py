"""The bench side of a hit campaign: the pool's file, the measured file, and the next batch, as plain tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...world_model.data.guard import refuse_active
from ...world_model.errors import BadInput, UnknownName
from ...world_model.numeric import Numbers

if TYPE_CHECKING:
    from .campaign import Proposal

Side = Literal["both", "up", "down"]
NAME_COLUMNS = ("name", "gene", "compound", "drug", "symbol", "perturbation", "action_id")
SCORE_COLUMNS = ("score", "value", "lfc", "log2fc", "effect")
HIT_COLUMNS = ("hit", "is_hit")
LEAST = 10  # members of a pool


@dataclass(frozen=True)
class Measured:
    """rows: (n,) of the pool; score: (n,); hit: (n,) 0/1."""

    rows: Numbers
    score: Numbers
    hit: Numbers


def read_pool(path: Path) -> tuple[str, ...]:
    """The members, from the column name, gene, compound, drug or symbol, or from the only column.

    Raises BadInput for an empty or repeated name, an active cell, or fewer than ten members.
    """
    table = _table(path)
    column = _column(table, NAME_COLUMNS, path, "members")
    names = table[column]
    refuse_active(names, f"The column {column} of {path.name}")
    if "" in names:
        raise BadInput(f"{path.name} line {names.index('') + 2} has no name", cure="Fill it in or take the line out")
    _once(names, path)
    if len(names) < LEAST:
        raise BadInput(f"{path.name} holds {len(names)} members", cure=f"A pool needs at least {LEAST}")
    return tuple(names)


def read_measured(path: Path, pool: Sequence[str], *, threshold: float | None, side: Side = "both") -> Measured:
    """What was measured so far, all rounds in one file: name, score, and hit (0/1) where there is no ``threshold``.

    side: a hit lies at or beyond the threshold on this side of zero ("both": in size). Raises BadInput for a score
    that is no number, a member twice, or no rule for hits; UnknownName for a name that is not in the pool.
    """
    table = _table(path)
    name_column = _column(table, NAME_COLUMNS, path, "members")
    score_column = _column(table, SCORE_COLUMNS, path, "scores")
    names = table[name_column]
    refuse_active(names, f"The column {name_column} of {path.name}")
    _once(names, path)
    at = {name: i for i, name in enumerate(pool)}
    for name in names:
        if name not in at:
            raise UnknownName(name, kind="member of the pool", known=pool)
    score = np.array([_number(v, path, i) for i, v in enumerate(table[score_column], 2)])
    rows = np.array([at[n] for n in names], dtype=np.intp)
    if threshold is not None:
        return Measured(rows, score, hits_beyond(score, threshold, side))
    found = [c for c in table if c.strip().lower() in HIT_COLUMNS]
    if not found:
        raise BadInput(
            f"{path.name} does not say which members are hits",
            why="it has no column hit, and no threshold was given",
            cure="Add a column hit of 0 and 1, or give --threshold",
        )
    return Measured(rows, score, np.array([_flag(v, path, i) for i, v in enumerate(table[found[0]], 2)]))


def hits_beyond(score: Numbers, threshold: float, side: Side) -> Numbers:
    """(n,) 1.0 where the score is at or beyond the threshold on this side. Raises BadInput unless it is positive."""
    if not threshold > 0:
        raise BadInput(f"A threshold of {threshold:g} marks no hits", cure="Give its size; --side says on which side")
    size = {"both": np.abs(score), "up": score, "down": -score}[side]
    return (size >= threshold).astype(float)


def write_batch(path: Path, proposals: Sequence[Proposal]) -> None:
    """The next batch for the bench: rank, name, why; score and hit stand empty for the results."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["rank", "name", "score", "hit", "expected", "because_of_the_question", "because_of_results"])
        for p in proposals:
            near = "; ".join(f"{name} ({pull:+.3f})" for name, pull in p.neighbours)
            writer.writerow([p.rank, p.name, "", "", f"{p.expected:.4f}", "; ".join(p.sets), near])


def _table(path: Path) -> dict[str, list[str]]:
    """Column -> cells, from a table with commas, semicolons or tabs and a header."""
    if not path.is_file():
        raise BadInput(f"Cannot read {path}", why="there is no such file", cure="Check the spelling")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name} is not a text", why=str(error), cure="Save it as CSV in UTF-8") from error
    if not lines:
        raise BadInput(f"{path.name} is empty")
    mark = max(",;\t", key=lines[0].count)
    header, *rows = csv.reader(lines, delimiter=mark)
    refuse_active(header, f"The header of {path.name}")
    if not any(rows):
        raise BadInput(f"{path.name} holds no rows", why="there is a header at most")
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise BadInput(
                f"{path.name} line {line} has {len(row)} cells", why=f"the header has {len(header)}",
                cure="Give every line a cell for every column",
            )  # fmt: skip
    return {name: [row[j].strip() for row in rows] for j, name in enumerate(header)}


def _column(table: Mapping[str, list[str]], names: Sequence[str], path: Path, what: str) -> str:
    lowered = {c.strip().lower(): c for c in table}
    found = next((lowered[n] for n in names if n in lowered), None)
    if found is None and what == "members" and len(table) == 1:
        found = next(iter(table))
    if found is None:
        raise BadInput(f"{path.name} has no column of {what}", cure=f"Name one of its columns {names[0]!r}")
    return found


def _once(names: Sequence[str], path: Path) -> None:
    seen: set[str] = set()
    for line, name in enumerate(names, 2):
        if name in seen:
            raise BadInput(f"{path.name} line {line} names {name} again", cure="Give each member one line")
        seen.add(name)


def _number(cell: str, path: Path, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise BadInput(
            f"{path.name} line {line}: the score {cell[:40]!r} is no number",
            cure="Take out members that were not measured",
        )
    return value


def _flag(cell: str, path: Path, line: int) -> float:
    text = cell.lower()
    if text in ("1", "1.0", "true", "yes"):
        return 1.0
    if text in ("0", "0.0", "false", "no"):
        return 0.0
    raise BadInput(f"{path.name} line {line}: {text[:40]!r} is no hit mark", cure="Use 1 for a hit, 0 for none")

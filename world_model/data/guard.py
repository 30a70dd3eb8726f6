"""Cells of a table that could act instead of standing there: formulas, scripts, control characters.

A table ends up in reports, spreadsheets and prompts, so such a cell is refused where it comes in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import BadInput

FORMULA = re.compile(r"^\s*[=@]|^\s*[+-]\s*[A-Za-z(]")
MARKUP = re.compile(r"<\s*/?\s*(script|iframe|object|img|svg|style|link|meta)\b|javascript:", re.IGNORECASE)
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]|[\r\n]")
LONGEST = 200


def refuse_active(values: Iterable[object], where: str) -> None:
    """Raises BadInput for the first text that is a formula, holds markup that runs, or hides characters."""
    for value in values:
        if not isinstance(value, str):
            continue
        reason = _reason(value)
        if reason:
            raise BadInput(
                f"{where} holds {_shown(value)}", why=reason, cure="Replace the cell with a plain name or number"
            )


def _reason(text: str) -> str:
    if FORMULA.search(text):
        return "a cell that starts like a formula could run in a spreadsheet"
    if MARKUP.search(text):
        return "markup could run in a report"
    if UNPRINTABLE.search(text):
        return "it holds line breaks or invisible characters"
    if len(text) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    return ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")

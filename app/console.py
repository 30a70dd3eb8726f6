"""What commands print: JSON or text on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

GLYPH = {
    "corroborated": "✔", "falsified": "✘", "undecided": "?", "testing": "…", "conflict": "!",
    "undermined": "↯", "registered": "○", "proposed": "○",
}  # fmt: skip
COLOUR = {"corroborated": "green", "falsified": "red", "conflict": "magenta", "undermined": "yellow"}


def emit(payload: Any) -> None:
    """One JSON object on stdout."""
    print(json.dumps(payload, ensure_ascii=False, indent=2, allow_nan=False))


def say(text: str = "") -> None:
    """One line of text on stdout, never read as markup."""
    print(clean(text))


def clean(text: str) -> str:
    """Without control characters, so that a name in somebody's file cannot steer the terminal."""
    return "".join("\ufffd" if unicodedata.category(c)[0] == "C" and c not in "\n\t" else c for c in text)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", wide: Sequence[str] = ()
) -> None:
    """A table on stdout. Cells are plain text (None = an em dash); columns in ``wide`` wrap, others do not."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    sheet = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in columns:
        sheet.add_column(name, no_wrap=name not in wide, overflow="fold")
    for row in rows:
        sheet.add_row(*(_cell(value, Text) for value in row))
    # piped output keeps its columns: 160 characters where there is no terminal
    Console(width=None if sys.stdout.isatty() else 160).print(sheet)


def _cell(value: object, text: Any) -> Any:
    if value is None or value == "":
        return text("—", style="dim")
    shown = clean(str(value))
    if shown in GLYPH:
        return text(f"{GLYPH[shown]} {shown}", style=COLOUR.get(shown, ""))
    return text(f"{value:.3g}" if isinstance(value, float) else shown)


def share(percent: float | None) -> str | None:
    """A share of lines: "4%", "0.6%", "<0.1%"; None stays None."""
    if percent is None:
        return None
    if percent < 0.1:
        return "<0.1%"
    return f"{percent:.1f}%" if percent < 0.95 else f"{percent:.0f}%"


class Progress:
    """Steps of a long command on stderr: a spinner on a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._start = time.monotonic()
        self._status: Any = None

    def __enter__(self) -> Callable[[str], None]:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True, highlight=False).status("starting")
            self._status.start()
        return self.step

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def step(self, message: str) -> None:
        """Show one step with the seconds since the start."""
        if self._quiet:
            return
        line = f"{time.monotonic() - self._start:6.1f} s  {clean(message)}"
        if self._status is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._status.console.print(line, style="dim", markup=False)
            self._status.update(_no_markup(message))


def _no_markup(text: str) -> Any:
    from rich.text import Text

    return Text(text)

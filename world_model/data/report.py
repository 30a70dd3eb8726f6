"""What a loader used, changed and dropped, and why: nothing disappears silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

NoteKind = Literal["used", "changed", "dropped", "warning"]


@dataclass(frozen=True)
class Note:
    """``count`` rows (or columns, as ``what`` says) were used, changed or dropped, and why."""

    kind: NoteKind
    count: int
    what: str
    why: str = ""

    def line(self) -> str:
        return f"{self.kind}: {self.count:,} {self.what}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True)
class DataReport:
    """Where a data set came from and what became of its rows."""

    source: str
    notes: tuple[Note, ...] = ()

    def of(self, kind: NoteKind) -> tuple[Note, ...]:
        return tuple(note for note in self.notes if note.kind == kind)

    def with_notes(self, *more: Note) -> DataReport:
        return DataReport(self.source, self.notes + more)

    def lines(self) -> list[str]:
        return [f"source: {self.source}", *(note.line() for note in self.notes)]

    def as_json(self) -> dict[str, Any]:
        return {"source": self.source, "notes": [vars(note) for note in self.notes]}

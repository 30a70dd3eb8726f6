"""Every error a user can meet, in one tree.

CytocruxError            what happened, why, what to do
 ├─ BadInput             a question, table, file or option that cannot be used (exit 2)
 │   └─ UnknownName      a gene, compound, line or data set nobody here knows; carries near names
 ├─ DataUnavailable      a data set is neither on disk nor reachable
 ├─ NotAllowed           approval missing, budget exceeded, data already seen
 └─ Corrupt              the ledger or an artefact does not match its hash
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CytocruxError(Exception):
    """Base of all. ``str(error)`` is one readable line: what happened, why, and the cure."""

    def __init__(self, what: str, *, why: str = "", cure: str = "") -> None:
        self.what, self.why, self.cure = what, why, cure
        super().__init__(" ".join(part.rstrip(".") + "." for part in (what, why, cure) if part))


class BadInput(CytocruxError):
    """The caller's input cannot be used; nothing was stored."""


class UnknownName(BadInput):
    """A name that does not resolve against the vocabulary at hand."""

    def __init__(self, name: str, *, kind: str, known: Iterable[str]) -> None:
        lowered = {k.lower(): k for k in known}
        self.name, self.kind = name, kind
        self.near = [lowered[m] for m in difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)]
        cure = f"Did you mean {', '.join(self.near)}" if self.near else f"No known {kind} is near that name"
        super().__init__(f"Unknown {kind} {name!r}", cure=cure)


class DataUnavailable(CytocruxError):
    """A data set is neither on disk nor reachable."""


class NotAllowed(CytocruxError):
    """A rule forbids this: no approval, no registration, no budget, or data already seen."""


class Corrupt(CytocruxError):
    """Stored content does not match its hash."""

"""What of each event is worth finding: (id, text, metadata)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .claims import Claim
from .events import Event

TEXT = {  # kind -> payload fields worth finding
    "note": ("text",),
    "belief_changed": ("sentence",),
    "evidence_retracted": ("reason",),
    "claim_closed": ("reason",),
    "answer": ("summary",),
}

Entry = tuple[str, str, dict[str, str | int]]


class Texts:
    """What of each event is worth finding: (id, text, metadata)."""

    def __init__(self, claims: dict[str, Claim]) -> None:
        self._sentences = {claim_id: claim.sentence for claim_id, claim in claims.items()}

    def of(self, events: Iterator[Event]) -> Iterator[Entry]:
        for event in events:
            entry = self._entry(event)
            if entry is not None and entry[1].strip():
                yield entry

    def _entry(self, event: Event) -> Entry | None:
        if event.kind == "claim_proposed":
            claim = Claim.model_validate(event.payload["claim"])
            if claim.id in self._sentences:
                return None
            self._sentences[claim.id] = claim.sentence
            return claim.id, f"{claim.sentence} {claim.mechanism}", _about(event, "claim", claim.id)
        if event.kind == "evidence_added":
            claim_id = str(event.payload["evidence"]["batch"]["claim_id"])
            text = f"Evidence on: {self._sentences.get(claim_id, claim_id)}"
            return f"evidence {event.seq}", text, _about(event, "evidence", claim_id)
        if event.kind in TEXT:
            said = [_words(event.payload.get(name)) for name in TEXT[event.kind]]
            claim_id = str(event.payload.get("claim_id", ""))
            return f"{event.kind} {event.seq}", " ".join(said), _about(event, event.kind, claim_id)
        return None


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _about(event: Event, kind: str, claim_id: str) -> dict[str, str | int]:
    return {"kind": kind, "seq": event.seq, "claim_id": claim_id, "campaign": event.campaign or ""}


def batches(entries: Iterator[Entry], size: int) -> Iterator[Sequence[Entry]]:
    """Chunks without a repeated id (Chroma refuses those)."""
    chunk: dict[str, Entry] = {}
    for entry in entries:
        chunk[entry[0]] = entry
        if len(chunk) == size:
            yield list(chunk.values())
            chunk = {}
    if chunk:
        yield list(chunk.values())

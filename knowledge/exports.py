"""The ledger for other people: JSON-LD, CSV, RO-Crate.

export(ledger, Path("claims.csv"), "csv")
export(ledger, Path("crate"), "rocrate", licence="https://creativecommons.org/licenses/by/4.0/")
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

from ..world_model.errors import BadInput
from .events import Event
from .jsonld import as_jsonld
from .ledger import Ledger
from .status import ClaimState, replay

Format = Literal["jsonld", "csv", "rocrate"]
CHAIN_FILE = "events.jsonl"
UNLICENSED = "No licence stated; ask the authors before reuse."
COLUMNS = (
    "claim", "campaign", "status", "because", "sentence", "kind", "readout", "unit", "relation", "delta", "delta0",
    "arms", "test", "alpha", "estimate", "ci_low", "ci_high", "e_for", "e_against", "wells", "premises", "revises",
    "proposed_entry", "alarms",
)  # fmt: skip


def export(
    ledger: Ledger, path: Path, format: Format, *, campaign: str | None = None, licence: str = UNLICENSED
) -> Path:
    """Write claims (of one campaign, or all) to ``path``: a file, for RO-Crate a folder. Returns the path.

    A whole export in JSON-LD or RO-Crate carries the chain of entries and can be imported (imports.py).
    Raises BadInput for an unknown format, a campaign the ledger does not have, or a path that exists.
    """
    if format not in get_args(Format):
        raise BadInput(f"Unknown export format {format!r}", cure=f"Use {', '.join(get_args(Format))}")
    if path.exists():
        raise BadInput(f"{path} exists", cure="Name a new file or folder")
    events = list(ledger.events())
    states = {c: s for c, s in replay(events).items() if campaign in (None, s.campaign)}
    if campaign is not None and not any(e.campaign == campaign for e in events):
        raise BadInput(f"The ledger has no campaign {campaign!r}", cure="See campaign status for those there are")
    if format == "csv":
        path.write_text(as_csv(states), encoding="utf-8", newline="")
    elif format == "jsonld":
        path.write_text(_dump(as_jsonld(states, events, whole=campaign is None)), encoding="utf-8")
    else:
        _crate(path, states, events, campaign, licence)
    return path


def as_csv(states: dict[str, ClaimState]) -> str:
    """One line a claim. Text that a spreadsheet would run as a formula gets a leading apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for state in states.values():
        writer.writerow([_cell(v) for v in _row(state)])
    return out.getvalue()


def as_lines(events: list[Event]) -> str:
    """The chain, an entry a line: all that import needs."""
    return "".join(json.dumps(asdict(e), ensure_ascii=False, sort_keys=True) + "\n" for e in events)


def _row(state: ClaimState) -> list[object]:
    claim, test, evidence = state.claim, state.prediction, state.evidence
    _, e_for, e_against = state.e_path[-1] if state.e_path else (0, None, None)
    figures = (evidence.estimate, evidence.ci_low, evidence.ci_high) if evidence else (None, None, None)
    return [
        *(claim.id, state.campaign, state.status, state.history[-1].cause, claim.sentence, claim.kind),
        *(claim.readout.variable, claim.readout.unit, claim.relation, claim.delta, claim.delta0),
        "; ".join(f"{w:+g} {arm.label()}" for w, arm in claim.contrast.terms),
        *(test.id if test else None, test.alpha if test else None, *figures, e_for, e_against),
        sum(len(b.wells) for b in state.batches),
        *(" ".join(claim.premises), claim.revises, state.seq, "; ".join(state.alarms)),
    ]


def _cell(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def _crate(
    folder: Path, states: dict[str, ClaimState], events: list[Event], campaign: str | None, licence: str
) -> None:
    """RO-Crate 1.1 (https://w3id.org/ro/crate/1.1): claims, chain, and what they are."""
    linked = _dump(as_jsonld(states, events, whole=False))
    files = {
        "claims.csv": ("text/csv", "Claims with their status and evidence", as_csv(states)),
        "claims.jsonld": ("application/ld+json", "Claims as nanopublications", linked),
    }
    if campaign is None:
        files[CHAIN_FILE] = ("application/jsonl", "The hash-chained ledger, one entry a line", as_lines(events))
    folder.mkdir(parents=True)
    described = []
    for name, (kind, what, content) in files.items():
        raw = content.encode()
        (folder / name).write_bytes(raw)
        size = {"contentSize": str(len(raw)), "sha256": hashlib.sha256(raw).hexdigest()}
        described.append({"@id": name, "@type": "File", "name": what, "encodingFormat": kind} | size)
    questions = [str(e.payload["question"]) for e in events if e.kind == "campaign_started"]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Cytocrux ledger{f', campaign {campaign}' if campaign else ''}",
        "description": " / ".join(dict.fromkeys(questions)) or "Claims, their registered tests and their evidence",
        "datePublished": events[-1].at if events else "",
        "license": {"@id": licence} if licence.startswith("http") else licence,
        "hasPart": [{"@id": d["@id"]} for d in described],
    }
    about = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    crate = {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [about, root, *described]}
    (folder / "ro-crate-metadata.json").write_text(_dump(crate), encoding="utf-8")


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

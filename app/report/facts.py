"""What a report says about its own making, and the report as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .panel import AnswerRow, finding_rows, panel_rows
from .record import ClaimRecord, Record, holding

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger

PACKAGES = ("cytocrux", "numpy", "scipy", "torch", "langgraph")


@dataclass(frozen=True)
class Provenance:
    """Ledger head and check, software versions, the command that does it again, when this was written."""

    head: str
    entries: int
    verified: bool
    verify_note: str
    versions: Mapping[str, str]
    command: str
    written: str


def provenance(ledger: Ledger, record: Record) -> Provenance:
    """Verify the whole ledger and name what the report rests on."""
    entries, head = ledger.head()
    check = ledger.verify()
    note = f"verified: {check.n:,} entries, chain unbroken" if check.ok else f"NOT VERIFIED: {check.reason}"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Provenance(head, entries, check.ok, note, versions(), command(record), now)


def versions() -> dict[str, str]:
    """Versions of what the figures depend on; packages that are not there are left out."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def command(record: Record) -> str:
    """The shell command that runs the same campaign again in a new workspace."""
    spec = record.spec
    words = ["cytocrux", "ask", shlex.quote(record.question)]
    for option, value in (
        ("--data", spec.get("data")),
        ("--patient", spec.get("patient_name")),
        ("--budget", ",".join(f"{k}={v:g}" for k, v in record.budget.items() if v)),
        ("--llm", (spec.get("llm") or {}).get("url")),
        ("--model", (spec.get("llm") or {}).get("model")),
        ("--auto-approve", record.policy),
        ("--seed", record.seed),
    ):
        if value not in (None, ""):
            words += [option, shlex.quote(str(value))]
    return " ".join([*words, "--workspace", "NEW_FOLDER"])


def as_json(record: Record, about: Provenance) -> dict[str, Any]:
    """The report's content: ``panel``, ``claims``, ``answer``, …; the same object that --json prints."""
    return {
        "campaign": record.campaign,
        "question": record.question,
        "summary": list(record.answer.get("summary") or ()),
        "support": [list(entries) for _, entries in record.sentences],
        "cut_sentences": int(record.answer.get("cut_sentences") or 0),
        "minds": {"refused": record.refused, "cut": record.cut, "fallbacks": len(record.fallbacks)},
        "remarks": record.remarks,
        "citations": record.cited,
        "tools_called": len(record.tools),
        "panel": [row_json(r) for r in panel_rows(record)],
        "items": [row_json(r) for r in finding_rows(record)],
        "claims": [claim_json(c) for c in record.claims],
        "tally": record.tally,
        "hold_at_fdr_0.1": [c.id for c in holding(record.claims, 0.1)],
        "wells": record.wells,
        "seconds": record.seconds,
        "tokens": record.tokens,
        "usd": record.usd,
        "goal": record.goal.model_dump(mode="json", exclude={"context": {"expression"}}) if record.goal else None,
        "excluded": list(record.answer.get("excluded") or ()),
        "assumptions": list(record.answer.get("assumptions") or ()),
        "unused_fields": list(record.answer.get("unused_fields") or ()),
        "trial": record.answer.get("trial"),
        "beliefs": record.beliefs,
        "models": record.models,
        "reviews": [
            {"decision": r.decision, "by": r.by, "reason": r.reason, "at": r.at, "seq": r.seq} for r in record.reviews
        ],
        "pending": [{"hash": d.content_hash(), "design": d.model_dump(mode="json")} for d in record.pending],
        "dataset": record.dataset,
        "provenance": asdict(about),
    }


def row_json(row: AnswerRow) -> dict[str, Any]:
    """One row of the answer; ``top`` and its bounds are percentages of lines."""
    entry = {k: v for k, v in vars(row).items() if k != "claim"}
    return entry | {"targets": list(row.targets), "claim_id": row.claim.id if row.claim else None}


def claim_json(record: ClaimRecord) -> dict[str, Any]:
    """One claim with its test, evidence and history."""
    claim, prediction, found = record.claim, record.prediction, record.measured
    last = record.path[-1] if record.path else None
    return {
        "id": claim.id,
        "sentence": claim.sentence,
        "status": record.status,
        "kind": claim.kind,
        "relation": claim.relation,
        "delta": claim.delta,
        "delta0": claim.delta0,
        "unit": record.unit,
        "mechanism": claim.mechanism,
        "refuted_by": claim.refuted_by,
        "premises": list(claim.premises),
        "revises": claim.revises,
        "origin": claim.origin,
        "predicted": prediction.theory.model_dump() if prediction else None,
        "sceptic": prediction.sceptic.model_dump() if prediction else None,
        "alpha": prediction.alpha if prediction else None,
        "severity": record.severity,
        "estimate": found.estimate if found else None,
        "interval": [found.low, found.high] if found else None,
        "e_for": last.e_for if last else None,
        "e_against": last.e_against if last else None,
        "wells": list(record.wells),
        "proposed_at": record.state.seq,
        "registered_at": record.registration.get("seq"),
        "evidence_at": [seq for seq, _, _ in record.state.looks],
        "history": [{"seq": c.seq, "status": c.status, "cause": c.cause} for c in record.state.history],
        "alarms": list(record.state.alarms),
    }

"""What every lab does alike: hold the approval to the design, write submission and reveal into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ...knowledge.claims import Approval, Design
from ...world_model.errors import NotAllowed
from ...world_model.vocabulary import content_hash
from .protocol import Problem, RawResult, Well

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger


def approved(design: Design, approval: Approval) -> str:
    """The design's hash. Raises NotAllowed where the approval is bound to another design."""
    design_hash = design.content_hash()
    if approval.design_hash != design_hash:
        raise NotAllowed(
            "The lab refuses this design",
            why="its approval is bound to another design's hash",
            cure="have exactly this design approved",
        )
    return design_hash


def runnable(problems: Sequence[Problem]) -> None:
    """Raises NotAllowed with the first problem of a design."""
    if problems:
        raise NotAllowed("The lab refuses this design", why=problems[0].what, cure=problems[0].cure)


def submitted(ledger: Ledger, campaign: str, run_id: str, design: Design, key: str) -> None:
    """Before anything is run."""
    payload = {
        "run_id": run_id,
        "design_hash": design.content_hash(),
        "key": key,
        "design": design.model_dump(mode="json"),
    }
    ledger.append("run_submitted", payload, campaign=campaign, key=f"run:{run_id}")


def revealed(ledger: Ledger, campaign: str, run_id: str, design_hash: str, wells: Sequence[Well]) -> None:
    """Every well that was shown, once."""
    payload = {
        "run_id": run_id,
        "design_hash": design_hash,
        "wells": [w.id for w in wells],
        "arms": [w.arm_key for w in wells],
        "data_hash": wells_hash(wells),
    }
    ledger.append("wells_revealed", payload, campaign=campaign, key=f"reveal:{run_id}")


def event_of(ledger: Ledger, campaign: str, kind: str, run_id: str) -> dict[str, Any] | None:
    """The payload of a run's event; None where there is none."""
    found = (e.payload for e in ledger.events(kind=kind, campaign=campaign) if e.payload["run_id"] == run_id)
    return next((dict(payload) for payload in found), None)


def result(run_id: str, reveal: dict[str, Any], wells: Sequence[Well], source: str) -> RawResult:
    """The wells of a reveal. Raises NotAllowed where they are no longer those whose hash the ledger holds."""
    if wells_hash(wells) != reveal["data_hash"]:
        raise NotAllowed(
            f"The {source} changed since run {run_id}",
            why="its wells no longer match the hash in the ledger",
            cure=f"restore the {source} of that run, or start a new campaign",
        )
    return RawResult(
        run_id=run_id, design_hash=reveal["design_hash"], wells=tuple(wells), data_hash=reveal["data_hash"]
    )


def wells_hash(wells: Iterable[Well]) -> str:
    """sha256 over the wells' canonical JSON."""
    return content_hash([w.model_dump(mode="json") for w in wells])

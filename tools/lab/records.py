"""What every lab does alike: hold the approval to the design, write submission and reveal into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...knowledge.claims import Approval, Design
from ...world_model.errors import NotAllowed
from ...world_model.vocabulary import content_hash
from .protocol import Problem, Well

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


def wells_hash(wells: Iterable[Well]) -> str:
    """sha256 over the wells' canonical JSON."""
    return content_hash([w.model_dump(mode="json") for w in wells])

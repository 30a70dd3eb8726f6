"""The lab seen from the loop: validate, submit (only with approval), poll, collect.

A lab never hands out a well it has not logged as revealed, and never the same well twice to one campaign
under different keys: ``submit`` with a key seen before returns the same run.
"""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from ...knowledge.claims import Approval, Design
from ...world_model.vocabulary import Arm, Frozen

RunState = Literal["queued", "running", "done", "failed", "needs_human"]


class Capabilities(Frozen):
    """What a lab can do. cost_per_well in wells-equivalents (replay and simulation: 1). usd_per_well, usd_per_plate:
    its prices, None where it has none. days_per_cycle: from an experiment's start to its readings. doses (uM), times_h:
    the range within which any value can be run; None = only what was measured."""

    name: str
    dataset: str
    modalities: tuple[str, ...]
    cost_per_well: float = 1.0
    usd_per_well: float | None = None
    usd_per_plate: float | None = None
    days_per_cycle: float = 1.0
    doses: tuple[float, float] | None = None
    times_h: tuple[float, float] | None = None


class Problem(Frozen):
    """One reason why a design cannot run, and what to do about it."""

    what: str
    cure: str


class Well(Frozen):
    """One revealed measurement. values: readout variable -> reading (the data set's scale); absent = not measured."""

    id: str
    arm_key: str
    block: str  # plate, lane or scanner; "" where unknown
    values: dict[str, float]


class RawResult(Frozen):
    """Everything a run returned. data_hash: sha256 over the wells' canonical JSON."""

    run_id: str
    design_hash: str
    wells: tuple[Well, ...]
    data_hash: str
    shortfall: dict[str, int] = Field(default_factory=dict)  # arm key -> wells asked for but not to be had


class LabExecutor(Protocol):
    """One protocol for replay, simulated, files and robots."""

    def capabilities(self) -> Capabilities: ...

    def available(self, arm: Arm) -> int:
        """Fresh wells of this arm that could still be revealed (0 = this lab cannot run it)."""
        ...

    def validate(self, design: Design) -> list[Problem]: ...

    def submit(self, design: Design, key: str, approval: Approval) -> str:
        """Returns the run id. Raises NotAllowed unless ``approval.design_hash == design.content_hash()``."""
        ...

    def poll(self, run_id: str) -> RunState: ...

    def collect(self, run_id: str) -> RawResult: ...

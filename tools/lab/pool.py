"""A finished screen of a pool as a lab: one reading a member, revealed against an approval, each logged once.

What was revealed is in the ledger; this object keeps no state of its own, so a resumed campaign reads what it read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...knowledge.claims import Approval, Design
from ...world_model.errors import NotAllowed
from ...world_model.vocabulary import Arm, content_hash
from .protocol import Capabilities, Problem, RawResult, RunState, Well
from .records import approved, event_of, result, revealed, runnable, submitted

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger

SCORE = "score"


class PoolLab:
    """The readings of one screen (member -> score), for one campaign. An arm is one member, alone."""

    def __init__(self, scores: Mapping[str, float], ledger: Ledger, campaign: str) -> None:
        self._scores, self._ledger, self._campaign = scores, ledger, campaign

    @property
    def members(self) -> tuple[str, ...]:
        """Everything the screen can answer for."""
        return tuple(self._scores)

    def capabilities(self) -> Capabilities:
        return Capabilities(name="replay", dataset="pool", modalities=(SCORE,))

    def available(self, arm: Arm) -> int:
        """1 for a member of the screen that this campaign has not seen, else 0."""
        name = _member(arm)
        return int(name in self._scores and self._well_id(name) not in self._revealed())

    def validate(self, design: Design) -> list[Problem]:
        seen = self._revealed()
        problems = []
        for request in design.arms:
            name = _member(request.arm)
            if request.n != 1 or name not in self._scores or self._well_id(name) in seen:
                left = int(name in self._scores and self._well_id(name) not in seen)
                what = f"{request.n} readings of {name or request.arm.label()} asked for, {left} left to reveal"
                problems.append(Problem(what=what, cure="ask once for a member of the screen that was not measured"))
        return problems

    def submit(self, design: Design, key: str, approval: Approval) -> str:
        """Reveal the readings. The same key returns the same run."""
        design_hash = approved(design, approval)
        run_id = "Q" + content_hash([self._campaign, key])[:12]
        if self._reveal_of(run_id) is not None:
            return run_id
        runnable(self.validate(design))
        submitted(self._ledger, self._campaign, run_id, design, key)
        wells = [self._well(_member(r.arm), r.arm.key()) for r in design.arms]
        revealed(self._ledger, self._campaign, run_id, design_hash, wells)
        return run_id

    def poll(self, run_id: str) -> RunState:
        return "done" if self._reveal_of(run_id) is not None else "failed"

    def collect(self, run_id: str) -> RawResult:
        """Raises NotAllowed for a run that revealed nothing, or a screen that changed since."""
        reveal = self._reveal_of(run_id)
        if reveal is None:
            raise NotAllowed(f"Run {run_id} has revealed nothing", cure="submit its design first")
        names = [str(well).removeprefix(f"{self._campaign}/") for well in reveal["wells"]]
        wells = [self._well(n, key) for n, key in zip(names, reveal["arms"], strict=True) if n in self._scores]
        return result(run_id, reveal, wells, "screen")

    def _well(self, name: str, arm_key: str) -> Well:
        return Well(id=self._well_id(name), arm_key=arm_key, block="", values={SCORE: self._scores[name]})

    def _well_id(self, name: str) -> str:
        return f"{self._campaign}/{name}"

    def _revealed(self) -> frozenset[str]:
        events = self._ledger.events(kind="wells_revealed", campaign=self._campaign)
        return frozenset(w for e in events for w in e.payload["wells"])

    def _reveal_of(self, run_id: str) -> dict[str, Any] | None:
        return event_of(self._ledger, self._campaign, "wells_revealed", run_id)


def _member(arm: Arm) -> str:
    return arm.perturbations[0].name if len(arm.perturbations) == 1 else ""

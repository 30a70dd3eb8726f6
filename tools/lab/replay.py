"""The replay lab: held-out real wells of a data set, revealed only against an approval, each logged once.

Which wells of an arm come first is a seeded permutation, so a resumed run reveals what an uninterrupted one
would have. The log is the ledger itself: this object keeps no state of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...knowledge.claims import Approval, Design
from ...world_model.data.arms import arm_rows
from ...world_model.errors import NotAllowed
from ...world_model.vocabulary import Arm, content_hash
from .protocol import Capabilities, Problem, RawResult, RunState, Well
from .records import approved, event_of, result, revealed, runnable, submitted

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger
    from ...world_model.data.dataset import Dataset


class ReplayLab:
    """Replays ``rows`` of ``dataset`` (the wells the model has never seen) for one campaign.

    alias: context name in arms -> context name in the data set (a patient and the line standing in).
    """

    def __init__(
        self,
        dataset: Dataset,
        rows: np.ndarray,
        ledger: Ledger,
        campaign: str,
        *,
        seed: int = 0,
        alias: Mapping[str, str] | None = None,
    ) -> None:
        self._wells = dataset.wells
        self._capabilities = replaying(dataset)
        self._allowed = frozenset(int(r) for r in rows)
        self._ledger, self._campaign, self._seed = ledger, campaign, seed
        self._alias = dict(alias or {})

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def available(self, arm: Arm) -> int:
        return len(self._fresh(arm, self._revealed()))

    def validate(self, design: Design) -> list[Problem]:
        revealed = self._revealed()
        problems = []
        for request in design.arms:
            left = len(self._fresh(request.arm, revealed))
            if left < request.n:
                problems.append(
                    Problem(
                        what=f"{request.n} wells of {request.arm.label()} asked for, {left} left to reveal",
                        cure="ask for fewer wells, or choose another arm",
                    )
                )
        return problems

    def submit(self, design: Design, key: str, approval: Approval) -> str:
        """Reveal the wells. The same key returns the same run; wells come from the ledger if it ran before."""
        design_hash = approved(design, approval)
        run_id = "R" + content_hash([self._campaign, key])[:12]
        if self._reveal_of(run_id) is not None:
            return run_id
        runnable(self.validate(design))
        submitted(self._ledger, self._campaign, run_id, design, key)
        revealed(self._ledger, self._campaign, run_id, design_hash, self._draw(design))
        return run_id

    def poll(self, run_id: str) -> RunState:
        return "done" if self._reveal_of(run_id) is not None else "failed"

    def collect(self, run_id: str) -> RawResult:
        reveal = self._reveal_of(run_id)
        if reveal is None:
            raise NotAllowed(f"Run {run_id} has revealed nothing", cure="submit its design first")
        row_of = {name: i for i, name in enumerate(self._wells.obs_names)}
        wells = [self._well(row_of[i], key) for i, key in zip(reveal["wells"], reveal["arms"], strict=True)]
        return result(run_id, reveal, wells, "data set")

    def _reveal_of(self, run_id: str) -> dict[str, Any] | None:
        return event_of(self._ledger, self._campaign, "wells_revealed", run_id)

    def _revealed(self) -> frozenset[str]:
        """Wells any campaign of this ledger has seen: none of them is ever fresh again."""
        events = self._ledger.events(kind="wells_revealed")
        return frozenset(w for e in events for w in e.payload["wells"])

    def _fresh(self, arm: Arm, revealed: Iterable[str]) -> list[int]:
        """Rows of the arm not revealed yet, in the seeded order in which they will be."""
        there = arm.model_copy(update={"context": self._alias.get(arm.context, arm.context)})
        names = self._wells.obs_names
        seen = set(revealed)
        rows = [int(r) for r in arm_rows(self._wells, there) if int(r) in self._allowed and names[r] not in seen]
        return sorted(rows, key=lambda r: hashlib.sha256(f"{self._seed}|{names[r]}".encode()).digest())

    def _draw(self, design: Design) -> list[Well]:
        """Wells of each arm, taken in turn from its blocks so that blocks stay balanced across arms."""
        revealed = set(self._revealed())
        wells: list[Well] = []
        blocks = self._wells.obs["batch"].astype(str).to_numpy()
        for request in design.arms:
            queue: dict[str, list[int]] = {}
            for row in self._fresh(request.arm, revealed):
                queue.setdefault(blocks[row], []).append(row)
            order = sorted(queue)
            taken: list[int] = []
            while len(taken) < request.n:
                for block in order:
                    if queue[block] and len(taken) < request.n:
                        taken.append(queue[block].pop(0))
            wells += [self._well(row, request.arm.key()) for row in taken]
        return wells

    def _well(self, row: int, arm_key: str) -> Well:
        values = np.asarray(self._wells.X[row], dtype=float).ravel()
        measured = {str(v): float(x) for v, x in zip(self._wells.var_names, values, strict=True) if np.isfinite(x)}
        return Well(
            id=str(self._wells.obs_names[row]),
            arm_key=arm_key,
            block=str(self._wells.obs["batch"].iloc[row]),
            values=measured,
        )


def replaying(dataset: Dataset) -> Capabilities:
    """What a replay of this data set can do. Its wells were paid long ago: no prices."""
    modalities = tuple(sorted(set(dataset.wells.var["modality"].astype(str))))
    return Capabilities(name="replay", dataset=dataset.name, modalities=modalities)

"""Status of every claim, computed from the events and from nothing else.

proposed -> registered -> testing -> falsified     E_against has reached 1/alpha
                                  -> corroborated  E_for has reached 1/alpha
                                  -> conflict      both have: an alarm about the data or the variance model
                                  -> undecided     closed, or max_wells spent
undermined                        while a premise is falsified or itself undermined
Reached once is reached (Ville's inequality bounds the running maximum), unless evidence is retracted: then the
path is computed again without it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from ..world_model.errors import BadInput
from .claims import Batch, Claim, Design, Evidence, Prediction, Status
from .diagnosis import likely_fault
from .events import Event, Payload

Assess = Callable[[Claim, Prediction, list[Batch]], Evidence]
KINDS = (
    "claim_proposed", "prediction_registered", "experiment_proposed", "experiment_decided", "run_submitted",
    "evidence_added", "evidence_retracted", "claim_closed",
)  # fmt: skip
MOST = 1e300  # larger e-values are cut here; they settle any claim
Look = tuple[int, Batch, Evidence]  # entry, batch, evidence as stored


@dataclass(frozen=True, slots=True)
class Cause:
    """Entry ``seq`` gave the claim its status, and why."""

    seq: int
    status: Status
    cause: str


@dataclass(frozen=True, slots=True)
class Retraction:
    """Evidence taken back by entry ``seq``; shown beside the claim for ever."""

    seq: int
    batch: Batch
    reason: str
    by: str


@dataclass(slots=True)
class ClaimState:
    """A claim as the ledger has it. Built by ``replay``; read only."""

    claim: Claim
    seq: int  # entry that proposed it
    campaign: str | None
    predictions: dict[str, Prediction] = field(default_factory=dict)  # by id; E-values multiply over them
    looks: list[Look] = field(default_factory=list)  # in force
    evidence: Evidence | None = None  # latest, recomputed from the batches
    status: Status = "proposed"
    history: list[Cause] = field(default_factory=list)
    e_path: list[tuple[int, float, float]] = field(default_factory=list)  # entry, e_for, e_against
    retracted: list[Retraction] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    closed: str = ""  # reason, once closed
    own: Status = "proposed"  # status without regard to premises
    submitted: bool = False  # a run that tests it has begun

    @property
    def prediction(self) -> Prediction | None:
        """The test in force: of the latest evidence, else the first registered."""
        if self.looks:
            return self.predictions[self.looks[-1][1].prediction_id]
        return next(iter(self.predictions.values()), None)

    @property
    def batches(self) -> list[Batch]:
        return [batch for _, batch, _ in self.looks]

    @property
    def alpha(self) -> float:
        """The level of the first registered test; later ones do not move it."""
        return next((p.alpha for p in self.predictions.values()), 0.05)

    @property
    def wells_per_arm(self) -> int:
        """Wells of the arm that has most, retracted ones included: they were spent."""
        spent = Counter[str]()
        for batch in [*self.batches, *(r.batch for r in self.retracted)]:
            for arm in batch.arms:
                spent[arm.arm_key] += arm.n
        return max(spent.values(), default=0)


def replay(
    events: Iterable[Event], *, without: Collection[int] = (), assess: Assess | None = None
) -> dict[str, ClaimState]:
    """Claim id -> state after these events, in order of proposal. ``ledger.events(KINDS)`` has all that it needs.

    without: numbers of evidence_added entries to leave out (what if they had not been?).
    assess: the analysis; the default is ``evalues.assess``.
    A stored Evidence that differs from the one recomputed from its batches raises an alarm on its claim;
    the status always follows the recomputed one.
    """
    machine = Replay(assess, without)
    for event in events:
        machine.see(event)
    return machine.states


class Replay:
    """The status machine: feed it events in order with ``see`` (only those of ``KINDS`` matter), read ``states``."""

    def __init__(self, assess: Assess | None = None, without: Collection[int] = ()) -> None:
        self.states: dict[str, ClaimState] = {}
        self._assess, self._without = assess, frozenset(without)
        self._claim_of: dict[str, str] = {}  # prediction id -> claim id
        self._tests: dict[str, tuple[str, ...]] = {}  # design hash -> prediction ids
        self._leaning: dict[str, list[str]] = {}  # premise -> claims that lean on it
        self._handlers: dict[str, Callable[[Event, Payload], None]] = {
            "claim_proposed": self._proposed,
            "prediction_registered": self._registered,
            "experiment_proposed": self._designed,
            "experiment_decided": self._decided,
            "run_submitted": self._submitted,
            "evidence_added": self._added,
            "evidence_retracted": self._retract,
            "claim_closed": self._closed,
        }

    def see(self, event: Event) -> None:
        handler = self._handlers.get(event.kind)
        if handler:
            handler(event, event.payload)

    def _proposed(self, event: Event, payload: Payload) -> None:
        claim = Claim.model_validate(payload["claim"])
        if claim.id in self.states:  # the first proposal stands
            return
        state = ClaimState(claim, event.seq, event.campaign)
        self.states[claim.id] = state
        for premise in claim.premises:
            self._leaning.setdefault(premise, []).append(claim.id)
        state.history.append(Cause(event.seq, "proposed", f"proposed by {claim.origin}"))
        self._settle(state, event.seq, "")

    def _registered(self, event: Event, payload: Payload) -> None:
        prediction = Prediction.model_validate(payload["prediction"])
        state = self.states[prediction.claim_id]
        state.predictions.setdefault(prediction.id, prediction)
        self._claim_of[prediction.id] = prediction.claim_id
        self._settle(state, event.seq, f"test {prediction.id} registered at alpha {state.alpha:g}")

    def _designed(self, event: Event, payload: Payload) -> None:
        design = Design.model_validate(payload["design"])
        self._tests[design.content_hash()] = design.predictions

    def _decided(self, event: Event, payload: Payload) -> None:
        if payload["decision"] == "edit":
            self._designed(event, payload)

    def _submitted(self, event: Event, payload: Payload) -> None:
        for prediction in self._tests.get(payload["design_hash"], ()):
            state = self.states[self._claim_of[prediction]]
            state.submitted = True
            self._settle(state, event.seq, f"run {payload['run_id']} submitted")

    def _added(self, event: Event, payload: Payload) -> None:
        if event.seq in self._without:
            return
        stored = Evidence.model_validate(payload["evidence"])
        state = self.states[stored.batch.claim_id]
        state.looks.append((event.seq, stored.batch, stored))
        state.closed = ""
        self._step(state, len(state.looks))
        now = state.evidence
        if now is not None and not same_evidence(now, stored) and not self._without:
            state.alarms.append(f"entry {event.seq} states other evidence than its batches give; theirs counts")
        self._settle(state, event.seq, f"batch {stored.batch.index}: {_e_words(state)}")

    def _retract(self, event: Event, payload: Payload) -> None:
        state = self.states[payload["claim_id"]]
        out = [look for look in state.looks if _meant(look[1], payload)]
        if not out:
            return
        state.looks = [look for look in state.looks if not _meant(look[1], payload)]
        state.retracted += [Retraction(event.seq, b, str(payload["reason"]), str(payload["by"])) for _, b, _ in out]
        state.e_path, state.evidence = [], None
        for k in range(1, len(state.looks) + 1):
            self._step(state, k)
        names = ", ".join(str(batch.index) for _, batch, _ in out)
        why = f"batch {names} retracted by {payload['by']} ({payload['reason']}): {_e_words(state)}"
        self._settle(state, event.seq, why)

    def _closed(self, event: Event, payload: Payload) -> None:
        state = self.states[payload["claim_id"]]
        state.closed = str(payload["reason"])
        self._settle(state, event.seq, f"closed: {state.closed}")

    def _step(self, state: ClaimState, k: int) -> None:
        """Evidence of the first k looks; e-values of several registered tests multiply (distinct wells)."""
        assess = self._assess or _default_assess()
        seq, last, _ = state.looks[k - 1]
        by_test: dict[str, list[Batch]] = {}
        for _, batch, _ in state.looks[:k]:
            by_test.setdefault(batch.prediction_id, []).append(batch)
        e_for, e_against = 1.0, 1.0
        for test, batches in by_test.items():
            try:
                found = assess(state.claim, state.predictions[test], batches)
            except BadInput:  # no contrast yet: an arm has no well
                continue
            e_for, e_against = min(e_for * found.e_for, MOST), min(e_against * found.e_against, MOST)
            if test == last.prediction_id:
                state.evidence = found
        state.e_path.append((seq, e_for, e_against))

    def _settle(self, state: ClaimState, seq: int, cause: str) -> None:
        """Recompute one claim's status and that of all that lean on it, recording what changed."""
        state.own = own_status(state)
        bad = [p for p in state.claim.premises if self._gone(p)]
        status: Status = "undermined" if bad and state.own not in ("falsified", "conflict") else state.own
        if status == state.status:
            return
        if status == "undermined":
            cause = f"premise {bad[0]} is {self.states[bad[0]].status}"
        state.status = status
        state.history.append(Cause(seq, status, cause))
        if status == "conflict":
            fault = likely_fault(state.claim, state.batches, state.prediction)
            state.alarms.append(f"E for and E against both reached {1 / state.alpha:g}: {fault}")
        for claim_id in self._leaning.get(state.claim.id, ()):
            self._settle(self.states[claim_id], seq, f"premise {state.claim.id} is {status}")

    def _gone(self, premise: str) -> bool:
        found = self.states.get(premise)
        return found is not None and found.status in ("falsified", "undermined")


def own_status(state: ClaimState) -> Status:
    """Status without regard to premises."""
    if not state.predictions:
        return "undecided" if state.closed else "proposed"
    bar = 1.0 / state.alpha
    pro = any(e_for >= bar for _, e_for, _ in state.e_path)
    contra = any(e_against >= bar for _, _, e_against in state.e_path)
    if pro or contra:
        return "conflict" if pro and contra else "corroborated" if pro else "falsified"
    if state.closed or state.wells_per_arm >= max(p.max_wells for p in state.predictions.values()):
        return "undecided"
    return "testing" if state.looks or state.submitted else "registered"


def same_evidence(a: Evidence, b: Evidence) -> bool:
    """Equal but for the last digits that another processor may compute differently."""
    if a.batch != b.batch:
        return False
    names = [name for name in Evidence.model_fields if name != "batch"]
    return all(_close(getattr(a, name), getattr(b, name)) for name in names)


def _close(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)


def _meant(batch: Batch, payload: Payload) -> bool:
    if isinstance(payload.get("batch_index"), int):
        return bool(batch.index == payload["batch_index"])
    return bool(batch.data_hash == payload.get("data_hash"))


def _e_words(state: ClaimState) -> str:
    if not state.e_path:
        return "no evidence left"
    _, pro, contra = state.e_path[-1]
    return f"E for {pro:.3g}, E against {contra:.3g}, bar {1 / state.alpha:g}"


def _default_assess() -> Assess:
    from .evalues import assess

    return assess

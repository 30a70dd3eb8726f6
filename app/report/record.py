"""What a report shows, gathered from the ledger's events alone; statuses come from their replay."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...agents.goal import Goal
from ...knowledge.claims import Belief, Claim, Design, Prediction, Status
from ...knowledge.events import Event
from ...knowledge.status import ClaimState
from ...world_model.vocabulary import Contrast

SETTLED_FIRST = (
    "falsified",
    "conflict",
    "undermined",
    "corroborated",
    "undecided",
    "testing",
    "registered",
    "proposed",
)

# what a registration may say beside its prediction
UNSAID: Mapping[str, Any] = {"seq": None, "severity": None, "e_power": None, "reason": "", "abstained": ""}

NO_CARD = {"dataset": "", "description": "", "licence": "", "citation": ""}


@dataclass(frozen=True)
class Step:
    """The two e-values after one look. wells: used by this claim so far, all arms."""

    wells: int
    e_for: float
    e_against: float


@dataclass(frozen=True)
class Measured:
    """The estimate of theta from all wells so far, with its confidence sequence (None = not yet bounded)."""

    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ClaimRecord:
    """A claim as pages and figures show it. registration: what was written down with its test."""

    state: ClaimState
    registration: Mapping[str, Any] = field(default_factory=lambda: UNSAID)

    @property
    def claim(self) -> Claim:
        return self.state.claim

    @property
    def id(self) -> str:
        return self.claim.id

    @property
    def status(self) -> Status:
        return self.state.status

    @property
    def prediction(self) -> Prediction | None:
        return self.state.prediction

    @property
    def theory(self) -> Belief | None:
        return self.prediction.theory if self.prediction else None

    @property
    def path(self) -> tuple[Step, ...]:
        """The e-values look by look; the start (no wells, both 1) is not among them."""
        steps, wells = [], 0
        for (_, batch, _), (_, e_for, e_against) in zip(self.state.looks, self.state.e_path, strict=True):
            wells += len(batch.wells)
            steps.append(Step(wells, e_for, e_against))
        return tuple(steps)

    @property
    def measured(self) -> Measured | None:
        found = self.state.evidence
        return None if found is None else Measured(found.estimate, found.ci_low, found.ci_high)

    @property
    def wells(self) -> tuple[str, ...]:
        """Ids of the wells that speak for or against the claim, in order."""
        return tuple(well for batch in self.state.batches for well in batch.wells)

    @property
    def severity(self) -> float | None:
        """As computed when the test was registered."""
        value = self.registration.get("severity")
        return None if value is None else float(value)

    @property
    def unit(self) -> str:
        """Unit of theta: z where readings are standardised against other contexts."""
        return "z" if self.claim.contrast.populations else self.claim.readout.unit

    @property
    def axis(self) -> str:
        """What theta is, as a figure's axis says it."""
        name = self.claim.readout.variable
        if self.claim.contrast.populations:
            return f"{name}, z-score against other lines"
        if self.claim.kind == "synergy":
            return f"{name} beyond the sum of the parts ({self.unit})"
        return f"change of {name} ({self.unit})"

    @property
    def short(self) -> str:
        """What is done, and to which readout: the claim's name in tables and figures."""
        arm = self.claim.contrast.terms[0][1]
        what = " + ".join(p.label() for p in arm.perturbations) or arm.context
        when = "" if arm.time_h is None else f", {arm.time_h:g} h"
        readout = "" if self.claim.contrast.populations else f" → {self.claim.readout.variable}"
        beyond = " (synergy)" if self.claim.kind == "synergy" else ""
        return f"{what}{when}{readout}{beyond}"

    @property
    def formula(self) -> str:
        """The claim as tested."""
        return f"{self.axis} {'≥' if self.claim.relation == 'ge' else '≤'} {minus(self.claim.delta)}"

    @property
    def denial(self) -> str:
        """The claim's contrary as tested."""
        return f"{self.axis} {'≤' if self.claim.relation == 'ge' else '≥'} {minus(self.claim.delta0)}"

    @property
    def estimand(self) -> str:
        return contrast_text(self.claim.contrast)

    def scaled(self, value: float) -> float:
        """theta on a scale where 0 is the denial's boundary and 1 the claim's."""
        return (value - self.claim.delta0) / (self.claim.delta - self.claim.delta0)


@dataclass(frozen=True)
class Review:
    """One decision about one design. design: what was allowed to run (or was rejected)."""

    seq: int
    at: str
    decision: str
    by: str
    reason: str
    design: Design | None


@dataclass
class Record:
    """A campaign as the ledger tells it. Dictionaries are event payloads with their seq and at."""

    campaign: str
    question: str = ""
    started: str = ""
    last_event: str = ""
    finished: str = ""
    reason: str = ""
    mind: str = ""
    policy: str | None = None
    seed: int | None = None
    budget: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=lambda: dict(NO_CARD))
    spec: dict[str, Any] = field(default_factory=dict)
    goal: Goal | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    claims: list[ClaimRecord] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    pending: list[Design] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    minds: list[dict[str, Any]] = field(default_factory=list)
    beliefs: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    debates: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[dict[str, Any]] = field(default_factory=list)
    cited: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    events: int = 0

    def of_status(self, *statuses: str) -> list[ClaimRecord]:
        return [c for c in self.claims if c.status in statuses]

    @property
    def by_id(self) -> dict[str, ClaimRecord]:
        return {c.id: c for c in self.claims}

    @property
    def tally(self) -> dict[str, int]:
        return dict(Counter(c.status for c in self.claims))

    @property
    def tested(self) -> list[ClaimRecord]:
        """Claims with evidence: refuted ones first, then by how far the evidence went."""
        tested = [c for c in self.claims if c.path]
        return sorted(
            tested, key=lambda c: (SETTLED_FIRST.index(c.status), -max(c.path[-1].e_for, c.path[-1].e_against))
        )

    @property
    def untested(self) -> list[ClaimRecord]:
        return [c for c in self.claims if not c.path]

    @property
    def alarms(self) -> list[ClaimRecord]:
        """Claims with an alarm about their evidence."""
        return [c for c in self.claims if c.state.alarms]

    @property
    def wells(self) -> int:
        """Wells revealed in this campaign."""
        return sum(len(run["wells"]) for run in self.runs)

    @property
    def tokens(self) -> int:
        """Of language models, in and out together."""
        return sum(int(m.get("tokens_in") or 0) + int(m.get("tokens_out") or 0) for m in self.minds)

    @property
    def usd(self) -> float:
        return sum(float(m.get("usd") or 0) for m in self.minds)

    @property
    def fallbacks(self) -> list[dict[str, Any]]:
        return [m for m in self.minds if m.get("fallback")]

    @property
    def refused(self) -> list[str]:
        """Names and choices of language models that were turned down, each with its reason."""
        return [str(note) for m in self.minds for note in m.get("refused") or ()]

    @property
    def cut(self) -> int:
        """Sentences of language models that were cut for a number, a verdict or an unknown name."""
        return sum(int(m.get("cut") or 0) for m in self.minds)

    @property
    def sentences(self) -> list[tuple[str, tuple[int, ...]]]:
        """The answer's sentences, each with the ledger entries that support it."""
        said = [str(s) for s in self.answer.get("summary") or ()]
        behind = [tuple(map(int, entries)) for entries in self.answer.get("support") or ()]
        return [(s, behind[i] if i < len(behind) else ()) for i, s in enumerate(said)]

    @property
    def seconds(self) -> float | None:
        """From the first to the last event."""
        if not self.started or not self.last_event:
            return None
        return (moment(self.last_event) - moment(self.started)).total_seconds()


def gather(campaign: str, events: Iterable[Event], states: Mapping[str, ClaimState]) -> Record:
    """Read a campaign's events in order beside the replayed states."""
    record, draft = Record(campaign), _Draft()
    for event in events:
        record.events += 1
        record.started = record.started or event.at
        record.last_event = event.at
        _take(record, draft, event)
    record.claims = [ClaimRecord(states[c], draft.registrations.get(c, UNSAID)) for c in draft.claims if c in states]
    if not record.finished:
        record.pending = [d for h, d in draft.proposed.items() if h not in draft.decided]
    return record


@dataclass
class _Draft:
    """Collected on the way: claim ids in order, what came with their registration, designs by hash."""

    claims: dict[str, None] = field(default_factory=dict)
    registrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    proposed: dict[str, Design] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)


def _take(record: Record, draft: _Draft, event: Event) -> None:
    """Enter one event; kinds that a report does not show are passed over."""
    said = event.payload
    stamped = {**said, "seq": event.seq, "at": event.at}
    match event.kind:
        case "campaign_started":
            _started(record, said)
        case "goal_set":
            record.goal = Goal.model_validate(said["goal"])
        case "claim_proposed":
            draft.claims.setdefault(Claim.model_validate(said["claim"]).id)
        case "prediction_registered":
            claim_id = str(said["prediction"]["claim_id"])
            draft.claims.setdefault(claim_id)
            draft.registrations.setdefault(claim_id, {**UNSAID, **stamped})
        case "experiment_proposed":
            design = Design.model_validate(said["design"])
            draft.proposed[design.content_hash()] = design
        case "experiment_decided":
            _decided(record, draft, event)
        case "wells_revealed":
            record.runs.append(stamped)
        case "model_fitted":
            record.models.append({"training_hash": "", "n_rows": None, **stamped})
        case "mind_decision":
            record.minds.append(
                {"fallback": False, "reason": "", "role": "", "turn": "", "tokens_in": 0, "tokens_out": 0}
            )
            record.minds[-1] |= stamped
        case "belief_changed":
            record.beliefs.append({"before": None, "after": None, **stamped})
        case "tool_called":
            record.tools.append(stamped)
        case "debate_held":
            record.debates.append(stamped)
        case "remark":
            record.remarks.append({"about": (), "checked": True, "mind": "builtin", "turn": "", **stamped})
        case "note_cited":
            record.cited.setdefault(str(said["claim_id"]), []).append(
                {"citation": "", "bearing": "mentions", **stamped}
            )
        case "answer":
            record.answer = dict(said)
        case "campaign_finished":
            record.finished, record.reason = event.at, str(said.get("reason", ""))
        case _:
            pass


def _started(record: Record, said: Mapping[str, Any]) -> None:
    record.question = str(said.get("question", ""))
    record.goal = Goal.model_validate(said["goal"]) if said.get("goal") else None
    record.spec = dict(said.get("spec") or {})
    record.budget = dict(said.get("budget") or record.spec.get("budget") or {})
    record.policy = said.get("policy") or record.spec.get("auto_approve")
    record.mind = str(said.get("mind") or "builtin")
    record.seed = said.get("seed", record.spec.get("seed"))
    dataset = said.get("dataset")
    record.dataset = NO_CARD | (dict(dataset) if isinstance(dataset, Mapping) else {"dataset": str(dataset or "")})


def _decided(record: Record, draft: _Draft, event: Event) -> None:
    said = event.payload
    draft.decided.add(str(said["design_hash"]))
    edited = said.get("design")
    design = Design.model_validate(edited) if edited else draft.proposed.get(str(said["design_hash"]))
    by, reason = str(said.get("by", "")), str(said.get("reason") or "")
    record.reviews.append(Review(event.seq, event.at, str(said["decision"]), by, reason, design))


def holding(claims: Sequence[ClaimRecord], level: float) -> list[ClaimRecord]:
    """Those that hold at false discovery rate ``level`` over all ``claims`` together (e-BH)."""
    from ...knowledge.truth import discoveries

    kept = set(discoveries({c.id: c.state for c in claims}, level).holding)
    return [c for c in claims if c.id in kept]


def contrast_text(contrast: Contrast) -> str:
    """The estimand in words: "[A] − [control]", each arm with dose, time and context."""
    parts = []
    for index, (weight, arm) in enumerate(contrast.terms):
        sign = "− " if weight < 0 else ("+ " if index else "")
        size = "" if math.isclose(abs(weight), 1) else f"{abs(weight):g} × "
        parts.append(f"{sign}{size}[{arm.label()}]")
    text = " ".join(parts)
    if contrast.populations:
        many = " and ".join(f"{p.n} lines" + (f" ({p.block})" if p.block else "") for p in contrast.populations)
        text += f", as z-score against {many}"
    return text


def moment(text: str) -> datetime:
    """An event's time."""
    return datetime.fromisoformat(text)


def minus(value: float) -> str:
    """The number with a real minus sign."""
    return f"{value:g}".replace("-", "−") if value else "0"

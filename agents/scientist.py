"""The scientist: start, resume, review and watch campaigns. What the command line and the web call."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..knowledge.ledger import Ledger
from ..world_model.errors import BadInput, UnknownName
from . import reviews
from .budget import Budget
from .policies import check_lab, check_policy
from .session import Session
from .spec import CampaignSpec, LLMSpec, patient_text

Say = Callable[[str], None]
State = Literal["done", "waiting_for_review", "paused", "stopped", "running"]


@dataclass(frozen=True)
class Outcome:
    """Where a campaign stands when the call returns. ``answer`` is empty until it is done."""

    campaign: str
    state: State
    answer: dict[str, Any]
    pending: tuple[str, ...] = ()


def ask(
    question: str,
    *,
    workspace: Path,
    data: str | None = None,
    patient: Path | None = None,
    budget: Budget | None = None,
    llm_url: str | None = None,
    model: str | None = None,
    auto_approve: str | None = None,
    lab: str | None = None,
    seed: int = 0,
    replay: Path | None = None,
    released: str = "",
    progress: Say = lambda _: None,
) -> Outcome:
    """Answer one question. Stops at the first proposed experiment unless a policy approves it.

    ``replay``: the recording of an earlier run (``<workspace>/llm/<campaign>``) answers for the language model.
    ``released``: "NAME: why", a person's word for a request that the hazard policy stops (NotAllowed without).
    """
    if not question.strip():
        raise BadInput("The question is empty", cure='write it in quotes: cytocrux ask "Which … ?"')
    spec = CampaignSpec(
        question=question.strip(),
        data=data,
        patient=patient_text(patient) if patient else None,
        patient_name=patient.name if patient else "",
        budget=budget or Budget(),
        auto_approve=check_policy(auto_approve) if auto_approve else None,
        llm=_llm(llm_url, model, replay),
        lab=check_lab(lab) if lab else None,
        released=released,
        seed=seed,
    )
    return start(spec, workspace=workspace, replay=replay, progress=progress)


def _llm(url: str | None, model: str | None, replay: Path | None) -> LLMSpec | None:
    """The endpoint asked for; a recording says itself which it was."""
    if replay is None:
        return LLMSpec.of(url, model or "", os.environ.get("CYTOCRUX_LLM_OPTIONS", "")) if url else None
    if url is not None:
        raise BadInput("An endpoint and a recording are given", cure="drop one of the two")
    from .llm.record import read_manifest

    return LLMSpec.model_validate(read_manifest(replay))


def start(
    spec: CampaignSpec, *, workspace: Path, replay: Path | None = None, progress: Say = lambda _: None
) -> Outcome:
    """Record the campaign, then run it; a limit that only the question names is kept. Bad input is found first."""
    from .asked import capped
    from .understanding.slots import read

    if spec.auto_approve:
        check_policy(spec.auto_approve)
    spec = spec.model_copy(update={"budget": capped(spec.budget, read(spec.question))})
    with Ledger.open(workspace) as ledger:
        campaign = _free_id(ledger, spec.id)
        session = Session(
            campaign=campaign, spec=spec, ledger=ledger, workspace=workspace, say=progress, replay_llm=replay
        )
        session.check()
        payload = {
            "campaign": campaign,
            "question": spec.question,
            "dataset": asdict(session.dataset.info) | {"dataset": session.dataset.name},
            "budget": spec.budget.model_dump(mode="json"),
            "policy": spec.auto_approve,
            "mind": spec.llm.model if spec.llm else "builtin",
            "seed": spec.seed,
            "spec": spec.model_dump(mode="json"),
        }
        session.record("campaign_started", payload, "started")
        return _run(session)


def resume(campaign: str, *, workspace: Path, replay: Path | None = None, progress: Say = lambda _: None) -> Outcome:
    """Go on with a campaign: after a crash, a pause or a review. A finished one returns its answer."""
    with _existing(workspace) as ledger:
        session = _session(ledger, campaign, workspace, progress)
        session.replay_llm = replay
        if _state(ledger, session.campaign) == "done":
            return _outcome(session)
        _control(ledger, session.campaign, "resume")
        return _run(session)


def decide(
    name: str,
    *,
    workspace: Path,
    decision: Literal["approve", "edit", "reject"],
    by: str,
    reason: str = "",
    edited: Path | None = None,
) -> str:
    """A person's decision on a pending experiment (design hash, prefix, or campaign id). Returns the campaign."""
    if not by.strip():
        raise BadInput("Nobody is named as the reviewer", cure="add --by NAME")
    if decision == "reject" and not reason.strip():
        raise BadInput("A rejection needs a reason", cure='write it: --reject "why"')
    with _existing(workspace) as ledger:
        design = reviews.find(ledger, name)
        payload: dict[str, Any] = {
            "design_hash": design.content_hash(),
            "decision": decision,
            "by": f"person:{by.strip()}",
            "reason": reason,
        }
        if decision == "edit":
            if edited is None:
                raise BadInput("An edit needs the edited design", cure="give its JSON file: --edit FILE")
            changed = reviews.read_edit(edited, design)
            session = _session(ledger, design.campaign, workspace, lambda _: None)
            session.purse().require(changed)
            payload["design"] = changed.model_dump(mode="json")
        ledger.append(
            "experiment_decided",
            payload,
            campaign=design.campaign,
            key=f"{design.campaign}/decided:{design.content_hash()}",
        )
        return design.campaign


def pause(campaign: str, *, workspace: Path) -> None:
    """Ask a running campaign to stop after its current step; ``resume`` goes on."""
    with _existing(workspace) as ledger:
        _control(ledger, _known(ledger, campaign), "pause")


def stop(campaign: str, *, workspace: Path) -> None:
    """End a campaign after its current step. What it found stays; it can still be resumed to its report."""
    with _existing(workspace) as ledger:
        _control(ledger, _known(ledger, campaign), "stop")


def campaign_status(workspace: Path, campaign: str | None = None) -> list[dict[str, Any]]:
    """One entry a campaign: question, state, wells, claims by status, designs waiting for review."""
    with _existing(workspace) as ledger:
        ids = (
            [_known(ledger, campaign)]
            if campaign
            else [str(e.campaign) for e in ledger.events(kind="campaign_started")]
        )
        found = []
        for each in ids:
            session = _session(ledger, each, workspace, lambda _: None)
            waiting = reviews.pending(ledger, each)
            found.append(
                {
                    "campaign": each,
                    "question": session.spec.question,
                    "state": _state(ledger, each),
                    "wells_spent": session.wells_spent(),
                    "budget": session.spec.budget.model_dump(mode="json"),
                    "claims": dict(session.status_counts()),
                    "pending": [{"hash": d.content_hash(), "design": d.model_dump(mode="json")} for d in waiting],
                }
            )
        return found


def _run(session: Session) -> Outcome:
    """Step through the graph until it is done, waits for a person, or was asked to pause or stop."""
    from .graph import compiled, config

    where = config(session)
    with compiled(session) as graph:
        snapshot = graph.get_state(where)  # type: ignore[arg-type]
        entry: Any = None if snapshot.next else {"campaign": session.campaign, "cycle": 0}
        if snapshot.next and any(t.interrupts for t in snapshot.tasks):
            if reviews.pending(session.ledger, session.campaign):
                return _outcome(session)
            from langgraph.types import Command

            entry = Command(resume=True)
        for _ in graph.stream(entry, where, stream_mode="updates", durability="sync"):  # type: ignore[call-overload]
            if _asked(session.ledger, session.campaign) in ("pause", "stop"):
                break
    return _outcome(session)


def _outcome(session: Session) -> Outcome:
    state = _state(session.ledger, session.campaign)
    answer: dict[str, Any] = {}
    for event in session.ledger.events(kind="answer", campaign=session.campaign):
        answer = dict(event.payload)
    waiting = tuple(d.content_hash() for d in reviews.pending(session.ledger, session.campaign))
    return Outcome(session.campaign, state, answer, waiting)


def _state(ledger: Ledger, campaign: str) -> State:
    if any(True for _ in ledger.events(kind="campaign_finished", campaign=campaign)):
        return "done"
    asked = _asked(ledger, campaign)
    if asked == "pause":
        return "paused"
    if asked == "stop":
        return "stopped"
    return "waiting_for_review" if reviews.pending(ledger, campaign) else "running"


def _asked(ledger: Ledger, campaign: str) -> str:
    """The last thing a person asked of the campaign: "pause", "stop", "resume" or "" """
    last = ""
    for event in ledger.events(kind="campaign_control", campaign=campaign):
        last = str(event.payload["action"])
    return last


def _control(ledger: Ledger, campaign: str, action: str) -> None:
    if _asked(ledger, campaign) != action and not (action == "resume" and _asked(ledger, campaign) == ""):
        ledger.append("campaign_control", {"action": action}, campaign=campaign)


def _existing(workspace: Path) -> Ledger:
    """The ledger of a workspace that has one. Raises BadInput where there is none."""
    if not (workspace / "ledger.db").exists() and not os.environ.get("DATABASE_URL"):
        raise BadInput(f"There is no ledger in {workspace}", cure="check --workspace, or ask a question first")
    return Ledger.open(workspace)


def _session(ledger: Ledger, campaign: str, workspace: Path, say: Say) -> Session:
    known = _known(ledger, campaign)
    event = next(iter(ledger.events(kind="campaign_started", campaign=known)))
    spec = CampaignSpec.model_validate(event.payload["spec"])
    return Session(campaign=known, spec=spec, ledger=ledger, workspace=workspace, say=say)


def _known(ledger: Ledger, campaign: str) -> str:
    ids = [str(e.campaign) for e in ledger.events(kind="campaign_started")]
    hits = [i for i in ids if i.startswith(campaign)]
    if campaign in ids or len(hits) == 1:
        return campaign if campaign in ids else hits[0]
    raise UnknownName(campaign, kind="campaign", known=ids)


def _free_id(ledger: Ledger, wanted: str) -> str:
    """The spec's id; with a number behind it when the same campaign ran here before."""
    taken = {str(e.campaign) for e in ledger.events(kind="campaign_started")}
    number = 1
    while (name := wanted if number == 1 else f"{wanted}-{number}") in taken:
        number += 1
    return name

"""Decisions on proposed experiments: they live in the ledger, so any process may take and find them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from ..knowledge.claims import Approval, Design
from ..knowledge.ledger import Ledger
from ..world_model.errors import BadInput, NotAllowed, UnknownName
from ..world_model.vocabulary import Frozen


class Decision(Frozen):
    """What was decided on a design. ``design_hash`` is the edited design's where it was edited."""

    decision: Literal["approve", "reject"]
    design_hash: str
    by: str
    reason: str = ""


def decision_on(ledger: Ledger, design_hash: str) -> Decision | None:
    """The decision on a design, following an edit to the design that replaced it; None while undecided."""
    for event in ledger.events(kind="experiment_decided"):
        payload = event.payload
        if payload["design_hash"] != design_hash:
            continue
        if payload["decision"] == "edit":
            edited = Design.model_validate(payload["design"])
            return Decision(
                decision="approve", design_hash=edited.content_hash(), by=payload["by"], reason=payload["reason"]
            )
        return Decision(**{k: payload[k] for k in ("decision", "design_hash", "by", "reason")})
    return None


def designs(ledger: Ledger, campaign: str | None = None) -> dict[str, Design]:
    """Every proposed or edited design by its hash."""
    found = {}
    for event in ledger.events(kind="experiment_proposed", campaign=campaign):
        design = Design.model_validate(event.payload["design"])
        found[design.content_hash()] = design
    for event in ledger.events(kind="experiment_decided", campaign=campaign):
        if event.payload["decision"] == "edit":
            design = Design.model_validate(event.payload["design"])
            found[design.content_hash()] = design
    return found


def pending(ledger: Ledger, campaign: str | None = None) -> list[Design]:
    """Designs nobody has decided on, oldest first; those of finished campaigns are left out."""
    finished = {e.campaign for e in ledger.events(kind="campaign_finished")}
    decided = {e.payload["design_hash"] for e in ledger.events(kind="experiment_decided")}
    edited = {
        Design.model_validate(e.payload["design"]).content_hash()
        for e in ledger.events(kind="experiment_decided")
        if e.payload["decision"] == "edit"
    }
    every = designs(ledger, campaign)
    return [d for h, d in every.items() if h not in decided | edited and d.campaign not in finished]


def find(ledger: Ledger, name: str, campaign: str | None = None) -> Design:
    """A pending design by its hash, a prefix of it, or its campaign's id. Raises UnknownName or BadInput."""
    waiting = pending(ledger, campaign)
    hits = [d for d in waiting if d.content_hash().startswith(name) or d.campaign == name] if name else waiting
    if not hits:
        raise UnknownName(name, kind="pending experiment", known=[d.content_hash()[:12] for d in waiting])
    if len(hits) > 1:
        some = ", ".join(d.content_hash()[:12] for d in hits)
        raise BadInput(f"{name!r} names {len(hits)} pending experiments", cure=f"give one of {some}")
    return hits[0]


def approval_for(ledger: Ledger, design_hash: str) -> Approval:
    """The recorded consent to exactly this design. Raises NotAllowed where there is none."""
    for event in ledger.events(kind="experiment_decided"):
        payload = event.payload
        approved = payload["decision"] == "approve" and payload["design_hash"] == design_hash
        if payload["decision"] == "edit":
            approved = Design.model_validate(payload["design"]).content_hash() == design_hash
        if approved:
            return Approval(design_hash=design_hash, by=payload["by"], reason=payload["reason"])
    raise NotAllowed(
        f"Design {design_hash[:12]} was not approved", cure=f"cytocrux review {design_hash[:12]} --approve"
    )


def read_edit(path: Path, proposed: Design) -> Design:
    """An edited design from JSON: arms may be dropped or given other well numbers, nothing else may change."""
    try:
        edited = Design.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"No edited design at {path}", cure="check the path") from None
    except (ValidationError, UnicodeDecodeError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is not UTF-8 text"
        raise BadInput(
            f"{path.name} is not a design", why=why, cure="edit what `cytocrux campaign status --json` shows"
        ) from None
    fixed = {"campaign", "cycle", "dataset", "seed"}
    if edited.model_dump(include=fixed) != proposed.model_dump(include=fixed):
        raise BadInput(
            "The edit changes the campaign, cycle, data set or seed", cure="change only arms and predictions"
        )
    known = {a.arm.key() for a in proposed.arms}
    extra = [a.arm.label() for a in edited.arms if a.arm.key() not in known]
    if extra or not set(edited.predictions) <= set(proposed.predictions):
        raise BadInput(
            "The edit adds what was not proposed",
            why=f"new arm {extra[0]}" if extra else "a prediction that is not part of the proposal",
            cure="drop arms or change their number of wells; ask a new question for new arms",
        )
    return edited

"""The rules of the game, checked before an event enters the ledger.

Every event establishes facts (name -> the entry that established it, and a value) and leans on earlier
ones. A fact is established once and never changes, so the rules hold whatever the order of writers:

    claim:C   prediction:P = C   design:D   decided:D = approve | reject | edit
    run:K:R = D   well:K:W = D   used:C:W   batch:C:I   data:C:H        (K campaign, R run, W well, H data hash)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from ..world_model.errors import BadInput, NotAllowed
from .claims import Claim, Design, Evidence, Prediction
from .events import Draft, typed


@dataclass(frozen=True, slots=True)
class Fact:
    """Established by entry ``seq``."""

    seq: int
    value: str = ""


Known = Mapping[str, Fact]
NewFacts = dict[str, str]


def _place(draft: Draft) -> str:
    return draft.campaign or "-"


def _wells(draft: Draft) -> list[str]:
    wells = draft.payload["wells"]
    if not isinstance(wells, list) or not all(isinstance(w, str) and w for w in wells):
        raise BadInput("wells_revealed needs a list of well ids", why=f"got {str(wells)[:60]}")
    if len(set(wells)) != len(wells):
        raise BadInput("wells_revealed names a well twice", cure="List each well once")
    return wells


def _edited(draft: Draft) -> str | None:
    """Hash of the design that an edit puts in place of the proposed one."""
    if draft.payload["decision"] != "edit":
        return None
    if "design" not in draft.payload:
        raise BadInput("A decision 'edit' lacks the edited design", cure="Add it as 'design'")
    return Design.model_validate(draft.payload["design"]).content_hash()


def _evidence(draft: Draft) -> Evidence:
    return cast(Evidence, typed(draft.kind, draft.payload))


def mentions(draft: Draft) -> list[str]:
    """Names of all facts that ``admit`` will look up for this draft."""
    p = draft.payload
    match draft.kind:
        case "claim_proposed":
            claim = cast(Claim, typed(draft.kind, p))
            return [f"claim:{c}" for c in (claim.id, *claim.premises, *([claim.revises] if claim.revises else []))]
        case "prediction_registered":
            prediction = cast(Prediction, typed(draft.kind, p))
            return [f"claim:{prediction.claim_id}", f"prediction:{prediction.id}"]
        case "experiment_proposed":
            design = cast(Design, typed(draft.kind, p))
            return [f"design:{design.content_hash()}", *(f"prediction:{i}" for i in design.predictions)]
        case "experiment_decided":
            hashes = [p["design_hash"], *([h] if (h := _edited(draft)) else [])]
            return [f"{fact}:{h}" for h in hashes for fact in ("design", "decided")]
        case "run_submitted":
            return [f"decided:{p['design_hash']}", f"run:{_place(draft)}:{p['run_id']}"]
        case "wells_revealed":
            return [f"run:{_place(draft)}:{p['run_id']}", *(f"well:{_place(draft)}:{w}" for w in _wells(draft))]
        case "evidence_added":
            b = _evidence(draft).batch
            names = [f"claim:{b.claim_id}", f"prediction:{b.prediction_id}", f"batch:{b.claim_id}:{b.index}"]
            names += [f"well:{_place(draft)}:{w}" for w in b.wells]
            return [*names, f"data:{b.claim_id}:{b.data_hash}", *(f"used:{b.claim_id}:{w}" for w in b.wells)]
        case "evidence_retracted":
            return [f"claim:{p['claim_id']}", _retracted(draft)]
        case "claim_closed":
            return [f"claim:{p['claim_id']}"]
    return []


def admit(draft: Draft, known: Known) -> NewFacts:
    """The facts this draft establishes. Raises NotAllowed, with the reason, where a rule forbids it."""
    rule = RULES.get(draft.kind)
    return rule(draft, known) if rule else {}


def _claim(draft: Draft, known: Known) -> NewFacts:
    claim = cast(Claim, typed(draft.kind, draft.payload))
    for other in (*claim.premises, *([claim.revises] if claim.revises else [])):
        if f"claim:{other}" not in known:
            raise NotAllowed(
                f"Claim {claim.id} leans on {other}",
                why="which is not in the ledger",
                cure="Propose the premise or predecessor first",
            )
    return {f"claim:{claim.id}": ""}


def _prediction(draft: Draft, known: Known) -> NewFacts:
    prediction = cast(Prediction, typed(draft.kind, draft.payload))
    if f"claim:{prediction.claim_id}" not in known:
        raise NotAllowed(
            f"Prediction {prediction.id} cannot be registered",
            why=f"its claim {prediction.claim_id} was never proposed",
            cure="Append claim_proposed first",
        )
    return {f"prediction:{prediction.id}": prediction.claim_id}


def _design(draft: Draft, known: Known) -> NewFacts:
    design = cast(Design, typed(draft.kind, draft.payload))
    for prediction in design.predictions:
        if f"prediction:{prediction}" not in known:
            raise NotAllowed(
                "No experiment without registration",
                why=f"prediction {prediction} of the design is not in the ledger",
                cure="Append prediction_registered first",
            )
    return {f"design:{design.content_hash()}": ""}


def _decision(draft: Draft, known: Known) -> NewFacts:
    design, decision = draft.payload["design_hash"], draft.payload["decision"]
    if decision not in ("approve", "edit", "reject"):
        raise BadInput(f"{decision!r} is no decision", cure="Use approve, edit or reject")
    if f"design:{design}" not in known:
        raise NotAllowed(
            f"Design {design[:12]} cannot be decided", why="it was never proposed", cure="Append experiment_proposed"
        )
    new = {f"decided:{design}": str(decision)}
    edited = _edited(draft)
    if edited == design:
        raise BadInput("The edited design equals the proposed one", cure="Use approve")
    if edited:
        new |= {f"design:{edited}": "", f"decided:{edited}": "approve"}
    for name in new:
        if name.startswith("decided:") and name in known:
            raise NotAllowed(
                f"Design {name[8:20]} is decided already",
                why=f"entry {known[name].seq} says {known[name].value}",
                cure="Propose a new design",
            )
    return new


def _run(draft: Draft, known: Known) -> NewFacts:
    design, run = draft.payload["design_hash"], f"run:{_place(draft)}:{draft.payload['run_id']}"
    decided = known.get(f"decided:{design}")
    if decided is None or decided.value != "approve":
        verdict = "nobody has decided it" if decided is None else f"entry {decided.seq} says {decided.value}"
        raise NotAllowed(f"Design {design[:12]} may not run", why=verdict, cure="Have it approved by its hash")
    if run in known:
        raise NotAllowed(f"Run {draft.payload['run_id']} was submitted already", why=f"by entry {known[run].seq}")
    return {run: design}


def _reveal(draft: Draft, known: Known) -> NewFacts:
    design, run_id = draft.payload["design_hash"], draft.payload["run_id"]
    run = known.get(f"run:{_place(draft)}:{run_id}")
    if run is None or run.value != design:
        raise NotAllowed(
            f"Wells of run {run_id} may not be revealed",
            why=f"no such run was submitted for design {design[:12]} in this campaign",
            cure="Append run_submitted first",
        )
    for well in _wells(draft):
        seen = known.get(f"well:{_place(draft)}:{well}")
        if seen:
            raise NotAllowed(f"Well {well} was revealed before", why=f"by entry {seen.seq} of this campaign")
    return {f"well:{_place(draft)}:{well}": design for well in _wells(draft)}


def _evidence_added(draft: Draft, known: Known) -> NewFacts:
    batch = _evidence(draft).batch
    registered = known.get(f"prediction:{batch.prediction_id}")
    if registered is None or registered.value != batch.claim_id:
        raise NotAllowed(
            f"No evidence for claim {batch.claim_id} without its registered test",
            why=f"prediction {batch.prediction_id} is not registered for it",
            cure="Append prediction_registered before the experiment",
        )
    if taken := known.get(f"batch:{batch.claim_id}:{batch.index}"):
        raise NotAllowed(f"Batch {batch.index} of claim {batch.claim_id} exists", why=f"entry {taken.seq} holds it")
    if len(set(batch.wells)) != len(batch.wells):
        raise NotAllowed("A batch names a well twice", why="each well may speak once for a claim")
    for well in batch.wells:
        _check_well(draft, batch.claim_id, well, batch.design_hash, registered, known)
    new = {f"used:{batch.claim_id}:{well}": "" for well in batch.wells}
    return new | {f"batch:{batch.claim_id}:{batch.index}": "", f"data:{batch.claim_id}:{batch.data_hash}": ""}


def _check_well(draft: Draft, claim: str, well: str, design: str, registered: Fact, known: Known) -> None:
    revealed = known.get(f"well:{_place(draft)}:{well}")
    if revealed is None:
        raise NotAllowed(f"Well {well} cannot be used", why="this campaign has no record that it was revealed")
    if revealed.value != design:
        raise NotAllowed(f"Well {well} cannot be used", why=f"it was revealed under design {revealed.value[:12]}")
    if registered.seq >= revealed.seq:
        raise NotAllowed(
            f"Well {well} cannot test claim {claim}",
            why=f"it was revealed by entry {revealed.seq}, the prediction registered only by entry {registered.seq}",
            cure="Register predictions before any of their data",
        )
    if used := known.get(f"used:{claim}:{well}"):
        raise NotAllowed(f"Well {well} was used before for claim {claim}", why=f"by entry {used.seq}")


def _retracted(draft: Draft) -> str:
    """Name of the fact that the retracted evidence established."""
    p = draft.payload
    if isinstance(p.get("batch_index"), int):
        return f"batch:{p['claim_id']}:{p['batch_index']}"
    if isinstance(p.get("data_hash"), str):
        return f"data:{p['claim_id']}:{p['data_hash']}"
    raise BadInput("evidence_retracted names no evidence", cure="Give batch_index or data_hash")


def _retraction(draft: Draft, known: Known) -> NewFacts:
    p = draft.payload
    if _retracted(draft) not in known:
        raise NotAllowed(f"Nothing to retract for claim {p['claim_id']}", why=f"no evidence {_retracted(draft)}")
    if not str(p["reason"]).strip() or not str(p["by"]).strip():
        raise NotAllowed("Evidence is retracted only with a reason and a name", cure="Say why, and who says so")
    return {}


def _closed(draft: Draft, known: Known) -> NewFacts:
    if f"claim:{draft.payload['claim_id']}" not in known:
        raise NotAllowed(f"Claim {draft.payload['claim_id']} cannot be closed", why="it was never proposed")
    return {}


RULES: dict[str, Callable[[Draft, Known], NewFacts]] = {
    "claim_proposed": _claim,
    "prediction_registered": _prediction,
    "experiment_proposed": _design,
    "experiment_decided": _decision,
    "run_submitted": _run,
    "wells_revealed": _reveal,
    "evidence_added": _evidence_added,
    "evidence_retracted": _retraction,
    "claim_closed": _closed,
}

"""What the ledger records: kinds of event, their canonical text, and the hash that chains them.

hash(n) = sha256(hash(n-1) + canonical JSON of {at, campaign, key, kind, payload, seq});  hash(0) = 64 zeros.
Canonical JSON: sorted keys, no spaces, no NaN, as in ``world_model.vocabulary.content_hash``.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ..world_model.errors import BadInput
from .claims import Claim, Design, Evidence, Prediction

Payload = dict[str, Any]

GENESIS = "0" * 64

# kind -> fields its payload must have; more fields and more kinds are allowed
KINDS: dict[str, tuple[str, ...]] = {
    "campaign_started": ("campaign", "question"),
    "goal_set": ("goal",),
    "campaign_control": ("action",),
    "claim_proposed": ("claim",),
    "prediction_registered": ("prediction",),
    "experiment_proposed": ("design",),
    "experiment_decided": ("design_hash", "decision", "by", "reason"),
    "run_submitted": ("run_id", "design_hash", "key"),
    "wells_revealed": ("run_id", "design_hash", "wells", "data_hash"),
    "evidence_added": ("evidence",),
    "evidence_retracted": ("claim_id", "reason", "by"),
    "claim_closed": ("claim_id", "reason"),
    "model_fitted": ("version", "training_hash", "n_rows"),
    "mind_decision": ("decision", "mind"),
    "tool_called": ("role", "tool", "args_hash", "result_hash"),
    "debate_held": ("round", "hypotheses", "doubts"),
    "note_cited": ("claim_id", "note", "quote"),
    "remark": ("role", "kind", "text"),
    "belief_changed": ("claim_ids", "sentence"),
    "answer": ("intent",),
    "campaign_finished": ("reason",),
    "ledger_imported": ("first", "head", "entries", "by"),
    "note": ("text",),
}

# payload fields that hold a typed object
TYPED: dict[str, tuple[str, type[Claim | Prediction | Design | Evidence]]] = {
    "claim_proposed": ("claim", Claim),
    "prediction_registered": ("prediction", Prediction),
    "experiment_proposed": ("design", Design),
    "evidence_added": ("evidence", Evidence),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before the ledger has it. The same ``key`` with the same content is stored once."""

    kind: str
    payload: Payload
    campaign: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the ledger. ``at``: UTC, ISO 8601. ``prev_hash`` and ``hash``: sha256, hex."""

    seq: int
    kind: str
    campaign: str | None
    key: str | None
    payload: Payload = field(hash=False)
    at: str
    prev_hash: str
    hash: str


def canonical(payload: Any) -> str:
    """The one text of a JSON value. Raises BadInput where JSON cannot hold it."""
    try:
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise BadInput("An event's payload is not JSON", why=str(error), cure="Pass model_dump(mode='json')") from None
    return text


def parse(text: str) -> Payload:
    """A payload from its canonical text."""
    payload: Payload = json.loads(text)
    return payload


def chain_hash(
    prev_hash: str, seq: int, kind: str, campaign: str | None, key: str | None, payload: str, at: str
) -> str:
    """sha256 (hex) of an entry; ``payload`` is its canonical text."""
    q = json.dumps
    record = (
        f'{{"at":{q(at)},"campaign":{q(campaign)},"key":{q(key)},"kind":{q(kind)},"payload":{payload},"seq":{seq}}}'
    )
    return hashlib.sha256((prev_hash + record).encode()).hexdigest()


def content_line(kind: str, campaign: str | None, key: str | None, payload: str) -> bytes:
    """What an entry says, without when it was said or where it stands in the chain."""
    return f"[{json.dumps(kind)},{json.dumps(campaign)},{json.dumps(key)},{payload}]\n".encode()


def typed(kind: str, payload: Payload) -> Claim | Prediction | Design | Evidence | None:
    """The typed object of a payload, or None for kinds without one. Raises BadInput where it does not fit."""
    if kind not in TYPED:
        return None
    name, model = TYPED[kind]
    try:
        return model.model_validate(payload[name])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"The {name} of a {kind} event is not valid", why=f"{where}: {first['msg']}") from None


def check_shape(draft: Draft) -> None:
    """Raises BadInput for a misspelt kind, a missing field, or a name the database cannot hold."""
    if not re.fullmatch(r"[a-z][a-z_]{1,59}", draft.kind):
        raise BadInput(f"{draft.kind[:60]!r} cannot be a kind of event", cure="Use lower case words joined by _")
    near = draft.kind not in KINDS and difflib.get_close_matches(draft.kind, KINDS, n=1, cutoff=0.85)
    if near:  # a misspelt kind would escape its rules
        raise BadInput(f"Unknown kind of event {draft.kind!r}", cure=f"Did you mean {near[0]}")
    missing = [name for name in KINDS.get(draft.kind, ()) if name not in draft.payload]
    if missing:
        raise BadInput(f"A {draft.kind} event lacks {', '.join(missing)}", cure="Complete the payload")
    for name in (draft.campaign, draft.key):
        if name is not None and (not name or "\x00" in name or len(name) > 500):
            raise BadInput(f"{name[:40]!r} cannot name a campaign or key", why="it is empty, too long or has a NUL")

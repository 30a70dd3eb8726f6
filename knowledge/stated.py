"""Evidence as stated in the ledger, worked out again from its batches; one look at a time, so memory stays flat."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, select

from ..world_model.errors import CytocruxError
from .claims import Claim, Evidence, Prediction
from .events import Draft, parse
from .status import same_evidence
from .storage import events, facts


class StatedEvidence:
    """Feed it every entry in order with ``check``."""

    def __init__(self) -> None:
        self._retracted: dict[str, list[tuple[object, object]]] = defaultdict(list)  # claim -> (index, data hash)

    def check(self, connection: Connection, seq: int, draft: Draft) -> str:
        """'' unless the entry states evidence that its batches do not give; then a sentence that says so."""
        payload = draft.payload
        if draft.kind == "evidence_retracted":
            self._retracted[payload["claim_id"]].append((payload.get("batch_index"), payload.get("data_hash")))
        if draft.kind != "evidence_added":
            return ""
        stated = Evidence.model_validate(payload["evidence"])
        try:
            again = self._again(connection, seq, stated)
        except CytocruxError as error:
            return f"the evidence of entry {seq} cannot be worked out again: {error}"
        if same_evidence(again, stated):
            return ""
        claim = stated.batch.claim_id
        return f"entry {seq} states other evidence on claim {claim} than its batches give; theirs counts"

    def _again(self, connection: Connection, seq: int, stated: Evidence) -> Evidence:
        from .evalues import assess

        claim_id, test_id = stated.batch.claim_id, stated.batch.prediction_id
        claim = Claim.model_validate(_established(connection, f"claim:{claim_id}")["claim"])
        test = Prediction.model_validate(_established(connection, f"prediction:{test_id}")["prediction"])
        prefix = f"batch:{claim_id}:"
        query = select(events.c.payload).join(facts, facts.c.seq == events.c.seq).order_by(events.c.seq)
        query = query.where(facts.c.name > prefix, facts.c.name < prefix[:-1] + ";", facts.c.seq <= seq)
        looks = [Evidence.model_validate(parse(p)["evidence"]).batch for p in connection.execute(query).scalars()]
        gone = self._retracted[claim_id]
        in_force = [b for b in looks if not any(b.index == i or b.data_hash == d for i, d in gone) or b == stated.batch]
        return assess(claim, test, [b for b in in_force if b.prediction_id == test_id])


def _established(connection: Connection, fact: str) -> dict[str, object]:
    """Payload of the entry that established a fact."""
    query = select(events.c.payload).join(facts, facts.c.seq == events.c.seq).where(facts.c.name == fact)
    return parse(str(connection.execute(query).scalar_one()))

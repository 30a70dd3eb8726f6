"""Truth maintenance: what follows when evidence is taken back, a premise falls, or a claim must be narrowed.

retract(ledger, data_hash=plate, reason="dried out", by="A. Person")
what_if(ledger, without=[57])            # which statuses hang on entry 57
revise(ledger, fallen_id, narrower)
discoveries(states, level=0.1).holding   # error rate over many claims under control
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..world_model.errors import BadInput, NotAllowed, UnknownName
from .claims import Batch, Claim, Status
from .events import Draft, Event
from .fdr import e_bh
from .ledger import Ledger
from .status import KINDS, ClaimState, replay

States = Mapping[str, ClaimState]


@dataclass(frozen=True, slots=True)
class Change:
    """A claim that would stand otherwise."""

    claim_id: str
    now: Status
    then: Status


@dataclass(frozen=True, slots=True)
class Discoveries:
    """e-BH at ``level`` over ``tested`` claims: those that hold, and those that are refuted."""

    level: float
    tested: int
    holding: tuple[str, ...]
    refuted: tuple[str, ...]


def retract(
    ledger: Ledger,
    *,
    reason: str,
    by: str,
    claim_id: str | None = None,
    data_hash: str | None = None,
    wells: Collection[str] = (),
    campaign: str | None = None,
) -> list[Event]:
    """Take back all evidence in force of one claim, of one data set (a bad plate), or that used any of ``wells``.

    Several conditions must all hold. The entries stay; statuses are computed again without them.
    Raises BadInput where no condition is given, NotAllowed where nothing fits or reason or name is missing.
    """
    if claim_id is None and data_hash is None and not wells:
        raise BadInput("Nothing is named for retraction", cure="Give a claim, a data hash or wells")
    bad = set(wells)

    def meant(batch: Batch) -> bool:
        return (
            (claim_id is None or batch.claim_id == claim_id)
            and (data_hash is None or batch.data_hash == data_hash)
            and (not bad or not bad.isdisjoint(batch.wells))
        )

    found = [batch for state in replay(ledger.events(KINDS)).values() for batch in state.batches if meant(batch)]
    if not found:
        raise NotAllowed("Nothing to retract", why="no evidence in force fits", cure="See claims show for its entries")
    said = {"reason": reason, "by": by}
    return ledger.append_many(
        Draft("evidence_retracted", {"claim_id": b.claim_id, "batch_index": b.index, **said}, campaign) for b in found
    )


def what_if(ledger: Ledger, without: Collection[int]) -> list[Change]:
    """Claims whose status would differ without these entries of evidence. The ledger is not touched.

    Raises BadInput for an entry that is no evidence in force.
    """
    now = replay(ledger.events(KINDS))
    looks = {seq for state in now.values() for seq, _, _ in state.looks}
    for seq in without:
        if seq not in looks:
            raise BadInput(f"Entry {seq} is no evidence in force", cure="Name entries of kind evidence_added")
    then = replay(ledger.events(KINDS), without=without)
    return [Change(c, now[c].status, then[c].status) for c in now if now[c].status != then[c].status]


def leaning_on(states: States, claim_id: str) -> list[str]:
    """Claims that would be undermined if this one fell, directly or through others, in order of proposal."""
    if claim_id not in states:
        raise UnknownName(claim_id, kind="claim", known=states)
    fallen = {claim_id}
    for other in states.values():  # a premise is always proposed before what leans on it
        if not fallen.isdisjoint(other.claim.premises):
            fallen.add(other.claim.id)
    return [c for c in states if c in fallen and c != claim_id]


def revise(ledger: Ledger, fallen_id: str, narrower: Claim, *, campaign: str | None = None) -> Claim:
    """Propose a narrower successor of a falsified claim; returns it as proposed, with ``revises`` set.

    The successor starts without evidence: wells seen before its test is registered can never speak for it.
    Raises NotAllowed unless the predecessor is falsified and the successor says less.
    """
    states = replay(ledger.events(KINDS))
    if fallen_id not in states:
        raise UnknownName(fallen_id, kind="claim", known=states)
    fallen = states[fallen_id]
    if fallen.status != "falsified":
        raise NotAllowed(f"Claim {fallen_id} is {fallen.status}", why="only a falsified claim is revised")
    if not says_less(narrower, fallen.claim):
        raise NotAllowed(
            "The successor is not narrower",
            why="it asks the same of the same arms, or more",
            cure="Lower its threshold, or name other arms (a context, a dose, a time)",
        )
    successor = narrower.model_copy(update={"revises": fallen_id})
    ledger.append("claim_proposed", {"claim": successor.model_dump(mode="json")}, campaign=campaign)
    return successor


def merge(ledger: Ledger, duplicate_id: str, into_id: str, *, by: str, reason: str = "") -> Event:
    """Close a near-duplicate in favour of another claim, by a person's or a stated rule's consent.

    Evidence stays where it was registered: each claim's test is its own. Raises NotAllowed without a name, or where
    the duplicate is settled already.
    """
    states = replay(ledger.events(KINDS))
    for claim_id in (duplicate_id, into_id):
        if claim_id not in states:
            raise UnknownName(claim_id, kind="claim", known=states)
    if duplicate_id == into_id:
        raise BadInput("A claim cannot be merged into itself", cure="Name the other claim")
    if not by.strip():
        raise NotAllowed("Claims are merged only by consent", why="nobody is named", cure="Say who or which rule")
    settled = states[duplicate_id].own in ("falsified", "corroborated", "conflict")
    if settled:
        raise NotAllowed(f"Claim {duplicate_id} is {states[duplicate_id].own}", why="a settled claim stays as it is")
    said = f"the same question as {into_id}" + (f": {reason}" if reason else "")
    payload = {"claim_id": duplicate_id, "reason": said, "merged_into": into_id, "by": by}
    return ledger.append("claim_closed", payload, campaign=states[duplicate_id].campaign)


def says_less(successor: Claim, fallen: Claim) -> bool:
    """Another contrast or readout, or the same one with a threshold nearer to the denial."""
    if successor.contrast != fallen.contrast or successor.readout != fallen.readout:
        return True
    return successor.relation == fallen.relation and successor.sign * (successor.delta - fallen.delta) < 0


def discoveries(states: States, level: float, campaign: str | None = None) -> Discoveries:
    """Which claims hold and which are refuted with false discovery rate at most ``level`` each way (e-BH).

    The family is every registered claim of the campaign (or of the whole ledger); e-values are the current
    ones, 1 without evidence. Claims in conflict take part with 0: their data are not to be trusted.
    Raises BadInput for a level outside (0, 1).
    """
    family = [s for s in states.values() if s.predictions and campaign in (None, s.campaign)]
    last = [s.e_path[-1] if s.e_path else (0, 1.0, 1.0) for s in family]
    pro = [0.0 if s.status == "conflict" else e for s, (_, e, _) in zip(family, last, strict=True)]
    contra = [0.0 if s.status == "conflict" else e for s, (_, _, e) in zip(family, last, strict=True)]
    holding, refuted = e_bh(pro, level), e_bh(contra, level)
    ids = [s.claim.id for s in family]
    return Discoveries(
        level,
        len(family),
        tuple(c for c, yes in zip(ids, holding, strict=True) if yes),
        tuple(c for c, yes in zip(ids, refuted, strict=True) if yes),
    )

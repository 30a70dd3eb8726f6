"""Rounds of a hit campaign through a lab: register, design, approve, submit, collect, judge, learn.

Every step is written to the ledger under a key of campaign and round, and every choice follows from the campaign's seed
and the readings: run again after a crash, it finds what it wrote, collects what was revealed, and goes on. An
interrupted campaign ends with the ledger of an uninterrupted one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...knowledge.claims import Approval, Design
from ...knowledge.status import replay
from ...tools.lab.pool import PoolLab
from ...world_model.errors import NotAllowed
from ...world_model.numeric import Numbers
from ..policies import approve
from ..reviews import approval_for, decision_on
from .campaign import HitCampaign
from .files import hits_beyond
from .stakes import READOUT, Terms, campaign_id, direction, judge, stake

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger


@dataclass(frozen=True)
class Round:
    """names: measured in this round; score, hit: (n,) of them."""

    names: tuple[str, ...]
    score: Numbers
    hit: Numbers


def run_rounds(
    ledger: Ledger, campaign: HitCampaign, lab: PoolLab, question: str, terms: Terms, rounds: int, batch: int
) -> list[Round]:
    """All rounds, those of an earlier call among them; fewer where the lab has nothing left.

    Raises NotAllowed where no direction is known before the first reading, or the policy does not approve a design.
    """
    if direction(campaign.view, terms.side) == 0:
        raise NotAllowed(
            "No claim can be registered before the first reading",
            why="hits may lie on both sides, and none has been seen",
            cure="say on which side they lie: --side up or --side down",
        )
    names = campaign.view.features.names
    place = campaign_id(names, question)
    found: list[Round] = []
    left = np.isin(names, lab.members)
    for number in range(rounds):
        if not left.any():
            break
        proposals = campaign.propose(batch, among=left)
        stake(ledger, campaign, question, proposals, terms, cycle=number)
        design = _design(ledger, place, number)
        result = lab.collect(lab.submit(design, f"{place}/{number}", _consent(ledger, lab, design)))
        judge(ledger, place, design, result)
        told = {w.id.removeprefix(f"{place}/"): w.values[READOUT.variable] for w in result.wells}
        rows = np.array([campaign.row_of(n) for n in told], dtype=np.intp)
        score = np.array(list(told.values()))
        hit = hits_beyond(score, terms.threshold, terms.side)
        campaign.learn(rows, score, hit)
        left[rows] = False
        found.append(Round(tuple(told), score, hit))
    return found


def statuses(ledger: Ledger, place: str) -> dict[str, int]:
    """How many claims of the campaign have which status."""
    every = [s.status for s in replay(ledger.events(campaign=place)).values()]
    return {s: every.count(s) for s in sorted(set(every))}


def _design(ledger: Ledger, place: str, cycle: int) -> Design:
    every = (Design.model_validate(e.payload["design"]) for e in ledger.events("experiment_proposed", campaign=place))
    return next(d for d in every if d.cycle == cycle)


def _consent(ledger: Ledger, lab: PoolLab, design: Design) -> Approval:
    """The recorded approval; the policy of replayed labs gives it where nobody has decided yet."""
    digest = design.content_hash()
    if decision_on(ledger, digest) is None:
        consent = approve("replay", design, lab.capabilities(), design.wells)
        if consent is not None:
            payload = {"design_hash": digest, "decision": "approve", "by": consent.by, "reason": consent.reason}
            ledger.append("experiment_decided", payload, campaign=design.campaign, key=f"{digest}/decided")
    return approval_for(ledger, digest)

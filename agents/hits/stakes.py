"""Claims of a hit campaign in the ledger: registered with the batch, judged when its results come back.

A screen's score is relative to its controls already, so the contrast is the member's own arm. One reading tests a
claim only against a noise known beforehand (from earlier replicates): without it nothing is staked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...knowledge.claims import ArmRequest, Belief, Claim, Design, Prediction
from ...knowledge.evalues import assess
from ...knowledge.events import Draft
from ...knowledge.status import replay
from ...tools.lab.protocol import RawResult, Well
from ...world_model.errors import BadInput
from ...world_model.numeric import Numbers
from ...world_model.vocabulary import Arm, Contrast, Perturbation, Population, Readout, content_hash
from ..analysis import looks
from .view import ONE_SIDED, HitView

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger
    from .campaign import HitCampaign, Proposal
    from .files import Side

DENIED = 0.5  # of the threshold: at or below this the claim is false, between the two it is neither
LEAST_SEEN = 5  # hits measured on a side before a direction is staked
READOUT = Readout(modality="score", variable="score", unit="score")
MAX_WELLS = 24


@dataclass(frozen=True)
class Terms:
    """threshold: size of a hit; noise_sd: of one reading, from earlier replicates; both in the score's unit."""

    threshold: float
    noise_sd: float
    side: Side = "both"

    def __post_init__(self) -> None:
        if not (self.threshold > 0 and self.noise_sd > 0):
            raise BadInput("A claim needs a threshold and a noise above zero", cure="Give --threshold and --noise-sd")


def campaign_id(names: Sequence[str], question: str) -> str:
    """The same pool and question are the same campaign, in whatever order the file lists its members."""
    return "H" + content_hash([sorted(names), question.strip()])[:12]


def stake(
    ledger: Ledger, campaign: HitCampaign, question: str, proposals: Sequence[Proposal], terms: Terms,
    cycle: int | None = None,
) -> list[Claim]:  # fmt: skip
    """Register one claim a proposal and the design that tests them, all at once; nothing where no direction is known
    yet, and nothing twice. cycle: the round (without it, the number of members measured so far).

    The theory bets that a hit looks like the hits measured so far, the sceptic that it looks like the rest.
    """
    sign, view = direction(campaign.view, terms.side), campaign.view
    if sign == 0:
        return []
    place = campaign_id(view.features.names, question)
    ledger.append("campaign_started", {"campaign": place, "question": question}, campaign=place, key=f"{place}/start")
    known = replay(ledger.events(campaign=place))
    theory, sceptic = beliefs(view, sign, terms)
    claims, predictions, drafts = [], [], []
    for p in proposals:
        claim = _claim(p, campaign.kind, sign, terms, view.n, place)
        if claim.id in known:
            continue
        prediction = Prediction(
            claim_id=claim.id, theory=theory, sceptic=sceptic, variance="known", noise_sd=terms.noise_sd,
            max_wells=MAX_WELLS, model_version="hits-1", training_hash=_seen(view),
        )  # fmt: skip
        drafts.append(Draft("claim_proposed", {"claim": claim.model_dump(mode="json")}, place))
        drafts.append(Draft("prediction_registered", {"prediction": prediction.model_dump(mode="json")}, place))
        claims.append(claim)
        predictions.append(prediction.id)
    if claims:
        arms = tuple(ArmRequest(arm=c.contrast.arms[0], n=1) for c in claims)
        number = len(view.measured) if cycle is None else cycle
        design = Design(
            campaign=place, cycle=number, dataset="pool", arms=arms,
            predictions=tuple(predictions), cost=float(len(arms)),
            rationale=f"the {len(arms)} most promising members not measured yet",
        )  # fmt: skip
        drafts.append(Draft("experiment_proposed", {"design": design.model_dump(mode="json")}, place))
        ledger.append_many(drafts)
    return claims


def settle(ledger: Ledger, names: Sequence[str], question: str, score: Mapping[str, float]) -> dict[str, str]:
    """Evidence for every open design whose results are here; claim id -> status of all claims of the campaign.

    score: member -> reading. A design is judged once, by the results that come first; members still missing then are
    left out of it. Handing the results in is the person's word that the design was run.
    """
    place = campaign_id(names, question)
    events = list(ledger.events(campaign=place))
    judged = {e.payload["design_hash"] for e in events if e.kind == "run_submitted"}
    for event in events:
        if event.kind != "experiment_proposed":
            continue
        design = Design.model_validate(event.payload["design"])
        wells = tuple(_wells(place, design, score))
        if design.content_hash() in judged or not wells:
            continue
        judge(ledger, place, design, _revealed(ledger, place, design, wells))
    return {claim_id: state.status for claim_id, state in replay(ledger.events(campaign=place)).items()}


def judge(ledger: Ledger, place: str, design: Design, result: RawResult) -> None:
    """The evidence of a design's readings on each of its claims, written once."""
    events = list(ledger.events(("claim_proposed", "prediction_registered"), campaign=place))
    claims = {c.id: c for e in events if e.kind == "claim_proposed" for c in [Claim.model_validate(e.payload["claim"])]}
    tests = [Prediction.model_validate(e.payload["prediction"]) for e in events if e.kind == "prediction_registered"]
    drafts = []
    for prediction in (p for p in tests if p.id in set(design.predictions)):
        claim = claims[prediction.claim_id]
        for batch in looks(claim, prediction, result, 0):
            evidence = {"evidence": assess(claim, prediction, [batch]).model_dump(mode="json")}
            drafts.append(Draft("evidence_added", evidence, place, f"{place}/evidence:{prediction.id}:{batch.index}"))
    ledger.append_many(drafts)


def direction(view: HitView, side: Side) -> int:
    """+1 or -1: where hits lie; for "both", where most of them lie so far, 0 before any side is clear."""
    if side != "both":
        return 1 if side == "up" else -1
    hits = view.score[view.hit > 0]
    if len(hits) < LEAST_SEEN:
        return 0
    up = float((hits > 0).mean())
    return 0 if abs(up - 0.5) < ONE_SIDED else (1 if up > 0.5 else -1)


def beliefs(view: HitView, sign: int, terms: Terms) -> tuple[Belief, Belief]:
    """(theory, sceptic): normal beliefs from the hits of this side, and from the rest, of earlier rounds only."""
    hits = view.score[(view.hit > 0) & (sign * view.score > 0)]
    rest = view.score[view.hit <= 0]
    size = float(np.abs(hits).mean()) if len(hits) >= LEAST_SEEN else terms.threshold
    spread = float(hits.std()) if len(hits) >= LEAST_SEEN else terms.threshold
    middle = float(rest.mean()) if len(rest) >= LEAST_SEEN else 0.0
    width = float(rest.std()) if len(rest) >= LEAST_SEEN else terms.threshold
    least = 0.1 * terms.threshold
    theory = Belief(mean=sign * max(size, terms.threshold), sd=max(spread, least))
    return theory, Belief(mean=middle, sd=max(width, least))


def _claim(p: Proposal, kind: str, sign: int, terms: Terms, n: int, place: str) -> Claim:
    perturbation = Perturbation(kind="compound" if kind == "compound" else "knockout", name=p.name)
    arm = Arm(context=f"screen {place}", perturbations=(perturbation,))  # another question's score is another readout
    verb = "raises" if sign > 0 else "lowers"
    what = p.name if kind == "compound" else f"Losing {p.name}"
    return Claim(
        sentence=f"{what} {verb} the score by {terms.threshold:g} or more.",
        kind="response",
        readout=READOUT,
        contrast=Contrast(terms=((1.0, arm),), populations=(Population(mean=0.0, sd=1.0, n=max(n, 2)),)),
        relation="ge" if sign > 0 else "le",
        delta=sign * terms.threshold,
        delta0=sign * DENIED * terms.threshold,
        mechanism="; ".join(p.sets)[:2000],
        refuted_by=f"a score on the near side of {sign * DENIED * terms.threshold:g}",
        origin="hits",
    )


def _wells(place: str, design: Design, score: Mapping[str, float]) -> list[Well]:
    arms = [request.arm for request in design.arms]
    return [
        Well(id=f"{place}/{a.perturbations[0].name}", arm_key=a.key(), block="",
             values={READOUT.variable: score[a.perturbations[0].name]})
        for a in arms if a.perturbations[0].name in score
    ]  # fmt: skip


def _revealed(ledger: Ledger, place: str, design: Design, wells: tuple[Well, ...]) -> RawResult:
    hash_ = design.content_hash()
    data_hash = content_hash([w.model_dump(mode="json") for w in wells])
    run = "R" + content_hash([place, hash_])[:12]
    by = {"by": "person: results handed in", "reason": "the batch was measured at the bench"}
    ledger.append("experiment_decided", {"design_hash": hash_, "decision": "approve", **by}, campaign=place)
    ledger.append("run_submitted", {"run_id": run, "design_hash": hash_, "key": run}, campaign=place)
    ledger.append(
        "wells_revealed",
        {"run_id": run, "design_hash": hash_, "wells": [w.id for w in wells], "arms": [w.arm_key for w in wells],
         "data_hash": data_hash},
        campaign=place,
    )  # fmt: skip
    return RawResult(run_id=run, design_hash=hash_, wells=wells, data_hash=data_hash)


def _seen(view: HitView) -> str:
    measured: Numbers = view.measured
    return content_hash([[view.features.names[int(i)] for i in measured], view.score.tolist()])

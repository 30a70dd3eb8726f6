"""A made-up campaign as ledger events: for tests and benchmarks of the ledger alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from ..knowledge.claims import ArmRequest, ArmSummary, Batch, Belief, Claim, Design, Prediction
from ..knowledge.evalues import assess
from ..knowledge.events import Draft
from ..world_model.vocabulary import Arm, Contrast, Perturbation, Readout, content_hash

READOUT = Readout(modality="viability", variable="ln_ic50", unit="ln uM")


def arms(drug: str, context: str = "A375") -> tuple[Arm, Arm]:
    """A treated arm and its control."""
    return Arm(context=context, perturbations=(Perturbation(kind="compound", name=drug),)), Arm(context=context)


def a_claim(drug: str, *, premises: tuple[str, ...] = (), context: str = "A375") -> Claim:
    """'The drug lowers the readout by at least 1 against its control' (denial: by at most 0.2)."""
    treated, control = arms(drug, context)
    return Claim(
        sentence=f"{drug} lowers ln IC50 in {context}",
        kind="efficacy",
        readout=READOUT,
        contrast=Contrast(terms=((1.0, treated), (-1.0, control))),
        relation="le",
        delta=-1.0,
        delta0=-0.2,
        premises=premises,
    )


def a_prediction(claim: Claim, *, alpha: float = 0.05, max_wells: int = 60) -> Prediction:
    return Prediction(
        claim_id=claim.id,
        theory=Belief(mean=-1.2, sd=0.5),
        sceptic=Belief(mean=0.0, sd=0.5),
        variance="pooled",
        noise_sd=0.5,
        alpha=alpha,
        max_wells=max_wells,
        model_version="m1",
        training_hash="0" * 64,
    )


def a_batch(claim: Claim, test: Prediction, design: Design, index: int, effect: float, rng: random.Random) -> Batch:
    """Three wells an arm; treated wells lie ``effect`` above control, wells spread with sd 0.5."""
    summaries, wells = [], []
    for shift, arm in zip((effect, 0.0), claim.contrast.arms, strict=True):
        values = [rng.gauss(5.0 + shift, 0.5) for _ in range(3)]
        mean = sum(values) / 3
        ssd = sum((v - mean) ** 2 for v in values)
        summaries.append(ArmSummary(arm_key=arm.key(), n=3, mean=mean, ssd=ssd))
        wells += [f"{claim.id}.{index}.{arm.key()[:4]}.{i}" for i in range(3)]
    return Batch(
        claim_id=claim.id,
        prediction_id=test.id,
        design_hash=design.content_hash(),
        index=index,
        arms=tuple(summaries),
        wells=tuple(wells),
        data_hash=content_hash([s.model_dump() for s in summaries]),
    )


def stake(claim: Claim, prediction: Prediction, campaign: str) -> list[Draft]:
    """Propose a claim and register its test."""
    return [
        Draft("claim_proposed", {"claim": claim.model_dump(mode="json")}, campaign, f"{campaign}/claim/{claim.id}"),
        Draft(
            "prediction_registered",
            {"prediction": prediction.model_dump(mode="json")},
            campaign,
            f"{campaign}/test/{prediction.id}",
        ),
    ]


def a_design(claim: Claim, prediction: Prediction, campaign: str, cycle: int) -> Design:
    return Design(
        campaign=campaign,
        cycle=cycle,
        dataset="made-up",
        arms=tuple(ArmRequest(arm=arm, n=3) for arm in claim.contrast.arms),
        predictions=(prediction.id,),
        cost=6,
    )


def cycle(claim: Claim, prediction: Prediction, earlier: Sequence[Batch], batch: Batch, design: Design) -> list[Draft]:
    """Propose, approve, run, reveal, analyse: one cycle for one claim."""
    campaign, hash_ = design.campaign, design.content_hash()
    run = f"R{hash_[:12]}"
    evidence = assess(claim, prediction, [*earlier, batch])
    return [
        Draft(
            "experiment_proposed", {"design": design.model_dump(mode="json")}, campaign, f"{campaign}/design/{hash_}"
        ),
        Draft(
            "experiment_decided",
            {"design_hash": hash_, "decision": "approve", "by": "policy:test", "reason": "within budget"},
            campaign,
            f"{campaign}/decision/{hash_}",
        ),
        Draft("run_submitted", {"run_id": run, "design_hash": hash_, "key": run}, campaign, f"{campaign}/run/{run}"),
        Draft(
            "wells_revealed",
            {"run_id": run, "design_hash": hash_, "wells": list(batch.wells), "data_hash": batch.data_hash},
            campaign,
            f"{campaign}/wells/{run}",
        ),
        Draft(
            "evidence_added",
            {"evidence": evidence.model_dump(mode="json")},
            campaign,
            f"{campaign}/evidence/{claim.id}/{batch.index}",
        ),
    ]


def story(drugs: int = 4, batches: int = 3, *, campaign: str = "demo", seed: int = 0) -> Iterator[Draft]:
    """A campaign: every other drug works as claimed, the rest do nothing. 3 + 2 drugs + 5 drugs x batches events."""
    rng = random.Random(seed)  # noqa: S311 - made-up data, not a secret
    yield Draft(
        "campaign_started", {"campaign": campaign, "question": "Which drugs work?"}, campaign, f"{campaign}/start"
    )
    for i in range(drugs):
        claim = a_claim(f"drug {i}", context=f"line {campaign}")
        prediction = a_prediction(claim)
        yield from stake(claim, prediction, campaign)
        done: list[Batch] = []
        for k in range(batches):
            design = a_design(claim, prediction, campaign, k)
            batch = a_batch(claim, prediction, design, k, -1.4 if i % 2 == 0 else 0.0, rng)
            yield from cycle(claim, prediction, done, batch, design)
            done.append(batch)
    yield Draft("note", {"text": "made up, not measured; 细胞"}, campaign, f"{campaign}/note")
    yield Draft("campaign_finished", {"reason": "budget spent"}, campaign, f"{campaign}/end")

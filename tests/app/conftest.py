"""Ledgers with a whole campaign in them, written through the ledger's own rules with made-up wells."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from cytocrux.agents.goal import Exclusion, Goal, ReadoutGoal
from cytocrux.knowledge.claims import ArmRequest, ArmSummary, Batch, Belief, Claim, Design, Prediction
from cytocrux.knowledge.evalues import assess
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.vocabulary import Arm, Context, Contrast, Perturbation, Population, Readout, content_hash

QUESTION = "Propose a panel of <b>distinct</b> compounds & test it for the patient in the table"


class Told(NamedTuple):
    """One claim of a story: the compound, what the theory expects, and the readings to come (one list a batch)."""

    compound: str
    mechanism_class: str
    targets: tuple[str, ...]
    expected: float
    sd: float
    batches: Sequence[Sequence[float]]


PANEL = (
    Told("Venetoclax", "BCL-2 inhibitor", ("BCL2",), -1.7, 0.45, ([-1.9, -2.1], [-1.8])),
    Told("Ibrutinib", "BTK inhibitor", ("BTK",), -1.2, 0.5, ([-1.4, -1.0], [-1.6], [-1.5])),
    Told("Bortezomib", "proteasome inhibitor", ("PSMB5", "PSMB1"), -1.0, 0.6, ([0.9, 1.4], [1.1])),
    Told("Trametinib & co", "MEK inhibitor", ("MAP2K1", "MAP2K2"), -0.9, 0.7, ([-0.4], [-0.3])),
    Told("Alisertib", "AURKA inhibitor", ("AURKA",), -0.9, 0.55, ()),
)


class Scribe:
    """Writes a campaign as the loop does, under the ledger's rules."""

    def __init__(self, ledger: Ledger, campaign: str) -> None:
        self.ledger, self.campaign = ledger, campaign

    def add(self, kind: str, **payload: Any) -> int:
        return self.ledger.append(kind, payload, campaign=self.campaign).seq

    def begin(self, question: str, goal: Goal, policy: str | None) -> None:
        budget = {"wells": 96, "cycles": 6, "hours": 8.0, "usd": 0.0}
        spec = {
            "question": question,
            "data": goal.dataset,
            "patient_name": "patient.csv",
            "budget": budget,
            "llm": None,
        }
        self.add(
            "campaign_started", campaign=self.campaign, question=question, dataset=goal.dataset, budget=budget,
            policy=policy, mind="builtin", seed=7, spec=spec,
        )  # fmt: skip
        self.add("goal_set", goal=goal.model_dump(mode="json"))
        self.add("model_fitted", version="M-first", training_hash="a" * 64, n_rows=1234)
        self.add("mind_decision", decision="understand", mind="builtin", fallback=False, reason="")

    def stake(self, claim: Claim, prediction: Prediction) -> None:
        self.add("claim_proposed", claim=claim.model_dump(mode="json"))
        self.add(
            "prediction_registered", prediction=prediction.model_dump(mode="json"), e_power=0.8, severity=0.62,
            reason="expected to move log10 e by 0.80 for 1 treated wells", abstained="",
        )  # fmt: skip

    def propose(self, cycle: int, dataset: str, arms: Sequence[tuple[Arm, int]], predictions: Sequence[str]) -> Design:
        design = Design(
            campaign=self.campaign,
            cycle=cycle,
            dataset=dataset,
            arms=tuple(ArmRequest(arm=arm, n=n) for arm, n in arms),
            predictions=tuple(predictions),
            cost=float(sum(n for _, n in arms)),
            rationale="The claims that are easiest to break come first.",
        )
        self.add("experiment_proposed", design=design.model_dump(mode="json"))
        return design

    def run(self, design: Design, wells: Sequence[str]) -> None:
        h = design.content_hash()
        self.add("experiment_decided", design_hash=h, decision="approve", by="person:Ada", reason="fits the budget")
        self.add("run_submitted", run_id=f"run-{h[:6]}", design_hash=h, key=h)
        self.add(
            "wells_revealed",
            run_id=f"run-{h[:6]}",
            design_hash=h,
            wells=list(wells),
            data_hash=content_hash(list(wells)),
        )

    def look(self, claim: Claim, prediction: Prediction, batches: Sequence[Batch]) -> int:
        return self.add("evidence_added", evidence=assess(claim, prediction, batches).model_dump(mode="json"))


def summary(arm: Arm, readings: Sequence[float]) -> ArmSummary:
    x = np.asarray(readings, dtype=float)
    return ArmSummary(arm_key=arm.key(), n=len(x), mean=float(x.mean()), ssd=float(((x - x.mean()) ** 2).sum()))


def panel_goal() -> Goal:
    readout = Readout(modality="viability", variable="LN_IC50", unit="ln uM")
    return Goal(
        question=QUESTION,
        intent="panel",
        dataset="gdsc",
        context=Context(name="patient-1", tissue="lymphoid", mutations={"TP53": 1, "MYD88": 0}),
        surrogate="DOHH-2",
        disease="non-Hodgkin lymphoma, stage II",
        readouts=(ReadoutGoal(readout=readout, direction="down"),),
        kind="compound",
        exclusions=(Exclusion(what="anthracycline", because="LVEF 45 % is below the limit"),),
        assumptions=("DOHH-2 stands in for the patient.",),
        unplaced=("shoe size",),
    )


def stakes_of(told: Told) -> tuple[Claim, Prediction, Arm]:
    arm = Arm(context="patient-1", perturbations=(Perturbation(kind="compound", name=told.compound),))
    readout = Readout(modality="viability", variable="LN_IC50", unit="ln uM")
    claim = Claim(
        sentence=f"patient-1 is among the quarter of lines most sensitive to {told.compound} (LN_IC50 z <= -0.67).",
        kind="efficacy",
        readout=readout,
        contrast=Contrast(terms=((1.0, arm),), populations=(Population(mean=1.0, sd=1.3, n=640, block="GDSC2"),)),
        relation="le",
        delta=-0.67,
        delta0=0.0,
        mechanism=f"blocks {' and '.join(told.targets)}",
        refuted_by="a LN_IC50 at or above the average line's (z >= 0) within the error of the assay",
    )
    prediction = Prediction(
        claim_id=claim.id,
        theory=Belief(mean=told.expected, sd=told.sd),
        sceptic=Belief(mean=0.0, sd=1.0),
        variance="known",
        noise_sd=0.4,
        max_wells=4,
        model_version="M-first",
        training_hash="a" * 64,
    )
    return claim, prediction, arm


def write_panel(ledger: Ledger, campaign: str = "Kpanel") -> None:
    """Five claims: two hold, one breaks, one stays undecided, one is never measured."""
    scribe, staked = Scribe(ledger, campaign), []
    scribe.begin(QUESTION, panel_goal(), None)
    for told in PANEL:
        claim, prediction, arm = stakes_of(told)
        scribe.stake(claim, prediction)
        staked.append((told, claim, prediction, arm))
    seen: dict[str, list[Batch]] = {}
    for cycle in range(3):
        now = [(t, c, p, a) for t, c, p, a in staked if len(t.batches) > cycle]
        arms = [(a, len(t.batches[cycle])) for t, _, _, a in now]
        design = scribe.propose(cycle, "gdsc", arms, [p.id for _, _, p, _ in now])
        names = {t.compound: [f"{t.compound}-c{cycle}-{i}" for i in range(len(t.batches[cycle]))] for t, *_ in now}
        scribe.run(design, [w for group in names.values() for w in group])
        for told, claim, prediction, arm in now:
            batch = Batch(
                claim_id=claim.id,
                prediction_id=prediction.id,
                design_hash=design.content_hash(),
                index=cycle,
                arms=(summary(arm, told.batches[cycle]),),
                wells=tuple(names[told.compound]),
                data_hash=content_hash(list(told.batches[cycle])),
            )
            seen.setdefault(claim.id, []).append(batch)
            scribe.look(claim, prediction, seen[claim.id])
        scribe.add("model_fitted", version=f"M-{cycle}", training_hash="b" * 64, n_rows=1240 + cycle, parent="M-first")
    finish_panel(scribe, [(t, c) for t, c, _, _ in staked])


def finish_panel(scribe: Scribe, staked: Sequence[tuple[Told, Claim]]) -> None:
    broken = next(c for t, c in staked if t.compound == "Bortezomib")
    sentence = f"Refuted: {broken.sentence} For the other proteasome inhibitors (2) the mean prediction moved."
    scribe.add("belief_changed", claim_ids=[broken.id], sentence=sentence, before=-0.9, after=0.2)
    open_one = next(c for t, c in staked if t.compound == "Trametinib & co")
    scribe.add("claim_closed", claim_id=open_one.id, reason="the lab has no fresh wells of one of its arms")
    rows = [
        {
            "compound": t.compound, "claim_id": c.id, "mechanism_class": t.mechanism_class, "targets": list(t.targets),
            "mechanism": c.mechanism, "refuted_by": c.refuted_by, "readout": "LN_IC50", "dose": None, "time_h": None,
            "predicted": t.expected, "interval": [t.expected - 0.9, t.expected + 0.9], "percentile": 8.0,
            "percentile_interval": [1.0, 31.0], "why": "predicted well below the average line",
        }
        for t, c in staked
    ]  # fmt: skip
    scribe.add(
        "answer", intent="panel", summary=["Two of five compounds held.", "Bortezomib was refuted."],
        panel=[r for r in rows if r["compound"] != "Bortezomib"],
        items=[r for r in rows if r["compound"] == "Bortezomib"],
        excluded=[{"what": "anthracycline", "because": "LVEF 45 % is below the limit"}],
        trial={
            "leader": "model", "e_model": 31.0, "e_baseline": 0.1, "withdrawn": False, "experiments": 3,
            "advantage": 0.2,
        },
        unused_fields=["favourite colour"], assumptions=["all wells of DOHH-2 are held out"], unplaced=["shoe size"],
    )  # fmt: skip
    scribe.add("campaign_finished", reason="nothing left that is worth testing")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose ledger holds the finished campaign Kpanel. Read only: shared by all tests."""
    folder = tmp_path_factory.mktemp("story") / "work"
    with Ledger.open(folder) as ledger:
        write_panel(ledger)
    return folder


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    """A copy of ``finished`` that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "work"))


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A workspace whose campaign Kopen has proposed an experiment and waits for a person."""
    folder = tmp_path / "waiting"
    with Ledger.open(folder) as ledger:
        scribe = Scribe(ledger, "Kopen")
        scribe.begin(QUESTION, panel_goal(), None)
        claim, prediction, arm = stakes_of(PANEL[0])
        scribe.stake(claim, prediction)
        scribe.propose(0, "gdsc", [(arm, 2)], [prediction.id])
    return folder

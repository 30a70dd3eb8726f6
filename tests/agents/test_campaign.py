"""Whole campaigns on the simulated screen: order of the ledger, review, crash and resume, budgets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from cytocrux.agents import reviews, scientist
from cytocrux.agents.budget import Budget
from cytocrux.knowledge.claims import Design
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.data import load
from cytocrux.world_model.errors import BadInput, UnknownName

QUESTION = "Propose a panel of mechanistically distinct compounds for SIM-004"
SMALL = Budget(wells=12, cycles=2)


def run(workspace: Path, *, auto: str | None = "replay", budget: Budget = SMALL) -> scientist.Outcome:
    return scientist.ask(QUESTION, workspace=workspace, data="simulated", auto_approve=auto, budget=budget)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, scientist.Outcome]:
    workspace = tmp_path_factory.mktemp("finished")
    return workspace, run(workspace)


def test_a_panel_of_distinct_mechanisms_comes_out(finished: tuple[Path, scientist.Outcome]) -> None:
    _, outcome = finished
    assert outcome.state == "done"
    panel = outcome.answer["panel"] + outcome.answer["items"]
    assert len(panel) >= 5
    assert len({row["mechanism_class"] for row in panel}) >= 4
    for row in panel:
        assert row["refuted_by"] and row["why"]
        assert row["interval"][0] < row["predicted"] < row["interval"][1]


def test_every_claim_is_registered_before_its_evidence(finished: tuple[Path, scientist.Outcome]) -> None:
    workspace, _ = finished
    with Ledger.open(workspace) as ledger:
        registered = {e.payload["prediction"]["claim_id"]: e.seq for e in ledger.events(kind="prediction_registered")}
        reveals = {w: e.seq for e in ledger.events(kind="wells_revealed") for w in e.payload["wells"]}
        looks = [e.payload["evidence"]["batch"] for e in ledger.events(kind="evidence_added")]
        assert looks
        for batch in looks:
            assert all(registered[batch["claim_id"]] < reveals[w] for w in batch["wells"])
        assert ledger.verify().ok


def test_the_model_never_trains_on_a_well_before_it_is_revealed(finished: tuple[Path, scientist.Outcome]) -> None:
    workspace, _ = finished
    with Ledger.open(workspace) as ledger:
        lines = {w.split("/")[1] for e in ledger.events(kind="wells_revealed") for w in e.payload["wells"]}
        assert lines == {"SIM-004"}
        session = scientist._session(ledger, next(iter(ledger.events())).campaign or "", workspace, lambda _: None)
        trained = {str(c) for c in session.study.dataset.wells.obs["context"].iloc[session.study.train]}
        assert "SIM-004" not in trained and len(trained) > 100


def test_the_budget_of_wells_is_never_passed(tmp_path: Path) -> None:
    run(tmp_path, budget=Budget(wells=3, cycles=5))
    with Ledger.open(tmp_path) as ledger:
        assert sum(len(e.payload["wells"]) for e in ledger.events(kind="wells_revealed")) == 3


def test_without_a_policy_a_person_decides_and_the_run_goes_on(tmp_path: Path) -> None:
    outcome = run(tmp_path, auto=None)
    assert outcome.state == "waiting_for_review" and len(outcome.pending) == 1
    with Ledger.open(tmp_path) as ledger:
        assert not list(ledger.events(kind="wells_revealed"))
    assert scientist.resume(outcome.campaign, workspace=tmp_path).state == "waiting_for_review"
    scientist.decide(outcome.pending[0][:10], workspace=tmp_path, decision="approve", by="Ada")
    after = scientist.resume(outcome.campaign, workspace=tmp_path)
    with Ledger.open(tmp_path) as ledger:
        assert list(ledger.events(kind="wells_revealed"))
        assert next(iter(ledger.events(kind="experiment_decided"))).payload["by"] == "person:Ada"
    assert after.state in ("done", "waiting_for_review")


def test_an_edit_runs_the_edited_design_only(tmp_path: Path) -> None:
    outcome = run(tmp_path, auto=None)
    with Ledger.open(tmp_path) as ledger:
        proposed = reviews.find(ledger, outcome.campaign)
    smaller = proposed.model_copy(update={"arms": proposed.arms[:2], "cost": 2.0})
    file = tmp_path / "edit.json"
    file.write_text(smaller.model_dump_json())
    scientist.decide(outcome.campaign, workspace=tmp_path, decision="edit", by="Ada", edited=file)
    scientist.resume(outcome.campaign, workspace=tmp_path)
    with Ledger.open(tmp_path) as ledger:
        first = next(iter(ledger.events(kind="wells_revealed"))).payload
        assert first["design_hash"] == smaller.content_hash() and len(first["wells"]) == 2


def test_an_edit_cannot_add_what_was_not_proposed(tmp_path: Path) -> None:
    outcome = run(tmp_path, auto=None)
    with Ledger.open(tmp_path) as ledger:
        proposed = reviews.find(ledger, outcome.campaign)
    other = proposed.arms[0].arm.model_copy(update={"context": "SIM-009"})
    grown = proposed.model_copy(update={"arms": (*proposed.arms, proposed.arms[0].model_copy(update={"arm": other}))})
    file = tmp_path / "edit.json"
    file.write_text(grown.model_dump_json())
    with pytest.raises(BadInput, match="not proposed"):
        scientist.decide(outcome.campaign, workspace=tmp_path, decision="edit", by="Ada", edited=file)


def test_a_rejected_design_reveals_nothing_and_is_not_proposed_again(tmp_path: Path) -> None:
    outcome = run(tmp_path, auto=None, budget=Budget(wells=12, cycles=1))
    scientist.decide(outcome.campaign, workspace=tmp_path, decision="reject", by="Ada", reason="too dear")
    after = scientist.resume(outcome.campaign, workspace=tmp_path)
    assert after.state == "done"
    with Ledger.open(tmp_path) as ledger:
        assert not list(ledger.events(kind="wells_revealed"))


def test_a_decision_needs_a_name_and_a_rejection_a_reason(tmp_path: Path) -> None:
    outcome = run(tmp_path, auto=None)
    with pytest.raises(BadInput, match="reviewer"):
        scientist.decide(outcome.campaign, workspace=tmp_path, decision="approve", by=" ")
    with pytest.raises(BadInput, match="reason"):
        scientist.decide(outcome.campaign, workspace=tmp_path, decision="reject", by="Ada")
    with pytest.raises(UnknownName):
        scientist.decide("nothing", workspace=tmp_path, decision="approve", by="Ada")


def test_the_same_question_again_tests_no_well_twice(tmp_path: Path) -> None:
    run(tmp_path)
    again = run(tmp_path)
    assert again.state == "done" and again.campaign.endswith("-2")
    with Ledger.open(tmp_path) as ledger:
        wells = [w for e in ledger.events(kind="wells_revealed") for w in e.payload["wells"]]
        assert len(wells) == len(set(wells))
        assert ledger.verify().ok


def test_a_patient_without_a_stand_in_gets_registered_predictions_and_no_test(tmp_path: Path) -> None:
    table = tmp_path / "patient.csv"
    profile = load("simulated").context_features["expression"].loc["SIM-004"]
    rows = [f"expression:{gene},{value:.3f},z" for gene, value in profile.items()]
    table.write_text("\n".join(["field,value,unit", "diagnosis,lymphoma,", *rows]))
    outcome = scientist.ask(
        "Propose a panel of compounds for the patient in the table",
        workspace=tmp_path / "w",
        data="simulated",
        patient=table,
        auto_approve="replay",
        budget=SMALL,
    )
    assert outcome.state == "done"
    assert outcome.answer["panel"]
    assert {row["status"] for row in outcome.answer["panel"]} == {"registered"}
    assert all(row["measured"] is None for row in outcome.answer["panel"])
    with Ledger.open(tmp_path / "w") as ledger:
        assert not list(ledger.events(kind="wells_revealed"))


SCRIPT = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    from cytocrux.agents import scientist
    from cytocrux.agents.budget import Budget
    from cytocrux.tools.lab.replay import ReplayLab
    where, point = Path(sys.argv[1]), sys.argv[2]
    def hang(*args, **kwargs):
        (where / "reached").touch()
        time.sleep(600)
    real = ReplayLab.submit
    def submit(self, *args, **kwargs):
        if point == "before":
            hang()
        run = real(self, *args, **kwargs)
        hang()
        return run
    ReplayLab.submit = submit
    budget = Budget(wells=12, cycles=2)
    scientist.ask(sys.argv[3], workspace=where, data="simulated", auto_approve="replay", budget=budget)
""")


@pytest.mark.parametrize("point", ["before", "after"])
def test_kill_9_during_execute_then_resume_equals_an_uninterrupted_run(
    point: str, tmp_path: Path, finished: tuple[Path, scientist.Outcome]
) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-P", "-c", SCRIPT, str(tmp_path), point, QUESTION], env=dict(os.environ)
    )
    try:
        for _ in range(600):
            if (tmp_path / "reached").exists():
                break
            assert killed.poll() is None, "the campaign ended before it reached the lab"
            time.sleep(0.2)
        os.kill(killed.pid, signal.SIGKILL)
    finally:
        killed.kill()
        killed.wait()
    workspace, outcome = finished
    assert scientist.resume(outcome.campaign, workspace=tmp_path).state == "done"
    with Ledger.open(tmp_path) as resumed, Ledger.open(workspace) as whole:
        assert resumed.content_digest(outcome.campaign) == whole.content_digest(outcome.campaign)
        wells = [w for e in resumed.events(kind="wells_revealed") for w in e.payload["wells"]]
        assert len(wells) == len(set(wells))


def test_status_names_the_design_that_waits(tmp_path: Path) -> None:
    outcome = run(tmp_path, auto=None)
    (entry,) = scientist.campaign_status(tmp_path)
    assert entry["state"] == "waiting_for_review"
    assert entry["pending"][0]["hash"] == outcome.pending[0]
    assert Design.model_validate(entry["pending"][0]["design"]).content_hash() == outcome.pending[0]
    json.dumps(entry)


def test_pause_holds_and_resume_ends(tmp_path: Path) -> None:
    outcome = run(tmp_path, auto=None)
    scientist.pause(outcome.campaign, workspace=tmp_path)
    assert scientist.campaign_status(tmp_path)[0]["state"] == "paused"
    assert scientist.resume(outcome.campaign, workspace=tmp_path).state == "waiting_for_review"


@pytest.mark.parametrize(
    ("question", "data", "problem"),
    [
        (" ", "simulated", "empty"),
        ("Propose a panel for HeLa", "simulated", "names no cell line"),
        (QUESTION, "gdcs", "gdcs"),
    ],
)
def test_bad_input_leaves_the_ledger_untouched(question: str, data: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=problem):
        scientist.ask(question, workspace=tmp_path, data=data, auto_approve="replay")
    if (tmp_path / "ledger.db").exists():
        with Ledger.open(tmp_path) as ledger:
            assert not list(ledger.events())

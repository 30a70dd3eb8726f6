"""A campaign's plate maps: the very wells the lab ran, read back from the CSV; cells no spreadsheet would run."""

import csv
from pathlib import Path

import pytest

from cytocrux.agents import scientist
from cytocrux.agents.budget import Budget
from cytocrux.app.report import write_report
from cytocrux.app.report.plates import _plain
from cytocrux.knowledge.ledger import Ledger

QUESTION = "Which compounds lower N08 in LINE-A?"


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, scientist.Outcome]:
    """One question on the simulated cell, from the words to the report."""
    workspace = tmp_path_factory.mktemp("plates")
    outcome = scientist.ask(
        QUESTION, workspace=workspace, data="kinetic", auto_approve="replay", budget=Budget(wells=40, cycles=1)
    )
    return workspace, write_report(workspace, outcome.campaign).parent, outcome


def test_a_question_runs_end_to_end_on_the_simulated_cell(reported: tuple[Path, Path, scientist.Outcome]) -> None:
    workspace, _, outcome = reported
    assert outcome.state == "done"
    with Ledger.open(workspace) as ledger:
        assert ledger.verify().ok
        runs = [e.payload["run_id"] for e in ledger.events(kind="wells_revealed")]
        assert runs and all(r.startswith("S") for r in runs)
        assert any(True for _ in ledger.events(kind="evidence_added"))


def test_the_map_holds_the_wells_that_were_run(reported: tuple[Path, Path, scientist.Outcome]) -> None:
    workspace, folder, _ = reported
    with (folder / "plates-1.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with Ledger.open(workspace) as ledger:
        reveal = next(iter(ledger.events(kind="wells_revealed"))).payload
    ran = {(w.split("/")[1], a) for w, a in zip(reveal["wells"], reveal["arms"], strict=True)}
    assert {(f"P{r['plate']}-{r['well']}", r["arm"]) for r in rows} == ran
    assert all(r["outer"] == "False" for r in rows)
    assert {"control", "True"} in [{r["perturbation"], r["control"]} for r in rows]
    for suffix in (".svg", ".png"):
        assert (folder / "plates-1").with_suffix(suffix).stat().st_size > 5_000


def test_power_names_every_registered_claim(reported: tuple[Path, Path, scientist.Outcome]) -> None:
    workspace, folder, _ = reported
    with (folder / "power.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with Ledger.open(workspace) as ledger:
        claims = {e.payload["prediction"]["claim_id"] for e in ledger.events(kind="prediction_registered")}
    assert {r["claim"] for r in rows} == claims
    assert all(0 <= float(r["severity"]) <= 1 and float(r["e_power"]) > 0 for r in rows)


@pytest.mark.parametrize(
    ("cell", "safe"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("-0.5", "-0.5"), ("", ""), ("N08", "N08")]
)
def test_no_cell_is_a_formula(cell: str, safe: str) -> None:
    assert _plain(cell) == safe

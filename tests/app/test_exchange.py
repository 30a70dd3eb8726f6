"""Export, import, retraction and merging, as a user types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cytocrux.app.cli import app


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(w) for w in words])


def claims(workspace: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("claims", "list", "--json", "--workspace", workspace).stdout)["claims"]
    return found


def test_a_table_of_every_claim(workspace: Path, tmp_path: Path) -> None:
    target = tmp_path / "claims.csv"
    assert run("claims", "export", target, "--format", "csv", "--workspace", workspace).exit_code == 0
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {r["claim"]: r["status"] for r in rows} == {c["id"]: c["status"] for c in claims(workspace)}


@pytest.mark.parametrize(("form", "name"), [("jsonld", "ours.jsonld"), ("rocrate", "crate")])
def test_a_colleague_reads_the_same_claims(form: str, name: str, workspace: Path, tmp_path: Path) -> None:
    target = tmp_path / name
    assert run("claims", "export", target, "--format", form, "--workspace", workspace).exit_code == 0
    taken = run("claims", "import", target, "--by", "Ada", "--json", "--workspace", workspace)
    assert taken.exit_code == 0
    assert claims(Path(json.loads(taken.stdout)["workspace"])) == claims(workspace)


def test_an_unknown_format_is_refused_with_the_known_ones(workspace: Path, tmp_path: Path) -> None:
    result = run("claims", "export", tmp_path / "x", "--format", "pdf", "--workspace", workspace)
    assert result.exit_code == 2 and "rocrate" in result.stderr and not (tmp_path / "x").exists()


def test_retracted_evidence_changes_the_status(workspace: Path) -> None:
    settled = next(c for c in claims(workspace) if c["status"] == "corroborated")
    told = run(
        "claims", "retract", "--claim", settled["id"], "--by", "Ada", "--reason", "bad plate", "--workspace", workspace
    )
    assert told.exit_code == 0
    assert next(c for c in claims(workspace) if c["id"] == settled["id"])["status"] != "corroborated"
    nothing = run("claims", "retract", "--by", "Ada", "--reason", "?", "--workspace", workspace)
    assert nothing.exit_code == 2


def test_the_index_is_rebuilt_from_the_ledger(workspace: Path) -> None:
    result = run("index", "rebuild", "--json", "--workspace", workspace)
    assert result.exit_code == 0 and json.loads(result.stdout)["texts"] >= len(claims(workspace))

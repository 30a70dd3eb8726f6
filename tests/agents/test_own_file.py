"""A researcher's own table, asked about in plain words: planted effects are found, a planted dud is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.agents import scientist
from cytocrux.agents.budget import Budget
from cytocrux.world_model.errors import BadInput

QUESTION = "Which compound lowers pERK in HeLa?"


def table(path: Path, *, controls: bool = True, seed: int = 0) -> Path:
    """Four lines, two compounds at two doses, 8 wells an arm: Strongin halves pERK thrice, Weakin does nothing."""
    rng = np.random.default_rng(seed)
    rows = []
    for line in ("HeLa", "A549", "MCF7", "U2OS"):
        arms = [("Strongin", 1.0, -3.0), ("Strongin", 0.1, -1.8), ("Weakin", 1.0, 0.0), ("Weakin", 0.1, 0.0)]
        if controls:
            arms.append(("control", np.nan, 0.0))
        for name, dose, effect in arms:
            for replicate in range(8):
                rows.append(
                    {
                        "perturbation": name,
                        "kind": "control" if name == "control" else "compound",
                        "dose": dose,
                        "dose_unit": "uM",
                        "time": 24.0,
                        "context": line,
                        "batch": "p1",
                        "replicate": replicate,
                        "pERK": 8.0 + effect + rng.normal(0, 0.3),
                    }
                )
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_planted_effects_are_corroborated_and_the_dud_is_not_believed(tmp_path: Path) -> None:
    data = table(tmp_path / "mine.csv")
    outcome = scientist.ask(
        QUESTION, workspace=tmp_path / "w", data=str(data), auto_approve="replay", budget=Budget(wells=96, cycles=3)
    )
    assert outcome.state == "done"
    by_status = {(r["compound"], r["dose"]): r["status"] for r in outcome.answer["items"]}
    assert by_status[("Strongin", 1.0)] == "corroborated"
    assert by_status[("Strongin", 0.1)] == "corroborated"
    assert "corroborated" not in {s for (name, _), s in by_status.items() if name == "Weakin"}
    strong = next(r for r in outcome.answer["items"] if (r["compound"], r["dose"]) == ("Strongin", 1.0))
    assert strong["measured"] == pytest.approx(-3.0, abs=4 * strong["measured_se"])


def test_a_table_without_controls_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    data = table(tmp_path / "mine.csv", controls=False)
    with pytest.raises(BadInput) as error:
        scientist.ask(QUESTION, workspace=tmp_path / "w", data=str(data), auto_approve="replay")
    assert error.value.cure
    if (tmp_path / "w" / "ledger.db").exists():
        from cytocrux.knowledge.ledger import Ledger

        with Ledger.open(tmp_path / "w") as ledger:
            assert not list(ledger.events())

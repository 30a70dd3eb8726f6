"""The report shows what each sentence rests on, remarks of the roles, notes on a claim, and what was refused."""

from __future__ import annotations

import json
from pathlib import Path

from cytocrux.agents import scientist
from cytocrux.agents.budget import Budget
from cytocrux.agents.llm.scripted import ScriptedServer
from cytocrux.app.report import build, read
from cytocrux.evals.mind_models import inventive
from cytocrux.knowledge import notes
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.data import load


def test_support_citations_remarks_and_refusals_are_shown(tmp_path: Path) -> None:
    paper = tmp_path / "paper.txt"
    paper.write_text("\n\n".join(f"{n} slowed SIM-004 <b>markedly</b>." for n in load("simulated").perturbations))
    with Ledger.open(tmp_path / "w") as ledger:
        notes.add(ledger, paper)
    with ScriptedServer(inventive) as server:
        outcome = scientist.ask(
            "Propose a panel of mechanistically distinct compounds for SIM-004", workspace=tmp_path / "w",
            data="simulated", budget=Budget(wells=6, cycles=1), auto_approve="replay", llm_url=server.url, model="m",
        )  # fmt: skip
    with Ledger.open(tmp_path / "w") as ledger:
        record = read(ledger, outcome.campaign)
        page = build(ledger, outcome.campaign, tmp_path / "out").read_text()
        last = ledger.head()[0]
    said = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(said["support"]) == len(said["summary"]) == len(record.sentences)
    assert all(entries and all(0 < n <= last for n in entries) for entries in said["support"])
    assert said["cut_sentences"] == 0 and len(said["minds"]["refused"]) >= 3 and said["minds"]["cut"] >= 1
    assert said["tools_called"] == len(record.tools) > 0
    assert "What each sentence of the answer rests on" in page and "What the roles remarked" in page
    assert f"{len(record.refused)} names or choices were refused" in page
    assert record.cited, "a claim of the panel is cited"
    for claim_id, cited in record.cited.items():
        assert claim_id in record.by_id and f"entry {cited[0]['note']}" in page
    assert "&lt;b&gt;markedly" in page and "<b>markedly" not in page, "a note is data"
    guesses = [r for r in record.remarks if not r["checked"]]
    assert guesses and page.count("(a guess)") == len(guesses)

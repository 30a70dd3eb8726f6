"""A campaign whose mind is a language model, over real HTTP against a scripted server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cytocrux.agents import scientist
from cytocrux.agents.budget import Budget
from cytocrux.agents.llm.scripted import Request, ScriptedServer, Step, say, status
from cytocrux.knowledge.ledger import Ledger

QUESTION = "Propose a panel of mechanistically distinct compounds for SIM-004"
BUDGET = Budget(wells=8, cycles=1)


def ask(workspace: Path, url: str) -> scientist.Outcome:
    return scientist.ask(
        QUESTION,
        workspace=workspace,
        data="simulated",
        auto_approve="replay",
        budget=BUDGET,
        llm_url=url,
        model="scripted",
    )


def decisions(workspace: Path) -> list[dict[str, Any]]:
    with Ledger.open(workspace) as ledger:
        return [e.payload for e in ledger.events(kind="mind_decision")]


def verdicts(workspace: Path, campaign: str) -> dict[str, tuple[float, float]]:
    with Ledger.open(workspace) as ledger:
        evidence = [e.payload["evidence"] for e in ledger.events(kind="evidence_added", campaign=campaign)]
    return {e["batch"]["claim_id"]: (e["e_for"], e["e_against"]) for e in evidence}


def test_a_dead_model_falls_back_to_the_builtin_mind_and_the_ledger_says_so(tmp_path: Path) -> None:
    with ScriptedServer(lambda _: status(500)) as server:
        outcome = ask(tmp_path / "llm", server.url)
    assert outcome.state == "done"
    told = decisions(tmp_path / "llm")
    assert {d["decision"] for d in told} == {"understand", "hypothesise"}
    assert all(d["fallback"] and d["reason"] for d in told)
    plain = scientist.ask(
        QUESTION, workspace=tmp_path / "builtin", data="simulated", auto_approve="replay", budget=BUDGET
    )
    assert verdicts(tmp_path / "llm", outcome.campaign) == verdicts(tmp_path / "builtin", plain.campaign)


def test_an_invented_compound_never_becomes_a_claim(tmp_path: Path) -> None:
    def script(request: Request) -> Step:
        wanted = json.dumps(request)
        if "Unobtainium" in wanted:
            return say("{}")
        return say(json.dumps({"hypotheses": [{"perturbations": ["Unobtainium"], "readout": "LN_IC50"}]}))

    with ScriptedServer(script) as server:
        outcome = ask(tmp_path, server.url)
    assert outcome.state == "done"
    with Ledger.open(tmp_path) as ledger:
        claims = [json.dumps(e.payload) for e in ledger.events(kind="claim_proposed")]
    assert claims and not any("Unobtainium" in c for c in claims)

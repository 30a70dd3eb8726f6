"""A campaign whose mind is a language model, over real HTTP against a scripted server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cytocrux.agents import scientist
from cytocrux.agents.budget import Budget
from cytocrux.agents.llm.failure import UnknownRequest
from cytocrux.agents.llm.scripted import Request, ScriptedServer, Step, say, status
from cytocrux.evals.mind_models import faithful
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.errors import BadInput

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
    assert {"understand", "hypothesise", "look", "design", "analyse", "criticise"} == {d["decision"] for d in told}
    asked = sum(d["attempts"] > 0 for d in told)
    assert asked < len(told), "after a few failures in a row only the two great decisions still ask"
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


def digest(workspace: Path) -> str:
    with Ledger.open(workspace) as ledger:
        return ledger.content_digest()


def test_a_recorded_campaign_replays_to_the_same_ledger_with_nobody_there(tmp_path: Path) -> None:
    with ScriptedServer(faithful) as server:
        first = ask(tmp_path / "first", server.url)
    assert not any(d["fallback"] for d in decisions(tmp_path / "first"))
    recording = tmp_path / "first" / "llm" / first.campaign
    common: dict[str, Any] = {"data": "simulated", "auto_approve": "replay", "budget": BUDGET}
    again = scientist.ask(QUESTION, workspace=tmp_path / "again", replay=recording, **common)
    assert again.campaign == first.campaign and again.state == "done"
    assert digest(tmp_path / "again") == digest(tmp_path / "first")
    with pytest.raises(UnknownRequest, match="differs from the recorded one"):
        scientist.ask(QUESTION + " today", workspace=tmp_path / "other", replay=recording, **common)


def test_a_folder_without_a_recording_and_two_sources_at_once_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no recording"):
        scientist.ask(QUESTION, workspace=tmp_path / "w", data="simulated", replay=tmp_path)
    with pytest.raises(BadInput, match="drop one"):
        scientist.ask(
            QUESTION, workspace=tmp_path / "w", data="simulated", replay=tmp_path, llm_url="http://127.0.0.1:1/v1"
        )
    assert not (tmp_path / "w").exists()

"""Roles around the loop: what they look up is recorded, what they say is checked, and nothing they say decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cytocrux.agents import scientist
from cytocrux.agents.budget import Budget
from cytocrux.agents.goal import Hypothesis
from cytocrux.agents.llm.scripted import Request, ScriptedServer, Step, say
from cytocrux.agents.roles.builtin import BuiltinCrew
from cytocrux.agents.roles.checks import CONCERNS
from cytocrux.agents.roles.crew import open_crew
from cytocrux.agents.roles.shapes import Doubt, Line
from cytocrux.agents.roles.toolbox import TOOLS, Toolbox
from cytocrux.agents.session import Session
from cytocrux.agents.spec import LLMSpec
from cytocrux.evals.mind_models import asked_for, block, faithful
from cytocrux.evals.minds_checks import verdicts
from cytocrux.knowledge import notes
from cytocrux.knowledge.claims import ArmRequest, Claim, Design
from cytocrux.knowledge.events import Event
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.vocabulary import Arm, Perturbation

QUESTION = "Propose a panel of mechanistically distinct compounds for SIM-004"
PAPER = "Simulin-MTOR-3 slowed the growth of SIM-004 cells in our hands.\n\nSimulin-BCL2-1 did nothing there."


def run(workspace: Path, script: Callable[[Request], Step] | None = faithful, note: str = PAPER) -> list[Event]:
    """A short campaign over the simulated screen with one note; its events. No script: the built-in mind."""
    workspace.mkdir(parents=True)
    (workspace / "paper.txt").write_text(note)
    with Ledger.open(workspace) as ledger:
        notes.add(ledger, workspace / "paper.txt")
    common: dict[str, Any] = {"data": "simulated", "auto_approve": "replay", "budget": Budget(wells=8, cycles=1)}
    if script is None:
        scientist.ask(QUESTION, workspace=workspace, **common)
    else:
        with ScriptedServer(script) as server:
            scientist.ask(QUESTION, workspace=workspace, llm_url=server.url, model="scripted", **common)
    with Ledger.open(workspace) as ledger:
        assert ledger.verify().ok
        return list(ledger.events())


def of(events: list[Event], kind: str) -> list[dict[str, Any]]:
    return [e.payload for e in events if e.kind == kind]


def opened(told: tuple[Path, list[Event]]) -> Session:
    """The session of a finished campaign, to read its artefacts."""
    with Ledger.open(told[0]) as ledger:
        return scientist._session(ledger, told[1][-1].campaign or "", told[0], lambda _: None)


@pytest.fixture(scope="module")
def builtin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    workspace = tmp_path_factory.mktemp("roles") / "builtin"
    return workspace, run(workspace, None)


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    workspace = tmp_path_factory.mktemp("roles") / "llm"
    return workspace, run(workspace)


def test_every_role_speaks_and_no_answer_was_lost(modelled: tuple[Path, list[Event]]) -> None:
    told = of(modelled[1], "mind_decision")
    assert [t["decision"] for t in told if t["fallback"]] == []
    roles = {t["role"] for t in told}
    assert roles == {"planner", "reader", "theorist", "sceptic", "experimentalist", "analyst", "critic"}
    assert {t["decision"] for t in told} >= {"look", "doubt", "revise"}
    order = [t["decision"] for t in told]
    assert order.index("understand") < order.index("read") < order.index("hypothesise") < order.index("doubt")


def test_each_tool_call_is_recorded_with_its_hashes_and_its_result_is_kept(modelled: tuple[Path, list[Event]]) -> None:
    _, events = modelled
    calls = of(events, "tool_called")
    assert {"theorist", "sceptic"} <= {c["role"] for c in calls if c["mind"] == "llm:scripted"}
    prompts = {t["prompt_hash"] for t in of(events, "mind_decision") if t["decision"] == "look"}
    store = opened(modelled).artefacts
    for call in calls:
        assert call["tool"] in TOOLS and len(call["args_hash"]) == 64
        assert isinstance(store.get_json(call["result_hash"]), list)
        assert not call["mind"].startswith("llm") or call["prompt_hash"] in prompts


def test_the_loop_of_calls_is_bounded_and_ends_when_a_call_repeats(tmp_path: Path) -> None:
    def greedy(request: Request) -> Step:
        if asked_for(request) != "look":
            return faithful(request)
        seen = block(request, "observed")
        return say(json.dumps({"tool": "compound", "argument": block(request, "names")[len(seen)]}))

    def stubborn(request: Request) -> Step:
        again = {"tool": "trial", "argument": ""}
        return say(json.dumps(again)) if asked_for(request) == "look" else faithful(request)

    def looks(script: Callable[[Request], Step], name: str) -> list[str]:
        told = of(run(tmp_path / name, script), "mind_decision")
        return [t["turn"] for t in told if (t["decision"], t["role"]) == ("look", "theorist")]

    assert looks(greedy, "greedy") == ["cycle 1, look 1", "cycle 1, look 2"]
    assert looks(stubborn, "stubborn") == ["cycle 1, look 1", "cycle 1, look 2"]


def test_the_debate_ends_in_claims_that_say_what_would_refute_them(
    builtin: tuple[Path, list[Event]], modelled: tuple[Path, list[Event]]
) -> None:
    for _, events in (builtin, modelled):
        claims = [Claim.model_validate(p["claim"]) for p in of(events, "claim_proposed")]
        assert claims and all("cheapest refutation: a reading of it here" in c.refuted_by for c in claims)
    assert [d["round"] for d in of(builtin[1], "debate_held")] == [0]
    assert [d["round"] for d in of(modelled[1], "debate_held")] == [0, 1], "one round of doubt and answer, no more"
    session = opened(modelled)
    doubts = [Doubt.model_validate(d) for d in session.artefacts.get_json(of(modelled[1], "debate_held")[0]["doubts"])]
    argued = [d for d in doubts if d.mind == "llm:scripted"]
    assert len(argued) == 6 < len(doubts), "the model argues against its own proposals; code against all"
    assert all("dying cells" in d.refuted_by and "cheapest refutation" in d.refuted_by for d in argued)


def test_a_withdrawn_proposal_loses_its_wording_and_nothing_else(modelled: tuple[Path, list[Event]]) -> None:
    _, events = modelled
    first, last = of(events, "debate_held")
    store = opened(modelled).artefacts
    before, after = ([Hypothesis.model_validate(h) for h in store.get_json(d["hypotheses"])] for d in (first, last))
    own = [Line.of(h) for h in before if h.origin == "llm:scripted"]
    kept = [Line.of(h) for h in after if h.origin == "llm:scripted"]
    assert len(own) == len(kept) + 1
    assert {Line.of(h) for h in before} == {Line.of(h) for h in after}


def test_citations_stand_in_the_notes_and_hang_on_claims(
    builtin: tuple[Path, list[Event]], modelled: tuple[Path, list[Event]]
) -> None:
    for _, events in (builtin, modelled):
        text = {e.seq: e.payload["text"] for e in events if e.kind == "note"}
        staked = {Claim.model_validate(p["claim"]).id for p in of(events, "claim_proposed")}
        cited = of(events, "note_cited")
        for one in cited:
            assert one["quote"] in text[one["note"]] and one["claim_id"] in staked and "lines" in one["citation"]
    assert of(modelled[1], "note_cited"), "a claim on Simulin-MTOR-3 is staked"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"entry": "999"}, "no passage of that number"),
        ({"quote": "Simulin-MTOR-3 cured everybody who took it"}, "does not stand in it"),
        ({"quote": "growth"}, "does not stand in it"),
        ({"about": "Wunderib"}, "Wunderib"),
    ],
)
def test_an_invented_citation_is_refused(tmp_path: Path, said: dict[str, str], why: str) -> None:
    def invent(request: Request) -> Step:
        if asked_for(request) != "read":
            return faithful(request)
        entry = block(request, "passages")[0].partition("]")[0].strip("[")
        honest = {
            "entry": entry,
            "about": "Simulin-MTOR-3",
            "bearing": "supports",
            "quote": "Simulin-MTOR-3 slowed the",
        }
        return say(json.dumps({"citations": [honest | said]}))

    events = run(tmp_path / "w", invent)
    reading = next(t for t in of(events, "mind_decision") if t["decision"] == "read")
    assert any(why in note for note in reading["refused"])
    assert all(c["by"] == "builtin" for c in of(events, "note_cited"))


def test_remarks_state_facts_that_code_found_or_are_marked_as_guesses(modelled: tuple[Path, list[Event]]) -> None:
    remarks = of(modelled[1], "remark")
    assert {r["role"] for r in remarks} >= {"analyst", "critic"}
    for remark in remarks:
        if remark["mind"] == "builtin":
            assert remark["checked"]
    guesses = [r for r in remarks if r["mind"] != "builtin"]
    assert guesses and not any(r["checked"] for r in guesses if r["kind"] in ("another target", "missing limit"))
    answer = of(modelled[1], "answer")[0]
    assert all("Simulin" not in s or s.startswith(("Corroborated", "Refuted")) for s in answer["summary"])


def test_a_concern_that_the_design_does_not_show_is_refused(modelled: tuple[Path, list[Event]]) -> None:
    told = [t for t in of(modelled[1], "mind_decision") if t["decision"] == "design"]
    assert told and all("few controls: the design does not show it" in t["refused"] for t in told)


def arm(name: str, dose: float, n: int) -> ArmRequest:
    given = (Perturbation(kind="compound", name=name, dose=dose),) if name else ()
    return ArmRequest(arm=Arm(context="A", perturbations=given, time_h=24.0), n=n)


def concerns(*arms: ArmRequest) -> set[str]:
    design = Design(campaign="K", cycle=0, dataset="d", arms=arms, predictions=("P1",), cost=1.0)
    return {kind for kind, check in CONCERNS.items() if check(design)}


def test_concerns_are_found_where_they_are_and_nowhere_else() -> None:
    assert concerns(arm("X", 1, 4), arm("Y", 3, 4), arm("", 0, 8)) == {"one time"}
    assert concerns(arm("X", 1, 1), arm("Y", 3, 4), arm("", 0, 8)) == {"one time", "single replicates", "lopsided"}
    assert concerns(arm("X", 1, 6), arm("Y", 1, 6), arm("", 0, 2)) == {"one time", "one dose", "few controls"}


def test_the_roles_change_no_verdict(tmp_path: Path, builtin: tuple[Path, list[Event]]) -> None:
    run(tmp_path / "again", None, note="Nothing of interest.")
    with Ledger.open(builtin[0]) as one, Ledger.open(tmp_path / "again") as two:
        shared, differ = verdicts(one, two)
    assert (shared > 0, differ) == (True, 0)


def test_tools_answer_from_the_record_and_an_unknown_name_is_an_answer(builtin: tuple[Path, list[Event]]) -> None:
    workspace, events = builtin
    with Ledger.open(workspace) as ledger:
        session: Session = scientist._session(ledger, events[-1].campaign or "", workspace, lambda _: None)
        tools = Toolbox(session)
        assert isinstance(open_crew(session), BuiltinCrew)
        before = ledger.head()[0]
        for name in TOOLS:
            seen = tools.call(name, "Simulin-MTOR-3", role="critic", mind="test", turn="t")
            assert seen.lines and not seen.lines[0].startswith("error"), name
        lost = tools.call("coverage", "Simulin-MTOR-33", role="critic", mind="test", turn="t")
        assert lost.lines[0].startswith("error") and "Simulin-MTOR-3" in lost.lines[0]
        assert {e.kind for e in ledger.events(after=before)} == {"tool_called"}, "a tool writes nothing else"
        spent = sum(len(e.payload["wells"]) for e in ledger.events(kind="wells_revealed"))
        assert sum(tools.fresh.values()) + spent == len(tools._arms)


def test_a_model_a_role() -> None:
    spec = LLMSpec(url="http://x", model="default=small, sceptic=large")
    assert spec.models == {"default": "small", "sceptic": "large"}
    assert LLMSpec(url="http://x", model="one").models == "one"
    for wrong in ("default=a,cook=b", "sceptic=large"):
        with pytest.raises(BadInput, match="role"):
            LLMSpec.of("http://x", wrong, "")
    told = LLMSpec.of("http://x", "m", "brief=true,requests_per_minute=20,stream=1")
    assert (told.brief, told.requests_per_minute, told.stream) == (True, 20, True)
    for bad in ("colour=red", "rounds=99", "url=http://evil"):
        with pytest.raises(BadInput):
            LLMSpec.of("http://x", "m", bad)

"""An answer that came just before a crash is not asked for again; requests keep to a pace; schemas are narrowed."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from cytocrux.agents import scientist
from cytocrux.agents.budget import Budget
from cytocrux.agents.llm.client import Options, open_client
from cytocrux.agents.llm.outbox import Kept, Outbox
from cytocrux.agents.llm.pace import Pace
from cytocrux.agents.llm.scripted import Request, ScriptedServer, Step, say, stream
from cytocrux.agents.minds.narrow import narrowed
from cytocrux.agents.minds.replies import HypothesiseReply
from cytocrux.agents.session import Session
from cytocrux.evals.mind_models import asked_for, faithful
from cytocrux.knowledge.ledger import Ledger

QUESTION = "Propose a panel of mechanistically distinct compounds for SIM-004"
COMMON: dict[str, Any] = {"data": "simulated", "auto_approve": "replay", "budget": Budget(wells=6, cycles=1)}


class Crash(Exception):
    """The process dies here."""


@pytest.mark.parametrize("decision", ["understand", "hypothesise", "doubt", "criticise"])
def test_a_decision_taken_just_before_a_crash_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    asked: list[str] = []

    def listen(request: Request) -> Step:
        asked.append(json.dumps(request, sort_keys=True))
        return faithful(request)

    whole = Session._record_decision

    def dies(self: Session, record: Any) -> None:
        if record.decision == decision:
            raise Crash
        whole(self, record)

    with ScriptedServer(listen) as server:
        common = COMMON | {"llm_url": server.url, "model": "scripted"}
        monkeypatch.setattr(Session, "_record_decision", dies)
        with pytest.raises(Crash):
            scientist.ask(QUESTION, workspace=tmp_path / "crashed", **common)
        assert asked_for(json.loads(asked[-1])) == decision
        monkeypatch.setattr(Session, "_record_decision", whole)
        with Ledger.open(tmp_path / "crashed") as ledger:
            campaign = str(next(iter(ledger.events())).campaign)
        assert scientist.resume(campaign, workspace=tmp_path / "crashed").state == "done"
        assert len(asked) == len(set(asked)), "no request went out twice"
        scientist.ask(QUESTION, workspace=tmp_path / "whole", **common)
    with Ledger.open(tmp_path / "crashed") as one, Ledger.open(tmp_path / "whole") as two:
        told = [[e.payload for e in ledger.events(kind="mind_decision")] for ledger in (one, two)]
        assert told[0] == told[1]
        assert one.content_digest() == two.content_digest()


class Colour(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: str


def test_the_outbox_keeps_what_was_asked_under_its_key_and_books_its_cost(tmp_path: Path) -> None:
    with ScriptedServer([say('{"colour": "red"}', tokens=(9, 3))]) as server:

        def ask(key: str, user: str = "u") -> int:
            client = open_client(server.url, "m", outbox=tmp_path)
            answer = client.ask("default", "s", user, Colour, str, key=key)
            assert (answer.value.colour, answer.tokens_in, client.meter.spent.calls) == ("red", 9, 1)
            return len(server.requests)

        assert [ask("a"), ask("a"), ask("b"), ask("a", "other"), ask(""), ask("")] == [1, 1, 2, 3, 4, 5]
    for path in tmp_path.iterdir():
        path.write_text(path.read_text()[:20])
        assert Outbox(tmp_path).find(path.stem) is None, "a damaged file is no answer"
    Outbox(tmp_path).keep("x", Kept("{}", "m", 1, 2, 3))
    assert Outbox(tmp_path).find("x") == Kept("{}", "m", 1, 2, 3)


def test_the_pace_never_passes_its_limits() -> None:
    now, sent = [0.0], []

    def sleep(_: threading.Event, seconds: float) -> None:
        now[0] += seconds

    pace = Pace(3, 1000, clock=lambda: now[0], pause=sleep)
    for tokens in [100, 100, 100, 100, 900, 50, 5000, 10]:
        pace.wait(tokens, threading.Event())
        sent.append((now[0], tokens))
    for at, _ in sent:
        window = [n for t, n in sent if at <= t < at + 60]
        assert len(window) <= 3
        assert sum(window) <= 1000 or len(window) == 1
    assert now[0] < 400
    stopped = threading.Event()
    stopped.set()
    assert pace.wait(10**9, stopped) == 0.0


def test_a_request_waits_for_its_minute_and_cancelling_ends_the_wait() -> None:
    slow = Options(requests_per_minute=1, attempts=1)
    with ScriptedServer([say('{"colour": "red"}')]) as server:
        client = open_client(server.url, "m", options=slow)
        client.ask("default", "s", "u", Colour, str)
        threading.Timer(0.2, client.cancel).start()
        with pytest.raises(Exception, match="cancelled"):
            client.ask("default", "s", "u", Colour, str)
    assert len(server.requests) == 1


def test_an_answer_that_is_coming_in_is_left_when_the_campaign_is_stopped() -> None:
    pieces = stream(["a"] * 400)
    drip = Step(pieces.body, content_type=pieces.content_type, piece=60, drip_s=0.02)
    with ScriptedServer([drip]) as server:
        client = open_client(server.url, "m", options=Options(stream=True, timeout_s=30, attempts=1))
        threading.Timer(0.3, client.cancel).start()
        with pytest.raises(Exception, match=r"cancelled|cut"):
            client.ask("default", "s", "u", Colour, str)
    assert len(server.requests) == 1


def test_a_schema_offers_only_what_resolves_and_stays_open_where_the_list_is_too_long() -> None:
    choices = {
        "HypothesisReply.perturbations": ["A", "B"],
        "HypothesisReply.dose": ["1", ""],
        "EdgeReply.source": ["A"],
    }
    schema = narrowed(HypothesiseReply, choices, brief=True)
    fields = schema["$defs"]["HypothesisReply"]["properties"]
    assert fields["perturbations"]["items"] == {"type": "string", "enum": ["A", "B"]}
    assert fields["dose"]["enum"] == ["1", ""]
    assert fields["reason"]["maxLength"] == 120 and schema["properties"]["hypotheses"]["maxItems"] == 3
    assert (fields["mechanism"]["maxItems"], fields["perturbations"]["maxItems"]) == (1, 2)
    assert "enum" not in schema["$defs"]["EdgeReply"]["properties"]["target"]
    long = narrowed(HypothesiseReply, {"HypothesisReply.perturbations": [f"G{n}" for n in range(999)]})
    assert "enum" not in long["$defs"]["HypothesisReply"]["properties"]["perturbations"]["items"]
    alone = narrowed(HypothesiseReply, choices, singles=("HypothesisReply.perturbations",))
    assert alone["$defs"]["HypothesisReply"]["properties"]["perturbations"]["maxItems"] == 1
    none = narrowed(HypothesiseReply, {"HypothesiseReply.hypotheses": []})
    assert none["properties"]["hypotheses"]["maxItems"] == 0
    assert "enum" not in str(HypothesiseReply.model_json_schema()["$defs"]["HypothesisReply"]["properties"]["dose"])

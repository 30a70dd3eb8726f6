"""The client against a real HTTP server on loopback that answers, lies, stalls and breaks as scripted."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from cytocrux.agents.llm.budget import Limits, Meter, Price, Spent
from cytocrux.agents.llm.client import LLMClient, Options, open_client
from cytocrux.agents.llm.failure import LLMFailure, UnknownRequest
from cytocrux.agents.llm.scripted import ScriptedServer, Step, no_choices, say, status, stream
from cytocrux.world_model.errors import BadInput, Corrupt

FAST = Options(timeout_s=1.0, attempts=3, wait_s=0.05, max_tokens=64)


class Colour(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: str = Field(max_length=10)


GOOD = '{"colour": "red"}'


def ask(client: LLMClient) -> str:
    return client.ask("default", "You are a test.", "Which colour?", Colour, lambda p: f"Again: {p}").value.colour


def failure_of(
    script: Sequence[Step], options: Options = FAST, limits: Limits | None = None
) -> tuple[LLMFailure, ScriptedServer]:
    with ScriptedServer(script) as server:
        with pytest.raises(LLMFailure) as caught:
            ask(open_client(server.url, "scripted", options=options, limits=limits))
        return caught.value, server


def test_a_valid_answer_with_its_cost_and_the_schema_in_the_request() -> None:
    with ScriptedServer([say(GOOD, tokens=(12, 3))]) as server:
        client = open_client(server.url, {"default": "small", "theorist": "large"})
        answer = client.ask("theorist", "sys", "user", Colour, str)
    assert (answer.value.colour, answer.model) == ("red", "large")
    assert (answer.tokens_in, answer.tokens_out, answer.attempts) == (12, 3, 1)
    sent = server.requests[0]
    assert sent["model"] == "large"
    assert sent["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    assert sent["temperature"] == 0 and sent["max_tokens"] == 4096
    assert client.meter.spent == Spent(calls=1, tokens_in=12, tokens_out=3, usd=0.0)


@pytest.mark.parametrize(
    "faults",
    [[status(429, retry_after=0)], [status(500)], [status(503), status(429)], [Step(cut_at=20, body=b"x" * 99)]],
)
def test_passing_faults_are_retried_and_counted(faults: list[Step]) -> None:
    with ScriptedServer([*faults, say(GOOD)]) as server:
        client = open_client(server.url, "scripted", options=FAST)
        answer = client.ask("default", "s", "u", Colour, str)
    assert answer.value.colour == "red"
    assert answer.attempts == len(faults) + 1 == client.meter.spent.calls


@pytest.mark.parametrize(
    ("script", "kind", "requests"),
    [
        ([status(429)], "rate_limit", 3),
        ([status(429, retry_after=60)], "rate_limit", 1),  # a pause that long is not worth it
        ([status(500)], "server", 3),
        ([status(401)], "refused", 1),
        ([status(404, "no such model")], "refused", 1),
        ([status(400)], "refused", 4),  # once in each dialect
        ([say("{", finish="stop")], "invalid", 2),
        ([say('{"colour": 3}')], "invalid", 2),
        ([say('{"colour": "red", "approve": true}')], "invalid", 2),
        ([say('{"colour": "much too long a colour"}')], "invalid", 2),
        ([say('{"colour": "re', finish="length")], "cut", 2),
        ([say(GOOD, finish="content_filter")], "refused", 1),
        ([say("")], "empty", 1),
        ([no_choices()], "empty", 1),
        ([Step(b'{"choices": 7}')], "empty", 1),
        ([Step(b"<html>", content_type="text/html")], "empty", 1),
        ([Step(b'{"choices": [')], "invalid", 1),
        ([Step(say(GOOD).body, cut_at=40)], "cut", 3),
        ([Step(body=b"a" * 20_000_000)], "cut", 3),
    ],
)  # fmt: skip
def test_lasting_faults_end_in_a_failure_that_says_which(script: list[Step], kind: str, requests: int) -> None:
    failure, server = failure_of(script)
    assert failure.kind == kind
    assert len(server.requests) == requests == failure.attempts


def test_a_stalled_answer_and_a_dripping_one_end_at_the_time_limit() -> None:
    quick = Options(timeout_s=0.3, attempts=1, max_tokens=64)
    for step in (Step(delay_s=60, body=say(GOOD).body), Step(body=say(GOOD).body, piece=1, drip_s=0.2)):
        start = time.monotonic()
        failure, _ = failure_of([step], quick)
        assert failure.kind == "timeout"
        assert time.monotonic() - start < 40, "the whole answer would take a minute"
        assert failure.tokens_out == 64, "what an unfinished call cost is unknown: it is charged in full"


def test_nobody_listens() -> None:
    with ScriptedServer([say(GOOD)]) as server:
        url = server.url
    with pytest.raises(LLMFailure, match="connection"):
        ask(open_client(url, "scripted", options=FAST))


def test_one_repair_round_shows_the_problem_and_not_the_retry_prompt_twice() -> None:
    with ScriptedServer([say('{"color": "red"}'), say(GOOD)]) as server:
        assert ask(open_client(server.url, "scripted", options=FAST)) == "red"
    last = server.requests[1]["messages"]
    assert [m["role"] for m in last] == ["system", "user", "assistant", "user"]
    assert "colour: Field required" in last[-1]["content"]


@pytest.mark.parametrize("text", ["```json\n" + GOOD + "\n```", "<think>Hm {</think>\n" + GOOD, " " + GOOD + "\n"])
def test_fences_and_thoughts_around_the_json_do_no_harm(text: str) -> None:
    with ScriptedServer([say(text)]) as server:
        assert ask(open_client(server.url, "scripted", options=FAST)) == "red"


def test_an_endpoint_without_schemas_is_asked_in_a_plainer_dialect_and_remembered() -> None:
    def script(request: dict[str, object]) -> Step:
        return status(400, "response_format not supported") if "response_format" in request else say(GOOD)

    with ScriptedServer(script) as server:
        client = open_client(server.url, "scripted", options=FAST)
        assert ask(client) == "red"
        assert ask(client) == "red"
    formats = [r.get("response_format", {"type": "none"})["type"] for r in server.requests]
    assert formats == ["json_schema", "json_schema", "json_object", "none", "none"]
    assert "max_completion_tokens" in server.requests[1]


def test_streaming_collects_pieces_and_refuses_a_stream_without_an_end() -> None:
    streaming = FAST.model_copy(update={"stream": True})
    with ScriptedServer([stream(['{"col', 'our": "r', 'ed"}'], tokens=(9, 7))]) as server:
        client = open_client(server.url, "scripted", options=streaming)
        assert ask(client) == "red"
        assert client.meter.spent.tokens_in == 9
    assert server.requests[0]["stream_options"] == {"include_usage": True}
    assert failure_of([stream(['{"col'], finish=None)], streaming)[0].kind == "cut"
    whole = stream([GOOD])
    assert failure_of([Step(whole.body, content_type=whole.content_type, cut_at=50)], streaming)[0].kind == "cut"


def test_an_endless_stream_is_left_at_the_limit() -> None:
    streaming = FAST.model_copy(update={"stream": True})
    failure, server = failure_of([stream(["a"] * 5000)], streaming)
    assert failure.kind == "cut"
    assert len(server.requests) == 2


def test_the_budget_is_checked_before_the_call() -> None:
    failure, server = failure_of([say(GOOD)], limits=Limits(calls=0))
    assert (failure.kind, len(server.requests)) == ("budget", 0)
    failure, server = failure_of([say(GOOD)], limits=Limits(tokens=100))
    assert (failure.kind, len(server.requests)) == ("budget", 0)
    failure, server = failure_of([status(500)], limits=Limits(calls=2))
    assert (failure.kind, len(server.requests)) == ("budget", 2), "retries count"


def test_a_money_limit_holds_and_needs_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CYTOCRUX_LLM_PRICE", raising=False)
    with pytest.raises(BadInput, match="No price is known"):
        open_client("https://models.example/v1", "big", usd=1.0)
    monkeypatch.setenv("CYTOCRUX_LLM_PRICE", "many")
    with pytest.raises(BadInput, match="two numbers"):
        open_client("https://models.example/v1", "big", usd=1.0)
    monkeypatch.delenv("CYTOCRUX_LLM_PRICE")
    price = Price(tokens_in=1000.0, tokens_out=2000.0)  # 0.001 and 0.002 US dollars a token
    with ScriptedServer([say(GOOD, tokens=(50, 25))]) as server:
        client = open_client(server.url, "big", usd=2.0, prices={"big": price}, options=FAST)
        spent = 0
        with pytest.raises(LLMFailure, match="US dollars"):
            for _ in range(99):
                ask(client)
                spent += 1
        assert client.meter.spent.usd == pytest.approx(spent * 0.1)
        assert spent > 0 and client.meter.spent.usd <= 2.0


def test_a_budget_shared_by_threads_is_never_overrun() -> None:
    meter = Meter(Limits(calls=10, tokens=None))
    with ScriptedServer([say(GOOD)]) as server:
        patient = FAST.model_copy(update={"timeout_s": 30.0})  # 25 threads on a busy machine
        client = LLMClient(server.url, "scripted", meter, patient)
        refused = []

        def work() -> None:
            try:
                ask(client)
            except LLMFailure as failure:
                refused.append(failure.kind)

        threads = [threading.Thread(target=work) for _ in range(25)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len(server.requests) == 10 == meter.spent.calls
    assert refused == ["budget"] * 15


def test_what_was_spent_before_a_resume_counts() -> None:
    with ScriptedServer([say(GOOD)]) as server:
        client = open_client(server.url, "scripted", limits=Limits(calls=3), earlier=Spent(calls=3))
        with pytest.raises(LLMFailure, match="calls"):
            ask(client)


def test_cancelling_stops_before_the_next_request() -> None:
    with ScriptedServer([status(500)]) as server:
        client = open_client(server.url, "scripted", options=Options(attempts=20, wait_s=30))
        threading.Timer(0.2, client.cancel).start()
        start = time.monotonic()
        with pytest.raises(LLMFailure):
            ask(client)
        assert time.monotonic() - start < 3
        with pytest.raises(LLMFailure, match="cancelled"):
            ask(client)


def test_a_bad_url_is_bad_input() -> None:
    with pytest.raises(BadInput, match="no model endpoint"):
        open_client("ftp://x", "m")


SCRIPT = [
    status(429, retry_after=0),
    say('{"color": 1}'),
    say(GOOD),
    say('{"colour": "blue"}'),
    Step(say(GOOD).body, cut_at=30),
]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_recording_replays_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streaming: bool) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    options = FAST.model_copy(update={"stream": streaming, "attempts": 2})
    echo = status(403, "the key sk-very-secret-key is not allowed")
    script = [*SCRIPT, SCRIPT[-1], echo]
    if streaming:
        script = [
            status(500),
            stream(['{"colour": ', '"red"}']),
            stream(['{"colour": "blue"}']),
            stream(["{"], None),
            echo,
        ]

    def run(client: LLMClient) -> list[object]:
        seen: list[object] = []
        for _ in range(4):
            try:
                seen.append(client.ask("default", "s", "u", Colour, str))
            except LLMFailure as failure:
                seen.append((failure.kind, failure.why, failure.tokens_in, failure.tokens_out, failure.attempts))
        return [*seen, client.meter.spent]

    with ScriptedServer(script) as server:
        url = server.url
        first = run(open_client(url, "scripted", options=options, record=tmp_path))
        assert server.keys[0] == "Bearer sk-very-secret-key"
    again = run(open_client(url, "scripted", options=options, replay=tmp_path))
    assert again == first
    assert "sk-very-secret-key" not in "".join(p.read_text() for p in tmp_path.iterdir())
    with pytest.raises(UnknownRequest, match="differs from the recorded"):
        open_client(url, "scripted", replay=tmp_path).ask("default", "s", "another question", Colour, str)


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    with ScriptedServer([say(GOOD)]) as server:
        ask(open_client(server.url, "scripted", record=tmp_path))
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text()[:40])
    with pytest.raises(Corrupt, match=f"{path.name} cannot be read"):
        ask(open_client("http://127.0.0.1:1/v1", "scripted", replay=tmp_path))

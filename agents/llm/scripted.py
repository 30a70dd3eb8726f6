"""A scripted OpenAI-compatible server on the loopback address: a model whose every word, and every fault, is known.

    with ScriptedServer([status(429, retry_after=0), say('{"a": 1}')]) as server:
        client = open_client(server.url, "scripted")

For tests and benchmarks. A script is a list of steps, one a request, or a function from request to step.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """What the server does with one request: wait, send ``body`` in pieces, perhaps break off."""

    body: bytes = b""
    code: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delay_s: float = 0.0
    drip_s: float = 0.0  # pause after each piece
    piece: int = 65536
    cut_at: int | None = None  # bytes after which the line breaks


Script = Sequence[Step] | Callable[[Request], Step]


def say(text: str, finish: str = "stop", tokens: tuple[int, int] | None = (100, 50)) -> Step:
    """A regular answer with this content. tokens: reported usage, None = not reported."""
    message = {"role": "assistant", "content": text}
    return Step(_completion([{"index": 0, "message": message, "finish_reason": finish}], tokens))


def stream(pieces: Sequence[str], finish: str | None = "stop", tokens: tuple[int, int] | None = (100, 50)) -> Step:
    """The same as server-sent events, one piece an event; finish None = the stream ends without an end."""
    events: list[dict[str, Any]] = [{"index": 0, "delta": {"content": p}, "finish_reason": None} for p in pieces]
    if finish is not None:
        events.append({"index": 0, "delta": {}, "finish_reason": finish})
    lines = [_completion([e], None, "chat.completion.chunk") for e in events]
    if tokens is not None:
        lines.append(_completion([], tokens, "chat.completion.chunk"))
    body = b"".join(b"data: " + line + b"\n\n" for line in [*lines, b"[DONE]"])
    return Step(body, content_type="text/event-stream")


def status(code: int, message: str = "", retry_after: float | None = None) -> Step:
    """An error answer."""
    body = json.dumps({"error": {"message": message or f"status {code}", "type": "error", "code": None}}).encode()
    return Step(body, code, () if retry_after is None else (("Retry-After", f"{retry_after:g}"),))


def no_choices() -> Step:
    """A regular answer that holds nothing."""
    return Step(_completion([], (100, 0)))


def _completion(choices: list[dict[str, Any]], tokens: tuple[int, int] | None, kind: str = "chat.completion") -> bytes:
    answer: dict[str, Any] = {"id": "scripted", "object": kind, "created": 0, "model": "scripted", "choices": choices}
    if tokens is not None:
        answer["usage"] = {
            "prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)
        }  # fmt: skip
    return json.dumps(answer).encode()


@dataclass
class ScriptedServer:
    """Serves POST /v1/chat/completions until left; ``requests`` keeps every body, ``keys`` every Authorization."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Base URL for a client. Only valid inside the ``with`` block."""
        if self._server is None:
            raise RuntimeError("the scripted server runs inside its with block only")
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ScriptedServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def step(self, request: Request, key: str) -> Step:
        """Logs a request and picks what to do with it; past the end of a list the last step repeats."""
        with self._lock:
            nth = len(self.requests)
            self.requests.append(request)
            self.keys.append(key)
        if callable(self.script):
            return self.script(request)
        return self.script[min(nth, len(self.script) - 1)]


def _handler(owner: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            step = owner.step(json.loads(raw), self.headers.get("Authorization", ""))
            time.sleep(step.delay_s)
            try:
                self._send(step)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client gave up

        def _send(self, step: Step) -> None:
            self.send_response(step.code)
            self.send_header("Content-Type", step.content_type)
            self.send_header("Content-Length", str(len(step.body)))
            for name, value in step.headers:
                self.send_header(name, value)
            self.end_headers()
            end = len(step.body) if step.cut_at is None else step.cut_at
            for at in range(0, end, step.piece):
                self.wfile.write(step.body[at : min(at + step.piece, end)])
                self.wfile.flush()
                time.sleep(step.drip_s)
            if step.cut_at is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler

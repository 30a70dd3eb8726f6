"""Every exchange with a language model kept by the hash of its request; a replay needs no network.

A cassette is a folder with ``recording.json`` (endpoint and model) and one JSON file for each request (method,
path, body; never a header of the request, so no key is ever stored). Asked twice, a request keeps its answers in
order. Broken answers are kept as what they were.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from ...world_model.errors import BadInput, Corrupt
from .failure import UnknownRequest

_KEPT_HEADERS = ("content-type", "content-encoding", "retry-after")
_ERRORS: dict[str, type[httpx2.TransportError]] = {
    e.__name__: e
    for e in (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.ReadError,
        httpx2.ReadTimeout,
        httpx2.RemoteProtocolError,
        httpx2.WriteError,
        httpx2.WriteTimeout,
    )
}


def request_hash(request: httpx2.Request) -> str:
    """sha256 (hex) of method, path and body, the JSON body in canonical form. The host does not count."""
    body = request.read()
    try:
        content = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        content = body.hex()
    return hashlib.sha256(f"{request.method} {request.url.path}\n{content}".encode()).hexdigest()


MANIFEST = "recording.json"


def sign_recording(folder: Path, llm: Mapping[str, object]) -> None:
    """Notes beside a recording which endpoint, model and limits it was made with, so that a replay asks the same."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps(dict(llm), indent=1, sort_keys=True))


def read_manifest(folder: Path) -> dict[str, Any]:
    """What ``sign_recording`` wrote. Raises BadInput where the folder holds no recording."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        cure = "give the folder llm/CAMPAIGN of the workspace that ran it"
        raise BadInput(f"{folder} holds no recording of a language model", cure=cure)
    return found


class RecordTransport(httpx2.BaseTransport):
    """Passes everything on and keeps every exchange. ``secrets``: strings struck out wherever they appear."""

    def __init__(self, inner: httpx2.BaseTransport, folder: Path, secrets: tuple[str, ...] = ()) -> None:
        self._inner, self._folder = inner, folder
        self._secrets = tuple(s for s in secrets if len(s) >= 8)
        self._lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        key = request_hash(request)
        try:
            response = self._inner.handle_request(request)
        except httpx2.TransportError as error:
            self._keep(key, request, {"error": _name(error)})
            raise
        stream = response.stream
        if not isinstance(stream, httpx2.SyncByteStream):
            raise httpx2.ReadError("the answer cannot be read as a stream")
        body, fault = _drain(stream)
        headers = {h: response.headers[h] for h in _KEPT_HEADERS if h in response.headers}
        entry: dict[str, Any] = {"status": response.status_code, "headers": headers, **self._body(body)}
        if fault is not None:
            entry["error"] = _name(fault)
        self._keep(key, request, entry)
        return _response(entry, body, request, fault)

    def close(self) -> None:
        self._inner.close()

    def _body(self, raw: bytes) -> dict[str, str]:
        try:
            return {"text": self._strike(raw.decode())}
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(raw).decode()}

    def _strike(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _keep(self, key: str, request: httpx2.Request, entry: dict[str, Any]) -> None:
        """Appends one answer; the file is replaced as a whole, so a crash leaves the old or the new one."""
        path = self._folder / f"{key}.json"
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            kept = json.loads(path.read_text()) if path.is_file() else _blank(request, self._strike)
            kept["answers"].append(entry)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True))
            os.replace(part, path)


class ReplayTransport(httpx2.BaseTransport):
    """Answers from a cassette alone. A request that is not in it raises UnknownRequest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._served: dict[str, int] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        key = request_hash(request)
        path = self._folder / f"{key}.json"
        with self._lock:
            nth = self._served.get(key, 0)
            self._served[key] = nth + 1
        answers = _answers(path)
        if nth >= len(answers):
            raise UnknownRequest(
                f"The recording holds no answer to request {key[:12]}, asked for the {nth + 1}. time",
                why="this run differs from the recorded one",
                cure="replay with the same question, data, seed and version, or record it anew",
            )
        entry = answers[nth]
        if "status" not in entry:
            raise _ERRORS[entry["error"]](f"recorded: {entry['error']}", request=request)
        raw = entry["text"].encode() if "text" in entry else base64.b64decode(entry["base64"])
        fault = _ERRORS[entry["error"]](f"recorded: {entry['error']}") if "error" in entry else None
        return _response(entry, raw, request, fault)


class _Replayed(httpx2.SyncByteStream):
    def __init__(self, body: bytes, fault: Exception | None) -> None:
        self._body, self._fault = body, fault

    def __iter__(self) -> Iterator[bytes]:
        yield self._body
        if self._fault is not None:
            raise self._fault


def _answers(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        return list(json.loads(path.read_text())["answers"])
    except (ValueError, KeyError, TypeError):
        raise Corrupt(f"The recording {path.name} cannot be read", cure="record the run anew") from None


def _blank(request: httpx2.Request, strike: Any) -> dict[str, Any]:
    try:
        body = json.loads(strike(request.read().decode()))
    except ValueError:
        body = None
    return {"format": 1, "method": request.method, "path": request.url.path, "request": body, "answers": []}


def _drain(stream: httpx2.SyncByteStream) -> tuple[bytes, httpx2.TransportError | None]:
    chunks: list[bytes] = []
    try:
        for chunk in stream:
            chunks.append(chunk)
    except httpx2.TransportError as error:
        return b"".join(chunks), error
    finally:
        stream.close()
    return b"".join(chunks), None


def _response(entry: dict[str, Any], body: bytes, request: httpx2.Request, fault: Exception | None) -> httpx2.Response:
    return httpx2.Response(entry["status"], headers=entry["headers"], stream=_Replayed(body, fault), request=request)


def _name(error: httpx2.TransportError) -> str:
    name = type(error).__name__
    return name if name in _ERRORS else "ReadError"

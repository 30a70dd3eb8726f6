"""Files named by their content: written once, whole or not at all, checked on every read.

store = Artefacts(workspace / "artefacts")
digest = store.put_json({"rows": 3})
store.get_json(digest)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..world_model.errors import Corrupt, DataUnavailable
from .events import canonical


class Artefacts:
    """A folder of ``<first two hex digits>/<sha256>``. Any number of processes may write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes) -> str:
        """Store bytes; returns their sha256 (hex). On disk when this returns."""
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(digest)
        if path.exists() and path.stat().st_size == len(content):
            return digest
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{secrets.token_hex(8)}")
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        _sync_folder(path.parent)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes. Raises DataUnavailable where they are absent, Corrupt where they no longer match their name."""
        try:
            content = self.path(digest).read_bytes()
        except FileNotFoundError:
            why = f"no file of that name in {self.folder}"
            raise DataUnavailable(f"Artefact {digest[:12]} is absent", why=why, cure="Restore it from a copy") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise Corrupt(f"Artefact {digest[:12]} was changed", why="it no longer matches its hash", cure="Restore it")
        return content

    def put_json(self, value: Any) -> str:
        """Store a JSON value as canonical text; equal values have equal digests. Raises BadInput for others."""
        return self.put(canonical(value).encode())

    def get_json(self, digest: str) -> Any:
        return json.loads(self.get(digest))

    def path(self, digest: str) -> Path:
        """Where the artefact lies or would lie. Raises DataUnavailable for a name that is no sha256."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise DataUnavailable(f"{digest[:80]!r} names no artefact", why="64 hex digits expected")
        return self.folder / digest[:2] / digest

    def digests(self) -> Iterator[str]:
        """All that are stored, sorted."""
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            if not path.name.startswith("."):
                yield path.name

    def damaged(self) -> list[str]:
        """Digests whose file no longer matches."""
        found = []
        for digest in self.digests():
            try:
                self.get(digest)
            except (Corrupt, DataUnavailable):
                found.append(digest)
        return found


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

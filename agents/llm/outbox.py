"""Valid answers of a language model, on disk before anything acts on them.

A campaign that is killed between an answer and the ledger's entry about it finds the answer here when it is resumed:
nothing is asked, or paid for, twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kept:
    """An answer's JSON text and what it cost, all tries together."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    attempts: int


class Outbox:
    """One file an answer, under the hash of the decision's key and the whole request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> Kept | None:
        """The answer kept under ``name``; None where there is none, or where its file was damaged by the crash."""
        try:
            return Kept(**json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, name: str, answer: Kept) -> None:
        """On disk when this returns, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{secrets.token_hex(8)}"
        with draft.open("x", encoding="utf-8") as file:
            json.dump(asdict(answer), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self._folder / f"{name}.json")


def name_of(key: str, *parts: object) -> str:
    """sha256 (hex) of a decision's key and its request; "" without a key: such an answer is not kept."""
    return hashlib.sha256(json.dumps([key, *parts], sort_keys=True).encode()).hexdigest() if key else ""

"""The seal of a SQLite ledger: a signed note beside the file of what its bytes and its head were at rest.

The chain protects the entries; the seal protects every other byte of the file too (free space, indexes, header),
and tells when the last entries were cut off. It is written on close and grows stale with the next append.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..world_model.errors import Corrupt
from ..world_model.vocabulary import Frozen
from .signing import Keyring, check

CURE = "Restore it from a backup, or delete it to do without"


class Seal(Frozen):
    """Entry ``seq`` with ``hash`` was the last; ``blocks``: see blocks.py. signer, signature: see signing.py."""

    seq: int
    hash: str
    size: int
    blocks: tuple[str, ...]
    at: str
    signer: str = ""
    signature: str = ""

    def message(self) -> str:
        return self.model_dump_json(exclude={"signature"})


def seal_path(database: Path) -> Path:
    return database.with_suffix(".seal")


def write_seal(database: Path, keys: Keyring) -> Seal | None:
    """Seal the file as it lies; None while others hold pages of it in their log."""
    found = _child(database, "--head")
    if not found:
        return None
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    seal = Seal(**found, at=at, signer=keys.own()[0])
    seal = seal.model_copy(update={"signature": keys.sign(seal.message())[1]})
    draft = database.with_name(f".{secrets.token_hex(8)}.seal")
    draft.write_text(seal.model_dump_json(), encoding="utf-8")
    os.replace(draft, seal_path(database))
    return seal


def read_seal(database: Path, keys: dict[str, bytes]) -> Seal | None:
    """The seal, or None where there is none. Raises Corrupt where it does not match its signature."""
    try:
        seal = Seal.model_validate_json(seal_path(database).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError):
        raise Corrupt(
            f"{seal_path(database).name} cannot be read", cure="Restore it, or delete it to do without"
        ) from None
    wrong = check(keys, seal.signer, seal.message(), seal.signature) if keys else ""
    if wrong:
        raise Corrupt(f"{seal_path(database).name} {wrong}", cure="Restore it, or delete it to do without")
    return seal


def changed_bytes(database: Path, seal: Seal) -> str:
    """'' where the file is byte for byte as sealed, else where it differs."""
    now = _child(database)
    if now["size"] != seal.size:
        return f"{now['size']} bytes long, {seal.size} when sealed"
    odd = [i for i, (a, b) in enumerate(zip(now["blocks"], seal.blocks, strict=True)) if a != b]
    return f"changed between bytes {odd[0] << 16} and {min((odd[0] + 1) << 16, seal.size)}" if odd else ""


def _child(database: Path, *options: str) -> dict[str, Any]:
    script = Path(__file__).with_name("blocks.py")
    command = [sys.executable, "-I", "-S", str(script), str(database), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - own script, no shell
    if done.returncode:
        said = done.stderr.strip().split("\n")[-1]
        raise Corrupt(f"{database} cannot be read", why=said, cure="Restore it from a backup or an export")
    found: dict[str, Any] = json.loads(done.stdout)
    return found

"""Signatures over the ledger's state, so that a rewritten chain cannot pass for the old one.

HMAC-SHA256 with the keys under ``<workspace>/keys`` (32 random bytes in hex, mode 0600, the newest file signs).
Whoever holds a key can sign; keep it from those who may only write to the database.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from ..world_model.errors import Corrupt

KEY_BYTES = 32


class Keyring:
    """The keys of one workspace, by signer id."""

    def __init__(self, workspace: Path) -> None:
        self._folder = workspace / "keys"

    def keys(self) -> dict[str, bytes]:
        """Signer id -> key, oldest first. Raises Corrupt for a file that holds no key."""
        found = sorted(self._folder.glob("*.key"), key=lambda p: (p.stat().st_mtime_ns, p.name))
        return {signer_id(key): key for key in map(_read, found)}

    def own(self) -> tuple[str, bytes]:
        """The key that signs; made on first use."""
        if not any(self._folder.glob("*.key")):
            self._create()
        return list(self.keys().items())[-1]

    def _create(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{secrets.token_hex(8)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_bytes(KEY_BYTES).hex().encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, self._folder / "ledger.key")  # atomic, and fails where another process was faster
        except FileExistsError:
            pass
        finally:
            draft.unlink()

    def sign(self, message: str) -> tuple[str, str]:
        """(signer id, signature in hex)."""
        signer, key = self.own()
        return signer, mac(key, message)


def mac(key: bytes, message: str) -> str:
    """HMAC-SHA256, hex."""
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()


def signer_id(key: bytes) -> str:
    """A key's public name: sha256 over a prefix and the key, first 16 hex digits."""
    return hashlib.sha256(b"cytocrux ledger key" + key).hexdigest()[:16]


def check(keys: dict[str, bytes], signer: str, message: str, signature: str) -> str:
    """'' where the signature holds, else what is wrong with it."""
    if signer not in keys:
        return f"is signed by {signer}, whose key is not in this workspace's keys/"
    return "" if hmac.compare_digest(mac(keys[signer], message), signature) else "does not match its signature"


def _read(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Corrupt(f"{path.name} holds no key", why=f"{KEY_BYTES} bytes in hex expected", cure="Restore the file")
    return key

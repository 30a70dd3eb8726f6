"""Chroma clients without surprises: no telemetry, no model download, one process a folder."""

from __future__ import annotations

import fcntl
import secrets
import shutil
import time
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from ..world_model.errors import BadInput, DataUnavailable
from .embedder import HashingEmbedder

LOCK_S = 30.0  # how long to wait for another process


def _settings() -> Any:
    from chromadb.config import Settings
    from chromadb.utils.embedding_functions import register_embedding_function

    register_embedding_function(HashingEmbedder)  # type: ignore[no-untyped-call]
    return Settings(anonymized_telemetry=False)


def local(folder: Path) -> Any:
    """A client on files; where Chroma cannot read them, on new ones (the ledger has all that was in them)."""
    stores = [path for path in folder.iterdir() if path.is_dir()]
    if len(stores) != 1:
        return renewed(folder)
    try:
        return _persistent(stores[0])
    except Exception:  # whatever broke it
        return renewed(folder)


def renewed(folder: Path) -> Any:
    """A client on empty files, under a new name: Chroma remembers a path that failed."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    return _persistent(folder / secrets.token_hex(4))


def _persistent(folder: Path) -> Any:
    import chromadb

    return chromadb.PersistentClient(str(folder), _settings())


def close(client: Any, *, remote: bool) -> None:
    """Close a client; one of a server leaves its connections open when it is closed, so they come first."""
    if remote:
        for one in (client, client._admin_client):
            one._server._session.close()
    client.close()


def server(url: str) -> Any:
    """A client of a Chroma server. Raises BadInput for no address, DataUnavailable where nobody answers."""
    import chromadb

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"CHROMA_URL {url!r} is not an address", cure="Use http://host:port")
    secure = parts.scheme == "https"
    try:
        return chromadb.HttpClient(
            parts.hostname, parts.port or (443 if secure else 8000), secure, settings=_settings()
        )
    except (ValueError, OSError) as error:
        why = str(error).split("\n")[0]
        raise DataUnavailable(f"No Chroma server at {url}", why=why, cure="Start it, or unset CHROMA_URL") from None


def locked(folder: Path) -> IO[str]:
    """Hold the folder alone: Chroma's files do not bear two processes."""
    lock = (folder / ".lock").open("w")
    end = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > end:
                lock.close()
                why = f"another process has held it for over {LOCK_S:g} s"
                raise DataUnavailable(
                    "The index is in use", why=why, cure="Wait, or run a server: CHROMA_URL"
                ) from None
            time.sleep(0.05)

"""Hashes of a SQLite file, block by block. Standard library only: it runs as a process of its own.

A process that opens and closes a database file loses its SQLite locks on it (POSIX locks belong to the process),
so the ledger's own process must never read the raw file.

    python blocks.py FILE          -> {"size", "blocks"}
    python blocks.py FILE --head   -> the same with {"seq", "hash"} of the last entry, taken under the write lock;
                                      {} while the write-ahead log still holds pages
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys

BLOCK = 1 << 16


def blocks(path: str) -> dict[str, object]:
    """Size in bytes, and the first 16 hex digits of sha256 of each block of 64 KiB."""
    out: list[str] = []
    size = 0
    with open(path, "rb") as file:
        while data := file.read(BLOCK):
            size += len(data)
            out.append(hashlib.sha256(data).hexdigest()[:16])
    return {"size": size, "blocks": out}


def sealed(path: str) -> dict[str, object]:
    """Blocks and head of a file at rest."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    connection.execute("BEGIN IMMEDIATE")
    if os.path.getsize(path + "-wal"):
        return {}
    row = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return {"seq": row[0], "hash": row[1], **blocks(path)} if row else {}


if __name__ == "__main__":
    json.dump(sealed(sys.argv[1]) if "--head" in sys.argv else blocks(sys.argv[1]), sys.stdout)

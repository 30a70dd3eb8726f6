"""Reads the whole ledger again and finds any edit. O(n) time, memory flat."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from ..world_model.errors import CytocruxError
from .events import GENESIS, chain_hash
from .storage import events, open_engine, translated

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Verification:
    """ok, or the first bad entry (None where no single entry can be blamed) and what is wrong with it."""

    ok: bool
    n: int  # entries read
    first_bad: int | None = None
    reason: str = ""


class Damage(Exception):
    """Something does not match; ``seq`` names the entry where it can."""

    def __init__(self, seq: int | None, reason: str) -> None:
        super().__init__(reason)
        self.seq, self.reason = seq, reason


def verify(url: URL, workspace: Path) -> Verification:
    """Check the ledger at ``url`` through fresh connections (no cached page hides what is on disk)."""
    engine = open_engine(url, read_only=True)
    reader = _Reader(engine)
    try:
        reader.run()
    except Damage as damage:
        return Verification(False, reader.n, damage.seq, damage.reason)
    except CytocruxError as error:
        return Verification(False, reader.n, None, str(error))
    except (DBAPIError, sqlite3.Error, UnicodeDecodeError) as error:
        return Verification(False, reader.n, None, str(translated(error, url.render_as_string(hide_password=True))))
    finally:
        engine.dispose()
    return Verification(True, reader.n)


class _Reader:
    """One pass: the chain, the facts each entry established, then the database's own structures."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.n, self.prev = engine, 0, GENESIS

    def run(self) -> None:
        with self.engine.connect() as connection:
            while rows := self._page(connection):
                for row in rows:
                    self._entry(row)
            if self.engine.dialect.name == "sqlite":
                _integrity(connection)

    def _page(self, connection: Connection) -> list[Row[Any]]:
        query = select(events).where(events.c.seq > self.n).order_by(events.c.seq)
        try:
            return list(connection.execute(query.limit(PAGE)))
        except (DBAPIError, sqlite3.Error, UnicodeDecodeError):
            pass
        try:  # the page holds a bad row: read up to it
            return list(connection.execute(query.limit(1)))
        except (DBAPIError, sqlite3.Error, UnicodeDecodeError) as error:
            raise Damage(self.n + 1, f"entry {self.n + 1} cannot be read: {_said(error)}") from None

    def _entry(self, row: Row[Any]) -> None:
        expected = self.n + 1
        if row.seq != expected:
            raise Damage(expected, f"entry {expected} is missing (the next one found is {row.seq})")
        texts = (row.kind, row.payload, row.at, row.prev_hash, row.hash)
        if not all(isinstance(t, str) for t in texts):
            raise Damage(row.seq, f"entry {row.seq} holds something that is not text")
        if row.prev_hash != self.prev:
            raise Damage(row.seq, f"entry {row.seq} does not follow the hash of entry {row.seq - 1}")
        if chain_hash(row.prev_hash, row.seq, row.kind, row.campaign, row.key, row.payload, row.at) != row.hash:
            raise Damage(row.seq, f"entry {row.seq} ({row.kind}) does not match its hash: it was changed")
        self.n, self.prev = row.seq, row.hash


def _said(error: Exception) -> str:
    return str(error.orig if isinstance(error, DBAPIError) and error.orig else error).split("\n")[0]


def _integrity(connection: Connection) -> None:
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    if found == ["ok"]:
        return
    named = re.search(r"row (\d+) ", found[0])
    raise Damage(int(named[1]) if named else None, f"the database file is damaged: {found[0]}")

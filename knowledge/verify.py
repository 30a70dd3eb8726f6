"""Reads the whole ledger again and finds any edit. O(n) time, memory flat.

Checked: every entry against its hash and the hash before it; the rules, by admitting each entry anew; the index of
facts, row by row against the entries that established them; the signed checkpoints; the database's own schema,
guards and pages; and, where the file was sealed at rest, every byte of it. Stated evidence is worked out again; where
it differs a note says so (status.py counts only what was worked out).
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from ..world_model.errors import CytocruxError
from .events import GENESIS, Draft, chain_hash, parse
from .rules import Fact, admit, mentions
from .seal import Seal, changed_bytes, read_seal
from .signing import Keyring, check
from .stated import StatedEvidence
from .storage import checkpoints, database_url, events, facts, known_facts, open_engine, schema_faults, translated

PAGE = 1000
CHECKPOINT_EVERY = 1000  # entries
UNREADABLE = (DBAPIError, sqlite3.Error, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Verification:
    """ok, or the first bad entry (None where no single entry can be blamed) and what is wrong."""

    ok: bool
    n: int  # entries found good
    first_bad: int | None = None
    reason: str = ""
    checkpoints: int = 0  # signed checkpoints that hold
    sealed: bool = False  # every byte of the file compared with its seal
    notes: tuple[str, ...] = ()


class Damage(Exception):
    """Something does not match; ``seq`` names the entry where one can be blamed."""

    def __init__(self, seq: int | None, reason: str) -> None:
        super().__init__(reason)
        self.seq, self.reason = seq, reason


def checkpoint_message(seq: int, hash_: str, at: str, signer: str) -> str:
    """What a checkpoint signs."""
    return f"cytocrux checkpoint {seq} {hash_} {at} {signer}"


def verify_workspace(workspace: Path, url: str | None = None) -> Verification:
    """``Ledger.verify`` for a ledger that may be too damaged to open."""
    return verify(database_url(workspace, url), workspace)


def verify(url: URL, workspace: Path) -> Verification:
    """Check the ledger at ``url`` through fresh connections (no cached page hides what is on disk)."""
    engine = open_engine(url, read_only=True)
    file = Path(str(url.database)) if engine.dialect.name == "sqlite" else None
    reader = _Reader(engine, workspace, file)
    bad: Damage | None = None
    try:
        reader.run()
    except Damage as damage:
        bad = damage
    except CytocruxError as error:
        bad = Damage(None, str(error))
    except UNREADABLE as error:
        bad = Damage(None, str(translated(error, url.render_as_string(hide_password=True))))
    finally:
        engine.dispose()
    if bad:
        return Verification(False, reader.n, bad.seq, bad.reason, notes=tuple(dict.fromkeys(reader.notes)))
    return Verification(True, reader.n, None, "", reader.signed, reader.sealed, tuple(dict.fromkeys(reader.notes)))


class _Reader:
    """One pass over the entries, page by page, with the facts and checkpoints that belong to them."""

    def __init__(self, engine: Engine, workspace: Path, file: Path | None) -> None:
        self.engine, self.file = engine, file
        self.n, self.prev, self.signed, self.sealed = 0, GENESIS, 0, False
        self.notes: list[str] = []
        self.keys = Keyring(workspace).keys()
        self.stated = StatedEvidence()

    def run(self) -> None:
        seal, changed = self._seal()
        with self.engine.connect() as connection:
            while rows := self._page(connection):
                self._facts_of(connection, [self._entry(row, seal) for row in rows])
                self._checkpoints(connection, rows[0].seq, rows[-1].seq)
            self._beyond(connection)
            for fault in schema_faults(connection):
                raise Damage(None, fault)
            if self.file:
                _integrity(connection)
        self._compare(seal, changed)

    def _page(self, connection: Connection) -> Sequence[Row[Any]]:
        query = select(events).where(events.c.seq > self.n).order_by(events.c.seq)
        try:
            return connection.execute(query.limit(PAGE)).all()
        except UNREADABLE:
            pass
        try:  # the page holds a bad row: read up to it
            return connection.execute(query.limit(1)).all()
        except UNREADABLE as error:
            seq = None if "not a database" in _said(error) else self.n + 1
            raise Damage(seq, f"entry {self.n + 1} cannot be read: {_said(error)}") from None

    def _entry(self, row: Row[Any], seal: Seal | None) -> Row[Any]:
        expected = self.n + 1
        if row.seq != expected:
            raise Damage(expected, f"entry {expected} is missing (the next one found is {row.seq!r})")
        texts = (row.kind, row.payload, row.at, row.prev_hash, row.hash, row.campaign or "", row.key or "")
        if not all(isinstance(t, str) for t in texts):
            raise Damage(row.seq, f"entry {row.seq} holds something that is not text")
        if row.prev_hash != self.prev:
            raise Damage(row.seq, f"entry {row.seq} does not follow the hash of entry {row.seq - 1}")
        if chain_hash(row.prev_hash, row.seq, row.kind, row.campaign, row.key, row.payload, row.at) != row.hash:
            raise Damage(row.seq, f"entry {row.seq} ({row.kind}) does not match its hash: it was changed")
        if seal and row.seq == seal.seq and row.hash != seal.hash:
            raise Damage(
                row.seq, f"entry {row.seq} is not the one that was sealed on {seal.at}: the chain was rewritten"
            )
        self.n, self.prev = row.seq, row.hash
        return row

    def _facts_of(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        try:
            self._facts(connection, rows)
        except UNREADABLE:
            for row in rows:
                try:
                    self._facts(connection, [row])
                except UNREADABLE as error:
                    text = f"the index of facts cannot be read at entry {row.seq}: {_said(error)}"
                    raise Damage(row.seq, text) from None
            raise

    def _facts(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Admit each entry again and compare what it establishes with the index of facts."""
        drafts = [(row.seq, Draft(row.kind, parse(row.payload), row.campaign, row.key)) for row in rows]
        found: dict[int, dict[str, str]] = defaultdict(dict)
        query = select(facts).where(facts.c.seq.between(rows[0].seq, rows[-1].seq))
        for fact in connection.execute(query):
            found[fact.seq][fact.name] = fact.value
        try:
            names = {seq: mentions(draft) for seq, draft in drafts}
            known = known_facts(connection, sorted({n for group in names.values() for n in group}))
            for seq, draft in drafts:
                earlier = {n: known[n] for n in names[seq] if n in known and known[n].seq < seq}
                self._admitted(seq, draft, earlier, found.get(seq, {}))
        except (KeyError, TypeError, AttributeError) as error:
            raise Damage(None, f"the index of facts cannot be read: {error!r}") from None
        self.notes += [said for seq, draft in drafts if (said := self.stated.check(connection, seq, draft))]

    def _admitted(self, seq: int, draft: Draft, earlier: dict[str, Fact], found: dict[str, str]) -> None:
        try:
            established = admit(draft, earlier)
        except CytocruxError as error:
            raise Damage(seq, f"entry {seq} breaks a rule: {error}") from None
        if {name: value for name, value in established.items() if name not in earlier} != found:
            raise Damage(seq, f"the index of facts does not match entry {seq} ({draft.kind}): it was changed")

    def _checkpoints(self, connection: Connection, first: int, last: int) -> None:
        rows = connection.execute(select(checkpoints).where(checkpoints.c.seq.between(first, last))).all()
        hashes = dict(
            connection.execute(select(events.c.seq, events.c.hash).where(events.c.seq.in_([r.seq for r in rows]))).all()
        )
        missing = {s for s in range(first, last + 1) if s % CHECKPOINT_EVERY == 0} - hashes.keys()
        if missing:
            raise Damage(min(missing), f"the signed checkpoint at entry {min(missing)} is missing")
        for row in rows:
            if hashes.get(row.seq) != row.hash:
                raise Damage(
                    row.seq, f"entry {row.seq} is not the one in its signed checkpoint: the chain was rewritten"
                )
            message = checkpoint_message(row.seq, row.hash, row.at, row.signer)
            wrong = check(self.keys, row.signer, message, row.signature) if self.keys else ""
            if wrong:
                raise Damage(row.seq, f"the checkpoint at entry {row.seq} {wrong}")
            self.signed += bool(self.keys)
        if rows and not self.keys:
            self.notes.append("no key in keys/: signatures were not checked")

    def _beyond(self, connection: Connection) -> None:
        """Nothing may point past the last entry."""
        for table, what in ((facts, "a fact"), (checkpoints, "a signed checkpoint")):
            query = select(func.min(table.c.seq)).where((table.c.seq > self.n) | (table.c.seq < 1))
            odd = connection.execute(query).scalar()
            if odd is not None:
                raise Damage(odd, f"{what} names entry {odd}, which does not exist: entries were removed")

    def _seal(self) -> tuple[Seal | None, str]:
        """The seal, and where the file differs from it. Looks before SQLite touches the file."""
        if self.file is None or not self.file.exists():
            return None, ""
        seal = read_seal(self.file, self.keys)
        return (seal, changed_bytes(self.file, seal)) if seal else (None, "")

    def _compare(self, seal: Seal | None, changed: str) -> None:
        if seal is None:
            if self.file:
                self.notes.append("the file is not sealed: bytes that belong to no entry were not checked")
        elif self.n < seal.seq:
            raise Damage(self.n + 1, f"entries {self.n + 1} to {seal.seq} are missing; they were there on {seal.at}")
        elif self.n > seal.seq:
            self.notes.append(f"the seal is of entry {seal.seq}: bytes that belong to no entry were not checked")
        elif changed:
            raise Damage(None, f"the file is {changed}, though every entry reads as it was written")
        else:
            self.sealed = True


def _said(error: Exception) -> str:
    return str(error.orig if isinstance(error, DBAPIError) and error.orig else error).split("\n")[0]


def _integrity(connection: Connection) -> None:
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    if found == ["ok"]:
        return
    said = found[0].removeprefix("*** in database main ***\n").split("\n")[0]
    named = re.search(r"row (\d+) ", said)
    raise Damage(int(named[1]) if named else None, f"the database file is damaged: {said}")

"""The append-only, hash-chained ledger: the only truth. Status, beliefs and indexes are read off it.

with Ledger.open(Path("workspace")) as ledger:
    ledger.append("claim_proposed", {"claim": claim.model_dump(mode="json")}, campaign="demo")
    ledger.verify().ok
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, Row, insert, select

from ..world_model.errors import Corrupt, NotAllowed
from .events import GENESIS, Draft, Event, Payload, canonical, chain_hash, check_shape, content_line
from .rules import Fact, admit, mentions
from .seal import write_seal
from .signing import Keyring
from .storage import checkpoints, clear_errors, database_url, events, facts, known_facts, open_engine, prepare, writing
from .verify import CHECKPOINT_EVERY, Verification, checkpoint_message, verify

PAGE = 1000  # rows read at a time


class Ledger:
    """Open with ``Ledger.open``. Several processes and threads may append; each append is durable on return."""

    def __init__(self, engine: Engine, workspace: Path, where: str) -> None:
        self.workspace, self.where = workspace, where
        self._engine, self._keys = engine, Keyring(workspace)
        self._unsealed = False  # has this object written since the file was sealed?

    @classmethod
    def open(cls, workspace: Path, url: str | None = None) -> Self:
        """The ledger of a workspace, created where absent. ``url`` (or DATABASE_URL) moves it to PostgreSQL.

        Raises BadInput for an address that is none, DataUnavailable where the database cannot be reached,
        Corrupt where it cannot be read at all (``verify.verify_workspace`` says what is wrong).
        """
        address = database_url(workspace, url or os.environ.get("DATABASE_URL"))
        workspace.mkdir(parents=True, exist_ok=True)
        where = address.render_as_string(hide_password=True)
        engine = open_engine(address)
        changed = prepare(engine, where)
        ledger = cls(engine, workspace, where)
        ledger._unsealed = changed
        return ledger

    def append(self, kind: str, payload: Payload, *, campaign: str | None = None, key: str | None = None) -> Event:
        """Store one event and return it; on disk when this returns.

        ``key`` makes it idempotent: the same key with the same content returns the stored event.
        Raises BadInput for a malformed event, NotAllowed where a rule forbids it (nothing is stored).
        """
        return self.append_many([Draft(kind, payload, campaign, key)])[0]

    def append_many(self, drafts: Iterable[Draft]) -> list[Event]:
        """Store events in one transaction: all of them or, on any error, none."""
        batch = list(drafts)
        for draft in batch:
            check_shape(draft)
        texts = [canonical(d.payload) for d in batch]
        names = [mentions(d) for d in batch]
        with clear_errors(self.where), writing(self._engine) as connection:
            self._unsealed = True
            return _store(connection, self._keys, batch, texts, names)

    def _append_as_was(self, entries: Sequence[Event]) -> None:
        """Append entries of an export with their own times. Raises Corrupt unless each gets its own hash again."""
        drafts = [Draft(e.kind, e.payload, e.campaign, e.key) for e in entries]
        for draft in drafts:
            check_shape(draft)
        texts, names = [canonical(d.payload) for d in drafts], [mentions(d) for d in drafts]
        with clear_errors(self.where), writing(self._engine) as connection:
            self._unsealed = True
            stored = _store(connection, self._keys, drafts, texts, names, [e.at for e in entries])
            for event, entry in zip(stored, entries, strict=True):
                if event.hash != entry.hash:
                    raise Corrupt(f"Entry {entry.seq} does not give its hash again", cure="Ask for a new export")

    def events(
        self, kind: str | Collection[str] | None = None, campaign: str | None = None, after: int = 0
    ) -> Iterator[Event]:
        """Events in order, streamed; of one kind or several; ``after`` is the last seq already seen."""
        query = select(events).order_by(events.c.seq).limit(PAGE)
        if kind is not None:
            query = query.where(events.c.kind.in_([kind] if isinstance(kind, str) else kind))
        if campaign is not None:
            query = query.where(events.c.campaign == campaign)
        while True:
            with clear_errors(self.where), self._engine.connect() as connection:
                rows = connection.execute(query.where(events.c.seq > after)).all()
            yield from (_event(row) for row in rows)
            if len(rows) < PAGE:
                return
            after = rows[-1].seq

    def get(self, key: str) -> Event | None:
        """The event stored under an idempotency key."""
        with clear_errors(self.where), self._engine.connect() as connection:
            row = connection.execute(select(events).where(events.c.key == key)).first()
        return _event(row) if row else None

    def head(self) -> tuple[int, str]:
        """Number of the last entry and its hash (0 and zeros when empty)."""
        with clear_errors(self.where), self._engine.connect() as connection:
            return _head(connection)

    def used_wells(self, claim_id: str) -> set[str]:
        """Wells that have spoken for or against this claim in any campaign; none of them may do so again."""
        return self._names(f"used:{claim_id}:")

    def revealed_wells(self, campaign: str | None) -> set[str]:
        """Wells that this campaign has seen."""
        return self._names(f"well:{campaign or '-'}:")

    def _names(self, prefix: str) -> set[str]:
        last = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        query = select(facts.c.name).where(facts.c.name >= prefix, facts.c.name < last)
        with clear_errors(self.where), self._engine.connect() as connection:
            return {name[len(prefix) :] for name in connection.execute(query).scalars()}

    def content_digest(self, campaign: str | None = None) -> str:
        """sha256 (hex) over (kind, campaign, key, payload) in order, without time and chain: compares two runs."""
        digest = hashlib.sha256()
        for e in self.events(campaign=campaign):
            digest.update(content_line(e.kind, e.campaign, e.key, canonical(e.payload)))
        return digest.hexdigest()

    def verify(self) -> Verification:
        """Read everything again and check it; never raises for damage, says where it is. O(n) time, flat memory."""
        return verify(self._engine.url, self.workspace)

    def close(self) -> None:
        """Hand all connections back and seal the file. The ledger stays valid without it."""
        self._engine.dispose()
        if self._unsealed and self._engine.dialect.name == "sqlite":
            self._unsealed = write_seal(Path(str(self._engine.url.database)), self._keys) is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _event(row: Row[Any]) -> Event:
    payload = json.loads(row.payload)
    return Event(row.seq, row.kind, row.campaign, row.key, payload, row.at, row.prev_hash, row.hash)


def _head(connection: Connection) -> tuple[int, str]:
    row = connection.execute(select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)).first()
    return (row.seq, row.hash) if row else (0, GENESIS)


def _stored(connection: Connection, keys: Sequence[str]) -> dict[str, Row[Any]]:
    found: dict[str, Row[Any]] = {}
    for i in range(0, len(keys), PAGE):
        query = select(events).where(events.c.key.in_(keys[i : i + PAGE]))
        found |= {row.key: row for row in connection.execute(query)}
    return found


def _store(
    connection: Connection,
    keys: Keyring,
    batch: list[Draft],
    texts: list[str],
    names: list[list[str]],
    times: list[str] | None = None,
) -> list[Event]:
    """Append within the write lock: idempotency, rules, chain, checkpoints. times: UTC, ISO; default now."""
    seq, prev = _head(connection)
    keyed = {row.key: _event(row) for row in _stored(connection, [d.key for d in batch if d.key]).values()}
    known = known_facts(connection, sorted({n for group in names for n in group}))
    out: list[Event] = []
    rows: list[dict[str, object]] = []
    new_facts: list[dict[str, object]] = []
    for i, (draft, payload) in enumerate(zip(batch, texts, strict=True)):
        if draft.key in keyed:
            out.append(_same(keyed[draft.key], draft, payload))
            continue
        established = {name: value for name, value in admit(draft, known).items() if name not in known}
        seq += 1
        at = times[i] if times else datetime.now(UTC).isoformat(timespec="microseconds")
        new = chain_hash(prev, seq, draft.kind, draft.campaign, draft.key, payload, at)
        event = Event(seq, draft.kind, draft.campaign, draft.key, json.loads(payload), at, prev, new)
        rows.append(
            {**{name: getattr(event, name) for name in events.c.keys() if name != "payload"}, "payload": payload}
        )
        new_facts += [{"name": name, "seq": seq, "value": value} for name, value in established.items()]
        known |= {name: Fact(seq, value) for name, value in established.items()}
        if draft.key:
            keyed[draft.key] = event
        out.append(event)
        prev = new
    if rows:
        connection.execute(insert(events), rows)
    if new_facts:
        connection.execute(insert(facts), new_facts)
    due = [_checkpoint(keys, row) for row in rows if int(str(row["seq"])) % CHECKPOINT_EVERY == 0]
    if due:
        connection.execute(insert(checkpoints), due)
    return out


def _checkpoint(keys: Keyring, row: dict[str, object]) -> dict[str, object]:
    """The signed statement that this entry is in the chain."""
    seq, hash_, at, signer = int(str(row["seq"])), str(row["hash"]), str(row["at"]), keys.own()[0]
    signature = keys.sign(checkpoint_message(seq, hash_, at, signer))[1]
    return {"seq": seq, "hash": hash_, "at": at, "signer": signer, "signature": signature}


def _same(stored: Event, draft: Draft, payload: str) -> Event:
    if (stored.kind, stored.campaign, canonical(stored.payload)) != (draft.kind, draft.campaign, payload):
        raise NotAllowed(
            f"Key {draft.key!r} is taken",
            why=f"entry {stored.seq} ({stored.kind}) holds other content under it",
            cure="Use a new key; stored entries never change",
        )
    return stored

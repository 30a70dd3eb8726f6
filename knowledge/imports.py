"""A colleague's ledger, from an export: every entry checked again, kept apart from one's own.

    copy = import_export(ledger, Path("their-crate"), by="A. Person")
    with open_import(copy) as theirs: ...

Their evidence never mixes with ours: the same wells may lie behind both. Their claims may be taken up as our own,
without evidence. The same way restores one's own ledger from an export (``restore``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..world_model.errors import BadInput, Corrupt, CytocruxError, NotAllowed
from .claims import Claim
from .events import GENESIS, Draft, Event, canonical, chain_hash
from .exports import CHAIN_FILE
from .ledger import Ledger
from .storage import database_url

BATCH = 500
FIELDS = {"seq", "kind", "campaign", "key", "payload", "at", "prev_hash", "hash"}


def import_export(ledger: Ledger, source: Path, *, by: str, head: str | None = None) -> Path:
    """Verify an export and keep it as a ledger of its own under ``<workspace>/imports``; returns that workspace.

    head: the last hash, learnt from the colleague by another way; without it the export vouches only for itself.
    Importing the same export again changes nothing. Raises BadInput for a file that is no export, Corrupt where an
    entry does not hold (nothing is kept).
    """
    if not by.strip():
        raise NotAllowed("An import needs a name", why="nobody is named", cure="Say who takes it in")
    first = next(read_export(source), None)
    if first is None:
        raise BadInput(f"{source} holds no entries", cure="Export a whole ledger, not one campaign")
    home = ledger.workspace / "imports" / first.hash[:16]
    last = restore(read_export(source), home, head=head)
    facts = {"source": source.name, "first": first.hash, "head": last.hash, "entries": last.seq, "by": by}
    ledger.append("ledger_imported", facts, key=f"import:{last.hash}")
    return home


def open_import(home: Path) -> Ledger:
    """The SQLite ledger of this folder, whatever DATABASE_URL says."""
    return Ledger.open(home, database_url(home, None).render_as_string())


def restore(events: Iterable[Event], workspace: Path, *, url: str | None = None, head: str | None = None) -> Event:
    """Rebuild a ledger from its entries, each admitted under every rule and hashed again; returns the last entry.

    A workspace that already holds the beginning of the same chain is continued. A new one is removed on failure.
    """
    fresh = not workspace.exists()
    try:
        with Ledger.open(workspace, url) if url else open_import(workspace) as ledger:
            last = _fill(ledger, events)
            if head is not None and last.hash != head:
                raise Corrupt(f"The export ends with {last.hash[:12]}", why=f"{head[:12]} was expected")
            return last
    except BaseException:
        if fresh:
            shutil.rmtree(workspace, ignore_errors=True)
        raise


def _fill(ledger: Ledger, events: Iterable[Event]) -> Event:
    have, last = ledger.head()[0], None
    stored = ledger.events()
    entries = _checked(events)
    for event in islice(entries, have):
        if next(stored).hash != event.hash:
            raise NotAllowed(f"Entry {event.seq} is another one here", why="this is the copy of another ledger")
        last = event
    while batch := list(islice(entries, BATCH)):
        try:
            ledger._append_as_was(batch)
        except CytocruxError as error:
            raise Corrupt(f"An entry of {batch[0].seq}..{batch[-1].seq} does not hold", why=str(error)) from error
        last = batch[-1]
    if last is None:
        raise BadInput("The export holds no entries", cure="Export a whole ledger, not one campaign")
    return last


def _checked(events: Iterable[Event]) -> Iterator[Event]:
    """Entries in an unbroken chain. Raises Corrupt at the first that is not."""
    prev = GENESIS
    for expected, e in enumerate(events, start=1):
        hash_ = chain_hash(e.prev_hash, e.seq, e.kind, e.campaign, e.key, canonical(e.payload), e.at)
        if (e.seq, e.prev_hash, e.hash) != (expected, prev, hash_):
            raise Corrupt(f"Entry {expected} of the export does not match its hash", cure="Ask for a new export")
        prev = e.hash
        yield e


def read_export(source: Path) -> Iterator[Event]:
    """Entries of an RO-Crate folder, its events.jsonl, or a whole JSON-LD export; nothing is checked yet."""
    path = source / CHAIN_FILE if source.is_dir() else source
    try:
        if path.suffix == ".jsonld":
            yield from map(_event, _chain_of(json.loads(path.read_text(encoding="utf-8"))))
        else:
            with path.open(encoding="utf-8") as lines:
                yield from (_event(json.loads(line)) for line in lines if line.strip())
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist", cure="Give an RO-Crate folder, events.jsonl or .jsonld") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no export of a ledger", why=str(error).split("\n")[0]) from None


def _chain_of(document: Any) -> list[Any]:
    if isinstance(document, dict) and isinstance(document.get("@graph"), list):
        for node in document["@graph"]:
            if isinstance(node, dict) and isinstance(node.get("cx:chain"), list):
                return list(node["cx:chain"])
    raise BadInput("The JSON-LD carries no chain of entries", cure="Export a whole ledger, not one campaign")


def _event(raw: Any) -> Event:
    if not isinstance(raw, dict) or raw.keys() != FIELDS or not isinstance(raw["payload"], dict):
        raise BadInput("A line is no entry of a ledger", why=f"it needs the fields {', '.join(sorted(FIELDS))}")
    strings = [raw[name] for name in ("kind", "at", "prev_hash", "hash")]
    optional = [raw[name] for name in ("campaign", "key") if raw[name] is not None]
    if not all(isinstance(s, str) for s in strings + optional) or type(raw["seq"]) is not int:
        raise BadInput("A line is no entry of a ledger", why="a field has another type")
    return Event(**raw)


def take_up(ledger: Ledger, theirs: Ledger, claim_id: str, *, campaign: str | None = None) -> Claim:
    """Propose a colleague's claim as one's own, without its evidence. Raises NotAllowed where they do not have it."""
    for event in theirs.events("claim_proposed"):
        claim = Claim.model_validate(event.payload["claim"])
        if claim.id == claim_id:
            origin = f"import:{next(theirs.events()).hash[:16]}"
            mine = claim.model_copy(update={"origin": origin, "premises": (), "revises": None})
            draft = Draft("claim_proposed", {"claim": mine.model_dump(mode="json")}, campaign)
            ledger.append_many([draft])
            return mine
    raise NotAllowed(f"The imported ledger has no claim {claim_id}", cure="See its claims list")

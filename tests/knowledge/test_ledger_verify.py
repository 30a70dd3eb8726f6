"""Whatever is changed in the database or its file, verify finds it, and names the entry where one is hurt."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from cytocrux.evals.ledger_story import a_batch, a_claim, a_design, a_prediction, cycle, stake, story
from cytocrux.knowledge.events import Draft, chain_hash
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.seal import seal_path
from cytocrux.knowledge.truth import retract
from cytocrux.knowledge.verify import verify_workspace
from cytocrux.world_model.errors import Corrupt

OpenLedger = Callable[[], Ledger]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    with Ledger.open(tmp_path) as ledger:
        ledger.append_many(story(3, 2))
    return tmp_path


def flip(path: Path, offset: int, bit: int = 1) -> None:
    raw = bytearray(path.read_bytes())
    raw[offset] ^= bit
    path.write_bytes(raw)


@contextmanager
def unguarded(path: Path) -> Iterator[sqlite3.Connection]:
    """The file in the hands of someone who switches the guards off and back on."""
    with closing(sqlite3.connect(path)) as connection:
        guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, sql in guards:
            connection.execute(sql)
        connection.commit()


def test_a_sound_ledger_is_sealed_and_reading_does_not_change_it(workspace: Path) -> None:
    before = (workspace / "ledger.db").read_bytes()
    with Ledger.open(workspace) as ledger:
        found = ledger.verify()
        assert found.ok and found.sealed and found.n == ledger.head()[0] and not found.notes
    assert (workspace / "ledger.db").read_bytes() == before


def test_a_flipped_byte_in_an_entry_names_the_entry(workspace: Path) -> None:
    path = workspace / "ledger.db"
    raw = path.read_bytes()
    with Ledger.open(workspace) as ledger:
        entries = list(ledger.events())
    for entry in entries[:: len(entries) // 8]:
        for piece in (entry.hash, entry.at):
            flip(path, raw.index(piece.encode()) + 5)
            found = verify_workspace(workspace)
            assert not found.ok and found.first_bad in (entry.seq, entry.seq + 1), (entry, found)
            path.write_bytes(raw)
    assert verify_workspace(workspace).ok


@pytest.mark.parametrize("seed", range(4))
def test_no_flipped_byte_anywhere_goes_unseen(workspace: Path, seed: int) -> None:
    """Header, indexes, free space, entries: 20 places each, half of them in the header."""
    path = workspace / "ledger.db"
    raw = path.read_bytes()
    rng = random.Random(seed)
    for k in range(20):
        offset = rng.randrange(100) if k % 2 else rng.randrange(len(raw))
        flip(path, offset, 1 << rng.randrange(8))
        found = verify_workspace(workspace)
        assert not found.ok and found.reason, f"byte {offset} of {len(raw)}"
        path.write_bytes(raw)


@pytest.mark.parametrize("column", ["kind", "campaign", "key", "payload", "at", "prev_hash", "hash", "seq"])
def test_an_edit_by_sql_is_found_in_every_column(workspace: Path, column: str) -> None:
    with unguarded(workspace / "ledger.db") as connection:
        new = "seq + 1000" if column == "seq" else f"replace({column}, substr({column}, 3, 1), '~')"
        connection.execute(f"UPDATE events SET {column} = {new} WHERE seq = 9")
    found = verify_workspace(workspace)
    assert (found.ok, found.first_bad, found.n) == (False, 9, 8)


def test_an_entry_changed_with_its_own_hash_mended_is_found_by_the_next(workspace: Path) -> None:
    with unguarded(workspace / "ledger.db") as connection:
        row = connection.execute("SELECT prev_hash, seq, kind, campaign, key, payload, at FROM events WHERE seq = 9")
        prev, seq, kind, campaign, key, payload, at = row.fetchone()
        mended = chain_hash(prev, seq, kind, campaign, key, payload, at + "Z")
        connection.execute("UPDATE events SET at = at || 'Z', hash = ? WHERE seq = 9", [mended])
    found = verify_workspace(workspace)
    assert found.first_bad == 10 and "does not follow the hash of entry 9" in found.reason


def test_a_column_of_another_type_is_found(workspace: Path) -> None:
    with unguarded(workspace / "ledger.db") as connection:
        connection.execute("UPDATE events SET campaign = CAST(campaign AS BLOB) WHERE seq = 9")
    assert verify_workspace(workspace).first_bad == 9


def test_a_removed_entry_is_found_in_the_middle_and_at_the_end(workspace: Path) -> None:
    seal_path(workspace / "ledger.db").unlink()
    with unguarded(workspace / "ledger.db") as connection:
        connection.execute("DELETE FROM events WHERE seq = 9")
    assert "entry 9 is missing" in verify_workspace(workspace).reason


def test_a_cut_off_end_is_found_by_the_seal(workspace: Path) -> None:
    with unguarded(workspace / "ledger.db") as connection:
        connection.execute("DELETE FROM events WHERE seq > 30")
        connection.execute("DELETE FROM facts WHERE seq > 30")
    found = verify_workspace(workspace)
    assert (found.ok, found.first_bad) == (False, 31) and "are missing" in found.reason


def test_a_guard_taken_away_is_found(workspace: Path) -> None:
    seal_path(workspace / "ledger.db").unlink()
    with closing(sqlite3.connect(workspace / "ledger.db")) as connection:
        connection.execute("DROP TRIGGER events_no_update")
    found = verify_workspace(workspace)
    assert not found.ok and "is gone" in found.reason


def rewrite(connection: sqlite3.Connection, seq: int) -> None:
    """Change an entry and mend the whole chain after it."""
    connection.execute("UPDATE events SET payload = replace(payload, 'made', 'real') WHERE seq = ?", [seq])
    prev = connection.execute("SELECT hash FROM events WHERE seq = ?", [seq - 1]).fetchone()[0]
    query = "SELECT seq, kind, campaign, key, payload, at FROM events WHERE seq >= ? ORDER BY seq"
    for row in connection.execute(query, [seq]).fetchall():
        new = chain_hash(prev, *row)
        connection.execute("UPDATE events SET prev_hash = ?, hash = ? WHERE seq = ?", [prev, new, row[0]])
        prev = new


def test_a_chain_rewritten_with_care_is_found_by_checkpoint_and_seal(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.append_many(story(1, 1))
        note = next(ledger.events("note")).seq
        ledger.append_many([Draft("note", {"text": str(i)}) for i in range(1000)])
        assert ledger.verify().checkpoints == 1
    assert (tmp_path / "keys" / "ledger.key").stat().st_mode & 0o777 == 0o600
    with unguarded(tmp_path / "ledger.db") as connection:
        rewrite(connection, note)
    found = verify_workspace(tmp_path)
    assert (found.ok, found.first_bad) == (False, 1000) and "the chain was rewritten" in found.reason
    with unguarded(tmp_path / "ledger.db") as connection:
        connection.execute("DELETE FROM checkpoints")
    assert "checkpoint at entry 1000 is missing" in verify_workspace(tmp_path).reason
    with unguarded(tmp_path / "ledger.db") as connection:
        hash_ = connection.execute("SELECT hash FROM events WHERE seq = 1000").fetchone()[0]
        connection.execute("INSERT INTO checkpoints VALUES (1000, ?, 't', 'forger', 'ab')", [hash_])
    assert "signed by forger" in verify_workspace(tmp_path).reason


def test_a_chain_rewritten_before_any_checkpoint_is_found_by_the_seal(workspace: Path) -> None:
    with unguarded(workspace / "ledger.db") as connection:
        rewrite(connection, connection.execute("SELECT seq FROM events WHERE kind = 'note'").fetchone()[0])
    assert "the chain was rewritten" in verify_workspace(workspace).reason


def test_a_forged_seal_is_found(workspace: Path) -> None:
    path = seal_path(workspace / "ledger.db")
    path.write_text(path.read_text().replace('"seq":', '"seq":1'))
    assert "does not match its signature" in verify_workspace(workspace).reason
    path.write_text("{")
    assert "cannot be read" in verify_workspace(workspace).reason


def test_no_ledger_and_no_database_are_told_apart_from_a_sound_one(tmp_path: Path) -> None:
    assert "cannot be used" in verify_workspace(tmp_path).reason
    (tmp_path / "ledger.db").write_bytes(b"not a database at all" * 50)
    assert "not a database" in verify_workspace(tmp_path).reason
    with pytest.raises(Corrupt, match="damaged"):
        Ledger.open(tmp_path)


def test_without_a_seal_the_entries_still_count(workspace: Path) -> None:
    seal_path(workspace / "ledger.db").unlink()
    found = verify_workspace(workspace)
    assert found.ok and not found.sealed and "not sealed" in found.notes[0]
    with Ledger.open(workspace) as ledger:
        ledger.append("note", {"text": "sealed again on close"})
    assert verify_workspace(workspace).sealed


def test_stated_evidence_that_its_batches_do_not_give_is_noted(tmp_path: Path) -> None:
    drafts = list(story(1, 1))
    last = next(d for d in drafts if d.kind == "evidence_added").payload["evidence"]
    last["e_for"] = 1e9
    with Ledger.open(tmp_path) as ledger:
        ledger.append_many(drafts)
    found = verify_workspace(tmp_path)
    assert found.ok and len(found.notes) == 1 and "states other evidence" in found.notes[0]


def test_honest_evidence_before_and_after_a_retraction_is_not_noted(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        claim, rng, done = a_claim("x"), random.Random(0), []
        test = a_prediction(claim)
        ledger.append_many(stake(claim, test, "demo"))
        for k in range(4):
            if k == 2:
                retract(ledger, data_hash=done.pop(0).data_hash, reason="bubble", by="A. Person")
            design = a_design(claim, test, "demo", k)
            batch = a_batch(claim, test, design, k, -1.4, rng)
            ledger.append_many(cycle(claim, test, done, batch, design))
            done.append(batch)
    assert verify_workspace(tmp_path).notes == ()


def test_any_folder_name_will_do(tmp_path: Path) -> None:
    home = tmp_path / "a b#c%20?d 细胞"
    with Ledger.open(home) as ledger:
        ledger.append("note", {"text": "x"})
    assert verify_workspace(home).sealed and {p.name for p in home.iterdir()} >= {"ledger.db", "ledger.seal", "keys"}


def test_postgres_finds_an_edit_and_a_lost_guard(postgres_schema: str, tmp_path: Path) -> None:
    with Ledger.open(tmp_path, postgres_schema) as ledger:
        ledger.append_many(story(2, 1))
        with ledger._engine.connect() as connection:
            connection.execute(text("ALTER TABLE events DISABLE TRIGGER events_no_change"))
            assert "guard events_no_change" in ledger.verify().reason
            connection.execute(text("UPDATE events SET at = replace(at, '2', '3') WHERE seq = 4"))
            connection.execute(text("ALTER TABLE events ENABLE TRIGGER events_no_change"))
        found = ledger.verify()
        assert (found.ok, found.first_bad) == (False, 4)

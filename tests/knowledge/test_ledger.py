"""The ledger: append, chain, idempotency, append-only; on SQLite and PostgreSQL alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cytocrux.evals.ledger_story import story
from cytocrux.knowledge.events import Draft, canonical, chain_hash
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.storage import clear_errors
from cytocrux.world_model.errors import BadInput, DataUnavailable, NotAllowed

OpenLedger = Callable[[], Ledger]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_events_come_back_as_they_were_stored(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    first = ledger.append("note", {"text": "é 细胞 \x00", "x": [1.5, None]}, campaign="c")
    second = ledger.append("note", {"text": "again"}, key="k")
    assert list(open_ledger().events()) == [first, second]
    assert (second.seq, second.prev_hash) == (2, first.hash)
    assert ledger.get("k") == second and ledger.get("other") is None
    assert ledger.head() == (2, second.hash)


def test_the_hash_is_the_documented_one() -> None:
    record = {"at": "t", "campaign": None, "key": 'k"é', "kind": "note", "payload": {"b": 1, "a": "é"}, "seq": 7}
    expected = hashlib.sha256(("p" * 64 + json.dumps(record, sort_keys=True, separators=(",", ":"))).encode())
    ascii_payload = json.dumps(record["payload"], sort_keys=True, separators=(",", ":"))
    assert chain_hash("p" * 64, 7, "note", None, 'k"é', ascii_payload, "t") == expected.hexdigest()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads=st.lists(st.dictionaries(st.text(), json_values, max_size=4), min_size=1, max_size=5))
def test_any_json_survives(tmp_path: Path, payloads: list[dict[str, object]]) -> None:
    try:
        texts = [canonical(p) for p in payloads]
    except BadInput:  # lone surrogates are text in Python but not in UTF-8
        return
    with Ledger.open(tmp_path) as ledger:
        before = ledger.head()[0]
        ledger.append_many([Draft("note", {"text": "x", **p}) for p in payloads])
        back = [e.payload for e in ledger.events(after=before)]
    assert [canonical({"text": "x", **json.loads(t)}) for t in texts] == [canonical(p) for p in back]


def test_the_same_key_is_one_event_and_never_another(ledger: Ledger) -> None:
    first = ledger.append("note", {"text": "a"}, key="k")
    assert ledger.append("note", {"text": "a"}, key="k") == first
    with pytest.raises(NotAllowed, match="'k' is taken"):
        ledger.append("note", {"text": "b"}, key="k")
    with pytest.raises(NotAllowed, match="'k' is taken"):
        ledger.append("note", {"text": "a"}, key="k", campaign="other")
    twice = ledger.append_many([Draft("note", {"text": "c"}, key="l"), Draft("note", {"text": "c"}, key="l")])
    assert twice[0] == twice[1] and ledger.head()[0] == 2


def test_a_batch_is_stored_whole_or_not_at_all(ledger: Ledger) -> None:
    with pytest.raises(NotAllowed):
        ledger.append_many([Draft("note", {"text": "a"}), Draft("claim_closed", {"claim_id": "C1", "reason": "x"})])
    assert ledger.head()[0] == 0


def test_what_is_not_json_or_misspelt_is_refused(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="not JSON"):
        ledger.append("note", {"text": float("nan")})
    with pytest.raises(BadInput, match="not JSON"):
        ledger.append("note", {"text": "\ud800"})
    with pytest.raises(BadInput, match="Did you mean claim_proposed"):
        ledger.append("claim_propose", {})
    with pytest.raises(BadInput, match="lacks claim"):
        ledger.append("claim_proposed", {})
    with pytest.raises(BadInput, match=r"not valid.*sentence"):
        ledger.append("claim_proposed", {"claim": {"kind": "response"}})
    with pytest.raises(BadInput, match="cannot be a kind"):
        ledger.append("Not A Kind", {})
    assert ledger.head()[0] == 0


@pytest.mark.parametrize("table", ["events", "facts", "checkpoints"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET seq = 99", "DELETE FROM {}"])
def test_the_database_itself_refuses_changes(ledger: Ledger, table: str, sql: str) -> None:
    ledger.append_many(story(1, 1))
    ledger.append_many([Draft("note", {"text": "x"})] * 1000)
    with pytest.raises(NotAllowed, match="append-only"), clear_errors("x"), ledger._engine.connect() as connection:
        connection.execute(text(sql.format(table)))
    assert ledger.verify().ok


def test_replace_does_not_slip_past_the_guard(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.append("note", {"text": "x"}, key="k")
        row = "SELECT {}, 'note', NULL, {}, '{{}}', '', '', ''"
        for seq, key in (("1", "NULL"), ("2", "'k'"), ("3", "NULL")):
            sql = "INSERT OR REPLACE INTO events " + row.format(seq, key)
            with pytest.raises(NotAllowed), clear_errors("x"), ledger._engine.connect() as connection:
                connection.execute(text(sql))


def test_two_runs_of_one_story_have_one_digest(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "a") as a, Ledger.open(tmp_path / "b") as b:
        a.append_many(story(2, 2))
        for draft in story(2, 2):
            b.append(draft.kind, draft.payload, campaign=draft.campaign, key=draft.key)
        assert a.head()[1] != b.head()[1]
        assert a.content_digest() == b.content_digest() == b.content_digest("demo")
        b.append("note", {"text": "more"})
        assert a.content_digest() != b.content_digest()


def test_events_filter_and_resume(ledger: Ledger) -> None:
    ledger.append_many([*story(1, 1, campaign="a"), *story(1, 1, campaign="b")])
    ledger.append_many([Draft("note", {"text": str(i)}) for i in range(2500)])
    assert [e.seq for e in ledger.events()] == list(range(1, ledger.head()[0] + 1))
    assert {e.campaign for e in ledger.events(campaign="b")} == {"b"}
    claims = list(ledger.events("claim_proposed"))
    assert len(claims) == 2 and list(ledger.events("claim_proposed", after=claims[0].seq)) == claims[1:]


def test_wells_seen_and_used_are_known(ledger: Ledger) -> None:
    ledger.append_many(story(1, 1))
    claim = next(ledger.events("claim_proposed")).payload["claim"]
    evidence = next(ledger.events("evidence_added")).payload["evidence"]
    assert ledger.revealed_wells("demo") == set(evidence["batch"]["wells"])
    assert ledger.used_wells(evidence["batch"]["claim_id"]) == set(evidence["batch"]["wells"])
    assert claim and ledger.revealed_wells("dem") == ledger.used_wells("C") == set()


def test_a_bad_address_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a database address"):
        Ledger.open(tmp_path, "nonsense")
    with pytest.raises(BadInput, match="cannot live in mysql"):
        Ledger.open(tmp_path, "mysql://host/db")
    with pytest.raises(DataUnavailable, match="cannot be used"):
        Ledger.open(tmp_path, "postgresql://user:secret@127.0.0.1:1/db")


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(DataUnavailable) as caught:
        Ledger.open(tmp_path, "postgresql://user:secret@127.0.0.1:1/db")
    assert "secret" not in str(caught.value)

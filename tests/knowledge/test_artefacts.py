"""Artefacts: named by content, whole or absent, checked on read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cytocrux.knowledge.artefacts import Artefacts
from cytocrux.world_model.errors import BadInput, Corrupt, DataUnavailable


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=2000))
def test_bytes_come_back(tmp_path: Path, content: bytes) -> None:
    store = Artefacts(tmp_path)
    digest = store.put(content)
    assert store.get(digest) == content and store.put(content) == digest and digest in set(store.digests())


def test_equal_json_has_one_name(tmp_path: Path) -> None:
    store = Artefacts(tmp_path)
    digest = store.put_json({"b": 1, "a": [1.5, "é"]})
    assert digest == store.put_json({"a": [1.5, "é"], "b": 1})
    assert store.get_json(digest) == {"a": [1.5, "é"], "b": 1}
    assert len(list(store.digests())) == 1
    with pytest.raises(BadInput):
        store.put_json({"x": float("nan")})


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    store = Artefacts(tmp_path)
    good, bad = store.put(b"good"), store.put(b"content")
    store.path(bad).write_bytes(b"CONTENT")
    with pytest.raises(Corrupt, match="was changed"):
        store.get(bad)
    assert store.damaged() == [bad] and store.get(good) == b"good"


def test_a_half_written_file_is_replaced(tmp_path: Path) -> None:
    store = Artefacts(tmp_path)
    digest = store.put(b"content")
    store.path(digest).write_bytes(b"con")
    assert store.put(b"content") == digest and store.get(digest) == b"content"


def test_a_name_that_is_none_or_absent_says_so(tmp_path: Path) -> None:
    store = Artefacts(tmp_path)
    with pytest.raises(DataUnavailable, match="names no artefact"):
        store.get("../../etc/passwd")
    with pytest.raises(DataUnavailable, match="is absent"):
        store.get("0" * 64)


def test_many_writers_of_one_content(tmp_path: Path) -> None:
    store = Artefacts(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(lambda i: store.put(b"x" * 100_000 + bytes([i % 2])), range(40)))
    assert len(digests) == 2 and not store.damaged()
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith(".")]

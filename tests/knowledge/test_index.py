"""The index finds by words, follows the ledger, and can always be thrown away."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cytocrux.evals.ledger_story import a_claim, story
from cytocrux.knowledge import chroma
from cytocrux.knowledge.embedder import HashingEmbedder
from cytocrux.knowledge.index import Index, same_question
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.errors import BadInput, DataUnavailable

NOTES = (
    "TP53 loss lowers CDKN1A transcription",
    "Trametinib inhibits MEK and shuts down ERK phosphorylation",
    "BCL2 inhibition by venetoclax kills lymphoma cells",
    "患者的淋巴瘤细胞对维奈克拉敏感",
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path) as opened:
        opened.append_many(story(2, 1))
        for note in NOTES:
            opened.append("note", {"text": note})
        yield opened


def cosine(a: str, b: str) -> float:
    x, y = HashingEmbedder().embed([a, b])
    return float(x @ y)


def test_vectors_are_unit_and_the_same_in_every_process() -> None:
    rows = HashingEmbedder().embed([*NOTES, "", "of the and"])
    assert rows.shape == (6, 1024) and np.allclose(np.linalg.norm(rows, axis=1), 1.0)
    code = "from cytocrux.knowledge.embedder import HashingEmbedder as H; print(list(H().embed(['TP53']).nonzero()[1]))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == str(list(HashingEmbedder().embed(["TP53"]).nonzero()[1]))


def test_likeness_is_of_words() -> None:
    assert cosine("TP53 loss lowers p21", "tp53 LOSS lowered p21") > 0.7
    assert abs(cosine("TP53 loss lowers p21", "the cat sat on a mat")) < 0.1
    assert cosine("MEK inhibitors", "MEK inhibition") > 0.4 > abs(cosine("MEK inhibitors", "BCL2 agonist"))
    assert cosine("淋巴瘤细胞", "患者的淋巴瘤") > 0.3


def test_the_embedder_survives_its_own_configuration() -> None:
    again = HashingEmbedder.build_from_config(HashingEmbedder(64).get_config())
    assert np.array_equal(again.embed(NOTES), HashingEmbedder(64).embed(NOTES))


@pytest.mark.parametrize(
    ("query", "note"), [("MEK inhibitor ERK", 1), ("venetoclax lymphoma", 2), ("p53 TP53", 0), ("淋巴瘤", 3)]
)
def test_search_finds_the_right_note(ledger: Ledger, query: str, note: int) -> None:
    with Index.open(ledger) as index:
        hits = index.search(query, 3)
    assert hits[0].text == NOTES[note] and hits[0].kind == "note"
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_claims_and_evidence_are_found_by_kind(ledger: Ledger) -> None:
    with Index.open(ledger) as index:
        claims, evidence = index.search("drug 1", 5, kind="claim"), index.search("drug 1", 5, kind="evidence")
        assert {h.kind for h in claims} == {"claim"} and {h.kind for h in evidence} == {"evidence"}
        assert claims[0].text.startswith("drug 1") and evidence[0].claim_id == claims[0].claim_id
        with pytest.raises(BadInput, match="Nothing to search"):
            index.search("  ")


def test_the_index_follows_the_ledger_and_rebuilds_to_the_same(ledger: Ledger) -> None:
    with Index.open(ledger) as index:
        assert (
            not index.search("fresh discovery zebrafish", 3, kind="note") or index.search("zebrafish", 1)[0].score < 0.3
        )
        ledger.append("note", {"text": "a fresh discovery in zebrafish"})
        assert index.search("zebrafish", 1)[0].text == "a fresh discovery in zebrafish"
        before = index.search("drug lowers", 20)
        index.rebuild()
        assert index.search("drug lowers", 20) == before


def test_a_broken_or_missing_index_is_made_again(ledger: Ledger) -> None:
    with Index.open(ledger) as index:
        before = index.search("MEK", 3)
    database = next((ledger.workspace / "index").glob("*/chroma.sqlite3"))
    database.write_bytes(b"garbage" * 1000)
    with Index.open(ledger) as index:
        assert index.search("MEK", 3) == before
    shutil.rmtree(ledger.workspace / "index")
    with Index.open(ledger) as index:
        assert index.search("MEK", 3) == before


def test_an_index_of_another_ledger_is_not_believed(ledger: Ledger, tmp_path: Path) -> None:
    with Index.open(ledger) as index:
        index.search("MEK", 1)
    with Ledger.open(tmp_path / "other") as other:
        other.append("note", {"text": "nothing in common"})
        shutil.copytree(ledger.workspace / "index", other.workspace / "index")
        with Index.open(other) as index:
            assert [h.text for h in index.search("MEK nothing", 9)] == ["nothing in common"]


def test_an_empty_ledger_has_nothing_to_find(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger, Index.open(ledger) as index:
        assert index.search("anything") == []


def test_near_duplicates_ask_the_same_in_other_words(tmp_path: Path) -> None:
    first = a_claim("trametinib")
    reworded = first.model_copy(update={"sentence": "In A375, ln IC50 is lowered by trametinib", "delta": -1.1})
    opposite = first.model_copy(
        update={"sentence": "trametinib raises ln IC50 in A375", "relation": "ge", "delta": 1.0, "delta0": 0.2}
    )
    other = a_claim("trametinib", context="HT29")
    assert same_question(first, reworded)
    assert not same_question(first, opposite) and not same_question(first, other)
    with Ledger.open(tmp_path) as ledger:
        for claim in (first, opposite, other):
            ledger.append("claim_proposed", {"claim": claim.model_dump(mode="json")})
        with Index.open(ledger) as index:
            assert [h.claim_id for h in index.near_duplicates(reworded)] == [first.id]
            assert index.near_duplicates(first) == []


def test_one_process_holds_the_folder(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "LOCK_S", 0.1)
    with Index.open(ledger), pytest.raises(DataUnavailable, match="in use"):
        Index.open(ledger)
    Index.open(ledger).close()


def test_a_chroma_server_serves_the_same(ledger: Ledger, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    if not program.exists():
        pytest.skip("the chroma program is not installed")
    command = [str(program), "run", "--path", str(tmp_path / "server"), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_open(port)
        with Index.open(ledger, f"http://127.0.0.1:{port}") as index:
            assert index.search("venetoclax", 1)[0].text == NOTES[2]
            index.rebuild()
            assert index.search("venetoclax", 1)[0].text == NOTES[2]
        assert not (ledger.workspace / "index").exists()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def test_a_server_that_is_not_there_says_so(ledger: Ledger) -> None:
    with pytest.raises(DataUnavailable, match="No Chroma server"):
        Index.open(ledger, "http://127.0.0.1:1")
    with pytest.raises(BadInput, match="not an address"):
        Index.open(ledger, "nonsense")


def _until_open(port: int) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the Chroma server did not start")

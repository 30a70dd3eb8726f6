"""Exports say what the ledger says; imports believe nothing."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cytocrux.evals.ledger_story import a_claim, story
from cytocrux.knowledge.events import Draft, chain_hash
from cytocrux.knowledge.exports import export
from cytocrux.knowledge.imports import import_export, open_import, read_export, restore, take_up
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.status import replay
from cytocrux.knowledge.truth import retract
from cytocrux.world_model.errors import BadInput, Corrupt, NotAllowed


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    opened = Ledger.open(tmp_path / "ours")
    opened.append_many([*story(3, 4), *story(1, 1, campaign="other")])
    first = next(iter(replay(opened.events())))
    well = replay(opened.events())[first].batches[0].wells[0]
    retract(opened, wells=[well], reason="bubble", by="A. Person")
    return opened


def nodes(document: dict[str, Any]) -> list[dict[str, Any]]:
    """All nodes of all graphs."""
    return [n for g in document["@graph"] for n in g.get("@graph", [g])]


def test_jsonld_has_four_graphs_a_claim_and_its_evidence(ledger: Ledger, tmp_path: Path) -> None:
    document = json.loads(export(ledger, tmp_path / "x.jsonld", "jsonld").read_text())
    states = replay(ledger.events())
    publications = [n for n in nodes(document) if n.get("@type") == "np:Nanopublication"]
    assert len(publications) == len(states) == 4
    graphs = {g["@id"] for g in document["@graph"] if "@graph" in g}
    for publication in publications:
        named = {publication[f"np:has{part}"]["@id"] for part in ("Assertion", "Provenance", "PublicationInfo")}
        assert len(named) == 3 and named < graphs
    status = {n["@id"].removeprefix("urn:cytocrux:np:"): n["cx:status"] for n in nodes(document) if "cx:status" in n}
    assert status == {c: s.status for c, s in states.items()}
    evidence = [n for n in nodes(document) if "cx:Evidence" in n.get("@type", [])]
    assert len(evidence) == sum(len(s.batches) for s in states.values()) and evidence[0]["cx:e_for"] > 0
    assert [n for n in nodes(document) if "prov:qualifiedInvalidation" in n]
    known = set(document["@context"])
    terms = {k for n in nodes(document) for k in n if not k.startswith("@")}
    assert {t.split(":")[0] for t in terms} <= known


def test_csv_has_a_line_a_claim_and_runs_no_formula(ledger: Ledger, tmp_path: Path) -> None:
    evil = a_claim("x").model_copy(update={"sentence": '=HYPERLINK("http://evil","click")'})
    ledger.append("claim_proposed", {"claim": evil.model_dump(mode="json")})
    text = export(ledger, tmp_path / "x.csv", "csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    states = replay(ledger.events())
    assert [r["claim"] for r in rows] == list(states)
    assert rows[-1]["sentence"].startswith("'=") and rows[-1]["e_for"] == "" and float(rows[-1]["delta"]) == -1.0
    best = states[rows[2]["claim"]]
    assert float(rows[2]["e_for"]) == best.e_path[-1][1] and rows[2]["status"] == best.status
    part = export(ledger, tmp_path / "y.csv", "csv", campaign="other").read_text(encoding="utf-8")
    assert len(part.strip().splitlines()) == 2


def test_rocrate_names_every_file_with_its_hash(ledger: Ledger, tmp_path: Path) -> None:
    folder = export(ledger, tmp_path / "crate", "rocrate", licence="https://creativecommons.org/licenses/by/4.0/")
    crate = {n["@id"]: n for n in json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]}
    assert crate["ro-crate-metadata.json"]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"
    root = crate["./"]
    assert {"name", "description", "datePublished", "license"} < root.keys()
    parts = {p["@id"] for p in root["hasPart"]}
    assert parts == {p.name for p in folder.iterdir()} - {"ro-crate-metadata.json"} == {
        "claims.csv", "claims.jsonld", "events.jsonl"
    }  # fmt: skip
    for name in parts:
        assert crate[name]["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_a_bad_export_request_says_so(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Unknown export format"):
        export(ledger, tmp_path / "x", "xml")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no campaign 'nope'"):
        export(ledger, tmp_path / "x", "csv", campaign="nope")
    (tmp_path / "there").touch()
    with pytest.raises(BadInput, match="exists"):
        export(ledger, tmp_path / "there", "csv")


@pytest.mark.parametrize("form", ["rocrate", "jsonld"])
def test_an_export_comes_back_entry_by_entry(ledger: Ledger, tmp_path: Path, form: Any) -> None:
    source = export(ledger, tmp_path / f"x.{form}", form)
    with Ledger.open(tmp_path / "mine") as mine:
        home = import_export(mine, source, by="A. Person", head=ledger.head()[1])
        assert import_export(mine, source, by="A. Person") == home
        assert [e.kind for e in mine.events()] == ["ledger_imported"]
    with open_import(home) as theirs:
        assert list(theirs.events()) == list(ledger.events()) and theirs.verify().ok
        ours, again = replay(ledger.events()), replay(theirs.events())
        assert {c: s.status for c, s in ours.items()} == {c: s.status for c, s in again.items()}


def test_a_longer_export_of_the_same_ledger_continues_the_copy(ledger: Ledger, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "mine") as mine:
        home = import_export(mine, export(ledger, tmp_path / "a", "rocrate"), by="A. Person")
        ledger.append("note", {"text": "later"})
        assert import_export(mine, export(ledger, tmp_path / "b", "rocrate"), by="A. Person") == home
    with open_import(home) as theirs:
        assert theirs.head() == ledger.head()


def rechained(lines: list[dict[str, Any]], change: Callable[[list[dict[str, Any]]], None]) -> str:
    """The export after a forger's change, with all hashes mended."""
    change(lines)
    prev = "0" * 64
    for seq, line in enumerate(lines, start=1):
        payload = json.dumps(line["payload"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        hash_ = chain_hash(prev, seq, line["kind"], line["campaign"], line["key"], payload, line["at"])
        line |= {"seq": seq, "prev_hash": prev, "hash": hash_}
        prev = hash_
    return "".join(json.dumps(line) + "\n" for line in lines)


def drop_registration(lines: list[dict[str, Any]]) -> None:
    del lines[next(i for i, e in enumerate(lines) if e["kind"] == "prediction_registered")]


def boast(lines: list[dict[str, Any]]) -> None:
    next(e for e in lines if e["kind"] == "note")["payload"]["text"] = "all of it is true"


def test_a_forged_export_is_refused_and_nothing_is_kept(ledger: Ledger, tmp_path: Path) -> None:
    crate = export(ledger, tmp_path / "crate", "rocrate")
    file = crate / "events.jsonl"
    text = file.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    with Ledger.open(tmp_path / "mine") as mine:
        for bad, error, said in (
            (text.replace("Which drugs work?", "Which drugs kill?"), Corrupt, "Entry 1 of the export"),
            ("".join(text.splitlines(True)[:3] + text.splitlines(True)[4:]), Corrupt, "Entry 4 of the export"),
            (rechained([dict(e) for e in lines], drop_registration), Corrupt, "No experiment without registration"),
            (text.replace('"seq": 1}', '"seq": true}'), BadInput, "another type"),
            (text.replace('"seq": 1}', '"seq": 1, "x": 2}'), BadInput, "needs the fields"),
            (text[:-30], BadInput, "no export"),
            ("[" * 100_000, BadInput, "no export"),
            ("", BadInput, "holds no entries"),
        ):
            file.write_text(bad)
            with pytest.raises(error, match=said):
                import_export(mine, crate, by="A. Person")
            assert mine.head()[0] == 0 and not list((tmp_path / "mine").glob("imports/*"))
        # a forger who mends every hash is found only by the head learnt another way
        file.write_text(rechained(json.loads(json.dumps(lines)), boast))
        with pytest.raises(Corrupt, match="was expected"):
            import_export(mine, crate, by="A. Person", head=ledger.head()[1])
        with pytest.raises(NotAllowed, match="needs a name"):
            import_export(mine, crate, by="")
        with pytest.raises(BadInput, match="does not exist"):
            list(read_export(tmp_path / "nowhere"))


def test_an_export_restores_a_lost_ledger(ledger: Ledger, tmp_path: Path) -> None:
    crate = export(ledger, tmp_path / "crate", "rocrate")
    last = restore(read_export(crate), tmp_path / "new")
    with Ledger.open(tmp_path / "new") as again:
        assert again.head() == (last.seq, last.hash) == ledger.head()
        assert again.append("note", {"text": "goes on"}).prev_hash == last.hash
        with pytest.raises(NotAllowed, match="another one here"):
            restore(read_export(crate), tmp_path / "other" if _another(tmp_path / "other") else tmp_path)


def _another(home: Path) -> bool:
    with Ledger.open(home) as ledger:
        ledger.append_many([Draft("note", {"text": "someone else's"})])
    return True


def test_restoring_into_postgres(ledger: Ledger, tmp_path: Path, postgres_schema: str) -> None:
    crate = export(ledger, tmp_path / "crate", "rocrate")
    restore(read_export(crate), tmp_path / "new", url=postgres_schema, head=ledger.head()[1])
    with Ledger.open(tmp_path / "new", postgres_schema) as again:
        assert again.verify().ok and again.content_digest() == ledger.content_digest()


def test_a_claim_is_taken_up_without_its_evidence(ledger: Ledger, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "mine") as mine:
        home = import_export(mine, export(ledger, tmp_path / "c", "rocrate"), by="A. Person")
        with open_import(home) as theirs:
            corroborated = next(c for c, s in replay(theirs.events()).items() if s.status == "corroborated")
            claim = take_up(mine, theirs, corroborated)
            with pytest.raises(NotAllowed, match="no claim C0"):
                take_up(mine, theirs, "C0")
        state = replay(mine.events())[claim.id]
        assert claim.id == corroborated and state.status == "proposed" and state.claim.origin.startswith("import:")

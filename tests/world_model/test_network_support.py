"""The embedded network's references, and how far published tables bear its edges out."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from cytocrux.evals.explain_network import BAR, contradicted, notes, run
from cytocrux.world_model.mechanism.signalling import CHECKS, FACTS, edges_of, embedded
from cytocrux.world_model.mechanism.support import count, published, standing
from cytocrux.world_model.network import Edge

CITATION = re.compile(r"[A-Z][\w'-]+ (19|20)\d\d [A-Z][A-Za-z ]+ \d+:[ae]?\d+( \(review\))?")
NODE = re.compile(r"[A-Z][A-Z0-9-]*(:(p[STY]\d+|cleaved|acetyl))?|@[A-Za-z0-9 ]+")


def rows(name: str) -> list[dict[str, str]]:
    with (FACTS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


EDGES = rows("signalling.csv")


def test_every_edge_has_a_citation_in_form_and_says_how_it_was_checked() -> None:
    known = {r["reference"]: r for r in rows("signalling_references.csv")}
    assert {e["reference"] for e in EDGES} == set(known)
    assert [r for r in known if not CITATION.fullmatch(r)] == []
    assert {e["checked"] for e in EDGES} <= set(CHECKS)
    numbers = [r["pmid"] for r in (*EDGES, *known.values()) if r["pmid"]]
    assert all(re.fullmatch(r"[1-9]\d{6,7}", number) for number in numbers)
    assert all(re.fullmatch(r"10\.\d{4}/\S+", r["doi"]) for r in known.values() if r["doi"])
    assert {r["found"] for r in known.values()} == {"citation", "paper", "memory"}
    assert not any(e["pmid"] for e in EDGES if e["checked"] != "abstract")  # a number is given for what was read only


def test_every_node_is_named_as_one() -> None:
    assert [n for e in EDGES for n in (e["source"], e["target"]) if not NODE.fullmatch(n)] == []


def test_an_edge_from_memory_says_so(tmp_path: Path) -> None:
    shown = {(e.source, e.target): e.reference for e in embedded().edges}
    for e in EDGES:
        text = shown[e["source"], e["target"]]
        assert text.startswith(e["reference"]) and ("not looked up" in text) == (e["checked"] == "memory")
        assert e["pmid"] in text and e["note"] in text
    path = tmp_path / "mine.csv"
    path.write_text(
        "source,target,sign,kind,reference,pmid,checked,note\n"
        "A,B,1,binds,Doe 2001 Cell 1:1,1234567,signor,because\n"
        "B,C,-1,inhibits,Doe 2001 Cell 1:1,,,\n"
    )
    first, second = edges_of(path)
    assert first.reference == (
        "Doe 2001 Cell 1:1; also in SIGNOR, PMID 1234567; published tables have the other sign: because"
    )
    assert second.reference == "Doe 2001 Cell 1:1"


def test_an_edge_stands_as_the_tables_have_it() -> None:
    causal = {("A", "B"): frozenset({1}), ("A", "C"): frozenset({-1}), ("A", "D"): frozenset({1, -1})}
    wide = {**causal, ("A", "E"): frozenset({1})}

    def of(source: str, target: str, kind: str = "activates") -> str:
        edge = Edge.model_validate({"source": source, "target": target, "sign": 1, "kind": kind})
        return standing(edge, causal, wide)

    assert [of("A", x) for x in "BCDE"] == ["same", "opposite", "both", "absent"]
    assert of("A", "E", "transcribes") == "same"
    assert of("A", "C:pS1") == "site" and of("A", "E:pS1") == "absent"
    assert of("@DNA damage", "B") == of("A:pT1", "A") == "process"


@pytest.mark.kit
def test_published_tables_bear_the_network_out(kit: Path) -> None:
    (figure,) = run(data_dir=kit)
    assert figure.value is not None and figure.value >= BAR and figure.n is not None and figure.n > 500
    chance = figure.baselines["targets dealt anew"]
    assert chance is not None and chance < figure.value / 4
    assert [word for word in contradicted() if not notes()[word]] == []
    assert [word for word, why in notes().items() if why and word not in contradicted()] == []


@pytest.mark.kit
def test_a_network_with_every_sign_wrong_is_found_out(kit: Path) -> None:
    wrong = [e.model_copy(update={"sign": -e.sign}) for e in embedded().edges]
    found = count(wrong, *published())
    assert found["opposite"] > 400 and found["same"] < 40

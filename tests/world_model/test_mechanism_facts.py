"""The hand-written network and its maps, and the readers of published ones."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from cytocrux.world_model.errors import BadInput, Corrupt, DataUnavailable, UnknownName
from cytocrux.world_model.mechanism import signalling
from cytocrux.world_model.mechanism.cascade import Observed, Problem, solve
from cytocrux.world_model.mechanism.resources import RESOURCES, gene_sets, load_network, load_regulons
from cytocrux.world_model.network import SignedNetwork

NETWORK = signalling.embedded()
NODES = set(NETWORK.nodes)


def rows(name: str) -> list[dict[str, str]]:
    with (signalling.FACTS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_network_is_signed_referenced_and_free_of_contradiction() -> None:
    assert 250 <= len(NETWORK.edges) <= 800
    pairs = Counter((e.source, e.target) for e in NETWORK.edges)
    assert max(pairs.values()) == 1  # no edge twice, none with both signs
    assert all(e.source != e.target and len(e.reference) > 12 for e in NETWORK.edges)
    assert all(any(c.isdigit() for c in e.reference) for e in NETWORK.edges)
    falling = {"inhibits", "represses", "degrades"}
    rising = {"activates", "transcribes"}
    wrong = [e.word for e in NETWORK.edges if (e.kind in falling and e.sign > 0) or (e.kind in rising and e.sign < 0)]
    assert wrong == []


def test_every_map_leads_to_a_node() -> None:
    assert {row["node"] for row in rows("signalling_readouts.csv")} <= NODES
    assert {row["node"] for row in rows("signalling_targets.csv") if row["node"]} <= NODES
    assert {row["node"] for row in rows("signalling_families.csv")} <= {n.split(":")[0] for n in NODES}
    names = [n for row in rows("signalling_readouts.csv") for n in row["names"].split("|")]
    assert len(names) == len(set(names))


@pytest.mark.kit
def test_every_gene_is_a_valid_symbol(kit: Path) -> None:
    with gzip.open(kit / "priors" / "gene_ids_human.tsv.gz", "rt", encoding="utf-8") as stream:
        symbols = {line.split("\t")[1] for line in stream}
    genes = {n.split(":")[0] for n in NODES if not n.startswith("@")}
    members = {m for row in rows("signalling_families.csv") for m in row["members"].split("|")}
    assert sorted((genes | members) - symbols) == []


@pytest.mark.kit
def test_readouts_of_the_assays_are_placed(kit: Path) -> None:
    from cytocrux.world_model.data import load

    for name, share in (("rppa", 1.0), ("hpn_dream", 0.8)):
        readouts = load(name).readouts
        placed = [r for r in readouts if signalling.readout_node(r, NETWORK)]
        assert len(placed) >= share * len(readouts), set(readouts) - set(placed)
    cellbox = (kit / "cellbox" / "nodes.csv").read_text().split()
    assert sum(signalling.readout_node(r, NETWORK) is not None for r in cellbox) >= 60
    drugs = [n for n in cellbox if n.startswith("a") and n not in ("a-tubulin",)]
    assert all(signalling.targets_of(d, "compound", NETWORK) for d in drugs)


@pytest.mark.parametrize(
    ("perturbation", "kind", "expected"),
    [
        ("trametinib", "compound", {"MAP2K1": -1}),
        ("vemurafenib+trametinib", "compound", {"BRAF": -1, "MAP2K1": -1}),
        ("Vorinostat", "compound", {"HDAC1": -1, "HDAC2": -1, "HDAC3": -1, "HDAC6": -1}),
        ("Cisplatin", "compound", {"@DNA damage": 1}),
        ("MAPK3", "knockdown", {"MAPK1": -1}),
        ("MYC", "activation", {"MYC": 1}),
    ],
)
def test_what_a_perturbation_does(perturbation: str, kind: str, expected: dict[str, int]) -> None:
    found = signalling.targets_of(perturbation, kind, NETWORK)
    assert {k: found.get(k) for k in expected} == expected


def test_unknown_targets_are_refused_with_near_names() -> None:
    with pytest.raises(BadInput, match="No target of 'Nobodyknowsib'"):
        signalling.targets_of("Nobodyknowsib", "compound", NETWORK)
    with pytest.raises(UnknownName, match="MAPK1"):
        signalling.targets_of("MAPK1X", "knockout", NETWORK)


@pytest.mark.parametrize(
    ("target", "sign", "node", "expected"),
    [
        ("MAP2K1", -1, "RPS6:pS235", -1), ("PIK3CA", -1, "FOXO3", 1), ("MDM2", -1, "CDKN1A", 1),
        ("HDAC1", -1, "CDKN1A", 1), ("@DNA damage", 1, "H2AX", 1), ("CDK4", -1, "E2F1", -1),
        ("JAK2", -1, "STAT3", -1), ("IKBKB", -1, "RELA", -1), ("MTOR", -1, "EIF4EBP1", 1), ("TNF", 1, "RELA", 1),
        ("WNT3A", 1, "CTNNB1", 1), ("TGFB1", 1, "SERPINE1", 1), ("LATS1", -1, "CCN2", 1), ("EGLN1", -1, "VEGFA", 1),
        ("BCL2", -1, "CASP3", 1), ("CD3E", 1, "IL2", 1), ("EGFR", -1, "MAPK1", -1),
    ],
)  # fmt: skip
def test_textbook_consequences_follow(target: str, sign: int, node: str, expected: int) -> None:
    seen = (Observed("r", node, expected, 1.0),)
    found = solve(Problem(NETWORK, {target: sign}, seen, penalty=0.01))
    against = solve(Problem(NETWORK, {target: sign}, (Observed("r", node, -expected, 1.0),), penalty=0.01))
    assert found.edges and (not against.edges or len(found.edges) < len(against.edges))


def test_an_inhibited_kinases_own_site_tells_what_reaches_it() -> None:
    """MEK's activation site falls under a RAF inhibitor and not, by the direct way, under a MEK inhibitor."""
    down = (Observed("pMEK", "MAP2K1:pS217", -1, 1.0),)
    assert [e.word for e in solve(Problem(NETWORK, {"BRAF": -1}, down)).edges] == ["BRAF +> MAP2K1:pS217"]
    up = solve(Problem(NETWORK, {"MAP2K1": -1}, (Observed("pMEK", "MAP2K1:pS217", 1, 1.0),), penalty=0.1))
    assert len(up.edges) == 3 and up.signs["MAPK1"] == -1  # by the loss of ERK's feedback


@pytest.mark.kit
def test_published_networks_are_read(kit: Path) -> None:
    sizes = {name: len(load_network(name).edges) for name in ("omnipath", "signor", "cosmos")}
    assert sizes["omnipath"] > 15_000 and sizes["signor"] > 3_000 and sizes["cosmos"] > 40_000
    regulons = {name: load_regulons(name) for name in ("collectri", "dorothea", "progeny")}
    assert len(regulons["collectri"]) > 40_000 and regulons["progeny"]["source"].nunique() == 14
    assert set(regulons["progeny"].groupby("source").size()) == {100}
    table = regulons["collectri"].set_index(["source", "target"])["weight"]
    assert table["TP53", "CDKN1A"] > 0 and table["MYC", "TERT"] > 0
    assert len(gene_sets("h.all.v7.5.1.symbols.gmt")) == 50


def test_a_network_that_is_not_here_or_not_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CYTOCRUX_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataUnavailable, match="omnipath"):
        load_network("omnipath")
    (tmp_path / "priors").mkdir()
    (tmp_path / "priors" / RESOURCES["omnipath"].file).write_text("source\tinteraction\ttarget\nA\t1\tB\n")
    with pytest.raises(Corrupt):
        load_network("omnipath")
    with pytest.raises(UnknownName, match="omnipath"):
        load_network("omnipth")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "columns source, target and sign"),
        ("source,target,sign\nA,B,2\n", "line 2"),
        ("source,target,sign,kind\nA,B,1,hugs\n", "'hugs' is no kind"),
    ],
)
def test_a_users_network_is_read_or_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("source,target,sign\nA,B,1\nB,C,-1\n")
    assert [e.word for e in load_network(str(path)).edges] == ["A +> B", "B -| C"]
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        load_network(str(path))


def test_paralogues_merge_and_conflicts_fall_to_the_majority() -> None:
    raw = SignedNetwork.of(
        "x", [("MAP2K1", "MAPK1", 1), ("MAP2K2", "MAPK3", 1), ("MAP2K2", "MAPK1", -1), ("MAPK1", "A", 1),
              ("MAPK3", "A", -1)],
    )  # fmt: skip
    assert [e.word for e in signalling.collapsed(raw).edges] == ["MAP2K1 +> MAPK1"]

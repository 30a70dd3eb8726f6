"""The built-in network of textbook signalling, and how readouts and perturbations sit on it.

facts/signalling.csv            source, target, sign, kind, reference, pmid, checked, note: one edge a line
facts/signalling_families.csv   a node and the paralogues it stands for (MAPK1 = ERK1 and ERK2)
facts/signalling_readouts.csv   what an assay's readout says of a node; sign -1: the phosphorylation switches it off
facts/signalling_names.csv      what people call a gene's protein (ERK1/2 for MAPK1)
facts/signalling_targets.csv    perturbations whose name is not in the compound table, and classes that act otherwise
                                than by inhibiting their targets

Nodes are gene symbols; ``GENE:site`` is one site of it (an inhibited kinase's own phosphorylation tells what reaches
it, not what leaves it); ``@name`` is no gene product (PIP3, DNA damage, a phenotype).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast

from ..compounds import facts_for
from ..errors import BadInput, UnknownName
from ..network import Edge, SignedNetwork

FACTS = Path(__file__).parent.parent / "facts"
EMBEDDED = "embedded"
Sign = Literal[-1, 1]


@dataclass(frozen=True)
class ReadoutNode:
    """``sign`` x change of the readout = change of the node's activity."""

    readout: str
    node: str
    sign: Sign

    @property
    def gene(self) -> str:
        return self.node.split(":")[0]


@lru_cache(maxsize=1)
def embedded() -> SignedNetwork:
    """The built-in network."""
    return SignedNetwork(EMBEDDED, tuple(edges_of(FACTS / "signalling.csv")))


def edges_of(path: Path) -> Iterator[Edge]:
    """Edges of a CSV with columns source, target, sign and, where there are, kind and reference (see ``cited``).

    Raises BadInput with the line where one cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if not {"source", "target", "sign"} <= set(reader.fieldnames or ()):
            raise BadInput(
                f"{path.name} is not a signed network", why="it lacks the columns source, target and sign",
                cure="Write one edge a line: source,target,sign (1 or -1)[,kind,reference]",
            )  # fmt: skip
        for line, row in enumerate(reader, start=2):
            source, target, sign = (row[c] or "" for c in ("source", "target", "sign"))
            if sign.strip() not in ("1", "-1", "+1") or not source.strip() or not target.strip():
                raise BadInput(f"{path.name}, line {line}: no edge", why=f"{source!r}, {target!r}, {sign!r}",
                               cure="Give a source, a target and the sign 1 or -1")  # fmt: skip
            given = {k: row[k] for k in ("kind", "reference") if row.get(k)}
            if row.get("checked"):
                given["reference"] = cited(row)
            value = -1 if sign.strip() == "-1" else 1
            try:
                yield Edge.model_validate({"source": source.strip(), "target": target.strip(), "sign": value, **given})
            except ValueError as error:
                raise BadInput(f"{path.name}, line {line}: {given.get('kind')!r} is no kind of edge") from error


CHECKS: Mapping[str, str] = {
    "signor": "also in SIGNOR", "omnipath": "also in OmniPath", "collectri": "also in CollecTRI",
    "dorothea": "also in DoRothEA", "abstract": "title or abstract read", "memory": "from memory, not looked up",
}  # fmt: skip


def cited(row: Mapping[str, str]) -> str:
    """An edge's reference as it is shown: with how it was checked, a PubMed number where the row has one, and what
    speaks for the sign where published tables have the other one."""
    said = CHECKS.get(row["checked"], row["checked"])
    number = f", PMID {row['pmid']}" if row.get("pmid") else ""
    disputed = f"; published tables have the other sign: {row['note']}" if row.get("note") else ""
    return f"{row.get('reference', '')}; {said}{number}{disputed}"


@lru_cache(maxsize=1)
def families() -> Mapping[str, str]:
    """Gene -> the node that stands for its family."""
    return {m: row["node"] for row in _rows("signalling_families.csv") for m in row["members"].split("|")}


@lru_cache(maxsize=1)
def readout_nodes() -> Mapping[str, ReadoutNode]:
    """Readout by any of its names, and by the name in bare letters and digits."""
    found = {}
    for row in _rows("signalling_readouts.csv"):
        node = ReadoutNode(row["readout"], row["node"], cast(Sign, int(row["sign"])))
        for name in (row["readout"], *row["names"].split("|")):
            found[name] = found[_bare(name)] = node
    return found


def readout_node(name: str, network: SignedNetwork) -> ReadoutNode | None:
    """Where a readout sits on ``network``: by the table, or as a node or gene of that very name; None where nowhere."""
    nodes = set(network.nodes)
    known = readout_nodes().get(name) or readout_nodes().get(_bare(name))
    if known is not None:
        for node in (known.node, known.gene, families().get(known.gene, known.gene)):
            if node in nodes:
                return ReadoutNode(name, node, known.sign)
    for node in (name, families().get(name, name)):
        if node in nodes:
            return ReadoutNode(name, node, 1)
    return None


def gene_of(readout: str) -> str:
    """The gene whose product is read out; the name itself where the table does not know it."""
    known = readout_nodes().get(readout) or readout_nodes().get(_bare(readout))
    return known.gene if known else readout


def targets_of(perturbation: str, kind: str, network: SignedNetwork) -> dict[str, Sign]:
    """Node -> sign of what the perturbation does to it; a combination ("A+B") does all of its parts' things.

    A compound inhibits its known targets, unless its class says otherwise. Raises UnknownName for a gene that is no
    node, BadInput for a compound of which no target lies on the network.
    """
    found: dict[str, Sign] = {}
    for name in perturbation.split("+"):
        found |= _single(name.strip(), kind, network)
    return found


def _single(name: str, kind: str, network: SignedNetwork) -> dict[str, Sign]:
    nodes = set(network.nodes)
    if kind != "compound":
        node = name if name in nodes else families().get(name, name)
        if node not in nodes:
            raise UnknownName(name, kind="node of the network", known=network.nodes)
        return {node: -1 if kind in ("knockout", "knockdown", "antibody") else 1}
    by_name = {row["node"]: int(row["sign"]) for row in _rows("signalling_targets.csv") if name in _names(row)}
    fact = facts_for(name)
    if not by_name:
        word = f"class:{fact.mechanism_class}"
        rows = [row for row in _rows("signalling_targets.csv") if word in _names(row)]
        sign = int(rows[0]["sign"]) if rows and not rows[0]["node"] else -1
        by_name = {families().get(g, g) if families().get(g, g) in nodes else g: sign for g in fact.targets}
        by_name |= {row["node"]: int(row["sign"]) for row in rows if row["node"]}
    found = {node: cast(Sign, sign) for node, sign in by_name.items() if node in nodes}
    if not found:
        known = ", ".join(by_name) or "none known"
        raise BadInput(
            f"No target of {name!r} lies on the network {network.name!r}", why=f"its targets: {known}",
            cure="Name the target with --target NODE, or give a larger network with --network",
        )  # fmt: skip
    return found


def collapsed(network: SignedNetwork) -> SignedNetwork:
    """Paralogues merged into their family's node; of edges in conflict the more frequent sign stays, a tie goes."""
    votes: dict[tuple[str, str], list[Edge]] = {}
    for edge in network.edges:
        source, target = families().get(edge.source, edge.source), families().get(edge.target, edge.target)
        if source != target:
            merged = edge.model_copy(update={"source": source, "target": target})
            votes.setdefault((source, target), []).append(merged)
    kept = []
    for edges in votes.values():
        total = sum(e.sign for e in edges)
        if total:
            kept.append(next(e for e in edges if e.sign * total > 0))
    return SignedNetwork(network.name, tuple(kept))


@lru_cache(maxsize=1)
def common_names() -> Mapping[str, str]:
    """Gene symbol -> the name people use for its protein, where they use another."""
    return {row["gene"]: row["common"] for row in _rows("signalling_names.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    with (FACTS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _names(row: Mapping[str, str]) -> list[str]:
    return row["names"].split("|")


def _bare(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())

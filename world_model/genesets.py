"""What is written down about genes: gene sets, signed networks, full names, expression across cell lines.

Reads the public prior files as they are published (GO, MSigDB canonical pathways and Hallmark as GMT, OmniPath,
CollecTRI, NCBI names, GDSC expression). No perturbation screen is among them.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import BadInput, DataUnavailable
from .numeric import Numbers

GMT_FILES = ("go_human.gmt.gz", "c2.cp.v7.5.1.symbols.gmt", "h.all.v7.5.1.symbols.gmt")
NETWORK_FILES = (("omnipath_carnival.tsv", "\t"), ("collectri_human.csv", ","))
NAMES_FILE = "gene_ids_human.tsv.gz"
EXPRESSION_FILE = Path("gdsc") / "cell_expression.parquet"
SMALLEST, LARGEST = 3, 1000  # genes in a set; larger ones say nothing of a gene, smaller ones tie nothing together
ALIASES = Path(__file__).parent / "facts" / "gene_aliases.csv"


@dataclass(frozen=True)
class GeneSets:
    """genes: N symbols; names: S set names in plain words; sizes: (S,); member: sparse (N, S) of 0/1."""

    genes: tuple[str, ...]
    names: tuple[str, ...]
    sizes: Numbers
    member: Any

    @property
    def weight(self) -> Numbers:
        """(S,) what membership tells: log(20,000 / size), the inverse document frequency of a set."""
        return np.asarray(np.log(20000.0 / self.sizes))


@dataclass(frozen=True)
class GeneFacts:
    """titles: symbol -> full name; edges: undirected pairs of symbols; expression: (lines, genes) z-scores or None."""

    sets: GeneSets
    titles: Mapping[str, str]
    edges: tuple[tuple[str, str], ...]
    expression: Numbers | None = None
    expressed: tuple[str, ...] = ()


def read_gene_facts(folder: Path) -> GeneFacts:
    """All prior files under ``folder``/priors, and the expression table where it is there.

    Raises DataUnavailable where the gene sets are missing.
    """
    priors = folder / "priors"
    found = [priors / name for name in GMT_FILES if (priors / name).is_file()]
    if not found:
        raise DataUnavailable(
            f"No gene sets in {priors}",
            why=f"none of {', '.join(GMT_FILES)} is there",
            cure="Set CYTOCRUX_DATA_DIR to a folder that holds them under priors/ (GO and MSigDB, in GMT format)",
        )
    titles = _titles(priors / NAMES_FILE) if (priors / NAMES_FILE).is_file() else {}
    edges = [pair for name, mark in NETWORK_FILES if (priors / name).is_file() for pair in _edges(priors / name, mark)]
    expression, expressed = _expression(folder / EXPRESSION_FILE)
    return GeneFacts(gene_sets(_read_gmts(found)), titles, tuple(dict.fromkeys(edges)), expression, expressed)


def gene_sets(sets: Mapping[str, Sequence[str]]) -> GeneSets:
    """The incidence matrix of named sets; only sets of 3 to 1,000 genes stay."""
    import scipy.sparse as sp

    kept = {name: sorted(set(genes)) for name, genes in sets.items()}
    kept = {name: genes for name, genes in kept.items() if SMALLEST <= len(genes) <= LARGEST}
    genes = sorted({g for members in kept.values() for g in members})
    at = {g: i for i, g in enumerate(genes)}
    rows = np.array([at[g] for members in kept.values() for g in members], dtype=np.intp)
    sizes = np.array([len(members) for members in kept.values()], dtype=np.float64)
    columns = np.repeat(np.arange(len(kept)), sizes.astype(int))
    member = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(genes), len(kept)))
    return GeneSets(tuple(genes), tuple(kept), sizes, member)


def plain_name(name: str) -> str:
    """A set's name in lower-case words, without its source: "KEGG_RIBOSOME" -> "ribosome"."""
    words = re.sub(r"[_\-]+", " ", name.lower())
    words = re.sub(r"^(go go:\d+|reactome|kegg|wp|pid|biocarta|hallmark|naba|sa|sig|st) ", "", words)
    return re.sub(r"\s+", " ", words).strip()


@lru_cache(maxsize=1)
def aliases() -> Mapping[str, str]:
    """Earlier symbol -> present symbol, for the genes that screens of the last decade still name the old way."""
    with ALIASES.open(encoding="utf-8", newline="") as stream:
        return {row["earlier"]: row["present"] for row in csv.DictReader(stream)}


def present_symbol(symbol: str, known: Mapping[str, int]) -> str | None:
    """The name under which ``known`` holds this gene, or None: as given, in present spelling, or by its alias.

    Rules: C1ORF35 -> C1orf35, MARCH1 -> MARCHF1, SEPT2 -> SEPTIN2, and ``facts/gene_aliases.csv``.
    """
    tries = [symbol, re.sub(r"\.\d+$", "", symbol)]
    tries.append(re.sub(r"^(C(?:\d+|X|Y))ORF(\d+)$", r"\1orf\2", tries[1]))
    tries.append(re.sub(r"^MARCH(\d+)$", r"MARCHF\1", tries[1]))
    tries.append(re.sub(r"^SEPT(\d+)$", r"SEPTIN\1", tries[1]))
    tries.append(aliases().get(tries[1], ""))
    return next((name for name in tries if name in known), None)


def _read_gmts(paths: Iterable[Path]) -> dict[str, list[str]]:
    sets: dict[str, list[str]] = {}
    for path in paths:
        with _open(path) as stream:
            for number, line in enumerate(stream, 1):
                cells = line.rstrip("\n").split("\t")
                if len(cells) < 3:
                    raise BadInput(f"{path.name} line {number} is no gene set", cure="Use the GMT file as published")
                name = f"GO {cells[0]} {cells[1]}" if cells[0].startswith("GO:") else cells[0]
                sets[name] = [g for g in cells[2:] if g]
    return sets


def _titles(path: Path) -> dict[str, str]:
    with _open(path) as stream:
        return {r["symbol"]: r["gene_name"] or "" for r in csv.DictReader(stream, delimiter="\t") if r["symbol"]}


def _edges(path: Path, mark: str) -> list[tuple[str, str]]:
    with _open(path) as stream:
        pairs = ((row["source"], row["target"]) for row in csv.DictReader(stream, delimiter=mark))
        return [(a, b) if a < b else (b, a) for a, b in pairs if a != b]


def _expression(path: Path) -> tuple[Numbers | None, tuple[str, ...]]:
    if not path.is_file():
        return None, ()
    import pandas as pd

    table = pd.read_parquet(path)
    return table.to_numpy(np.float64), tuple(map(str, table.columns))


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")

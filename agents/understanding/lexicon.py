"""The names that questions are made of: diseases, contexts, drugs, classes, genes, proteins, treatments, readouts.

Hand-written tables (``lexicon/``), the compound facts of the cell and, where the data kit is at hand, its gene symbols.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from .text import key

Kind = Literal["disease", "context", "compound", "class", "gene", "protein", "treatment", "readout"]
TABLES: dict[Kind, str] = {
    "disease": "diseases", "context": "contexts", "class": "classes", "protein": "proteins", "gene": "genes",
    "treatment": "treatments", "readout": "readouts", "compound": "drugs",
}  # fmt: skip
FOLDER = Path(__file__).parent / "lexicon"
FACTS = Path(__file__).parent.parent.parent / "world_model" / "facts"
# Symbols and abbreviations that are everyday words when written in lower case
WORDS = frozenset(
    "all met kit ret set rest cat fas lat was his her mm ad ar er ht db rd hh em hel sem riva mino mia toledo reh ros "
    "vim fos jun app bid bax bad ins tox ice cd fit als sma mds tf adc ici hma flu e2 rela atm atr gr ap rev ran mica "
    "impact large bak arc max raf mek src abl alk lep trap hip crest aids wars cars nars bcr dmd fn1 snail puma "
    "noxa gist dc msc pma tpa ato vpa chx tsa mtx ipf pd1 ra ms hsc esc ctl car copd cll pel saha par sp1 dht igf "
    "pharma male reg light bim tau scf trail insulin".split()
)
ALWAYS = frozenset({"bim", "tau", "insulin", "trail"})  # these are meant even in lower case
SHORT = 2  # names of so few letters and digits must be written as they stand here
HGNC = "gene_ids_human.tsv.gz"


@dataclass(frozen=True)
class Name:
    """One entry: what it is, its canonical name, the kind of treatment or the modality where it has one."""

    kind: Kind
    name: str
    detail: str = ""


@dataclass(frozen=True)
class Lexicon:
    """Squeezed spelling -> entries; ``cased``: spellings that count only as they are written there."""

    entries: dict[str, tuple[Name, ...]]
    cased: dict[str, frozenset[str]]
    longest: int

    def find(self, flat: str) -> tuple[Name, ...]:
        """Entries of a squeezed spelling, a plural s forgiven."""
        found = self.entries.get(flat, ())
        if not found and len(flat) > 4 and flat.endswith("s"):
            found = self.entries.get(flat[:-1], ())
        return found

    def written(self, flat: str, as_typed: str) -> bool:
        """Whether a short or word-like name is written in its own case."""
        own = self.cased.get(flat)
        return own is None or as_typed in own or as_typed.rstrip("s") in own


@cache
def lexicon() -> Lexicon:
    """Read once; gene symbols of the data kit join where CYTOCRUX_DATA_DIR has them."""
    entries: dict[str, list[Name]] = {}
    spellings: dict[str, set[str]] = {}

    def add(name: Name, *written: str) -> None:
        for spelling in written:
            flat = key(spelling)
            if not flat:
                continue
            known = entries.setdefault(flat, [])
            if name not in known and not any(k.kind == name.kind for k in known):
                known.append(name)
            spellings.setdefault(flat, set()).add(spelling)

    for kind, file in TABLES.items():
        for row in _rows(FOLDER / f"{file}.csv"):
            detail = row.get("kind") or row.get("modality") or ""
            also = [a for a in (row["also"] or "").split("|") if a]
            add(Name(kind, row["name"], detail), row["name"], *also)
    for row in _rows(FACTS / "compounds.csv"):
        also = [row["name"], *(a for a in row["aliases"].split("|") if a)]
        known = [n for a in also for n in entries.get(key(a), []) if n.kind == "compound"]
        add(known[0] if known else Name("compound", row["name"].lower()), *also)
    told = set(entries)
    for symbol in _symbols():
        add(Name("gene", symbol), symbol)
    bare = set(entries) - told  # a bare symbol counts in capitals only
    cased = {
        f: frozenset(s)
        for f, s in spellings.items()
        if f in bare or ((len(f) <= SHORT or f in WORDS) and f not in ALWAYS)
    }
    return Lexicon({f: tuple(n) for f, n in entries.items()}, cased, max(map(len, entries)))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _symbols() -> list[str]:
    """Gene symbols: those of the signalling network, and of the data kit where it is at hand."""
    from ...world_model.data.fetch import data_dir

    found = {r[end] for r in _rows(FACTS / "signalling.csv") for end in ("source", "target")}
    found |= {t for r in _rows(FACTS / "compounds.csv") for t in r["targets"].split("|") if t}
    root = data_dir()
    if root is not None and (root / "priors" / HGNC).is_file():
        with gzip.open(root / "priors" / HGNC, "rt", encoding="utf-8") as stream:
            found |= {row["symbol"] for row in csv.DictReader(stream, delimiter="\t")}
    return sorted(s for s in found if s.isascii() and s.replace("-", "").isalnum() and s.upper() == s and len(s) > 1)

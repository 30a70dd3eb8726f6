"""Requests that a person must release first: toxins, pathogens, chemical weapons, explosives, controlled substances.

``facts/hazards.csv`` is the policy, one rule a row: a pattern of words or a substructure, the list it was taken from,
one request that it stops and a near one that it lets pass (both are tested). A rule reads names, not intentions: it
can be wrong both ways, so whatever it stops a named person may release, and the ledger keeps name and reason.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..world_model.errors import BadInput, NotAllowed

if TYPE_CHECKING:
    from ..world_model.data.dataset import Dataset

TABLE = Path(__file__).parent / "facts" / "hazards.csv"
# letters of other scripts that look like Latin ones: the same word to a reader
_LOOK_ALIKE = str.maketrans("аеорсхуіѕјԁοανικρτ", "aeopcxyisjdoavikpt")
_SMILES = re.compile(r"(?<![^\s,;:'\"`])[A-Za-z0-9@+\-\[\]()=#/\\%.]{5,400}(?![^\s,;:'\"`?!])")


@dataclass(frozen=True)
class Rule:
    """stops, passes: a text or SMILES that the rule must catch, and a near one that it must not."""

    rule: str
    category: str
    kind: Literal["text", "smarts"]
    pattern: str
    source: str
    stops: str
    passes: str


@dataclass(frozen=True)
class Hazard:
    """A rule and the words or the structure that it was found in."""

    rule: Rule
    found: str


@cache
def rules() -> tuple[Rule, ...]:
    """The policy, in the order of its table."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return tuple(Rule(**row) for row in csv.DictReader(stream))  # type: ignore[arg-type]


def in_text(text: str) -> list[Hazard]:
    """What the policy stops in words: names in English and Chinese, and SMILES written among them."""
    plain = folded(text)
    found = [Hazard(rule, hit.group(0)) for rule, pattern in _texts() if (hit := pattern.search(plain))]
    for token in _SMILES.findall(unicodedata.normalize("NFKC", text)):
        token = token.rstrip(".")
        if re.search(r"[=()#\[\]]|[a-z]\d|Cl|Br", token) and re.search(r"[CNOPScnops]", token):
            found += in_structure(token)
    return found


def in_structure(smiles: str) -> list[Hazard]:
    """What the policy stops in a structure; nothing where RDKit cannot read it as a molecule."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return []
    return [Hazard(rule, smiles[:80]) for rule, pattern in _structures() if molecule.HasSubstructMatch(pattern)]


def in_dataset(dataset: Dataset) -> list[Hazard]:
    """What the policy stops among the compounds of a data set: their names, and structures where it gives them."""
    smiles: Mapping[str, Any] = dataset.wells.uns.get("smiles", {})
    found: list[Hazard] = []
    for name in sorted({part for p in dataset.perturbations for part in p.split("+")}):
        found += in_text(name)
        found += in_structure(str(smiles[name])) if smiles.get(name) else []
    return found


def folded(text: str) -> str:
    """Lower case, one width, look-alike letters as Latin ones, nothing unseen, one space between words."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_LOOK_ALIKE)
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc", "Mn") or c in "\n\t")
    return re.sub(r"[\s_]+", " ", text)


def require_release(hazards: Iterable[Hazard], released: str = "") -> None:
    """Raises NotAllowed where the policy stops something and no person has released it ("NAME: why")."""
    found = list(hazards)
    check_release(released)
    if not found or released:
        return
    named = "; ".join(dict.fromkeys(f"{h.found[:60]!r} is a {h.rule.category} ({h.rule.source})" for h in found[:3]))
    raise NotAllowed(
        "The request is stopped by the hazard policy and nothing was recorded",
        why=named,
        cure='A person who answers for it may release it by name: --release "NAME: why it is safe and allowed"',
    )


def check_release(released: str) -> None:
    """Raises BadInput where a release names no person or no reason."""
    who, _, why = released.partition(":")
    if released and not (len(who.strip()) >= 2 and len(why.strip()) >= 10):
        raise BadInput("The release names no person or no reason", cure='write --release "NAME: why it is safe"')


@cache
def _texts() -> tuple[tuple[Rule, re.Pattern[str]], ...]:
    return tuple((r, re.compile(r.pattern, re.S)) for r in rules() if r.kind == "text")


@cache
def _structures() -> tuple[tuple[Rule, Any], ...]:
    from rdkit import Chem

    return tuple((r, Chem.MolFromSmarts(r.pattern)) for r in rules() if r.kind == "smarts")

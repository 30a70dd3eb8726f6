"""What is known of a compound: its other names, targets, mechanism class and structure.

``facts/compounds.csv`` was written by hand for the compounds of GDSC and the RPPA screen; its ``source``
column says where a fact can be looked up, ``checked`` whether it was: the mechanism agrees with the Drug Repurposing
Hub (hub) or LINCS (lincs), differs for the reason in ``note`` (hand), or comes from memory alone (memory). The words of
``facts/mechanisms.csv`` are those by which these tables name a class. A compound nobody knows has the class "unknown",
never a guess.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from .errors import BadInput, UnknownName

FOLDER = Path(__file__).parent / "facts"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class CompoundFacts:
    """targets: HGNC symbols. pathway: the broader group of the class. tags: "anthracycline", "vinca", …"""

    name: str
    aliases: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    mechanism_class: str = UNKNOWN
    pathway: str = UNKNOWN
    tags: tuple[str, ...] = ()
    source: str = ""

    @property
    def known(self) -> bool:
        return self.mechanism_class != UNKNOWN


@lru_cache(maxsize=1)
def facts() -> Mapping[str, CompoundFacts]:
    """Every compound in the tables by its name, the simulated ones included."""
    with (FOLDER / "mechanisms.csv").open(encoding="utf-8", newline="") as stream:
        pathway = {row["mechanism_class"]: row["pathway"] for row in csv.DictReader(stream)}
    found = {}
    for table in ("compounds.csv", "simulated_compounds.csv"):
        with (FOLDER / table).open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                found[row["name"]] = CompoundFacts(
                    row["name"], _split(row["aliases"]), _split(row["targets"]), row["mechanism_class"],
                    pathway[row["mechanism_class"]], _split(row["tags"]), row["source"],
                )  # fmt: skip
    return found


def find(name: str, known: Mapping[str, CompoundFacts] | None = None) -> CompoundFacts:
    """By name or alias, whatever the case, spaces and hyphens. Raises UnknownName, with near names."""
    table = facts() if known is None else known
    index = _index() if known is None else _keys(known.values())
    hit = index.get(_bare(name))
    if hit is None:
        names = [alias for fact in table.values() for alias in (fact.name, *fact.aliases)]
        raise UnknownName(name, kind="compound", known=names)
    return table[hit]


def facts_for(name: str, known: Mapping[str, CompoundFacts] | None = None) -> CompoundFacts:
    """As ``find``, but a compound that nobody knows comes back with the class "unknown"."""
    try:
        return find(name, known)
    except UnknownName:
        return CompoundFacts(name)


def complete_from(table: Path, known: Mapping[str, CompoundFacts] | None = None) -> dict[str, CompoundFacts]:
    """``known`` plus what the Drug Repurposing Hub's table (``repurposing_drugs_*.txt``) adds to it.

    Facts written here stay; a compound of unknown class and one not here at all take targets and mechanism
    from the table (its MoA becomes the class, in our words where we have them). The table is not shipped:
    its licence is non-commercial. Raises BadInput where it is not such a table.
    """
    known = facts() if known is None else known
    merged, index = dict(known), _keys(known.values())
    pathways = {fact.mechanism_class: fact.pathway for fact in known.values()}
    for row in _hub_rows(table):
        name = row["pert_iname"].strip()
        moa = row["moa"].split("|")[0].strip()
        mechanism = _our_class(moa)
        held = merged.get(index.get(_bare(name), ""))
        if held is not None and (held.known or not moa):
            continue
        base = held or CompoundFacts(name)
        merged[base.name] = replace(
            base, targets=_split(row["target"]), mechanism_class=mechanism or UNKNOWN,
            pathway=pathways.get(mechanism, "other" if mechanism else UNKNOWN),
            source="Drug Repurposing Hub, doi:10.1038/nm.4306",
        )  # fmt: skip
        index.setdefault(_bare(name), base.name)
    return merged


@dataclass(frozen=True)
class Structure:
    """Canonical SMILES and InChIKey of a molecule's largest organic part (salts stripped, charges neutralised)."""

    smiles: str
    inchikey: str


def normalise(smiles: str) -> Structure:
    """Raises BadInput where RDKit cannot read ``smiles`` as a molecule."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.MolStandardize import rdMolStandardize

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles.strip()) if smiles.strip() else None
        if molecule is None:
            shown = smiles if len(smiles) <= 80 else smiles[:77] + "..."
            raise BadInput(f"{shown!r} is not a molecule", why="RDKit cannot read it as SMILES")
        parent = rdMolStandardize.ChargeParent(molecule)
        return Structure(Chem.MolToSmiles(parent), str(Chem.MolToInchiKey(parent)))  # type: ignore[no-untyped-call]


def _hub_rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(encoding="utf-8", errors="replace", newline="") as stream:
        lines = (line for line in stream if not line.startswith("!"))
        reader = csv.DictReader(lines, delimiter="\t")
        if not {"pert_iname", "moa", "target"} <= set(reader.fieldnames or ()):
            raise BadInput(
                f"{table.name} is not a Drug Repurposing Hub table",
                why="it has no columns pert_iname, moa and target", cure="Use repurposing_drugs_*.txt",
            )  # fmt: skip
        for row in reader:
            yield {key: row[key] or "" for key in ("pert_iname", "moa", "target")}


# the hub's words for mechanisms that have a class of their own here
HUB_CLASSES = {
    "RAF inhibitor": ("RAF inhibitor",),
    "MEK inhibitor": ("MEK inhibitor",),
    "PI3K inhibitor": ("PI3K inhibitor", "phosphoinositide"),
    "mTOR inhibitor": ("mTOR inhibitor",),
    "AKT inhibitor": ("AKT inhibitor",),
    "HDAC inhibitor": ("HDAC inhibitor",),
    "BCL2-family inhibitor": ("BCL inhibitor", "MCL1 inhibitor"),
    "BTK inhibitor": ("Bruton's tyrosine kinase",),
    "CDK inhibitor": ("CDK inhibitor",),
    "proteasome inhibitor": ("proteasome inhibitor",),
    "tubulin inhibitor": ("tubulin", "microtubule"),
    "PARP inhibitor": ("PARP inhibitor",),
    "HSP90 inhibitor": ("HSP inhibitor",),
    "BET inhibitor": ("bromodomain inhibitor",),
    "Aurora kinase inhibitor": ("Aurora kinase",),
    "PLK inhibitor": ("PLK inhibitor",),
    "EGFR/HER2 inhibitor": ("EGFR inhibitor",),
    "FGFR inhibitor": ("FGFR inhibitor",),
    "VEGFR/multikinase inhibitor": ("VEGFR inhibitor", "PDGFR"),
    "SRC/ABL inhibitor": ("Src inhibitor", "Abl kinase", "Bcr-Abl"),
    "JAK inhibitor": ("JAK inhibitor",),
    "IGF1R inhibitor": ("IGF-1 inhibitor",),
    "glucocorticoid": ("glucocorticoid receptor agonist",),
    "retinoid": ("retinoid receptor agonist",),
}


def _our_class(moa: str) -> str:
    lowered = moa.lower()
    if lowered.startswith("topoisomerase inhibitor"):
        return "topoisomerase inhibitor"
    for mechanism, words in HUB_CLASSES.items():
        if any(lowered.startswith(word.lower()) for word in words):
            return mechanism
    return moa


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())


def _bare(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _keys(table: Iterable[CompoundFacts]) -> dict[str, str]:
    """Bare name or alias -> name; a compound's own name goes before another's alias."""
    table = list(table)
    keys = {_bare(alias): fact.name for fact in table for alias in fact.aliases}
    return keys | {_bare(fact.name): fact.name for fact in table}


@lru_cache(maxsize=1)
def _index() -> dict[str, str]:
    return _keys(facts().values())

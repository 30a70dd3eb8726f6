"""Features of the compounds of a pool from prior knowledge alone: structure, mechanism, targets and their pathways.

The same shape as for genes (``genepool.PoolFeatures``): blocks of rows of length one, zero where nothing is known.
No response of any cell to any compound is among them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from .compounds import CompoundFacts, complete_from, facts, facts_for
from .genepool import GeneAtlas, PoolFeatures, unit_rows
from .numeric import Numbers

HUB = Path("drugs") / "repurposing_drugs_20200324.txt"
STRUCTURES = ((Path("gdsc") / "smiles.csv", ",", "drug"), (Path("drugs") / "repurposing_samples_20200324.txt", "\t",
                                                          "pert_iname"))  # fmt: skip
FINGERPRINT_BITS, FINGERPRINT_RADIUS = 1024, 2  # Morgan (Rogers and Hahn 2010)


def compound_pool(names: Sequence[str], folder: Path | None, atlas: GeneAtlas | None = None) -> PoolFeatures:
    """Blocks "structure", "mechanism" (class, pathway, targets) and "pathways" (the targets' gene sets).

    folder: the data folder with the public drug tables; without it only the shipped facts count.
    """
    known = facts()
    if folder is not None and (folder / HUB).is_file():
        known = complete_from(folder / HUB)
    told = [facts_for(name, known) for name in names]
    blocks = {"mechanism": unit_rows(_words([_mechanism_words(fact) for fact in told]))}
    smiles = _structures(folder) if folder is not None else {}
    blocks["structure"] = unit_rows(_fingerprints([smiles.get(_bare(name), "") for name in names]))
    if atlas is not None:
        blocks["pathways"] = unit_rows(_pathways(told, atlas))
    return PoolFeatures(tuple(names), blocks, np.log1p([len(fact.targets) for fact in told]))


def target_prior(names: Sequence[str], question_score: Mapping[str, float], folder: Path | None) -> Numbers:
    """(N,) a compound is worth its best target's worth to the question; 0 where no target is known."""
    known = complete_from(folder / HUB) if folder is not None and (folder / HUB).is_file() else facts()
    told = (facts_for(name, known).targets for name in names)
    return np.array([max((question_score.get(t, 0.0) for t in targets), default=0.0) for targets in told])


def _mechanism_words(fact: CompoundFacts) -> list[str]:
    words = [f"target {t}" for t in fact.targets]
    if fact.known:
        words += [f"class {fact.mechanism_class}", f"pathway {fact.pathway}", *(f"tag {t}" for t in fact.tags)]
    return words


def _words(lists: Sequence[list[str]]) -> Numbers:
    """(N, words) tf-idf of words that two or more compounds share."""
    count: dict[str, int] = {}
    for words in lists:
        for word in set(words):
            count[word] = count.get(word, 0) + 1
    column = {word: j for j, word in enumerate(sorted(w for w, c in count.items() if c > 1))}
    out = np.zeros((len(lists), max(len(column), 1)))
    for i, words in enumerate(lists):
        for word in words:
            if word in column:
                out[i, column[word]] = np.log(len(lists) / count[word]) + 1.0
    return out


def _pathways(told: Iterable[CompoundFacts], atlas: GeneAtlas) -> Numbers:
    sets = atlas.blocks["sets"]
    rows = []
    for fact in told:
        at = atlas.rows_of(fact.targets)
        at = at[at >= 0]
        rows.append(sets[at].mean(axis=0) if len(at) else np.zeros(sets.shape[1]))
    return np.array(rows)


def _fingerprints(smiles: Sequence[str]) -> Numbers:
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdFingerprintGenerator

    make = rdFingerprintGenerator.GetMorganGenerator(radius=FINGERPRINT_RADIUS, fpSize=FINGERPRINT_BITS)
    out = np.zeros((len(smiles), FINGERPRINT_BITS))
    with rdBase.BlockLogs():
        for i, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text) if text else None
            if molecule is not None:
                out[i] = make.GetFingerprintAsNumPy(molecule)
    return out


def _structures(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, mark, column in STRUCTURES:
        if not (folder / name).is_file():
            continue
        with (folder / name).open(encoding="utf-8", errors="replace", newline="") as stream:
            for row in csv.DictReader((line for line in stream if not line.startswith("!")), delimiter=mark):
                if row["smiles"]:
                    found.setdefault(_bare(row[column]), row["smiles"])
    return found


def _bare(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())

"""Features of compounds for ``VirtualCell.fit(perturbation_features=…)``: what molecules and their targets share.

Each frame holds only the compounds it knows something of; a compound without a structure is still known by its
targets and mechanism, one that nobody knows is in no frame. No response of any cell is among the features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .compounds import CompoundFacts, facts_for, normalise
from .errors import BadInput

if TYPE_CHECKING:
    from .rows import Array

BITS, RADIUS = 2048, 2
DESCRIPTORS = (
    "MolWt", "MolLogP", "TPSA", "NumHDonors", "NumHAcceptors", "NumRotatableBonds", "FractionCSP3", "RingCount",
    "NumAromaticRings", "NumHeteroatoms", "BertzCT", "MolMR", "qed",
)  # fmt: skip


def compound_features(
    names: Iterable[str], smiles: Mapping[str, str] | None = None, known: Mapping[str, CompoundFacts] | None = None
) -> dict[str, pd.DataFrame]:
    """Frames of compounds x features: "structure", "physico-chemistry", "targets", "mechanism", "pathway", "tags".

    smiles: name -> SMILES, where known; one that RDKit cannot read counts as not known. known: facts by name (default:
    the shipped ones). "structure": Morgan bits of radius 2 that also count (0/1; Rogers and Hahn 2010);
    "physico-chemistry": RDKit descriptors in sd of the compounds at hand; the others 0/1 memberships.
    """
    names = sorted(set(names))
    told = {name: facts_for(name, known) for name in names}
    molecules = {name: m for name in names if (m := _molecule((smiles or {}).get(name, ""))) is not None}
    frames = {
        "structure": _frame({name: fingerprint(m) for name, m in molecules.items()}),
        "physico-chemistry": _scaled(_frame({name: _descriptors(m) for name, m in molecules.items()}, DESCRIPTORS)),
        "targets": _members(told, lambda fact: fact.targets),
        "mechanism": _members(told, lambda fact: (fact.mechanism_class,) if fact.known else ()),
        "pathway": _members(told, lambda fact: (fact.pathway,) if fact.known else ()),
        "tags": _members(told, lambda fact: fact.tags),
    }
    return {name: frame for name, frame in frames.items() if frame.size}


def fingerprint(molecule: Any) -> Array:
    """(2048,) Morgan bits of an RDKit molecule; further bits of an environment say how often it occurs."""
    from rdkit.Chem import rdFingerprintGenerator

    maker = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS, countSimulation=True)
    return np.asarray(maker.GetFingerprintAsNumPy(molecule), dtype=np.float64)


def scaffold(smiles: str) -> str:
    """Ring systems and what links them, as SMILES (Bemis and Murcko 1996); "" for a molecule without rings.

    Raises BadInput where RDKit cannot read ``smiles``.
    """
    from rdkit.Chem.Scaffolds import MurckoScaffold

    return str(MurckoScaffold.MurckoScaffoldSmiles(smiles=normalise(smiles).smiles))  # type: ignore[no-untyped-call]


def tanimoto(a: Array, b: Array) -> Array:
    """(n, m) shared bits over all bits of two sets of 0/1 rows; 0 where both are empty."""
    both = a @ b.T
    return np.asarray(both / np.maximum(a.sum(axis=1)[:, None] + b.sum(axis=1)[None, :] - both, 1e-12))


def _molecule(smiles: str) -> Any:
    from rdkit import Chem

    try:
        return Chem.MolFromSmiles(normalise(smiles).smiles) if smiles else None
    except BadInput:
        return None


def _descriptors(molecule: Any) -> Array:
    from rdkit.Chem import Descriptors

    table = dict(Descriptors.descList)
    return np.array([float(table[name](molecule)) for name in DESCRIPTORS])


def _frame(rows: Mapping[str, Array], columns: Iterable[str] | None = None) -> pd.DataFrame:
    if not rows:
        return pd.DataFrame()
    return pd.DataFrame(np.stack(list(rows.values())), index=list(rows), columns=list(columns) if columns else None)


def _scaled(frame: pd.DataFrame) -> pd.DataFrame:
    if not frame.size:
        return frame
    spread = frame.std(ddof=0)
    return (frame - frame.mean()) / spread.where(spread > 1e-9, 1.0)


def _members(told: Mapping[str, CompoundFacts], words: Callable[[CompoundFacts], tuple[str, ...]]) -> pd.DataFrame:
    """0/1, compounds that have such words x words."""
    sets = {name: set(words(fact)) for name, fact in told.items() if words(fact)}
    every = sorted(set().union(*sets.values())) if sets else []
    return _frame({name: np.array([w in have for w in every], dtype=np.float64) for name, have in sets.items()}, every)

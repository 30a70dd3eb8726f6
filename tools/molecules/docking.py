"""Docking with AutoDock Vina: an ensemble of poses, never an affinity.

Measured on prepared series: a pose near the reference is among nine for every tyk2 ligand while the first one is for a
third, and the score ranks ligands worse than their size for two of five targets. So a result carries all poses, and its
score stands beside the number of heavy atoms. Vina: Eberhardt et al. 2021, doi:10.1021/acs.jcim.1c00203.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...world_model.errors import BadInput
from .extras import need, versions
from .prepare import Receptor

POSES, EXHAUSTIVENESS, MARGIN = 9, 8, 6.0  # MARGIN: angstrom of box around a reference ligand, each side
LARGEST_BOX = 60.0
SCORE_NOTE = "Vina score, kcal/mol by name only: not an affinity; compare poses of one ligand, not ligands"


@dataclass(frozen=True)
class Box:
    """Where to dock: centre and edge lengths in angstrom."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]

    def __post_init__(self) -> None:
        if min(self.size) <= 0 or max(self.size) > LARGEST_BOX:
            raise BadInput(f"A box of {self.size} angstrom cannot be docked into", cure=f"Edges: 0 to {LARGEST_BOX:g}")

    @classmethod
    def around(cls, reference: Any, margin: float = MARGIN) -> Box:
        """Around the atoms of a reference ligand (an RDKit molecule with a conformer)."""
        xyz = reference.GetConformer().GetPositions()
        low, high = xyz.min(axis=0) - margin, xyz.max(axis=0) + margin
        return cls(_three((low + high) / 2), _three(high - low))


@dataclass(frozen=True)
class Docked:
    """Poses of one ligand, best score first. scores: (k,); pose: an RDKit molecule with k conformers."""

    ligand: str
    scores: tuple[float, ...]
    pose: Any
    heavy_atoms: int
    provenance: dict[str, str] = field(default_factory=dict)
    note: str = SCORE_NOTE


def dock(
    receptor: Receptor, ligand: Any, box: Box, *, seed: int = 42, poses: int = POSES,
    exhaustiveness: int = EXHAUSTIVENESS,    cpu: int = 1,
) -> Docked:  # fmt: skip
    """Dock a ligand (RDKit, hydrogens, one conformer). Equal for equal seed, whatever the number of threads.

    Raises BadInput where the ligand cannot be typed or nothing fits the box.
    """
    engine = _engine(receptor, seed, cpu)
    text = _pdbqt(ligand)
    engine.set_ligand_from_string(text)
    engine.compute_vina_maps(center=list(box.centre), box_size=list(box.size))
    engine.dock(exhaustiveness=exhaustiveness, n_poses=poses)
    written = engine.poses(n_poses=poses)
    if not written:
        raise BadInput("No pose fits the box", cure="Take a larger box, or check where it lies")
    scores = tuple(float(e[0]) for e in engine.energies(n_poses=poses))
    provenance = {
        **versions("vina", "meeko", "rdkit"), "receptor_sha256": receptor.sha256, "seed": str(seed),
        "exhaustiveness": str(exhaustiveness), "box": f"{box.centre} {box.size}",
        "ligand_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }  # fmt: skip
    name = ligand.GetProp("_Name") if ligand.HasProp("_Name") else ""
    return Docked(name, scores, _poses(written), ligand.GetNumHeavyAtoms(), provenance)


def scores_in_place(receptor: Receptor, posed: Any) -> tuple[float, float]:
    """Vina scores of a given pose (RDKit with hydrogens and coordinates): as it is, and after a local relaxation.

    The relaxed one depends on where the grid lies by some hundredths, which is as much as close analogues differ.
    """
    engine = _engine(receptor, 0, 1)
    engine.set_ligand_from_string(_pdbqt(posed))
    box = Box.around(posed, 8.0)
    engine.compute_vina_maps(center=list(box.centre), box_size=list(box.size))
    return float(engine.score()[0]), float(engine.optimize()[0])


def rmsd(docked: Any, reference: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(k,) heavy-atom RMSD of each pose to a reference, angstrom, symmetry considered, nothing superposed."""
    from rdkit import Chem
    from rdkit.Chem import rdMolAlign

    probe, ref = Chem.RemoveHs(docked), Chem.RemoveHs(reference)
    return np.array([rdMolAlign.CalcRMS(probe, ref, prbId=c.GetId()) for c in probe.GetConformers()])


def write_poses(docked: Docked, file: Path) -> None:
    """All poses as SDF, best score first, score and heavy atoms as fields."""
    from rdkit import Chem

    with Chem.SDWriter(str(file)) as writer:
        for rank, (conformer, score) in enumerate(zip(docked.pose.GetConformers(), docked.scores, strict=True), 1):
            docked.pose.SetProp("_Name", f"{docked.ligand} pose {rank}")
            docked.pose.SetProp("vina_score_not_affinity", f"{score:.3f}")
            docked.pose.SetProp("heavy_atoms", str(docked.heavy_atoms))
            writer.write(docked.pose, confId=conformer.GetId())


def _engine(receptor: Receptor, seed: int, cpu: int) -> Any:
    engine = need("vina").Vina(sf_name="vina", cpu=cpu, seed=seed, verbosity=0)
    engine.set_receptor(str(receptor.pdbqt))
    return engine


def _pdbqt(mol: Any) -> str:
    meeko = need("meeko")
    setups = meeko.MoleculePreparation().prepare(mol)
    text, fine, why = meeko.PDBQTWriterLegacy.write_string(setups[0])
    if not fine:
        raise BadInput("The ligand cannot be typed for docking", why=str(why))
    return str(text)


def _poses(written: str) -> Any:
    meeko = need("meeko")
    found = meeko.RDKitMolCreate.from_pdbqt_mol(meeko.PDBQTMolecule(written, skip_typing=True))
    return found[0]


def _three(values: Any) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 3) for v in values)
    return x, y, z

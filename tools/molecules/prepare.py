"""Receptors and ligands made ready for docking.

A receptor is cleaned with gemmi (first model, no water, one alternative location) and typed by meeko; hydrogens that
the file lacks are not invented, because where a proton sits is a decision for a person. A ligand gets one conformer
(ETKDGv3: Wang et al. 2020, doi:10.1021/acs.jcim.0c00025) in the protonation state of its SMILES or SDF.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...world_model.errors import BadInput
from .extras import need

STRUCTURES = (".pdb", ".cif", ".mmcif", ".pdb.gz", ".cif.gz")
WATER = frozenset({"HOH", "WAT", "DOD", "TIP3"})
PREPARE_LIMIT_S = 300


@dataclass(frozen=True)
class Receptor:
    """pdbqt: typed for docking; pdb: the same atoms for checks; sha256: of the file it came from."""

    name: str
    pdbqt: Path
    pdb: Path
    sha256: str
    notes: tuple[str, ...]


def receptor(file: Path, folder: Path) -> Receptor:
    """Clean and type a protein from PDB or mmCIF (experiment, AlphaFold DB, a predictor); results go into ``folder``.

    Raises BadInput where the file is no structure, has no protein atoms, no hydrogens, or cannot be typed.
    """
    gemmi = need("gemmi")
    if not file.is_file():
        raise BadInput(f"There is no file {file}", cure="Give a receptor as PDB or mmCIF")
    if not str(file).lower().endswith(STRUCTURES):
        raise BadInput(f"{file.name} is not a structure file", cure=f"Give one of: {', '.join(STRUCTURES)}")
    try:
        structure = gemmi.read_structure(str(file))
    except (RuntimeError, ValueError, OSError) as error:
        raise BadInput(f"{file.name} cannot be read as a structure", why=str(error)) from error
    notes = _clean(structure)
    if not len(structure) or not sum(1 for _ in structure[0].all()):
        raise BadInput(f"{file.name} holds no protein atoms", cure="Give the receptor, not the ligand")
    hydrogens = sum(1 for at in structure[0].all() if at.atom.element.name in ("H", "D"))
    if not hydrogens:
        raise BadInput(
            f"{file.name} has no hydrogen atoms", why="docking types need them, and their places are not guessed here",
            cure="Add them at your pH (pdbfixer, PDB2PQR, Maestro) and give that file",
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    pdb = folder / f"{file.name.split('.')[0]}_clean.pdb"
    structure.write_pdb(str(pdb))
    pdbqt = _typed(pdb, folder)
    return Receptor(file.name, pdbqt, pdb, hashlib.sha256(file.read_bytes()).hexdigest(), tuple(notes))


def _clean(structure: Any) -> list[str]:
    """First model, no water or other small molecules, no alternative locations; says what was taken out."""
    notes = []
    if len(structure) > 1:
        notes.append(f"{len(structure) - 1} further models left out")
        while len(structure) > 1:
            del structure[-1]
    structure.remove_alternative_conformations()
    structure.setup_entities()
    gone: dict[str, int] = {}
    from .residues import is_protein

    for chain in structure[0]:
        for i in range(len(chain) - 1, -1, -1):
            if not is_protein(chain[i].name):
                gone[chain[i].name] = gone.get(chain[i].name, 0) + 1
                del chain[i]
    structure.remove_empty_chains()
    water = sum(n for name, n in gone.items() if name in WATER)
    other = {name: n for name, n in gone.items() if name not in WATER}
    if water:
        notes.append(f"{water} waters left out")
    if other:
        notes.append("left out: " + ", ".join(f"{n} {name}" for name, n in sorted(other.items())))
    return notes


def _typed(pdb: Path, folder: Path) -> Path:
    """Run meeko's own receptor command: it reads residue templates far better than a re-implementation would."""
    need("meeko")
    out = folder / pdb.stem
    command = [
        sys.executable, "-P", "-m", "meeko.cli.mk_prepare_receptor", "--read_pdb", str(pdb), "-o", str(out), "-p",
        "--allow_bad_res",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=PREPARE_LIMIT_S, check=False)  # noqa: S603
    result = out.with_suffix(".pdbqt")
    if not result.is_file():
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
        raise BadInput(
            f"{pdb.name} could not be typed for docking", why=last[0], cure="Check its residues and hydrogens"
        )
    return result


def ligand(source: str | Path, *, seed: int = 0) -> Any:
    """An RDKit molecule with hydrogens and one fresh conformer, from SMILES or the first record of an SDF or MOL file.

    Raises BadInput for text that is no molecule, for several fragments, or where no conformer can be built.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    text = str(source)
    if isinstance(source, Path) or text.lower().endswith((".sdf", ".mol")):
        mol = next((m for m in read_sdf(Path(text))), None)
        if mol is None:
            raise BadInput(f"{Path(text).name} holds no molecule that can be read")
    else:
        mol = Chem.MolFromSmiles(text)
        if mol is None:
            raise BadInput(f"{text!r} is not a molecule", why="RDKit cannot read it as SMILES", cure="Check the SMILES")
    if len(Chem.GetMolFrags(mol)) > 1:
        raise BadInput("The ligand has several parts", why="a salt or a mixture", cure="Give the parent molecule alone")
    name = mol.GetProp("_Name") if mol.HasProp("_Name") else ""
    fresh = Chem.AddHs(Chem.RemoveHs(mol))
    if rdDistGeom.EmbedMolecule(fresh, randomSeed=seed + 1) != 0:
        raise BadInput("No conformer could be built", cure="Check stereochemistry and valences")
    rdForceFieldHelpers.MMFFOptimizeMolecule(fresh)
    fresh.SetProp("_Name", name)
    return fresh


def read_sdf(file: Path) -> list[Any]:
    """All molecules of an SDF with their hydrogens. Raises BadInput where the file is not there."""
    from rdkit import Chem

    if not file.is_file():
        raise BadInput(f"There is no file {file}", cure="Give a ligand as SDF or SMILES")
    return [m for m in Chem.SDMolSupplier(str(file), removeHs=False) if m is not None]

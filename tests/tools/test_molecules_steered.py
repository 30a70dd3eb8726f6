"""Short targeted dynamics on systems with a known answer: work against free energy, deep and shallow wells, seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cytocrux.tools.molecules import mmgbsa, steered
from cytocrux.world_model.errors import BadInput, DataUnavailable

openmm = pytest.importorskip("openmm")
WELL = 4.0  # kcal/mol/A^2
KT = 0.59616  # kcal/mol at 300 K


def well(stiffness: float, atoms: int = 1) -> tuple[Any, Any]:
    """``atoms`` particles of 100 dalton, each in a harmonic well of its own, nothing else."""
    system = openmm.System()
    force = openmm.CustomExternalForce(f"{stiffness * mmgbsa.KCAL * 50}*((x-x0)^2+y^2+z^2)")
    force.addPerParticleParameter("x0")
    for i in range(atoms):
        system.addParticle(100.0)
        force.addParticle(i, [float(i)])
    system.addForce(force)
    return system, np.array([[10.0 * i, 0.0, 0.0] for i in range(atoms)])


def pulled(stiffness: float, seed: int = 0, atoms: int = 1, **wanted: float) -> steered.Pull:
    system, xyz = well(stiffness, atoms)
    given = {"leave": 2.0, "pull_ps": 20.0, "free_ps": 2.0} | wanted
    return steered.pull(system, xyz, range(atoms), seed=seed, **given)


def free_energy(stiffness: float, r: float) -> float:
    """kcal/mol, one particle: -kT ln of the integral of 4 pi p^2 exp(-(K p^2 / 2 + k (p - r)^2 / 2) / kT) over p."""
    p = np.linspace(0, 6, 60001)
    energy = 0.5 * stiffness * p**2 + 0.5 * steered.SPRING * (p - r) ** 2
    return float(-KT * np.log(np.trapezoid(4 * np.pi * p**2 * np.exp(-energy / KT), p)))


@pytest.mark.parametrize("stiffness", [1.0, 4.0, 20.0])
def test_slow_work_is_the_free_energy(stiffness: float) -> None:
    expected = free_energy(stiffness, 2.0) - free_energy(stiffness, 0.0)
    works = [pulled(stiffness, seed).work for seed in range(6)]
    assert np.mean(works) == pytest.approx(expected, abs=1.0) and np.std(works) < 1.5


def test_a_deeper_well_holds_longer_and_drifts_less() -> None:
    deep, shallow = pulled(20.0, free_ps=20.0), pulled(1.0, free_ps=20.0)
    assert deep.work > shallow.work + 20 and deep.drift < shallow.drift
    # the mean distance of one particle from its place: sqrt(8 kT / (pi K))
    assert shallow.drift == pytest.approx(np.sqrt(8 * KT / np.pi), rel=0.3)
    r, work = np.array(deep.profile).T
    assert len(r) == 101 and r[-1] == pytest.approx(2.0) and work[-1] == deep.work


def test_equal_seeds_give_equal_work_and_the_system_is_left_alone() -> None:
    system, xyz = well(WELL, 3)
    first, again, other = (
        steered.pull(system, xyz, range(3), leave=1.0, pull_ps=1.0, free_ps=0.5, seed=s) for s in (1, 1, 2)
    )
    assert first == again and first.work != other.work
    assert system.getNumForces() == 1


def test_repeats_are_summed_up_with_their_spread() -> None:
    pulls = [steered.Pull(s, 1.0 + s, 10.0 * s, ((0.0, 0.0),)) for s in range(3)]
    told = steered.summary(pulls, 5, 2, {})
    assert (told.work, told.work_sd, told.drift, told.drift_sd) == (10.0, 10.0, 2.0, 1.0)
    assert steered.summary(pulls[:1], 5, 2, {}).work_sd is None and "no affinity" in told.note


def test_what_cannot_be_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="above zero"):
        steered.leave_pose(None, None, repeats=0)  # type: ignore[arg-type]
    monkeypatch.delenv("CYTOCRUX_AMBER", raising=False)
    with pytest.raises(DataUnavailable, match="AmberTools"):
        steered.leave_pose(None, None)  # type: ignore[arg-type]
    assert steered.fastest(openmm) in steered.FASTEST

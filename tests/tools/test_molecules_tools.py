"""Docking and its honesty: known poses come back, sizes beat scores where they do, bad input is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocrux.evals.explain_molecules import p_affinity, series
from cytocrux.tools.molecules import docking, extras, prepare, ranking, strain
from cytocrux.world_model.errors import BadInput, DataUnavailable


def test_a_missing_extra_names_its_cure() -> None:
    with pytest.raises(DataUnavailable, match=r"cytocrux\[molecules\]"):
        extras.need("no_such_package_at_all")


@pytest.mark.parametrize(
    ("text", "said"), [("C1CC", "not a molecule"), ("CC(=O)O.[Na]", "several parts"), ("absent.sdf", "no file")]
)
def test_bad_ligands_are_named(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        prepare.ligand(text)


def test_a_ligand_is_the_same_for_the_same_seed() -> None:
    a, b, c = (prepare.ligand("CC(=O)Nc1ccc(O)cc1", seed=s).GetConformer().GetPositions() for s in (3, 3, 4))
    assert np.array_equal(a, b) and not np.allclose(a, c)


def test_a_receptor_without_hydrogens_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bare.pdb"
    file.write_text("ATOM      1  CA  GLY A   1       0.000   0.000   0.000  1.00 20.00           C\nEND\n")
    with pytest.raises(BadInput, match="no hydrogen"):
        prepare.receptor(file, tmp_path)


def test_a_ligand_alone_is_no_receptor(tmp_path: Path) -> None:
    file = tmp_path / "lig.pdb"
    file.write_text("HETATM    1  C1  LIG A   1       0.000   0.000   0.000  1.00 20.00           C\nEND\n")
    with pytest.raises(BadInput, match="no protein"):
        prepare.receptor(file, tmp_path)


def test_a_box_too_large_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be docked"):
        docking.Box((0, 0, 0), (10, 10, 100))


def test_rmsd_knows_symmetry_and_moves_nothing() -> None:
    from rdkit import Chem
    from rdkit.Geometry import Point3D

    mol = prepare.ligand("c1ccccc1")
    moved = Chem.Mol(mol)
    conformer = moved.GetConformer()
    for i in range(moved.GetNumAtoms()):
        p = conformer.GetAtomPosition(i)
        conformer.SetAtomPosition(i, Point3D(p.x + 1.0, p.y, p.z))
    turned = Chem.RenumberAtoms(mol, [1, 2, 3, 4, 5, 0, *range(6, 12)])
    assert docking.rmsd(moved, mol)[0] == pytest.approx(1.0, abs=1e-3)
    assert docking.rmsd(turned, mol)[0] == pytest.approx(0.0, abs=1e-3)


def test_a_score_worse_than_size_abstains() -> None:
    rng = np.random.default_rng(0)
    size = np.arange(20, 40)
    affinity = size / 5 + rng.normal(0, 0.2, 20)
    told = ranking.judge(affinity, -rng.normal(8, 1, 20), size)
    assert "heavy atoms" in told.abstains and told.by_size > 0.9


def test_a_score_that_ranks_and_size_that_does_not_may_rank() -> None:
    rng = np.random.default_rng(1)
    affinity = np.linspace(5, 9, 20)
    told = ranking.judge(affinity, -affinity + rng.normal(0, 0.2, 20), list(rng.integers(20, 40, 20)))
    assert told.abstains == "" and told.by_score > 0.9 and told.difference[0] > 0


def test_few_actives_judge_nothing() -> None:
    assert "too few" in ranking.judge([5, 6, 7], [-5, -6, -7], [20, 20, 21]).abstains


def test_affinities_in_one_unit() -> None:
    assert p_affinity({"type": "ki", "unit": "nM", "value": 10}) == pytest.approx(8)
    assert p_affinity({"type": "ic50", "unit": "uM", "value": 1}) == pytest.approx(6)
    assert p_affinity({"type": "pic50", "unit": "", "value": 7.1}) == pytest.approx(7.1)
    assert p_affinity({"type": "dg", "unit": "kilojoules / mole", "value": -30}) is None


def test_relaxation_finds_a_known_minimum() -> None:
    def spring(xyz: strain.Xyz) -> tuple[float, strain.Xyz]:
        gap = xyz[1] - xyz[0]
        length = float(np.linalg.norm(gap))
        pull = 2 * 5.0 * (length - 1.1) * gap / length
        return 5.0 * (length - 1.1) ** 2, np.array([pull, -pull])

    start = np.array([[0.0, 0, 0], [2.0, 0, 0]])
    end, fine = strain.relax(spring, start, 100, np.array([0]))
    assert fine and np.array_equal(end[0], start[0])
    assert np.linalg.norm(end[1] - end[0]) == pytest.approx(1.1, abs=0.01)


def test_a_stretched_ligand_is_strained_and_a_relaxed_one_is_not() -> None:
    from rdkit.Chem import rdMolTransforms

    easy = prepare.ligand("CCO")
    hard = prepare.ligand("CCO")
    rdMolTransforms.SetBondLength(hard.GetConformer(), 0, 1, 1.75)
    low, high = (strain.strain(m, relaxed=1, conformers=3, steps=40).strain for m in (easy, hard))
    assert 0.0 <= low < 3.0 and high > low + 5.0


def test_ani_needs_its_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CYTOCRUX_ANI_PYTHON", raising=False)
    with pytest.raises(DataUnavailable, match="CYTOCRUX_ANI_PYTHON"):
        strain.strain(prepare.ligand("CCO"), method="ani2x")


@pytest.mark.kit
def test_series_carry_affinities_for_their_ligands(kit: Path) -> None:
    for name, n in (("tyk2", 13), ("cdk2", 10)):
        protein, ligands, affinity = series(kit / "structure" / "plb" / name)
        assert protein.is_file() and len(ligands) == n
        assert sum(m.GetProp("_Name") in affinity for m in ligands) == n


@pytest.mark.kit
def test_the_given_pose_of_tyk2_touches_the_hinge_and_scores(kit: Path, tmp_path: Path) -> None:
    from cytocrux.tools.molecules import checks
    from cytocrux.tools.molecules.viewer import page

    protein, ligands, _ = series(kit / "structure" / "plb" / "tyk2")
    receptor = prepare.receptor(protein, tmp_path)
    score, relaxed = docking.scores_in_place(receptor, ligands[0])
    assert -12 < relaxed < score < -6
    posed = docking.Docked("<b>lig</b>", (score,), ligands[0], ligands[0].GetNumHeavyAtoms())
    touched = {(c.residue, c.kind) for c in checks.contacts(posed, receptor)[0]}
    assert ("VAL981.A", "HBDonor") in touched and ("VAL981.A", "HBAcceptor") in touched
    text = page(posed, receptor)
    assert "<b>lig</b>" not in text and "http" not in text and "not an affinity" in text


def test_mmgbsa_needs_ambertools_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cytocrux.tools.molecules import mmgbsa

    monkeypatch.setenv("CYTOCRUX_AMBER", str(tmp_path))
    receptor = prepare.Receptor("r", tmp_path / "r.pdbqt", tmp_path / "r.pdb", "0" * 64, ())
    with pytest.raises(DataUnavailable, match="tleap"):
        mmgbsa.one_frame(receptor, prepare.ligand("CCO"))


def test_an_interaction_is_what_the_whole_has_beyond_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two charges in vacuum: complex minus receptor minus ligand is Coulomb's law."""
    import openmm

    from cytocrux.tools.molecules import mmgbsa

    def system(charges: list[float]) -> openmm.System:
        made, force = openmm.System(), openmm.NonbondedForce()
        for q in charges:
            made.addParticle(12.0)
            force.addParticle(q, 0.1, 0.0)
        made.addForce(force)
        return made

    def context(_: object, topology: list[float], xyz: object, platform: str, cutoff: bool) -> openmm.Context:
        one = openmm.Context(
            system(topology), openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(platform)
        )
        one.setPositions(xyz)
        return one

    monkeypatch.setattr(mmgbsa, "_context", context)
    parts = {"com": ([1.0, -1.0], None), "rec": ([1.0], None), "lig": ([-1.0], None)}
    xyz = np.array([[0.0, 0, 0], [1.0, 0, 0]])  # nm
    told = mmgbsa._interaction(openmm, parts, xyz, 1, "Reference")
    assert told == pytest.approx(-138.935456 / 4.184, rel=1e-4)

"""``cytocrux dock``: poses of a ligand in a receptor, checked, to look at; the score is never an affinity."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Json, Workspace

if TYPE_CHECKING:
    from ...tools.molecules.checks import Contact, Validity
    from ...tools.molecules.docking import Box, Docked
    from ...tools.molecules.prepare import Receptor


def dock(
    receptor: Annotated[Path, typer.Option(metavar="FILE", help="Protein with hydrogens: .pdb or .cif.")],
    ligand: Annotated[str, typer.Option(metavar="SMILES|FILE.sdf", help="The ligand.")],
    box_from: Annotated[
        Path | None, typer.Option(metavar="FILE.sdf", help="Dock around this reference ligand.")
    ] = None,
    box: Annotated[
        str | None, typer.Option(metavar="X,Y,Z,SX,SY,SZ", help="Or: centre and edge lengths, angstrom.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal poses.")] = 42,
    exhaustiveness: Annotated[int, typer.Option(min=1, max=64, help="More searches harder, and longer.")] = 8,
    strain: Annotated[
        bool, typer.Option("--strain", help="Also the strain of the best valid pose (GFN2-xTB).")
    ] = False,
    mmgbsa: Annotated[
        bool, typer.Option("--mmgbsa", help="Also one-frame MM-GBSA of it (minutes; needs AmberTools).")
    ] = False,
    steered: Annotated[
        bool,
        typer.Option(
            "--steered",
            help="Also short dynamics of it: drift, and the work to leave (minutes to hours "
            "on a processor; needs AmberTools).",
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write poses.sdf and poses.html here.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Dock a ligand; every pose is checked (PoseBusters) and its contacts are listed (ProLIF)."""
    from ...tools.molecules import checks, docking, prepare
    from ...tools.molecules.viewer import page

    folder = out or workspace / "docking"
    where = _box(box_from, box)
    with Progress(quiet=as_json) as progress:
        progress("preparing receptor and ligand")
        protein = prepare.receptor(receptor, folder)
        mol = prepare.ligand(ligand, seed=seed)
        progress("docking (about half a minute)")
        docked = docking.dock(protein, mol, where, seed=seed, exhaustiveness=exhaustiveness)
        progress("checking poses")
        fine, touched = checks.validity(docked, protein), checks.contacts(docked, protein)
        best = _best_valid(docked, fine)
        strained = _strain(best) if strain and best is not None else None
        held = _held(protein, best) if mmgbsa and best is not None else None
        left = _left(protein, best, seed) if steered and best is not None else None
    rows = [_row(i, docked, v, c) for i, (v, c) in enumerate(zip(fine, touched, strict=True))]
    docking.write_poses(docked, folder / "poses.sdf")
    (folder / "poses.html").write_text(page(docked, protein, _html(rows)), encoding="utf-8")
    if as_json:
        emit(
            {"ligand": docked.ligand, "heavy_atoms": docked.heavy_atoms, "note": docked.note, "poses": rows,
             "strain_kcal_mol": strained, "mmgbsa": held, "steered": left,
             "provenance": docked.provenance,
             "receptor_notes": list(protein.notes),
             "files": [str(folder / "poses.sdf"), str(folder / "poses.html")]}
        )  # fmt: skip
        return
    shown = [
        (r["pose"], r["score"], "yes" if r["valid"] else ", ".join(r["failed"]), ", ".join(r["hydrogen_bonds"]))
        for r in rows
    ]
    columns = ("Pose", "Score", "Physically valid", "Hydrogen bonds: the ligand")
    table(columns, shown, wide=columns[2:])
    say(f"{docked.heavy_atoms} heavy atoms. {docked.note}.")
    if strained is not None:
        say(f"Strain of the best valid pose: {strained:.1f} kcal/mol (GFN2-xTB, ALPB water).")
    if held is not None:
        say(f"MM-GBSA of it: {held['interaction']:.1f} kcal/mol ({held['note']}).")
    if left is not None:
        say(f"Let go, it drifts {left['drift']:.1f} A (sd {left['drift_sd']:.1f}); to leave by "
            f"{left['provenance']['leave_A']} A takes {left['work']:.0f} kcal/mol (sd {left['work_sd']:.0f}, "
            f"{len(left['repeats'])} repeats): {left['note']}.")  # fmt: skip
    say(f"Written: {folder / 'poses.sdf'}, {folder / 'poses.html'}")


def _box(reference: Path | None, given: str | None) -> Box:
    from ...tools.molecules.docking import Box
    from ...tools.molecules.prepare import read_sdf
    from ...world_model.errors import BadInput

    if (reference is None) == (given is None):
        raise BadInput("Where to dock is not clear", cure="Give either --box-from LIGAND.sdf or --box X,Y,Z,SX,SY,SZ")
    if reference is not None:
        found = read_sdf(reference)
        if not found:
            raise BadInput(f"{reference.name} holds no ligand that can be read")
        return Box.around(found[0])
    try:
        x, y, z, a, b, c = (float(v) for v in str(given).split(","))
    except ValueError as error:
        raise BadInput(f"--box {given} cannot be read", cure="Six numbers: X,Y,Z,SX,SY,SZ") from error
    return Box((x, y, z), (a, b, c))


def _row(i: int, docked: Docked, fine: Validity, touched: tuple[Contact, ...]) -> dict[str, Any]:
    acts = {"HBDonor": "donates to", "HBAcceptor": "accepts from"}
    bonds = [f"{acts[c.kind]} {c.residue}" for c in touched if c.kind in acts]
    return {
        "pose": i + 1,
        "score": round(docked.scores[i], 2),
        "valid": fine.valid,
        "failed": list(fine.failed),
        "hydrogen_bonds": bonds,
        "contacts": sorted({c.residue for c in touched}),
    }


def _best_valid(docked: Docked, fine: list[Validity]) -> Any:
    """The first valid pose alone; None where no pose is valid."""
    from rdkit import Chem

    best = next((i for i, v in enumerate(fine) if v.valid), None)
    if best is None:
        return None
    one = Chem.Mol(docked.pose)
    keep = docked.pose.GetConformers()[best]
    one.RemoveAllConformers()
    one.AddConformer(keep, assignId=True)
    return one


def _strain(pose: Any) -> float:
    from ...tools.molecules.strain import strain

    return strain(pose).strain


def _held(receptor: Receptor, pose: Any) -> dict[str, Any]:
    from dataclasses import asdict

    from ...tools.molecules.mmgbsa import one_frame

    return asdict(one_frame(receptor, pose))


def _left(receptor: Receptor, pose: Any, seed: int) -> dict[str, Any]:
    from dataclasses import asdict

    from ...tools.molecules.steered import leave_pose

    return asdict(leave_pose(receptor, pose, seed=seed))


def _html(rows: list[dict[str, Any]]) -> str:
    cells = "".join(
        f"<tr><td>{r['pose']}<td>{r['score']}<td>{'yes' if r['valid'] else html.escape(', '.join(r['failed']))}"
        f"<td>{html.escape(', '.join(r['hydrogen_bonds']) or '-')}<td>{html.escape(', '.join(r['contacts']))}"
        for r in rows
    )
    return f"<table><tr><th>Pose<th>Score<th>Valid<th>Hydrogen bonds<th>Residues touched{cells}</table>"

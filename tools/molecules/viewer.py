"""A pose to look at: one HTML file that turns under the mouse and loads nothing from anywhere."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import numpy as np

from .docking import SCORE_NOTE, Docked
from .prepare import Receptor

NEAR = 6.0  # angstrom around the poses within which receptor atoms are drawn
COLOURS = {
    "C": "#5b6b7b",
    "N": "#3b6fd4",
    "O": "#d8483e",
    "S": "#d7a316",
    "P": "#e07b28",
    "F": "#3aa655",
    "Cl": "#2f9e44",
}
PAGE = Path(__file__).with_name("viewer.html")


def page(docked: Docked, receptor: Receptor, table: str = "") -> str:
    """The whole page. ``table``: HTML made by the caller from escaped values, shown under the picture."""
    from rdkit import Chem

    protein = Chem.MolFromPDBFile(str(receptor.pdb), removeHs=True, sanitize=False)
    xyz = np.concatenate([c.GetPositions() for c in docked.pose.GetConformers()])
    centre = xyz.mean(axis=0)
    places = protein.GetConformer().GetPositions()
    near = np.flatnonzero(((places[:, None] - xyz[None, ::3]) ** 2).sum(-1).min(axis=1) < NEAR**2)
    poses = [
        {**_drawn(docked.pose, c.GetId(), centre), "label": f"pose {i} ({score:.1f})"}
        for i, (c, score) in enumerate(zip(docked.pose.GetConformers(), docked.scores, strict=True), 1)
    ]
    data = {"receptor": _drawn(protein, -1, centre, set(map(int, near))), "poses": poses}
    title = html.escape(f"{docked.ligand or 'Ligand'} in {receptor.name}")
    note = html.escape(f"{docked.heavy_atoms} heavy atoms. {SCORE_NOTE}.")
    return PAGE.read_text(encoding="utf-8") % {
        "title": title, "note": note, "near": NEAR, "table": table, "data": json.dumps(data).replace("<", "\\u003c"),
    }  # fmt: skip


def _drawn(mol: Any, conformer: int, centre: Any, only: set[int] | None = None) -> dict[str, Any]:
    """Heavy atoms, bonds and colours of one conformer, moved to ``centre``."""
    kept = [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() > 1 and (only is None or a.GetIdx() in only)]
    place = {atom: i for i, atom in enumerate(kept)}
    xyz = mol.GetConformer(conformer).GetPositions()[kept] - centre
    ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
    carbon = "#2a9d6f" if only is None else COLOURS["C"]
    symbols = [mol.GetAtomWithIdx(i).GetSymbol() for i in kept]
    return {
        "xyz": np.round(xyz, 2).tolist(),
        "bonds": [[place[a], place[b]] for a, b in ends if a in place and b in place],
        "colour": [carbon if s == "C" else COLOURS.get(s, "#888") for s in symbols],
    }

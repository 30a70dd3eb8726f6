"""Is a pose physically possible, and what does it touch: PoseBusters and ProLIF.

PoseBusters: Buttenschoen et al. 2024, doi:10.1039/D3SC04185A. ProLIF: Bouysset and Fiorucci 2021,
doi:10.1186/s13321-021-00548-6.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .docking import Docked, write_poses
from .extras import need
from .prepare import Receptor


@dataclass(frozen=True)
class Validity:
    """Tests of one pose: name -> passed. ``valid``: all of them."""

    tests: dict[str, bool]

    @property
    def valid(self) -> bool:
        return all(self.tests.values())

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(name for name, passed in self.tests.items() if not passed)


@dataclass(frozen=True)
class Contact:
    """A residue that a pose touches, and how (ProLIF's names: HBDonor, Hydrophobic, …)."""

    residue: str
    kind: str


def validity(docked: Docked, receptor: Receptor) -> list[Validity]:
    """PoseBusters' tests without a reference (chemistry, geometry, clashes, overlap) of every pose."""
    busters = need("posebusters").PoseBusters(config="dock")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "poses.sdf"
        write_poses(docked, file)
        table = busters.bust([file], None, receptor.pdb)
    return [Validity({str(k): bool(v) for k, v in row.items()}) for row in table.to_dict("records")]


def contacts(docked: Docked, receptor: Receptor) -> list[tuple[Contact, ...]]:
    """What each pose touches."""
    from rdkit import Chem

    with warnings.catch_warnings():
        warnings.showwarning = lambda *_, **__: None  # a package below ProLIF warns on import, past any filter
        prolif = need("prolif")
    protein = prolif.Molecule.from_rdkit(Chem.MolFromPDBFile(str(receptor.pdb), removeHs=False))
    fingerprint = prolif.Fingerprint()
    poses = [prolif.Molecule.from_rdkit(_single(docked.pose, c.GetId())) for c in docked.pose.GetConformers()]
    fingerprint.run_from_iterable(poses, protein, progress=False, n_jobs=1)
    found = []
    for frame in fingerprint.ifp.values():
        seen = {Contact(str(pair[1]), kind) for pair, kinds in frame.items() for kind in kinds}
        found.append(tuple(sorted(seen, key=lambda c: (c.residue, c.kind))))
    return found


def _single(mol: Any, conformer: int) -> Any:
    from rdkit import Chem

    one = Chem.Mol(mol)
    one.RemoveAllConformers()
    one.AddConformer(mol.GetConformer(conformer), assignId=True)
    return one

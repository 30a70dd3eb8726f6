"""One shape for every predictor's answer. Confidences are 0 … 1, pLDDT 0 … 100, whatever the program prints."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import Field

from ...world_model.errors import BadInput
from ...world_model.vocabulary import Frozen

AFFINITY_NOTE = (
    "predicted, not measured: the value ranks actives, the probability finds hits; neither replaces a binding assay"
)


class Affinity(Frozen):
    """Boltz-2's word on a binder. log10_ic50_uM: low = strong; pic50 = 6 - that; probability: does it bind."""

    log10_ic50_uM: float
    probability: float = Field(ge=0, le=1)
    note: str = AFFINITY_NOTE

    @property
    def pic50(self) -> float:
        return 6.0 - self.log10_ic50_uM


class Predicted(Frozen):
    """A predicted complex. ``pair_iptm[i][j]``: confidence in j's place seen from i; None = not reported."""

    program: str
    structure: Path | None
    sha256: str | None
    ranking: float | None = None  # the program's own score of this sample
    ptm: float | None = None
    iptm: float | None = None
    ligand_iptm: float | None = None
    plddt: float | None = None  # mean over atoms or residues
    chains: tuple[str, ...] = ()
    chain_ptm: tuple[float, ...] = ()
    pair_iptm: tuple[tuple[float, ...], ...] = ()
    clash: bool | None = None
    affinity: Affinity | None = None
    notes: tuple[str, ...] = ()

    def doubts(self) -> tuple[str, ...]:
        """Reasons to distrust it, in words (cut-offs of the programs' own manuals)."""
        found = []
        if self.clash:
            found.append("chains overlap in space")
        if self.iptm is not None and self.iptm < 0.6:
            found.append(f"the interface is probably wrong (ipTM {self.iptm:.2f} < 0.6)")
        elif self.iptm is not None and self.iptm < 0.8:
            found.append(f"the interface is uncertain (ipTM {self.iptm:.2f} < 0.8)")
        if self.plddt is not None and self.plddt < 70:
            found.append(f"low confidence in the local structure (mean pLDDT {self.plddt:.0f} < 70)")
        return tuple(found)


def mean_plddt(structure: Path) -> tuple[float, tuple[str, ...]]:
    """Mean B factor (where all these programs write pLDDT, 0 … 100) and chain names. Raises BadInput."""
    from ..molecules.extras import need

    gemmi = need("gemmi")
    try:
        model = gemmi.read_structure(str(structure))[0]
    except (RuntimeError, ValueError, IndexError, OSError) as error:
        raise BadInput(f"{structure.name} cannot be read as a structure", why=str(error)) from error
    values = [at.atom.b_iso for at in model.all()]
    if not values:
        raise BadInput(f"{structure.name} holds no atoms", why="the job wrote half a file", cure="Run it again")
    return sum(values) / len(values), tuple(chain.name for chain in model)


def hashed(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def number(data: dict[str, Any], key: str, where: str) -> float:
    """A finite number under ``key``. Raises BadInput where it is absent or something else."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise BadInput(f"{where} has no number {key!r}", why="the file is cut short or of another program")
    return float(value)

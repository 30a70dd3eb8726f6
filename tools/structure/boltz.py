"""Running Boltz-2 as a command in its own environment: it pins numpy and scipy versions that conflict with ours.

    python3 -m venv .venv-boltz && .venv-boltz/bin/pip install boltz==2.2.1
    export CYTOCRUX_BOLTZ=$PWD/.venv-boltz/bin/boltz BOLTZ_CACHE=/absolute/folder/with/weights

Weights are checked before a run: without them Boltz works for a minute, then fails to download them.
Boltz-2: Passaro et al. 2025, doi:10.1101/2025.06.14.659707.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from ...world_model.errors import BadInput, DataUnavailable
from .predicted import Predicted
from .read import read

WEIGHTS = ("boltz2_conf.ckpt", "boltz2_aff.ckpt", "mols")
LIMIT_S = 6 * 3600
PROTEIN = re.compile(r"[ACDEFGHIKLMNPQRSTVWYX]+")
MOST_LIGAND_ATOMS = 128


@dataclass(frozen=True)
class Job:
    """A complex to predict. proteins: chain id -> sequence; ligands: chain id -> SMILES; binder: ligand whose
    affinity is asked for ("" = none); msa: chain id -> alignment file (absent = single sequence, less accurate)."""

    name: str
    proteins: dict[str, str]
    ligands: dict[str, str]
    binder: str = ""
    msa: dict[str, Path] | None = None

    def yaml(self) -> str:
        """Boltz's input file. Raises BadInput for a sequence, SMILES or name it could not use."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", self.name):
            raise BadInput(f"{self.name!r} cannot name a job", cure="Letters, digits, - and _ only")
        if self.binder and self.binder not in self.ligands:
            raise BadInput(
                f"The binder {self.binder!r} is no ligand of the job", cure=f"One of: {', '.join(self.ligands)}"
            )
        sequences: list[dict[str, object]] = []
        for chain, sequence in self.proteins.items():
            clean = re.sub(r"\s", "", sequence).upper()
            if not PROTEIN.fullmatch(clean):
                raise BadInput(f"Chain {chain} is not a protein sequence", cure="One-letter codes only")
            alignment = (self.msa or {}).get(chain)
            sequences.append(
                {"protein": {"id": chain, "sequence": clean, "msa": str(alignment) if alignment else "empty"}}
            )
        for chain, smiles in self.ligands.items():
            _check_ligand(chain, smiles)
            sequences.append({"ligand": {"id": chain, "smiles": smiles}})
        job: dict[str, object] = {"version": 1, "sequences": sequences}
        if self.binder:
            job["properties"] = [{"affinity": {"binder": self.binder}}]
        return yaml.safe_dump(job, sort_keys=False)


def _check_ligand(chain: str, smiles: str) -> None:
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise BadInput(
            f"Ligand {chain} is not a molecule", why=f"RDKit cannot read {smiles!r}", cure="Check the SMILES"
        )
    if mol.GetNumHeavyAtoms() > MOST_LIGAND_ATOMS:
        raise BadInput(f"Ligand {chain} has {mol.GetNumHeavyAtoms()} atoms", why=f"Boltz takes {MOST_LIGAND_ATOMS}")


def missing() -> list[str]:
    """What a run would lack, each with its cure; empty when all is there."""
    command, cache = os.environ.get("CYTOCRUX_BOLTZ", ""), os.environ.get("BOLTZ_CACHE", "")
    found = []
    if not command or not Path(command).is_file():
        found.append("the boltz command: install it in an environment of its own and name it in CYTOCRUX_BOLTZ")
    if not cache or not Path(cache).is_absolute():
        found.append("BOLTZ_CACHE: an absolute folder that holds the weights")
    else:
        lost = [w for w in WEIGHTS if not (Path(cache) / w).exists()]
        if lost:
            found.append(f"weights in {cache}: {', '.join(lost)} (boltz downloads them where it has a network)")
    return found


def predict(job: Job, folder: Path, *, accelerator: str = "cpu", samples: int = 1) -> list[Predicted]:
    """Run the job and read its results. Raises DataUnavailable where command or weights are missing or it fails."""
    lacking = missing()
    if lacking:
        raise DataUnavailable("Boltz cannot run here", why="missing: " + "; ".join(lacking))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{job.name}.yaml"
    file.write_text(job.yaml(), encoding="utf-8")
    command = [
        os.environ["CYTOCRUX_BOLTZ"], "predict", str(file), "--out_dir", str(folder), "--accelerator", accelerator,
        "--diffusion_samples", str(samples), "--cache", os.environ["BOLTZ_CACHE"],
    ]  # fmt: skip
    if accelerator == "cpu":
        command.append("--no_kernels")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise DataUnavailable(
            f"Boltz ran past {LIMIT_S // 3600} h", cure="A smaller complex, or an accelerator"
        ) from error
    results = folder / f"boltz_results_{job.name}" / "predictions"
    if done.returncode or not results.is_dir():
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise DataUnavailable("Boltz ended without a result", why=last[0][:300])
    return read(results)

"""Reading a predictor's output folder or file: which program wrote it is told from its file names."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ...world_model.errors import BadInput
from .predicted import Affinity, Predicted, hashed, mean_plddt, number

CURE = "Give the output of Boltz, AlphaFold 3, Chai-1 or OpenFold 3 as that program wrote it"
LARGEST = 200_000_000  # bytes of one member of an archive


def read(path: Path) -> list[Predicted]:
    """Every sample found, best first. Raises BadInput where nothing is recognised or a file is broken."""
    if not path.exists():
        raise BadInput(f"There is no {path}", cure=CURE)
    if path.suffix == ".zip":
        return _openfold_zip(path)
    if path.is_file() and path.suffix in (".cif", ".pdb"):
        plddt, chains = mean_plddt(path)
        note = ("no confidence file beside it: pLDDT is read from the B factors",)
        return [
            Predicted(program="unknown", structure=path, sha256=hashed(path), plddt=plddt, chains=chains, notes=note)
        ]
    found = [
        *(_boltz(f) for f in sorted(path.rglob("confidence_*_model_*.json"))),
        *(_alphafold3(f) for f in sorted(path.rglob("*summary_confidences*.json"))),
        *(_chai(f) for f in sorted(path.rglob("scores.model_idx_*.npz"))),
        *(_openfold(f) for f in sorted(path.rglob("*confidences_aggregated.json"))),
    ]
    if not found:
        raise BadInput(f"Nothing in {path} is known", why="no confidence file of a known program", cure=CURE)
    return sorted(found, key=lambda p: -(p.ranking or 0.0))


def _json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{file.name} cannot be read", why=str(error), cure="The job may still be writing, or was cut"
        ) from error
    if not isinstance(data, dict):
        raise BadInput(f"{file.name} is not a confidence file", cure=CURE)
    return data


def _structure(*candidates: Path) -> tuple[Path | None, str | None, float | None, tuple[str, ...]]:
    for file in candidates:
        if file.is_file():
            plddt, chains = mean_plddt(file)
            return file, hashed(file), plddt, chains
    return None, None, None, ()


def _boltz(file: Path) -> Predicted:
    """Boltz-1 and -2: confidence_<stem>_model_<k>.json (pLDDT 0 … 1), <stem>_model_<k>.cif, affinity_<stem>.json."""
    data = _json(file)
    stem = file.stem.removeprefix("confidence_")
    structure, sha, _, chains = _structure(file.with_name(f"{stem}.cif"), file.with_name(f"{stem}.pdb"))
    order = sorted(data.get("chains_ptm", {}), key=int)
    pairs = data.get("pair_chains_iptm", {})
    told = file.with_name(f"affinity_{stem.rsplit('_model_', 1)[0]}.json")
    return Predicted(
        program="Boltz",
        structure=structure,
        sha256=sha,
        ranking=number(data, "confidence_score", file.name),
        ptm=number(data, "ptm", file.name),
        iptm=number(data, "iptm", file.name),
        ligand_iptm=data.get("ligand_iptm"),
        plddt=100 * number(data, "complex_plddt", file.name),
        chains=chains,
        chain_ptm=tuple(float(data["chains_ptm"][c]) for c in order),
        pair_iptm=tuple(tuple(float(pairs[a][b]) for b in order) for a in order if a in pairs),
        affinity=affinity(_json(told), told.name) if told.is_file() else None,
    )


def affinity(data: dict[str, Any], where: str) -> Affinity:
    """Boltz-2's affinity file (keys affinity_pred_value, affinity_probability_binary)."""
    return Affinity(
        log10_ic50_uM=number(data, "affinity_pred_value", where),
        probability=number(data, "affinity_probability_binary", where),
    )


def _alphafold3(file: Path) -> Predicted:
    """AlphaFold 3: <job>_summary_confidences.json and <job>_model.cif."""
    data = _json(file)
    stem = file.name.split("_summary_confidences")[0]
    structure, sha, plddt, chains = _structure(file.with_name(f"{stem}_model.cif"), file.with_name("model.cif"))
    return Predicted(
        program="AlphaFold 3",
        structure=structure,
        sha256=sha,
        ranking=number(data, "ranking_score", file.name),
        ptm=number(data, "ptm", file.name),
        iptm=data.get("iptm"),  # null for a single chain
        plddt=plddt,
        chains=chains,
        chain_ptm=tuple(data.get("chain_ptm") or ()),
        pair_iptm=tuple(tuple(row) for row in data.get("chain_pair_iptm") or ()),
        clash=bool(number(data, "has_clash", file.name)),
    )


def _chai(file: Path) -> Predicted:
    """Chai-1: scores.model_idx_<k>.npz beside pred.model_idx_<k>.cif."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            data = {name: arrays[name] for name in arrays}
        one = {name: float(data[name].reshape(-1)[0]) for name in ("aggregate_score", "ptm", "iptm")}
        clash = bool(data["has_inter_chain_clashes"].reshape(-1)[0])
        per_chain, pairs = data["per_chain_ptm"][0], data["per_chain_pair_iptm"][0]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BadInput(f"{file.name} is no score file of Chai-1", why=str(error), cure="Run the job again") from error
    structure, sha, plddt, chains = _structure(
        file.with_name(file.name.replace("scores.", "pred.").replace(".npz", ".cif"))
    )
    return Predicted(
        program="Chai-1",
        structure=structure,
        sha256=sha,
        ranking=one["aggregate_score"],
        ptm=one["ptm"],
        iptm=one["iptm"],
        plddt=plddt,
        chains=chains,
        chain_ptm=tuple(float(v) for v in per_chain),
        pair_iptm=tuple(tuple(float(v) for v in row) for row in pairs),
        clash=clash,
    )


def _openfold(file: Path) -> Predicted:
    data = _json(file)
    structure, sha, _, _ = _structure(file.with_name(file.name.replace("confidences_aggregated.json", "model.cif")))
    return _openfold_told(data, file.name, structure, sha)


def _openfold_told(data: dict[str, Any], where: str, structure: Path | None, sha: str | None) -> Predicted:
    """OpenFold 3: <job>_confidences_aggregated.json (pLDDT 0 … 100)."""
    chains = tuple(data.get("chain_ptm") or {})
    return Predicted(
        program="OpenFold 3",
        structure=structure,
        sha256=sha,
        ranking=number(data, "sample_ranking_score", where),
        ptm=number(data, "ptm", where),
        iptm=data.get("iptm"),
        plddt=number(data, "avg_plddt", where),
        chains=chains,
        chain_ptm=tuple(float(v) for v in (data.get("chain_ptm") or {}).values()),
        clash=bool(number(data, "has_clash", where)),
    )


def _openfold_zip(path: Path) -> list[Predicted]:
    """A downloaded job: read inside the archive, nothing is unpacked to disk."""
    found = []
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith("confidences_aggregated.json"):
                    if info.file_size > LARGEST:
                        raise BadInput(
                            f"{path.name} holds a file of {info.file_size} bytes", why="more than any result has"
                        )
                    data = json.loads(archive.read(info))
                    note = (f"read inside {path.name}; unpack it to dock into the model",)
                    found.append(_openfold_told(data, info.filename, None, None).model_copy(update={"notes": note}))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise BadInput(f"{path.name} cannot be read", why=str(error), cure="Download it again") from error
    if not found:
        raise BadInput(f"Nothing in {path.name} is known", cure=CURE)
    return sorted(found, key=lambda p: -(p.ranking or 0.0))

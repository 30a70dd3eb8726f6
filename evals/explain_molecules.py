"""Docking, scores and strain on prepared protein-ligand series (tyk2, cdk2, thrombin, hif2a), beside plain baselines.

Series: Hahn et al. 2022, doi:10.33011/livecoms.4.1.1497 (protein-ligand-benchmark, CC BY 4.0). Only the ligand of the
crystal that was used has an experimental pose; the others are modelled on it, so RMSDs are "to the reference pose".
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .results import Result

SERIES = ("tyk2", "cdk2", "thrombin", "hif2a")
BOX_SIZE = (15.0, 21.0, 18.0)  # angstrom, tyk2, as in the measurement this is compared with
NEAR, SEED, STRAINED = 2.0, 42, 20


def parts(*, fast: bool = False, data_dir: Path | None = None) -> dict[str, Callable[[], list[Result]]]:
    """Part -> what measures it (fast: three ligands each). They raise DataUnavailable without the series or extras."""
    root = partial(_root, data_dir)
    return {
        "tyk2_pose_any9": lambda: poses(root() / "tyk2", 3 if fast else None),
        "score_rank": lambda: [r for name in SERIES for r in score_rank(root() / name)],
        "strain_ani_vs_gfn2": lambda: strain_agreement(root(), 3 if fast else STRAINED),
    }


def _root(data_dir: Path | None) -> Path:
    from ..world_model.errors import DataUnavailable

    if data_dir is None or not (data_dir / "structure" / "plb").is_dir():
        raise DataUnavailable("The prepared series are not here", cure="Set CYTOCRUX_DATA_DIR")
    return data_dir / "structure" / "plb"


def series(folder: Path) -> tuple[Path, list[Any], dict[str, float]]:
    """Protein file, posed ligands with hydrogens, and pAff (-log10 of mol/l) by ligand name."""
    import yaml

    from ..tools.molecules.prepare import read_sdf

    noted = yaml.safe_load((folder / "00_data" / "ligands.yml").read_text(encoding="utf-8"))
    affinity = {n: value for n, entry in noted.items() if (value := p_affinity(entry["measurement"])) is not None}
    ligands = read_sdf(folder / "02_ligands" / "ligands.sdf")
    return next((folder / "01_protein" / "crd").glob("*.pdb")), ligands, affinity


def p_affinity(measured: dict[str, Any]) -> float | None:
    """pKi, pIC50 … from the series' notes; None for a kind or unit not meant here."""
    kind, value, unit = str(measured["type"]).lower(), float(measured["value"]), str(measured.get("unit", "")).lower()
    if kind.startswith("p"):
        return value
    scale = {"um": 1e-6, "nm": 1e-9, "mm": 1e-3}.get(unit)
    return -float(np.log10(value * scale)) if scale and kind in ("ki", "ic50", "kd") else None


def poses(folder: Path, most: int | None) -> list[Result]:
    """Every ligand from a fresh conformer of its SMILES: is a pose under 2 angstrom among nine, is the first one?"""
    from rdkit import Chem

    from ..tools.molecules import checks, docking, prepare

    protein, ligands, _ = series(folder)
    any9, top, valid, seconds = [], [], [], []
    with tempfile.TemporaryDirectory() as place:
        receptor = prepare.receptor(protein, Path(place))
        for reference in ligands[:most]:
            start = time.perf_counter()
            fresh = prepare.ligand(Chem.MolToSmiles(Chem.RemoveHs(reference)))
            around = docking.Box.around(reference)
            docked = docking.dock(receptor, fresh, docking.Box(around.centre, BOX_SIZE), seed=SEED)
            seconds.append(time.perf_counter() - start)
            distance = docking.rmsd(docked.pose, reference)
            any9.append(bool(distance.min() < NEAR))
            top.append(bool(distance[0] < NEAR))
            valid += [v.valid for v in checks.validity(docked, receptor)]
    n = len(any9)
    return [
        Result(
            name="tyk2_pose_any9", value=float(sum(any9)), n=n, unit="ligands",
            baselines={"first pose": float(sum(top))},
            bar=f"{n} of {n} under {NEAR:g} A among 9 poses", passed=all(any9),
            note="fresh conformers; the first pose alone is no evidence",
        ),
        Result(
            name="tyk2_posebusters", value=float(np.mean(valid)), sd=_binomial(valid), n=len(valid), unit="of poses",
               bar=">= .95", passed=bool(np.mean(valid) >= 0.95)),
        Result(name="tyk2_seconds_per_ligand", value=float(np.median(seconds)), sd=float(np.std(seconds)), n=n,
               unit="s",               note="median; one thread; depends on what else runs"),
    ]  # fmt: skip


def score_rank(folder: Path) -> list[Result]:
    """Spearman of affinity with Vina's score on the given poses (locally relaxed), beside counting heavy atoms."""
    from ..tools.molecules import docking, prepare
    from ..tools.molecules.ranking import judge
    from ..world_model.errors import BadInput

    protein, ligands, affinity = series(folder)
    told, as_given, lost = [], [], 0
    with tempfile.TemporaryDirectory() as place:
        receptor = prepare.receptor(protein, Path(place))
        for ligand in ligands:
            name = ligand.GetProp("_Name")
            if name not in affinity:
                lost += 1
                continue
            try:
                given, relaxed = docking.scores_in_place(receptor, ligand)
            except BadInput:
                lost += 1
                continue
            told.append((affinity[name], relaxed, ligand.GetNumHeavyAtoms()))
            as_given.append((affinity[name], given, ligand.GetNumHeavyAtoms()))
    ranking = judge(*zip(*told, strict=True))
    unrelaxed = judge(*zip(*as_given, strict=True))
    low, high = ranking.difference
    return [
        Result(
            name=f"score_rank_{folder.name}", value=ranking.by_score, n=ranking.n, unit="Spearman",
            baselines={"heavy atoms": ranking.by_size, "pose not relaxed": unrelaxed.by_score},
            bar="abstains where counting atoms ranks as well",
            note=f"difference 90% {low:.2f} to {high:.2f}; {lost} ligands left out; "
            + (f"abstains: {ranking.abstains}" if ranking.abstains else "may rank"),
        )
    ]  # fmt: skip


def strain_agreement(root: Path, most: int) -> list[Result]:
    """Strain of posed ligands by ANI-2x (gas phase) and GFN2-xTB (water): do the two agree?"""
    from scipy.stats import spearmanr

    from ..tools.molecules.ani import ELEMENTS
    from ..tools.molecules.strain import strain

    every = [series(root / name)[1] for name in SERIES]
    mixed = [ligand for row in zip(*every, strict=False) for ligand in row]
    pairs: list[list[float]] = []
    unfinished = 0
    for ligand in mixed:
        if len(pairs) == most:
            break
        if any(a.GetAtomicNum() not in ELEMENTS for a in ligand.GetAtoms()) or _charge(ligand):
            continue
        both = [strain(ligand, method=m, relaxed=2) for m in ("gfn2", "ani2x")]
        pairs.append([s.strain for s in both])
        unfinished += sum(not s.converged for s in both)
    gfn2, ani = np.array(pairs).T
    gap, draws = np.abs(gfn2 - ani), []
    rng = np.random.default_rng(0)
    for _ in range(2000):
        pick = rng.integers(len(gap), size=len(gap))
        if len(set(pick)) > 1:
            draws.append(spearmanr(gfn2[pick], ani[pick]).statistic)
    return [
        Result(
            name="strain_ani_vs_gfn2", value=float(spearmanr(gfn2, ani).statistic), sd=float(np.nanstd(draws)),
            n=len(gap),            unit="Spearman",
            baselines={"mean |difference|, kcal/mol": float(gap.mean()),
                                        "GFN2 median": float(np.median(gfn2)), "ANI-2x median": float(np.median(ani))},
            bar="a figure, offline",
            note=f"neutral ligands; gas phase against ALPB water; {unfinished} of {2 * len(gap)} stopped early",
        )
    ]  # fmt: skip


def _charge(mol: Any) -> int:
    from rdkit import Chem

    return int(Chem.GetFormalCharge(mol))


def _binomial(hits: list[bool]) -> float:
    p = float(np.mean(hits))
    return float(np.sqrt(p * (1 - p) / max(len(hits), 1)))

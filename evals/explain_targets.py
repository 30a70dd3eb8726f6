"""From responses and structures back to targets: calls and ranks, each beside chance, popularity, permutation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import explain_evidence, explain_norman
from .results import Result

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.targets.ligands import Library

DOSE, DRAWS = 0.3, 2000
CASE = "vorinostat"


def parts(*, fast: bool = False, data_dir: Path | None = None) -> dict[str, Callable[[], list[Result]]]:
    """Part -> what measures it. They raise DataUnavailable where the data kit is not at hand."""
    kit = partial(_kit, data_dir)
    return {
        "rppa_class_accuracy": lambda: rppa_class(kit()),
        "vorinostat_class_rank": lambda: vorinostat(kit(), _library(kit())),
        "profile_class_top1": lambda: class_rank(kit(), most=40 if fast else None),
        "structure_target_top5": lambda: structure_share(_library(kit()), 200 if fast else 600),
        "l1000_target_top5": lambda: explain_evidence.run(kit(), _library(kit())),
        "norman_target_top5": lambda: explain_norman.run() if kit() else [],
    }


def _kit(data_dir: Path | None) -> Path:
    from ..world_model.errors import DataUnavailable

    if data_dir is None or not (data_dir / "rppa").is_dir():
        raise DataUnavailable("The data kit is not here", cure="Set CYTOCRUX_DATA_DIR")
    return data_dir


@cache
def _library(data_dir: Path) -> Library:
    from ..world_model.targets.ligands import load_library

    return load_library(data_dir / "drugs")


def rppa_class(data_dir: Path) -> list[Result]:
    """Every line x drug at >= 0.3 uM: RAF or MEK inhibitor? Beside: labels permuted over drugs; the commoner class."""
    from ..world_model.compounds import facts_for
    from ..world_model.data import effects
    from ..world_model.data.rppa import load_rppa
    from ..world_model.targets.pathway_class import classify

    table = effects(load_rppa(data_dir / "rppa"))
    c = table.conditions
    mek, erk = (next(i for i, r in enumerate(table.readouts) if r.startswith(p)) for p in ("pMEK", "pERK"))
    calls, truth, names = [], [], []
    c = c.assign(row=np.arange(len(c)))
    for (line, drug), rows in c[c["dose"] >= DOSE].groupby(["context", "perturbation"], observed=True)["row"]:
        at = rows.to_numpy()
        calls.append(classify(table.delta[at, mek], table.delta[at, erk]))
        truth.append(facts_for(str(drug)).mechanism_class)
        names.append(f"{drug} in {line}")
    right = np.array([k.call == t for k, t in zip(calls, truth, strict=True)])
    sure = np.array([not k.doubtful for k in calls])
    is_mek = np.array([t == "MEK inhibitor" for t in truth])
    balanced = (right[is_mek].mean() + right[~is_mek].mean()) / 2
    rng = np.random.default_rng(0)
    permuted = [
        np.mean([k.call == t for k, t in zip(calls, rng.permutation(truth), strict=True)]) for _ in range(DRAWS)
    ]
    doubtful = [f"{n} ({k.reason})" for n, k in zip(names, calls, strict=True) if k.doubtful]
    return [
        Result(
            name="rppa_class_accuracy", value=float(right.mean()), sd=_binomial(right), n=len(right),
            unit="of lines x drugs",
            baselines={
                "balanced accuracy": float(balanced), "labels permuted": float(np.mean(permuted)),
                "always the commoner class": float(max(is_mek.mean(), 1 - is_mek.mean())),
                "without the doubtful": float(right[sure].mean()),
                "exact 95% lower bound": _least(right),
            },
            bar=">= .95", passed=bool(right.mean() >= 0.95),
            note=f"nothing fitted; doubtful: {'; '.join(doubtful) or 'none'}; one of the five drugs is a MEK inhibitor",
        )
    ]  # fmt: skip


def _profiles(data_dir: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """GDSC2 residual profiles (lines x drugs) and the drugs' classes."""
    from ..world_model.compounds import facts_for
    from ..world_model.data.gdsc import load_gdsc
    from ..world_model.targets.profiles import residual

    wells = load_gdsc(data_dir / "gdsc", data_dir).wells
    obs = wells.obs.assign(value=np.asarray(wells[:, "LN_IC50"].X).ravel())
    obs = obs[obs["batch"].astype(str).str.contains("2")]
    table = obs.pivot_table(index="context", columns="perturbation", values="value", observed=True)
    table = table.loc[:, table.notna().sum() >= 100]
    return residual(table), {str(d): facts_for(str(d)).mechanism_class for d in table.columns}


def vorinostat(data_dir: Path, library: Library) -> list[Result]:
    """The founding paper's case: HDAC from structure (itself left out) and from its response profile across lines."""
    from ..world_model.targets.profiles import alike, class_position, rank_classes

    smiles = "O=C(CCCCCCC(=O)Nc1ccccc1)NO"
    by_structure = library.rank(smiles, "mechanism", without=(CASE,))
    first = next((i for i, r in enumerate(by_structure, 1) if "hdac" in r.label.lower()), None)
    found = by_structure[0]
    profiles, classes = _profiles(data_dir)
    drug = next(str(d) for d in profiles.columns if str(d).lower() == CASE)
    ranked = rank_classes(alike(profiles, drug), classes)
    place = class_position(ranked, "HDAC inhibitor")
    top = ranked[0]
    return [
        Result(
            name="vorinostat_class_rank_structure", value=_number(first), n=len(by_structure), unit="rank", bar="1",
            passed=first == 1, note=f"{found.label}: {found.because}; p {found.probability:.2f}",
        ),
        Result(
            name="vorinostat_class_rank_profile", value=_number(place), n=len(ranked), unit="rank", bar="1",
            passed=place == 1,
            note=f"nearest: {top.name} ({top.score:.2f}, p {top.p:.4f}): "
            + ", ".join(f"{d} {v:.2f}" for d, v in top.nearest),
        ),
    ]  # fmt: skip


def class_rank(data_dir: Path, most: int | None) -> list[Result]:
    """The same for every GDSC2 drug whose class has two other members, so that one case is not the picked cherry."""
    from ..world_model.targets.profiles import class_position, likeness, rank_classes

    profiles, classes = _profiles(data_dir)
    near_all = likeness(profiles)
    counts = Counter(classes.values())
    drugs = [
        d for d in map(str, profiles.columns) if classes[d] not in ("unknown", "other") and counts[classes[d]] >= 3
    ]
    drugs = [str(d) for d in np.random.default_rng(0).permutation(sorted(drugs))[:most]]
    rng = np.random.default_rng(1)
    shuffled = dict(zip(classes, rng.permutation(list(classes.values())), strict=True))
    found: dict[str, list[int]] = {"true": [], "permuted": []}
    for drug in drugs:
        near = near_all[drug]
        for name, told in (("true", classes), ("permuted", {**shuffled, drug: classes[drug]})):
            place = class_position(rank_classes(near, told, draws=1), classes[drug])
            if place is not None:
                found[name].append(place)
    top = np.array(found["true"]) == 1
    return [
        Result(
            name="profile_class_top1", value=float(top.mean()), sd=_binomial(top), n=len(top), unit="of drugs",
            baselines={"classes permuted": float((np.array(found["permuted"]) == 1).mean()),
                       "median rank": float(np.median(found["true"])),
                       "median rank, permuted": float(np.median(found["permuted"]))},
            note="drugs of classes with two other members; from response profiles across lines alone",
        )
    ]  # fmt: skip


def structure_share(library: Library, most: int) -> list[Result]:
    """Known targets among the five best of the structural vote, each compound without its whole scaffold."""
    hits, popular = [], []
    counts = Counter(t for targets in library.labels["target"] for t in targets)
    five = {t for t, _ in counts.most_common(5)}
    for i, votes in library.left_out("target", most, 7):
        known = library.labels["target"][i]
        hits.append(bool(known & set(sorted(votes, key=lambda t: -votes[t])[:5])))
        popular.append(bool(known & five))
    return [
        Result(
            name="structure_target_top5", value=float(np.mean(hits)), sd=_binomial(np.array(hits)), n=len(hits),
            unit="of compounds", baselines={"popularity": float(np.mean(popular))}, bar="above popularity",
            passed=float(np.mean(hits)) > float(np.mean(popular)) + 2 * _binomial(np.array(hits)),
            note="all compounds of the same scaffold left out",
        )
    ]  # fmt: skip


def _number(place: int | None) -> float | None:
    return None if place is None else float(place)


def _least(hits: Any) -> float:
    """Lower end of the exact 95% interval of a share (Clopper and Pearson 1934): a share of one has a spread too."""
    from scipy.stats import binomtest

    return float(binomtest(int(np.sum(hits)), len(hits)).proportion_ci().low)


def _binomial(hits: Any) -> float:
    p = float(np.mean(hits))
    return float(np.sqrt(p * (1 - p) / max(len(hits), 1)))

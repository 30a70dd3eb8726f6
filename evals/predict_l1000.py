"""L1000: the transcriptome under a compound that this plate's model has never seen (A375, 24 h, 59 compounds).

Signature of a compound: its mean change over its doses, log2 against the plate's DMSO wells, in sd of a DMSO well.
Score: mean over unseen compounds of Pearson across the 978 genes; centred: the same once the mean signature of the
training compounds is off both, which leaves what is the compound's own (the mean scores nothing there).
The ceiling is measured on the plate: signatures of every other dose against those between, stepped up to whole
signatures by Spearman and Brown (2 r / (1 + r)); its root is what a perfect predictor would score.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..world_model.rows import Array, Codes
from .predict_l1000_why import likeness, reasons, ridge
from .results import Result
from .scores import coverage90, coverage_figure, figure

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.compounds import CompoundFacts
    from ..world_model.data.conditions import ConditionTable
    from ..world_model.data.dataset import Dataset

BAR, HELD, MOST_TARGETS = 0.60, 12, 8
ANNOTATION = Path("drugs") / "lincs_pert_info2.tsv.gz"


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Five seeded splits (fast: one) of 12 unseen compounds. Raises DataUnavailable without the plate."""
    from ..world_model.cell import VirtualCell
    from ..world_model.compounds import facts_for
    from ..world_model.data import load
    from ..world_model.data.fetch import data_dir as local_data
    from ..world_model.data.gct import load_l1000

    dataset = load("l1000") if data_dir is None else load_l1000(data_dir / "l1000")
    table = in_control_sd(dataset)
    names = table.conditions["perturbation"].astype(str).to_numpy()
    compounds = sorted(set(names))
    features = described(compounds, data_dir or local_data())
    truth = np.stack([table.delta[names == c].mean(axis=0) for c in compounds])  # (compounds, genes)
    alike = likeness(compounds, features)
    classes = [fact.mechanism_class if fact.known else "" for fact in map(facts_for, compounds)]
    ours, own, covered, splits, signatures = [], [], [], [], []
    plain: dict[str, list[float]] = {}
    plain_own: dict[str, list[float]] = {}
    for seed in range(1 if fast else 5):
        order = np.random.default_rng(seed).permutation(len(compounds))
        held, rest = order[:HELD], order[HELD:]
        hidden = np.isin(names, [compounds[i] for i in held])
        cell = VirtualCell.fit(table.subset(~hidden), perturbation_features=features, seed=seed)
        asked = table.subset(hidden)
        told = cell.predict(asked.conditions)
        covered.append(
            coverage90(told.mean, np.hypot(told.epistemic, np.sqrt(cell.noise_worth) * asked.se), asked.delta)
        )
        signature = np.stack([told.mean[names[hidden] == compounds[i]].mean(axis=0) for i in held])
        splits.append((held, rest))
        signatures.append(signature)
        mean = truth[rest].mean(axis=0)
        ours.append(mean_pearson(signature, truth[held]))
        own.append(mean_pearson(signature - mean, truth[held] - mean))
        rivals = {**neighbours(truth, held, rest, compounds, features), "ridge": ridge(truth, alike, held, rest)}
        for name, rival in rivals.items():
            plain.setdefault(name, []).append(mean_pearson(rival, truth[held]))
            plain_own.setdefault(name, []).append(mean_pearson(rival - mean, truth[held] - mean))
    halves = _dose_halves(table, names, compounds)
    note = f"{HELD} of {len(compounds)} compounds unseen a split; signatures over doses in sd of a DMSO well"
    return [
        figure("l1000_unseen_compound_pearson", ours, unit="", bar=f">= {BAR:.2f}", passed=bool(np.mean(ours) >= BAR),
               baselines=plain, note=note),
        figure("l1000_unseen_compound_centred_pearson", own, unit="", bar="> mean and nearest",
               passed=bool(np.mean(own) > max(np.mean(v) for v in plain_own.values())), baselines=plain_own,
               note="the training compounds' mean signature off both"),
        figure("l1000_signature_ceiling", [float(np.sqrt(2 * halves / (1 + halves)))], unit="",
               note=f"half the doses against the other half correlate {halves:.2f}"),
        coverage_figure("l1000_unseen_compound", covered),
        *reasons(truth, alike, classes, splits, signatures),
    ]  # fmt: skip


def in_control_sd(dataset: Dataset) -> ConditionTable:
    """Changes of the plate's conditions, each gene in sd of its control wells."""
    from ..world_model.data import effects

    table = effects(dataset)
    control = np.asarray(dataset.wells.X)[dataset.wells.obs["control"].to_numpy(bool)]
    sd = control.std(axis=0, ddof=1)
    return replace(table, delta=table.delta / sd, se=table.se / sd)


def described(names: list[str], folder: Path | None) -> dict[str, pd.DataFrame]:
    """Features of the plate's compounds: shipped facts, and structures and targets of the LINCS table where at hand.

    Of a compound with more than ``MOST_TARGETS`` listed targets only the shipped ones count.
    """
    from ..world_model.chemistry import compound_features
    from ..world_model.compounds import facts, facts_for

    known: dict[str, CompoundFacts] = dict(facts())
    smiles: dict[str, str] = {}
    if folder is not None and (folder / ANNOTATION).is_file():
        for name, (structure, targets) in _annotated(names, folder / ANNOTATION).items():
            smiles[name] = structure
            fact = facts_for(name, known)
            if 0 < len(targets) <= MOST_TARGETS:
                known[fact.name] = replace(fact, targets=tuple(sorted({*fact.targets, *targets})))
    return compound_features(names, smiles, known)


def _annotated(names: list[str], path: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """name -> SMILES and targets, by the table's id or (bare) name."""
    import pandas as pd

    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    rows: dict[str, int] = {}
    for column in ("pert_id", "pert_iname"):
        for i, text in enumerate(table[column]):
            rows.setdefault(_bare(text), i)
    found = {}
    for name in names:
        if _bare(name) in rows:
            row = table.iloc[rows[_bare(name)]]
            targets = tuple(t.strip() for t in row["t_gn_sym"].split(";") if t.strip() not in ("", "NA"))
            found[name] = (str(row["canonical_smiles"]), targets)
    return found


def _bare(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def neighbours(
    truth: Array, held: Codes, rest: Codes, compounds: list[str], features: dict[str, pd.DataFrame], k: int = 3
) -> dict[str, Array]:
    """The training mean, and the mean over the k most alike training compounds, blended half and half with it.

    Likeness: shared targets over all targets (Jaccard), or structure bits (Tanimoto); without any, the mean.
    """
    from ..world_model.chemistry import tanimoto

    mean = np.repeat(truth[rest].mean(axis=0)[None], len(held), axis=0)
    found = {"mean": mean}
    for name, label in (("targets", "target neighbours"), ("structure", "structure neighbours")):
        bits = features[name].reindex(compounds).fillna(0.0).to_numpy(np.float64)
        alike = tanimoto(bits[held], bits[rest])
        told = mean.copy()
        for i, row in enumerate(alike):
            near = np.argsort(-row, kind="stable")[:k]
            near = near[row[near] > 0]
            if len(near):
                told[i] = 0.5 * mean[i] + 0.5 * np.average(truth[rest[near]], axis=0, weights=row[near])
        found[label] = told
    return found


def mean_pearson(predicted: Array, measured: Array) -> float:
    """Mean over rows of Pearson along the row; a row told nothing (constant) counts 0."""
    values = [np.corrcoef(p, m)[0, 1] if p.std() > 1e-9 else 0.0 for p, m in zip(predicted, measured, strict=True)]
    return float(np.mean(values))


def _dose_halves(table: ConditionTable, names: np.ndarray[Any, Any], compounds: list[str]) -> float:
    """Mean correlation of a compound's signature over every other dose with that over the doses between."""
    dose = table.conditions["dose"].to_numpy(np.float64)
    odd = np.isin(dose, np.unique(dose)[::2])
    halves = ((names == c) for c in compounds)
    pairs = [(table.delta[h & odd].mean(axis=0), table.delta[h & ~odd].mean(axis=0)) for h in halves]
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))

"""A goal set on a data set: what the model may learn from, what only the lab may reveal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..world_model.errors import BadInput, UnknownName
from ..world_model.vocabulary import Arm, Perturbation, Readout
from .goal import Goal

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.data.dataset import Dataset

TRAIN_SHARE = 0.4  # of each arm's replicate wells, where the context itself must teach the model
SHARED_ENOUGH = 0.8  # of the context's perturbations measured elsewhere: then the whole context is held out


@dataclass(frozen=True)
class Study:
    """train and lab are disjoint row indices of ``dataset.wells``; how says the split in words."""

    dataset: Dataset
    goal: Goal
    train: np.ndarray
    lab: np.ndarray
    how: str

    @property
    def alias(self) -> dict[str, str]:
        """Context of the goal -> line of the data set that stands in for it."""
        return {self.goal.context.name: self.goal.surrogate} if self.goal.surrogate else {}

    @property
    def scale(self) -> str:
        return str(self.dataset.wells.uns["cytocrux"]["scale"])

    @property
    def has_controls(self) -> bool:
        return bool(self.dataset.wells.uns["cytocrux"]["has_controls"])


def arm_of(context: str, names: Sequence[str], kind: str, dose: float, time_h: float) -> Arm:
    """An arm from the columns of the wells table; NaN dose or time = none."""
    perturbations = tuple(
        Perturbation(kind=kind, name=n, dose=None if np.isnan(dose) else dose)  # type: ignore[arg-type]
        for n in names
    )
    return Arm(context=context, perturbations=perturbations, time_h=None if np.isnan(time_h) else time_h)


def open_study(dataset: Dataset, goal: Goal, seed: int) -> Study:
    """Split the wells. Raises UnknownName or BadInput where the context was never measured."""
    dataset = with_scores(dataset, [g.readout for g in goal.readouts if g.readout.members])
    obs = dataset.wells.obs
    contexts = obs["context"].astype(str).to_numpy()
    here = goal.surrogate or goal.context.name
    in_context = contexts == here
    if not in_context.any():
        if goal.intent == "panel" and goal.surrogate is None:
            every = np.arange(len(obs))
            how = "no measured line stands in for the patient: predictions only, no lab can answer them here"
            return Study(dataset, goal, every, every[:0], how)
        raise UnknownName(here, kind="context", known=sorted(set(contexts)))
    rows = np.flatnonzero(in_context)
    if _shared(obs, in_context) >= SHARED_ENOUGH or not dataset.wells.uns["cytocrux"]["has_controls"]:
        how = f"all wells of {here} are held out: the model learns from {len(set(contexts)) - 1} other contexts"
        return Study(dataset, goal, np.flatnonzero(~in_context), rows, how)
    taught = _replicates_for_training(obs, rows, seed)
    if not len(taught):
        raise BadInput(
            f"{here} has too few replicate wells to split",
            why="its perturbations were measured in no other context, and single wells cannot both teach and test",
            cure="add replicates or another context",
        )
    lab = np.setdiff1d(rows, taught)
    kin = np.isin(contexts, sorted(set(contexts[(obs["kind"].astype(str) == goal.kind).to_numpy()])))
    train = np.union1d(np.flatnonzero(~in_context & kin), taught)
    others = len(set(contexts[~in_context & kin]))
    also = f", with {others} other contexts" if others else ""
    how = (
        f"{len(taught)} wells of single perturbations and controls in {here} teach the model{also}; "
        f"the other {len(lab)}, and every combination, are held out"
    )
    return Study(dataset, goal, train, lab, how)


def with_scores(dataset: Dataset, scores: Sequence[Readout]) -> Dataset:
    """The data set with a column for each score: the weighted mean of its measured members."""
    if not scores:
        return dataset
    import anndata
    import pandas as pd

    from ..world_model.data import readings

    wells = dataset.wells
    new = [s for s in scores if s.variable not in wells.var_names]
    if not new:
        return dataset
    x = np.asarray(wells.X, dtype=float)
    names = tuple(str(v) for v in wells.var_names)
    columns = [readings(x, names, score) for score in new]
    var = pd.concat(
        [
            wells.var,
            pd.DataFrame(
                {"modality": ["score"] * len(new), "unit": [s.unit for s in new]}, index=[s.variable for s in new]
            ),
        ]
    )
    extended = anndata.AnnData(X=np.column_stack([x, *columns]), obs=wells.obs.copy(), var=var, uns=dict(wells.uns))
    return replace(dataset, wells=extended)


def _shared(obs: pd.DataFrame, in_context: np.ndarray) -> float:
    """Share of the context's (perturbation, kind) pairs that some other context has too."""
    pairs = list(zip(obs["perturbation"].astype(str), obs["kind"].astype(str), strict=True))
    treated = ~obs["control"].to_numpy(dtype=bool)
    here = {p for p, inside, t in zip(pairs, in_context, treated, strict=True) if inside and t}
    elsewhere = {p for p, inside in zip(pairs, in_context, strict=True) if not inside}
    return len(here & elsewhere) / len(here) if here else 0.0


def _replicates_for_training(obs: pd.DataFrame, rows: np.ndarray, seed: int) -> np.ndarray:
    """A seeded share of the context's replicates, combinations left out: whole batches where there are three or
    more (so that treated wells keep their controls), else wells of each arm with at least three."""
    single = np.array([r for r in rows if "+" not in str(obs["perturbation"].iloc[r])], dtype=int)
    batches = obs["batch"].astype(str).to_numpy()
    names = sorted(set(batches[single]), key=lambda b: _lot(seed, b))
    if len(names) >= 3:
        chosen = names[: max(1, round(TRAIN_SHARE * len(names)))]
        return single[np.isin(batches[single], chosen)]
    arms = obs.iloc[single].groupby(["perturbation", "dose", "time_h"], dropna=False, observed=True).indices
    taught: list[int] = []
    for _, members in sorted((str(key), members) for key, members in arms.items()):
        if len(members) >= 3:
            order = sorted((int(single[m]) for m in members), key=lambda r: _lot(seed, str(obs.index[r])))
            taught += order[: max(1, round(TRAIN_SHARE * len(order)))]
    return np.array(sorted(taught), dtype=int)


def _lot(seed: int, well: str) -> bytes:
    """A well's place in the seeded draw, independent of the order of the table."""
    return hashlib.sha256(f"split|{seed}|{well}".encode()).digest()

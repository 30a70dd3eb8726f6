"""Arms (what a claim speaks of) and wells (what was measured): which row belongs to which arm."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..vocabulary import Arm, Perturbation, PerturbationKind
from .dataset import CONTROL, combined_name

if TYPE_CHECKING:
    import anndata
    import pandas as pd
    from numpy.typing import NDArray

    from .dataset import Dataset


def arm_rows(wells: anndata.AnnData, arm: Arm) -> NDArray[np.int64]:
    """Row numbers of the wells of ``arm``: context, names, kind, dose and time all equal (doses within 1e-6).

    A control arm gives the control wells of its context and time. Empty where there are none.
    """
    obs = wells.obs
    mask = _equals(obs["context"], arm.context) & _equals(
        obs["perturbation"], combined_name(tuple(p.name for p in arm.perturbations))
    )
    mask &= _near(obs["time_h"], arm.time_h)
    if arm.is_control:
        return np.flatnonzero(mask & obs["control"].to_numpy(bool))
    if len(arm.perturbations) == 1:
        mask &= _near(obs["dose"], arm.perturbations[0].dose)
    elif "doses" in obs:
        mask &= _equals(obs["doses"], doses_label([p.dose for p in arm.perturbations]))
    else:
        mask &= _near(obs["dose"], arm.perturbations[0].dose)
    kinds = {p.kind for p in arm.perturbations}
    return np.flatnonzero(mask & (_equals(obs["kind"], kinds.pop()) if len(kinds) == 1 else True))


def control_of(arm: Arm) -> Arm:
    """The matched control: the same context and time, no perturbation."""
    return Arm(context=arm.context, time_h=arm.time_h)


def arms_of(dataset: Dataset, *, context: str | None = None, perturbation: str | None = None) -> tuple[Arm, ...]:
    """Every distinct arm of the data set, controls included, optionally of one context or perturbation only."""
    obs = dataset.wells.obs
    mask = np.ones(len(obs), bool)
    if context is not None:
        mask &= _equals(obs["context"], context)
    if perturbation is not None:
        mask &= _equals(obs["perturbation"], perturbation)
    columns = ["context", "perturbation", "kind", "dose", "time_h"] + (["doses"] if "doses" in obs else [])
    table = obs.loc[mask, columns].drop_duplicates()
    return tuple(_arm(row) for row in table.to_dict("records"))


def doses_label(doses: list[float | None]) -> str:
    """The ``doses`` column of a combination: doses in the order of the names, "0.5+1"; "" where there are none."""
    return "" if all(d is None for d in doses) else "+".join("" if d is None else f"{d:g}" for d in doses)


def _arm(row: dict[Any, Any]) -> Arm:
    time = _number(row["time_h"])
    if row["perturbation"] == CONTROL:
        return Arm(context=row["context"], time_h=time)
    names = str(row["perturbation"]).split("+")
    doses = [_number(row["dose"])] * len(names)
    if len(names) > 1 and row.get("doses"):
        doses = [float(d) if d else None for d in str(row["doses"]).split("+")]
    kind = cast(PerturbationKind, row["kind"])
    parts = tuple(_perturbation(kind, name, dose) for name, dose in zip(names, doses, strict=True))
    return Arm(context=row["context"], perturbations=parts, time_h=time)


@lru_cache(maxsize=4096)
def _perturbation(kind: PerturbationKind, name: str, dose: float | None) -> Perturbation:
    return Perturbation(kind=kind, name=name, dose=dose)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _equals(column: pd.Series[Any], value: str) -> NDArray[np.bool_]:
    """Equality with a label; fast where the column is categorical."""
    if column.dtype != "category":
        return np.asarray(column.to_numpy() == value)
    if value not in column.cat.categories:
        return np.zeros(len(column), bool)
    return np.asarray(column.cat.codes.to_numpy() == column.cat.categories.get_loc(value))


def _near(column: pd.Series[Any], value: float | None) -> NDArray[np.bool_]:
    numbers = column.to_numpy(float)
    return np.asarray(np.isnan(numbers) if value is None else np.isclose(numbers, value, rtol=1e-6, atol=1e-12))

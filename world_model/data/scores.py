"""Named scores: several readouts averaged into one that a question speaks of ("erythroid", "ERK signalling")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UnknownName
from ..vocabulary import Modality, Readout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset

# name -> member and weight; members a data set lacks are left out
SCORES: dict[str, dict[str, float]] = {
    "erythroid": dict.fromkeys(
        ["HBG1", "HBG2", "HBZ", "HBE1", "HBA1", "HBA2", "HBB", "GYPA", "GYPB", "ALAS2", "AHSP", "SLC25A37",
         "BLVRB", "HEMGN", "SLC4A1", "EPB42", "CA1"], 1.0),
    "proliferation": dict.fromkeys(["MKI67", "TOP2A", "ASPM", "CENPE", "CCNB1", "CDK1", "PCNA"], 1.0),
    "inflammatory": dict.fromkeys(["CXCL8", "CXCL2", "CXCL3", "CXCL5", "IL1B", "IL6", "CCL2", "NFKBIZ"], 1.0),
    "ERK signalling": dict.fromkeys(["pERK(T202/Y204)", "pRSK(S380)", "pRSK(T573)"], 1.0),
    "S6 signalling": dict.fromkeys(["pS6K(T389)", "pS6(S235/236)"], 1.0),
}  # fmt: skip
MIN_MEMBERS = 2


def scores(dataset: Dataset) -> dict[str, Readout]:
    """The scores of which this data set measures at least two members, as readouts."""
    found = {}
    var = dataset.wells.var
    for name, members in SCORES.items():
        present = tuple((gene, weight) for gene, weight in members.items() if gene in var.index)
        if len(present) >= MIN_MEMBERS:
            unit = str(var.loc[present[0][0], "unit"])
            found[name] = Readout(modality="score", variable=name, unit=unit, members=present)
    return found


def readout(dataset: Dataset, variable: str) -> Readout:
    """The readout or score called ``variable``. Raises UnknownName, with near names."""
    named = scores(dataset)
    if variable in named:
        return named[variable]
    if variable not in dataset.wells.var_names:
        raise UnknownName(variable, kind="readout", known=(*dataset.readouts, *named))
    row = dataset.wells.var.loc[variable]
    modality: Modality = row["modality"]
    return Readout(modality=modality, variable=variable, unit=str(row["unit"]))


def readings(X: NDArray[np.float64], names: tuple[str, ...], what: Readout) -> NDArray[np.float64]:
    """(n,) readings of ``what`` from X (n, len(names)): a column, or the weighted mean of a score's members.

    score = sum_k w_k x_k / sum_k |w_k| over the members measured in that row; NaN where none is.
    Raises UnknownName where a column is missing.
    """
    members = what.members or ((what.variable, 1.0),)
    index = {name: i for i, name in enumerate(names)}
    for name, _ in members:
        if name not in index:
            raise UnknownName(name, kind="readout", known=names)
    values = X[:, [index[name] for name, _ in members]]
    weights = np.array([weight for _, weight in members])
    measured = np.isfinite(values)
    total = np.where(measured, values * weights, 0.0).sum(1)
    norm = np.where(measured, np.abs(weights), 0.0).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(norm > 0, total / norm, np.nan))

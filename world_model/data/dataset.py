"""One shape for every data set: wells x readouts, with what was done to each well.

``wells.obs`` columns (default units: dose uM, time h):

===============  ==========  ==================================================================
perturbation     category    "control", or the names sorted and joined with "+"
kind             category    a PerturbationKind, or "control"
dose             float       uM; NaN where the perturbation has none (of a combination: see doses)
dose_unit        category    "uM", or "" where there is no dose
time_h           float       hours after perturbation; NaN where not stated
context          category    cell line or type
control          bool        True for matched control wells
batch            category    plate, lane, scanner or screen: the block a control belongs to
replicate        category    label of the replicate within its batch
===============  ==========  ==================================================================

A combination whose parts have different doses also has ``doses`` ("0.5+1", in the order of the names).

``wells.X`` is float64 ``(wells, readouts)`` on an additive scale, NaN = not measured.
``wells.var`` has ``modality`` and ``unit``, and where known ``arm_sd``, the sd between arms of equal truth that
replicate wells do not show (position on the plate or slide); ``wells.uns["cytocrux"]`` is a ``DatasetInfo`` as dict.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, get_args

import numpy as np

from ..errors import BadInput
from ..vocabulary import Modality, PerturbationKind
from .report import DataReport

if TYPE_CHECKING:
    import anndata
    import pandas as pd
    from numpy.typing import NDArray

CONTROL = "control"
OBS_COLUMNS = ("perturbation", "kind", "dose", "dose_unit", "time_h", "context", "control", "batch", "replicate")
CATEGORIES = ("perturbation", "kind", "dose_unit", "context", "batch", "replicate")
KINDS = (*get_args(PerturbationKind), CONTROL)


@dataclass(frozen=True)
class DatasetInfo:
    """What stands in ``wells.uns["cytocrux"]``. scale: "log2", "log1p", "ln_ic50", … or "as given"."""

    dataset: str
    description: str
    licence: str
    citation: str
    scale: str
    has_controls: bool


@dataclass(frozen=True)
class Dataset:
    """Wells with their report. context_features: "expression" | "mutation" | "cnv" -> contexts x genes."""

    name: str
    wells: anndata.AnnData
    report: DataReport
    context_features: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def info(self) -> DatasetInfo:
        return DatasetInfo(**self.wells.uns["cytocrux"])

    @property
    def has_controls(self) -> bool:
        return bool(self.wells.uns["cytocrux"]["has_controls"])

    @property
    def readouts(self) -> tuple[str, ...]:
        return tuple(self.wells.var_names)

    @property
    def contexts(self) -> tuple[str, ...]:
        return tuple(self.wells.obs["context"].cat.categories)

    @property
    def perturbations(self) -> tuple[str, ...]:
        """Names as they stand in the wells (combinations joined with "+"), without the control."""
        return tuple(p for p in self.wells.obs["perturbation"].cat.categories if p != CONTROL)


def build_wells(obs: pd.DataFrame, X: NDArray[np.float64], var: pd.DataFrame, info: DatasetInfo) -> anndata.AnnData:
    """The one place where wells are made: columns completed, types fixed, the shape checked.

    obs: index = unique well ids; the columns above (dose_unit, kind may be left out), others are kept.
    X: (wells, readouts). var: index = readouts, columns modality and unit.
    Raises BadInput where the shape is broken.
    """
    import anndata

    obs = obs.copy(deep=False)
    if "dose_unit" not in obs:
        obs["dose_unit"] = np.where(np.isfinite(obs["dose"].to_numpy(float)), "uM", "")
    missing = [column for column in OBS_COLUMNS if column not in obs]
    if missing:
        raise BadInput(f"The wells of {info.dataset} lack the columns {', '.join(missing)}")
    for column in (*CATEGORIES, *(["doses"] if "doses" in obs else [])):
        obs[column] = obs[column].astype(str).astype("category") if obs[column].dtype != "category" else obs[column]
        obs[column] = obs[column].cat.remove_unused_categories()
    obs["control"] = obs["control"].to_numpy(bool)
    obs["dose"], obs["time_h"] = obs["dose"].to_numpy(float), obs["time_h"].to_numpy(float)
    check_shape(obs, X, var, info.dataset)
    return anndata.AnnData(
        X=np.ascontiguousarray(X, dtype=np.float64), obs=obs, var=var, uns={"cytocrux": asdict(info)}
    )


def check_shape(obs: pd.DataFrame, X: NDArray[np.float64], var: pd.DataFrame, name: str) -> None:
    """Raises BadInput unless the wells keep the promises of this module."""
    if X.shape != (len(obs), len(var)):
        raise BadInput(f"{name}: {X.shape} readings for {len(obs)} wells x {len(var)} readouts")
    if not len(obs) or not len(var):
        raise BadInput(f"{name} holds no readings", why=f"{len(obs)} wells x {len(var)} readouts")
    if not obs.index.is_unique:
        double = obs.index[obs.index.duplicated()][0]
        raise BadInput(f"{name}: the well {double!r} stands there twice", cure="Give every well its own id")
    if not var.index.is_unique:
        raise BadInput(f"{name}: the readout {var.index[var.index.duplicated()][0]!r} stands there twice")
    unknown = sorted(set(obs["kind"].cat.categories) - set(KINDS))
    if unknown:
        raise BadInput(f"{name}: unknown kind {unknown[0]!r}", cure=f"Kinds are {', '.join(KINDS)}")
    modalities = set(get_args(Modality))
    strange = sorted(set(var["modality"]) - modalities)
    if strange:
        raise BadInput(
            f"{name}: unknown modality {strange[0]!r}", cure=f"Modalities are {', '.join(sorted(modalities))}"
        )
    if ((obs["perturbation"] == CONTROL).to_numpy() != obs["control"].to_numpy()).any():
        raise BadInput(f"{name}: control wells and the perturbation name 'control' do not agree")
    if np.isinf(X).any():
        raise BadInput(
            f"{name}: infinite readings", why="The logarithm of zero gives this", cure="Leave such cells empty"
        )


def combined_name(names: list[str] | tuple[str, ...]) -> str:
    """The name of several perturbations at once: sorted and joined with "+"; none is the control."""
    return "+".join(sorted(names)) if names else CONTROL

"""Labels and readings from any format become one checked data set: units, controls, replicates, one additive scale."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from ..errors import BadInput
from ..vocabulary import Modality
from .checks import check_controls, check_replicates, is_relative, number_replicates, to_additive
from .dataset import Dataset, DatasetInfo, build_wells
from .guard import refuse_active
from .labels import to_obs
from .report import DataReport, Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MANY_READOUTS = 50


def conform(
    raw: pd.DataFrame, X: NDArray[np.float64], readouts: list[str], *, stated: str, modalities: str | list[str],
    name: str, source: str, notes: Iterable[Note] = (), about: DatasetInfo | None = None, relative: bool = False,
) -> Dataset:  # fmt: skip
    """relative: every reading already is a change against its control, so no control wells are needed."""
    import pandas as pd

    refuse_active(readouts, "The list of readouts")
    obs, said = to_obs(raw.reset_index(drop=True))
    said = [*notes, *said]
    empty = ~np.isfinite(X).any(axis=1) & ~np.isinf(X).any(axis=1)
    if empty.all():
        raise BadInput(f"{source} holds no readings", why="every reading is empty")
    if empty.any():
        said.append(Note("dropped", int(empty.sum()), "wells", "nothing was measured in them"))
        filled = np.flatnonzero(~empty)
        obs, X = obs.iloc[filled].reset_index(drop=True), X[filled]
    X, scale, more = to_additive(X, readouts, obs["batch"], stated)
    said += more
    relative = relative or is_relative(readouts)
    obs["replicate"] = number_replicates(obs)
    if relative and not obs["control"].any():
        said.append(Note("used", len(readouts), "readouts without control wells", "they carry their control"))
    else:
        relative = False
        said += check_controls(obs)
        said += check_replicates(obs)
    obs = obs.drop(columns=["given_replicate", "well"], errors="ignore")
    obs.index = _ids(obs)
    kinds = _modalities(readouts, modalities, said)
    unit = {"ln_ic50": "ln uM", "log2": "log2", "log1p": "log1p"}.get(scale, "as given")
    var = pd.DataFrame({"modality": kinds, "unit": unit}, index=pd.Index(readouts))
    info = DatasetInfo(
        dataset=name, description=about.description if about else f"the user's file {Path(source).name}",
        licence=about.licence if about else "the user's own", citation=about.citation if about else "none given",
        scale=scale, has_controls=not relative,
    )  # fmt: skip
    said.insert(0, Note("used", len(obs), "wells", f"{len(readouts)} readouts"))
    return Dataset(name, build_wells(obs, X, var, info), DataReport(source, tuple(said)))


def _ids(obs: pd.DataFrame) -> pd.Index[str]:
    import pandas as pd

    def label(row: Any) -> str:
        dose = row.doses if "doses" in obs and row.doses else "" if np.isnan(row.dose) else f"{row.dose:g}uM"
        time = "" if np.isnan(row.time_h) else f"{row.time_h:g}h"
        return "/".join(p for p in (row.context, row.perturbation, dose, time, row.batch, row.replicate) if p)

    return pd.Index([label(row) for row in obs.itertuples()])


def _modalities(readouts: list[str], given: str | list[str], notes: list[Note]) -> list[str]:
    known = get_args(Modality)
    if given:
        listed = [given] * len(readouts) if isinstance(given, str) else given
        odd = sorted(set(listed) - set(known))
        if odd:
            raise BadInput(f"Unknown modality {odd[0]!r}", cure=f"Modalities are {', '.join(known)}")
        return listed
    if is_relative(readouts):
        return ["viability"] * len(readouts)
    guess = "transcriptome" if len(readouts) >= MANY_READOUTS else "proteome"
    notes.append(Note("warning", len(readouts), f"readouts taken for {guess}", "no column 'modality' says it"))
    return [guess] * len(readouts)

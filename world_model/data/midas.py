"""MIDAS tables (DataRail, CellNOpt, HPN-DREAM): TR: treatments, DA: times, DV: values.

A stimulus is there before and beside the inhibitor: it belongs to the context ("MCF7 + EGF"). What is perturbed
is the signalling under it, so the inhibitor is the perturbation and its matched control is the same line, stimulus
and time without inhibitor.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from .dataset import CONTROL, Dataset, DatasetInfo, build_wells, combined_name
from .guard import refuse_active
from .report import DataReport, Note

if TYPE_CHECKING:
    import pandas as pd

MINUTES = 1 / 60


def from_midas(raw: pd.DataFrame, *, info: DatasetInfo, source: str) -> Dataset:
    """raw: columns TR:<line>:CellLine, TR:<stimulus>, TR:<inhibitor>i (0 or 1), DA:ALL (minutes), DV:<readout>.

    Values are on a linear scale and become log2; "A_B" among inhibitors is the pair. Raises BadInput for a row
    without a line, a negative time or no readings.
    """
    import pandas as pd

    refuse_active(raw.columns, "The header")
    columns = [str(c) for c in raw.columns]
    treatments = [c for c in columns if c.startswith("TR:")]
    values = [c for c in columns if c.startswith("DV:")]
    lines = [c for c in treatments if c.lower().endswith(":cellline")]
    if not values or not lines or "DA:ALL" not in raw:
        raise BadInput(f"{source} is not a MIDAS table", why="it lacks TR:…:CellLine, DA:ALL or DV: columns")
    table = raw.fillna(0.0).astype({c: float for c in [*treatments, "DA:ALL"]})
    if not (table[lines].sum(axis=1) == 1).all():
        raise BadInput(f"{source}: a row does not name exactly one cell line")
    if (table["DA:ALL"] < 0).any():
        raise BadInput(f"{source}: a time is negative")
    inhibitors = [c for c in treatments if c not in lines and c.endswith("i")]
    stimuli = [c for c in treatments if c not in lines and c not in inhibitors]
    names = [combined_name(given) for given in _given(table, inhibitors)]
    context = [
        " + ".join(line + ligand) for line, ligand in zip(_given(table, lines), _given(table, stimuli), strict=True)
    ]
    control = np.array([name == CONTROL for name in names])
    obs = pd.DataFrame(
        {
            "perturbation": names, "kind": np.where(control, CONTROL, "compound"), "dose": np.nan, "context": context,
            "time_h": table["DA:ALL"].to_numpy() * MINUTES, "control": control, "batch": "1",
        }
    )  # fmt: skip
    obs["replicate"] = (obs.groupby(["context", "perturbation", "time_h"]).cumcount() + 1).astype(str)
    minutes = table["DA:ALL"].map("{:g}min".format)
    obs.index = pd.Index(["/".join(p) for p in zip(context, names, minutes, obs["replicate"], strict=True)])
    readings = raw[values].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    X = np.log2(np.where(readings > 0, readings, np.nan))
    var = pd.DataFrame({"modality": "phosphoproteome", "unit": "log2"}, index=pd.Index([_readout(c) for c in values]))
    single = int((obs["replicate"] == "1").sum())
    notes = [
        Note("used", len(obs), "wells", f"{len(values)} readouts"),
        Note("changed", X.size, "readings", "linear to log2"),
        Note("warning", single, "conditions", f"{len(obs) - single} of them have a second replicate"),
    ]
    alone = _without_control(obs)
    if alone.any():
        notes.append(Note("dropped", int(alone.sum()), "wells", "no control of their line, stimulus and time"))
    keep = np.flatnonzero(~alone)
    wells = build_wells(obs.iloc[keep], X[keep], var, info)
    return Dataset(info.dataset, wells, DataReport(source, tuple(notes)))


def load_hpn(folder: Path) -> Dataset:
    """HPN-DREAM: three breast cancer lines, eight stimuli, kinase inhibitors, 0 to 240 min."""
    import pandas as pd

    parts = [pd.read_csv(path) for path in sorted(folder.glob("*.csv"))]
    info = DatasetInfo(
        dataset="hpn_dream", description="HPN-DREAM: phosphoproteins of breast cancer lines under inhibitors",
        licence="BSD-3-Clause (packaged in dreamtools); HPN-DREAM terms",
        citation="Hill 2016, doi:10.1038/nmeth.3773", scale="log2", has_controls=True,
    )  # fmt: skip
    return from_midas(pd.concat(parts, ignore_index=True), info=info, source=str(folder))


def _given(table: pd.DataFrame, columns: list[str]) -> list[list[str]]:
    """For each row the names of the treatments it got; "A_Bi" is the inhibitors A and B."""
    names = [c.split(":")[1].removesuffix("i").split("_") if c.endswith("i") else [c.split(":")[1]] for c in columns]
    return [
        [n for on, part in zip(row, names, strict=True) if on for n in part] for row in table[columns].to_numpy() > 0
    ]


def _readout(column: str) -> str:
    """ "DV:AKT_pS473" -> "pAKT(S473)", "DV:4EBP1_pT37_pT46" -> "p4EBP1(T37/T46)"; others without "DV:"."""
    name = column.removeprefix("DV:")
    sites = re.findall(r"_p?([STY]\d+)", name, re.IGNORECASE)
    return f"p{name.split('_')[0]}({'/'.join(s.upper() for s in sites)})" if sites else name


def _without_control(obs: pd.DataFrame) -> np.ndarray:
    keys = obs["context"] + "|" + obs["time_h"].astype(str)
    return (~obs["control"] & ~keys.isin(set(keys[obs["control"]]))).to_numpy()

"""``cytocrux predict``: the cell alone; a table of conditions in, predictions out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...world_model.errors import BadInput
from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Data, Device, Json, Know, Model, Seed, Workspace

if TYPE_CHECKING:
    import pandas as pd

    from ...world_model.prediction import CellPrediction
    from ..cells import Fitted

SHOWN = 12  # readouts of a condition, and conditions, on a terminal


def predict(
    conditions: Annotated[
        Path | None,
        typer.Argument(metavar="[TABLE]", help="Conditions: .csv, .tsv, .parquet or the obs of an .h5ad."),
    ] = None,
    context: Annotated[list[str] | None, typer.Option(metavar="NAME", help="The cells. May be repeated.")] = None,
    perturbation: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Compound or gene; A+B for both. May be repeated.")
    ] = None,
    dose: Annotated[list[str] | None, typer.Option(metavar="UM", help="uM, or with a unit: '10 nM'.")] = None,
    time: Annotated[list[str] | None, typer.Option(metavar="H", help="h, or with a unit: '30 min'.")] = None,
    kind: Annotated[str, typer.Option(metavar="KIND", help="compound, knockout, …; else as in the data.")] = "",
    batch: Annotated[str, typer.Option(metavar="NAME", help="Screen, where the data have no controls.")] = "",
    readout: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only these readouts.")] = None,
    data: Data = None,
    model: Model = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all of it: .csv, .tsv, .parquet or .h5ad (layers).")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw dose and time courses there (PNG).")] = None,
    allow_new: Annotated[bool, typer.Option("--allow-new", help="Answer for names nobody knows, too.")] = False,
    know: Know = None,
    device: Device = "cpu",
    seed: Seed = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Predict the relative change of conditions against their matched control.

    Each answer says how sure it is, how far from the training data it lies, and where the cell abstains.
    """
    from ...world_model.data.asked import resolve
    from ..cells import obtain
    from ..predictions import SUFFIXES, write
    from ..predictions import as_json as as_objects

    if know and model is not None:
        raise BadInput("A saved cell knows what it was trained with", cure="Give --know to model train")
    asked = _asked(conditions, context, perturbation, dose, time, kind, batch)
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{out.name} has no suffix that can be written", cure=f"Use one of {', '.join(SUFFIXES)}")
    with Progress(quiet=as_json) as progress:
        fitted = obtain(data, model, workspace=workspace, device=device, seed=seed, say=progress, know=know or ())
        cell = fitted.cell
        keep = _readouts(readout, cell.readouts)
        spelled = fitted.dataset.contexts if fitted.dataset else ()
        resolved = resolve(
            asked, cell.rows.conditions, allow_new=allow_new, contexts_too=spelled, priors=fitted.known()
        )
        progress(f"predicting {len(resolved.conditions):,} conditions")
        told = cell.predict(resolved.conditions)
        written = [str(out)] if out is not None else []
        if out is not None:
            write(told, fitted.units(), cell.version, out, keep)
        if plot is not None:
            from ..plots.asked import draw_asked

            progress("drawing")
            written += [str(p) for p in draw_asked(fitted, told, keep if readout else None, plot)]
    if as_json:
        emit(
            {
                "model": cell.version, "notes": list(resolved.notes), "written": written,
                "conditions": as_objects(told, fitted.units(), keep),
            }
        )  # fmt: skip
        return
    for note in resolved.notes:
        say(f"Note: {note}")
    _show(told, fitted, keep)
    for path in written:
        say(f"Written: {path}")
    if model is None:
        say(f"Keep this cell: cytocrux model train --data {data} --out DIR, then predict --model DIR")


def _asked(
    conditions: Path | None, context: list[str] | None, perturbation: list[str] | None, dose: list[str] | None,
    time: list[str] | None, kind: str, batch: str,
) -> pd.DataFrame:  # fmt: skip
    """The table of conditions from a file, or every combination of what the options name."""
    import itertools

    import pandas as pd

    from ...world_model.data.asked import read_conditions, to_conditions

    if conditions is not None:
        if context or perturbation or dose or time:
            raise BadInput("Conditions are given twice", why="there is a table and there are options", cure="Drop one")
        return to_conditions(read_conditions(conditions))
    if not context or not perturbation:
        raise BadInput(
            "There is nothing to predict", cure="Give a table of conditions, or --context NAME and --perturbation NAME"
        )
    rows = itertools.product(context, perturbation, dose or [""], time or [""])
    raw = pd.DataFrame(rows, columns=["context", "perturbation", "dose", "time_h"])
    return to_conditions(raw.assign(kind=kind, batch=batch))


def _readouts(wanted: list[str] | None, known: tuple[str, ...]) -> list[int]:
    from ...world_model.errors import UnknownName

    if not wanted:
        return list(range(len(known)))
    lowered = {name.lower(): i for i, name in enumerate(known)}
    for name in wanted:
        if name.lower() not in lowered:
            raise UnknownName(name, kind="readout", known=known)
    return [lowered[name.lower()] for name in wanted]


def _show(told: CellPrediction, fitted: Fitted, keep: list[int]) -> None:
    """The largest changes of the first conditions; the file of --out has all of them."""
    import numpy as np

    units = fitted.units()
    for i in range(min(SHOWN, len(told.conditions))):
        base = "nothing" if told.base[i] == "none" else f"the {told.base[i]}".replace("the its ", "its ")
        say(f"{label(told, i)}  (in domain {told.in_domain[i]:.2f}; from {base})")
        if told.abstain[i]:
            say(f"  The cell abstains: {told.reason[i]}")
        mean, sd = told.mean[i, keep], told.epistemic[i, keep]
        order = np.argsort(-np.abs(np.nan_to_num(mean)))[:SHOWN]
        low, high = mean - 1.645 * sd, mean + 1.645 * sd
        rows = [
            (
                told.readouts[keep[j]], f"{mean[j]:+.2f}", f"{low[j]:+.2f} to {high[j]:+.2f}",
                f"{told.aleatoric[i, keep[j]]:.2f}", units[keep[j]],
            )
            if np.isfinite(mean[j]) else (told.readouts[keep[j]], None, None, None, units[keep[j]])
            for j in order
        ]  # fmt: skip
        table(
            ("Readout", "Change" if fitted.has_controls else "Reading", "90 % interval", "Sd of a well", "Unit"), rows
        )
    if len(told.conditions) > SHOWN:
        say(f"… and {len(told.conditions) - SHOWN:,} more conditions; --out FILE writes all.")
    elif len(keep) > SHOWN:
        say(f"The {SHOWN} largest of {len(keep):,} readouts are shown; --out FILE writes all.")


def label(told: CellPrediction, i: int) -> str:
    """A condition in words: "Trametinib 1 uM at 24 h in A375"."""
    import numpy as np

    row = told.conditions.iloc[i]
    dose = "" if np.isnan(row["dose"]) else f" {row['dose']:g} uM"
    time = "" if np.isnan(row["time_h"]) else f" at {row['time_h']:g} h"
    return f"{row['perturbation']}{dose}{time} in {row['context']}"

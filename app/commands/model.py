"""``cytocrux model``: train a cell, test it on what it has not seen, compare two, say what one can answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...world_model.errors import BadInput
from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Data, Device, Json, Know, Seed, Workspace

app = typer.Typer(help="The virtual cell: train, eval, compare, info.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A cell saved by `model train`.")]
NeededData = Annotated[str, typer.Option("--data", metavar="NAME|FILE", help="A data set, or your own file.")]
HoldOut = Annotated[
    list[str] | None,
    typer.Option(metavar="WHAT", help="Leave out context=NAME, perturbation=NAME, dose=UM or time=H; may be repeated."),
]


@app.command()
def train(
    data: NeededData,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the cell.")],
    hold_out: HoldOut = None,
    know: Know = None,
    seed: Seed = 0,
    device: Device = "cpu",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Fit a cell on a data set and keep it, with the manifest of its training."""
    from .. import cells

    if out.exists() and not out.is_dir():
        raise BadInput(f"{out} is a file", cure="Name a folder for the cell")
    cells.check_device(device)
    with Progress(quiet=as_json) as progress:
        dataset = cells.dataset_of(data, workspace, progress)
        fitted = cells.train(
            dataset, data=data, seed=seed, device=device, say=progress, hold_out=hold_out or (), know=know or ()
        )
        progress("writing")
        cells.write(fitted, out)
    if as_json:
        emit({**fitted.about, "folder": str(out)})
        return
    about = fitted.about
    say(f"{about['version']} is in {out}: {about['rows']:,} conditions, fitted in {about['seconds']:.1f} s.")
    say(f"Ask it: cytocrux predict --model {out} --context … --perturbation …")


@app.command()
def info(folder: Folder, workspace: Workspace = DEFAULT_WORKSPACE, as_json: Json = False) -> None:
    """Say what a cell was trained on and what it can answer."""
    from .. import cells
    from ..abilities import facts, lines

    fitted = cells.read(folder)
    told = facts(fitted)
    if as_json:
        emit(told)
        return
    for line in lines(told):
        say(line)
    rows = [(a["new"], a["base"], a["error"], a["note"]) for a in told["answers"]]
    if rows:
        say()
        table(
            ("What is new in the question", "Answered from", "Error left", "Note"), rows, wide=("Answered from", "Note")
        )
        say("Error left: squared error on held-out training conditions, as a share of the train mean's.")


@app.command("eval")
def evaluate(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A saved cell; without one, cells are fitted on each split.")
    ] = None,
    data: Data = None,
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only these splits, e.g. 'new context'; may be repeated.")
    ] = None,
    know: Know = None,
    folds: Annotated[int, typer.Option(min=2, max=20, metavar="N", help="Folds a split, at most.")] = 3,
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw predicted against measured there.")] = None,
    seed: Seed = 0,
    device: Device = "cpu",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Score the cell on held-out conditions, beside the plain methods.

    With DIR: the conditions of --data that the saved cell has not learned from. Without: cells are fitted anew on
    splits by biology (new perturbation, combination, context, dose, time), where the data permit them.
    """
    from .. import cells, evaluation

    if data is None:
        raise BadInput("There are no data to score the cell on", cure="Give --data NAME|FILE")
    cells.check_device(device)
    with Progress(quiet=as_json) as progress:
        dataset = cells.dataset_of(data, workspace, progress)
        if folder is not None:
            if split or know:
                raise BadInput(
                    "A saved cell has no splits and learns nothing more",
                    why="what it has seen is fixed",
                    cure="Drop --split or DIR",
                )
            outcome = evaluation.of_saved(cells.read(folder, device=device), dataset)
        else:
            outcome = evaluation.of_splits(
                dataset, split, folds=folds, seed=seed, device=device, say=progress, know=know or ()
            )
        written = evaluation.draw(outcome, plots) if plots is not None else []
    if as_json:
        emit({**outcome.as_json(), "written": [str(p) for p in written]})
        return
    evaluation.show(outcome)
    for path in written:
        say(f"Written: {path}")


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A saved cell.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    data: NeededData,
    device: Device = "cpu",
    seed: Seed = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Compare two saved cells on conditions that neither has learned from.

    Differences are paired, with 95 % intervals; the plain methods stand beside.
    """
    from .. import cells, evaluation

    cells.check_device(device)
    with Progress(quiet=as_json) as progress:
        dataset = cells.dataset_of(data, workspace, progress)
        pair = [cells.read(folder, device=device) for folder in (first, second)]
        progress("predicting the conditions that neither has seen")
        outcome: dict[str, Any] = evaluation.of_pair(pair[0], pair[1], dataset, seed=seed)
    if as_json:
        emit(outcome)
        return
    evaluation.show_pair(outcome, str(first), str(second))

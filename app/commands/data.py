"""``cytocrux data``: the registered data sets, their licences, and how to get them."""

from __future__ import annotations

from typing import Annotated

import typer

from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Json, Workspace

app = typer.Typer(help="Data sets: licence, content, download.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set of `data list`.")]


@app.command("list")
def list_data(workspace: Workspace = DEFAULT_WORKSPACE, as_json: Json = False) -> None:
    """List the data sets, where each comes from, its licence."""
    from ...world_model.data.registry import entries

    known = entries().values()
    if as_json:
        emit({"data": [_card(e.name) for e in known]})
        return
    rows = [(e.name, e.title, e.size, e.available(), e.licence) for e in known]
    table(("Name", "What", "Size", "Where", "Licence"), rows, wide=("What", "Where", "Licence"))
    say("Your own file works too: cytocrux ask ... --data my.h5ad (or .csv, .tsv, .parquet).")


@app.command()
def info(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A data set of `data list`, or your own file.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Say what is in a data set, and what was changed, and why."""
    from ...world_model.data.registry import SUFFIXES, entry, load

    if not name.lower().endswith(SUFFIXES):
        entry(name)
    with Progress(quiet=as_json) as progress:
        progress(f"reading {name}")
        dataset = load(name)
    about, shape = dataset.info, dataset.wells.shape
    facts = {
        "name": dataset.name,
        "description": about.description,
        "licence": about.licence,
        "citation": about.citation,
        "scale": about.scale,
        "wells": shape[0],
        "readouts": shape[1],
        "contexts": len(dataset.contexts),
        "perturbations": len(dataset.perturbations),
        "controls": about.has_controls,
    }
    if as_json:
        emit({**facts, "report": dataset.report.as_json()})
        return
    for label, value in facts.items():
        say(f"{label:<15}{value:,}" if isinstance(value, int) and value is not True else f"{label:<15}{value}")
    say()
    for line in dataset.report.lines():
        say(line)


@app.command()
def fetch(name: Name, workspace: Workspace = DEFAULT_WORKSPACE, as_json: Json = False) -> None:
    """Get a data set, its checksum verified; none of it is run."""
    from ...world_model.data.registry import entry, load

    chosen = entry(name)
    before = chosen.available()
    with Progress(quiet=as_json) as progress:
        progress(f"{name}: {before}; licence: {chosen.licence}")
        dataset = load(name)
    if as_json:
        emit({**_card(name), "wells": dataset.wells.n_obs})
    else:
        say(f"{name} is here ({chosen.available()}): {dataset.wells.n_obs:,} wells. Cite: {chosen.citation}")


def _card(name: str) -> dict[str, str]:
    from ...world_model.data.registry import entry

    e = entry(name)
    return {
        "name": e.name,
        "title": e.title,
        "licence": e.licence,
        "citation": e.citation,
        "source": e.source,
        "size": e.size,
        "available": e.available(),
    }

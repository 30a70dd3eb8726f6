"""``cytocrux data``: the registered data sets, their licences, and how to get them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Json, Workspace

if TYPE_CHECKING:
    from ...world_model.data.own import OwnFile

app = typer.Typer(help="Data sets: licence, content, download; your own under a name.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set of `data list`.")]


@app.command("list")
def list_data(workspace: Workspace = DEFAULT_WORKSPACE, as_json: Json = False) -> None:
    """List the data sets, where each comes from, its licence."""
    from ...world_model.data.own import own_files
    from ...world_model.data.registry import entries

    known, own = entries().values(), own_files(workspace)
    if as_json:
        emit({"data": [*(_card(e.name) for e in known), *(_own_card(f) for f in own.values())]})
        return
    rows = [(e.name, e.title, e.size, e.available(), e.licence) for e in known]
    rows += [(f.name, "your own file", _size(f.bytes), f.path, f.licence or "your own") for f in own.values()]
    table(("Name", "What", "Size", "Where", "Licence"), rows, wide=("What", "Where", "Licence"))
    say("Your own file works too: --data my.h5ad (or .csv, .tsv, .parquet, .gct, .gctx), or `cytocrux data add` it.")


@app.command()
def info(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A data set of `data list`, or your own file.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Say what is in a data set, and what was changed, and why."""
    from ...world_model.data.own import own_files
    from ...world_model.data.registry import SUFFIXES, entries, entry, load

    own = own_files(workspace)
    if not name.lower().endswith(SUFFIXES) and name not in own:
        chosen = entry(name, also=own)
        if chosen.available() == "not here":
            _announce(_card(name), as_json)
            return
    with Progress(quiet=as_json) as progress:
        progress(f"reading {name}")
        dataset = load(name, workspace=workspace)
    about, shape = dataset.info, dataset.wells.shape
    pinned = own[name].sha256 if name in own else None
    if name in entries() and entries()[name].folder:
        pinned = entries()[name].sha256 or NOT_PINNED
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
        **({"sha256": pinned} if pinned else {}),
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


@app.command()
def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=".h5ad, .csv, .tsv, .parquet, .gct or .gctx; it stays where it is.")
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it from now on.")],
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="COLUMN=VALUE", help="True of all rows, e.g. kind=knockdown.")
    ] = None,
    rename: Annotated[
        list[str] | None, typer.Option(metavar="THEIRS=OURS", help="Read a column as another, e.g. stim=perturbation.")
    ] = None,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Under which the data may be used.")] = "",
    citation: Annotated[str, typer.Option(metavar="TEXT", help="What to cite.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Let the name stand for this file from now on.")] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Register your own file under a name, once it has been read and checked.

    Its sha256 is kept: the name stands for this content and no other.
    """
    from ...world_model.data.own import add_file
    from ...world_model.data.recipe import parse
    from ...world_model.data.registry import entries
    from ...world_model.data.userfile import load_file
    from ..options import existing_file

    recipe = parse(setting or [], rename or [])
    with Progress(quiet=as_json) as progress:
        progress(f"reading {file}")
        dataset = load_file(existing_file(file, "data file"), name=name, recipe=recipe)
        taken = frozenset(entries())
        entry = add_file(
            file, name, workspace=workspace, taken=taken, licence=licence, citation=citation, recipe=recipe,
            replace=replace,
        )  # fmt: skip
    if as_json:
        emit({**_own_card(entry), "wells": dataset.wells.n_obs, "report": dataset.report.as_json()})
        return
    for line in dataset.report.lines():
        say(line)
    say(f"{name}: {dataset.wells.n_obs:,} wells x {dataset.wells.n_vars:,} readouts. Use it: --data {name}")


NOT_PINNED = "not pinned"


def _announce(card: dict[str, str], as_json: bool) -> None:
    """What is known of a data set that is not on this machine."""
    if as_json:
        emit(card)
        return
    for label, value in card.items():
        say(f"{label:<15}{value}")


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
        "files": ", ".join(f"{e.folder}/{f}" for f in e.files) or "none",
        "sha256": e.sha256 or ("none: built in" if not e.folder else NOT_PINNED),
        "available": e.available(),
    }


def _own_card(own: OwnFile) -> dict[str, str]:
    return {
        "name": own.name,
        "title": "your own file",
        "licence": own.licence,
        "citation": own.citation,
        "source": own.path,
        "size": _size(own.bytes),
        "sha256": own.sha256,
        "available": own.path if Path(own.path).is_file() else "gone",
    }


def _size(n: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= factor:
            return f"{n / factor:.1f} {unit}"
    return f"{n} B"

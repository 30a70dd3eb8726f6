"""Options that every command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..world_model.errors import BadInput

DEFAULT_WORKSPACE = Path("cytocrux-workspace")

Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace", envvar="CYTOCRUX_WORKSPACE", metavar="DIR", help="Folder of the ledger, artefacts and reports."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; errors become JSON too.")]

Data = Annotated[
    str | None, typer.Option("--data", metavar="NAME|FILE", help="A data set of `data list`, or your own file.")
]
Model = Annotated[Path | None, typer.Option("--model", metavar="DIR", help="A cell saved by `model train`.")]
Device = Annotated[str, typer.Option("--device", metavar="NAME", help="cpu, or cuda where there is one.")]
Know = Annotated[
    list[str] | None,
    typer.Option(
        "--know",
        metavar="WHAT",
        help="Known of perturbations: GO, pathways, regulons, network, compounds, or NAME=FILE. May be repeated.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of everything random.")]


def existing_file(path: Path, what: str) -> Path:
    """The path itself, or BadInput that says what was looked for and where."""
    if not path.is_file():
        why = "it is a folder" if path.is_dir() else "there is no such file"
        raise BadInput(f"Cannot read the {what} {path}", why=why, cure="Check the spelling and the current folder")
    return path

"""The command line. Commands import what they need when they run, so that --help stays instant."""

from __future__ import annotations

from typing import Annotated

import typer

from .commands import (
    ask,
    campaign,
    claims,
    data,
    dock,
    doctor,
    evals,
    exchange,
    explain,
    hits,
    mcp,
    model,
    notes,
    predict,
    review,
    structure,
)
from .failures import Guarded

app = typer.Typer(
    name="cytocrux",
    cls=Guarded,
    help="An AI scientist that stakes claims about the cell, tries to break them in the lab, and reports what held.",
    epilog='Start with: cytocrux ask "QUESTION".  Research use only; not medical advice.',
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cytocrux {version('cytocrux')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


app.command("ask")(ask.ask)
app.command("review")(review.review)
app.command("predict")(predict.predict)
app.add_typer(model.app, name="model")
campaign.app.command("hits")(hits.hits)
app.add_typer(campaign.app, name="campaign")
app.add_typer(claims.app, name="claims")
app.add_typer(exchange.index, name="index")
app.add_typer(data.app, name="data")
app.add_typer(notes.app, name="notes")
app.command("explain")(explain.explain)
app.command("dock")(dock.dock)
app.add_typer(structure.app, name="structure")
app.command("mcp")(mcp.mcp)
app.command("eval")(evals.evaluate)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Entry point of the ``cytocrux`` command."""
    app()

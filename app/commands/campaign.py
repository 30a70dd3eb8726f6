"""``cytocrux campaign``: goals that run for many cycles under a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..console import Progress, emit, say
from ..options import DEFAULT_WORKSPACE, Json, Workspace, existing_file

app = typer.Typer(help="Goals that run for many cycles under a budget.", no_args_is_help=False)

Id = Annotated[str, typer.Argument(metavar="ID", help="The campaign (see `campaign status`).")]


@app.command()
def start(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="Question, data, budget and approval policy.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the report.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Start a campaign and run it.

    It runs until its budget ends or a person must decide.
    """
    from ...agents import scientist
    from ...agents.spec import read_spec
    from ..answers import finish

    spec = read_spec(existing_file(file, "campaign file"))
    with Progress(quiet=as_json) as progress:
        outcome = scientist.start(spec, workspace=workspace, progress=progress)
    finish(outcome, workspace=workspace, out=out, as_json=as_json)


@app.command()
def resume(
    campaign: Id,
    replay: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A recording answers for the language model.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the report.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Go on after a review, a pause, or a crash."""
    from ...agents import scientist
    from ..answers import finish

    with Progress(quiet=as_json) as progress:
        outcome = scientist.resume(campaign, workspace=workspace, replay=replay, progress=progress)
    finish(outcome, workspace=workspace, out=out, as_json=as_json)


@app.command()
def pause(campaign: Id, workspace: Workspace = DEFAULT_WORKSPACE, as_json: Json = False) -> None:
    """Let a running campaign stop after its present step."""
    from ...agents import scientist

    scientist.pause(campaign, workspace=workspace)
    _done(campaign, "paused", f"Go on with: cytocrux campaign resume {campaign}", as_json)


@app.command()
def stop(campaign: Id, workspace: Workspace = DEFAULT_WORKSPACE, as_json: Json = False) -> None:
    """End a campaign; what it found stays in the ledger."""
    from ...agents import scientist

    scientist.stop(campaign, workspace=workspace)
    _done(campaign, "stopped", f"See what it found: cytocrux campaign report {campaign}", as_json)


@app.command()
def status(
    campaign: Annotated[str | None, typer.Argument(metavar="[ID]", help="One campaign; all without it.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Show the campaigns: state, claims, wells, what waits."""
    from ...agents import scientist
    from ..answers import show_status

    rows = scientist.campaign_status(workspace, campaign)
    if as_json:
        emit({"campaigns": rows})
    else:
        show_status(rows, workspace)


@app.command()
def report(
    campaign: Id,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the report.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Write the campaign's HTML report from the ledger alone."""
    from ..report import write_report

    with Progress(quiet=as_json) as progress:
        progress("writing the report")
        page = write_report(workspace, campaign, out)
    if as_json:
        emit({"campaign": campaign, "report": str(page)})
    else:
        say(f"Report: {page}")


def _done(campaign: str, state: str, next_step: str, as_json: bool) -> None:
    if as_json:
        emit({"campaign": campaign, "state": state})
    else:
        say(f"Campaign {campaign} is {state}. {next_step}")

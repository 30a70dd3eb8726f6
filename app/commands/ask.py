"""``cytocrux ask``: a question in, tested claims and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..console import Progress
from ..options import DEFAULT_WORKSPACE, Json, Workspace, existing_file


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know, in plain words.")],
    data: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="A data set (`data list`), or your own .h5ad or .csv file."),
    ] = None,
    patient: Annotated[
        Path | None, typer.Option(metavar="TABLE.csv", help="The patient's table: columns field, value, unit.")
    ] = None,
    budget: Annotated[
        str,
        typer.Option(
            metavar="LIMITS",
            help="What may be spent, e.g. wells=96,plates=1,days=7,lab_usd=500,hours=8; usd is for the language model.",
        ),
    ] = "",
    llm: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An OpenAI-compatible endpoint; without: the built-in mind."),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model's name at that endpoint.")] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The recording of an earlier run answers for the language model."),
    ] = None,
    auto_approve: Annotated[
        str | None, typer.Option(metavar="POLICY", help='Approve experiments by a stated policy: "replay".')
    ] = None,
    lab: Annotated[
        str | None, typer.Option(metavar="LAB", help='"replay" or "simulated" (default: as the data allow).')
    ] = None,
    release: Annotated[
        str,
        typer.Option(metavar='"NAME: WHY"', help="A person answers for a request that the hazard policy stops."),
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random choice.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the report (default: in the workspace).")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Ask: claims are staked, tested in the lab, reported.

    Without --auto-approve the run stops at the proposed experiment, for you to review.
    """
    from ...agents import scientist
    from ...agents.budget import Budget
    from ...agents.policies import check_policy
    from ...world_model.errors import BadInput
    from ..answers import finish

    if not question.strip():
        raise BadInput("The question is empty", cure='Write it in quotes: cytocrux ask "Which ... ?"')
    if (llm is None) != (model is None):
        missing, given = ("--model", "--llm") if model is None else ("--llm", "--model")
        raise BadInput(f"{given} is given without {missing}", why="a language model needs both", cure=f"Add {missing}")
    limits = Budget.parse(budget)
    policy = None if auto_approve is None else check_policy(auto_approve)
    table = None if patient is None else existing_file(patient, "patient table")
    with Progress(quiet=as_json) as progress:
        outcome = scientist.ask(
            question,
            workspace=workspace,
            data=data,
            patient=table,
            budget=limits,
            llm_url=llm,
            model=model,
            auto_approve=policy,
            lab=lab,
            seed=seed,
            replay=replay,
            released=release,
            progress=progress,
        )
    finish(outcome, workspace=workspace, out=out, as_json=as_json)

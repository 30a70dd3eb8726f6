"""``cytocrux review``: a person decides about a proposed experiment."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..console import emit, say
from ..options import DEFAULT_WORKSPACE, Json, Workspace

DECISIONS: dict[str, Literal["approve", "edit", "reject"]] = {"approve": "approve", "edit": "edit", "reject": "reject"}


def review(
    name: Annotated[str, typer.Argument(metavar="ID", help="The campaign, or the experiment's hash.")],
    approve: Annotated[bool, typer.Option("--approve", help="Let the experiment run as proposed.")] = False,
    edit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run this changed design instead (JSON, as `--json` prints it).")
    ] = None,
    reject: Annotated[str | None, typer.Option(metavar='"WHY"', help="Do not run it, with the reason.")] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decides (default: your user name).")] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it was approved or edited.")] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Show the experiment that waits, or decide it.

    The decision is recorded and bound to the design's hash.
    """
    from ...world_model.errors import BadInput
    from ..answers import show_pending

    chosen = [
        n for n, given in (("approve", approve), ("edit", edit is not None), ("reject", reject is not None)) if given
    ]
    if len(chosen) > 1:
        names = " and ".join(f"--{name}" for name in chosen)
        raise BadInput(f"{names} exclude each other", cure="Give one decision")
    if not chosen:
        show_pending(workspace, name, as_json=as_json)
        return
    if reject is not None and not reject.strip():
        raise BadInput("A rejection needs its reason", why="the scientist learns from it", cure='Write --reject "why"')
    from ...agents import scientist

    reviewer = (by or getpass.getuser()).strip()
    known = scientist.decide(
        name, workspace=workspace, decision=DECISIONS[chosen[0]], by=reviewer, reason=reject or reason, edited=edit
    )
    if as_json:
        emit({"campaign": known, "decision": chosen[0], "by": reviewer, "reason": reject or reason})
        return
    past = {"approve": "approved", "edit": "approved as edited", "reject": "rejected"}[chosen[0]]
    say(f"The experiment of {known} is {past} by {reviewer}.")
    say(f"Go on with: cytocrux campaign resume {known} --workspace {workspace}")

"""``cytocrux doctor``: what is installed, reachable and configured, and what to do about the rest."""

from __future__ import annotations

from typing import Annotated

import typer

from ..console import emit, say
from ..options import DEFAULT_WORKSPACE, Json, Workspace


def doctor(
    llm: Annotated[
        str | None, typer.Option(metavar="URL", envvar="CYTOCRUX_LLM", help="Also try this language-model endpoint.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Say what is installed and reachable, and what to do.

    Exit 1 if something that Cytocrux needs is wrong.
    """
    from ..health import examine

    findings = examine(workspace, llm)
    failed = [f for f in findings if f.state == "fail"]
    if as_json:
        emit({"ok": not failed, "findings": [vars(f) for f in findings]})
    else:
        for finding in findings:
            say(f"{MARK[finding.state]} {finding.name:<16}{finding.what}")
            if finding.cure:
                say(f"{'':<18}{finding.cure}")
        say()
        say("Everything needed is here." if not failed else f"{len(failed)} of {len(findings)} checks failed.")
    raise typer.Exit(1 if failed else 0)


MARK = {"ok": "✔", "note": "·", "fail": "✘"}

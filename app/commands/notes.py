"""``cytocrux notes``: papers and texts of your own, found by their words, cited by page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..console import emit, say, table
from ..options import DEFAULT_WORKSPACE, Json, Workspace

app = typer.Typer(help="Papers and texts of your own: add, search, cite.", no_args_is_help=True)


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Text, BibTeX, PubMed XML or PDF.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Put files into the ledger as notes. Nothing is fetched; the same file twice changes nothing."""
    from dataclasses import asdict

    from ...knowledge import notes
    from ...knowledge.ledger import Ledger

    for file in files:  # all are readable before any is stored
        notes.read(file, notes.load(file))
    with Ledger.open(workspace) as ledger:
        done = [notes.add(ledger, f) for f in files]
    if as_json:
        emit({"added": [asdict(d) for d in done]})
        return
    for d in done:
        say(f"{d.source}: {d.passages} passages, {d.new} of them new.")


@app.command()
def search(
    words: Annotated[str, typer.Argument(help="What to look for.")],
    n: Annotated[int, typer.Option("-n", min=1, max=100, help="Most hits.")] = 5,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Find passages by their words; each with its citation and its ledger entry."""
    from dataclasses import asdict

    from ...knowledge import notes
    from ..ledgers import opened

    with opened(workspace) as ledger:
        hits = notes.search(ledger, words, n)
    if as_json:
        emit({"hits": [asdict(h) for h in hits]})
        return
    if not hits:
        say("No note matches. Add files with: cytocrux notes add FILE")
        return
    rows = [(str(h.entry), h.score, h.citation, h.text) for h in hits]
    table(("Entry", "Score", "Citation", "Text"), rows, wide=("Citation", "Text"))

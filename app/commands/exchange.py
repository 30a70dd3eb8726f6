"""``cytocrux claims export | import | retract | merge`` and ``cytocrux index rebuild``: the ledger among people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..console import emit, say
from ..options import DEFAULT_WORKSPACE, Json, Workspace
from .claims import app as claims

index = typer.Typer(help="The search index: rebuilt from the ledger whenever you like.")

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; it goes into the ledger.")]


@claims.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="PATH", help="A new file; for RO-Crate a new folder.")],
    format: Annotated[str, typer.Option("--format", metavar="jsonld|csv|rocrate", help="What to write.")] = "jsonld",
    campaign: Annotated[str | None, typer.Option(metavar="ID", help="Only this campaign's claims.")] = None,
    licence: Annotated[str, typer.Option(help="Licence to state in an RO-Crate.")] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Write the claims with their evidence for other people (nanopublications, a table, or a crate)."""
    from ...knowledge import exports
    from ..ledgers import opened

    with opened(workspace) as ledger:
        written = exports.export(
            ledger,
            target,
            format,  # type: ignore[arg-type]  # export refuses an unknown format with the known ones
            campaign=campaign,
            licence=licence or exports.UNLICENSED,
        )
    emit({"written": str(written)}) if as_json else say(f"Written: {written}")


@claims.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="PATH", help="A colleague's whole export (JSON-LD or RO-Crate).")],
    by: By,
    head: Annotated[str | None, typer.Option(metavar="HASH", help="Their last hash, learnt by another way.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Check a colleague's export entry by entry and keep it as a ledger of its own; evidence never mixes."""
    from ...knowledge.imports import import_export
    from ..ledgers import opened

    with opened(workspace) as ledger:
        home = import_export(ledger, source, by=by, head=head)
    if as_json:
        emit({"workspace": str(home)})
    else:
        say(f"Every entry holds. Read it with: cytocrux claims list --workspace {home}")


@claims.command()
def retract(
    by: By,
    reason: Annotated[str, typer.Option(help="Why the evidence is taken back.")],
    claim: Annotated[str | None, typer.Option(metavar="ID", help="All evidence of this claim.")] = None,
    wells: Annotated[
        list[str] | None, typer.Option("--well", metavar="ID", help="Evidence that used this well.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Take evidence back (a bad plate); everything that followed is computed again."""
    from ...knowledge import truth
    from ..ledgers import opened

    with opened(workspace) as ledger:
        gone = truth.retract(ledger, reason=reason, by=by, claim_id=claim, wells=wells or ())
    entries = [e.seq for e in gone]
    emit({"entries": entries}) if as_json else say(f"Taken back, in entries {', '.join(map(str, entries))}.")


@claims.command()
def merge(
    duplicate: Annotated[str, typer.Argument(metavar="ID", help="The claim to close.")],
    into: Annotated[str, typer.Argument(metavar="ID", help="The claim that asks the same.")],
    by: By,
    reason: Annotated[str, typer.Option(help="Why they are the same question.")] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Close a near-duplicate claim in favour of another, by a person's consent."""
    from ...knowledge import truth
    from ..ledgers import opened

    with opened(workspace) as ledger:
        entry = truth.merge(ledger, duplicate, into, by=by, reason=reason).seq
    emit({"entry": entry}) if as_json else say(f"{duplicate} is closed in favour of {into} (entry {entry}).")


@index.command()
def rebuild(workspace: Workspace = DEFAULT_WORKSPACE, as_json: Json = False) -> None:
    """Throw the search index away and build it again from the ledger."""
    from ...knowledge.index import Index
    from ..ledgers import opened

    with opened(workspace) as ledger, Index.open(ledger) as found:
        texts = found.rebuild().count()
    emit({"texts": texts}) if as_json else say(f"The index holds {texts} texts again.")

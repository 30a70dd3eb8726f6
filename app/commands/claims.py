"""``cytocrux claims``: what was staked, what held, and whether the ledger is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ..console import emit, say, table
from ..options import DEFAULT_WORKSPACE, Json, Workspace

if TYPE_CHECKING:
    from ...knowledge.status import ClaimState
    from ..report.record import ClaimRecord

app = typer.Typer(help="What was staked, what held; check the ledger.")


@app.command("list")
def list_claims(
    campaign: Annotated[str | None, typer.Option(metavar="ID", help="Only this campaign's claims.")] = None,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="Only claims of this status.")] = None,
    fdr: Annotated[
        float | None, typer.Option(metavar="LEVEL", help="Only claims that hold at this false discovery rate (e-BH).")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """List the claims with their computed status."""
    from ...knowledge.claims import Status
    from ...world_model.errors import UnknownName
    from ..report.facts import claim_json
    from ..report.record import holding

    if status is not None and status not in get_args(Status):
        raise UnknownName(status, kind="status", known=get_args(Status))
    claims = [c for c in _claims(workspace) if _wanted(c.state, campaign, None)]
    if fdr is not None:
        claims = holding(claims, fdr)
    claims = [c for c in claims if _wanted(c.state, None, status)]
    if as_json:
        emit({"claims": [claim_json(c) for c in claims]})
        return
    if not claims:
        say("No claim matches." if campaign or status or fdr else f"No claim in {workspace} yet.")
        return
    rows = [(c.id, c.status, c.claim.sentence, *_evidence(c)) for c in claims]
    table(("Claim", "Status", "Sentence", "E for", "E against", "Wells"), rows, wide=("Sentence",))


@app.command()
def show(
    claim: Annotated[str, typer.Argument(metavar="ID", help="The claim's id, or the beginning of it.")],
    without: Annotated[
        list[int] | None, typer.Option(metavar="ENTRY", help="What if this entry of evidence had not been? Repeatable.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Show one claim: test, evidence, history, what-if."""
    from ..report.facts import claim_json

    known = _claims(workspace)
    found = _find(known, claim)
    what_if, without_them = None, known
    if without:
        _check_entries(found, without)
        without_them = _claims(workspace, without)
        what_if = _find(without_them, found.id)
    if as_json:
        emit(claim_json(found) | ({"without": without, "what_if": claim_json(what_if)} if what_if else {}))
        return
    _describe(found)
    if what_if is not None:
        entries = ", ".join(str(n) for n in without or ())
        say()
        say(f"Without entry {entries}: {what_if.status} ({_bets(what_if)}).")
        for other, changed in zip(known, without_them, strict=True):
            if other.id != found.id and other.status != changed.status:
                say(f"  {other.id} would be {changed.status}, not {other.status}: {other.claim.sentence}")
        say("Nothing was changed in the ledger.")


@app.command()
def search(
    words: Annotated[str, typer.Argument(metavar="WORDS", help="What to look for, in plain words.")],
    most: Annotated[int, typer.Option("--most", min=1, max=1000, help="At most so many hits.")] = 10,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Find claims, evidence and notes by likeness of words."""
    from ...knowledge.index import Index
    from ..ledgers import opened

    with opened(workspace) as ledger, Index.open(ledger) as index:
        hits = index.search(words, most)
    statuses = {c.id: c.status for c in _claims(workspace)}
    if as_json:
        emit({"hits": [asdict(h) | {"status": statuses.get(h.claim_id)} for h in hits]})
        return
    if not hits:
        say("Nothing resembles that.")
        return
    rows = [(f"{h.score:.2f}", h.kind, h.claim_id, statuses.get(h.claim_id), h.text.splitlines()[0]) for h in hits]
    table(("Likeness", "Kind", "Claim", "Status", "Text"), rows, wide=("Text",))


@app.command()
def verify(workspace: Workspace = DEFAULT_WORKSPACE, as_json: Json = False) -> None:
    """Check the whole ledger for edits and damage.

    Reads every entry again; exit 3 and the entry's number where one was changed, is missing or cannot be read.
    """
    from ...knowledge.verify import verify_workspace
    from ..ledgers import require

    check = verify_workspace(workspace, require(workspace))
    if as_json:
        emit({"ok": check.ok, "entries": check.n, "first_bad": check.first_bad, "reason": check.reason})
    elif check.ok:
        say(f"The ledger is whole: {check.n:,} entries, every hash follows.")
    if not check.ok:
        from ...world_model.errors import Corrupt

        where = "" if check.first_bad is None else f" at entry {check.first_bad}"
        raise Corrupt(
            f"The ledger is damaged{where}",
            why=check.reason,
            cure="Restore the file from a copy; entries before it can be trusted",
        )


def _claims(workspace: Any, without: Sequence[int] = ()) -> list[ClaimRecord]:
    """Every claim of the ledger, in order of proposal, with what came with its registration."""
    from ...knowledge.status import replay
    from ..ledgers import opened
    from ..report.record import UNSAID, ClaimRecord

    with opened(workspace) as ledger:
        registered: dict[str, dict[str, Any]] = {}
        for event in ledger.events(kind="prediction_registered"):
            registered.setdefault(
                event.payload["prediction"]["claim_id"], {**UNSAID, **event.payload, "seq": event.seq}
            )
        states = replay(ledger.events(), without=without)
    return [ClaimRecord(state, registered.get(claim_id, UNSAID)) for claim_id, state in states.items()]


def _wanted(state: ClaimState, campaign: str | None, status: str | None) -> bool:
    in_campaign = campaign is None or (state.campaign or "").startswith(campaign)
    return in_campaign and (status is None or state.status == status)


def _find(known: Sequence[ClaimRecord], name: str) -> ClaimRecord:
    from ...world_model.errors import BadInput, UnknownName

    hits = [c for c in known if c.id.startswith(name)]
    if len(hits) > 1:
        some = ", ".join(c.id for c in hits[:4])
        raise BadInput(f"{name!r} begins {len(hits)} claims", cure=f"Give more of it: {some}")
    if not hits:
        raise UnknownName(name, kind="claim", known=[c.id for c in known])
    return hits[0]


def _check_entries(claim: ClaimRecord, entries: Sequence[int]) -> None:
    from ...world_model.errors import BadInput

    mine = [seq for seq, _, _ in claim.state.looks]
    for entry in entries:
        if entry not in mine:
            at = f"its evidence is in {', '.join(str(s) for s in mine)}" if mine else "it has no evidence in force"
            raise BadInput(f"Entry {entry} is no evidence of {claim.id}", why=at, cure="Name one of those entries")


def _evidence(claim: ClaimRecord) -> tuple[str | None, str | None, str]:
    from ..report.plots import short_number

    if not claim.path:
        return None, None, "0"
    last = claim.path[-1]
    return short_number(last.e_for), short_number(last.e_against), str(len(claim.wells))


def _bets(claim: ClaimRecord) -> str:
    pro, contra, wells = _evidence(claim)
    return f"e for {pro or 1}, e against {contra or 1}, {wells} wells"


def _describe(claim: ClaimRecord) -> None:
    from ..report.plots import describe_versus

    say(claim.claim.sentence)
    say(f"  {claim.status}: {_bets(claim)}")
    rows = [
        ("claim", claim.formula),
        ("denial", claim.denial),
        ("estimand", claim.estimand),
        ("mechanism", claim.claim.mechanism),
        ("refuted by", claim.claim.refuted_by),
        ("evidence", describe_versus(claim)),
        ("severity", "" if claim.severity is None else f"{claim.severity:.0%}"),
        ("rests on", ", ".join(claim.claim.premises)),
        ("narrows", claim.claim.revises or ""),
        ("origin", claim.claim.origin),
    ]
    if claim.prediction is not None:
        test = claim.prediction
        rows.append(("test", f"{test.id}, alpha {test.alpha:g}, variance {test.variance}, model {test.model_version}"))
    for label, text in rows:
        if text:
            say(f"  {label:<11}{text}")
    say("  history")
    for change in claim.state.history:
        say(f"    entry {change.seq}: {change.status}" + (f" ({change.cause})" if change.cause else ""))
    for seq, batch, evidence in claim.state.looks:
        said = f"estimate {evidence.estimate:.3g}, e for {evidence.e_for:.3g}, e against {evidence.e_against:.3g}"
        say(f"    entry {seq}: evidence, batch {batch.index}, {len(batch.wells)} wells; {said}")
    for gone in claim.state.retracted:
        say(f"    entry {gone.seq}: batch {gone.batch.index} taken back by {gone.by} ({gone.reason})")
    for alarm in claim.state.alarms:
        say(f"  ALARM: {alarm}")

"""What a person sees when a campaign stops: its answer, or the experiment that waits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import Progress, emit, say, share, table

if TYPE_CHECKING:
    from ..agents.scientist import Outcome
    from .report.panel import AnswerRow
    from .report.record import Record

MOST_LINES, MOST_ROWS = 6, 20  # of a list on the terminal; the report has all


def finish(outcome: Outcome, *, workspace: Path, out: Path | None, as_json: bool) -> None:
    """Write the report, then print the answer, or what to do so that the campaign goes on."""
    import json

    from .ledgers import opened
    from .report import read, write

    with opened(workspace) as ledger, Progress(quiet=as_json) as progress:
        record = read(ledger, outcome.campaign)
        progress(f"writing the report ({len(record.tested)} tested claims)")
        page = write(ledger, record, out or workspace / "reports" / record.campaign)
    if as_json:
        told = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        emit({"state": outcome.state, "report": str(page), **told})
        return
    say()
    if outcome.state == "done":
        show_answer(record)
    show_next(outcome, record, workspace)
    say(f"Report: {page}")


def show_answer(record: Record) -> None:
    """The summary in sentences, the panel (or the items) as a table, the tally."""
    from .report.panel import finding_rows, panel_rows, spoken

    sentences, lists = spoken(record.answer.get("summary") or ())
    for line in sentences:
        say(line)
    for word, lines in lists.items():
        say(f"{word}:")
        for line in lines[:MOST_LINES]:
            say(f"  {line}")
        if len(lines) > MOST_LINES:
            say(f"  and {len(lines) - MOST_LINES} more")
    if rows := panel_rows(record):
        columns = ("Compound", "Class", "Targets", "Predicted top", "Measured top", "Status")
        cells = [
            (r.compound, r.mechanism_class, ", ".join(r.targets[:3]), top(r), share(r.measured_top), r.status)
            for r in rows
        ]
        table(columns, cells, wide=("Compound", "Class", "Targets"))
        say("Top = among the most sensitive so many percent of the measured lines.")
    if rows := finding_rows(record):
        names = ("Perturbation", "Readout", "Predicted", "Measured", "Wells", "Status")
        title = "Tried, and no longer proposed" if panel_rows(record) else ""
        found = [
            (r.what, r.readout, measured(r.predicted, ""), measured(r.measured, r.unit), str(r.wells), r.status)
            for r in rows[:MOST_ROWS]
        ]
        table(names, found, title=title, wide=("Perturbation",))
        if len(rows) > MOST_ROWS:
            say(f"The report shows {len(rows) - MOST_ROWS} more.")
    counts = ", ".join(f"{n} {status}" for status, n in sorted(record.tally.items()))
    say(f"Claims: {counts or 'none'}. Wells: {record.wells}. Research use only; not medical advice.")


def show_claims(record: Record) -> None:
    """One row a tested claim."""
    rows = [
        (c.short, measured(c.theory.mean if c.theory else None, ""),
         measured(c.measured.estimate if c.measured else None, c.unit), str(len(c.wells)), c.status)
        for c in record.tested
    ]  # fmt: skip
    table(("Claim so far", "Predicted", "Measured", "Wells", "Status"), rows, wide=("Claim so far",))


def show_next(outcome: Outcome, record: Record, workspace: Path) -> None:
    """What to type so that an unfinished campaign goes on."""
    here = f" --workspace {workspace}"
    campaign = outcome.campaign
    if outcome.state != "done" and record.tested:
        show_claims(record)
    if outcome.state == "waiting_for_review":
        for design in record.pending:
            show_design(design.model_dump(mode="json"), record)
        say("The experiment waits for your decision:")
        say(f"  cytocrux review {campaign} --approve{here}")
        say(f'  cytocrux review {campaign} --reject "why"{here}')
        say(f"  cytocrux campaign resume {campaign}{here}")
    elif outcome.state in ("paused", "stopped", "running"):
        say(f"Campaign {campaign} is {outcome.state}. Go on with: cytocrux campaign resume {campaign}{here}")


def show_design(design: dict[str, Any], record: Record | None = None) -> None:
    """The arms of a proposed experiment, and the claims it would test."""
    from ..knowledge.claims import Design

    plan = Design.model_validate(design)
    say(f"Proposed experiment {plan.content_hash()[:12]}: {plan.wells} wells, {len(plan.arms)} arms, {plan.dataset}.")
    if plan.rationale:
        say(plan.rationale)
    table(("Arm", "Wells"), [(a.arm.label(), str(a.n)) for a in plan.arms], wide=("Arm",))
    if record is None:
        return
    for claim in record.claims:
        if claim.prediction is not None and claim.prediction.id in plan.predictions:
            say(f"  tests: {claim.claim.sentence}")
    say()


def show_pending(workspace: Path, campaign: str, *, as_json: bool) -> None:
    """The experiments of a campaign that wait for a decision."""
    from ..agents import scientist
    from .ledgers import opened
    from .report import read

    status = scientist.campaign_status(workspace, campaign)[0]
    if as_json:
        emit({"campaign": status["campaign"], "pending": status["pending"]})
        return
    if not status["pending"]:
        say(f"Nothing waits for a decision in {status['campaign']} (it is {readable(status['state'])}).")
        return
    with opened(workspace) as ledger:
        record = read(ledger, status["campaign"])
    for waiting in status["pending"]:
        show_design(waiting["design"], record)
    say('Decide with --approve, --edit FILE or --reject "why".')


def show_status(rows: Sequence[dict[str, Any]], workspace: Path) -> None:
    """One row a campaign, then what waits."""
    if not rows:
        say(f"No campaign in {workspace} yet.")
        return
    cells = [
        (r["campaign"], readable(r["state"]), f"{r['wells_spent']} of {r['budget']['wells']}",
         ", ".join(f"{n} {s}" for s, n in r["claims"].items()) or None, shorten(r["question"], 70))
        for r in rows
    ]  # fmt: skip
    table(("Campaign", "State", "Wells", "Claims", "Question"), cells, wide=("Claims", "Question"))
    for row in rows:
        if row["pending"]:
            say(f"{row['campaign']} waits for review: cytocrux review {row['campaign']} --workspace {workspace}")


def top(row: AnswerRow) -> str | None:
    """ "4% (1% to 15%)"."""
    if row.top is None:
        return None
    ends = "" if row.top_low is None or row.top_high is None else f" ({share(row.top_low)} to {share(row.top_high)})"
    return f"{share(row.top)}{ends}"


def measured(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.2f} {unit}".strip().replace("-", "−", 1)


def readable(state: str) -> str:
    return state.replace("_", " ")


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"

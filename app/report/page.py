"""The report as one HTML page: everything inline, nothing fetched, no scripts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..console import share
from . import plots
from .facts import Provenance
from .glossary import GLOSSARY
from .grid import grids
from .panel import finding_rows, panel_rows, spoken
from .record import ClaimRecord, Record, holding, moment

FDR = 0.1
OPEN_CARDS = 8  # the rest opens with a click
STATUS_GLYPH = {
    "corroborated": "✓", "falsified": "✕", "undecided": "?", "testing": "…", "conflict": "!", "undermined": "!",
    "registered": "○", "proposed": "○",
}  # fmt: skip


def render(record: Record, provenance: Provenance) -> str:
    """The whole page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    root = __name__.rsplit(".app.", 1)[0]
    environment = Environment(
        loader=PackageLoader(root, "app/report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=plots.short_number, minus=number, share=share, pretty=pretty, many=many)
    environment.globals.update(span=plots.interval_text, when=when, short=short_hash)
    environment.globals.update(svg_versus=_safe(plots.versus), svg_path=_safe(plots.e_path))
    sentences, lists = spoken(record.answer.get("summary") or ())
    template = environment.get_template("page.html.j2")
    return template.render(
        r=record,
        summary=sentences,
        lists=lists,
        p=provenance,
        panel=panel_rows(record),
        findings=finding_rows(record),
        grids=[] if record.answer.get("panel") else grids(finding_rows(record)),
        by_id=record.by_id,
        overview=_safe(plots.overview)(record.tested),
        tiles=tiles(record),
        refuted=record.of_status("falsified"),
        changes=changes(record),
        **plan(record),
        trial=record.answer.get("trial"),
        fdr=FDR,
        open_cards=OPEN_CARDS,
        alarming=("falsified", "conflict", "undermined"),
        holding=holding(record.claims, FDR),
        glossary=GLOSSARY,
        glyph=STATUS_GLYPH,
    )


def tiles(record: Record) -> list[dict[str, str]]:
    """The summary strip: label, value, note."""
    tally = record.tally
    undecided = sum(tally.get(s, 0) for s in ("undecided", "testing"))
    allowed = record.budget.get("wells")
    cost = f"{record.tokens:,} tokens" if record.tokens else "no language model"
    rows = [
        ("corroborated", str(tally.get("corroborated", 0)), "claims that held", "good"),
        ("falsified", str(tally.get("falsified", 0)), "claims given up", "bad"),
        ("undecided", str(undecided), f"of {len(record.tested)} tested", "open"),
        ("wells", f"{record.wells:,}", f"of {allowed:,} allowed" if allowed else "revealed", ""),
        ("cost", f"${record.usd:,.2f}", cost, ""),
        ("time", duration(record.seconds), f"{len(record.runs)} experiment{'s' if len(record.runs) != 1 else ''}", ""),
    ]
    if alarms := tally.get("conflict", 0):
        rows.insert(3, ("conflict", str(alarms), "alarms about the data", "alarm"))
    return [dict(zip(("label", "value", "note", "tone"), row, strict=True)) for row in rows]


def plan(record: Record) -> dict[str, Any]:
    """How the question was read: the goal in a sentence, assumptions, exclusions, what found no use."""
    goal, said = record.goal, record.answer
    excluded = [(e.what, e.because) for e in goal.exclusions] if goal else []
    excluded += [pair for e in said.get("excluded") or () if (pair := _exclusion(e)) not in excluded]
    assumptions = _distinct(goal.assumptions if goal else (), said.get("assumptions") or ())
    fields = _distinct(said.get("unused_fields") or ())
    words = [w for w in _distinct(goal.unplaced if goal else (), said.get("unplaced") or ()) if w not in fields]
    return {
        "goal_text": goal_text(record),
        "excluded": excluded,
        "assumptions": assumptions,
        "fields": fields,
        "words": words,
    }


def goal_text(record: Record) -> str:
    """The typed goal as one sentence."""
    goal = record.goal
    if goal is None:
        return "not understood yet"
    if goal.intent == "panel":
        return f"a panel of at most {goal.max_items} compounds of at least {goal.min_classes} mechanism classes"
    if goal.intent == "interaction":
        return f"which {goal.kind}s move the readout, and which pairs do more than their sum"
    return f"which {goal.kind} moves the readout, at what dose and when"


def changes(record: Record) -> list[dict[str, Any]]:
    """Each refuted claim beside what changed because of it; refuted claims without a recorded change come last."""
    successors: dict[str | None, ClaimRecord] = {c.claim.revises: c for c in record.claims if c.claim.revises}
    rows, told = [], set[str]()
    for belief in record.beliefs:
        ids = [str(i) for i in belief.get("claim_ids") or ()]
        told.update(ids)
        claim = next((record.by_id[i] for i in ids if i in record.by_id), None)
        said = str(belief["sentence"])
        moved = re.search(r"\bFor [^.]*? the mean prediction moved.*", said) if claim else None
        rows.append(_change(claim, said, moved[0] if moved else said, successors))
    silent = [c for c in record.of_status("falsified") if c.id not in told]
    return rows + [_change(c, c.claim.sentence, "No change of belief was recorded.", successors) for c in silent]


def _change(
    claim: ClaimRecord | None, sentence: str, consequence: str, successors: Mapping[str | None, ClaimRecord]
) -> dict[str, Any]:
    successor = successors.get(claim.id) if claim else None
    return {"claim": claim, "sentence": sentence, "consequence": consequence, "successor": successor}


def _exclusion(said: Any) -> tuple[str, str]:
    if isinstance(said, Mapping):
        return str(said.get("what") or said.get("compound") or ""), str(said.get("because") or said.get("why") or "")
    return str(said), ""


def _distinct(*lists: Iterable[Any]) -> list[str]:
    """All lines in order, each once."""
    return list(dict.fromkeys(str(line) for lines in lists for line in lines))


def number(value: float | None, digits: int = 3) -> str:
    """A number for people: real minus sign, at most ``digits`` figures; an em dash for None."""
    if value is None or not math.isfinite(value):
        return "—"
    return f"{value:.{digits}g}".replace("-", "−") if value else "0"


def pretty(text: str) -> str:
    """Signs as print has them: "z <= -0.67" becomes "z ≤ −0.67", unbreakable."""
    text = text.replace("<=", "≤").replace(">=", "≥")
    text = re.sub(r"(?<![\w.-])-(?=\d)", "−", text)
    return re.sub(r"([≤≥]) (?=[−+\d])", "\\1\u00a0", text)


def many(count: int, word: str) -> str:
    """ "1 well", "1,234 wells"."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def when(text: str) -> str:
    """ "22 Nov 2026, 14:05 UTC"; empty where no time is known."""
    return "" if not text else moment(text).strftime("%-d %b %Y, %H:%M UTC")


def duration(seconds: float | None) -> str:
    """ "42 s", "3 min 20 s", "12 min", "2 h 5 min"."""
    if seconds is None:
        return "—"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def short_hash(text: str | None, length: int = 12) -> str:
    return (text or "—")[:length]


def _safe(figure: Any) -> Any:
    """Mark a figure's own SVG as safe; its labels were escaped when it was drawn."""
    from markupsafe import Markup

    def drawn(what: list[ClaimRecord] | ClaimRecord) -> Markup:
        return Markup(figure(what))  # noqa: S704 - text in figures is escaped by matplotlib's XML writer

    return drawn

"""Plate maps and power of every experiment a campaign proposed: CSV for the liquid handler, pictures for people.

Written beside the report: ``plates-<cycle>.csv`` (plate, well, arm, perturbation, dose, time, context), ``.svg`` and
``.png`` (one panel a plate, a colour an arm, controls grey), and ``power.csv`` (each registered claim with the wells of
its arms, its expected growth of log10 e, and its severity). The layout is the one the simulated lab runs.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...agents.budget import Budget
from ...knowledge.claims import Claim, Design, Prediction
from ...tools.lab.plates import FORMATS, Layout, lay_out
from ...world_model.errors import BadInput
from ...world_model.vocabulary import Arm

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger

MOST_PICTURED = 8  # plates in one picture
MOST_NAMED = 26  # arms named beside a plate
PLACE = ("plate", "well", "arm", "perturbation", "dose", "unit", "time_h", "context", "control", "outer")
POWER = ("claim", "sentence", "wells per arm", "e_power", "severity", "reason")


def write_plates(ledger: Ledger, campaign: str, folder: Path) -> list[Path]:
    """The files written, in order of cycle; none where nothing was proposed."""
    written = []
    limits = [e.payload["budget"] for e in ledger.events(kind="campaign_started", campaign=campaign)]
    plate = Budget.model_validate(limits[0]).plate if limits else None
    for event in ledger.events(kind="experiment_proposed", campaign=campaign):
        design = Design.model_validate(event.payload["design"])
        try:
            layout = lay_out(design.arms, wells=plate, seed=design.seed)
        except BadInput:  # more replicates of one arm than the largest plate holds: no map to draw
            continue
        stem = folder / f"plates-{design.cycle + 1}"
        _table(stem.with_suffix(".csv"), PLACE, _rows(layout))
        picture(layout, stem)
        written += [stem.with_suffix(s) for s in (".csv", ".svg", ".png")]
    if written:
        _table(folder / "power.csv", POWER, _power(ledger, campaign))
        written.append(folder / "power.csv")
    return written


def picture(layout: Layout, stem: Path) -> None:
    """One panel a plate, as SVG and PNG (matplotlib, no display)."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n = min(layout.plates, MOST_PICTURED)
    rows, columns = FORMATS[layout.wells]
    figure = Figure(figsize=(8.5, 4.2 * n), layout="constrained")
    FigureCanvasAgg(figure)
    arms = list(dict.fromkeys(p.arm for p in layout.places if not p.arm.is_control))
    colour = {a: colormaps["turbo"]((i + 0.5) / max(len(arms), 1)) for i, a in enumerate(arms)}
    for number, axes in enumerate(figure.subplots(n, 1, squeeze=False)[:, 0], start=1):
        there = [p for p in layout.places if p.plate == number]
        used = [(p.column, p.row) for p in there]
        empty = [(c, r) for r in range(rows) for c in range(columns) if (c, r) not in set(used)]
        size = 5500 / columns**2
        axes.scatter(*zip(*empty, strict=True), s=size, facecolors="none", edgecolors="0.85") if empty else None
        shades = ["0.6" if p.arm.is_control else colour[p.arm] for p in there]
        axes.scatter(*zip(*used, strict=True), s=size, c=shades)
        title = f"Plate {number}: {len(there)} of {rows * columns} wells used"
        axes.set(xlim=(-1, columns), ylim=(rows, -1), aspect="equal", title=title)
        axes.set_xticks(range(0, columns, 2), [str(c + 1) for c in range(0, columns, 2)])
        axes.set_yticks(range(0, rows, 2), [_letter(r) for r in range(0, rows, 2)])
        here = dict.fromkeys(p.arm for p in there)
        shown: list[tuple[str, Any]] = [(_said(a), colour[a]) for a in here if not a.is_control][:MOST_NAMED]
        shown += [("control", "0.6")] if any(a.is_control for a in here) else []
        left = sum(not a.is_control for a in here) - MOST_NAMED
        shown += [(f"and {left} more: see the table", "none")] if left > 0 else []
        marks = [axes.scatter([], [], color=c, label=name) for name, c in shown]
        axes.legend(handles=marks, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=7)
    figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
    figure.savefig(stem.with_suffix(".png"), dpi=110, metadata={"Software": None})


def _said(arm: Arm) -> str:
    """ "AZ-628 0.1 uM, 5 h": an arm in the legend."""
    names = " + ".join(f"{p.name} {p.dose:g} {p.unit}" if p.dose is not None else p.name for p in arm.perturbations)
    return names + ("" if arm.time_h is None else f", {arm.time_h:g} h")


def _rows(layout: Layout) -> list[tuple[Any, ...]]:
    found = []
    for p in layout.places:
        parts = p.arm.perturbations
        doses = "+".join("" if x.dose is None else f"{x.dose:g}" for x in parts)
        names = "+".join(x.name for x in parts) or "control"
        when = "" if p.arm.time_h is None else f"{p.arm.time_h:g}"
        unit = parts[0].unit if parts and parts[0].dose is not None else ""
        well = p.name.split("-")[1]
        found.append((p.plate, well, p.arm.key(), names, doses, unit, when, p.arm.context, p.arm.is_control, p.outer))
    return found


def _power(ledger: Ledger, campaign: str) -> list[tuple[Any, ...]]:
    """One row a claim of this campaign's designs, as registered."""
    claims: dict[str, Claim] = {}
    for event in ledger.events(kind="claim_proposed", campaign=campaign):
        claim = Claim.model_validate(event.payload["claim"])
        claims.setdefault(claim.id, claim)
    wells: dict[str, int] = {}
    for event in ledger.events(kind="experiment_proposed", campaign=campaign):
        for request in Design.model_validate(event.payload["design"]).arms:
            wells[request.arm.key()] = wells.get(request.arm.key(), 0) + request.n
    found = []
    for event in ledger.events(kind="prediction_registered", campaign=campaign):
        claim_id = Prediction.model_validate(event.payload["prediction"]).claim_id
        known = claims.get(claim_id)
        if known is None or "e_power" not in event.payload:
            continue
        arms = "/".join(str(wells.get(a.key(), 0)) for a in known.contrast.arms)
        power, hard = event.payload["e_power"], event.payload["severity"]
        found.append((claim_id, known.sentence, arms, f"{power:.3f}", f"{hard:.3f}", event.payload["reason"]))
    return found


def _table(path: Path, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A CSV whose cells no spreadsheet takes for a formula."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        writer.writerows([[_plain(v) for v in row] for row in rows])


def _plain(value: Any) -> Any:
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) and not _number(value)
        else value
    )


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _letter(row: int) -> str:
    high, low = divmod(row, 26)
    return (chr(64 + high) if high else "") + chr(65 + low)

"""Reports: a campaign read off its ledger as one HTML page and one JSON object.

with Ledger.open(workspace) as ledger:
    page = build(ledger, campaign, workspace / "reports" / campaign)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger
    from .record import Record


def build(ledger: Ledger, campaign: str, folder: Path) -> Path:
    """Write ``report.html`` and ``report.json`` into ``folder``; returns the page's path.

    Raises UnknownName for a campaign that the ledger does not have, BadInput where the folder cannot be written.
    """
    return write(ledger, read(ledger, campaign), folder)


def read(ledger: Ledger, campaign: str) -> Record:
    """The campaign's record (``campaign``: its id or the beginning of it), statuses replayed over the whole ledger."""
    from ...knowledge.status import replay
    from .record import gather

    known = known_campaign(ledger, campaign)
    return gather(known, ledger.events(campaign=known), replay(ledger.events()))


def write(ledger: Ledger, record: Record, folder: Path) -> Path:
    """``build`` for a record that was read already."""
    import json

    from ...world_model.errors import BadInput
    from .facts import as_json, provenance
    from .page import render
    from .plates import write_plates

    card = dataset_card(str(record.dataset.get("dataset") or ""))
    record.dataset |= {k: v for k, v in card.items() if not record.dataset.get(k)}
    about = provenance(ledger, record)
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(render(record, about), encoding="utf-8")
        text = json.dumps(as_json(record, about), ensure_ascii=False, indent=2, allow_nan=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
        write_plates(ledger, record.campaign, folder)
    except OSError as error:
        what = f"The report cannot be written to {folder}"
        raise BadInput(what, why=error.strerror or "", cure="Name another folder with --out") from None
    return page


def write_report(workspace: Path, campaign: str, folder: Path | None = None) -> Path:
    """``build`` for a workspace; the folder defaults to ``reports/<campaign>`` in it."""
    from ..ledgers import opened

    with opened(workspace) as ledger:
        record = read(ledger, campaign)
        return write(ledger, record, folder or workspace / "reports" / record.campaign)


def known_campaign(ledger: Ledger, name: str) -> str:
    """The campaign's full id. Raises UnknownName where no campaign, BadInput where several begin so."""
    from ...world_model.errors import BadInput, UnknownName

    ids = [str(e.campaign) for e in ledger.events(kind="campaign_started")]
    hits = [name] if name in ids else [i for i in ids if i.startswith(name)]
    if len(hits) > 1:
        raise BadInput(f"{name!r} begins {len(hits)} campaigns", cure=f"Give more of it: {', '.join(hits[:4])}")
    if not hits:
        raise UnknownName(name, kind="campaign", known=ids)
    return hits[0]


def dataset_card(name: str) -> dict[str, Any]:
    """What the registry says of a data set; empty for a user's own file or an unknown name."""
    from ...world_model.data.registry import entries

    found = entries().get(name)
    if found is None:
        return {}
    return {"dataset": name, "description": found.title, "licence": found.licence, "citation": found.citation}

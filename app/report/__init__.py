"""Reports: a campaign read off its ledger as one HTML page and one JSON object.

with Ledger.open(workspace) as ledger:
    page = build(ledger, campaign, workspace / "reports" / campaign)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger
    from .record import Record


def build(ledger: Ledger, campaign: str, folder: Path, *, card: Mapping[str, Any] | None = None) -> Path:
    """Write ``report.html`` and ``report.json`` into ``folder``; returns the page's path.

    card: what the registry knows of the data set (description, licence, citation), where the ledger does not say it.
    Raises UnknownName for a campaign that the ledger does not have.
    """
    import json

    from ...world_model.errors import BadInput
    from .facts import as_json, provenance
    from .page import render

    record = read(ledger, campaign)
    record.dataset |= {k: v for k, v in (card or {}).items() if not record.dataset.get(k)}
    about = provenance(ledger, record)
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(render(record, about), encoding="utf-8")
        text = json.dumps(as_json(record, about), ensure_ascii=False, indent=2, allow_nan=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"The report cannot be written to {folder}", why=error.strerror or "", cure="Use --out"
        ) from None
    return page


def read(ledger: Ledger, campaign: str) -> Record:
    """The campaign's record, statuses replayed over the whole ledger."""
    from ...knowledge.status import replay
    from .record import gather

    return gather(campaign, ledger.events(campaign=campaign), replay(ledger.events()))


def write_report(workspace: Path, campaign: str, folder: Path | None = None) -> Path:
    """``build`` for a workspace; the folder defaults to ``reports/<campaign>`` in it."""
    from ..ledgers import opened

    with opened(workspace) as ledger:
        record = read(ledger, campaign)
        card = dataset_card(str(record.dataset.get("dataset") or ""))
        return build(ledger, campaign, folder or workspace / "reports" / campaign, card=card)


def dataset_card(name: str) -> dict[str, Any]:
    """What the registry says of a data set; empty for a user's own file or an unknown name."""
    from ...world_model.data.registry import entries

    found = entries().get(name)
    if found is None:
        return {}
    return {"dataset": name, "description": found.title, "licence": found.licence, "citation": found.citation}

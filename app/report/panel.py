"""The answer's rows (panel and findings) for a page or a terminal, each beside its claim's present standing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from ...agents.support import VERDICTS
from .record import ClaimRecord, Record


@dataclass(frozen=True)
class AnswerRow:
    """One compound or perturbation of the answer.

    top, top_low, top_high: predicted share (0 to 100) of lines at least as sensitive; small = sensitive.
    measured_top: the same of the measured value. dose: uM; time_h: hours. predicted, measured: in ``unit``.
    None = not known.
    """

    compound: str
    mechanism_class: str
    targets: tuple[str, ...]
    what: str
    dose: float | None
    time_h: float | None
    readout: str
    predicted: float | None
    low: float | None
    high: float | None
    top: float | None
    top_low: float | None
    top_high: float | None
    measured: float | None
    measured_top: float | None
    unit: str
    wells: int
    claim: ClaimRecord | None
    status: str
    why: str
    refuted_by: str


def panel_rows(record: Record) -> list[AnswerRow]:
    """The answer's ``panel`` entries, in their order."""
    return [_row(item, record.by_id) for item in record.answer.get("panel") or ()]


def finding_rows(record: Record) -> list[AnswerRow]:
    """The answer's other ``items``: findings of a question without a panel, or what left the panel."""
    return [_row(item, record.by_id) for item in record.answer.get("items") or ()]


def spoken(summary: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The summary as sentences, and its lines "Corroborated: …", "Refuted: …" and the like as lists by that word."""
    sentences, lists = [], dict[str, list[str]]()
    for line in summary:
        word, colon, rest = line.partition(": ")
        if colon and word in VERDICTS:
            lists.setdefault(word, []).append(rest)
        else:
            sentences.append(line)
    return sentences, lists


def _row(item: Mapping[str, Any], claims: Mapping[str, ClaimRecord]) -> AnswerRow:
    claim = claims.get(str(item.get("claim_id") or ""))
    low, high = _pair(item.get("interval"))
    top_low, top_high = _pair(item.get("percentile_interval"))
    measured = item.get("measured")
    if claim is not None and claim.measured is not None:
        measured = claim.measured.estimate
    on_z = claim is not None and bool(claim.claim.contrast.populations)
    return AnswerRow(
        compound=str(item["compound"]),
        mechanism_class=_known(item.get("mechanism_class")),
        targets=tuple(str(t) for t in item.get("targets") or ()),
        what=_what(item),
        dose=item.get("dose"),
        time_h=item.get("time_h"),
        readout=str(item.get("readout") or ""),
        predicted=item.get("predicted"),
        low=low,
        high=high,
        top=item.get("percentile"),
        top_low=top_low,
        top_high=top_high,
        measured=measured,
        measured_top=100 * NormalDist().cdf(measured) if on_z and measured is not None else None,
        unit=claim.unit if claim is not None else str(item.get("unit") or ""),
        wells=len(claim.wells) if claim is not None else int(item.get("wells") or 0),
        claim=claim,
        status=claim.status if claim is not None else str(item.get("status") or "proposed"),
        why=_sentence(str(item.get("mechanism") or "")) + _sentence(str(item.get("why") or "")),
        refuted_by=str(item.get("refuted_by") or ""),
    )


def _what(item: Mapping[str, Any]) -> str:
    """Name, dose and time: "trametinib 1 uM, 24 h"."""
    dose, time_h = item.get("dose"), item.get("time_h")
    text = str(item["compound"]) + ("" if dose is None else f" {dose:g} uM")
    return text + ("" if time_h is None else f", {time_h:g} h")


def _known(text: object) -> str:
    said = str(text or "unknown")
    return "not known" if set(said.split(" + ")) == {"unknown"} else said


def _sentence(text: str) -> str:
    """Capital first, one full stop and a space after; empty stays empty."""
    text = text.strip()
    return "" if not text else text[0].upper() + text[1:].rstrip(".") + ". "


def _pair(values: Sequence[float] | None) -> tuple[float | None, float | None]:
    """Two ends in ascending order, or (None, None)."""
    return (min(values), max(values)) if values and None not in values else (None, None)

"""Figures: scales and labels that cannot mislead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cytocrux.app.report import plots, read
from cytocrux.app.report.record import ClaimRecord
from cytocrux.knowledge.ledger import Ledger


@pytest.fixture(scope="module")
def claims(finished: Path) -> list[ClaimRecord]:
    with Ledger.open(finished) as ledger:
        return read(ledger, "Kpanel").claims


def texts(svg: str) -> list[str]:
    return [t.replace("&amp;", "&") for t in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_boundaries_and_curves_are_named_with_their_values(claims: list[ClaimRecord]) -> None:
    said = texts(plots.versus(claims[0]))
    assert {"claim ≤ −0.67", "denial ≥ 0", "measured"} <= set(said)
    assert {"prediction", "sceptic"} <= {t.strip() for t in said}


def test_an_unmeasured_claim_says_so_and_has_no_path(claims: list[ClaimRecord]) -> None:
    alisertib = next(c for c in claims if c.short == "Alisertib")
    assert "not measured" in texts(plots.versus(alisertib))
    assert plots.e_path(alisertib) == ""


def test_the_path_ends_at_the_evidence(claims: list[ClaimRecord]) -> None:
    ibrutinib = next(c for c in claims if c.short == "Ibrutinib")
    assert [step.wells for step in ibrutinib.path] == [2, 3, 4]
    last = ibrutinib.state.evidence
    assert last is not None
    assert ibrutinib.path[-1].e_for == pytest.approx(last.e_for)
    said = texts(plots.e_path(ibrutinib))
    assert f"e = {plots.short_number(last.e_for)}" in said and f"e = {plots.short_number(last.e_against)}" in said
    assert "decided at 1/α = 20" in said


def test_the_overview_has_a_row_for_every_tested_claim(claims: list[ClaimRecord]) -> None:
    said = texts(plots.overview(claims))
    assert {"Venetoclax", "Ibrutinib", "Bortezomib", "Trametinib & co"} <= set(said)
    assert "Alisertib" not in said
    assert plots.overview([]) == ""


def test_the_common_scale_puts_the_denial_at_0_and_the_claim_at_1(claims: list[ClaimRecord]) -> None:
    assert claims[0].scaled(claims[0].claim.delta) == pytest.approx(1)
    assert claims[0].scaled(claims[0].claim.delta0) == pytest.approx(0)
    assert claims[0].scaled(2 * claims[0].claim.delta - claims[0].claim.delta0) == pytest.approx(2)


def test_no_marker_colour_survives(claims: list[ClaimRecord]) -> None:
    drawn = plots.versus(claims[0]) + plots.e_path(claims[0]) + plots.overview(claims)
    assert re.findall(r"#[0-9a-f]{6}\b", drawn) == []
    style = Path(plots.__file__).with_name("style.css").read_text(encoding="utf-8")
    for variable in set(re.findall(r"var\((--\w+)\)", drawn)):
        assert len(re.findall(rf"{variable}:", style)) == 3, f"{variable} needs a light, a dark and a print colour"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.0312, "0.031"), (1, "1"), (19.6, "20"), (412.3, "412"), (12345, "12,345"), (3.1e9, "3×10⁹"),
     (9.99e9, "1×10¹⁰"), (999999.7, "1×10⁶"), (2e-7, "2×10⁻⁷"), (1e299, "1×10²⁹⁹")],
)  # fmt: skip
def test_short_numbers(value: float, shown: str) -> None:
    assert plots.short_number(value) == shown


def test_unbounded_intervals_are_called_so() -> None:
    assert plots.interval_text(None, 0.25) == "unbounded to 0.25"
    assert plots.interval_text(-1.234, float("inf")) == "−1.23 to unbounded"


def test_findings_become_a_grid_of_dose_and_time() -> None:
    from cytocrux.app.report.grid import grids
    from cytocrux.app.report.panel import finding_rows
    from cytocrux.app.report.record import Record

    items = [
        {"compound": name, "dose": dose, "time_h": time, "readout": "pERK", "measured": -dose * time, "unit": "log2FC"}
        for name in ("B", "A")
        for dose, time in ((1.0, 24.0), (0.1, 1.0), (0.1, 24.0))
    ]
    (grid,) = grids(finding_rows(Record("K", answer={"items": items})))
    assert grid.times == (1.0, 24.0) and grid.readout == "pERK"
    assert [(line.compound, line.dose, line.first) for line in grid.lines] == [
        ("A", 0.1, True), ("A", 1.0, False), ("B", 0.1, True), ("B", 1.0, False),
    ]  # fmt: skip
    first, second = grid.lines[0].cells, grid.lines[1].cells
    assert [c.measured if c else None for c in (*first, *second)] == [-0.1, -2.4000000000000004, None, -24.0]
    items[0]["time_h"] = None
    assert grids(finding_rows(Record("K", answer={"items": items}))) == []


def test_the_summary_is_told_in_sentences_and_lists() -> None:
    from cytocrux.app.report.panel import spoken

    told = spoken(["Two claims: one held.", "Refuted: A raises B.", "Corroborated: C.", "Refuted: D: E."])
    assert told == (["Two claims: one held."], {"Refuted": ["A raises B.", "D: E."], "Corroborated": ["C."]})

"""The page says what the ledger says, fetches nothing, runs nothing, and escapes what people wrote."""

from __future__ import annotations

import json
import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cytocrux.app.report import build, read, write_report
from cytocrux.app.report.page import duration, many, number, pretty
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.status import replay
from cytocrux.world_model.errors import BadInput, UnknownName


@pytest.fixture(scope="module")
def folder(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the finished campaign's report lies."""
    return write_report(finished, "Kpanel", tmp_path_factory.mktemp("report")).parent


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def visible(page: str) -> str:
    """The page's text without tags, styles, and runs of blanks."""
    body = re.sub(r"<style>.*?</style>", " ", page, flags=re.DOTALL)
    return re.sub(r"[ \n]+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    assert not re.findall(r"https?://", page)
    assert "<script" not in page and "javascript:" not in page and not re.search(r"\son\w+=", page)
    assert not re.findall(r"<(?:link|img|iframe|object|embed|form)\b", page)
    assert "default-src 'none'" in page
    assert set(re.findall(r"url\(([^)]*)\)", page)) == {u for u in re.findall(r"url\((#[\w.-]+)\)", page)}


def test_what_people_wrote_is_escaped(page: str) -> None:
    assert "<b>distinct</b>" not in page
    assert "&lt;b&gt;distinct&lt;/b&gt; compounds &amp; test it" in page
    assert "Trametinib & co" in visible(page)


def test_the_markup_is_well_formed_with_unique_anchors(page: str) -> None:
    ids = Counter(re.findall(r'\sid="([^"]+)"', page))
    assert [name for name, n in ids.items() if n > 1] == []
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(ids)
    assert _Balance.of(page) == []


def test_every_claim_stands_on_the_page_with_its_replayed_status(finished: Path, page: str) -> None:
    with Ledger.open(finished) as ledger:
        states = replay(ledger.events())
    assert Counter(s.status for s in states.values()) == {
        "corroborated": 2, "falsified": 1, "undecided": 1, "registered": 1,
    }  # fmt: skip
    for claim_id, state in states.items():
        at = page.index(f'id="{claim_id}"')
        row = max(page.rfind("<details", 0, at), page.rfind("<tr", 0, at))
        badge = re.search(r'class="badge (\w+)"', page[row:])
        assert badge is not None and badge[1] == state.status
        assert pretty(state.claim.sentence) in visible(page)


def test_the_tiles_count_what_the_ledger_holds(finished: Path, page: str) -> None:
    with Ledger.open(finished) as ledger:
        wells = sum(len(e.payload["wells"]) for e in ledger.events(kind="wells_revealed"))
        head = ledger.head()[1]
    tiles = dict(re.findall(r'<div class="label">(?:<span[^>]*>)?(\w+).*?<div class="value">([^<]*)<', page))
    assert tiles["wells"] == str(wells) == "12"
    assert (tiles["corroborated"], tiles["falsified"], tiles["undecided"]) == ("2", "1", "1")
    assert head in page
    assert "verified" in visible(page)


def test_numbers_on_a_card_are_the_evidence(finished: Path, page: str) -> None:
    with Ledger.open(finished) as ledger:
        state = next(s for s in replay(ledger.events()).values() if "Venetoclax" in s.claim.sentence)
    evidence = state.evidence
    assert evidence is not None and evidence.ci_low is not None
    at = page.index(f'id="{state.claim.id}"')
    card = visible(page[at : page.index("How it was tested", at)])
    assert f"Measured {evidence.estimate:.3g} z".replace("-", "−") in card
    assert f"{evidence.ci_low:.3g}".replace("-", "−") in card
    assert "at most 4 an arm" in card and "62%" in card


def test_refuted_claims_and_their_consequence_are_told(page: str) -> None:
    text = visible(page[page.index('id="changed"') : page.index('id="record"')])
    assert "Bortezomib −1 ± 0.6 1.13 z For the other proteasome inhibitors (2) the mean prediction moved" in text
    assert "Venetoclax" not in text
    assert "over 3 experiments: the model predicts better" in visible(page)


def test_json_beside_the_page_holds_the_same(finished: Path, folder: Path) -> None:
    told = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    with Ledger.open(finished) as ledger:
        states = replay(ledger.events())
    assert {c["id"]: c["status"] for c in told["claims"]} == {i: s.status for i, s in states.items()}
    for claim in told["claims"]:
        assert claim["proposed_at"] < claim["registered_at"]
        assert all(claim["registered_at"] < entry for entry in claim["evidence_at"])
    assert [row["compound"] for row in told["panel"]] == ["Venetoclax", "Ibrutinib", "Trametinib & co", "Alisertib"]
    assert told["panel"][0]["mechanism_class"] == "BCL-2 inhibitor"
    assert told["unused_fields"] == ["favourite colour"]


def test_the_page_depends_on_the_ledger_alone(finished: Path, tmp_path: Path) -> None:
    def body(path: Path) -> str:
        return re.sub(r"Written [^.]*\.", "", path.read_text(encoding="utf-8"))

    with Ledger.open(finished) as ledger:
        one, two = (build(ledger, "Kpanel", tmp_path / name) for name in ("one", "two"))
    assert body(one) == body(two)


def test_a_damaged_ledger_is_said_on_the_page(workspace: Path) -> None:
    database = workspace / "ledger.db"
    content = bytearray(database.read_bytes())
    at = content.find(b"fits the budget")
    content[at] ^= 1
    database.write_bytes(bytes(content))
    assert "NOT VERIFIED" in visible(write_report(workspace, "Kpanel").read_text(encoding="utf-8"))


def test_a_waiting_experiment_comes_first(waiting: Path) -> None:
    with Ledger.open(waiting) as ledger:
        assert len(read(ledger, "Kopen").pending) == 1
    text = visible(write_report(waiting, "Kopen").read_text(encoding="utf-8"))
    assert "An experiment waits for your decision" in text
    assert "cytocrux review Kopen --approve" in text


def test_an_unknown_campaign_and_a_bad_folder_are_refused(workspace: Path) -> None:
    with pytest.raises(UnknownName, match="Kpanel"):
        write_report(workspace, "Kpanle")
    with pytest.raises(BadInput, match="cannot be written"):
        write_report(workspace, "Kpanel", workspace / "ledger.db")


def test_words() -> None:
    assert pretty("z <= -0.67, by +1 (C-3 stays)") == "z ≤\u00a0−0.67, by +1 (C-3 stays)"
    assert (number(-0.0), number(-0.67), number(None)) == ("0", "−0.67", "—")
    assert [duration(s) for s in (0.4, 148, 690, 7500)] == ["0 s", "2 min 28 s", "12 min", "2 h 5 min"]
    assert (many(1, "well"), many(1234, "well")) == ("1 well", "1,234 wells")


class _Balance(HTMLParser):
    """Finds tags that are closed in the wrong order or not at all."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    @classmethod
    def of(cls, page: str) -> list[str]:
        parser = cls()
        parser.feed(page)
        return parser.wrong + parser.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at line {self.getpos()[0]}")

"""The ledger: append, chain, idempotency, rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocrux.knowledge.events import Draft
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.errors import BadInput, NotAllowed


def test_an_event_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, "") as ledger:
        first = ledger.append("note", {"text": "é 细胞", "x": 1.5}, campaign="c")
        second = ledger.append("note", {"text": "again"})
        assert list(ledger.events()) == [first, second]
        assert second.prev_hash == first.hash and second.seq == 2
        assert ledger.verify().ok


def test_the_same_key_is_one_event_and_never_another(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        first = ledger.append("note", {"text": "a"}, key="k")
        assert ledger.append("note", {"text": "a"}, key="k") == first
        with pytest.raises(NotAllowed, match="'k' is taken"):
            ledger.append("note", {"text": "b"}, key="k")
        assert ledger.head()[0] == 1


def test_a_batch_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        with pytest.raises(NotAllowed):
            ledger.append_many([Draft("note", {"text": "a"}), Draft("claim_closed", {"claim_id": "C1", "reason": "x"})])
        assert ledger.head()[0] == 0


def test_what_is_not_json_or_misspelt_is_refused(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        with pytest.raises(BadInput, match="not JSON"):
            ledger.append("note", {"text": float("nan")})
        with pytest.raises(BadInput, match="Did you mean claim_proposed"):
            ledger.append("claim_propose", {})
        with pytest.raises(BadInput, match="lacks claim"):
            ledger.append("claim_proposed", {})

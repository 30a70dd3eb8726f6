"""The benchmark measures what it says, on small ledgers."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocrux.evals import ledger_bench
from cytocrux.knowledge.ledger import Ledger


def test_verification_is_timed_in_a_process_of_its_own(tmp_path: Path) -> None:
    speed, memory = ledger_bench.verification(tmp_path, 300, 3000)
    assert (speed.n, speed.name) == (3000, "verify_events_per_s") and speed.value and speed.value > 100
    assert memory.name == "verify_memory" and memory.passed and memory.value and memory.value > 20


def test_a_damaged_ledger_is_no_figure(tmp_path: Path) -> None:
    ledger_bench._fill(tmp_path, 100)
    raw = bytearray((tmp_path / "ledger.db").read_bytes())
    raw[len(raw) // 2] ^= 255
    (tmp_path / "ledger.db").write_bytes(raw)
    with pytest.raises(RuntimeError):
        ledger_bench._probe(tmp_path)


def test_flips_counts_what_goes_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger_bench.flips(tmp_path / "a", 4).passed
    real = ledger_bench.verify_workspace
    monkeypatch.setattr(ledger_bench, "verify_workspace", lambda _: real(tmp_path / "a" / "flips"))  # looks elsewhere
    blind = ledger_bench.flips(tmp_path / "b", 4)
    assert blind.value == 4 and blind.passed is False


def test_appends_come_with_every_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_bench, "binaries", lambda: None)
    (result,) = ledger_bench.appends(tmp_path, 200)
    assert result.value and result.baselines["sqlite_one_by_one"] and result.baselines["postgresql"] is None
    with Ledger.open(tmp_path / "batched") as ledger:
        assert ledger.head()[0] == 200
        assert {"claim_proposed", "evidence_added", "wells_revealed"} <= {e.kind for e in ledger.events()}

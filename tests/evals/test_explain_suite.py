"""The suite explain: its modules run by name, and a random perturbation is dealt as the figure says."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from cytocrux.app.commands.evals import SUITES
from cytocrux.evals import explain, explain_combine
from cytocrux.evals.explain_cascade import random_perturbation


def test_every_module_of_the_suite_can_be_run() -> None:
    assert SUITES["explain"] == ("explain",) and "explain_cascade" in explain.MODULES
    for name in explain.MODULES:
        parts = import_module(f"cytocrux.evals.{name}").parts(fast=True, data_dir=None)
        assert parts and all(callable(measure) for measure in parts.values())


def test_what_is_not_at_hand_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "MODULES", ("explain_targets", "explain_molecules"))
    *found, seconds = explain.run(fast=True, data_dir=None)
    assert len(found) == 9 and all(r.value is None and r.note.startswith("not measured") for r in found)
    assert seconds.name == "explain_seconds" and set(seconds.baselines) == {r.name for r in found}


@pytest.mark.kit
def test_combinations_beat_additive_beyond_the_interval(kit: Path) -> None:
    found = explain_combine.run(data_dir=kit)[0]
    assert found.n is not None and found.n > 4000 and found.value is not None
    additive, low = found.baselines["additive"], found.baselines["gain over additive, low"]
    assert additive is not None and found.value < additive
    assert low is not None and low > 0


@pytest.mark.kit
def test_a_random_perturbation_keeps_the_sizes_of_changes(kit: Path) -> None:
    from cytocrux.world_model.data import effects
    from cytocrux.world_model.data.rppa import load_rppa

    table = effects(load_rppa(kit / "rppa"))
    found = random_perturbation(table, np.random.default_rng(4), deal=True)
    assert found.kind == "mechanistic" and found.perturbation in {n.name for n in found.nodes}
    assert not found.offered

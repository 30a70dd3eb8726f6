"""Which gene was activated: planted responses are traced back, dealt ones are not, own transcripts are hidden."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from cytocrux.evals import explain_norman
from cytocrux.world_model.data.conditions import ConditionTable

GENES = [f"T{i}" for i in range(8)]
PAIRS = [f"{a}+{b}" for a, b in pairwise(GENES)]


def planted(signal: float) -> ConditionTable:
    """Eight singles and seven doubles; every gene moves its own transcript by 50 and 60 others by ``signal`` times a
    direction of its own."""
    rng = np.random.default_rng(0)
    names = [*GENES, *PAIRS]
    own = rng.normal(size=(len(GENES), 60))
    rows = []
    for name in names:
        at = [GENES.index(g) for g in name.split("+")]
        own_transcripts = np.isin(np.arange(len(GENES)), at) * 50.0
        rows.append(np.r_[signal * own[at].sum(axis=0) + rng.normal(size=60), own_transcripts])
    conditions = pd.DataFrame({"perturbation": names, "context": "K562"})
    delta = np.array(rows)
    readouts = tuple([f"R{i}" for i in range(60)] + GENES)
    return ConditionTable(
        conditions, delta, np.ones_like(delta), np.ones(delta.shape, dtype=int), readouts, ((),) * len(names)
    )


def test_planted_activations_are_traced_back() -> None:
    found = explain_norman.alike(planted(2.0), deals=99)
    dealt = found.baselines["targets dealt anew"]
    assert found.n == 22 and found.value is not None and dealt is not None
    assert found.value > 0.9 > 0.7 > dealt and found.passed


def test_own_transcripts_give_nothing_away() -> None:
    table = planted(0.0)
    signatures, targets = explain_norman.conditions(table)
    assert not set(GENES) & set(signatures.columns) and targets["T0+T1"] == ("T0", "T1")
    found = explain_norman.alike(table, deals=99)
    assert found.passed is False


def test_ties_at_the_edge_count_by_their_chance() -> None:
    votes = {"a": {"X": 3.0, **{f"Y{i}": 1.0 for i in range(8)}, "Z": 0.0}}
    found = explain_norman.found(votes, [("a", "X"), ("a", "Y3"), ("a", "Z"), ("a", "gone")])
    assert found == pytest.approx([1.0, 0.5, 0.0, 0.0])

"""Targets by kind of evidence: what is planted is combined, noise is not trusted, dealt annotations find nothing."""

from __future__ import annotations

import numpy as np
import pytest

from cytocrux.evals import explain_evidence
from cytocrux.evals.explain_evidence import KINDS, Compound, Evidence

NAMES = [f"T{i}" for i in range(60)]


def planted(n: int, seed: int) -> list[Compound]:
    """Structure names the target of three in five, the profile of another, not nested, three in five; signature none.
    Each kind names nine others at random as well."""
    rng = np.random.default_rng(seed)

    def told(right: str, chance: float) -> dict[str, float]:
        votes = {str(t): float(rng.uniform(0.02, 0.6)) for t in rng.choice(NAMES, 9, replace=False)}
        votes.pop(right, None)
        return votes | ({right: float(rng.uniform(0.4, 0.9))} if rng.uniform() < chance else {})

    found = []
    for i in range(n):
        right = str(rng.choice(NAMES))
        evidence: Evidence = {"structure": told(right, 0.6), "profile": told(right, 0.6), "signature": told(right, 0.0)}
        dealt: Evidence = {k: told(right, 0.0) for k in KINDS}
        found.append(Compound(f"c{i}", f"scaffold {i // 2}", frozenset({right}), evidence, dealt))
    return found


def test_two_kinds_find_more_than_one_and_noise_is_not_trusted() -> None:
    found = explain_evidence.figure("planted", planted(120, 0), planted(60, 1), KINDS)
    parts = found.baselines
    assert found.value is not None and parts["structure"] is not None and parts["profile"] is not None
    assert found.value > max(parts["structure"], parts["profile"]) + 0.1
    assert parts["all, annotations dealt anew"] == pytest.approx(0.0, abs=0.02) and found.passed
    weights = dict(w.rsplit(" ", 1) for w in found.note.split("mean weights ")[1].split(";")[0].split(", "))
    assert float(weights["signature"]) < 0.2 * float(weights["structure"])


def test_compounds_of_one_scaffold_share_a_fold() -> None:
    groups = [f"g{i % 17}" for i in range(90)]
    folds = explain_evidence._folds(groups)
    assert len({(g, f) for g, f in zip(groups, folds, strict=True)}) == 17 and len(set(folds)) == 10


def test_dealt_values_stay_among_those_that_have_one() -> None:
    values = [frozenset({str(i)}) if i % 3 else frozenset() for i in range(30)]
    dealt = explain_evidence._dealt(values, 4)
    assert sorted(map(sorted, dealt)) == sorted(map(sorted, values)) and dealt != values
    assert [bool(v) for v in dealt] == [bool(v) for v in values]

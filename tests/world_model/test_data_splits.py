"""Splits by biology: what is held out is new in the stated way and in no other."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.data.splits import SPLITS, folds, matching, why_not
from cytocrux.world_model.errors import BadInput, UnknownName


def table(*, pairs: bool = True) -> pd.DataFrame:
    rows = [
        (c, p, d, t)
        for c, p, d, t in itertools.product(
            ("L1", "L2", "L3"), ("A", "B", "C", "D", "E"), (0.1, 1.0, 10.0), (1.0, 6.0, 24.0)
        )
    ]
    if pairs:
        rows += [(c, f"{a}+{b}", np.nan, 24.0) for c in ("L1", "L2") for a, b in itertools.combinations("ABCD", 2)]
    return pd.DataFrame(rows, columns=["context", "perturbation", "dose", "time_h"])


COLUMN = {"new context": "context", "new dose": "dose", "new time": "time_h"}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("seed", range(3))
def test_train_and_test_share_nothing_that_is_new(split: str, seed: int) -> None:
    conditions = table()
    parts = folds(conditions, split, n=3, seed=seed)
    assert parts
    for fold in parts:
        train, test = conditions.iloc[fold.train], conditions.iloc[fold.test]
        assert not set(fold.train) & set(fold.test)
        singles = {p for name in train["perturbation"] for p in name.split("+")}
        asked = {p for name in test["perturbation"] for p in name.split("+")}
        if split in COLUMN:
            assert not set(train[COLUMN[split]]) & set(test[COLUMN[split]])
        if split == "new perturbation":
            assert not singles & asked
        else:
            assert asked <= singles
        if split == "new combination":
            assert not set(train["perturbation"]) & set(test["perturbation"])
        if split != "new context":
            assert set(test["context"]) <= set(train["context"])


@pytest.mark.parametrize("split", SPLITS)
def test_folds_hold_every_row_out_once_at_most_and_follow_the_seed(split: str) -> None:
    conditions = table()
    every = np.concatenate([f.test for f in folds(conditions, split, n=3, seed=0)])
    assert len(every) == len(set(every))
    again, other = folds(conditions, split, n=3, seed=0), folds(conditions, split, n=3, seed=5)
    assert [f.held for f in again] == [f.held for f in folds(conditions, split, n=3, seed=0)]
    assert {h for f in again for h in f.held} == {h for f in other for h in f.held}


def test_what_the_data_do_not_permit_is_said() -> None:
    alone = table(pairs=False)
    alone = alone[(alone["context"] == "L1") & (alone["time_h"] == 24.0)].reset_index(drop=True)
    assert why_not(alone, "new context") == "1 contexts; 2 are needed"
    assert why_not(alone, "new combination") == "0 combinations; 3 are needed"
    assert folds(alone, "new time") == [] and folds(alone, "new context") == []
    assert why_not(alone, "new dose") == "" and folds(alone, "new dose")
    with pytest.raises(UnknownName, match="Did you mean new context"):
        folds(alone, "new contxt")


def test_holding_out_by_name() -> None:
    conditions = table()
    assert set(conditions[matching(conditions, ["context=L1"])]["context"]) == {"L1"}
    named = conditions[matching(conditions, ["perturbation=A,B"])]["perturbation"]
    assert {"A", "B", "A+C", "B+D"} <= set(named) and "C+D" not in set(named)
    both = conditions[matching(conditions, ["dose=10", "time=1"])]
    assert ((both["dose"] == 10) | (both["time_h"] == 1)).all() and len(both) == 45 + 30
    for text, says in (("L1", "does not say"), ("line=L1", "does not say"), ("context=L9", "No condition"),
                       ("dose=x", "is not a number")):  # fmt: skip
        with pytest.raises(BadInput, match=says):
            matching(conditions, [text])

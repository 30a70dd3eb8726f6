"""``--know``: features of perturbations by name or from a table of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.app.features import perturbation_features, read_features
from cytocrux.world_model.data import Dataset, load
from cytocrux.world_model.errors import BadInput, DataUnavailable


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("told") / "d.csv"
    path.write_text("drug,dose,line,y\nDMSO,,A,0\nDMSO,,A,0.1\nTrametinib,1,A,2\nTrametinib,1,A,2.1\n")
    return load(str(path))


def test_a_table_of_ones_own_in_any_form(tmp_path: Path, dataset: Dataset) -> None:
    table = pd.DataFrame({"name": ["Trametinib", "GATA1"], "a": [0.1, 1 / 3], "b": [-1.0, 2e-9]})
    table.to_csv(tmp_path / "e.csv", index=False)
    table.to_parquet(tmp_path / "e.parquet")
    for file in ("e.csv", "e.parquet"):
        found = perturbation_features([f"mine = {tmp_path / file}"], dataset)["mine"]
        assert isinstance(found, pd.DataFrame)
        np.testing.assert_array_equal(found.to_numpy(), table[["a", "b"]].to_numpy())
        assert list(found.index) == ["Trametinib", "GATA1"]


def test_compounds_bring_targets_and_mechanism(dataset: Dataset) -> None:
    found = perturbation_features(["Compounds"], dataset)
    assert {"targets", "mechanism"} <= set(found)
    targets = found["targets"]
    assert isinstance(targets, pd.DataFrame) and targets.loc["Trametinib", "MAP2K1"] > 0


def test_priors_by_name(tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CYTOCRUX_DATA_DIR", raising=False)
    with pytest.raises(DataUnavailable, match="CYTOCRUX_DATA_DIR is not set"):
        perturbation_features(["GO"], dataset)
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))
    with pytest.raises(DataUnavailable, match="is not there"):
        perturbation_features(["pathways"], dataset)
    (tmp_path / "priors").mkdir()
    sets = "\n".join(f"S{i}\tx\t" + "\t".join(f"G{j}" for j in range(i, i + 5)) for i in range(8))
    (tmp_path / "priors" / "c2.cp.v7.5.1.symbols.gmt").write_text(sets + "\n")
    found = perturbation_features(["PATHWAYS"], dataset)["pathways"]
    assert isinstance(found, pd.DataFrame) and "G3" in found.index


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\nA\n", "is not a table"),
        ("name,x\nA,1\nA,2\n", "'A' stands there twice"),
        ("name,x\nA,1\nB,much\n", "row 2: 'much' is not a number"),
        ("name,x\nA,\n", "row 1: '' is not a number"),
    ],
)
def test_a_table_that_cannot_be_used(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_features(tmp_path / "e.csv")
    assert says in str(caught.value)
    pd.DataFrame({"name": ["A"]}).to_parquet(tmp_path / "e.parquet")
    with pytest.raises(BadInput, match="one column only"):
        read_features(tmp_path / "e.parquet")


def test_words_that_name_nothing(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Nothing is known under 'astrology'"):
        perturbation_features(["astrology"], dataset)
    with pytest.raises(DataUnavailable, match="There is no file"):
        perturbation_features([f"mine={tmp_path / 'no.csv'}"], dataset)

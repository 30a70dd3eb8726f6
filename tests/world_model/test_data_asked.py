"""What is asked of the cell: units, names that are meant, names that nobody knows."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.data.asked import read_conditions, resolve, to_conditions
from cytocrux.world_model.errors import BadInput, DataUnavailable

KNOWN = pd.DataFrame(
    {
        "context": ["A375", "A375", "COLO 858", "SK-MEL-28"],
        "perturbation": ["Trametinib", "Vemurafenib", "AZ-628", "Trametinib+Vemurafenib"],
        "kind": "compound",
    }
)


def texts(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns).astype(str)


def test_units_and_other_peoples_column_names() -> None:
    raw = texts(cell_line=["A375"] * 4, drug=["X"] * 4, concentration=["10 nM", "1", "2", ""],
                conc_unit=["", "mM", "uM", ""], time=["30 min", "24", "1 d", ""])  # fmt: skip
    out = to_conditions(raw)
    np.testing.assert_allclose(out["dose"], [0.01, 1000.0, 2.0, np.nan])
    np.testing.assert_allclose(out["time_h"], [0.5, 24.0, 24.0, np.nan])
    assert to_conditions(texts(context=["a"], perturbation=["b"], dose_nM=["50"]))["dose"].tolist() == [0.05]


def test_gears_conditions_and_controls() -> None:
    out = to_conditions(texts(context=["K562"] * 3, condition=["KLF1+ctrl", "ctrl", "KLF1+CEBPE"]))
    assert out["perturbation"].tolist() == ["KLF1", "CEBPE+KLF1"]
    with pytest.raises(BadInput, match="no treated condition"):
        to_conditions(texts(context=["K562"], condition=["ctrl"]))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"perturbation": ["X"]}, "no column 'context'"),
        ({"context": ["A"]}, "no column 'perturbation'"),
        ({"context": ["A"], "perturbation": [""]}, "Row 1 has no perturbation"),
        ({"context": ["A", ""], "perturbation": ["X", "X"]}, "Row 2 has no context"),
        ({"context": ["A"], "perturbation": ["X"], "dose": ["-1"]}, "'-1' is negative"),
        ({"context": ["A"], "perturbation": ["X"], "dose": ["much"]}, "'much' is not a dose"),
        ({"context": ["A"], "perturbation": ["X"], "dose": ["1 mg/ml"]}, "cannot be converted"),
        ({"context": ["A"], "perturbation": ["X"], "time": ["1e999"]}, "negative or infinite"),
        ({"context": ["A"], "perturbation": ["X"], "kind": ["wish"]}, "Unknown kind of perturbation 'wish'"),
        ({"context": ["=cmd()"], "perturbation": ["X"]}, "starts like a formula"),
    ],
)
def test_what_cannot_be_asked(columns: dict[str, list[str]], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        to_conditions(texts(**columns))
    assert says in str(caught.value)


def ask(context: str, perturbation: str, **options: bool) -> tuple[pd.Series, tuple[str, ...]]:
    asked = resolve(to_conditions(texts(context=[context], perturbation=[perturbation])), KNOWN, **options)
    return asked.conditions.iloc[0], asked.notes


def test_case_hyphens_and_other_names_are_forgiven() -> None:
    row, notes = ask("skmel28", "trametinib")
    assert (row["context"], row["perturbation"], row["kind"]) == ("SK-MEL-28", "Trametinib", "compound")
    assert "skmel28 as SK-MEL-28" in notes[0]
    assert ask("A375", "plx4032")[0]["perturbation"] == "Vemurafenib"  # its code name
    assert ask("A375", "vemurafenib + trametinib")[0]["perturbation"] == "Trametinib+Vemurafenib"


def test_a_context_never_seen_is_kept_and_the_near_ones_named() -> None:
    row, notes = ask("A376", "Trametinib")
    assert row["context"] == "A376" and "never seen" in notes[0] and "A375" in notes[0]


def test_a_perturbation_nobody_knows_is_refused_with_near_names_unless_wanted() -> None:
    with pytest.raises(BadInput, match=r"Unknown perturbation 'Trametnib'.*Did you mean Trametinib.*--allow-new"):
        ask("A375", "Trametnib")
    row, notes = ask("A375", "Trametnib", allow_new=True)
    assert row["perturbation"] == "Trametnib" and "never measured" in notes[0]
    two = to_conditions(texts(context=["A375", "A375"], perturbation=["Trametnib", "QQ-1"]))
    with pytest.raises(BadInput, match=r"2 perturbations were never.*QQ-1 \(none\); Trametnib \(Trametinib"):
        resolve(two, KNOWN)


def test_a_compound_known_elsewhere_is_answered() -> None:
    row, notes = ask("A375", "selumetinib")
    assert row["perturbation"] == "Selumetinib" and "never measured in training: selumetinib" in notes[0]


def test_tables_of_every_kind_say_the_same(tmp_path: Path) -> None:
    table = pd.DataFrame({"cell_line": ["A375", "A375"], "drug": ["X", "Y"], "dose": [1.5, 2.0]})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    table.index = table.index.astype(str)
    anndata.AnnData(np.zeros((2, 1)), obs=table).write_h5ad(tmp_path / "a.h5ad")
    found = [to_conditions(read_conditions(tmp_path / f"a.{s}")) for s in ("csv", "parquet", "h5ad")]
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0], other)
    with pytest.raises(DataUnavailable, match="There is no file"):
        read_conditions(tmp_path / "b.csv")
    (tmp_path / "bad.h5ad").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="cannot be opened as AnnData"):
        read_conditions(tmp_path / "bad.h5ad")

"""The user's own file: what is recognised and converted, and what is refused with which words."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from cytocrux.world_model.data.conditions import effects
from cytocrux.world_model.data.registry import load
from cytocrux.world_model.data.texts import as_texts
from cytocrux.world_model.data.userfile import from_table
from cytocrux.world_model.errors import BadInput, DataUnavailable

GOOD = """perturbation,dose,dose_unit,time,cell_line,batch,replicate,pERK,pAKT
DMSO,,,24,A375,p1,1,0.1,0.0
DMSO,,,24,A375,p1,2,-0.1,0.1
Trametinib,1,uM,24,A375,p1,1,-2.0,0.2
Trametinib,1,uM,24,A375,p1,2,-2.2,
"""


def write(folder: Path, text: str, name: str = "my.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_a_wide_table_becomes_wells(tmp_path: Path) -> None:
    data = load(write(tmp_path, GOOD))
    obs = data.wells.obs
    assert data.readouts == ("pERK", "pAKT") and data.name == "my"
    assert obs["perturbation"].tolist() == ["control", "control", "Trametinib", "Trametinib"]
    assert obs["kind"].tolist() == ["control", "control", "compound", "compound"]
    assert obs["dose"].tolist()[2:] == [1.0, 1.0] and np.isnan(obs["dose"].iloc[0])
    assert obs["time_h"].tolist() == [24.0] * 4 and obs["context"].tolist() == ["A375"] * 4
    assert np.isnan(data.wells.X[3, 1])
    assert effects(data).delta[0, 0] == pytest.approx(-2.1)
    assert any("cell_line as context" in note.why for note in data.report.of("used"))


def test_long_and_wide_say_the_same(tmp_path: Path) -> None:
    wide = pd.read_csv(write(tmp_path, GOOD))
    labels = [c for c in wide if c not in ("pERK", "pAKT")]
    long = wide.melt(labels, var_name="marker", value_name="reading").sample(frac=1, random_state=0)
    long.to_csv(tmp_path / "long.csv", index=False)
    one, two = load(str(tmp_path / "my.csv")), load(str(tmp_path / "long.csv"))
    order = list(one.wells.obs_names)
    assert set(order) == set(two.wells.obs_names)
    np.testing.assert_array_equal(one.wells.to_df(), two.wells[order, list(one.readouts)].to_df())


def test_parquet_and_semicolons_and_tabs(tmp_path: Path) -> None:
    frame = pd.read_csv(write(tmp_path, GOOD))
    frame.to_parquet(tmp_path / "my.parquet")
    frame.to_csv(tmp_path / "semi.csv", sep=";", index=False)
    frame.to_csv(tmp_path / "tab.tsv", sep="\t", index=False)
    first = load(str(tmp_path / "my.csv")).wells
    for name in ("my.parquet", "semi.csv", "tab.tsv"):
        np.testing.assert_array_equal(load(str(tmp_path / name)).wells.X, first.X)


def test_nanomolar_minutes_and_a_unit_in_the_cell_are_converted_and_said(tmp_path: Path) -> None:
    text = (
        GOOD.replace("1,uM,24", "1000,nM,1440").replace("DMSO,,,24", "DMSO,,,1440").replace("time,", "time,time_unit,")
    )
    text = text.replace(",1440,", ",1440,min,")
    data = load(write(tmp_path, text))
    assert data.wells.obs["dose"].dropna().tolist() == [1.0, 1.0]
    assert data.wells.obs["time_h"].tolist() == [24.0] * 4
    said = [note.why for note in data.report.of("changed")]
    assert "nM to uM" in said and "min to h" in said
    inline = load(write(tmp_path, GOOD.replace("1,uM,24", "500 nM,,24"), "inline.csv"))
    assert inline.wells.obs["dose"].dropna().tolist() == [0.5, 0.5]


def edited(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


HEADER, *ROWS = GOOD.strip().split("\n")
T1 = "Trametinib,1,uM,24,A375,p1,1"
NO_VALUES = [",".join(row.split(",")[:7]) for row in ROWS]
BAD = {
    "negative dose": (edited(T1, "Trametinib,-1,uM,24,A375,p1,1"), "dose '-1' is negative"),
    "dose in words": (edited(T1, "Trametinib,high,uM,24,A375,p1,1"), "'high' is not a dose"),
    "mass per volume": (edited("1,uM,24", "1,ug/ml,24"), "'ug/ml', a unit that cannot be converted"),
    "infinite dose": (edited("1,uM,24", "1e999,uM,24"), "negative or infinite"),
    "dose missing": (edited("Trametinib,1,uM,24,A375,p1,2", "Trametinib,,uM,24,A375,p1,2"), "Trametinib has no dose"),
    "NaN perturbation": (edited("Trametinib,1,uM,24,A375,p1,2", "nan,1,uM,24,A375,p1,2"), "does not say what was done"),
    "NaN context": (edited("24,A375,p1,2,-2.2", "24,,p1,2,-2.2"), "Row 4 has no context"),
    "negative time": (edited("uM,24,A375,p1,1", "uM,-24,A375,p1,1"), "time '-24' is negative"),
    "duplicate well": (GOOD + ROWS[-1] + "\n", "stands there twice"),
    "no control": ("\n".join([HEADER, *ROWS[2:]]), "not one control well"),
    "controls only": ("\n".join([HEADER, *ROWS[:2]]), "controls only"),
    "control of another line": (
        GOOD.replace("DMSO,,,24,A375", "DMSO,,,24,SKMEL28"), "no matching control: context A375"),
    "control at another time": (GOOD.replace("DMSO,,,24", "DMSO,,,0"), "no matching control: context A375 at 24 h"),
    "control on another plate": (
        GOOD.replace("DMSO,,,24,A375,p1", "DMSO,,,24,A375,p2"), "no matching control: context A375, batch p1"),
    "one replicate": ("\n".join([HEADER, ROWS[0], ROWS[2]]), "one replicate only"),
    "empty": ("", "is empty"),
    "blank": ("\n \n", "is empty"),
    "header only": (HEADER + "\n", "holds no rows"),
    "no readings": ("\n".join([HEADER.removesuffix(",pERK,pAKT"), *NO_VALUES]), "no column of readings"),
    "all readings empty": ("\n".join([HEADER, *(row + ",," for row in NO_VALUES)]), "no column of readings"),
    "text among readings": (edited("-2.0,0.2", "strong,0.2"), "'strong' in 'pERK' is not a number"),
    "infinite reading": (edited("-2.0,0.2", "inf,0.2"), "infinite readings"),
    "no perturbation column": (edited("perturbation,", "note,"), "no column that says what was done"),
    "formula": (edited(T1, "=HYPERLINK(A1),1,uM,24,A375,p1,1"), "starts like a formula"),
    "at formula": (edited("uM,24,A375,p1,1", "uM,24,@SUM(A1),p1,1"), "starts like a formula"),
    "plus formula": (edited("uM,24,A375,p1,1", "uM,24,+cmd|calc,p1,1"), "starts like a formula"),
    "minus formula": (edited("uM,24,A375,p1,1", "uM,24,-cmd|calc,p1,1"), "starts like a formula"),
    "formula in a reading": (edited("-2.0,0.2", "=1+1,0.2"), "starts like a formula"),
    "script": (edited(T1, "<script>x</script>,1,uM,24,A375,p1,1"), "markup could run"),
    "script in the header": (edited("pERK,", "<img src=x>,"), "markup could run"),
    "hidden direction mark": (edited(T1, "Tra\u202emetinib,1,uM,24,A375,p1,1"), "invisible"),
    "an essay for a name": (edited(T1, "x" * 300 + ",1,uM,24,A375,p1,1"), "longer than 200"),
    "two doses for one name": (edited(T1, "Trametinib,1+2,uM,24,A375,p1,1"), "2 doses for"),
    "log and linear batches": (
        GOOD + "\n".join(f"DMSO,,,24,A375,p2,{i},{v},{v}" for i, v in enumerate((120, 90, 2500), 1)),
        "'p2' looks linear and batch 'p1' logarithmic"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused_by_name(case: str, tmp_path: Path) -> None:
    text, says = BAD[case]
    with pytest.raises(BadInput) as caught:
        load(write(tmp_path, text))
    assert says in str(caught.value)


def test_a_reading_given_twice_in_a_long_table(tmp_path: Path) -> None:
    text = "compound,dose,cell_line,replicate,marker,value\n" + "".join(
        f"{c},{d},A,{r},pERK,{v}\n"
        for c, d, r, v in (("DMSO", "", 1, 0), ("DMSO", "", 2, 0), ("X", 1, 1, -1), ("X", 1, 1, -2))
    )
    with pytest.raises(BadInput, match="pERK of this well stands in the table twice"):
        load(write(tmp_path, text))


def test_a_stated_scale_that_the_numbers_deny(tmp_path: Path) -> None:
    def table(scale: str, values: tuple[float, ...]) -> str:
        rows = zip(("DMSO", "DMSO", "X", "X"), values, strict=True)
        return "drug,dose,line,scale,signal_a\n" + "".join(
            f"{d},{'' if d == 'DMSO' else 1},A,{scale},{v}\n" for d, v in rows
        )

    with pytest.raises(BadInput, match="said to be log2 but look linear"):
        load(write(tmp_path, table("log2", (100, 120, 9000, 15000))))
    with pytest.raises(BadInput, match="said to be linear but some are negative"):
        load(write(tmp_path, table("linear", (1, 2, -3, 4))))
    with pytest.raises(BadInput, match="Unknown scale"):
        load(write(tmp_path, table("sqrt", (1, 2, 3, 4))))
    data = load(write(tmp_path, table("linear", (100, 100, 400, 400))))
    assert effects(data).delta[0, 0] == pytest.approx(2.0)


def test_linear_readings_are_recognised_and_said(tmp_path: Path) -> None:
    text = "drug,dose,line,f1,f2\nDMSO,,A,100,200\nDMSO,,A,100,200\nX,1,A,400,0\nX,1,A,400,3200\n"
    data = load(write(tmp_path, text))
    assert data.info.scale == "log2" and any("look linear" in n.why for n in data.report.of("changed"))
    np.testing.assert_allclose(effects(data).delta[0], [2.0, 4.0])
    assert data.report.of("dropped")[0].count == 1


def test_ic50_needs_no_control_and_becomes_a_logarithm(tmp_path: Path) -> None:
    data = load(write(tmp_path, "drug,cell_line,IC50,AUC\nTrametinib,A,1,0.5\nTrametinib,B,10,0.9\n"))
    assert not data.has_controls
    np.testing.assert_allclose(data.wells.X[:, 0], np.log([1, 10]))
    with pytest.raises(BadInput, match="zero or negative"):
        load(write(tmp_path, "drug,cell_line,IC50\nTrametinib,A,0\nTrametinib,B,10\n"))


def test_kinds_are_asked_for_where_nothing_tells_them(tmp_path: Path) -> None:
    text = "perturbation,cell_line,a\ncontrol,K,0\ncontrol,K,1\nGATA1,K,2\nGATA1,K,3\n"
    with pytest.raises(BadInput, match="does not say what kind"):
        load(write(tmp_path, text))
    typed = text.replace("line,a", "line,perturbation_type,a").replace("K,", "K,CRISPRi,")
    assert set(load(write(tmp_path, typed)).wells.obs["kind"]) == {"control", "knockdown"}
    with pytest.raises(BadInput, match="unknown kind of perturbation 'wish'"):
        load(write(tmp_path, typed.replace("CRISPRi", "wish")))


def test_not_a_table_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00binary\x00")
    with pytest.raises(BadInput, match="not text in UTF-8"):
        load(str(tmp_path / "x.csv"))
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(BadInput, match="cannot be read as parquet"):
        load(str(tmp_path / "x.parquet"))
    with pytest.raises(DataUnavailable, match="There is no file"):
        load(str(tmp_path / "absent.csv"))


def cells(*, counts: bool = False) -> anndata.AnnData:
    """scPerturb names; 2 lines x (control, A, A+B) x 3 lanes x 10 cells, gene g0 raised by A."""
    rng = np.random.default_rng(0)
    labels = [(line, p, lane) for line in ("K562", "RPE1") for p in ("control", "A_gene", "B_gene+A_gene")
              for lane in "123" for _ in range(10)]  # fmt: skip
    obs = pd.DataFrame(labels, columns=["cell_line", "perturbation", "batch"])
    obs["perturbation_type"] = "CRISPRi"
    obs.index = pd.Index([f"cell{i}" for i in range(len(obs))])
    raised = obs["perturbation"].str.contains("A_gene").to_numpy()
    if counts:
        X = rng.poisson(np.where(raised, 40, 10)[:, None] * np.array([1] + [0] * 29) + 20, (len(obs), 30)).astype(float)
    else:
        X = np.abs(rng.normal(1, 0.2, (len(obs), 30)))
        X[raised, 0] += 1.5
    return anndata.AnnData(sparse.csr_matrix(X), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(30)]))


def test_single_cells_become_pseudobulk_wells(tmp_path: Path) -> None:
    cells().write_h5ad(tmp_path / "cells.h5ad")
    data = load(str(tmp_path / "cells.h5ad"))
    assert data.wells.shape == (18, 30)
    assert data.perturbations == ("A_gene", "A_gene+B_gene")
    table = effects(data)
    np.testing.assert_allclose(table.delta[:, 0], 1.5, atol=0.15)
    np.testing.assert_allclose(table.delta[:, 1:], 0.0, atol=0.2)


def test_counts_are_normalised_and_said(tmp_path: Path) -> None:
    cells(counts=True).write_h5ad(tmp_path / "counts.h5ad")
    data = load(str(tmp_path / "counts.h5ad"))
    assert data.info.scale == "log1p" and any("counts to ln" in n.why for n in data.report.notes)
    delta = effects(data).delta
    assert (delta[:, 0] > 0.5).all() and np.abs(delta[:, 1:]).mean() < 0.1


def test_the_same_in_one_block_or_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells(counts=True).write_h5ad(tmp_path / "c.h5ad")
    whole = load(str(tmp_path / "c.h5ad")).wells.X
    monkeypatch.setattr("cytocrux.world_model.data.pseudobulk.CHUNK", 7)
    np.testing.assert_allclose(load(str(tmp_path / "c.h5ad")).wells.X, whole, rtol=1e-12)


def test_ten_x_barcodes_give_the_lane(tmp_path: Path) -> None:
    data = cells()
    data.obs_names = [f"ACGT{i}-{lane}" for i, lane in enumerate(data.obs["batch"])]
    del data.obs["batch"]
    data.write_h5ad(tmp_path / "c.h5ad")
    assert load(str(tmp_path / "c.h5ad")).wells.shape[0] == 18


def test_cells_without_replicates_are_refused(tmp_path: Path) -> None:
    data = cells()
    del data.obs["batch"]
    data.write_h5ad(tmp_path / "c.h5ad")
    with pytest.raises(BadInput, match="one replicate only"):
        load(str(tmp_path / "c.h5ad"))


def test_our_own_wells_come_back_as_they_were(tmp_path: Path) -> None:
    first = load(write(tmp_path, GOOD))
    first.wells.write_h5ad(tmp_path / "back.h5ad")
    second = load(str(tmp_path / "back.h5ad"))
    np.testing.assert_array_equal(first.wells.X, second.wells.X)
    pd.testing.assert_frame_equal(first.wells.obs, second.wells.obs)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_h5ad_is_refused(share: float, tmp_path: Path) -> None:
    cells().write_h5ad(tmp_path / "c.h5ad")
    content = (tmp_path / "c.h5ad").read_bytes()
    (tmp_path / "cut.h5ad").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BadInput, match=r"cannot be opened as AnnData|breaks off"):
        load(str(tmp_path / "cut.h5ad"))


def broken(case: str) -> anndata.AnnData:
    """The cells of ``cells`` with one thing wrong."""
    data = cells()
    control = data.obs["perturbation"] == "control"
    if case == "no control":
        return data[~control].copy()
    if case == "control of one line only":
        return data[~control | (data.obs["cell_line"] == "K562")].copy()
    if case == "negative dose":
        data.obs["dose"] = np.where(control, "", "-1")
    if case == "unit":
        data.obs["dose"], data.obs["dose_unit"] = np.where(control, "", "1"), "ug/ml"
    if case == "no label":
        data.obs.loc[data.obs_names[35], "perturbation"] = ""
    if case == "infinite":
        data.X[3, 2] = np.inf
    if case == "no perturbation column":
        data.obs = data.obs.drop(columns="perturbation")
    return data


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("no control", "not one control well"),
        ("control of one line only", "no matching control: context RPE1"),
        ("negative dose", "'-1' is negative"),
        ("unit", "a unit that cannot be converted"),
        ("infinite", "infinite readings"),
        ("no perturbation column", "no column that says what was done"),
    ],
)
def test_an_h5ad_that_cannot_be_used_is_refused_by_name(case: str, says: str, tmp_path: Path) -> None:
    broken(case).write_h5ad(tmp_path / "c.h5ad")
    with pytest.raises(BadInput) as caught:
        load(str(tmp_path / "c.h5ad"))
    assert says in str(caught.value)


def test_a_cell_without_a_number_is_noted_and_costs_one_reading(tmp_path: Path) -> None:
    data = cells()
    data.X[3, 2] = np.nan
    data.write_h5ad(tmp_path / "c.h5ad")
    found = load(str(tmp_path / "c.h5ad"))
    assert np.isnan(found.wells.X).sum() == 1
    assert any("no number" in n.why and n.count == 1 for n in found.report.of("dropped"))


def test_two_genes_of_one_name_and_ensembl_ids(tmp_path: Path) -> None:
    data = cells()
    names = [f"g{i}" for i in range(30)]
    names[4] = "g3"
    with warnings.catch_warnings(action="ignore"):  # AnnData warns whom it lets write such a file
        data.var_names = names
        data.write_h5ad(tmp_path / "c.h5ad")
    found = load(str(tmp_path / "c.h5ad"))
    assert found.readouts[3:5] == ("g3", "g3-1") and any("numbered" in n.why for n in found.report.of("changed"))
    data.var = pd.DataFrame({"gene_symbol": names}, index=[f"ENSG{i:011d}" for i in range(30)])
    data.write_h5ad(tmp_path / "c.h5ad")
    assert load(str(tmp_path / "c.h5ad")).readouts == found.readouts


def test_a_script_in_an_h5ad_label_is_refused(tmp_path: Path) -> None:
    data = cells()
    data.obs["cell_line"] = "<script>alert(1)</script>"
    data.write_h5ad(tmp_path / "c.h5ad")
    with pytest.raises(BadInput, match="markup could run"):
        load(str(tmp_path / "c.h5ad"))


names = st.text("ABCxyz0123456789-. ()/", min_size=1, max_size=12).filter(
    lambda s: s.strip() and s.strip().lower() not in ("na", "nan") and s.strip()[0] not in "-+=@"
)


@settings(deadline=None, max_examples=40)
@given(st.lists(names, min_size=1, max_size=4, unique_by=lambda s: s.strip()), st.integers(2, 3))
def test_any_plain_name_survives_the_way_in(drugs: list[str], n: int) -> None:
    rows = [("control", None, r, 0.0) for r in range(n)]
    rows += [(drug, 1.0, r, float(i)) for i, drug in enumerate(drugs) for r in range(n)]
    frame = pd.DataFrame(rows, columns=["drug", "dose", "replicate", "y"])
    data = from_table(as_texts(frame), name="t", source="t")
    treated = [d.strip() for d in drugs if d.strip().lower() not in ("control", "nt")]
    assert set(data.perturbations) == set(treated)
    assert len(data.wells) == n * (1 + len(drugs))

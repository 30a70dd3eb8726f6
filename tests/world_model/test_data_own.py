"""The user's own file under a name: read through its recipe, checked at every load; large files in flat memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cytocrux.world_model.data import effects, load
from cytocrux.world_model.data.columns import recognise
from cytocrux.world_model.data.labels import guide_name, split_pair
from cytocrux.world_model.data.own import add_file, own_files
from cytocrux.world_model.data.recipe import Recipe, parse
from cytocrux.world_model.data.userfile import load_file
from cytocrux.world_model.errors import BadInput, Corrupt, UnknownName

TABLE = "stim,line,y1,y2\ncontrol,A,0.0,1.0\ncontrol,A,0.2,1.1\nGATA1,A,2.1,1.0\nGATA1,A,2.1,1.2\n"
RECIPE = Recipe(rename={"stim": "perturbation"}, constants={"kind": "knockout"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    return path


def test_a_name_brings_back_the_file_with_its_recipe(file: Path, tmp_path: Path) -> None:
    space = tmp_path / "space"
    add_file(file, "mine", workspace=space, taken=frozenset(), licence="CC0", citation="me", recipe=RECIPE)
    data = load("mine", workspace=space)
    assert data.name == "mine" and data.info.licence == "CC0" and set(data.wells.obs["kind"]) == {"control", "knockout"}
    assert effects(data).delta[0] == pytest.approx([2.0, 0.05])
    assert list(own_files(space)) == ["mine"]
    with pytest.raises(UnknownName, match="Did you mean mine"):
        load("mien", workspace=space)


def test_a_name_means_one_content(file: Path, tmp_path: Path) -> None:
    space = tmp_path / "space"
    add_file(file, "mine", workspace=space, taken=frozenset({"rppa"}), recipe=RECIPE)
    file.write_text(TABLE.replace("2.1", "2.2"))
    with pytest.raises(Corrupt, match="not the file it should be"):
        load("mine", workspace=space)
    with pytest.raises(BadInput, match="stands for another file already"):
        add_file(file, "mine", workspace=space, taken=frozenset(), recipe=RECIPE)
    add_file(file, "mine", workspace=space, taken=frozenset(), recipe=RECIPE, replace=True)
    assert effects(load("mine", workspace=space)).delta[0, 0] == pytest.approx(2.1)
    for name, says in (("rppa", "name of a public data set"), ("a b", "cannot be a name"), ("", "cannot be a name")):
        with pytest.raises(BadInput, match=says):
            add_file(file, name, workspace=space, taken=frozenset({"rppa"}))
    file.unlink()
    with pytest.raises(BadInput, match="is gone"):
        load("mine", workspace=space)
    (space / "data.json").write_text("{")
    with pytest.raises(Corrupt, match="cannot be read"):
        own_files(space)


def test_what_the_command_line_may_set() -> None:
    found = parse(["kind=knockdown", "context = K562"], ["stim=perturbation"])
    assert found.constants == {"kind": "knockdown", "context": "K562"} and found.rename == {"stim": "perturbation"}
    for settings, renames in ((["colour=red"], []), (["kind="], []), ([], ["stim=colour"]), ([], ["=perturbation"])):
        with pytest.raises(BadInput):
            parse(settings, renames)


def test_a_renamed_column_must_be_there(file: Path) -> None:
    with pytest.raises(BadInput, match="no column 'stimulus'"):
        load_file(file, recipe=Recipe(rename={"stimulus": "perturbation"}))


@pytest.mark.parametrize(
    "word",
    ["perturbation", "condition", "drug", "treatment", "perturbation_name", "perturbagen", "pert_iname",
     "product_name", "gene", "guide_identity", "compound"],
)  # fmt: skip
def test_names_of_the_perturbation(word: str) -> None:
    assert recognise([word, "cell_line"])["perturbation"] == word


@pytest.mark.parametrize(
    ("ours", "word"),
    [("dose", "dose_value"), ("dose", "dose_val"), ("context", "cell_type"), ("context", "cell_line"),
     ("time_h", "timepoint"), ("kind", "perturbation_type"), ("batch", "gem_group"), ("control", "is_control"),
     ("replicate", "donor"), ("parts", "nperts")],
)  # fmt: skip
def test_names_of_the_other_columns(ours: str, word: str) -> None:
    assert recognise(["perturbation", word])[ours] == word


def test_a_gene_column_is_the_readout_where_something_else_is_the_perturbation() -> None:
    found = recognise(["drug", "gene", "value"])
    assert found["perturbation"] == "drug" and found["readout"] == "gene"


def test_guides_and_pairs() -> None:
    assert guide_name("CEBPE_KLF1__CEBPE_KLF1") == "CEBPE+KLF1"
    assert guide_name("KLF1_NegCtrl0__KLF1_NegCtrl0") == "KLF1"
    assert guide_name("NegCtrl10_NegCtrl0__NegCtrl10_NegCtrl0") == "control"
    assert split_pair("KLF1_CEBPE", "2") == "KLF1+CEBPE"
    assert split_pair("KLF1_CEBPE", "1") == "KLF1_CEBPE" == split_pair("KLF1_CEBPE", "")


def test_gears_files_count_perturbations_where_others_put_doses(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"condition": ["ctrl", "KLF1+ctrl", "CEBPE+KLF1"] * 40, "cell_type": "K562"})
    obs["dose_val"] = obs["condition"].map({"ctrl": "1", "KLF1+ctrl": "1+1", "CEBPE+KLF1": "1+1"})
    obs.index = pd.Index([f"ACGT{i}-{1 + i // 60}" for i in range(120)])
    X = np.abs(rng.normal(1, 0.1, (120, 5)))
    anndata.AnnData(sparse.csr_matrix(X), obs=obs).write_h5ad(tmp_path / "gears.h5ad")
    with pytest.raises(BadInput, match="does not say what kind"):
        load(str(tmp_path / "gears.h5ad"))
    data = load_file(tmp_path / "gears.h5ad", recipe=parse(["kind=activation"], []))
    assert data.perturbations == ("CEBPE+KLF1", "KLF1")
    assert data.wells.obs["dose"].isna().all() and any("no dose" in n.why for n in data.report.of("dropped"))


PEAK = """
import resource, sys
import anndata, h5py, pandas, scipy.sparse
from pathlib import Path
from cytocrux.world_model.data import pseudobulk
from cytocrux.world_model.data.userfile import load_file
pseudobulk.BLOCK_BYTES = 4 * 2**20
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wells = [load_file(Path(path)).wells.n_obs for path in sys.argv[1:]]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, *wells)
"""


def test_files_larger_than_the_memory_they_take(tmp_path: Path) -> None:
    """76 MiB of counts or more, by cell, by gene and dense, are read four at a time with less than 40 MiB."""
    cells, genes, step = 20_000, 1_000, 5_000
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"perturbation": rng.choice(["control", "A1", "B1"], cells), "cell_line": "K562",
                        "perturbation_type": "CRISPRi", "batch": rng.choice(["1", "2"], cells)})  # fmt: skip
    obs.index = obs.index.astype(str)
    block = rng.poisson(1.0, (step, genes)).astype(np.float32)
    by_cell = sparse.vstack([sparse.csr_matrix(block)] * (cells // step), format="csr")
    paths = [tmp_path / f"{form}.h5ad" for form in ("csr", "csc", "dense")]
    for path, X in zip(paths, (by_cell, by_cell.tocsc(), np.tile(block, (cells // step, 1))), strict=True):
        anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(genes)])).write_h5ad(path)
        assert path.stat().st_size > 76 * 2**20
    told = subprocess.run([sys.executable, "-c", PEAK, *map(str, paths)], capture_output=True, text=True, check=True)
    grown, *wells = map(int, told.stdout.split())
    assert wells == [6, 6, 6]
    assert grown * 1024 < 40 * 2**20

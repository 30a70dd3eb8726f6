"""The cell alone on the command line: train, predict, test, compare, draw; a table of known truth teaches it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cytocrux.app.cli import app

Run = Callable[..., Result]
LINES, DOSES = {"LINE-A": 1.0, "LINE-B": 0.8, "LINE-C": 1.2}, (0.01, 0.1, 1.0, 10.0)
DRUGS = {"Trametinib": 0.05, "Selumetinib": 0.5, "Vemurafenib": 2.0, "AZ-628": 0.2}  # IC50, uM
READOUTS = {"pERK": -3.0, "Bim": 1.5, "tubulin": 0.0}


def truth(line: str, drug: str, dose: float) -> np.ndarray:
    return np.array(list(READOUTS.values())) * LINES[line] * dose / (dose + DRUGS[drug])


def table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(line, "DMSO", "", *rng.normal(0, 0.1, 3)) for line in LINES for _ in range(6)]
    for line, drug, dose, _ in itertools.product(LINES, DRUGS, DOSES, range(3)):
        rows.append((line, drug, f"{dose:g}", *(truth(line, drug, dose) + rng.normal(0, 0.1, 3))))
    return pd.DataFrame(rows, columns=["cell_line", "drug", "dose_um", *READOUTS])


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(w) for w in words])


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table, a cell that never saw LINE-C, and one that saw it all."""
    folder = tmp_path_factory.mktemp("world")
    table().to_csv(folder / "mine.csv", index=False)
    for name, extra in (("part", ["--hold-out", "context=LINE-C"]), ("all", [])):
        told(call("model", "train", "--data", folder / "mine.csv", "--out", folder / name, "--json", *extra))
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CYTOCRUX_WORKSPACE", raising=False)
    return call


def test_training_keeps_its_manifest(world: Path) -> None:
    about = json.loads((world / "part" / "training.json").read_text())
    assert about["rows"] == 2 * 4 * 4 and about["held_out"] == ["context=LINE-C"]
    assert len(about["data"]["sha256"]) == 64 and about["data"]["source"].endswith("mine.csv")
    assert about["version"] == json.loads((world / "part" / "cell.json").read_text())["version"]
    assert about["made_with"]["torch"] and about["units"] == {name: "as given" for name in READOUTS}


def test_every_form_of_output_holds_the_same_numbers(world: Path, run: Run, tmp_path: Path) -> None:
    asked = ("predict", "--model", world / "all", "--context", "line-a", "--perturbation", "trametinib", "--dose", "1")
    plain = told(run(*asked, "--json"))
    assert plain["model"].startswith("M") and "line-a as LINE-A" in plain["notes"][0]
    condition = plain["conditions"][0]
    for suffix in ("csv", "tsv", "parquet", "h5ad"):
        assert told(run(*asked, "--json", "--out", f"o.{suffix}"))["written"] == [f"o.{suffix}"]
    frames = [pd.read_csv("o.csv"), pd.read_csv("o.tsv", sep="\t"), pd.read_parquet("o.parquet")]
    data = anndata.read_h5ad("o.h5ad")
    for j, value in enumerate(condition["readouts"]):
        for name in ("mean", "epistemic", "aleatoric", "lower90", "upper90"):
            for frame in frames:
                assert frame.loc[frame["readout"] == value["readout"], name].item() == pytest.approx(value[name])
            assert data.layers[name][0, j] == pytest.approx(value[name])
        assert value["lower90"] < value["mean"] < value["upper90"] and value["aleatoric"] > 0
        assert value["upper90"] - value["mean"] == pytest.approx(1.645 * value["epistemic"], rel=1e-3)
    np.testing.assert_array_equal(data.X, data.layers["mean"])
    assert data.obs["perturbation"].tolist() == ["Trametinib"] and data.var_names.tolist() == list(READOUTS)
    assert frames[0]["in_domain"].between(0, 1).all() and not frames[0]["abstain"].any()


def test_a_table_of_conditions_is_answered_near_the_truth(world: Path, run: Run) -> None:
    asked = pd.DataFrame([(c, d, f"{x * 1000:g} nM") for c in LINES for d in DRUGS for x in DOSES],
                         columns=["cell_line", "compound", "dose"])  # fmt: skip
    asked.to_csv("asked.csv", index=False)
    found = told(run("predict", "asked.csv", "--model", world / "all", "--json"))["conditions"]
    said = np.array([[v["mean"] for v in c["readouts"]] for c in found])
    right = np.array([truth(c, d, x) for c in LINES for d in DRUGS for x in DOSES])
    assert (
        np.sqrt(np.mean((said - right) ** 2)) < 0.12
    )  # wells scatter by 0.1, a mean of three against controls by 0.07


def test_an_unseen_context_is_answered_less_surely_than_a_seen_one(world: Path, run: Run) -> None:
    asked = ("predict", "--model", world / "part", "--perturbation", "Trametinib", "--dose", "1", "--json")
    new, old = (told(run(*asked, "--context", c)) for c in ("LINE-C", "LINE-A"))
    assert "never seen in training" in new["notes"][0]
    seen, unseen = old["conditions"][0], new["conditions"][0]
    assert unseen["in_domain"] < seen["in_domain"]
    assert unseen["readouts"][0]["epistemic"] > seen["readouts"][0]["epistemic"]
    assert unseen["readouts"][0]["mean"] == pytest.approx(truth("LINE-C", "Trametinib", 1.0)[0], abs=1.0)


def test_text_shows_changes_with_their_intervals(world: Path, run: Run) -> None:
    shown = run("predict", "--model", world / "all", *ONE, "--dose", "1", "--readout", "pERK")
    assert shown.exit_code == 0 and "Trametinib 1 uM in LINE-A" in shown.stdout
    assert "pERK" in shown.stdout and " to " in shown.stdout and "Bim" not in shown.stdout


ONE = ("--context", "LINE-A", "--perturbation", "Trametinib")
BAD: dict[str, tuple[tuple[object, ...], str]] = {
    "nothing to ask": (("predict", *ONE), "There is no cell to ask"),
    "no condition": (("predict", "--model", "ALL"), "There is nothing to predict"),
    "twice": (("predict", "asked.csv", *ONE, "--model", "ALL"), "Conditions are given twice"),
    "no table": (("predict", "asked.csv", "--model", "ALL"), "There is no file asked.csv"),
    "no cell": (("predict", *ONE, "--model", "nowhere"), "There is no folder nowhere"),
    "unknown compound": (("predict", "--context", "LINE-A", "--perturbation", "Trametnib", "--model", "ALL"),
                         "Did you mean Trametinib"),
    "unknown readout": (("predict", *ONE, "--readout", "pERC", "--model", "ALL"), "Did you mean pERK"),
    "negative dose": (("predict", *ONE, "--dose=-1", "--model", "ALL"), "is negative"),
    "unit": (("predict", *ONE, "--dose", "1 furlong", "--model", "ALL"), "a unit that cannot be converted"),
    "suffix": (("predict", *ONE, "--out", "o.xlsx", "--model", "ALL"), "no suffix that can be written"),
    "nowhere to write": (("predict", *ONE, "--out", "no/o.csv", "--model", "ALL"), "cannot be written"),
    "nothing to draw": (("predict", *ONE, "--plot", "p", "--model", "ONE_DOSE"), "no course to draw"),
    "no such device": (("predict", *ONE, "--device", "cuda:9", "--model", "ALL"), "no cuda:9 on this machine"),
    "no device at all": (("model", "train", "--data", "CSV", "--out", "x", "--device", "abacus"), "is no device"),
    "unknown data": (("predict", *ONE, "--data", "rpa"), "Did you mean rppa"),
    "hold out nothing": (("model", "train", "--data", "CSV", "--out", "x", "--hold-out", "context=Z"),
                         "No condition has"),
    "hold out all": (("model", "train", "--data", "CSV", "--out", "x", "--hold-out", "context=LINE-A,LINE-B,LINE-C"),
                     "Everything would be held out"),
    "out is a file": (("model", "train", "--data", "CSV", "--out", "CSV"), "is a file"),
    "seen it all": (("model", "eval", "ALL", "--data", "CSV"), "nothing held out to score on"),
    "unknown split": (("model", "eval", "--data", "CSV", "--split", "new contxt"), "Did you mean new context"),
    "split not possible": (("model", "eval", "--data", "CSV", "--split", "new combination"), "0 combinations"),
    "split of a saved cell": (("model", "eval", "ALL", "--data", "CSV", "--split", "new dose"), "has no splits"),
    "told too late": (("predict", *ONE, "--know", "GO", "--model", "ALL"), "knows what it was trained with"),
    "told nonsense": (("model", "train", "--data", "CSV", "--out", "x", "--know", "luck"), "Nothing is known under"),
    "no data to eval": (("model", "eval", "ALL"), "There are no data"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_with_its_cure(case: str, world: Path, run: Run, tmp_path: Path) -> None:
    words, says = BAD[case]
    if "ONE_DOSE" in words:
        one = table()
        one[one["dose_um"].isin(["", "1"])].to_csv("one.csv", index=False)
        told(run("model", "train", "--data", "one.csv", "--out", "one", "--json"))
    places = {"ALL": world / "all", "CSV": world / "mine.csv", "ONE_DOSE": "one"}
    result = run(*(places.get(str(w), w) for w in words), "--json")
    error = json.loads(result.stderr.strip().splitlines()[-1])
    absent = error["error"] == "DataUnavailable"
    assert result.exit_code == (3 if absent else 2), result.stderr
    assert says in f"{error['what']} {error['why']} {error['cure']}" and error["cure"]


def test_info_says_what_a_cell_can_answer(world: Path, run: Run) -> None:
    facts = told(run("model", "info", world / "part", "--json"))
    assert facts["contexts"] == ["LINE-A", "LINE-B"] and facts["perturbations"] == sorted(DRUGS)
    assert facts["doses_um"] == list(DOSES) and facts["engine"] == "ConditionCell" and facts["parent"] is None
    errors = {a["new"]: a["error"] for a in facts["answers"]}
    assert errors["new dose"] < 1.0
    text = run("model", "info", world / "part").stdout
    assert "held out" in text and "LINE-A, LINE-B" in text and facts["training_hash"][:16] in text


def test_a_saved_cell_is_scored_on_what_it_has_not_seen_only(world: Path, run: Run, tmp_path: Path) -> None:
    found = told(run("model", "eval", world / "part", "--data", world / "mine.csv", "--json", "--plots", "pics"))
    (split,) = found["splits"]
    assert split["conditions"] == 16 and found["model"].startswith("M")
    methods = {m["method"]: m for m in split["methods"]}
    assert methods["cell"]["rmse"] < 0.6 * methods["mean"]["rmse"] and methods["cell"]["pearson"] > 0.95
    assert "condition mean" in methods and methods["condition mean"]["applies"] == 1.0
    assert [Path(p).name for p in found["written"]] == ["predicted_not_seen_in_training.png", "calibration.png"]
    for path in found["written"]:
        assert is_picture(Path(path))


def test_splits_are_scored_beside_the_plain_methods(world: Path, run: Run) -> None:
    found = told(run("model", "eval", "--data", world / "mine.csv", "--split", "new dose", "--split", "new combination",
                     "--folds", "2", "--json"))  # fmt: skip
    (split,) = found["splits"]
    assert split["folds"] == 2 and found["skipped"] == {"new combination": "0 combinations; 3 are needed"}
    methods = {m["method"]: m for m in split["methods"]}
    assert methods["cell"]["r2"] > methods["mean"]["r2"] and methods["cell"]["pearson_sd"] is not None
    assert 0.5 < split["coverage90"] <= 1.0
    text = run("model", "eval", "--data", world / "mine.csv", "--split", "new context", "--folds", "2")
    assert "New context" in text.stdout and "condition mean" in text.stdout


def test_a_cell_compared_with_itself_differs_by_nothing_and_a_taught_one_wins(world: Path, run: Run) -> None:
    more = table(seed=1).assign(batch="second")
    more.to_csv("more.csv", index=False)
    same = told(run("model", "compare", world / "part", world / "part", "--data", "more.csv", "--json"))
    assert same["conditions"] == 48
    for score in same["b_minus_a"].values():
        assert score["difference"] == score["low"] == score["high"] == 0.0
    pair = told(run("model", "compare", world / "part", world / "all", "--data", "more.csv", "--json"))
    rmse = pair["b_minus_a"]["rmse"]
    assert rmse["difference"] < 0 and rmse["high"] < 0  # the second knows LINE-C
    assert pair["baseline_minus_a"]["mean"]["rmse"]["low"] > 0
    assert "Other minus A" in run("model", "compare", world / "part", world / "all", "--data", "more.csv").stdout


def test_scores_from_sums_are_the_scores() -> None:
    from cytocrux.app.heldout import CELL, HeldOut, compare

    rng = np.random.default_rng(0)
    measured, conditions = (
        rng.normal(size=(40, 6)),
        pd.DataFrame({"context": list("abcdefgh") * 5, "perturbation": "x"}),
    )
    measured[rng.random((40, 6)) < 0.1] = np.nan
    told = {CELL: np.nan_to_num(measured) + rng.normal(0, 0.5, (40, 6)), "mean": np.tile(rng.normal(size=6), (40, 1))}
    held = HeldOut(conditions, tuple("uvwxyz"), measured, told, np.ones((40, 6)), rng.normal(size=6), {})
    found, word, n = compare(held, held, "mean")
    assert (word, n) == ("contexts", 8)
    for d in found:
        assert d.first == pytest.approx(held.scores(CELL)[d.name]) and d.low <= d.value <= d.high
        assert d.second == pytest.approx(held.scores("mean")[d.name])


def test_intervals_of_a_difference_hold_what_they_say() -> None:
    """Two methods that are equally good: the interval of their RMSE difference excludes zero in about 5 % of draws."""
    from cytocrux.app.heldout import CELL, HeldOut, compare

    rng, out = np.random.default_rng(1), 0
    conditions = pd.DataFrame({"context": [f"c{i // 3}" for i in range(90)], "perturbation": "x"})
    for _ in range(150):
        measured = rng.normal(size=(90, 4))
        shared = np.repeat(rng.normal(0, 0.5, (30, 2, 4)), 3, axis=0)  # errors of one context are alike
        told = {name: measured + shared[:, i] + rng.normal(0, 0.3, (90, 4)) for i, name in enumerate((CELL, "other"))}
        held = HeldOut(conditions, tuple("abcd"), measured, told, np.ones((90, 4)), np.zeros(4), {})
        rmse = compare(held, held, "other")[0][3]
        out += not rmse.low <= 0 <= rmse.high
    assert 1 <= out <= 18  # 5 % of 150 is 7.5; a bootstrap of single conditions would exclude it far more often


def test_courses_are_drawn_with_the_wells_beside_them(world: Path, run: Run) -> None:
    words = ("predict", "--model", world / "part", "--data", world / "mine.csv", "--context", "linec", "--perturbation",
             "Trametinib", "--perturbation", "AZ-628", "--plot", "pics", "--json")  # fmt: skip
    (path,) = told(run(*words, "--dose", "1"))["written"]
    assert path == "pics/dose_Trametinib_and_AZ-628_in_LINE-C.png"
    assert is_picture(Path(path))


def test_points_of_a_course_are_the_changes_of_its_wells(world: Path) -> None:
    from cytocrux.app.cells import Fitted, read
    from cytocrux.app.plots.wells import measured_wells
    from cytocrux.world_model.data import load

    fitted = read(world / "all")
    wells = measured_wells(Fitted(fitted.cell, load(str(world / "mine.csv")), fitted.about))
    (x, y), *_ = wells.along("dose", "LINE-A", "Trametinib", np.nan, [0])
    assert sorted(x) == sorted(list(DOSES) * 3)
    expected = [truth("LINE-A", "Trametinib", d)[0] for d in x]
    np.testing.assert_allclose(y, expected, atol=0.45)  # four sd of a well against six controls
    (x_mean, _), *_ = measured_wells(fitted).along("dose", "LINE-A", "Trametinib", np.nan, [0])
    assert sorted(x_mean) == sorted(DOSES)


def is_picture(path: Path) -> bool:
    from matplotlib.image import imread

    pixels = imread(path)
    return bool(pixels.shape[0] > 600 and pixels[..., :3].std() > 0.05 and pixels[0, 0, :3].min() > 0.98)


def test_two_trainings_mixed_up_are_noticed(world: Path, run: Run, tmp_path: Path) -> None:
    for name in ("cell.json", "arrays.safetensors"):
        (tmp_path / name).write_bytes((world / "all" / name).read_bytes())
    (tmp_path / "training.json").write_bytes((world / "part" / "training.json").read_bytes())
    result = run("model", "info", tmp_path)
    assert result.exit_code == 2 and "two trainings" in result.stderr
    (tmp_path / "training.json").unlink()
    assert run("model", "info", tmp_path).exit_code == 0


def test_ones_own_file_under_a_name(world: Path, run: Run, tmp_path: Path) -> None:
    plain = table().rename(columns={"drug": "what"})
    plain.to_csv("odd.csv", index=False)
    refused = run("data", "add", "odd.csv", "--name", "odd")
    assert refused.exit_code == 2 and "no column that says what was done" in refused.stderr
    added = told(run("data", "add", "odd.csv", "--name", "odd", "--rename", "what=perturbation", "--licence", "CC0",
                     "--json"))  # fmt: skip
    assert added["wells"] == 18 + 144 and len(added["sha256"]) == 64
    listed = {d["name"]: d for d in told(run("data", "list", "--json"))["data"]}
    assert listed["odd"]["licence"] == "CC0" and listed["sciplex3"]["sha256"] == "not pinned"
    assert told(run("data", "info", "odd", "--json"))["contexts"] == 3
    assert "odd" in run("data", "list").stdout
    assert run("data", "add", "odd.csv", "--name", "rppa", "--rename", "what=perturbation").exit_code == 2
    assert "published" not in run("data", "info", "sciplex3").stderr
    assert "doi:10.1126/science.aax6234" in run("data", "info", "sciplex3").stdout

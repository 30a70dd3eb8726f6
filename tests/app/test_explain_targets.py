"""``cytocrux explain --compound`` and ``--signature``: evidence by kind, what is missing said, bad input refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cytocrux.app.cli import app

Run = Callable[..., Result]
DRUGS = [(f"zinc{i}", f"ONC(=O){'C' * (5 + i)}C(=O)Nc1ccc(F)cc1", "HDAC inhibitor", "HDAC1|HDAC2") for i in range(4)]
DRUGS += [(f"statin{i}", f"OC(=O)CC(O)CC(O)C=Cc1c({x})ccc2ccccc12", "HMGCR inhibitor", "HMGCR")
          for i, x in enumerate(("F", "Cl", "C"))]  # fmt: skip
DRUGS += [("vorinostat", "ONC(=O)CCCCCCC(=O)Nc1ccccc1", "HDAC inhibitor", "ITSELF")]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """With a planted library of annotated drugs and one regulon table, and no data set."""
    folder = tmp_path / "kit" / "drugs"
    folder.mkdir(parents=True)
    drugs = ["pert_iname\tmoa\ttarget", *(f"{n}\t{m}\t{t}" for n, _, m, t in DRUGS)]
    samples = ["pert_iname\tsmiles", *(f"{n}\t{s}" for n, s, _, _ in DRUGS)]
    (folder / "repurposing_drugs_1.txt").write_text("!planted\n" + "\n".join(drugs) + "\n", encoding="utf-8")
    (folder / "repurposing_samples_1.txt").write_text("\n".join(samples) + "\n", encoding="utf-8")
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path / "kit"))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["explain", *(str(w) for w in words)])


@pytest.mark.parametrize("given", ["Vorinostat", "SAHA", "ONC(=O)CCCCCCC(=O)Nc1ccccc1"])
def test_a_compound_is_placed_by_its_analogues_not_by_itself(run: Run, given: str) -> None:
    result = run("--compound", given, "--data", "rppa", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    first = told["structure"]["mechanism"][0]
    assert first["label"] == "HDAC inhibitor" and "zinc" in first["because"] and 0 <= first["probability"] <= 1
    assert {t["label"] for t in told["structure"]["target"]} >= {"HDAC1", "HDAC2"}
    assert "ITSELF" not in result.stdout
    assert "missing" in told["profile"]
    together = told["targets"]["ranked"]
    assert {t["target"] for t in together[:2]} == {"HDAC1", "HDAC2"} and together[0]["profile"] == 0.0
    assert together[0]["share"] >= together[1]["share"] > 0 and told["targets"]["weights"]["structure"] > 0


def test_without_a_library_the_reason_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CYTOCRUX_DATA_DIR")
    result = run("--compound", "Vorinostat", "--data", "rppa")
    assert result.exit_code == 0 and "Structure: not at hand" in result.stdout
    assert "Targets: not at hand: neither structure nor responses name a target" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--compound", "vorinostaat"), "Did you mean"),
        (("--compound", "zinc1", "--context", "A375"), "Two questions at once"),
        (("--compound", "zinc1", "--signature", "x.csv"), "Two questions at once"),
        (("--signature", "absent.csv"), "cannot be read"),
        (("--perturbation", "trametinib"), "Missing option --context"),
    ],
)
def test_what_cannot_be_asked_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 2 and said in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gene,change\nA,1\n", "lacks the columns"),
        ("gene,log2fc\nA,high\n", "line 2"),
        ("gene,log2fc\nA,1\nB,inf\n", "line 3"),
        ("gene,log2fc\nA,1\nA,2\n", "twice"),
        ("gene,log2fc\nA,\n", "no fold changes"),
    ],
)
def test_a_bad_signature_is_refused_with_its_line(run: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    result = run("--signature", "mine.csv")
    assert result.exit_code == 2 and said in result.stderr


def test_a_signature_names_the_factor_whose_regulon_moved(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    from cytocrux.world_model.mechanism import resources

    genes = [f"G{i}" for i in range(60)]
    table = pd.DataFrame({"source": [f"TF{i // 10}" for i in range(60)], "target": genes, "weight": 1.0})
    monkeypatch.setattr(resources, "load_regulons", lambda name: table)
    moved = [f"{g},{2.0 if 20 <= i < 30 else 0.1 * (i % 3)}" for i, g in enumerate(genes)]
    (tmp_path / "mine.csv").write_text("Gene,log2FC\n" + "\n".join(moved) + "\n", encoding="utf-8")
    result = run("--signature", "mine.csv", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["genes"] == 60 and told["regulons"]["factors"][0]["factor"] == "TF2"
    assert told["regulons"]["factors"][0]["q"] < 0.001 and "missing" in told["signatures"]
    shown = run("--signature", "mine.csv")
    assert "TF2" in shown.stdout and "not at hand" in shown.stdout


def test_a_planted_signature_names_its_target_and_noise_none() -> None:
    import numpy as np
    import pandas as pd

    from cytocrux.app import targets

    rng = np.random.default_rng(0)
    drugs = ("Trametinib", "Selumetinib", "Vorinostat", "Belinostat", "Bortezomib", "Dabrafenib")
    plate = pd.DataFrame(rng.normal(size=(6, 200)), index=list(drugs))
    plate.loc["Selumetinib"] = plate.loc["Trametinib"] + 0.5 * rng.normal(size=200)
    told = {}
    for name, row in (("like", plate.loc["Trametinib"] + rng.normal(size=200)), ("noise", rng.normal(size=200))):
        mine = pd.DataFrame([np.asarray(row)], index=[targets.QUERY])
        told[name] = targets._votes(pd.concat([plate, mine]))
    assert told["like"]["targets"][0]["target"] in ("MAP2K1", "MAP2K2") and told["like"]["p"] < 0.01
    assert told["noise"]["p"] > 0.05 and told["noise"]["verdict"] == "no target better than chance"

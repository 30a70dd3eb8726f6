"""``cytocrux explain`` from a user's own file: what it offers, writes, and refuses."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cytocrux.app.cli import app
from cytocrux.world_model.mechanism.explanation import Explanation

# what a MEK inhibitor does to a melanoma line; everything else stands still
CHANGED = {
    "pERK(T202/Y204)": -4.0, "pRSK(S380)": -1.5, "pS6(S235/236)": -2.0, "Bim": 1.2, "CyclinD1": -1.1,
    "pMEK(S217/221)": 0.9,
}  # fmt: skip
STILL = (
    "pAKT(S473)", "pAKT(T308)", "pmTOR(S2448)", "pSTAT3(Y705)", "pNFKB(S536)", "pP38(T180/Y182)", "pJNK(T183/Y185)",
    "pAMPK(T172)", "pCHK1(S345)", "pCHK2(T68)", "pSrc(Y416)", "pHSP27(S82)", "pRb(S807/S811)", "p53", "cPARP",
    "pHER2(Y1248)", "pEGFR(Y1068)", "p4EBP1(S65)", "pBAD(S112)", "pYAP(S127)",
)  # fmt: skip


@pytest.fixture(scope="module")
def wells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    names = [*CHANGED, *STILL]
    lines = ["perturbation,dose,dose_unit,time,cell_line,batch,replicate," + ",".join(f'"{n}"' for n in names)]
    for label, dose, effect in (("DMSO", ",", 0.0), ("Trametinib", "1,uM", 1.0)):
        for k in range(4):
            values = [effect * CHANGED.get(n, 0.0) + rng.normal(0, 0.1) for n in names]
            lines.append(f"{label},{dose},24,A375,p1,{k + 1}," + ",".join(f"{v:.3f}" for v in values))
    path = tmp_path_factory.mktemp("wells") / "mine.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["explain", *(str(w) for w in words)])


def test_the_other_kinds_stand_beside_it(
    run: Callable[..., Result], wells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cytocrux.world_model.mechanism import semantic

    known = {"ERK": frozenset({"MAPK1", "RPS6KA1", "RPS6", "BCL2L11", "CCND1"}),
             "others": frozenset({"AKT1", "MTOR", "STAT3", "RELA", "MAPK14"})}  # fmt: skip
    monkeypatch.setattr(semantic, "known_sets", lambda: known)
    result = run("--perturbation", "trametinib", "--context", "a375", "--data", wells, "--json", "--draws", "19")
    told = json.loads(result.stdout)
    found = Explanation.model_validate(told["semantic"])
    assert found.kind == "semantic" and found.offered and found.edges[0].target == "ERK"
    assert Explanation.model_validate(told["nearness"]).kind == "structural-statistical"


def test_gene_sets_that_are_not_here_are_said(
    run: Callable[..., Result], wells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CYTOCRUX_DATA_DIR", raising=False)
    monkeypatch.setenv("CYTOCRUX_CACHE", "nowhere")
    text = run("--perturbation", "trametinib", "--context", "a375", "--data", wells, "--draws", "19").stdout
    assert "What the changes share: not at hand:" in text and "Responses alike (structural-statistical" in text


def test_a_mek_inhibitor_is_explained_and_drawn(run: Callable[..., Result], wells: Path, tmp_path: Path) -> None:
    result = run("--perturbation", "trametinib", "--context", "a375", "--data", wells, "--out", "here", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    found = Explanation.model_validate(told["explanation"])
    assert found.offered and found.status == "optimal" and told["targets"] == {"MAP2K1": -1}
    words = {e.word for e in found.edges if e.best}
    assert {"Trametinib -| MAP2K1", "MAP2K1 +> MAPK1", "MAPK1 +> RPS6KA1", "MAPK1 -| BCL2L11"} <= words
    assert {"MAPK1"} <= {k.node for k in found.knockouts if k.readout == "pS6(S235/236)"}
    svg = (tmp_path / "here" / "cascade.svg").read_text(encoding="utf-8")
    assert ET.fromstring(svg).tag.endswith("svg") and "MAPK1" in svg
    assert Explanation.model_validate_json((tmp_path / "here" / "explanation.json").read_text()) == found
    assert (tmp_path / "here" / "cascade.png").stat().st_size > 10_000


def test_a_refuted_edge_is_done_without(run: Callable[..., Result], wells: Path) -> None:
    result = run("--perturbation", "trametinib", "--context", "A375", "--data", wells, "--without", "MAPK1 +> RPS6KA1",
                 "--draws", "19", "--json")  # fmt: skip
    found = Explanation.model_validate(json.loads(result.stdout)["explanation"])
    assert found.forbidden == ("MAPK1 +> RPS6KA1",) and "MAPK1 +> RPS6KA1" not in {e.word for e in found.edges}


def test_the_wrong_target_is_not_offered_and_said_in_words(run: Callable[..., Result], wells: Path) -> None:
    result = run("--perturbation", "trametinib", "--context", "A375", "--data", wells, "--target", "JAK2",
                 "--draws", "19")  # fmt: skip
    assert result.exit_code == 0 and "No explanation better than chance" in result.stdout


def test_a_data_set_of_the_users_own_is_found_by_its_name(
    run: Callable[..., Result], wells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CYTOCRUX_WORKSPACE", raising=False)
    space = ("--workspace", str(tmp_path / "elsewhere"))
    added = CliRunner().invoke(app, ["data", "add", str(wells), "--name", "mine", *space])
    assert added.exit_code == 0, added.stderr
    asked = ("--perturbation", "trametinib", "--context", "A375", "--data", "mine", "--draws", "19", "--json")
    result = run(*asked, *space)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["targets"] == {"MAP2K1": -1}
    assert run(*asked).exit_code == 2
    profile = json.loads(run("--compound", "trametinib", "--data", "mine", "--json", *space).stdout)["profile"]
    assert "no data set" not in profile.get("missing", "").lower()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--perturbation", "trametinb", "--context", "A375"), "Did you mean Trametinib"),
        (("--perturbation", "trametinib", "--context", "A357"), "Did you mean A375"),
        (("--perturbation", "trametinib", "--context", "A375", "--dose", "7"), "Measured: 1"),
        (("--perturbation", "trametinib", "--context", "A375", "--network", "omnipth"), "Did you mean omnipath"),
        (("--perturbation", "trametinib", "--context", "A375", "--without", "A to B"), "Write it as"),
        (("--perturbation", "trametinib", "--context", "A375", "--target", "NOPE"), "unknown: NOPE"),
        (("--context", "A375"), "Missing option"),
    ],
)
def test_bad_input_exits_2_with_a_cure(
    run: Callable[..., Result], wells: Path, words: tuple[str, ...], said: str
) -> None:
    result = run(*words, "--data", wells)
    assert result.exit_code == 2 and said in result.stderr

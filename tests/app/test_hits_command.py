"""``cytocrux campaign hits`` as a bench scientist uses it: propose, measure, give back, propose again."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cytocrux.agents.llm.scripted import ScriptedServer, say, status
from cytocrux.app.cli import app

Run = Callable[..., Result]
SETS = {f"KEGG_{n}": [f"{n[0]}{i}" for i in range(12)] for n in ("LYSOSOME", "RIBOSOME", "OLFACTION", "GLYCOLYSIS")}
GENES = [g for genes in SETS.values() for g in genes]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """From a folder that holds pool.csv, with a small data folder."""
    (tmp_path / "data" / "priors").mkdir(parents=True)
    lines = ["\t".join([name, "http", *genes]) for name, genes in SETS.items()]
    (tmp_path / "data" / "priors" / "h.all.v7.5.1.symbols.gmt").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CYTOCRUX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("pool.csv").write_text("gene\n" + "\n".join(GENES) + "\n")
    base = ("campaign", "hits", "--pool", "pool.csv", "--question", "lysosomal storage")
    return lambda *words: CliRunner().invoke(app, [*base, *(str(w) for w in words)])


def test_round_by_round(run: Run) -> None:
    first = run("--batch", 6, "--json")
    assert first.exit_code == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["kind"] == "gene" and told["measured"] == 0 and "lysosome" in told["concepts"]
    assert {p["name"][0] for p in told["proposals"]} == {"L"}
    rows = list(csv.DictReader(Path("hits/next_batch.csv").read_text().splitlines()))
    assert [r["name"] for r in rows] == [p["name"] for p in told["proposals"]]
    assert rows[0]["because_of_the_question"] == "lysosome"
    measured = [f"{r['name']},0.1,0" for r in rows] + [f"G{i},-3.5,1" for i in range(5)]
    Path("measured.csv").write_text("\n".join(["name,score,hit", *measured]) + "\n")
    second = run("--batch", 6, "--measured", "measured.csv", "--json")
    told = json.loads(second.stdout)
    assert told["hits"] == 5 and {p["name"][0] for p in told["proposals"]} == {"G"}
    assert all(n.startswith("G") for n in told["proposals"][0]["neighbours"])
    assert "Because of results" in run("--batch", 6, "--measured", "measured.csv").stdout


def test_against_an_oracle(run: Run) -> None:
    lines = [f"{g},{2.5 if g[0] == 'L' else 0.0}" for g in reversed(GENES)]
    Path("oracle.csv").write_text("\n".join(["gene,score", *lines]) + "\n")
    result = run("--batch", 6, "--rounds", 3, "--oracle", "oracle.csv", "--threshold", 2, "--json")
    told = json.loads(result.stdout)
    assert told["share_found"]["true"] == [0.5, 1.0, 1.0]
    assert Path("hits/curves.png").read_bytes().startswith(b"\x89PNG")
    history = list(csv.DictReader(Path("hits/history.csv").read_text().splitlines()))
    assert len(history) == 18 and sum(int(r["hit"]) for r in history) == 12


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--measured", "absent.csv"), "no such file"),
        (("--measured", "bad.csv"), "Unknown member of the pool 'LX1'"),
        (("--side", "left"), "Use both, up or down"),
        (("--kind", "cat"), "Use auto, gene or compound"),
        (("--policy", "guess"), "Unknown policy"),
        (("--measured", "bad.csv", "--oracle", "bad.csv"), "Give one of them"),
    ],
)
def test_bad_input_exits_with_2_and_the_cure(run: Run, words: tuple[str, ...], said: str) -> None:
    Path("bad.csv").write_text("name,score,hit\nLX1,1,1\n")
    result = run(*words)
    assert result.exit_code == 2 and said in result.stderr
    assert not Path("hits/next_batch.csv").exists()


def test_without_prior_knowledge_it_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CYTOCRUX_DATA_DIR")
    result = run()
    assert result.exit_code != 0 and "CYTOCRUX_DATA_DIR" in result.stderr


def measured(names: list[str], score: Callable[[str], float]) -> None:
    lines = [f"{g},{score(g)}" for g in names]
    Path("measured.csv").write_text("\n".join(["name,score", *lines]) + "\n")


def test_claims_are_registered_with_the_batch_and_judged_by_its_results(run: Run) -> None:
    """L genes truly score 3, all others 0: claims about the former hold, about the latter fall."""
    terms = ("--batch", 8, "--threshold", 1, "--noise-sd", 0.2, "--side", "up", "--json")
    first = json.loads(run(*terms).stdout)
    assert first["staked"] == 8 and first["judged"] == {}
    batch = [p["name"] for p in first["proposals"]]
    assert json.loads(run(*terms).stdout)["staked"] == 0  # asking again stakes nothing twice
    measured([*batch, "R1", "R2", "G3"], lambda g: 3.0 if g in batch[:6] else 0.0)
    second = json.loads(run(*terms, "--measured", "measured.csv").stdout)
    assert second["judged"] == {"corroborated": 6, "falsified": 2} and second["staked"] == 8
    again = json.loads(run(*terms, "--measured", "measured.csv").stdout)
    assert again["judged"] == {"corroborated": 6, "falsified": 2, "registered": 8}
    check = CliRunner().invoke(app, ["claims", "verify", "--json"])
    assert json.loads(check.stdout)["ok"]
    listed = json.loads(CliRunner().invoke(app, ["claims", "list", "--status", "falsified", "--json"]).stdout)["claims"]
    assert {c["sentence"].split()[1] for c in listed} == set(batch[6:])


def test_nothing_is_staked_while_no_direction_is_known(run: Run) -> None:
    terms = ("--batch", 4, "--threshold", 1, "--noise-sd", 0.2, "--json")
    assert json.loads(run(*terms).stdout)["staked"] == 0
    measured([f"G{i}" for i in range(6)], lambda g: -2.0)
    told = json.loads(run(*terms, "--measured", "measured.csv").stdout)
    assert told["staked"] == 4
    assert "lowers the score by 1 or more" in CliRunner().invoke(app, ["claims", "list", "--json"]).stdout


def test_claims_without_a_threshold_are_refused(run: Run) -> None:
    assert run("--noise-sd", 0.2).exit_code == 2


def test_a_finished_screen_through_the_lab_and_again(run: Run) -> None:
    lines = [f"{g},{2.5 if g[0] == 'L' else 0.0}" for g in reversed(GENES)]
    Path("oracle.csv").write_text("\n".join(["gene,score", *lines]) + "\n")
    terms = ("--batch", 6, "--oracle", "oracle.csv", "--threshold", 2, "--noise-sd", 0.2, "--side", "up")
    first = json.loads(run(*terms, "--rounds", 1, "--json").stdout)
    assert first["found"] == [6] and first["claims"] == {"corroborated": 6}
    again = json.loads(run(*terms, "--rounds", 3, "--json").stdout)
    assert again["found"] == [6, 6, 0] and again["claims"] == {"corroborated": 12, "falsified": 6}
    assert "goes on from the ledger" in run(*terms, "--rounds", 3).stdout
    check = CliRunner().invoke(app, ["claims", "verify", "--json"])
    assert json.loads(check.stdout)["ok"]


def test_a_language_model_may_add_words_and_is_asked_once(run: Run) -> None:
    with ScriptedServer([say(json.dumps({"concepts": ["glycolysis"]}))]) as server:
        words = ("--batch", 24, "--llm", server.url, "--model", "m", "--json")
        told = json.loads(run(*words).stdout)
        assert "glycolysis" in told["concepts"] and "G" in {p["name"][0] for p in told["proposals"]}
        again = json.loads(run(*words).stdout)
        assert again["proposals"] == told["proposals"] and len(server.requests) == 1
    assert run("--llm", "http://localhost:1").exit_code == 2


def test_without_the_model_the_question_stands(run: Run) -> None:
    with ScriptedServer([status(400)]) as server:
        told = json.loads(run("--batch", 6, "--llm", server.url, "--model", "m", "--json").stdout)
    assert {p["name"][0] for p in told["proposals"]} == {"L"}

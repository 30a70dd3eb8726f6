"""The command line: what it lists, how it fails, what it prints. Driven as a user does, through typer's runner."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cytocrux.app.cli import app
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.status import replay

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command line from an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CYTOCRUX_WORKSPACE", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


def error_of(result: Result) -> dict[str, Any]:
    """The JSON error on stderr."""
    told: dict[str, Any] = json.loads(result.stderr)
    return told


def test_help_lists_the_commands_and_only_those_that_exist(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.stdout.split("Commands:")[1].splitlines() if line.startswith("  ")]
    assert {"ask", "review", "campaign", "claims", "data", "doctor"} <= set(names)
    for name in names[:-1]:
        assert run(name, "--help").exit_code == 0
    assert run().stdout == result.stdout
    assert "not medical advice" in result.stdout


def test_every_command_takes_workspace_and_json() -> None:
    def leaves(command: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
        below = getattr(command, "commands", {})
        return [leaf for n, c in below.items() for leaf in leaves(c, (*path, n))] or [(path, command)]

    from typer.main import get_command

    found = leaves(get_command(app), ())
    assert len(found) >= 14
    for path, command in found:
        options = {o for p in command.params for o in p.opts}
        assert {"--workspace", "--json"} <= options, " ".join(path)


def test_the_version_is_the_package_version(run: Run) -> None:
    import cytocrux

    assert run("--version").stdout.strip() == f"cytocrux {cytocrux.__version__}"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["ask", ""], "The question is empty"),
        (["ask", "Why?", "--budget", "wells=many"], "budget"),
        (["ask", "Why?", "--budget", "tea=3"], "Unknown budget 'tea'"),
        (["ask", "Why?", "--llm", "http://127.0.0.1:1/v1"], "--llm is given without --model"),
        (["ask", "Why?", "--model", "m"], "--model is given without --llm"),
        (["ask", "Why?", "--auto-approve", "everything"], "Unknown approval policy 'everything'"),
        (["ask", "Why?", "--patient", "nobody.csv"], "nobody.csv"),
        (["ask", "Why?", "--seed", "-1"], "--seed"),
        (["campaign", "start", "nowhere.yaml"], "nowhere.yaml"),
        (["campaign", "status"], "There is no ledger"),
        (["review", "K1", "--approve", "--reject", "no"], "--approve and --reject exclude each other"),
        (["review", "K1", "--reject", "  "], "A rejection needs its reason"),
        (["claims", "list"], "There is no ledger"),
        (["claims", "verify"], "There is no ledger"),
        (["claims", "list", "--status", "falsfied"], "Unknown status 'falsfied'"),
        (["data", "info", "gdcs"], "Unknown data set 'gdcs'"),
        (["data", "fetch", "nothing-like-it"], "Unknown data set"),
        (["brew"], "No such command 'brew'"),
        (["ask"], "Missing argument"),
        (["claims", "list", "--colour"], "No such option: --colour"),
    ],
)
def test_bad_input_is_named_with_its_cure_and_exits_2(run: Run, words: list[str], what: str) -> None:
    text = run(*words)
    assert text.exit_code == 2
    assert text.stdout == ""
    assert text.stderr.startswith("Error: ") and what in text.stderr
    assert "  Do:  " in text.stderr or "  Why: " in text.stderr
    assert "Traceback" not in text.stderr

    told = run(*words, "--json")
    assert told.exit_code == 2 and told.stdout == ""
    assert what in error_of(told)["what"] + error_of(told)["why"]
    assert error_of(told)["exit"] == 2
    assert not Path("cytocrux-workspace").exists(), "bad input must leave no trace"


def test_near_names_are_offered(run: Run) -> None:
    assert "Did you mean falsified" in run("claims", "list", "--status", "falsfied").stderr
    assert "Did you mean gdsc" in run("data", "info", "gdcs").stderr


def test_an_unexpected_error_keeps_its_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from cytocrux.world_model.data import registry

    def broken() -> dict[str, Any]:
        raise ZeroDivisionError("the ink ran out\nand more")

    monkeypatch.setattr(registry, "entries", broken)
    result = run("data", "list", "--workspace", "here")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "Error: Unexpected ZeroDivisionError: the ink ran out."
    assert "Traceback" not in result.stderr
    (log,) = Path("here/logs").iterdir()
    assert "ZeroDivisionError: the ink ran out" in log.read_text(encoding="utf-8") and str(log) in result.stderr


def test_claims_are_listed_shown_and_asked_what_if(run: Run, finished: Path) -> None:
    where = ("--workspace", finished)
    listed = run("claims", "list", *where, "--json")
    claims = {c["id"]: c for c in json.loads(listed.stdout)["claims"]}
    with Ledger.open(finished) as ledger:
        states = replay(ledger.events())
    assert {i: c["status"] for i, c in claims.items()} == {i: s.status for i, s in states.items()}
    assert len(json.loads(run("claims", "list", *where, "--status", "falsified", "--json").stdout)["claims"]) == 1
    assert json.loads(run("claims", "list", *where, "--campaign", "Kother", "--json").stdout)["claims"] == []

    ibrutinib = next(c for c in claims.values() if "Ibrutinib" in c["sentence"])
    shown = run("claims", "show", ibrutinib["id"][:8], *where)
    assert shown.exit_code == 0 and ibrutinib["sentence"] in shown.stdout and "corroborated" in shown.stdout
    words = [w for seq in ibrutinib["evidence_at"][-2:] for w in ("--without", seq)]
    asked = json.loads(run("claims", "show", ibrutinib["id"], *where, *words, "--json").stdout)
    assert asked["status"] == "corroborated" and len(asked["what_if"]["wells"]) == 2
    assert asked["what_if"]["e_for"] < asked["e_for"]
    refused = run("claims", "show", ibrutinib["id"], *where, "--without", "1")
    assert refused.exit_code == 2 and "Entry 1 is no evidence" in refused.stderr
    assert run("claims", "show", "C", *where).exit_code == 2


def test_verify_names_the_entry_that_was_changed(run: Run, workspace: Path) -> None:
    whole = run("claims", "verify", "--workspace", workspace, "--json")
    assert whole.exit_code == 0 and json.loads(whole.stdout)["ok"] is True
    with Ledger.open(workspace) as ledger:
        seq = next(e.seq for e in ledger.events(kind="experiment_decided"))
    database = workspace / "ledger.db"
    content = bytearray(database.read_bytes())
    content[content.find(b"fits the budget")] ^= 1
    database.write_bytes(bytes(content))
    damaged = run("claims", "verify", "--workspace", workspace)
    assert damaged.exit_code == 3 and f"entry {seq}" in damaged.stderr
    told = run("claims", "verify", "--workspace", workspace, "--json")
    assert told.exit_code == 3 and json.loads(told.stdout)["first_bad"] == seq


def test_status_and_report_of_a_finished_campaign(run: Run, workspace: Path) -> None:
    told = json.loads(run("campaign", "status", "--workspace", workspace, "--json").stdout)
    (campaign,) = told["campaigns"]
    assert (campaign["campaign"], campaign["state"], campaign["wells_spent"]) == ("Kpanel", "done", 12)
    assert "Kpanel" in run("campaign", "status", "--workspace", workspace).stdout
    result = run("campaign", "report", "Kpanel", "--workspace", workspace, "--out", "there", "--json")
    assert json.loads(result.stdout)["report"] == str(Path("there/report.html"))
    assert Path("there/report.html").is_file() and Path("there/report.json").is_file()


def test_a_person_sees_and_decides_a_waiting_experiment(run: Run, waiting: Path) -> None:
    where = ("--workspace", waiting)
    shown = run("review", "Kopen", *where)
    assert "2 wells" in shown.stdout and "Venetoclax" in shown.stdout
    pending = json.loads(run("review", "Kopen", *where, "--json").stdout)["pending"]
    edit = Path("edit.json")
    design = pending[0]["design"]
    edit.write_text(json.dumps({**design, "cycle": 9}), encoding="utf-8")
    assert run("review", "Kopen", *where, "--edit", edit).exit_code == 2
    assert run("review", "Kopen", *where, "--edit", "nowhere.json").exit_code == 2

    decided = run("review", "Kopen", *where, "--reject", "wrong dose", "--by", "Ada")
    assert decided.exit_code == 0 and "rejected by Ada" in decided.stdout
    with Ledger.open(waiting) as ledger:
        (event,) = ledger.events(kind="experiment_decided")
    assert event.payload["decision"] == "reject" and "Ada" in event.payload["by"]
    assert event.payload["design_hash"] == pending[0]["hash"]
    assert event.payload["reason"] == "wrong dose"
    again = run("review", "Kopen", *where, "--approve")
    assert again.exit_code == 2
    assert "Nothing waits" in run("review", "Kopen", *where).stdout


def test_the_data_registry_shows_licence_and_citation(run: Run) -> None:
    told = json.loads(run("data", "list", "--json").stdout)["data"]
    assert {"gdsc", "simulated"} <= {d["name"] for d in told}
    assert all(d["licence"] and d["citation"] for d in told)


def test_doctor_says_what_to_do(run: Run, tmp_path: Path) -> None:
    good = json.loads(run("doctor", "--json").stdout)
    assert good["ok"] is True
    bad = run("doctor", "--llm", "http://127.0.0.1:9/v1", "--json")
    assert bad.exit_code == 1
    model = next(f for f in json.loads(bad.stdout)["findings"] if f["name"] == "language model")
    assert model["state"] == "fail" and model["cure"]
    (tmp_path / "file").write_text("x", encoding="utf-8")
    blocked = json.loads(run("doctor", "--workspace", tmp_path / "file" / "w", "--json").stdout)
    assert next(f for f in blocked["findings"] if f["name"] == "workspace")["state"] == "fail"


def test_the_command_line_starts_without_heavy_imports() -> None:
    heavy = "torch numpy pandas anndata scipy sklearn rdkit chromadb langgraph openai matplotlib sqlalchemy pydantic"
    code = f"import sys, cytocrux, cytocrux.app.cli; print([m for m in {heavy.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_those_of_all_and_each_resolves() -> None:
    import cytocrux

    assert sorted(cytocrux.__all__) == sorted(dir(cytocrux))
    for name in cytocrux.__all__:
        assert getattr(cytocrux, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = cytocrux.nonsense


def test_claims_that_hold_at_a_false_discovery_rate(run: Run, finished: Path) -> None:
    where = ("--workspace", finished, "--json")
    held = json.loads(run("claims", "list", *where, "--fdr", "0.1").stdout)["claims"]
    with Ledger.open(finished) as ledger:
        states = list(replay(ledger.events()).values())
    e = sorted((s.e_path[-1][1] if s.e_path else 1.0 for s in states), reverse=True)
    k = max(i + 1 for i, value in enumerate(e) if value >= len(e) / (0.1 * (i + 1)))
    assert len(held) == k == 2
    assert run("claims", "list", *where, "--fdr", "7").exit_code == 2


def test_eval_shows_figures_and_fails_where_a_bar_is_missed(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from cytocrux.evals import panel
    from cytocrux.evals.results import Result as Figure

    figures = [Figure(name="hit_rate", value=0.4, sd=0.1, n=40, baselines={"random": 0.2}, bar="> random", passed=True)]
    monkeypatch.setattr(panel, "run", lambda *, fast, data_dir: figures)
    good = run("eval", "panel", "--fast", "--json", tmp_path / "out.json")
    assert good.exit_code == 0 and "hit_rate" in good.stdout and "random 0.2" in good.stdout
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["results"][0]["value"] == 0.4
    figures.append(Figure(name="missed", value=None, passed=False))
    assert run("eval", "panel", "--json", "-").exit_code == 1
    assert run("eval", "pannel").exit_code == 2
    assert run("eval", "panel", "--json", "no/such/folder.json").exit_code == 2


def test_claims_are_found_by_their_words(run: Run, workspace: Path) -> None:
    hits = json.loads(
        run("claims", "search", "lines sensitive to ibrutinib", "--workspace", workspace, "--json").stdout
    )
    best = hits["hits"][0]
    assert "Ibrutinib" in best["text"] and best["status"] == "corroborated"
    assert run("claims", "search", " ", "--workspace", workspace).exit_code == 2
    assert "Ibrutinib" in run("claims", "search", "ibrutinib", "--most", "1", "--workspace", workspace).stdout


def test_control_characters_do_not_reach_the_terminal(run: Run) -> None:
    result = run("data", "info", "a\x1b[31mred\x07")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr and "\x07" not in result.stderr and "[31mred" in result.stderr

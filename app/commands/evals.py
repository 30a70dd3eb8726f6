"""``cytocrux eval``: benchmarks with their baselines and bars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from ...evals.results import Suite

# suite -> modules of ``evals``, each with ``run(*, fast: bool, data_dir: Path | None) -> list[Result]``
SUITES: dict[str, tuple[str, ...]] = {
    "panel": ("panel",),
    "falsify": ("falsify", "falsify_real", "ledger_bench"),
    "predict": ("predict",),
    "neural": ("predict_neural",),
    "explain": ("explain",),
    "peers": ("predict_peers",),
    "discover": ("discover",),
    "minds": ("minds",),
    "local-model": ("minds_local",),
}

MOST = 4  # baselines shown a figure


def evaluate(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help=f"One of: {', '.join(SUITES)}.")],
    fast: Annotated[bool, typer.Option("--fast", help="A smaller run: minutes, wider intervals.")] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Also write the figures as JSON; - for standard output."),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Run a benchmark and show its figures beside their bars.

    Exit 1 where a bar is missed.
    """
    import importlib

    from ...evals import results
    from ...world_model.data.fetch import data_dir
    from ...world_model.errors import BadInput, UnknownName

    if suite not in SUITES:
        raise UnknownName(suite, kind="suite", known=SUITES)
    to_stdout = json_file is not None and str(json_file) == "-"
    if json_file is not None and not to_stdout and not json_file.absolute().parent.is_dir():
        raise BadInput(
            f"{json_file} cannot be written", why="its folder does not exist", cure="Create the folder first"
        )
    with Progress(quiet=to_stdout) as progress:
        progress(f"running the suite {suite}" + (" (fast)" if fast else ""))
        modules = [importlib.import_module(f"...evals.{name}", __package__) for name in SUITES[suite]]
        figures = [figure for module in modules for figure in module.run(fast=fast, data_dir=data_dir())]
        outcome = results.suite(suite, figures)
    if to_stdout:
        emit(outcome.model_dump(mode="json"))
    else:
        show(outcome)
    if json_file is not None and not to_stdout:
        results.write(outcome, json_file)
        say(f"Written: {json_file}")
    raise typer.Exit(1 if any(r.passed is False for r in outcome.results) else 0)


def show(outcome: Suite) -> None:
    """One row a figure."""
    rows = [
        (r.name, "not measured" if r.value is None else f"{r.value:.4g} {r.unit}".strip(),
         None if r.sd is None else f"{r.sd:.2g}", None if r.n is None else str(r.n),
         baselines(r.baselines), r.bar,
         {True: "yes", False: "NO", None: None}[r.passed])
        for r in outcome.results
    ]  # fmt: skip
    table(("Figure", "Value", "Sd", "n", "Baselines", "Bar", "Passed"), rows, wide=("Baselines", "Bar"))


def baselines(figures: Mapping[str, float | None]) -> str:
    """The first few of them; the JSON file has all."""
    known = [f"{name} {value:.4g}" for name, value in figures.items() if value is not None]
    more = f", and {len(known) - MOST} more" if len(known) > MOST else ""
    return ", ".join(known[:MOST]) + more

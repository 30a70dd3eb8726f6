"""``cytocrux eval discover``: closed loops against plain choosers, one module a question; those present are run."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .results import Result

MODULES = (
    "discover_screens",
    "discover_perturbtrace",
    "discover_wells",
    "discover_truth",
    "discover_design",
    "discover_goals",
)


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Every figure of every module."""
    here = [name for name in MODULES if find_spec(f".{name}", __package__) is not None]
    modules = [import_module(f".{name}", __package__) for name in here]
    return [figure for module in modules for figure in module.run(fast=fast, data_dir=data_dir)]

"""``cytocrux eval discover``: closed loops against plain choosers, one module a question; those present are run."""

from __future__ import annotations

import time
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
    """Every figure of every module, and the processor time each module took."""
    here = [name for name in MODULES if find_spec(f".{name}", __package__) is not None]
    found: list[Result] = []
    for name in here:
        start = time.process_time()
        found += import_module(f".{name}", __package__).run(fast=fast, data_dir=data_dir)
        found.append(Result(name=f"{name}_seconds", value=time.process_time() - start, unit="s of one core"))
    return found

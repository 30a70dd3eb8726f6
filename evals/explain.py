"""``cytocrux eval explain``: mechanisms, targets and molecules, each beside its controls."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from .results import Result

MODULES: tuple[str, ...] = ("explain_cascade", "explain_targets", "explain_molecules")  # run(*, fast, data_dir)


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """All figures. Raises DataUnavailable without the data."""
    return [
        figure
        for name in MODULES
        for figure in import_module(f".{name}", __package__).run(fast=fast, data_dir=data_dir)
    ]

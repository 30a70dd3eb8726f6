"""The one shape of a benchmark's outcome: {"suite", "environment", "results": [...]}."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from pydantic import Field

from ..world_model.vocabulary import Frozen


class Result(Frozen):
    """One figure. ``sd`` is the spread the bar is judged with; None = not measured, never 0.0."""

    name: str
    value: float | None
    sd: float | None = None
    n: int | None = None
    unit: str = ""
    baselines: dict[str, float | None] = Field(default_factory=dict)
    bar: str = ""
    passed: bool | None = None
    note: str = ""


class Suite(Frozen):
    """All figures of one run, with where they were taken."""

    suite: str
    environment: dict[str, str]
    results: tuple[Result, ...]


def suite(name: str, results: Sequence[Result]) -> Suite:
    """Bundle figures with the versions and processor they were taken on."""
    packages = {p: version(p) for p in ("cytocrux", "torch", "numpy", "scipy")}
    where = {"python": platform.python_version(), "machine": platform.machine(), **packages}
    return Suite(suite=name, environment=where, results=tuple(results))


def write(outcome: Suite, path: Path) -> None:
    """Write the suite as JSON."""
    path.write_text(outcome.model_dump_json(indent=2) + "\n", encoding="utf-8")

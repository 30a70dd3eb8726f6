"""``cytocrux eval explain``: mechanisms, targets and molecules, each beside its controls.

One part after another; seconds of each are said on stderr and stand in the last figure. A part whose data or packages
are not here is "not measured", with the reason.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

from ..world_model.errors import DataUnavailable
from .results import Result

# each with ``parts(*, fast, data_dir) -> dict[str, Callable[[], list[Result]]]``
MODULES: tuple[str, ...] = ("explain_network", "explain_cascade", "explain_targets", "explain_molecules")


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """All figures."""
    found: list[Result] = []
    seconds: dict[str, float | None] = {}
    for module in MODULES:
        for name, measure in import_module(f".{module}", __package__).parts(fast=fast, data_dir=data_dir).items():
            start = time.perf_counter()
            try:
                found += measure()
            except DataUnavailable as error:
                found.append(Result(name=name, value=None, note=f"not measured: {error}"))
            seconds[name] = time.perf_counter() - start
            sys.stderr.write(f"{seconds[name]:8.1f} s  {name}\n")
    total = sum(s or 0.0 for s in seconds.values())
    return [*found, Result(name="explain_seconds", value=total, unit="s", baselines=seconds, note="wall time by part")]

"""Learning from new wells without refitting: how much faster, and how far from a refit with the same parameters."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from .results import Result
from .scores import figure

T = TypeVar("T")
ROWS, NEW, READOUTS = 2000, 10, 10


def run(*, fast: bool = False) -> list[Result]:
    """2,000 simulated conditions (fast: 400) and 10 new ones, ten readouts."""
    import pandas as pd

    from ..world_model.cell import VirtualCell
    from ..world_model.conditioncell import ConditionCell
    from ..world_model.data.conditions import ConditionTable
    from ..world_model.rows import tidy

    rng, rows = np.random.default_rng(0), 400 if fast else ROWS
    lines, drugs, doses = 8, rows // 80, np.logspace(-2, 1, 10)
    grid = [(f"L{i}", f"d{j}", float(x), 24.0) for i in range(lines) for j in range(drugs) for x in doses]
    conditions = pd.DataFrame(grid, columns=["context", "perturbation", "dose", "time_h"]).assign(kind="compound")
    effect, strength = rng.normal(size=(drugs, READOUTS)), rng.uniform(0.5, 1.5, lines)
    clean = np.array([strength[int(c[1:])] * effect[int(p[1:])] * x / (x + 0.3) for c, p, x, _ in grid])
    delta, se = clean + 0.1 * rng.normal(size=clean.shape), np.full(clean.shape, 0.1)
    wells = tuple((f"w{i}",) for i in range(len(grid)))
    names = tuple(f"r{i}" for i in range(READOUTS))
    table = ConditionTable(conditions, delta, se, np.full(clean.shape, 3), names, wells)
    order = rng.permutation(len(grid))
    old, new = table.subset(np.sort(order[NEW:])), table.subset(order[:NEW])
    cell = VirtualCell.fit(old)
    whole, refit_s = _timed(lambda: VirtualCell.fit(table))
    after, update_s = _timed(lambda: cell.update(new))
    engine, start = after.engine, cell.engine
    if not isinstance(engine, ConditionCell) or not isinstance(start, ConditionCell):
        raise TypeError("conditions with doses are served by the condition engine")
    kept = {name: r.kept for name, r in engine.residuals.items()}
    again, rebuild_s = _timed(
        lambda: ConditionCell.restore(
            after.rows, engine.priors, start.parameters, kept, start.trust, seed=start.seed, device=start.device
        )
    )
    asked = tidy(conditions.iloc[::7])
    a, b = engine.answer(asked, None), again.answer(asked, None)
    worst = float(np.max(np.abs(a.mean - b.mean) / b.epistemic))
    speed = refit_s / update_s
    return [
        figure("update_speedup", [speed], unit="x", bar=">= 10", passed=speed >= 10,
               note=f"{len(whole.rows)} conditions: refit {refit_s:.2f} s, update {update_s:.3f} s; factors alone "
               f"{rebuild_s:.2f} s"),
        figure("update_max_diff", [worst], unit="sd", bar="< 0.001", passed=worst < 1e-3,
               note="update against a rebuild with the same parameters on all rows"),
    ]  # fmt: skip


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What ``work`` gives, and its processor time (a busy machine does not change it)."""
    start = time.process_time()
    return work(), time.process_time() - start

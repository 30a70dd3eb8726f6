"""How the cell grows: fit time and memory against the number of conditions, and screening without holding the screen.

Each fit and each screen runs in a process of its own, so that its peak memory is its own; times are of one core's work
(processor time), so that a busy machine does not change them.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .results import Result
from .scores import figure

if TYPE_CHECKING:
    from ..world_model.data.conditions import ConditionTable

T = TypeVar("T")
SIZES, FAST_SIZES = (250, 500, 1000, 2000, 4000, 8000, 16_000), (250, 1000)
MOST_GB = 24.0
SCREENS, FAST_SCREENS = (1_000, 10_000, 300_000), (1_000, 4_000)
CONTEXTS, DOSES = ("c0", "c1", "c2"), (0.03, 0.1, 0.3, 1.0, 3.0)
READOUTS, SCREEN_READOUTS, SCREEN_ROWS, RANK = 100, 1000, 1500, 10


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Simulated screens: 250 to 16,000 conditions of 100 readouts; 20,000 x 3 x 5 queries of 1,000 readouts.

    About 15 minutes on one core; fast: two sizes of each.
    """
    return [*_growth(FAST_SIZES if fast else SIZES), *_screens(FAST_SCREENS if fast else SCREENS)]


def simulated(n: int, readouts: int, *, contexts: int = 8, doses: int = 5, seed: int = 0) -> ConditionTable:
    """n conditions: effects of low rank over an embedding, strength by context, saturation in dose, noise of sd 0.2."""
    import pandas as pd

    from ..world_model.data.conditions import ConditionTable

    rng = np.random.default_rng(seed)
    drugs, levels = -(-n // (contexts * doses)), np.logspace(-1.5, 0.5, doses)
    drug, context, dose = (v.ravel()[:n] for v in np.indices((drugs, contexts, doses)))
    effect = rng.normal(size=(drugs, 12)) @ rng.normal(size=(12, readouts)) / 12**0.5
    strength = rng.uniform(0.5, 1.5, (contexts, 1))
    clean = strength[context] * effect[drug] * (levels / (levels + 0.3))[dose][:, None]
    delta = clean + 0.2 * rng.normal(size=clean.shape)
    conditions = pd.DataFrame(
        {"context": [f"c{c}" for c in context], "perturbation": [f"d{d}" for d in drug], "kind": "compound",
         "dose": levels[dose], "time_h": 24.0}
    )  # fmt: skip
    wells = tuple((f"w{i}",) for i in range(n))
    names = tuple(f"r{j}" for j in range(readouts))
    return ConditionTable(conditions, delta, np.full(delta.shape, 0.2), np.full(delta.shape, 3), names, wells)


def memory_gb(field: str = "VmHWM") -> float:
    """Peak memory of this process; "VmRSS": what it holds now. Linux: from its own status, because getrusage's peak
    is inherited from the process that started it; elsewhere that peak is all there is."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(text for text in status.read_text(encoding="utf-8").splitlines() if text.startswith(field))
        return int(line.split()[1]) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak / 1e6


def alone(work: Callable[..., T], *arguments: object) -> T:
    """``work`` in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


# --- growth ---


def _fit(n: int) -> tuple[float, float, float]:
    """Core seconds, peak GB, and error of held-out conditions (rms over the sd of the truth's noise)."""
    from ..world_model.cell import VirtualCell

    table = simulated(n, READOUTS)
    held = np.random.default_rng(1).permutation(n)[: max(n // 50, 20)]
    kept = np.setdiff1d(np.arange(n), held)
    train, test = table.subset(kept), table.subset(held)
    start = time.process_time()
    cell = VirtualCell.fit(train)
    seconds = time.process_time() - start
    wrong = cell.predict(test.conditions).mean - test.delta
    return seconds, memory_gb(), float(np.sqrt(np.mean(wrong**2)) / 0.2)


def _growth(sizes: tuple[int, ...]) -> list[Result]:
    found = [alone(_fit, n) for n in sizes]
    curve = [
        figure(f"fit_s_{n}", [s], unit="core s", baselines={"GB": [gb], "rmse of held-out in sd of the noise": [e]})
        for n, (s, gb, e) in zip(sizes, found, strict=True)
    ]
    peak = max(gb for _, gb, _ in found)
    note = f"{sizes[-1]} conditions x {READOUTS} readouts"
    return [*curve, figure(f"fit_gb_{sizes[-1]}", [peak], unit="GB", bar=f"< {MOST_GB:g}", passed=peak < MOST_GB,
                           note=note)]  # fmt: skip


# --- screening ---


def _screen(queries: int, single: bool) -> tuple[float, float]:
    """Core seconds a query and the most GB held between blocks: ``queries`` conditions predicted block by block."""
    import torch

    from ..world_model.cell import VirtualCell
    from ..world_model.rows import grid

    torch.set_num_threads(1)
    cell = VirtualCell.fit(simulated(SCREEN_ROWS, SCREEN_READOUTS, contexts=3))
    names = [f"d{i}" for i in range(queries // (len(CONTEXTS) * len(DOSES)))]
    for block in cell.screen(next(grid(CONTEXTS, names, DOSES, (24.0,))), single=single):
        block.mean.sum()  # caches
    start, total, held = time.process_time(), 0, 0.0
    for block in cell.screen(grid(CONTEXTS, names, DOSES, (24.0,)), single=single):
        total += len(block.mean)
        held = max(held, memory_gb("VmRSS"))
    return (time.process_time() - start) / total, held


def _linear(queries: int) -> float:
    """Core seconds a query of the linear model Y = G W P' + b (Ahlmann-Eltze 2025, doi:10.1038/s41592-025-02772-6).

    G: readouts x ten principal components, P: perturbations x the same; one ridge, no context, dose or interval.
    """
    rng = np.random.default_rng(0)
    g, w, b = rng.normal(size=(SCREEN_READOUTS, RANK)), rng.normal(size=(RANK, RANK)), rng.normal(size=SCREEN_READOUTS)
    start = time.process_time()
    for first in range(0, queries, 1024):
        p = rng.normal(size=(min(1024, queries - first), RANK))
        (p @ w @ g.T + b).sum()
    return (time.process_time() - start) / queries


def _screens(sizes: tuple[int, ...]) -> list[Result]:
    found = [alone(_screen, n, True) for n in sizes]
    seconds, _ = found[-1]
    double, _ = alone(_screen, sizes[0], False)
    grown = found[-1][1] / found[0][1]
    notes = "; ".join(f"{n} queries: {gb:.2f} GB" for n, (_, gb) in zip(sizes, found, strict=True))
    return [
        figure("screen_per_s", [1 / seconds], unit="conditions/s on one core",
               baselines={"linear model": [1 / alone(_linear, sizes[-1])], "double precision": [1 / double]},
               note=f"{sizes[-1]} queries of {SCREEN_READOUTS} readouts with intervals, {SCREEN_ROWS} training "
               f"conditions; the linear model gives means only, without context and dose"),
        figure("screen_memory_growth", [grown], unit="x", bar="< 1.2", passed=grown < 1.2, note=notes),
    ]  # fmt: skip

"""How fast a batch is designed: 384 wells out of 20,000 bundles, laid out on plates; and one closed-loop round.

A bundle is a treated arm of 2 to 8 wells with one of 60 shared controls and one of 500 perturbations; worth is drawn at
random. ``design_share`` is the batch's worth over the bound that no batch can pass. The round is choose, design,
run, analyse and learn on the hidden kinetic cell with the race's own pool (``discover_truth``).
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ..agents.acquire import EPower
from ..agents.batches import Item, choose_batch
from ..knowledge.claims import ArmRequest
from ..tools.lab.plates import lay_out
from ..world_model.vocabulary import Arm, Perturbation
from .discover_truth import one
from .results import Result

BUNDLES, WELLS, CONTROLS, PERTURBATIONS = 20_000, 384, 60, 500


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Three draws (fast: one); the data kit is not needed."""
    seconds, shares, rounds = [], [], []
    for seed in range(1 if fast else 3):
        rng = np.random.default_rng(seed)
        items, wells_of = bundles(rng)
        start = time.perf_counter()
        batch = choose_batch(items, wells_of, WELLS, repeat=0.5)
        layout = lay_out(_requests(items, wells_of, batch.chosen), wells=384, seed=seed)
        seconds.append(time.perf_counter() - start)
        shares.append(batch.worth / batch.bound)
        assert len(layout.places) == batch.wells
        start = time.perf_counter()
        trace = one(2000 + seed, EPower())
        rounds.append((time.perf_counter() - start) / trace.rounds)
    return [
        _timed("design_seconds_384", seconds, 5.0, "s for 384 wells of 20,000 bundles, plates laid out"),
        Result(name="design_share", value=float(np.mean(shares)), n=len(shares), unit="of the upper bound"),
        _timed("round_seconds", rounds, 10.0, "s a closed-loop round of 24 wells"),
    ]


def bundles(rng: np.random.Generator) -> tuple[list[Item], dict[str, int]]:
    """20,000 bundles and the wells of their shared controls."""
    worth, own = rng.exponential(size=BUNDLES), rng.integers(2, 9, BUNDLES)
    control, family = rng.integers(CONTROLS, size=BUNDLES), rng.integers(PERTURBATIONS, size=BUNDLES)
    rows = zip(worth, own, control, family, strict=True)
    items = [Item(float(w), int(n), (f"c{c}",), family=f"f{f}") for w, n, c, f in rows]
    return items, {f"c{c}": 8 for c in range(CONTROLS)}


def _requests(items: list[Item], wells_of: dict[str, int], chosen: tuple[int, ...]) -> list[ArmRequest]:
    """Arms of the batch: each control at a time of its own, its bundles at the same time."""
    found: list[ArmRequest] = []
    for name in sorted({s for i in chosen for s in items[i].shared}):
        found.append(ArmRequest(arm=Arm(context="L", time_h=float(name[1:])), n=wells_of[name]))
    for i in chosen:
        item = items[i]
        cut = Perturbation(kind="compound", name=f"{item.family}-{i}", dose=1.0)
        arm = Arm(context="L", perturbations=(cut,), time_h=float(item.shared[0][1:]))
        found.append(ArmRequest(arm=arm, n=item.own))
    return found


def _timed(name: str, seconds: list[float], most: float, unit: str) -> Result:
    value = float(np.mean(seconds))
    spread = float(np.std(seconds, ddof=1)) if len(seconds) > 1 else None
    return Result(
        name=name, value=value, sd=spread, n=len(seconds), unit=unit, bar=f"< {most:g}", passed=max(seconds) < most
    )

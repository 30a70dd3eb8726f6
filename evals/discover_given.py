"""``wells_to_verdict_given``: fifty GIVEN claims, wells until nine in ten of those that can be settled are.

The other literal reading of "wells needed to settle 50 claims". ``discover_wells`` lets any 50 of a larger pool settle,
so a policy gains by which claims it takes; here the claims are given and it gains only by where further wells go.
Settled at all: all wells of its arms together bring the claim past 1 / alpha. Uniform replicates = the same wells for
every claim to the end (the best of several first looks); "stopping" leaves settled claims out. Bets, verdict
rule, controls and feedback arms are those of ``discover_wells``; worked out on seeds >= 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..agents.acquire import EPower, Policy, Simple, Uniform
from ..agents.staking import ALPHA
from ..knowledge.evalues import e_threshold
from .discover_pools import Pool
from .race import FEWEST, Feedback, Trace, race, race_look
from .results import Result

GIVEN, SHARES, PER_ROUND = 50, (0.9, 1.0), 12
OURS = EPower().name
MOST = 4  # replicates that a uniform design may start with


def uniforms(pool: Pool) -> list[Policy]:
    """Uniform designs: first looks of the fewest wells at which the pool's test can speak, and more, up to four."""
    fewest = FEWEST[pool.candidates[0].prediction.variance]
    return [Uniform(f"uniform x{n}", (n,)) for n in range(fewest, MOST + 1)]


def measure(name: str, pools: Iterable[tuple[int, Pool]]) -> list[Result]:
    """All arms of the comparison on each seed's fifty claims; two figures: wells, and their ratio to uniform."""
    wells: dict[str, list[list[int]]] = {}
    traces: list[Trace] = []
    known: list[int] = []
    for seed, pool in pools:
        able = settleable(pool)
        known.append(able)
        goals = [math.ceil(share * able) for share in SHARES]
        for label, trace in _races(pool, seed):
            wells.setdefault(label, []).append([trace.wells_for(g) for g in goals])
            if label == OURS:
                traces.append(trace)
    return _figures(name, {k: np.array(v, float) for k, v in wells.items()}, traces, known)


def settleable(pool: Pool) -> int:
    """Claims that have a verdict once every well of every arm is read, as one look."""
    again = pool.fresh()
    arms = {a.key(): a for c in again.candidates for a in c.claim.contrast.arms}
    race_look(again.candidates, again.draw([(a, again.left(a)) for a in arms.values()]), set(arms))
    return sum(c.verdict != 0 for c in again.candidates)


def _races(pool: Pool, seed: int) -> Iterable[tuple[str, Trace]]:
    def run(policy: Policy, *, feedback: Feedback = "true", stopping: bool = True) -> Trace:
        rng, again = np.random.default_rng([seed, 9]), pool.fresh()
        return race(
            again.candidates, again, policy, rng=rng, per_round=PER_ROUND, classes=pool.classes,
            feedback=feedback, stopping=stopping,
        )  # fmt: skip

    yield OURS, run(EPower())
    for policy in uniforms(pool):
        yield policy.name, run(policy, stopping=False)
        yield f"{policy.name}, stopping", run(policy)
    yield from ((n, run(Simple(n))) for n in ("uncertainty", "ucb", "random"))
    yield f"{OURS}, permuted feedback", run(EPower(), feedback="permuted")
    yield f"{OURS}, none feedback", run(EPower(), feedback="none")


def _figures(name: str, wells: dict[str, np.ndarray], traces: list[Trace], able: list[int]) -> list[Result]:
    main = {n: w[:, 0] for n, w in wells.items()}
    ours = main.pop(OURS)
    designs = [n for n in main if n.startswith("uniform") and not n.endswith("stopping")]
    uniform = min(designs, key=lambda n: main[n].mean())
    whole = min(designs, key=lambda n: wells[n][:, 1].mean())
    draws = np.random.default_rng(0).integers(len(ours), size=(2000, len(ours)))
    spread = float(np.std(ours[draws].mean(1) / main[uniform][draws].mean(1)))
    ratio = float(ours.mean() / main[uniform].mean())
    all_ratio = float(wells[OURS][:, 1].mean() / wells[whole][:, 1].mean())
    settled, wrong = sum(t.settled for t in traces), sum(t.wrong for t in traces)
    means: dict[str, float | None] = {n: float(w.mean()) for n, w in main.items()}
    return [
        Result(
            name=f"wells_to_verdict_given_{name}", value=float(ours.mean()), sd=float(ours.std(ddof=1)), n=len(ours),
            unit="wells", baselines=means,
            note=f"until 90 % of the {np.mean(able):.1f} of {GIVEN} given claims that can be settled at all are",
        ),
        Result(
            name=f"wells_to_verdict_given_{name}_ratio", value=ratio, sd=spread, n=len(ours), unit=f"of {uniform}",
            bar="<= 0.5", passed=ratio <= 0.5,
            note=f"until all of them are: {all_ratio:.2f} of {whole}; wrong verdicts of ours with all wells: "
            f"{wrong} of {settled} (alpha {ALPHA}, 1 / alpha = {e_threshold(ALPHA):g})",
        ),
    ]  # fmt: skip

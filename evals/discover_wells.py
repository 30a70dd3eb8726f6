"""``wells_to_verdict``: wells until 50 claims have a verdict at alpha .05, on real wells revealed one arm at a time.

Policies differ in which claims they test and in the replicates of a look; bets, verdict rule, control wells (eight a
line and time) and pools are the same, and every policy may stop at any well. "uniform" is the best of first looks of up
to four replicates a claim in random order; one only where the noise is known. Beside it: how few wells an oracle would
need (discover_limits), RPPA pools of other sizes, fifty given claims (discover_given). Seeds 0 to 9; pools,
policies and constants were worked out on seeds >= 100.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..agents.acquire import EPower, Policy, policies
from ..agents.staking import ALPHA
from . import discover_given as given
from .discover_limits import oracle
from .discover_pools import Pool, gdsc_pool, rppa_pool
from .race import Feedback, Trace, race
from .results import Result

TARGET, POOL, GDSC_POOL, PER_ROUND = 50, 200, 600, 12
LINES = 12  # GDSC: of four lines' 240-320 claims fewer than 50 could be settled at all, by any policy
LARGER, FEW = (1000, 10_000), 3  # RPPA pools of other sizes (the last = all claims of the question), on so many seeds
OURS, ORACLE = EPower().name, "oracle that knows every result"
Make = Callable[[int], Pool]


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Ten seeds (fast: two, fewer policies) of RPPA and GDSC; empty where the kit is not at hand."""
    found: list[Result] = []
    seeds = range(2 if fast else 10)
    for name, pools, size in (("rppa", rppa_pools, POOL), ("gdsc", gdsc_pools, GDSC_POOL)):
        folder = None if data_dir is None else data_dir / name
        if folder is None or not folder.is_dir():
            found.append(Result(name=f"wells_to_verdict_{name}", value=None, note="the real data kit is not at hand"))
            continue
        made = list(pools(folder, seeds))
        found += measure(name, [(s, make(size)) for s, make in made], fast=fast)
        found += given.measure(name, ((s, make(given.GIVEN)) for s, make in made))
        if name == "rppa":
            few = made[: 1 if fast else FEW]
            found += [larger(n, [(s, make(n)) for s, make in few]) for n in LARGER]
    return found


def known_mean(wells: list[float]) -> float | None:
    """None where one of them is NaN: a pool that cannot give so many verdicts has no number of wells."""
    mean = float(np.mean(wells))
    return mean if np.isfinite(mean) else None


def larger(size: int, pools: list[tuple[int, Pool]]) -> Result:
    """Ours against uniform on pools of another size: the more claims an arm's wells speak to, the fewer they need."""
    wells: dict[str, list[float]] = {}
    for seed, pool in pools:
        for policy in (EPower(), *given.uniforms(pool)):
            wells.setdefault(policy.name, []).append(_one(pool.fresh(), policy, seed).wells)
        wells.setdefault(ORACLE, []).append(float(oracle(pool, TARGET) or np.nan))
    means = {n: known_mean(w) for n, w in wells.items()}
    ours = np.array(wells[OURS])
    best = min(float(np.mean(w)) for n, w in wells.items() if n.startswith("uniform"))
    held = float(np.mean([len(p.candidates) for _, p in pools]))
    return Result(
        name=f"wells_to_verdict_rppa_pool_{'all' if size == LARGER[-1] else size}", value=float(ours.mean()),
        sd=float(ours.std(ddof=1)) if len(ours) > 1 else None, n=len(ours), unit="wells", baselines=means,
        note=f"{TARGET} of {held:.0f} claims; {ours.mean() / best:.2f} of uniform",
    )  # fmt: skip


def measure(name: str, pools: list[tuple[int, Pool]], *, fast: bool) -> list[Result]:
    """The race of all policies on each seed's pool."""
    traces: dict[str, list[Trace]] = {}
    unused: list[tuple[int, int]] = []
    least: list[float] = []
    for seed, pool in pools:
        least.append(float(oracle(pool, TARGET) or np.nan))
        for policy in contestants(pool, fast=fast):
            again = pool.fresh()
            trace = _one(again, policy, seed)
            traces.setdefault(policy.name, []).append(trace)
            if policy.name == OURS:
                unused.append(again.wrong_by_unused())
        hows: tuple[Feedback, ...] = ("permuted", "none")
        for how in hows:
            traces.setdefault(f"{OURS}, {how} feedback", []).append(_one(pool.fresh(), EPower(), seed, how))
    return _figures(name, traces, unused, known_mean(least))


def contestants(pool: Pool, *, fast: bool) -> list[Policy]:
    """Ours first, the uniform designs, then the field's."""
    others = [p for p in policies() if p.name not in (OURS, "uniform")]
    return [EPower(), *given.uniforms(pool), *(p for p in others if not fast or p.name in ("uncertainty", "ucb"))]


def rppa_pools(folder: Path, seeds: range) -> Iterator[tuple[int, Make]]:
    """One held-out line a seed, in turn; a pool is made of so many claims."""
    from ..world_model.cell import VirtualCell
    from ..world_model.compounds import facts_for
    from ..world_model.data import effects
    from ..world_model.data.rppa import load_rppa

    dataset = load_rppa(folder)
    context = dataset.wells.obs["context"].astype(str).to_numpy()
    classes = {p: facts_for(p).mechanism_class for p in dataset.perturbations}
    for k, line in enumerate(dataset.contexts):
        mine = [s for s in seeds if s % len(dataset.contexts) == k]
        if mine:
            table = effects(dataset, np.flatnonzero(context != line))
            cell = VirtualCell.fit(table, compound_classes=classes, seed=0)
            how = partial(rppa_pool, dataset, line, cell, classes)
            yield from ((s, partial(how, s)) for s in mine)


def gdsc_pools(folder: Path, seeds: range) -> Iterator[tuple[int, Make]]:
    """Twelve lines a seed, all of them held out of one fit."""
    from ..world_model.cell import VirtualCell
    from ..world_model.compounds import facts_for
    from ..world_model.data import effects
    from ..world_model.data.gdsc import LN_IC50, load_gdsc
    from .panel import eligible_lines, only

    dataset = load_gdsc(folder, folder)
    table = only(effects(dataset), LN_IC50)
    lines = eligible_lines(table, dataset.context_features["expression"])
    order = [lines[i] for i in np.random.default_rng(0).permutation(len(lines))]
    groups = {s: order[LINES * i : LINES * (i + 1)] for i, s in enumerate(seeds)}
    held = {line for group in groups.values() for line in group}
    known = {p: facts_for(p) for p in dataset.perturbations}
    classes = {p: f.mechanism_class for p, f in known.items() if f.known}
    context = dataset.wells.obs["context"].astype(str).to_numpy()
    train = np.flatnonzero(~np.isin(context, list(held)))
    told = only(effects(dataset, train), LN_IC50)
    cell = VirtualCell.fit(told, context_features=dataset.context_features, compound_classes=classes, seed=0)
    for seed, group in groups.items():
        yield seed, partial(gdsc_pool, dataset, group, cell, classes, seed, train=train)


def _one(pool: Pool, policy: Policy, seed: int, feedback: Feedback = "true") -> Trace:
    rng = np.random.default_rng([seed, 9])
    return race(
        pool.candidates, pool, policy, rng=rng, target=TARGET, per_round=PER_ROUND, classes=pool.classes,
        feedback=feedback,
    )  # fmt: skip


def _figures(
    name: str, traces: dict[str, list[Trace]], unused: list[tuple[int, int]], least: float | None
) -> list[Result]:
    wells = {n: np.array([t.wells for t in ts], float) for n, ts in traces.items()}
    ours = wells.pop(OURS)
    means: dict[str, float | None] = {n: float(w.mean()) for n, w in wells.items()}
    uniform = min((n for n in wells if n.startswith("uniform")), key=lambda n: wells[n].mean())
    rivals = {n: w.mean() for n, w in wells.items() if not n.startswith((OURS, "growth"))}
    best = min(rivals, key=lambda n: rivals[n])
    means[ORACLE] = least
    ratio = float(ours.mean() / wells[uniform].mean())
    rng = np.random.default_rng(0)
    draws = rng.integers(len(ours), size=(2000, len(ours)))
    spread = float(np.std(ours[draws].mean(1) / wells[uniform][draws].mean(1)))
    reached = all(t.reached for t in traces[OURS])
    rates = {n: _rate(ts) for n, ts in traces.items()}
    wrong, seen = (sum(v) for v in zip(*unused, strict=True))
    permuted = wells[f"{OURS}, permuted feedback"] - ours
    low, high = np.quantile(permuted[draws].mean(1), [0.025, 0.975])
    return [
        Result(
            name=f"wells_to_verdict_{name}", value=float(ours.mean()), sd=float(ours.std(ddof=1)), n=len(ours),
            unit="wells", baselines=means, bar=f"best of all policies (next: {best})",
            passed=bool(reached and ours.mean() < rivals[best]),
            note=f"wells until {TARGET} claims have a verdict" + ("" if reached else "; not always reached"),
        ),
        Result(
            name=f"wells_to_verdict_{name}_ratio", value=ratio, sd=spread, n=len(ours), unit=f"of {uniform}",
            bar="<= 0.5", passed=ratio <= 0.5,
            note="a pool cannot give so many verdicts" if least is None else
            f"no choice of wells can reach less than {least / wells[uniform].mean():.2f} (oracle)",
        ),
        Result(
            name=f"wells_to_verdict_{name}_permuted", value=float(permuted.mean()),
            sd=float(permuted.std(ddof=1)), n=len(ours), unit="wells more when feedback is permuted",
            note=f"95% interval {low:.1f} to {high:.1f}",
        ),
        Result(
            name=f"wells_to_verdict_{name}_errors", value=rates.pop(OURS), n=sum(t.settled for t in traces[OURS]),
            bar=f"<= {ALPHA}", passed=_rate(traces[OURS]) <= ALPHA, baselines=dict(rates),
            note=f"against all wells; of {seen} verdicts with wells left unread, {wrong} are contradicted by those",
        ),
    ]  # fmt: skip


def _rate(traces: list[Trace]) -> float:
    return sum(t.wrong for t in traces) / max(sum(t.settled for t in traces), 1)

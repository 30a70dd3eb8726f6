"""``truth_found``: on hidden kinetic cells, how many mechanism claims of an imperfect literature get a right verdict.

The claims are the literature's edges (two in five are decoys), each staked in four lines: "knock-down of the source
moves the target the way the edge says, at least twofold, after 24 h". Their truth is the hidden cell's own answer.
96 wells in four rounds of 24, on plates with shifts of their own, rims and dropouts. Yield: right verdicts, true ones
corroborated and false ones falsified. The policies differ in what they test; bets, looks and verdicts are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..agents.acquire import EPower, Policy, Simple, Uniform, policies
from ..agents.staking import ALPHA
from ..agents.thresholds import zone
from ..knowledge.claims import ArmRequest, Belief, Claim
from ..tools.lab.plates import lay_out
from ..world_model.data.arms import control_of
from ..world_model.data.kinetic import Bench, bench
from ..world_model.kinetic_random import prior_network
from ..world_model.vocabulary import Arm, Contrast, Perturbation, Readout
from .discover_pools import registered, truth_of
from .race import Candidate, Feedback, Reading, Trace, race
from .results import Result

WELLS, PER_ROUND, CONTROLS, NOISE, TIME_H = 96, 24, 4, 0.3, 24.0
OURS = EPower().name
EXPECTED, DOUBT = 1.0, 1.0  # what an edge of the literature is thought to do: log2, mean and sd


@dataclass
class KineticSource:
    """New wells of a hidden cell; each round is an experiment of its own, on its own plate."""

    bench: Bench
    seed: int
    shared_controls: bool = False
    rounds: int = 0

    def left(self, arm: Arm) -> int:
        return 10_000

    def draw(self, wanted: Sequence[tuple[Arm, int]]) -> dict[str, list[Reading]]:
        self.rounds += 1
        layout = lay_out([ArmRequest(arm=a, n=n) for a, n in wanted], seed=self.seed + self.rounds)
        plates = [f"{self.seed}-{self.rounds}-P{p.plate}" for p in layout.places]
        ids = [f"{self.seed}-{self.rounds}/{p.name}" for p in layout.places]
        values = self.bench.measure([p.arm for p in layout.places], ids, plates, [p.outer for p in layout.places])
        found: dict[str, list[Reading]] = {a.key(): [] for a, _ in wanted}
        nodes = self.bench.cell.nodes
        for place, well, plate, row in zip(layout.places, ids, plates, values, strict=True):
            read = {n: float(v) for n, v in zip(nodes, row, strict=True) if np.isfinite(v)}
            found[place.arm.key()].append((well, plate, read))
        return found


def pool_of(cell_seed: int) -> list[Candidate]:
    """The literature's edges as registered claims, in every line of the hidden cell."""
    how = bench(cell_seed)
    size = zone("log2", "primary", NOISE)
    found = []
    for context in how.cell.contexts:
        for edge in prior_network(how.cell, seed=cell_seed).network.edges:
            cut = Perturbation(kind="knockdown", name=edge.source)
            arm = Arm(context=context, perturbations=(cut,), time_h=TIME_H)
            sign = -edge.sign  # less of an activator means less of its target
            claim = Claim(
                sentence=f"{edge.source} {'activates' if edge.sign > 0 else 'inhibits'} {edge.target} in {context}",
                kind="mechanism",
                readout=Readout(modality="transcriptome", variable=edge.target),
                contrast=Contrast(terms=((1.0, arm), (-1.0, control_of(arm)))),
                relation="ge" if sign > 0 else "le",
                delta=sign * size.delta,
                delta0=sign * size.delta0,
            )
            theory, sceptic = Belief(mean=sign * EXPECTED, sd=DOUBT), Belief(mean=0.0, sd=size.delta / 2)
            test = registered(claim, theory, sceptic, "pooled", NOISE)
            found.append((claim, test))
    truths = _truths(how, [c for c, _ in found])
    order = np.random.default_rng(cell_seed).permutation(len(found))
    return [Candidate(found[i][0], found[i][1], truths[i]) for i in order]


def _truths(how: Bench, claims: Sequence[Claim]) -> list[int]:
    treated = [c.contrast.arms[0] for c in claims]
    told = how.cell.respond(treated)
    at = {n: i for i, n in enumerate(how.cell.nodes)}
    return [truth_of(c, float(row[at[c.readout.variable]])) for c, row in zip(claims, told, strict=True)]


def one(cell_seed: int, policy: Policy, feedback: Feedback = "true") -> Trace:
    """96 wells of one policy on one hidden cell."""
    rng = np.random.default_rng([cell_seed, 3])
    source = KineticSource(bench(cell_seed), seed=cell_seed)
    return race(
        pool_of(cell_seed), source, policy, rng=rng, budget=WELLS, per_round=PER_ROUND, controls=CONTROLS,
        feedback=feedback,
    )  # fmt: skip


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """30 hidden cells (fast: 6), seeds from 1000; the data kit is not needed."""
    seeds = range(1000, 1006 if fast else 1030)
    found: dict[str, list[Trace]] = {}
    for seed in seeds:
        fresh: list[Policy] = [EPower(), Simple("random"), *([] if fast else _others())]
        for policy in fresh:
            found.setdefault(policy.name, []).append(one(seed, policy))
        hows: tuple[Feedback, ...] = ("permuted", "none")
        for how in hows:
            found.setdefault(f"{OURS}, {how} feedback", []).append(one(seed, EPower(), how))
    gain = {name: np.array([t.true_found + t.false_found for t in traces]) for name, traces in found.items()}
    ours, plain = gain.pop(OURS), gain["random"]
    ratio = float(ours.mean() / max(plain.mean(), 1e-9))
    rng = np.random.default_rng(0)
    draws = rng.integers(len(ours), size=(2000, len(ours)))
    spread = float(np.std(ours[draws].mean(1) / np.maximum(plain[draws].mean(1), 1e-9)))
    settled = sum(t.settled for t in found[OURS])
    wrong = sum(t.wrong for t in found[OURS])
    true_found = float(np.mean([t.true_found for t in found[OURS]]))
    false_found = float(np.mean([t.false_found for t in found[OURS]]))
    note = f"{true_found:.1f} true corroborated, {false_found:.1f} false falsified; 96 wells, {len(ours)} hidden cells"
    means: dict[str, float | None] = {name: float(v.mean()) for name, v in gain.items()}
    rate = wrong / max(settled, 1)
    return [
        Result(
            name="truth_found", value=float(ours.mean()), sd=float(ours.std(ddof=1)), n=len(ours),
            unit="right verdicts / 96 wells", baselines=means, note=note,
        ),
        Result(
            name="truth_found_ratio", value=ratio, sd=spread, n=len(ours), unit="x random design",
            bar=">= 2", passed=ratio >= 2.0,
        ),
        Result(
            name="truth_false_verdicts", value=rate, n=settled, bar=f"<= {ALPHA}", passed=rate <= ALPHA,
            baselines={n: sum(t.wrong for t in ts) / max(sum(t.settled for t in ts), 1) for n, ts in found.items()},
            note="wrong among all verdicts",
        ),
    ]  # fmt: skip


def _others() -> list[Policy]:
    return [p for p in policies() if p.name not in (OURS, "random")] + [Uniform("uniform x3", (3,))]

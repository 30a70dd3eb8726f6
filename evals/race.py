"""A race of acquisition policies over one pool of claims: the same wells, bets and verdict rule for all of them.

All claims of the pool are registered before the first well (theory and sceptic fixed). Each round the policy scores
the open claims; looks are taken in the order of the scores until the round's wells are planned; all wells of a round
are revealed together; every registered claim on a revealed arm gets them as its next batch; the joint belief learns.
Ville's inequality makes stopping at any round safe. ``feedback="permuted"`` hands the policy other claims' results in
place of each claim's own (verdicts still rest on the real ones); "none" hands it nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from ..agents.acquire import Option, Policy
from ..agents.joint import JointBelief, correlation, read
from ..knowledge.claims import ArmSummary, Batch, Claim, Evidence, Prediction
from ..knowledge.evalues import assess, e_threshold
from ..world_model.vocabulary import Arm

AHEAD = 3  # rounds, where control wells serve later rounds too
NOISE_DF = 4.0  # how many degrees of freedom an earlier noise counts for
FEWEST = {"known": 1, "pooled": 2}  # treated wells at which a test can speak: the t form needs a spread
LATER = 1  # treated wells of a look after the first
Feedback = Literal["true", "permuted", "none"]
Reading = tuple[str, str, Mapping[str, float]]  # well id, block, variable -> reading


class Source(Protocol):
    """Where wells come from. ``shared_controls``: control wells of earlier rounds are comparable with new ones."""

    shared_controls: bool

    def left(self, arm: Arm) -> int: ...

    def draw(self, wanted: Sequence[tuple[Arm, int]]) -> dict[str, list[Reading]]:
        """Arm key -> readings, for one round."""
        ...


@dataclass
class Candidate:
    """A registered claim of the pool and what has been seen of it. truth: +1 true, -1 false, 0 in between."""

    claim: Claim
    prediction: Prediction
    truth: int
    batches: list[Batch] = field(default_factory=list)
    evidence: Evidence | None = None
    seen: set[str] = field(default_factory=set)

    @property
    def verdict(self) -> int:
        """+1 corroborated, -1 falsified, 0 open (or both: a conflict settles nothing)."""
        if self.evidence is None:
            return 0
        bar = e_threshold(self.prediction.alpha)
        return int(self.evidence.e_for >= bar) - int(self.evidence.e_against >= bar)


@dataclass(frozen=True)
class Trace:
    """wells: revealed until the target was met or nothing could go on; settled, wrong: verdicts; zone: verdicts on
    claims that are neither true nor false; reached: whether the target was met; course: (wells, verdicts)."""

    wells: int
    settled: int
    wrong: int
    zone: int
    true_found: int
    false_found: int
    rounds: int
    reached: bool
    course: tuple[tuple[int, int], ...] = ()

    def wells_for(self, verdicts: int) -> int:
        """Wells until so many claims had a verdict; all wells where they never had."""
        return next((wells for wells, settled in self.course if settled >= verdicts), self.wells)


def race(
    pool: Sequence[Candidate],
    source: Source,
    policy: Policy,
    *,
    rng: np.random.Generator,
    target: int | None = None,
    budget: int | None = None,
    per_round: int = 12,
    controls: int = 8,
    classes: Mapping[str, str] | None = None,
    feedback: Feedback = "true",
    stopping: bool = True,
) -> Trace:
    """Run until ``target`` verdicts, ``budget`` wells, or no open claim has wells left. A first
    look takes one of the policy's sizes (none named: the fewest wells at which its test can speak), fixed before the
    claim's own data, as the t form asks; later ones one.
    stopping: a claim with a verdict gets no more wells (False: it goes on getting its replicates, the verdict kept)."""
    belief = JointBelief([c.claim for c in pool], [c.prediction for c in pool], classes)
    related = correlation([c.claim for c in pool], classes or {})
    bank: dict[str, list[Reading]] = {}  # arm -> everything revealed
    spent = rounds = 0
    course: list[tuple[int, int]] = []
    while (target is None or _settled(pool) < target) and (budget is None or spent < budget):
        learns = feedback != "none" and any(c.prediction.variance == "pooled" for c in pool)
        sigma = noise_now(pool, bank) if learns else [c.prediction.noise_sd for c in pool]
        options = _options(pool, source, bank, belief, sigma, policy.sizes, controls, stopping)
        if not options:
            break
        at = [o.number for o in options]
        room = per_round if budget is None else min(per_round, budget - spent)
        ahead = AHEAD * room if source.shared_controls else room
        order = policy.order(options, related[np.ix_(at, at)], rng, ahead)
        wanted = _plan([options[i] for i in order], pool, source, bank, room, controls)
        if not wanted:
            break
        steps = [[w] for w in wanted.values()] if source.shared_controls else [list(wanted.values())]
        fresh: dict[int, tuple[float, float]] = {}
        rounds += 1
        for step in steps:  # wells that are read one arm after another: stop as soon as the target is met
            found = source.draw(step)
            spent += sum(len(r) for r in found.values())
            for key, readings in found.items():
                bank[key] = [*bank.get(key, []), *readings] if source.shared_controls else readings
            fresh |= _speak(pool, set(found), bank, stopping)
            course.append((spent, _settled(pool)))
            if target is not None and _settled(pool) >= target:
                break
        belief.update(_feedback(pool, fresh, feedback, rng))
    judged = [(c.truth, c.verdict) for c in pool if c.verdict]
    return Trace(
        wells=spent,
        settled=len(judged),
        wrong=sum(t == -v for t, v in judged),
        zone=sum(t == 0 for t, _ in judged),
        true_found=sum(t == v == 1 for t, v in judged),
        false_found=sum(t == v == -1 for t, v in judged),
        rounds=rounds,
        reached=target is None or len(judged) >= target,
        course=tuple(course),
    )


def noise_now(pool: Sequence[Candidate], bank: Mapping[str, list[Reading]]) -> list[float]:
    """sd of one well for each claim: its registered one, scaled by what all wells revealed so far show of its readout
    (residuals within arm and block), shrunk to what they show of all readouts, and that to 1."""
    registered = {c.claim.readout.variable: c.prediction.noise_sd for c in pool}
    spread = {v: _within(v, bank) for v in registered}
    df = sum(d for _, d in spread.values())
    ratio = (sum(s / registered[v] ** 2 for v, (s, _) in spread.items()) + NOISE_DF) / (df + NOISE_DF)
    found = []
    for c in pool:
        ssd, d = spread[c.claim.readout.variable]
        square = (ssd / c.prediction.noise_sd**2 + NOISE_DF * ratio) / (d + NOISE_DF)
        found.append(c.prediction.noise_sd * math.sqrt(square))
    return found


def _within(variable: str, bank: Mapping[str, list[Reading]]) -> tuple[float, int]:
    """Sum of squares within arm and block, and its degrees of freedom."""
    ssd, df = 0.0, 0
    for readings in bank.values():
        blocks: dict[str, list[float]] = {}
        for _, block, values in readings:
            if variable in values and np.isfinite(values[variable]):
                blocks.setdefault(block, []).append(values[variable])
        for x in blocks.values():
            ssd += float(np.var(x) * len(x))
            df += len(x) - 1
    return ssd, df


def _settled(pool: Sequence[Candidate]) -> int:
    return sum(c.verdict != 0 for c in pool)


def _options(
    pool: Sequence[Candidate], source: Source, bank: Mapping[str, list[Reading]], belief: JointBelief,
    sigma: Sequence[float], sizes: Sequence[int], controls: int, stopping: bool,
) -> list[Option]:  # fmt: skip
    """Open claims whose arms have wells left, with what their next look would hold and cost."""
    found = []
    still = [(i, c) for i, c in enumerate(pool) if not (c.verdict and stopping)]
    for number, n in ((i, n) for i, c in still for n in _sizes(c, sizes)):
        c = pool[number]
        treated = [a for a in c.claim.contrast.arms if not a.is_control]
        wells = {a.key(): min(n, source.left(a)) for a in treated}
        if min(wells.values()) < 1:
            continue
        beside, fee = {}, {}
        for arm in (a for a in c.claim.contrast.arms if a.is_control):
            there = len(bank.get(arm.key(), ())) if source.shared_controls else 0
            new = min(max(0, controls - there), source.left(arm))
            unseen = sum(r[0] not in c.seen for r in bank.get(arm.key(), ())) if source.shared_controls else 0
            beside[arm.key()] = new + unseen
            if new:
                fee[arm.key()] = new
        beside = {k: v for k, v in beside.items() if v or not c.batches}
        if any(v < 1 for v in beside.values()):
            continue
        cost = float(sum(wells.values()))
        found.append(
            Option(
                number,
                c.claim,
                c.prediction,
                tuple(c.batches),
                belief.of(number),
                wells,
                beside,
                cost,
                fee,
                sigma[number],
            )
        )
    return found


def _sizes(c: Candidate, first: Sequence[int]) -> Sequence[int]:
    """Treated wells that the claim's next look may take."""
    if c.batches:
        return (LATER,)
    return first or (FEWEST[c.prediction.variance],)


def _plan(
    ranked: Sequence[Option], pool: Sequence[Candidate], source: Source, bank: Mapping[str, list[Reading]],
    room: int, controls: int,
) -> dict[str, tuple[Arm, int]]:  # fmt: skip
    """Arm key -> (arm, new wells), taken in order of rank while the round has room; arms are paid once."""
    wanted: dict[str, tuple[Arm, int]] = {}
    left = room
    for option in ranked:
        arms = {a.key(): a for a in option.claim.contrast.arms}
        new: dict[str, tuple[Arm, int]] = {}
        if any(key in wanted for key in option.wells):  # a size of this arm is planned already
            if all(key in wanted for key in option.wells):
                continue
        for key in (k for k, a in arms.items() if a.is_control and k not in wanted):
            there = len(bank.get(key, ())) if source.shared_controls else 0
            n = min(max(0, controls - there), source.left(arms[key]))
            if n:
                new[key] = (arms[key], n)
        for key, n in option.wells.items():
            if key not in wanted:
                new[key] = (arms[key], n)
        cost = sum(n for _, n in new.values())
        if cost <= left:
            wanted |= new
            left -= cost
        if left <= 0:
            break
    return wanted


def _speak(
    pool: Sequence[Candidate], revealed: set[str], bank: Mapping[str, list[Reading]], stopping: bool
) -> dict[int, tuple[float, float]]:
    """Every open claim on a revealed treated arm takes its unseen wells; returns its cumulative (estimate, se)."""
    fresh = {}
    for i, c in enumerate(pool):
        arms = {a.key(): a for a in c.claim.contrast.arms}
        if (c.verdict and stopping) or not any(k in revealed and not a.is_control for k, a in arms.items()):
            continue
        for batch in _batches(c, arms, bank):
            c.batches.append(batch)
            c.seen.update(batch.wells)
        if not c.verdict and c.batches and {s.arm_key for b in c.batches for s in b.arms} == set(arms):
            c.evidence = assess(c.claim, c.prediction, c.batches)
            fresh[i] = read(c.prediction, c.evidence)
    return fresh


def race_look(pool: Sequence[Candidate], bank: Mapping[str, list[Reading]], revealed: set[str]) -> None:
    """Every open claim on the revealed arms takes its unseen wells as one look."""
    _speak(pool, revealed, bank, True)


def _batches(c: Candidate, arms: Mapping[str, Arm], bank: Mapping[str, list[Reading]]) -> list[Batch]:
    """The claim's unseen wells as one batch (contrasts within the run)."""
    parts, wells = [], []
    for key in arms:
        values = []
        for well, block, reading in bank.get(key, ()):
            raw = reading.get(c.claim.readout.variable)
            value = None if raw is None else c.claim.contrast.standardise(raw, block)
            if well not in c.seen and value is not None and np.isfinite(value):
                values.append(value)
                wells.append(well)
        if values:
            x = np.array(values)
            parts.append(
                ArmSummary(arm_key=key, n=len(x), mean=float(x.mean()), ssd=float(((x - x.mean()) ** 2).sum()))
            )
    before = {s.arm_key for b in c.batches for s in b.arms}
    if not before | {p.arm_key for p in parts} >= set(arms) or not parts:
        return []  # an arm whose wells all dropped out: no contrast yet
    names = {"claim_id": c.claim.id, "prediction_id": c.prediction.id, "design_hash": "race"}
    index = len(c.batches)
    return [Batch(index=index, arms=tuple(parts), wells=tuple(wells), data_hash=str(index), **names)]


def _feedback(
    pool: Sequence[Candidate], fresh: Mapping[int, tuple[float, float]], how: Feedback, rng: np.random.Generator
) -> dict[int, tuple[float, float]]:
    """What the policy is told of this round's claims."""
    if how == "none":
        return {}
    if how == "true":
        return dict(fresh)
    keys = list(fresh)
    return {k: fresh[keys[j]] for k, j in zip(keys, rng.permutation(len(keys)), strict=True)}

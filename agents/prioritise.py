"""Which claims are most worth trying to break now: value x e-power / cost, spread over perturbations.

Claims on the same treated arm share its wells, so they are weighed together as one bundle.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..knowledge.claims import ArmRequest, Batch
from ..knowledge.power import e_power, severity
from ..tools.lab.protocol import LabExecutor
from ..world_model.vocabulary import Arm
from .batches import Item, choose_batch
from .staking import Stake

WORTH_TESTING = 0.05  # expected growth of log10 e below which wells teach next to nothing
LOOKS = (2, 3, 4, 6, 8)  # treated wells per arm a look may take
SETTLES = 0.8  # probability of a verdict at which a larger look is not asked for
FEW_CONTROLS = 8  # so few control wells are taken all at once: later claims could not be compared with fewer
REPEAT_DISCOUNT = 0.5  # a second bundle on the same perturbation counts half, a third a quarter


@dataclass(frozen=True)
class Weighed:
    """One claim's numbers: expected log10 growth of its larger e-value, and severity (both before data)."""

    stake: Stake
    e_power: float
    severity: float


@dataclass(frozen=True)
class Bundle:
    """Claims tested by the same arms. cost: wells that no other bundle would share; reason: in words."""

    claims: tuple[Weighed, ...]
    requests: tuple[ArmRequest, ...]
    cost: float
    priority: float
    reason: str

    @property
    def wells(self) -> int:
        return sum(r.n for r in self.requests)

    @property
    def worth(self) -> float:
        """value x useful growth of log10 e, summed over the claims."""
        return self.priority * self.cost

    @property
    def perturbation(self) -> str:
        treated = [a for a in self.claims[0].stake.claim.contrast.arms if not a.is_control]
        return "+".join(p.name for p in treated[0].perturbations)


def bundles(
    stakes: Sequence[Stake],
    lab: LabExecutor,
    *,
    batches: Mapping[str, Sequence[Batch]] | None = None,
) -> list[Bundle]:
    """Bundles that the lab can run and that are worth testing, best first. ``batches``: looks already taken."""
    batches = batches or {}
    grouped: dict[tuple[str, ...], list[Stake]] = {}
    for stake in stakes:
        grouped.setdefault(tuple(a.key() for a in stake.claim.contrast.arms), []).append(stake)
    available: dict[str, int] = {}
    found = []
    for group in grouped.values():
        bundle = _bundle(group, lab, available, batches)
        if bundle is not None:
            found.append(bundle)
    return sorted(found, key=lambda b: (-b.priority, b.claims[0].stake.claim.id))


def _bundle(
    group: Sequence[Stake], lab: LabExecutor, available: dict[str, int], batches: Mapping[str, Sequence[Batch]]
) -> Bundle | None:
    """The smallest look that would probably settle the group's best claim; None where no look is worth its wells.

    A second look's size rests on what was known before the first (all wells together, from scratch): chosen by the
    spread of the wells seen, it would break the t form's validity (knowledge/evalues.py). What those wells say decides
    only whether another look is worth its price.
    """
    arms = group[0].claim.contrast.arms
    taken = _taken(group, batches)
    best: tuple[list[Weighed], tuple[ArmRequest, ...]] | None = None
    for replicates in LOOKS if len(arms) > 1 else (1,):
        requests = _requests(arms, lab, replicates, available)
        if requests is None:
            return None
        n_per_arm = {r.arm.key(): r.n for r in requests}
        if best is not None and n_per_arm == {r.arm.key(): r.n for r in best[1]}:
            break  # the lab has no more wells to give
        powers = [e_power(s.claim, s.prediction, n_per_arm, batches.get(s.claim.id, ())) for s in group]
        whole = {k: n + taken.get(k, 0) for k, n in n_per_arm.items()}
        planned = [e_power(s.claim, s.prediction, whole) for s in group] if taken else powers
        best = ([Weighed(s, p.mean_log_e, 0.0) for s, p in zip(group, powers, strict=True)], requests)
        if max(p.prob_settled for p in planned) >= SETTLES:
            break
    if best is None or max(w.e_power for w in best[0]) < WORTH_TESTING:
        return None
    n_per_arm = {r.arm.key(): r.n for r in best[1]}
    weighed = [replace(w, severity=severity(w.stake.claim, w.stake.prediction, n_per_arm)) for w in best[0]]
    cost = float(sum(r.n for r in best[1] if not r.arm.is_control))
    gain = sum(w.stake.claim.value * useful(w.e_power, w.stake.prediction.alpha) for w in weighed)
    return Bundle(tuple(weighed), best[1], cost, gain / cost, _reason(weighed, cost))


def _taken(group: Sequence[Stake], batches: Mapping[str, Sequence[Batch]]) -> dict[str, int]:
    """Wells of each arm that the group's claims have seen already: the most of any of them."""
    taken: dict[str, int] = {}
    for stake in group:
        mine: dict[str, int] = {}
        for summary in (s for b in batches.get(stake.claim.id, ()) for s in b.arms):
            mine[summary.arm_key] = mine.get(summary.arm_key, 0) + summary.n
        taken = {k: max(taken.get(k, 0), mine.get(k, 0)) for k in {*taken, *mine}}
    return taken


def useful(growth: float, alpha: float) -> float:
    """Expected growth of log10 e, up to the verdict: evidence past 1 / alpha settles nothing more."""
    return min(max(growth, 0.0), -math.log10(alpha))


def pick(ranked: Sequence[Bundle], *, wells: int, most: int) -> list[Bundle]:
    """The batch of bundles under a budget of wells (batches.py): repeats of one perturbation are discounted, and an arm
    that several bundles ask for is paid once, with the most wells that any of them needs."""
    steps: dict[str, set[int]] = {}
    users: Counter[str] = Counter()
    for request in (r for bundle in ranked for r in bundle.requests):
        steps.setdefault(request.arm.key(), set()).add(request.n)
        users[request.arm.key()] += 1
    wells_of: dict[str, int] = {}  # an arm's first wells, then what each larger request adds to them
    for key in (k for k in steps if users[k] > 1):
        sizes = sorted(steps[key])
        wells_of |= {f"{key}/{n}": n - before for before, n in zip([0, *sizes], sizes, strict=False)}
    items = [
        Item(
            worth=bundle.worth,
            own=sum(r.n for r in bundle.requests if users[r.arm.key()] == 1),
            shared=tuple(
                f"{r.arm.key()}/{n}"
                for r in bundle.requests
                if users[r.arm.key()] > 1
                for n in sorted(steps[r.arm.key()])
                if n <= r.n
            ),
            family=bundle.perturbation,
        )
        for bundle in ranked
    ]
    chosen = choose_batch(items, wells_of, wells, most=most, repeat=REPEAT_DISCOUNT).chosen
    return [ranked[k] for k in sorted(chosen)]


def _requests(
    arms: Sequence[Arm], lab: LabExecutor, replicates: int, available: dict[str, int]
) -> tuple[ArmRequest, ...] | None:
    """Fresh wells for every arm, controls twice; None where one arm has none left."""
    requests = []
    for arm in arms:
        if arm.key() not in available:
            available[arm.key()] = lab.available(arm)
        wanted = replicates
        if arm.is_control:
            wanted = available[arm.key()] if available[arm.key()] <= FEW_CONTROLS else 2 * replicates
        n = min(wanted, available[arm.key()])
        if n < 1:
            return None
        requests.append(ArmRequest(arm=arm, n=n))
    return tuple(requests)


def _reason(weighed: Sequence[Weighed], cost: float) -> str:
    best = max(weighed, key=lambda w: w.e_power)
    return (
        f"expected to move log10 e by {best.e_power:.2f} for {cost:g} treated wells; "
        f"would break the claim in {best.severity:.0%} of cases were the sceptic right"
    )

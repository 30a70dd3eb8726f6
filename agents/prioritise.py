"""Which claims are most worth trying to break now: value x e-power / cost, spread over perturbations.

Claims on the same treated arm share its wells, so they are weighed together as one bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..knowledge.claims import ArmRequest, Batch, Belief
from ..knowledge.power import e_power, severity
from ..tools.lab.protocol import LabExecutor
from ..world_model.vocabulary import Arm
from .acquire import EPower, Option
from .batches import Look, choose_batch, items_of
from .staking import Stake

LEAST_WELLS = 2  # of every arm, where the variance is not known
DRAWS = 128  # of the expected growth of each claim's look
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
        """value x (useful growth of log e + weight x chance of a verdict), summed over the claims."""
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
    beliefs: Mapping[str, Belief] | None = None,
) -> list[Bundle]:
    """Bundles that the lab can run and that are worth testing, best first. ``batches``: looks already taken;
    ``beliefs``: what is believed of theta now (joint.py), the theory's word where a claim has none."""
    batches, beliefs = batches or {}, beliefs or {}
    grouped: dict[tuple[str, ...], list[Stake]] = {}
    for stake in stakes:
        grouped.setdefault(tuple(a.key() for a in stake.claim.contrast.arms), []).append(stake)
    available: dict[str, int] = {}
    policy = EPower(draws=DRAWS)
    found = []
    for group in grouped.values():
        requests = _look(group, lab, available, batches)
        bundle = None if requests is None else _bundle(group, requests, policy, batches, beliefs)
        if bundle is not None:
            found.append(bundle)
    return sorted(found, key=lambda b: (-b.priority, b.claims[0].stake.claim.id))


def _look(
    group: Sequence[Stake], lab: LabExecutor, available: dict[str, int], batches: Mapping[str, Sequence[Batch]]
) -> tuple[ArmRequest, ...] | None:
    """The smallest look that would probably settle the group's best claim, or the largest; None without wells.

    A second look's size rests on what was known before the first (all wells together, from scratch): chosen by the
    spread of the wells seen, it would break the t form's validity (knowledge/evalues.py). What those wells say decides
    only whether another look is worth its price.
    """
    arms = group[0].claim.contrast.arms
    taken = _taken(group, batches)
    best: tuple[ArmRequest, ...] | None = None
    for replicates in LOOKS if len(arms) > 1 else (1,):
        requests = _requests(arms, lab, replicates, available)
        if requests is None or requests == best:
            break  # the lab has no more wells to give
        best = requests
        whole = {r.arm.key(): r.n + taken.get(r.arm.key(), 0) for r in requests}
        if max(e_power(s.claim, s.prediction, whole).prob_settled for s in group) >= SETTLES:
            break
    if best and len(arms) > 1 and any(r.n + taken.get(r.arm.key(), 0) < LEAST_WELLS for r in best):
        return None  # one well of an arm says nothing of its spread: the t form would borrow the other arm's
    return best


def _bundle(
    group: Sequence[Stake], requests: tuple[ArmRequest, ...], policy: EPower, batches: Mapping[str, Sequence[Batch]],
    beliefs: Mapping[str, Belief],
) -> Bundle | None:  # fmt: skip
    """The group's claims weighed as the race's policies are (acquire.py); None where it is not worth its wells."""
    treated = {r.arm.key(): r.n for r in requests if not r.arm.is_control}
    controls = {r.arm.key(): r.n for r in requests if r.arm.is_control}
    cost = float(sum(treated.values()))
    weighed, gain = [], 0.0
    for number, s in enumerate(group):
        belief = beliefs.get(s.claim.id, s.prediction.theory)
        seen = tuple(batches.get(s.claim.id, ()))
        option = Option(number, s.claim, s.prediction, seen, belief, treated, controls, cost, controls, None)
        growth = policy.power(option).mean_log_e
        weighed.append(Weighed(s, growth, severity(s.claim, s.prediction, treated | controls)))
        gain += s.claim.value * policy.worth(option)
    if max(w.e_power for w in weighed) < WORTH_TESTING:
        return None
    return Bundle(tuple(weighed), requests, cost, gain / cost, _reason(weighed, cost))


def _taken(group: Sequence[Stake], batches: Mapping[str, Sequence[Batch]]) -> dict[str, int]:
    """Wells of each arm that the group's claims have seen already: the most of any of them."""
    taken: dict[str, int] = {}
    for stake in group:
        mine: dict[str, int] = {}
        for summary in (s for b in batches.get(stake.claim.id, ()) for s in b.arms):
            mine[summary.arm_key] = mine.get(summary.arm_key, 0) + summary.n
        taken = {k: max(taken.get(k, 0), mine.get(k, 0)) for k in {*taken, *mine}}
    return taken


def pick(ranked: Sequence[Bundle], *, wells: int, most: int, paid: Sequence[Bundle] = ()) -> list[Bundle]:
    """The batch of bundles under a budget of wells (batches.py): repeats of one perturbation are discounted, and an arm
    that several bundles ask for is paid once, with the most wells that any of them needs. paid: bundles picked before,
    whose wells are there already."""
    there: dict[str, int] = {}
    for request in (r for bundle in paid for r in bundle.requests):
        there[request.arm.key()] = max(there.get(request.arm.key(), 0), request.n)
    looks = [Look(b.worth, {r.arm.key(): r.n for r in b.requests}, family=b.perturbation) for b in ranked]
    items, price = items_of(looks, there)
    chosen = choose_batch(items, price, wells, most=most, repeat=REPEAT_DISCOUNT).chosen
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

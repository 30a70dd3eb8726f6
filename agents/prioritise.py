"""Which claims are most worth trying to break now: value x e-power / cost, spread over perturbations.

Claims on the same treated arm share its wells, so they are weighed together as one bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..knowledge.claims import ArmRequest, Batch
from ..knowledge.power import e_power, severity
from ..tools.lab.protocol import LabExecutor
from ..world_model.vocabulary import Arm
from .staking import Stake

WORTH_TESTING = 0.05  # expected growth of log10 e below which wells teach next to nothing
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
    def perturbation(self) -> str:
        treated = [a for a in self.claims[0].stake.claim.contrast.arms if not a.is_control]
        return "+".join(p.name for p in treated[0].perturbations)


def bundles(
    stakes: Sequence[Stake],
    lab: LabExecutor,
    *,
    replicates: int,
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
        requests = _requests(group[0].claim.contrast.arms, lab, replicates, available)
        if requests is None:
            continue
        n_per_arm = {r.arm.key(): r.n for r in requests}
        weighed = []
        for stake in group:
            power = e_power(stake.claim, stake.prediction, n_per_arm, batches.get(stake.claim.id, ()))
            severe = severity(stake.claim, stake.prediction, n_per_arm)
            weighed.append(Weighed(stake, power.mean_log_e, severe))
        gain = sum(w.stake.claim.value * max(w.e_power, 0.0) for w in weighed)
        if max(w.e_power for w in weighed) < WORTH_TESTING:
            continue
        cost = sum(r.n for r in requests if not r.arm.is_control) or 1
        found.append(Bundle(tuple(weighed), requests, float(cost), gain / cost, _reason(weighed, cost)))
    return sorted(found, key=lambda b: (-b.priority, b.claims[0].stake.claim.id))


def pick(ranked: Sequence[Bundle], *, wells: int, most: int) -> list[Bundle]:
    """Greedy choice under a budget of wells; repeats of one perturbation are discounted, shared arms paid once."""
    left, chosen, paid = list(ranked), [], {}  # type: ignore[var-annotated]
    spent, used = 0, {}  # type: ignore[var-annotated]
    while left and len(chosen) < most:
        best = max(
            left,
            key=lambda b: (b.priority * REPEAT_DISCOUNT ** used.get(b.perturbation, 0), b.claims[0].stake.claim.id),
        )
        left.remove(best)
        extra = sum(max(0, r.n - paid.get(r.arm.key(), 0)) for r in best.requests)
        if spent + extra > wells:
            continue
        spent += extra
        for request in best.requests:
            paid[request.arm.key()] = max(request.n, paid.get(request.arm.key(), 0))
        used[best.perturbation] = used.get(best.perturbation, 0) + 1
        chosen.append(best)
    return chosen


def _requests(
    arms: Sequence[Arm], lab: LabExecutor, replicates: int, available: dict[str, int]
) -> tuple[ArmRequest, ...] | None:
    """Fresh wells for every arm, or None where one arm has none left (or controls would stand alone)."""
    requests = []
    for arm in arms:
        if arm.key() not in available:
            available[arm.key()] = lab.available(arm)
        n = min(replicates, available[arm.key()])
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

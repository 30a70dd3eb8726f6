"""Which bundles of claims share one batch of wells: greedy, exchange, a bound, and the exact answer for small cases.

A bundle has a worth, wells of its own, and arms it shares with others (controls, single arms of a combination), which
are paid once. Of bundles of one family (perturbation) the k-th best counts ``repeat`` ** k of its worth, so worth is
submodular in the set chosen. Chosen under a budget of wells:

    greedy    the largest worth per new well, over single bundles and over whole groups that open a shared arm together
              (Khuller, Moss & Naor 1999 for budgets; groups, because a control is dear to the first bundle alone);
    plain     the largest worth per well of its own, shared arms as if free; the better of the two starts goes on;
    exchange  one bundle out, the best ones in, while that raises the worth;
    bound     worth + the fractional knapsack of what every other bundle could still add at its own wells only: no set
              is worth more (Nemhauser, Wolsey & Fisher 1978, eq. 8, with shared arms taken as free);
    exact     mixed-integer program by HiGHS, without family discounts.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SWAPS = 60  # exchanges tried at most


@dataclass(frozen=True)
class Item:
    """worth > 0 counts; own: wells nobody shares; shared: names of arms in ``wells_of``; family: for repeats;
    rival: items of one rival name exclude each other (two sizes of one look)."""

    worth: float
    own: int
    shared: tuple[str, ...] = ()
    family: str = ""
    rival: str = ""


@dataclass(frozen=True)
class Look:
    """What one look is worth and the wells it needs: arm key -> n, treated and control. family, rival: as in Item."""

    worth: float
    wells: Mapping[str, int]
    family: str = ""
    rival: str = ""


def items_of(looks: Sequence[Look], paid: Mapping[str, int] | None = None) -> tuple[list[Item], dict[str, int]]:
    """Items for ``choose_batch``, and what shared arms cost. An arm that several looks ask for is paid once, with the
    most wells that any of them needs: its first wells, then what each larger look adds. paid: wells there already."""
    paid = paid or {}
    needs = [{k: n - paid.get(k, 0) for k, n in look.wells.items() if n > paid.get(k, 0)} for look in looks]
    users = Counter(k for need in needs for k in need)
    steps = {k: sorted({need[k] for need in needs if k in need}) for k, n in users.items() if n > 1}
    price = {f"{k}/{n}": n - before for k, sizes in steps.items() for before, n in itertools.pairwise([0, *sizes])}
    items = [
        Item(
            worth=look.worth,
            own=sum(n for k, n in need.items() if k not in steps),
            shared=tuple(f"{k}/{n}" for k in need if k in steps for n in steps[k] if n <= need[k]),
            family=look.family,
            rival=look.rival,
        )
        for look, need in zip(looks, needs, strict=True)
    ]
    return items, price


@dataclass(frozen=True)
class Batch:
    """Numbers of the items chosen, in order; their worth and wells; no batch is worth more than ``bound``."""

    chosen: tuple[int, ...]
    worth: float
    wells: int
    bound: float


def choose_batch(
    items: Sequence[Item], wells_of: Mapping[str, int], budget: int, *, most: int | None = None, repeat: float = 1.0
) -> Batch:
    """Greedy, then exchange. Deterministic: ties go to the first item."""
    case = _Case(items, wells_of, budget, most or len(items), repeat)
    chosen = max(case.greedy(()), case.plain(), key=case.worth)
    for _ in range(SWAPS):
        better = case.exchanged(chosen)
        if better is None:
            break
        chosen = better
    worth = case.worth(chosen)
    return Batch(tuple(chosen), worth, case.wells(chosen), case.bound(chosen, worth))


def exact_batch(items: Sequence[Item], wells_of: Mapping[str, int], budget: int, *, most: int | None = None) -> Batch:
    """The best batch (repeat = 1) by HiGHS. For small cases: the oracle of the tests."""
    import highspy

    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    take = [solver.addBinary() for _ in items]
    opened = {name: solver.addBinary() for name in sorted({s for i in items for s in i.shared})}
    spent = sum(i.own * x for i, x in zip(items, take, strict=True)) + sum(wells_of[n] * y for n, y in opened.items())
    solver.addConstr(spent <= budget)
    for item, x in zip(items, take, strict=True):
        for name in item.shared:
            solver.addConstr(x <= opened[name])
    for rival in sorted({i.rival for i in items if i.rival}):
        solver.addConstr(sum(x for i, x in zip(items, take, strict=True) if i.rival == rival) <= 1)
    if most is not None:
        solver.addConstr(sum(take) <= most)
    solver.maximize(sum(i.worth * x for i, x in zip(items, take, strict=True)))
    values = solver.getSolution().col_value
    chosen = [k for k, x in enumerate(take) if values[x.index] > 0.5]
    case = _Case(items, wells_of, budget, len(items), 1.0)
    worth = case.worth(chosen)
    return Batch(tuple(chosen), worth, case.wells(chosen), worth)


class _Case:
    """One problem, as arrays."""

    def __init__(
        self, items: Sequence[Item], wells_of: Mapping[str, int], budget: int, most: int, repeat: float
    ) -> None:
        self.items, self.wells_of, self.budget, self.most, self.repeat = items, wells_of, budget, most, repeat
        self.value = np.array([max(i.worth, 0.0) for i in items])
        self.own = np.array([i.own for i in items], float)
        self.family = _codes([i.family or f"#{k}" for k, i in enumerate(items)])
        self.rival = _codes([i.rival or f"#{k}" for k, i in enumerate(items)])
        names = sorted({s for i in items for s in i.shared})
        at = {n: k for k, n in enumerate(names)}
        self.price = np.array([wells_of[n] for n in names], float)
        width = max((len(i.shared) for i in items), default=0)
        self.need = np.full((len(items), max(width, 1)), len(names))  # the last column of prices is a free dummy
        for k, item in enumerate(items):
            self.need[k, : len(item.shared)] = [at[s] for s in item.shared]
        self.members = {g: np.flatnonzero((self.need == g).any(axis=1)) for g in range(len(names))}

    def greedy(self, start: Sequence[int], closed: Sequence[int] = ()) -> list[int]:
        """Add moves of the largest worth per well until nothing fits. closed: items not to be taken."""
        chosen = list(start)
        open_price = np.append(self.price, 0.0)
        used = np.zeros(self.family.max() + 1 if len(self.items) else 1)
        free = self.value > 0
        free[list(closed)] = False
        for i in chosen:
            self._take(i, open_price, used, free)
        left = float(self.budget - self.wells(chosen))
        while len(chosen) < self.most and free.any():
            gain = np.where(free, self.value * self.repeat ** used[self.family], 0.0)
            fee = open_price[self.need].sum(axis=1)
            move = self._best_move(gain, fee, open_price, left, self.most - len(chosen))
            if not move:
                break
            for i in move:
                left -= float(self.own[i] + open_price[self.need[i]].sum())
                self._take(i, open_price, used, free)
                chosen.append(i)
        return chosen

    def plain(self) -> list[int]:
        """The largest worth per well of its own first, shared arms as if free; what does not fit is passed over."""
        chosen: list[int] = []
        open_price = np.append(self.price, 0.0)
        used = np.zeros(self.family.max() + 1 if len(self.items) else 1)
        free, left = self.value > 0, float(self.budget)
        while len(chosen) < self.most:
            fits = free & (self.own + open_price[self.need].sum(axis=1) <= left + 1e-9)
            if not fits.any():
                break
            gain = self.value * self.repeat ** used[self.family]
            i = int(np.where(fits, gain / np.maximum(self.own, 1e-9), -1.0).argmax())
            left -= float(self.own[i] + open_price[self.need[i]].sum())
            self._take(i, open_price, used, free)
            chosen.append(i)
        return chosen

    def _best_move(self, gain: Floats, fee: Floats, price: Floats, left: float, most: int) -> list[int]:
        cost = self.own + fee
        fits = (cost <= left + 1e-9) & (gain > 0)
        if not fits.any():
            return []
        density = np.where(fits, gain / np.maximum(cost, 1e-9), -1.0)
        best, move = float(density.max()), [int(density.argmax())]
        for g in np.flatnonzero(price[:-1] > 0):  # open a shared arm with the best prefix of its users
            inside = self.members[int(g)]
            inside = inside[gain[inside] > 0]
            own = cost[inside] - price[g]
            order = np.argsort(-gain[inside] / np.maximum(own, 1e-9), kind="stable")
            order = order[np.sort(np.unique(self.rival[inside[order]], return_index=True)[1])][:most]
            spent = price[g] + np.cumsum(own[order])
            total = np.cumsum(gain[inside[order]])
            good = spent <= left + 1e-9
            if good.any():
                dense = np.where(good, total / spent, -1.0)
                k = int(dense.argmax())
                if dense[k] > best + 1e-12:
                    best, move = float(dense[k]), [int(i) for i in inside[order[: k + 1]]]
        return move

    def _take(self, i: int, price: Floats, used: Floats, free: NDArray[np.bool_]) -> None:
        price[self.need[i]] = 0.0
        used[self.family[i]] += 1
        free[self.rival == self.rival[i]] = False

    def exchanged(self, chosen: Sequence[int]) -> list[int] | None:
        """The first single exchange that raises the worth by a thousandth, cheapest first; None where there is none."""
        now = self.worth(chosen)
        ranked = sorted(chosen, key=lambda i: self.value[i] / max(self.own[i], 1e-9))
        for out in ranked[:8]:
            rest = [i for i in chosen if i != out]
            new = self.greedy(rest, closed=(out,))
            if self.worth(new) > now * 1.001:
                return new
        for g in {int(g) for i in chosen for g in self.need[i] if g < len(self.price)}:  # give up one shared arm
            rest = [i for i in chosen if g not in self.need[i]]
            new = self.greedy(rest, closed=[int(i) for i in self.members[g]])
            if self.worth(new) > now * 1.001:
                return new
        return None

    def worth(self, chosen: Sequence[int]) -> float:
        total = 0.0
        times: dict[int, int] = {}
        for i in sorted(chosen, key=lambda i: -self.value[i]):
            family = int(self.family[i])
            k = times.get(family, 0)
            total += float(self.value[i]) * self.repeat**k
            times[family] = k + 1
        return total

    def wells(self, chosen: Sequence[int]) -> int:
        shared = {s for i in chosen for s in self.items[i].shared}
        return int(sum(self.own[i] for i in chosen) + sum(self.wells_of[s] for s in shared))

    def bound(self, chosen: Sequence[int], worth: float) -> float:
        """An upper bound on the worth of any batch within the budget, from this one and from the empty one."""
        inside = np.zeros(len(self.items), bool)
        inside[list(chosen)] = True
        found = []
        for start, mask in ((worth, ~inside), (0.0, np.ones(len(self.items), bool))):
            gain, own = self.value[mask], np.maximum(self.own[mask], 1e-9)
            order = np.argsort(-gain / own)
            room = np.clip((self.budget - np.concatenate([[0.0], np.cumsum(own[order])[:-1]])) / own[order], 0.0, 1.0)
            found.append(start + float(gain[order] @ room))
        return min(found)


def _codes(labels: Sequence[str]) -> NDArray[np.intp]:
    return np.asarray(np.unique(np.array(labels, dtype=str), return_inverse=True)[1], dtype=np.intp)

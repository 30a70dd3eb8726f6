"""Which claim gets the next wells: acquisition policies behind one interface, ours and the field's.

Every policy sees the same options (claims still open, what is believed of each, what a look at it costs) and the same
e-processes give the verdicts, so that policies differ by their choices alone. ``EPower`` is the system's own: value x
useful growth of log10 e, summed over all claims that an arm's wells would speak to, the batch chosen by worth per well
with shared controls paid once (batches.py). The others score a claim
for itself: expected improvement and probability of improvement (Jones 1998, doi:10.1023/A:1008306431147), upper
confidence bound (Srinivas 2012, doi:10.1109/TIT.2011.2182033), Thompson sampling, entropy of the verdict (uncertainty
sampling), largest sd, coreset (Sener & Savarese 2018, arXiv:1708.00489), random.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..knowledge.claims import Batch, Belief, Claim, Prediction
from ..knowledge.power import EPower as EPowerOf
from ..knowledge.power import e_power
from .batches import Look, choose_batch, items_of

Floats = NDArray[np.float64]
Arms = tuple[tuple[str, int], ...]  # (arm key, wells), sorted


@dataclass(frozen=True)
class Option:
    """An open claim. wells: treated arm key -> new wells of the look; controls: control arm key -> wells that the
    look will have (new or shared) beyond those the claim has seen; cost: new treated wells; fee: control arm key -> new
    control wells, which looks at other claims would share; number: its place in the pool; belief, sigma: of theta and
    of a well, now (sigma None: as the claim's own wells say)."""

    number: int
    claim: Claim
    prediction: Prediction
    batches: tuple[Batch, ...]
    belief: Belief
    wells: Mapping[str, int]
    controls: Mapping[str, int]
    cost: float
    fee: Mapping[str, int]
    sigma: float | None

    @property
    def toward(self) -> tuple[float, float]:
        """(mean, sd) of theta from the middle of the zone, positive on the claim's side."""
        sign, middle = self.claim.sign, (self.claim.delta + self.claim.delta0) / 2
        return sign * (self.belief.mean - middle), self.belief.sd


class Policy(Protocol):
    """Orders options, the first to be tested first. ``related``: correlation of their thetas, (n, n); room: wells that
    it pays to look ahead to."""

    name: str
    sizes: tuple[int, ...]  # treated wells a first look may take; none = the fewest at which the test can speak

    def order(self, options: Sequence[Option], related: Floats, rng: np.random.Generator, room: int) -> list[int]: ...


@dataclass
class EPower:
    """Ours. Wells of an arm speak to every open claim on it, so what they teach is summed over these: growth of log e
    up to the verdict, in units of the verdict's own log (1 / alpha), plus ``verdicts`` x the probability that the
    look settles the claim (growth alone also counts steps that only more wells would complete)."""

    name: str = "e-power"
    verdicts: float = 3.0
    draws: int = 32
    sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._known: dict[tuple[object, ...], EPowerOf] = {}

    def order(self, options: Sequence[Option], related: Floats, rng: np.random.Generator, room: int) -> list[int]:
        worth = [o.claim.value * self.worth(o) for o in options]
        groups: dict[Arms, list[int]] = {}
        for i, o in enumerate(options):
            groups.setdefault(tuple(sorted(o.wells.items())), []).append(i)
        looks = [
            Look(sum(worth[i] for i in group), {**options[group[0]].fee, **dict(wells)}, rival="+".join(dict(wells)))
            for wells, group in groups.items()
        ]
        items, price = items_of(looks)
        chosen = choose_batch(items, price, room).chosen
        costs = [options[group[0]].cost for group in groups.values()]
        rest = sorted(set(range(len(looks))) - set(chosen), key=lambda k: -looks[k].worth / costs[k])
        numbers_of = list(groups.values())
        return [i for k in (*chosen, *rest) for i in numbers_of[k]]

    def worth(self, o: Option) -> float:
        """Useful growth of log e in units of the verdict's own log, and ``verdicts`` x the chance of the verdict."""
        told = self.power(o)
        return useful(told.mean_log_e, o.prediction.alpha) / -math.log10(o.prediction.alpha) + (
            self.verdicts * told.prob_settled
        )

    def power(self, o: Option) -> EPowerOf:
        """e-power of the look, on rounded beliefs, so that claims alike share it."""
        p, sign = o.prediction, o.claim.sign
        belief = Belief(mean=round(o.belief.mean * 5) / 5, sd=max(0.1, round(o.belief.sd * 5) / 5))
        sigma = None if o.sigma is None else max(0.05, round(o.sigma * 20) / 20)
        bet = (sign * p.theory.mean, p.theory.sd, sign * p.sceptic.mean, p.sceptic.sd, p.noise_sd)
        key = (
            o.number if o.batches else -1, len(o.batches), o.claim.sign * o.claim.delta, p.variance,
            tuple(round(v, 1) for v in bet), tuple(sorted(o.wells.values())), tuple(sorted(o.controls.values())),
            round(sign * belief.mean, 1), belief.sd, sigma,
        )  # fmt: skip
        if key not in self._known:
            wells = {**o.controls, **o.wells}
            self._known[key] = e_power(o.claim, p, wells, o.batches, draws=self.draws, belief=belief, sigma=sigma)
        return self._known[key]


def useful(growth: float, alpha: float) -> float:
    """Expected growth of log10 e, up to the verdict: evidence past 1 / alpha settles nothing more."""
    return min(max(growth, 0.0), -math.log10(alpha))


@dataclass
class Simple:
    """A score of the belief alone: "uncertainty", "largest sd", "ucb", "ei", "hit", "thompson" or "random"."""

    name: str
    sizes: tuple[int, ...] = ()

    def order(self, options: Sequence[Option], related: Floats, rng: np.random.Generator, room: int) -> list[int]:
        mean, sd = np.array([o.toward for o in options]).T
        noise = rng.random(len(options)) * 1e-9  # ties fall at random
        z = mean / sd
        if self.name == "uncertainty":
            score = -np.abs(ndtr(z) - 0.5)
        elif self.name == "largest sd":
            score = sd
        elif self.name == "ucb":
            score = mean + 2.0 * sd
        elif self.name == "ei":
            score = sd * (z * ndtr(z) + np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi))
        elif self.name == "hit":
            score = ndtr(z)
        elif self.name == "thompson":
            score = rng.normal(mean, sd)
        else:
            score = np.zeros(len(options))
        return [int(i) for i in np.argsort(-np.asarray(score + noise, float))]


@dataclass
class Coreset:
    """The option farthest (least correlated) from every one chosen so far, in this batch or before."""

    name: str = "coreset"
    sizes: tuple[int, ...] = ()

    def order(self, options: Sequence[Option], related: Floats, rng: np.random.Generator, room: int) -> list[int]:
        near, order = np.zeros(len(options)), []
        left = [int(i) for i in rng.permutation(len(options))]
        while left:
            order.append(min(left, key=lambda i: float(near[i])))
            near = np.maximum(near, related[order[-1]])
            left.remove(order[-1])
        return order


@dataclass
class Uniform:
    """The same replicates for every claim: random order, the fewest wells so far first."""

    name: str = "uniform"
    sizes: tuple[int, ...] = (2,)

    def order(self, options: Sequence[Option], related: Floats, rng: np.random.Generator, room: int) -> list[int]:
        seen = np.array([float(len(o.batches)) for o in options]) + rng.random(len(options)) * 0.5
        return [int(i) for i in np.argsort(seen)]


def policies() -> tuple[Policy, ...]:
    """Fresh ones, ours first."""
    names = ("uncertainty", "largest sd", "ucb", "ei", "hit", "thompson", "random")
    return (EPower(), EPower("growth alone", verdicts=0.0), Uniform(), *(Simple(n) for n in names), Coreset())

"""Which claim gets the next wells: acquisition policies behind one interface, ours and the field's.

Every policy sees the same options (claims still open, what is believed of each, what a look at it costs) and the same
e-processes give the verdicts, so that policies differ by their choices alone. ``EPower`` is the system's own: value x
useful growth of log10 e / new wells, summed over all claims that the wells would speak to. The others score a claim
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
from ..knowledge.power import e_power

Floats = NDArray[np.float64]
Arms = tuple[tuple[str, int], ...]  # (arm key, wells), sorted


@dataclass(frozen=True)
class Option:
    """An open claim. wells: treated arm key -> new wells of the look; controls: control arm key -> wells that the
    look will have (new or shared) beyond those the claim has seen; cost: new treated wells; fee: control arm key -> new
    control wells, which looks at other claims would share; number: its place in the pool; belief, sigma: of theta and of
    a well, now."""

    number: int
    claim: Claim
    prediction: Prediction
    batches: tuple[Batch, ...]
    belief: Belief
    wells: Mapping[str, int]
    controls: Mapping[str, int]
    cost: float
    fee: Mapping[str, int]
    sigma: float

    @property
    def toward(self) -> tuple[float, float]:
        """(mean, sd) of theta from the middle of the zone, positive on the claim's side."""
        sign, middle = self.claim.sign, (self.claim.delta + self.claim.delta0) / 2
        return sign * (self.belief.mean - middle), self.belief.sd


class Policy(Protocol):
    """Scores options (larger = sooner), (n,). ``related``: correlation of the options' thetas, (n, n)."""

    name: str
    sizes: tuple[int, ...]  # treated wells a first look may take

    def scores(self, options: Sequence[Option], related: Floats, rng: np.random.Generator) -> Floats: ...


@dataclass
class EPower:
    """Ours. Wells of an arm speak to every open claim on it, so its growth is summed over them (``name`` of the arm =
    its treated arms); ``settle`` counts expected verdicts in place of growth."""

    name: str = "e-power"
    settle: bool = False
    draws: int = 32
    sizes: tuple[int, ...] = (2,)

    def __post_init__(self) -> None:
        self._known: dict[tuple[object, ...], float] = {}

    def scores(self, options: Sequence[Option], related: Floats, rng: np.random.Generator) -> Floats:
        worth = [o.claim.value * self._growth(o) for o in options]
        arms = [tuple(sorted(o.wells.items())) for o in options]
        on_arm: dict[Arms, float] = {}
        for arm, w in zip(arms, worth, strict=True):
            on_arm[arm] = on_arm.get(arm, 0.0) + w
        fees = _shared_fees(options, {a: on_arm[a] for a in arms})
        return np.array([on_arm[a] / (o.cost + fee) for a, o, fee in zip(arms, options, fees, strict=True)])

    def _growth(self, o: Option) -> float:
        """Expected growth of log10 e up to the verdict; remembered while nothing it rests on has changed."""
        key = (
            o.number, len(o.batches), tuple(sorted(o.wells.items())), tuple(sorted(o.controls.items())),
            round(o.belief.mean, 1), round(o.belief.sd, 1), round(o.sigma, 2),
        )  # fmt: skip
        if key not in self._known:
            wells = {**o.controls, **o.wells}
            told = e_power(o.claim, o.prediction, wells, o.batches, draws=self.draws, belief=o.belief, sigma=o.sigma)
            goal = -math.log10(o.prediction.alpha)
            self._known[key] = told.prob_settled if self.settle else min(max(told.mean_log_e, 0.0), goal)
        return self._known[key]


def _shared_fees(options: Sequence[Option], worth: Mapping[Arms, float]) -> list[float]:
    """Each option's part of the control wells it needs: the fee over as many of the best arms that need the same
    controls as make worth / wells largest."""
    sharing: dict[Arms, dict[Arms, float]] = {}
    for o in options:
        sharing.setdefault(tuple(sorted(o.fee.items())), {})[tuple(sorted(o.wells.items()))] = o.cost
    part: dict[Arms, float] = {}
    for fee, arms in sharing.items():
        wells = float(sum(n for _, n in fee))
        ranked: list[Arms] = []
        taken: set[str] = set()
        for arm in sorted(arms, key=lambda a: -worth[a] / arms[a]):  # one size of each arm
            if not taken & {k for k, _ in arm}:
                ranked.append(arm)
                taken |= {k for k, _ in arm}
        total = np.cumsum([worth[a] for a in ranked])
        density = total / (wells + np.cumsum([arms[a] for a in ranked]))
        part[fee] = wells / (int(np.argmax(density)) + 1)
    return [part[tuple(sorted(o.fee.items()))] for o in options]


@dataclass
class Simple:
    """A score of the belief alone: "uncertainty", "largest sd", "ucb", "ei", "hit", "thompson" or "random"."""

    name: str
    sizes: tuple[int, ...] = (2,)

    def scores(self, options: Sequence[Option], related: Floats, rng: np.random.Generator) -> Floats:
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
        return np.asarray(score + noise, float)


@dataclass
class Coreset:
    """The option farthest (least correlated) from every one chosen so far, in this batch or before."""

    name: str = "coreset"
    sizes: tuple[int, ...] = (2,)

    def scores(self, options: Sequence[Option], related: Floats, rng: np.random.Generator) -> Floats:
        """Farthest-first order over the options, written as scores."""
        n = len(options)
        near = np.zeros(n)
        score = np.zeros(n)
        left = list(rng.permutation(n))
        for rank in range(n):
            best = min(left, key=lambda i: near[i])
            score[best] = n - rank
            near = np.maximum(near, related[best])
            left.remove(best)
        return score


@dataclass
class Uniform:
    """The same replicates for every claim: random order, the fewest wells so far first."""

    name: str = "uniform"
    sizes: tuple[int, ...] = (2,)

    def scores(self, options: Sequence[Option], related: Floats, rng: np.random.Generator) -> Floats:
        return -np.array([float(len(o.batches)) for o in options]) + rng.random(len(options)) * 0.5


def policies() -> tuple[Policy, ...]:
    """Fresh ones, ours first."""
    names = ("uncertainty", "largest sd", "ucb", "ei", "hit", "thompson", "random")
    return (EPower(), Uniform(), *(Simple(n) for n in names), Coreset())

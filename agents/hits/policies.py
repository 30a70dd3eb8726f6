"""Which members to measure next: one interface, ours and the field's acquisition rules side by side.

A policy gets the view and a generator and returns n distinct unmeasured rows. It never sees an unmeasured outcome.
With one reading a member and equal costs, the e-power of the claim "this is a hit", expected log of a bet at odds
q : base rate, is KL(q || base rate), which rises with q: ranking by the chance of a hit is ranking by e-power.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ...world_model.numeric import Numbers
from .surrogate import Forecast, Surrogate
from .view import HitView

UCB = 1.0  # standard deviations of optimism


class Policy(Protocol):
    """One campaign's chooser; it may keep what it computed of earlier rounds."""

    def propose(self, view: HitView, n: int, rng: np.random.Generator) -> Numbers: ...


class Random:
    """Any n of the open members."""

    def propose(self, view: HitView, n: int, rng: np.random.Generator) -> Numbers:
        return best(np.zeros(view.n), view, n, rng)


class Acquisition:
    """The n open members of highest score(forecast), ties at random. cold: round 1 at random instead of by prior."""

    def __init__(self, rule: Callable[[Forecast, np.random.Generator], Numbers], *, cold: bool, with_sd: bool = True):
        self._rule, self._cold, self._with_sd = rule, cold, with_sd
        self.surrogate: Surrogate | None = None

    def propose(self, view: HitView, n: int, rng: np.random.Generator) -> Numbers:
        if self.surrogate is None:
            self.surrogate = Surrogate(view)
        if self._cold and not len(view.measured):
            return best(np.zeros(view.n), view, n, rng)
        return best(self._rule(self.surrogate.forecast(view, with_sd=self._with_sd), rng), view, n, rng)


class Coreset:
    """k-centre greedy (Sener and Savarese 2018): each next member the farthest from all chosen in the features."""

    def propose(self, view: HitView, n: int, rng: np.random.Generator) -> Numbers:
        x = np.concatenate(list(view.features.blocks.values()), axis=1).astype(np.float32)
        square = (x**2).sum(axis=1)
        away = np.full(view.n, np.inf)
        for row in view.measured:
            away = np.minimum(away, square + square[row] - 2.0 * (x @ x[row]))
        chosen: list[int] = []
        open_ = view.open
        for _ in range(min(n, int(open_.sum()))):
            score = np.where(open_, np.minimum(away, 1e6) + 1e-9 * rng.random(view.n), -np.inf)
            row = int(np.argmax(score))
            chosen.append(row)
            open_[row] = False
            away = np.minimum(away, square + square[row] - 2.0 * (x @ x[row]))
        return np.array(chosen, dtype=np.intp)


def best(score: Numbers, view: HitView, n: int, rng: np.random.Generator) -> Numbers:
    """Rows of the n highest scores among the open members, ties broken at random."""
    order = rng.permutation(view.n)
    ranked = order[np.argsort(-score[order], kind="stable")]
    return np.asarray(ranked[view.open[ranked]][:n], dtype=np.intp)


def _mean(f: Forecast, rng: np.random.Generator) -> Numbers:
    return f.mean


def _chance(f: Forecast, rng: np.random.Generator) -> Numbers:
    from scipy.special import ndtr

    return np.asarray(ndtr((f.mean - f.threshold) / np.hypot(f.sd, f.noise)))


def _improvement(f: Forecast, rng: np.random.Generator) -> Numbers:
    """E max(target - threshold, 0) (Jones, Schonlau and Welch 1998), the threshold of a hit as the incumbent."""
    from scipy.special import ndtr

    z = (f.mean - f.threshold) / f.sd
    return np.asarray((f.mean - f.threshold) * ndtr(z) + f.sd * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi))


def _ucb(f: Forecast, rng: np.random.Generator) -> Numbers:
    return np.asarray(f.mean + UCB * f.sd)


def _thompson(f: Forecast, rng: np.random.Generator) -> Numbers:
    return np.asarray(f.mean + f.sd * rng.normal(size=len(f.mean)))


def _sd(f: Forecast, rng: np.random.Generator) -> Numbers:
    return f.sd


POLICIES: dict[str, Callable[[], Policy]] = {
    "ours": lambda: Acquisition(_chance, cold=False),
    "posterior_mean": lambda: Acquisition(_mean, cold=False, with_sd=False),
    "expected_improvement": lambda: Acquisition(_improvement, cold=False),
    "ucb": lambda: Acquisition(_ucb, cold=False),
    "thompson": lambda: Acquisition(_thompson, cold=False),
    "uncertainty": lambda: Acquisition(_sd, cold=True),
    "coreset": Coreset,
    "random": Random,
}

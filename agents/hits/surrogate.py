"""What the pool's members are expected to score: a Gaussian process over prior knowledge, fitted to what came back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...world_model.kernelmix import KernelMix, PoolKernels
from ...world_model.numeric import Numbers
from .view import HitView, standardised, targets

LENGTH = 0.3  # of exp((cosine - 1) / length)
PRIOR_SLOPE = 0.1  # expected rise of the target for one sd of the question's prior, before any data
PRIOR_RATE, PRIOR_COUNT = 0.05, 5.0  # background level of the target and the measurements it is worth


@dataclass(frozen=True)
class Forecast:
    """mean, sd: (N,) of the target, sd of the mean alone; noise: sd of one reading around it; threshold: a hit's."""

    mean: Numbers
    sd: Numbers
    noise: float
    threshold: float


class Surrogate:
    """Give it the growing view after each round; kernels are computed once a member, weights anew each round."""

    def __init__(self, view: HitView) -> None:
        linear = {"question": view.prior, "studied": standardised(view.features.studied)}
        self.kernels = PoolKernels(view.features.blocks, linear, length=LENGTH)
        self.mix = KernelMix(self.kernels)
        self.last: Forecast | None = None

    def forecast(self, view: HitView, *, with_sd: bool = True) -> Forecast:
        """The whole pool's expected target (also kept as ``last``). Without data: the question's prior alone."""
        self.last = self._forecast(view, with_sd)
        return self.last

    def _forecast(self, view: HitView, with_sd: bool) -> Forecast:
        lift = PRIOR_SLOPE * view.prior
        seen = len(self.kernels.measured)
        if not np.array_equal(self.kernels.measured, view.measured[:seen]):
            raise ValueError("the view must grow from the one this surrogate was given before")
        if len(view.measured) > seen:
            self.kernels.add(view.measured[seen:])
        if not len(view.measured):
            return Forecast(PRIOR_RATE + lift, np.full(view.n, 0.2), 0.2, 0.5)
        y = targets(view.score, view.hit)
        above = y - lift[view.measured]
        level = (float(above.sum()) + PRIOR_COUNT * PRIOR_RATE) / (len(y) + PRIOR_COUNT)
        self.mix.fit(above - level)
        mean = self.mix.mean() + lift + level
        sd = self.mix.sd() if with_sd else np.zeros(view.n)
        hits = y[view.hit > 0]
        return Forecast(mean, sd, self.mix.noise_sd(), float(hits.min()) if len(hits) else float(y.max()))

    def neighbours(self, view: HitView, i: int, most: int = 3) -> tuple[tuple[str, float], ...]:
        """Measured members that raised the expectation of member i the most, with how much."""
        if not len(self.kernels.measured):
            return ()
        pull = self.mix.pull(i)
        order = np.argsort(-pull, kind="stable")[:most]
        return tuple((view.features.names[int(view.measured[j])], float(pull[j])) for j in order if pull[j] > 1e-4)

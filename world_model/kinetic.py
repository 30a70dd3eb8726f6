"""A cell that can be known completely: a signed network with saturating kinetics, doses and times.

Each node i has an abundance x_i, 1 in the untreated cell, that relaxes towards what its regulators ask for:

    dx_i/dt = (g_i(y) - x_i) / tau_i,
    g_i(y)  = f_i exp( sum over edges j -> i of  s_ij w_ij [H_ij(y_j) - H_ij(1)] ),    H(y) = y^n / (K^n + y^n),

with s the edge's sign, w its weight in this context, and y_j = x_j a_j the activity. A compound with occupancy
o(d) = d^h / (IC50^h + d^h) at dose d multiplies its target's activity by a = 1 - e o (inhibitor, depth e < 1) or
1 + e o (activator); a knock-out, knock-down or overexpression multiplies the synthesis by f. So the control stays at
1 exactly, every g is bounded, and what is measured is log2 y_i(t) against the control. Hill kinetics of signed
networks: Wittmann et al. 2009, doi:10.1186/1752-0509-3-98. Integration: exponential Runge-Kutta of order 2
(Hochbruck & Ostermann 2010, doi:10.1017/S0962492910000048), which keeps x positive at any step.

Nothing here is for agents to read: they see a lab's wells and a prior network. ``kinetic_random`` draws cells and
prior networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .errors import BadInput, UnknownName
from .network import SignedNetwork
from .vocabulary import Arm, Contrast, Perturbation

Floats = NDArray[np.float64]
LONGEST_H = 168.0
DEFAULT_H = 24.0  # the time of an arm that names none
SYNTHESIS = {"knockout": 0.02, "knockdown": 0.25, "activation": 4.0, "overexpression": 4.0}


@dataclass(frozen=True)
class Action:
    """What a compound does to one node. sign -1 inhibits, +1 activates; ic50 in uM; depth: largest change of activity
    (inhibitor: share lost, below 1; activator: fold gained)."""

    node: str
    sign: int
    ic50: float
    hill: float
    depth: float


@dataclass(frozen=True)
class KineticCell:
    """The true cell. weight: (contexts, edges), 0 where the edge is absent in that context; half, hill: (edges,);
    tau: (nodes,) hours, in the order of ``nodes``; actions: compound -> what it does (empty = inert)."""

    network: SignedNetwork
    nodes: tuple[str, ...]
    contexts: tuple[str, ...]
    weight: Floats
    half: Floats
    hill: Floats
    tau: Floats
    actions: dict[str, tuple[Action, ...]]

    @property
    def compounds(self) -> tuple[str, ...]:
        return tuple(self.actions)

    @cached_property
    def _ends(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        at = {n: i for i, n in enumerate(self.nodes)}
        edges = self.network.edges
        source = np.array([at[e.source] for e in edges], dtype=np.intp)
        target = np.array([at[e.target] for e in edges], dtype=np.intp)
        return source, target, np.array([float(e.sign) for e in edges])

    def respond(self, arms: Sequence[Arm]) -> Floats:
        """log2 activity of every node against the untreated cell, (arms, nodes). An arm's answer does not depend on
        the others asked with it. Raises UnknownName for a context, compound or node it has not, BadInput for a
        compound without a dose or a time past 168 h."""
        if not arms:
            return np.zeros((0, len(self.nodes)))
        ends_h = np.array([DEFAULT_H if a.time_h is None else a.time_h for a in arms])
        for arm in arms:
            self.check(arm)
        context = np.array([self._place(a.context, self.contexts, "context") for a in arms])
        found = np.zeros((len(arms), len(self.nodes)))
        for chunk in np.array_split(np.arange(len(arms)), max(1, len(arms) // 512)):
            found[chunk] = self._integrate([arms[i] for i in chunk], ends_h[chunk], self.weight[context[chunk]])
        return found

    def check(self, arm: Arm) -> None:
        """Raises UnknownName or BadInput for an arm that ``respond`` would refuse."""
        self._place(arm.context, self.contexts, "context")
        for p in arm.perturbations:
            if p.kind in SYNTHESIS:
                self._place(p.name, self.nodes, "node")
            else:
                self._actions_of(p)
        if (arm.time_h or 0.0) > LONGEST_H:
            raise BadInput(f"{arm.time_h:g} h is beyond this cell", cure=f"stay within {LONGEST_H:g} h")

    def effect(self, contrast: Contrast, variable: str) -> float:
        """The true value of a contrast (no populations) for one node, in log2."""
        node = self._place(variable, self.nodes, "node")
        values = self.respond([arm for _, arm in contrast.terms])[:, node]
        return float(sum(w * v for (w, _), v in zip(contrast.terms, values, strict=True)))

    def _integrate(self, arms: Sequence[Arm], ends_h: Floats, weight: Floats) -> Floats:
        """ETD2RK on the fixed grid of ``_grid``, each arm left at its own time by one shorter step."""
        starts = sorted({p.start_h for a in arms for p in a.perturbations})
        x, out, seen = np.ones((len(arms), len(self.nodes))), np.zeros((len(arms), len(self.nodes))), -1
        grid = _grid(float(ends_h.max()))
        activity = synthesis = x
        for now, then in pairwise(grid):
            active = sum(s <= now + 1e-9 for s in starts)
            if active != seen:
                activity, synthesis = self._acting(arms, now)
                seen = active
            leaving = np.flatnonzero((ends_h >= now - 1e-12) & (ends_h < then))
            if len(leaving):
                part = (activity[leaving], synthesis[leaving], weight[leaving])
                last = self._step(x[leaving], *part, (ends_h[leaving] - now)[:, None])
                out[leaving] = np.log2(last * activity[leaving])
            going = np.flatnonzero(ends_h >= then)
            if len(going):
                x[going] = self._step(x[going], activity[going], synthesis[going], weight[going], then - now)
        return out

    def _step(self, x: Floats, activity: Floats, synthesis: Floats, weight: Floats, h: float | Floats) -> Floats:
        """One step of the exponential integrator: linear decay exactly, g by its value at both ends."""
        decay = np.exp(-h / self.tau)
        one = self._wanted(x * activity, synthesis, weight)
        guess = one + (x - one) * decay
        two = self._wanted(guess * activity, synthesis, weight)
        ramp = 1.0 - (1.0 - decay) / np.maximum(h / self.tau, 1e-12)  # phi_2 z: the linear part of g over the step
        return np.maximum(guess + (two - one) * ramp, 1e-9)

    def _wanted(self, y: Floats, synthesis: Floats, weight: Floats) -> Floats:
        """g (arms, nodes)."""
        source, target, sign = self._ends
        power = np.exp(self.hill * np.log(np.maximum(y[:, source], 1e-12)))
        half = self.half**self.hill
        push = sign * weight * (power / (half + power) - 1.0 / (half + 1.0))  # (arms, edges)
        into = np.zeros((len(target), len(self.nodes)))
        into[np.arange(len(target)), target] = 1.0
        return np.asarray(synthesis * np.exp(push @ into))

    def _acting(self, arms: Sequence[Arm], now: float) -> tuple[Floats, Floats]:
        """Factors on activity and on synthesis at this hour, (arms, nodes) each."""
        activity, synthesis = np.ones((len(arms), len(self.nodes))), np.ones((len(arms), len(self.nodes)))
        for row, arm in enumerate(arms):
            for p in arm.perturbations:
                if p.kind in SYNTHESIS:
                    factor = SYNTHESIS[p.kind] if p.start_h <= now + 1e-9 else 1.0
                    synthesis[row, self._place(p.name, self.nodes, "node")] *= factor
                    continue
                for action in self._actions_of(p):
                    o = _occupancy(p.dose or 0.0, action) if p.start_h <= now + 1e-9 else 0.0
                    activity[row, self.nodes.index(action.node)] *= 1.0 + action.sign * action.depth * o
        return activity, synthesis

    def _actions_of(self, p: Perturbation) -> tuple[Action, ...]:
        if p.kind != "compound":
            raise BadInput(f"This cell knows no {p.kind}", cure=f"compound, {', '.join(SYNTHESIS)}")
        if p.name not in self.actions:
            raise UnknownName(p.name, kind="compound", known=self.compounds)
        if p.dose is None:
            raise BadInput(f"{p.name} has no dose", cure="give one in uM")
        return self.actions[p.name]

    @staticmethod
    def _place(name: str, known: Sequence[str], kind: str) -> int:
        if name not in known:
            raise UnknownName(name, kind=kind, known=list(known))
        return list(known).index(name)


def _occupancy(dose: float, action: Action) -> float:
    return 0.0 if dose <= 0 else float(1.0 / (1.0 + (action.ic50 / dose) ** action.hill))


def _grid(end_h: float) -> list[float]:
    """Times of the steps, 0.05 h growing by 4% to 0.5 h: always the same beginning, whatever the end."""
    grid, step = [0.0], 0.05
    while grid[-1] <= end_h:
        grid.append(grid[-1] + step)
        step = min(0.5, step * 1.04)
    return grid

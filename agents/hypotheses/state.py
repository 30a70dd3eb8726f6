"""What the sources of hypotheses read: the goal, the data set's axes, the cell's word on them, what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...world_model.rows import Array
from ..asked import ruled_out
from ..goal import Goal, Hypothesis, Line, ReadoutGoal

if TYPE_CHECKING:
    import pandas as pd

    from ...knowledge.claims import Claim
    from ...world_model.cell import VirtualCell
    from ...world_model.network import SignedNetwork
    from ...world_model.prediction import CellPrediction
    from ..minds.protocol import Briefing

EACH = 12  # most hypotheses of one source


@dataclass(frozen=True)
class State:
    """cell: with the rows it has learned from. corroborated: claims of the ledger that stand.

    other: a context to be spared (selectivity). network: what the readout is explained with. staked: what claims of the
    ledger say already: no source says it again.
    """

    goal: Goal
    briefing: Briefing
    cell: VirtualCell | None = None
    corroborated: tuple[Claim, ...] = ()
    other: str | None = None
    network: SignedNetwork | None = None
    staked: frozenset[Line] = frozenset()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Single perturbations and measured combinations that the goal allows."""
        goal, briefing = self.goal, self.briefing
        singles = dict.fromkeys(part for p in briefing.perturbations for part in p.split("+"))
        out, wanted = ruled_out(goal.exclusions, singles), set(goal.candidates)
        return tuple(
            p
            for p in briefing.perturbations
            if not out.keys() & set(p.split("+")) and (not wanted or wanted >= set(p.split("+")))
        )

    @property
    def singles(self) -> tuple[str, ...]:
        return tuple(n for n in self.names if "+" not in n)

    def grid(self, names: Sequence[str], context: str | None = None) -> pd.DataFrame:
        """Every dose and time of the goal for each name, in the goal's context (or another)."""
        import pandas as pd

        doses = self.goal.doses or self.briefing.doses or (np.nan,)
        times = self.goal.times_h or self.briefing.times_h or (np.nan,)
        where = context or self.goal.context.name
        rows = [(where, n, self.goal.kind, d, t) for n in names for d in doses for t in times]
        return pd.DataFrame(rows, columns=["context", "perturbation", "kind", "dose", "time_h"])

    @cached_property
    def told(self) -> CellPrediction | None:
        """The cell's word on the grid of single perturbations; None without a cell or a candidate."""
        return self.ask(self.grid(self.singles))

    def ask(self, conditions: pd.DataFrame) -> CellPrediction | None:
        if self.cell is None or not len(conditions):
            return None
        context = self.goal.context
        described = context if context.expression or context.mutations else None
        return self.cell.predict(conditions, context=described)

    def column(self, wanted: ReadoutGoal) -> int | None:
        """The readout's column in the cell's predictions, where it has one."""
        readouts = self.cell.readouts if self.cell is not None else ()
        return readouts.index(wanted.readout.variable) if wanted.readout.variable in readouts else None

    def hypothesis(
        self, name: str, dose: float | None, time_h: float | None, wanted: ReadoutGoal, origin: str, mechanism: str = ""
    ) -> Hypothesis:
        """A proposal in the goal's context; NaN dose or time = none."""
        parts = tuple(name.split("+"))
        kind = "efficacy" if self.goal.intent == "panel" else "synergy" if len(parts) > 1 else "response"
        return Hypothesis(
            perturbations=parts,
            dose=None if dose is None else _none(dose),
            time_h=None if time_h is None else _none(time_h),
            readout=wanted.readout.variable,
            direction=wanted.direction,
            kind=kind,  # type: ignore[arg-type]
            mechanism=mechanism[:600],
            origin=origin,
            conjecture=True,
        )

    def unstaked(self, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
        """Those that no claim of the ledger says already."""
        return [h for h in hypotheses if h.line not in self.staked]

    def fresh(self, conditions: pd.DataFrame, wanted: ReadoutGoal) -> np.ndarray:
        """(n,) bool: rows of which no claim of the ledger speaks yet."""
        staked = {(line[0], line[1], line[2]) for line in self.staked if line[3:] == (_name(wanted), wanted.direction)}
        if not staked:
            return np.ones(len(conditions), bool)
        rows = conditions[["perturbation", "dose", "time_h"]].itertuples(index=False)
        return np.array([(tuple(sorted(str(p).split("+"))), _none(d), _none(t)) not in staked for p, d, t in rows])


def _name(wanted: ReadoutGoal) -> str:
    return wanted.readout.variable


def _none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def sign(wanted: ReadoutGoal) -> int:
    return 1 if wanted.direction == "up" else -1


def ranked(score: Array) -> list[int]:
    """Places of finite scores, best first, ``EACH`` at most; ties in order."""
    return [int(i) for i in np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable") if np.isfinite(score[i])][
        :EACH
    ]

"""A mixed-integer programme, written column by column and row by row, solved by HiGHS (Huangfu and Hall 2018,
doi:10.1007/s12532-017-0130-5)."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import CytocruxError

GAP = 1e-4  # relative; a solution within it counts as the optimum
INTEGRAL = 1e-6


@dataclass(frozen=True)
class Answer:
    """values: one a column, None where no feasible point was found. bound: no point scores more."""

    values: list[float] | None
    score: float
    bound: float
    status: str
    optimal: bool
    seconds: float


@dataclass
class Programme:
    """maximise gains x, subject to lower <= rows x <= upper, over columns with bounds."""

    gains: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[bool] = field(default_factory=list)
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)

    def column(self, gain: float, *, lower: float = 0.0, upper: float = math.inf, integer: bool = False) -> int:
        """A new variable; returns its index."""
        self.gains.append(gain)
        self.lower.append(lower)
        self.upper.append(upper)
        self.integer.append(integer)
        return len(self.gains) - 1

    def row(self, terms: Mapping[int, float], *, lower: float = -math.inf, upper: float = math.inf) -> None:
        """A new constraint over column index -> coefficient."""
        self.rows.append((dict(terms), lower, upper))

    def maximise(self, *, time_limit_s: float, seed: int = 0) -> Answer:
        """Solve on one thread. Raises CytocruxError where HiGHS fails for another reason than time or infeasibility."""
        import highspy

        started = time.perf_counter()
        solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("random_seed", seed)
        solver.setOptionValue("mip_rel_gap", GAP)
        solver.setOptionValue("time_limit", float(time_limit_s))
        model = self._model(highspy)
        relaxed = self._relaxed(highspy, model, started)
        if relaxed is not None:
            return relaxed
        model.integrality_ = [highspy.HighsVarType.kInteger if i else highspy.HighsVarType.kContinuous
                              for i in self.integer]  # fmt: skip
        solver.passModel(model)
        solver.run()
        status = solver.getModelStatus()
        info = solver.getInfo()
        seconds = time.perf_counter() - started
        kinds = highspy.HighsModelStatus
        if status == kinds.kInfeasible:
            return Answer(None, -math.inf, -math.inf, "infeasible", True, seconds)
        if status not in (kinds.kOptimal, kinds.kTimeLimit):
            raise CytocruxError("The cascade's integer programme failed", why=solver.modelStatusToString(status))
        bound = float(info.mip_dual_bound)
        if not math.isfinite(info.objective_function_value) or abs(info.objective_function_value) > 1e20:
            return Answer(None, -math.inf, bound, "time limit, no solution found", False, seconds)
        optimal = bool(status == kinds.kOptimal)
        word = "optimal" if optimal else f"time limit of {time_limit_s:g} s: the best found so far"
        values = list(solver.getSolution().col_value)
        return Answer(values, float(info.objective_function_value), bound, word, optimal, seconds)

    def _relaxed(self, highspy: Any, model: Any, started: float) -> Answer | None:
        """The linear relaxation, where its optimum is integral anyway (it often is, and costs a tenth); else None."""
        solver: Any = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("time_limit", 5.0)
        solver.passModel(model)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        values = list(solver.getSolution().col_value)
        if any(i and abs(v - round(v)) > INTEGRAL for v, i in zip(values, self.integer, strict=True)):
            return None
        score = float(solver.getInfo().objective_function_value)
        return Answer(values, score, score, "optimal", True, time.perf_counter() - started)

    def _model(self, highspy: Any) -> Any:
        import numpy as np

        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.gains), len(self.rows)
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = map(np.array, (self.gains, self.lower, self.upper))
        lp.row_lower_ = np.array([lower for _, lower, _ in self.rows])
        lp.row_upper_ = np.array([upper for _, _, upper in self.rows])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(terms) for terms, _, _ in self.rows)])
        lp.a_matrix_.index_ = np.array([i for terms, _, _ in self.rows for i in terms], dtype=np.int32)
        lp.a_matrix_.value_ = np.array([v for terms, _, _ in self.rows for v in terms.values()])
        return lp

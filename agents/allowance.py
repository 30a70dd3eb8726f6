"""What the limits of a budget leave for the coming experiment, in wells; the tightest limit binds and is named.

Plates count whole, by the layout that the wells would take (``tools/lab/plates.py``): their rim stays empty, and an
experiment opens new plates. Lab money is wells and plates at the lab's prices, or at those that the budget names.
Days are the lab's for one experiment, times the experiments. What was spent is read from the ledger, so that no
restart and no mind can change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..knowledge.claims import ArmRequest, Design
from ..knowledge.ledger import Ledger
from ..tools.lab.plates import FORMATS, capacity, lay_out
from ..tools.lab.protocol import Capabilities
from ..world_model.errors import BadInput, NotAllowed
from .budget import PLATE, Budget

SLACK = 1e-9  # of a budget in numbers with a fraction


@dataclass(frozen=True)
class Allowance:
    """wells: the most that the coming experiment may have; because: the limit that binds, in words; kind: which."""

    wells: int
    because: str
    kind: str = "wells"


@dataclass(frozen=True)
class Purse:
    """One campaign's limits with the experiments it has run. wells_spent: as revealed (a lab may run short)."""

    budget: Budget
    lab: Capabilities
    runs: tuple[Design, ...] = ()
    wells_spent: int = 0

    @classmethod
    def of(cls, ledger: Ledger, campaign: str, budget: Budget, lab: Capabilities) -> Purse:
        runs = [Design.model_validate(e.payload["design"]) for e in ledger.events("run_submitted", campaign=campaign)]
        reveals = ledger.events("wells_revealed", campaign=campaign)
        return cls(budget, lab, tuple(runs), sum(len(e.payload["wells"]) for e in reveals))

    @property
    def days_each(self) -> float:
        """Days of one experiment."""
        return self.lab.days_per_cycle if self.budget.days_per_cycle is None else self.budget.days_per_cycle

    def prices(self) -> tuple[float, float]:
        """(USD a well, USD a plate). Raises BadInput for a budget of money where no price is known."""
        well = self.lab.usd_per_well if self.budget.usd_per_well is None else self.budget.usd_per_well
        plate = self.lab.usd_per_plate if self.budget.usd_per_plate is None else self.budget.usd_per_plate
        if not well and not plate:
            raise BadInput(
                f"The {self.lab.name} lab has no prices, so lab_usd would limit nothing",
                cure="name them, as in lab_usd=500,usd_per_well=4,usd_per_plate=30, or drop lab_usd",
            )
        return well or 0.0, plate or 0.0

    def plates_of(self, arms: Sequence[ArmRequest], seed: int) -> int:
        """Raises BadInput for an arm that no plate holds."""
        return lay_out(arms, wells=self.budget.plate, seed=seed).plates

    def price_of(self, arms: Sequence[ArmRequest], seed: int) -> float:
        """USD of an experiment."""
        well, plate = self.prices()
        return well * sum(a.n for a in arms) + (plate * self.plates_of(arms, seed) if plate else 0.0)

    def plates_left(self) -> int:
        assert self.budget.plates is not None  # asked only of a budget of plates
        return max(0, self.budget.plates - sum(self.plates_of(d.arms, d.seed) for d in self.runs))

    def usd_left(self) -> float:
        assert self.budget.lab_usd is not None  # asked only of a budget of money
        return max(0.0, self.budget.lab_usd - sum(self.price_of(d.arms, d.seed) for d in self.runs))

    def limits(self) -> list[Allowance]:
        """What each limit alone would leave for the coming experiment. Raises BadInput where money has no prices."""
        budget = self.budget
        left = max(0, budget.wells - self.wells_spent)
        found = [Allowance(left, _said(f"{budget.wells} wells", left if self.wells_spent else None, "wells"))]
        if budget.plates is not None:
            inner, left = capacity(self.budget.plate or PLATE), self.plates_left()
            whole = f"{budget.plates} plate{'s' * (budget.plates != 1)} of {self.budget.plate}"
            found.append(Allowance(inner * left, f"the budget of {whole} allows {inner * left} inner wells", "plates"))
        if budget.lab_usd is not None:
            n, left_usd = self._affordable(), self.usd_left()
            rest = f" has {left_usd:g} left, which" if self.runs else ""
            found.append(
                Allowance(n, f"the budget of {budget.lab_usd:g} USD for the lab{rest} allows {n} wells", "lab_usd")
            )
        if budget.days is not None:
            over = budget.days - self.days_each * (len(self.runs) + 1) < -SLACK
            if over:
                days = f"{self.days_each:g} day{'s' * (self.days_each != 1)}"
                found.append(
                    Allowance(0, f"the budget of {budget.days:g} days leaves no {days} for an experiment", "days")
                )
        return found

    def allowance(self) -> Allowance:
        """The tightest limit; of equal ones the first named above."""
        return min(self.limits(), key=lambda a: a.wells)

    def refusal(self, arms: Sequence[ArmRequest], seed: int = 0) -> str:
        """Why an experiment of these arms would pass a limit; "" where it passes none."""
        tightest, n = self.allowance(), sum(a.n for a in arms)
        if n > tightest.wells:
            return f"{n} wells asked for, and {tightest.because}"
        try:
            if self.budget.plates is not None and (k := self.plates_of(arms, seed)) > self.plates_left():
                return f"{k} plates of {self.budget.plate} asked for, {self.plates_left()} left of {self.budget.plates}"
            if self.budget.lab_usd is not None and (usd := self.price_of(arms, seed)) > self.usd_left() + SLACK:
                return f"{usd:g} USD asked for, {self.usd_left():g} left of {self.budget.lab_usd:g}"
        except BadInput as error:
            return str(error)
        return ""

    def require(self, design: Design) -> None:
        """Raises NotAllowed for an experiment that would pass a limit."""
        why = self.refusal(design.arms, design.seed)
        if why:
            raise NotAllowed("The experiment would pass the budget", why=why, cure="ask for fewer wells")

    def require_one(self) -> None:
        """Raises BadInput where the budget does not reach for a single well."""
        allowed = self.allowance()
        if allowed.wells < 1:
            raise BadInput("The budget allows no experiment at all", why=allowed.because, cure="raise that limit")

    def _affordable(self) -> int:
        """Wells that the money left buys at best, on plates filled to the rim's inside."""
        (well, plate), left = self.prices(), self.usd_left() + SLACK
        if not plate:
            return int(left / well)
        inner = capacity(self.budget.plate or max(FORMATS))
        full = int(left / (well * inner + plate))
        rest = left - full * (well * inner + plate) - plate
        more = (inner if not well else min(inner, int(rest / well))) if rest >= 0 else 0
        return full * inner + more


def _said(whole: str, left: int | None, unit: str) -> str:
    if left is None:
        return f"the budget allows {whole}"
    return f"the budget of {whole} is spent" if left == 0 else f"the budget of {whole} has {left} {unit} left"

"""What the researcher wants, typed: the output of the first decision of every mind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..world_model.vocabulary import Context, Frozen, PerturbationKind, Readout

Intent = Literal["panel", "response", "interaction"]
# panel: which compounds should work here; response: which perturbation, dose, time moves a readout;
# interaction: which single perturbations move a readout, and which pairs do more than their sum.

Line = tuple[tuple[str, ...], float | None, float | None, str, str]  # perturbations, dose, time, readout, direction


class ReadoutGoal(Frozen):
    """A readout and the wanted direction. role 'follow' = does it move too, as a consequence."""

    readout: Readout
    direction: Literal["up", "down"]
    role: Literal["primary", "follow"] = "primary"


class Exclusion(Frozen):
    """A compound or mechanism class ruled out, with the table field or the words that rule it out."""

    what: str
    because: str


class Goal(Frozen):
    """A question made precise. ``candidates``: perturbation names to choose from (empty = all of the data set)."""

    question: str
    intent: Intent
    dataset: str
    context: Context
    surrogate: str | None = None  # measured line standing in for the patient, known to the lab alone
    disease: str | None = None
    readouts: tuple[ReadoutGoal, ...] = Field(min_length=1)
    kind: PerturbationKind
    candidates: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    max_items: int = Field(default=8, ge=1, le=50)
    min_classes: int = Field(default=4, ge=1)
    doses: tuple[float, ...] = ()  # of the data set's, in its unit; empty = all
    times_h: tuple[float, ...] = ()  # of the data set's, in hours; empty = all
    assumptions: tuple[str, ...] = ()  # what was taken for granted, in words
    unplaced: tuple[str, ...] = ()  # words of the question or table fields that found no use


class Hypothesis(Frozen):
    """A proposal before code turns it into a claim: names and words only, no numbers but dose and time."""

    perturbations: tuple[str, ...] = Field(min_length=1)
    dose: float | None = Field(default=None, ge=0)
    time_h: float | None = Field(default=None, ge=0)
    readout: str
    direction: Literal["up", "down"]
    kind: Literal["efficacy", "response", "synergy", "mechanism"]
    mechanism: str = Field(default="", max_length=600)
    refuted_by: str = Field(default="", max_length=300)
    origin: str = "builtin"
    cites: tuple[int, ...] = ()  # ledger entries of the researcher's notes that speak of it
    conjecture: bool = False  # put forward by a source for a reason of its own: may be staked at less than even odds

    @property
    def line(self) -> Line:
        """What it says of which arm: two hypotheses of one line are the same, whoever proposes them."""
        return (tuple(sorted(self.perturbations)), self.dose, self.time_h, self.readout, self.direction)

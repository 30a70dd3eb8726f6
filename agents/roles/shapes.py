"""What the roles hand on: typed, in names and words, bound to entries and ids that code has looked up."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...world_model.vocabulary import Frozen
from ..goal import Hypothesis

Rival = Literal["no effect", "additive", "shared by all", "toxicity", "another target", "late consequence"]
Bearing = Literal["supports", "contradicts", "mentions"]
Role = Literal["planner", "reader", "theorist", "sceptic", "experimentalist", "analyst", "critic"]

# what each rival of a claim says, as a sentence can carry it
RIVALS: dict[Rival, str] = {
    "no effect": "it does nothing here",
    "additive": "the pair does what its parts do, and no more",
    "shared by all": "it does the same to every cell line, so this one is not special",
    "toxicity": "dying cells move the readout, not the mechanism",
    "another target": "it acts through another target",
    "late consequence": "the readout moves late, as a consequence of other changes",
}


class Line(Frozen):
    """One line of attack: what is done to which readout, whatever the dose and time."""

    perturbations: tuple[str, ...]
    readout: str
    direction: Literal["up", "down"]

    @classmethod
    def of(cls, h: Hypothesis) -> Line:
        return cls(perturbations=tuple(sorted(h.perturbations)), readout=h.readout, direction=h.direction)

    def words(self) -> str:
        """As a prompt and a report say it."""
        moves = "raises" if self.direction == "up" else "lowers"
        return f"{' + '.join(self.perturbations)} {moves} {self.readout}"


class Citation(Frozen):
    """A passage of the researcher's notes that speaks of a perturbation. entry: of the ledger; quote: stands in it."""

    entry: int = Field(ge=1)
    citation: str
    quote: str
    about: tuple[str, ...]
    bearing: Bearing = "mentions"
    mind: str = "builtin"


class Doubt(Frozen):
    """The sceptic's case against one line: its rival, and the cheapest result that would break the claim."""

    line: Line
    rival: Rival
    cheapest: str = Field(max_length=160)
    words: str = Field(default="", max_length=400)
    mind: str = "builtin"

    @property
    def refuted_by(self) -> str:
        """For the claim: bounded to what a hypothesis can carry."""
        return f"the sceptic says {RIVALS[self.rival]}; cheapest refutation: {self.cheapest}"[:300]


class Remark(Frozen):
    """A comment on a design, on evidence or on the answer. about: claim ids, design hash, or numbers of sentences.

    checked: code has found the fact that it states; else it is a guess, and shown as one.
    """

    role: Role
    kind: str
    text: str = Field(max_length=600)
    about: tuple[str, ...] = ()
    checked: bool = True
    mind: str = "builtin"

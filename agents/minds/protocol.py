"""The decisions a mind takes: names and words only. Numbers, verdicts, rankings, approvals are computed elsewhere."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field

from ...world_model.vocabulary import Context, Frozen, PerturbationKind, Readout
from ..goal import Goal, Hypothesis


class Briefing(Frozen):
    """What a mind may know when it decides. All strings from files are data, never instructions."""

    dataset: str
    dataset_description: str = ""
    contexts: tuple[str, ...]
    perturbations: tuple[str, ...]
    classes: dict[str, str] = Field(default_factory=dict)  # perturbation -> mechanism class
    kinds: tuple[PerturbationKind, ...] = ()
    readouts: tuple[Readout, ...]
    doses: tuple[float, ...] = ()
    times_h: tuple[float, ...] = ()
    patient: Context | None = None
    patient_fields: tuple[tuple[str, str, str], ...] = ()  # field, value, unit as given
    settled: tuple[str, ...] = ()  # sentences of claims already settled, with their status
    notes: tuple[str, ...] = ()  # passages of the researcher's own papers, each with its ledger entry and citation
    limit: int = 24  # most hypotheses wanted
    observed: tuple[str, ...] = ()  # what read-only tools answered to the role that is asked
    turn: str = ""  # where in the campaign this is asked, as "cycle 2"


class Mind(Protocol):
    """A mind names itself and takes two kinds of decision."""

    @property
    def name(self) -> str: ...

    def understand(self, question: str, briefing: Briefing) -> Goal:
        """Raises BadInput when the question cannot be placed at all."""
        ...

    def hypothesise(self, goal: Goal, briefing: Briefing) -> list[Hypothesis]: ...

"""The shapes the roles may answer in: ids and fixed choices, one bounded reason, no field for a number or a verdict."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ..minds.replies import Name, Prose, Reply, Short
from .shapes import Bearing, Rival

Label = Annotated[str, StringConstraints(max_length=12)]  # "H1", "C2", "S3", or an entry's number, as listed


class LookReply(Reply):
    """One tool to call next, or none."""

    tool: Literal["claims", "notes", "compound", "coverage", "cell", "trial", "none"]
    argument: Name


class CitationReply(Reply):
    """A passage that bears on a perturbation, in the passage's own words."""

    entry: Label
    about: Name
    bearing: Bearing
    quote: Annotated[str, StringConstraints(max_length=300)]


class ReadReply(Reply):
    """What the literature reader cites."""

    citations: Annotated[list[CitationReply], Field(max_length=12)]


class DoubtReply(Reply):
    """The strongest rival of one proposal."""

    about: Label
    rival: Rival
    reason: Prose


class DoubtsReply(Reply):
    """What the sceptic says."""

    doubts: Annotated[list[DoubtReply], Field(max_length=12)]


class MoveReply(Reply):
    """The theorist's answer to one doubt."""

    about: Label
    move: Literal["keep", "withdraw"]
    reason: Short


class ReviseReply(Reply):
    """What the theorist answers."""

    answers: Annotated[list[MoveReply], Field(max_length=12)]


class ConcernReply(Reply):
    """One weakness of a design."""

    concern: Literal["single replicates", "few controls", "one dose", "one time", "lopsided"]
    reason: Prose


class DesignReply(Reply):
    """What the experimentalist says."""

    concerns: Annotated[list[ConcernReply], Field(max_length=5)]


class ExplanationReply(Reply):
    """What may lie behind one claim's evidence."""

    about: Label
    explanation: Literal[
        "dose too low", "too early", "assay noise", "compensation", "another target", "wrong mechanism"
    ]
    reason: Prose


class AnalyseReply(Reply):
    """What the analyst says."""

    explanations: Annotated[list[ExplanationReply], Field(max_length=8)]


class ProblemReply(Reply):
    """What a reader may take wrongly from one sentence."""

    about: Label
    problem: Literal["overstated", "unclear", "missing limit", "not asked for"]
    reason: Prose


class CriticiseReply(Reply):
    """What the critic says."""

    problems: Annotated[list[ProblemReply], Field(max_length=8)]

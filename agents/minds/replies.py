"""The shapes a language model may answer in: bounded words and fixed choices, no field for a number."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ..goal import Intent

Name = Annotated[str, StringConstraints(max_length=80)]
Short = Annotated[str, StringConstraints(max_length=120)]
Prose = Annotated[str, StringConstraints(max_length=400)]
Relation = Literal[
    "binds", "inhibits", "activates", "phosphorylates", "transcribes", "represses", "degrades", "is similar to"
]


class Reply(BaseModel):
    """An unknown field is an error: nothing slips through."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadoutReply(Reply):
    name: Name
    direction: Literal["up", "down"]
    role: Literal["primary", "follow"]


class QuotedName(Reply):
    """A name and the words of the question behind it."""

    what: Name
    quote: Short


class UnderstandReply(Reply):
    """What a question is about."""

    intent: Intent
    context: Name
    readouts: Annotated[list[ReadoutReply], Field(max_length=12)]
    candidates: Annotated[list[QuotedName], Field(max_length=40)]
    exclusions: Annotated[list[QuotedName], Field(max_length=20)]
    disease: Short
    unplaced: Annotated[list[Name], Field(max_length=20)]


class EdgeReply(Reply):
    """One step of a mechanism."""

    source: Name
    relation: Relation
    target: Name


class HypothesisReply(Reply):
    """One proposal; dose and time are words to be found among the measured ones."""

    perturbations: Annotated[list[Name], Field(min_length=1, max_length=2)]
    dose: Annotated[str, StringConstraints(max_length=20)]
    time: Annotated[str, StringConstraints(max_length=20)]
    readout: Name
    direction: Literal["up", "down"]
    kind: Literal["efficacy", "response", "synergy", "mechanism"]
    mechanism: Annotated[list[EdgeReply], Field(max_length=6)]
    reason: Prose


class HypothesiseReply(Reply):
    """All proposals of one decision."""

    hypotheses: Annotated[list[HypothesisReply], Field(max_length=48)]

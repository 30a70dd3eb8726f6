"""What a hit campaign's question is about, in the words of the vocabulary: the one decision a mind takes in it.

The words are added to the question; which genes they name, and what each is worth, is looked up by code. So a model
may widen what the prior looks at, and can neither name a gene nor take a word of the question away.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...prompts.render import render
from ...world_model.concepts import concepts, concepts_in
from ..llm.failure import LLMFailure
from .asking import Asker, Question
from .ground import Refusals
from .replies import Name, Reply

MOST = 6


class ConceptsReply(Reply):
    """Words of the vocabulary."""

    concepts: Annotated[list[Name], Field(max_length=12)]


def widened(question: str, asker: Asker, turn: str = "start") -> str:
    """The question, and the words that the model adds; the question alone where it has none to add."""
    words = vocabulary()
    prompt = render("concepts", concepts=list(words), question=question)
    choices = {"ConceptsReply.concepts": list(words)}

    def use(reply: ConceptsReply, refusals: Refusals) -> list[str]:
        for said in reply.concepts:
            if said not in words:
                refusals.note(f"{said!r}: not a word of the vocabulary")
        found = list(dict.fromkeys(w for w in reply.concepts if w in words))[:MOST]
        if not found:
            raise LLMFailure("invalid", "no word of the vocabulary is named")
        return found

    asked = Question("concepts", "planner", prompt, ConceptsReply, choices, turn)
    named = asker.decide(asked, use) or []
    own = concepts_in(question)
    more = [w for w in named if words[w] not in own]
    return f"{question} ({', '.join(more)})" if more else question


def vocabulary() -> dict[str, str]:
    """Plain words -> concept, for those concepts whose own name is found again when it stands in a question."""
    plain = {name.replace("_", " "): name for name in concepts()}
    return {word: name for word, name in plain.items() if name in concepts_in(word)}

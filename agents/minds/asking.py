"""One decision of a language model: ask, read, resolve, record; or say why not, so that the built-in mind decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from ...prompts.render import Prompt, clean, render
from ...world_model.vocabulary import Frozen
from ..llm.client import Answer, LLMClient, T
from ..llm.failure import LLMFailure
from .ground import Refusals
from .narrow import Choices, narrowed

R = TypeVar("R")
GIVEN_UP = 3  # failures of the endpoint in a row after which only the two great decisions still ask it
UNREACHED = ("connection", "timeout", "rate_limit", "server")

DecisionKind = Literal[
    "understand", "look", "read", "hypothesise", "doubt", "revise", "design", "analyse", "criticise", "concepts"
]


class DecisionRecord(Frozen):
    """One decision: who took it, at what cost, and what of the model's answer was turned down."""

    decision: DecisionKind
    mind: str
    role: str = ""
    turn: str = ""  # where in the campaign
    fallback: bool = False
    reason: str = ""  # why the fallback mind decided
    model: str = ""
    prompt: str = ""  # template and its version
    prompt_hash: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    attempts: int = 0
    refused: tuple[str, ...] = ()  # names and choices turned down, each with its reason
    cut: int = 0  # sentences cut for a number, a verdict or an unknown name


@dataclass(frozen=True)
class Question(Generic[T]):
    """What a role is asked. turn: where in the campaign, "" = nowhere (the answer is then not kept for a resume)."""

    decision: DecisionKind
    role: str
    prompt: Prompt
    shape: type[T]
    choices: Choices = field(default_factory=dict)
    turn: str = ""
    singles: tuple[str, ...] = ()  # lists that may hold one item only


@dataclass
class Asker:
    """Asks one endpoint for all roles. fallback: name of the mind that decides where the model does not."""

    client: LLMClient
    fallback: str
    on_decision: Callable[[DecisionRecord], None]
    brief: bool = False
    _unreached: int = 0  # failures of the endpoint in a row

    @property
    def name(self) -> str:
        return f"llm:{self.client.name}"

    def decide(self, question: Question[T], use: Callable[[T, Refusals], R]) -> R | None:
        """What ``use`` makes of the model's answer; None where there is no usable one. Recorded either way.

        ``use`` may raise LLMFailure where nothing of the answer is left.
        """
        refusals, answer = Refusals(), None
        try:
            answer = self._ask(question)
            found = use(answer.value, refusals)
        except LLMFailure as failure:
            self._unreached = self._unreached + 1 if failure.kind in UNREACHED else 0
            self._record(question, answer, refusals, failure)
            return None
        self._unreached = 0
        self._record(question, answer, refusals, None)
        return found

    def _ask(self, question: Question[T]) -> Answer[T]:
        if self._unreached >= GIVEN_UP and question.decision not in ("understand", "hypothesise"):
            raise LLMFailure("connection", f"the endpoint failed {self._unreached} times in a row; not asked")
        prompt = question.prompt
        return self.client.ask(
            question.role,
            prompt.system,
            prompt.user,
            question.shape,
            lambda problem: render("repair", problem=problem).user,
            schema=narrowed(question.shape, question.choices, brief=self.brief, singles=question.singles),
            key=f"{question.decision}/{question.role}/{question.turn}" if question.turn else "",
        )

    def _record(
        self, question: Question[T], answer: Answer[Any] | None, refusals: Refusals, failure: LLMFailure | None
    ) -> None:
        spent, prompt = answer or failure, question.prompt
        self.on_decision(
            DecisionRecord(
                decision=question.decision,
                mind=self.name if failure is None else self.fallback,
                role=question.role,
                turn=question.turn,
                fallback=failure is not None,
                reason="" if failure is None else clean(f"{failure.kind}: {failure.why}")[:300],
                model=answer.model if answer else self.client.model_for(question.role),
                prompt=f"{prompt.name}@{prompt.version}",
                prompt_hash=prompt.hash,
                tokens_in=spent.tokens_in if spent else 0,
                tokens_out=spent.tokens_out if spent else 0,
                attempts=spent.attempts if spent else 0,
                refused=tuple(refusals.notes),
                cut=refusals.cut,
            )
        )

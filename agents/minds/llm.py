"""The mind of a language model: it names and words; code resolves, checks, counts and falls back.

From the model come names (resolved or refused), fixed choices and bounded words. No number, verdict, ranking,
budget or approval is read from it. Where it fails, the fallback mind decides, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ...prompts.render import Prompt, clean, render
from ...world_model.errors import BadInput
from ...world_model.vocabulary import Frozen
from ..goal import Goal, Hypothesis
from ..llm.client import Answer, LLMClient, T
from ..llm.failure import LLMFailure
from .draft_goal import draft_goal
from .draft_hypotheses import draft_hypotheses
from .ground import Refusals
from .prompting import hypothesise_values, understand_values
from .protocol import Briefing, Mind
from .replies import HypothesiseReply, UnderstandReply
from .resolve import Names, Vocabulary


class DecisionRecord(Frozen):
    """One decision: who took it, at what cost, and what of the model's answer was turned down."""

    decision: Literal["understand", "hypothesise"]
    mind: str
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


@dataclass
class LLMMind:
    """A mind behind an OpenAI-compatible endpoint.

    fallback: decides where the model fails; on_decision: told of every decision; also_known: gene names that
    mechanisms may use beside those of the data set and the patient.
    """

    client: LLMClient
    fallback: Mind
    on_decision: Callable[[DecisionRecord], None]
    also_known: Iterable[str] = ()

    def __post_init__(self) -> None:
        self._genes = Names(self.also_known, "gene")

    @property
    def name(self) -> str:
        return f"llm:{self.client.name}"

    def understand(self, question: str, briefing: Briefing) -> Goal:
        """The goal as the model reads the question. Raises BadInput where neither mind can place it."""
        base, problem = self._base(question, briefing)
        words = Vocabulary(briefing, self._genes)
        prompt = render("understand", **understand_values(question, briefing))
        refusals = Refusals()
        answer: Answer[UnderstandReply] | None = None
        try:
            answer = self._ask("planner", prompt, UnderstandReply)
            goal = draft_goal(answer.value, question, briefing, words, base, refusals)
        except LLMFailure as failure:
            self._record("understand", prompt, answer, refusals, failure)
            if base is None:
                raise problem or failure from None
            return base
        self._record("understand", prompt, answer, refusals, None)
        return goal

    def hypothesise(self, goal: Goal, briefing: Briefing) -> list[Hypothesis]:
        """The model's proposals over every measured dose and time, or the fallback mind's."""
        words = Vocabulary(briefing, self._genes)
        prompt = render("hypothesise", **hypothesise_values(goal, briefing, words))
        refusals = Refusals()
        answer: Answer[HypothesiseReply] | None = None
        try:
            answer = self._ask("theorist", prompt, HypothesiseReply)
            found = draft_hypotheses(answer.value, goal, briefing, words, refusals, origin=self.name)
        except LLMFailure as failure:
            self._record("hypothesise", prompt, answer, refusals, failure)
            return self.fallback.hypothesise(goal, briefing)
        self._record("hypothesise", prompt, answer, refusals, None)
        return found

    def _base(self, question: str, briefing: Briefing) -> tuple[Goal | None, BadInput | None]:
        """The fallback mind's reading: what the model says is laid over it."""
        try:
            return self.fallback.understand(question, briefing), None
        except BadInput as problem:
            if not question.strip():
                raise
            return None, problem

    def _ask(self, role: str, prompt: Prompt, shape: type[T]) -> Answer[T]:
        return self.client.ask(
            role, prompt.system, prompt.user, shape, lambda problem: render("repair", problem=problem).user
        )

    def _record(
        self,
        decision: Literal["understand", "hypothesise"],
        prompt: Prompt,
        answer: Answer[Any] | None,
        refusals: Refusals,
        failure: LLMFailure | None,
    ) -> None:
        spent = answer or failure
        self.on_decision(
            DecisionRecord(
                decision=decision,
                mind=self.name if failure is None else self.fallback.name,
                fallback=failure is not None,
                reason="" if failure is None else clean(f"{failure.kind}: {failure.why}")[:300],
                model=answer.model if answer else self.client.name,
                prompt=f"{prompt.name}@{prompt.version}",
                prompt_hash=prompt.hash,
                tokens_in=spent.tokens_in if spent else 0,
                tokens_out=spent.tokens_out if spent else 0,
                attempts=spent.attempts if spent else 0,
                refused=tuple(refusals.notes),
                cut=refusals.cut,
            )
        )

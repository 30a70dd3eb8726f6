"""The mind of a language model: it names and words; code resolves, checks, counts and falls back.

From the model come names (resolved or refused), fixed choices and bounded words. No number, verdict, ranking,
budget or approval is read from it. Where it fails, the fallback mind decides, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...prompts.render import render
from ...world_model.errors import BadInput
from ..goal import Goal, Hypothesis
from ..llm.client import LLMClient
from .asking import Asker, DecisionRecord, Question
from .choices import hypothesise_choices, understand_choices
from .draft_goal import draft_goal
from .draft_hypotheses import draft_hypotheses
from .prompting import hypothesise_values, understand_values
from .protocol import Briefing, Mind
from .replies import HypothesiseReply, UnderstandReply
from .resolve import Names, Vocabulary

__all__ = ["DecisionRecord", "LLMMind"]


@dataclass
class LLMMind:
    """A mind behind an OpenAI-compatible endpoint.

    fallback: decides where the model fails; on_decision: told of every decision; also_known: gene names that
    mechanisms may use beside those of the data set and the patient; brief: short lists for a small model.
    """

    client: LLMClient
    fallback: Mind
    on_decision: Callable[[DecisionRecord], None]
    also_known: Iterable[str] = ()
    brief: bool = False

    def __post_init__(self) -> None:
        self.genes = Names(self.also_known, "gene")
        self.asker = Asker(self.client, self.fallback.name, self.on_decision, self.brief)

    @property
    def name(self) -> str:
        return self.asker.name

    def understand(self, question: str, briefing: Briefing) -> Goal:
        """The goal as the model reads the question. Raises BadInput where neither mind can place it."""
        base, problem = self._base(question, briefing)
        words = Vocabulary(briefing, self.genes)
        values = understand_values(question, briefing, brief=self.brief)
        asked = Question(
            "understand", "planner", render("understand", **values), UnderstandReply,
            understand_choices(values, question, briefing, brief=self.brief), briefing.turn,
        )  # fmt: skip
        goal = self.asker.decide(
            asked, lambda reply, no: draft_goal(reply, question, briefing, words, base, no, keep=self.brief)
        )
        if goal is None and base is None:
            raise problem or BadInput("The question cannot be placed", cure="name a context and a readout")
        return goal or base  # type: ignore[return-value]  # one of the two is there

    def hypothesise(self, goal: Goal, briefing: Briefing) -> list[Hypothesis]:
        """The model's proposals over every measured dose and time, or the fallback mind's."""
        words = Vocabulary(briefing, self.genes)
        values = hypothesise_values(goal, briefing, words, brief=self.brief)
        asked = Question(
            "hypothesise", "theorist", render("hypothesise", **values), HypothesiseReply,
            hypothesise_choices(values, words), briefing.turn,
            () if goal.intent == "interaction" and words.combinations else ("HypothesisReply.perturbations",),
        )  # fmt: skip
        found = self.asker.decide(
            asked, lambda reply, no: draft_hypotheses(reply, goal, briefing, words, no, origin=self.name)
        )
        return found or self.fallback.hypothesise(goal, briefing)

    def _base(self, question: str, briefing: Briefing) -> tuple[Goal | None, BadInput | None]:
        """The fallback mind's reading: what the model says is laid over it."""
        try:
            return self.fallback.understand(question, briefing), None
        except BadInput as problem:
            if not question.strip():
                raise
            return None, problem

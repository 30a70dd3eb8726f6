"""500 requests to a server that is nearly always broken: is everything decided, is any budget overrun?"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..agents.goal import Goal
from ..agents.llm.budget import Limits
from ..agents.llm.client import Options, open_client
from ..agents.llm.scripted import ScriptedServer
from ..agents.minds.builtin import BuiltinMind
from ..agents.minds.llm import DecisionRecord, LLMMind
from ..agents.minds.protocol import Briefing
from .mind_models import faults

CALLS = 500
TIMEOUT_S = 0.15
EACH = Limits(calls=20, tokens=400_000)  # of one mind: small, so that budgets end while faults go on


@dataclass
class Told:
    """calls: requests that reached the server. undecided: decisions that gave neither a goal nor hypotheses."""

    calls: int = 0
    minds: int = 0
    decisions: int = 0
    undecided: int = 0
    fallbacks: int = 0
    refused: int = 0
    overruns: int = 0
    counted: dict[str, int] = field(default_factory=dict)


def fault_server(briefing: Briefing, question: str, calls: int = CALLS) -> Told:
    """Mind after mind with a small budget each, until the server has seen ``calls`` requests."""
    told = Told()
    with ScriptedServer(faults(7, TIMEOUT_S, told.counted)) as server:
        while len(server.requests) < calls:
            before = len(server.requests)
            _one_mind(server.url, briefing, question, told)
            told.minds += 1
            told.overruns += len(server.requests) - before > (EACH.calls or 0)
        told.calls = len(server.requests)
    return told


def _one_mind(url: str, briefing: Briefing, question: str, told: Told) -> None:
    records: list[DecisionRecord] = []
    options = Options(timeout_s=TIMEOUT_S, attempts=3, wait_s=0.01, max_tokens=2000)
    client = open_client(url, "scripted", limits=EACH, options=options)
    mind = LLMMind(client, BuiltinMind(), records.append)
    for _ in range(5):
        goal = mind.understand(question, briefing)
        told.undecided += not isinstance(goal, Goal) or not mind.hypothesise(goal, briefing)
    told.decisions += len(records)
    told.fallbacks += sum(r.fallback for r in records)
    told.refused += sum(r.reason.startswith("budget") for r in records)
    told.overruns += client.meter.spent.calls > (EACH.calls or 0)

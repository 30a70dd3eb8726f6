"""The loop on LangGraph: understand -> recall -> hypothesise -> … -> decide -> (again | report).

The roles stand between these steps: read, theorise, doubt and revise (the debate) before hypothesise, comment before
review, reflect after analyse, criticise after report.

Checkpoints lie in ``<workspace>/checkpoints.db``; durability is "sync", so a killed run goes on from the
step it died in, and the ledger's keys make that step's effects happen once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .nodes import LoopState, Nodes
from .session import Session

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

STEPS = (
    "understand", "recall", "read", "theorise", "doubt", "revise", "hypothesise", "prioritise", "design", "comment",
    "review", "execute", "collect", "analyse", "reflect", "update", "decide", "report", "criticise",
)  # fmt: skip
RECURSION_LIMIT = 20_000  # steps; the campaign's own budgets end it long before


@contextmanager
def compiled(session: Session) -> Iterator[CompiledStateGraph[Any, Any, Any, Any]]:
    """The graph bound to this session, with its checkpointer open."""
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    nodes = Nodes(session)
    graph = StateGraph(LoopState)
    for step in STEPS:
        graph.add_node(step, getattr(nodes, step))
    graph.add_edge(START, "understand")
    for one, two in [("understand", "recall"), ("recall", "read"), ("read", "theorise"), ("theorise", "doubt"),
                     ("revise", "doubt"), ("hypothesise", "prioritise"), ("design", "comment"), ("comment", "review"),
                     ("execute", "collect"), ("collect", "analyse"), ("analyse", "reflect"), ("reflect", "update"),
                     ("update", "decide"), ("report", "criticise"), ("criticise", END)]:  # fmt: skip
        graph.add_edge(one, two)
    graph.add_conditional_edges("doubt", _verdict, {"revise": "revise", "settle": "hypothesise"})
    graph.add_conditional_edges("prioritise", _verdict, {"design": "design", "report": "report"})
    graph.add_conditional_edges("review", _verdict, {"execute": "execute", "skip": "decide"})
    graph.add_conditional_edges("decide", _verdict, {"again": "theorise", "report": "report"})
    path = session.workspace / "checkpoints.db"
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        yield graph.compile(checkpointer=SqliteSaver(connection))
    finally:
        connection.close()


def config(session: Session) -> dict[str, Any]:
    """One thread per campaign."""
    return {"configurable": {"thread_id": session.campaign}, "recursion_limit": RECURSION_LIMIT}


def _verdict(state: LoopState) -> str:
    return state["verdict"]

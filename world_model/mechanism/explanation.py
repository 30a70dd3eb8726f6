"""An explanation: a small typed graph from perturbation to readouts, with what speaks for and against it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..network import EdgeKind
from ..vocabulary import Frozen

ExplanationKind = Literal["mechanistic", "semantic", "structural-statistical"]
NOT_BETTER = "no explanation better than chance"


class ExplainedReadout(Frozen):
    """A readout on a node. delta: measured change, signed as the node's activity; value: its call, -1, 0, +1.

    sign: -1 where the readout itself moves against the node (a phosphorylation that switches it off).
    """

    readout: str
    delta: float
    se: float = Field(ge=0)
    value: int
    sign: int = 1


class ExplainedNode(Frozen):
    """predicted: the sign the explanation gives the node (0: it says nothing); measured: the sign measured, if any."""

    name: str
    role: Literal["perturbation", "target", "node", "neighbour", "set"] = "node"
    predicted: int = 0
    measured: int | None = None
    layer: int = 0
    readouts: tuple[ExplainedReadout, ...] = ()

    @property
    def agrees(self) -> bool | None:
        """None where nothing was measured, or where the readout did not change and nothing was predicted."""
        if self.measured is None or (self.measured == 0 and self.predicted == 0):
            return None
        return self.measured == self.predicted


class ExplainedEdge(Frozen):
    """frequency: share of the near-optimal explanations with this edge. claim and status: its claim in the ledger."""

    source: str
    target: str
    sign: Literal[-1, 1]
    kind: EdgeKind
    reference: str = ""
    frequency: float = Field(default=1.0, ge=0, le=1)
    best: bool = True  # part of the best explanation (the others show the alternatives)
    claim: str = ""
    status: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.source, self.target, self.sign)

    @property
    def word(self) -> str:
        return f"{self.source} {'+>' if self.sign > 0 else '-|'} {self.target}"


class ControlSummary(Frozen):
    """One null: its scores beside ours. unproved: draws whose solve met the time limit (their bound was taken)."""

    name: str
    p: float = Field(ge=0, le=1)
    e: float | None = Field(default=None, ge=0)
    mean: float
    most: float
    n: int
    unproved: int = 0


class KnockOut(Frozen):
    """What the explanation says of the perturbation's effect on ``readout`` once ``node`` is removed.

    kept: share of the near-optimal explanations whose path to the readout avoids the node; expected: the change that
    is left, measured delta x kept.
    """

    node: str
    readout: str
    target: str
    delta: float
    kept: float = Field(ge=0, le=1)
    expected: float


class Explanation(Frozen):
    """score and possible: the objective and what explaining every change at no price would score. gap: relative gap of
    the solver. p: the largest over the controls. offered: p is at most the level under every control."""

    kind: ExplanationKind
    perturbation: str
    context: str = ""
    dose: float | None = None
    time_h: float | None = None
    network: str = ""
    offered: bool
    verdict: str
    score: float
    possible: float | None = None
    status: str = ""
    gap: float | None = None
    solutions: int = 1
    p: float = Field(ge=0, le=1)
    e: float | None = None
    nodes: tuple[ExplainedNode, ...] = ()
    edges: tuple[ExplainedEdge, ...] = ()
    controls: tuple[ControlSummary, ...] = ()
    knockouts: tuple[KnockOut, ...] = ()
    unexplained: tuple[str, ...] = ()  # changed readouts that the explanation does not reach, or gets wrong
    off_network: tuple[str, ...] = ()  # readouts that lie on no node
    forbidden: tuple[str, ...] = ()  # refuted edges it had to do without

    def node(self, name: str) -> ExplainedNode:
        """Raises KeyError for a name that is not in it."""
        return {n.name: n for n in self.nodes}[name]

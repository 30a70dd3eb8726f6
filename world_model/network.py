"""A signed, directed network of biomolecular interactions: the vocabulary of mechanistic explanations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from .vocabulary import Frozen

EdgeKind = Literal[
    "binds", "inhibits", "activates", "phosphorylates", "dephosphorylates", "transcribes", "represses", "degrades",
    "is similar to",
]  # fmt: skip


class Edge(Frozen):
    """source acts on target: sign +1 raises its activity, -1 lowers it. reference: where this is known from."""

    source: str
    target: str
    sign: Literal[-1, 1]
    kind: EdgeKind = "activates"
    reference: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.source, self.target, self.sign)

    @property
    def word(self) -> str:
        """ "A +> B" or "A -| B"; ``key_of`` reads it back."""
        return f"{self.source} {'+>' if self.sign > 0 else '-|'} {self.target}"


def key_of(word: str) -> tuple[str, str, int]:
    """The key of an edge written as ``Edge.word``. Raises ValueError for anything else."""
    for arrow, sign in ((" +> ", 1), (" -| ", -1)):
        source, found, target = word.partition(arrow)
        if found and source and target:
            return (source, target, sign)
    raise ValueError(f"{word!r} is no edge")


@dataclass(frozen=True)
class SignedNetwork:
    """Edges between nodes (gene symbols, phospho-sites or complexes). name: where it comes from, for provenance."""

    name: str
    edges: tuple[Edge, ...]

    @classmethod
    def of(cls, name: str, edges: Iterable[tuple[str, str, Literal[-1, 1]]]) -> SignedNetwork:
        """From (source, target, sign) triples."""
        return cls(name, tuple(Edge(source=s, target=t, sign=sign) for s, t, sign in edges))

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        return tuple(sorted({n for e in self.edges for n in (e.source, e.target)}))

    @cached_property
    def leaving(self) -> Mapping[str, tuple[Edge, ...]]:
        """Node -> its outgoing edges."""
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return {node: tuple(edges) for node, edges in found.items()}

"""Where nodes and edges of an explanation are drawn: layers by distance from the perturbation, leaves side by side."""

from __future__ import annotations

from dataclasses import dataclass

from .explanation import ExplainedEdge, ExplainedNode, Explanation

WIDTH, HEIGHT = 150.0, 50.0  # of a node's box
GAP_X, GAP_Y = 22.0, 50.0


@dataclass(frozen=True)
class Box:
    """Centre of a node's box."""

    node: ExplainedNode
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """From the lower edge of one box to the upper edge of another; ``back``: an alternative that does not go down."""

    edge: ExplainedEdge
    x1: float
    y1: float
    x2: float
    y2: float
    back: bool


@dataclass(frozen=True)
class Layout:
    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def layout(explanation: Explanation) -> Layout:
    """A tidy tree of the best cascade; alternatives are laid over it where both their ends are on it."""
    best = [e for e in explanation.edges if e.best]
    children: dict[str, list[str]] = {}
    for e in best:
        children.setdefault(e.source, []).append(e.target)
    known = {n.name: n for n in explanation.nodes}
    roots = [n.name for n in explanation.nodes if n.name not in {e.target for e in best}]
    roots = [r for r in roots if r in children or known[r].role == "perturbation"]
    x: dict[str, float] = {}
    next_free = WIDTH / 2 + GAP_X
    depth: dict[str, int] = {}

    def place(name: str, level: int) -> None:
        nonlocal next_free
        depth[name] = level
        below = sorted(children.get(name, ()), key=lambda c: (_size(c, children), c))
        for child in below:
            place(child, level + 1)
        if below:
            x[name] = (x[below[0]] + x[below[-1]]) / 2
        else:
            x[name] = next_free
            next_free += WIDTH + GAP_X

    for root in roots:
        place(root, 0)
    y = {name: HEIGHT / 2 + GAP_Y / 2 + level * (HEIGHT + GAP_Y) for name, level in depth.items()}
    boxes = tuple(Box(known[name], x[name], y[name]) for name in x)
    lines = tuple(
        Line(e, x[e.source], y[e.source] + HEIGHT / 2, x[e.target], y[e.target] - HEIGHT / 2,
             back=depth[e.target] <= depth[e.source])
        for e in explanation.edges if e.source in x and e.target in x
    )  # fmt: skip
    deepest = max(y.values(), default=HEIGHT)
    return Layout(next_free - WIDTH / 2, deepest + HEIGHT / 2 + GAP_Y / 2, boxes, lines)


def _size(name: str, children: dict[str, list[str]]) -> int:
    return 1 + sum(_size(c, children) for c in children.get(name, ()))

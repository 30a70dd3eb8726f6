"""The cascade as SVG (no dependency) and PNG (matplotlib).

Fill: what was measured (blue down, orange up, deeper = larger; white = not measured). Rim: what the cascade predicts.
Arrow: activates; bar: inhibits. Width: share of the near-optimal explanations with this edge. Dashed: an alternative
that the best one does not use. Mark on an edge: status of its claim.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from .explanation import ExplainedEdge, ExplainedNode, Explanation
from .layout import HEIGHT, WIDTH, Box, Layout, Line, layout
from .signalling import common_names

UP, DOWN, GREY, INK, PAPER = "#c8553d", "#2f6690", "#8a8f98", "#1f2933", "#ffffff"
STATUS = {
    "corroborated": ("✔", "#2a7f4f"), "falsified": ("✘", "#b3261e"), "undermined": ("↯", "#b7791f"),
    "testing": ("…", "#4a5568"), "registered": ("○", "#4a5568"), "proposed": ("○", "#9aa5b1"),
    "undecided": ("?", "#4a5568"), "conflict": ("!", "#7b2d8b"),
}  # fmt: skip
HEAD, FOOT = 82.0, 74.0
LEAST_WIDTH = 760.0
STRONG = 2.0  # log2 change at which the fill is deepest


def svg(explanation: Explanation) -> str:
    """The picture as a self-contained SVG document. Text is escaped; a name can carry no markup."""
    plan = layout(explanation)
    width, height = max(plan.width, LEAST_WIDTH), plan.height + HEAD + FOOT
    shift = (width - plan.width) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" role="img">',
        f"<title>{escape(headline(explanation))}</title>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        _text(24, 30, headline(explanation), size=18, weight="bold"),
        *(_text(24, 51 + 18 * i, line, size=12.5, colour="#52606d") for i, line in enumerate(sublines(explanation))),
        f'<g transform="translate({shift:.1f} {HEAD:.1f})">',
        *(_svg_line(line) for line in sorted(plan.lines, key=lambda li: li.edge.best)),
        *(_svg_box(box) for box in plan.boxes),
        "</g>",
        f'<g transform="translate(24 {height - FOOT + 16:.1f})">{_legend()}</g>',
        "</svg>",
    ]
    return "\n".join(parts)


def png(explanation: Explanation, path: Path, *, dpi: int = 160) -> None:
    """The same picture drawn by matplotlib into ``path``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    plan = layout(explanation)
    width, height = max(plan.width, LEAST_WIDTH), plan.height + HEAD + FOOT
    figure = Figure(figsize=(width / 96, height / 96), dpi=dpi, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.text(24, 24, headline(explanation), fontsize=13, fontweight="bold", color=INK, va="center")
    for i, line in enumerate(sublines(explanation)):
        axes.text(24, 47 + 18 * i, line, fontsize=9, color="#52606d", va="center")
    shift = (width - plan.width) / 2
    for drawn in sorted(plan.lines, key=lambda li: li.edge.best):
        _png_line(axes, drawn, shift)
    for box in plan.boxes:
        _png_box(axes, box, shift)
    _png_legend(axes, height - FOOT + 24)
    figure.savefig(path)


def headline(explanation: Explanation) -> str:
    """Perturbation, dose, context and time in one line."""
    dose = "" if explanation.dose is None else f" {explanation.dose:g} µM"
    when = "" if explanation.time_h is None else f", {explanation.time_h:g} h"
    where = f" in {explanation.context}" if explanation.context else ""
    return f"{explanation.perturbation}{dose}{where}{when}: from target to response"


def sublines(explanation: Explanation) -> tuple[str, str]:
    """Verdict, and score."""
    text = explanation.verdict[:1].upper() + explanation.verdict[1:]
    possible = "" if explanation.possible is None else f" of {explanation.possible:.2f}"
    n = explanation.solutions
    return f"{text}.", f"Score {explanation.score:.2f}{possible}; {n} near-optimal cascade{'s' if n > 1 else ''}."


def fill_of(node: ExplainedNode) -> str:
    """Measured change as a colour."""
    if not node.readouts:
        return PAPER
    delta = max((r.delta for r in node.readouts), key=abs)
    if not node.measured:
        return "#eef1f4"
    share = 0.2 + 0.65 * min(abs(delta) / STRONG, 1.0)
    return _mix(UP if node.measured > 0 else DOWN, PAPER, share)


def rim_of(node: ExplainedNode) -> str:
    return {1: UP, -1: DOWN, 0: GREY}[node.predicted]


def caption_of(node: ExplainedNode) -> str:
    """Second line of a box."""
    if node.role == "perturbation":
        return "perturbation"
    if not node.readouts:
        return called(node.name) + {1: "predicted up", -1: "predicted down", 0: ""}[node.predicted]
    delta = max((r.delta for r in node.readouts), key=abs)
    mark = {True: " ✓", False: " ✗", None: ""}[node.agrees]
    return called(node.name) + f"{delta:+.2f} log2{mark}".replace("-", "−")


def called(name: str) -> str:
    """The common name of a node's protein with a space after it, or nothing."""
    common = common_names().get(name.split(":")[0], "")
    return f"{common}  " if common else ""


def width_of(edge: ExplainedEdge) -> float:
    return 1.0 + 3.0 * edge.frequency


def _mix(colour: str, other: str, share: float) -> str:
    a, b = ([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (colour, other))
    return "#" + "".join(f"{round(x * share + y * (1 - share)):02x}" for x, y in zip(a, b, strict=True))


def _ink_on(colour: str) -> str:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.299 * r + 0.587 * g + 0.114 * b > 140 else PAPER


def _curve(line: Line) -> tuple[float, float, float, float]:
    """Control points of the edge's Bezier curve."""
    if line.back:
        side = 70.0 if line.x2 >= line.x1 else -70.0
        return line.x1 + side, line.y1 + 34, line.x2 + side, line.y2 - 34
    middle = (line.y1 + line.y2) / 2
    return line.x1, middle, line.x2, middle


def _svg_line(line: Line) -> str:
    e = line.edge
    x1, y1, x2, y2 = line.x1, line.y1 + 1, line.x2, line.y2 - 3
    ax, ay, bx, by = _curve(line)
    colour = GREY if e.best else "#c3c9d0"
    dash = "" if e.best else ' stroke-dasharray="5 5"'
    w = width_of(e)
    path = f"M{x1:.1f} {y1:.1f} C{ax:.1f} {ay:.1f} {bx:.1f} {by:.1f} {x2:.1f} {y2 - (6 if e.sign > 0 else 1):.1f}"
    title = f"{e.word} ({e.kind}); in {e.frequency:.0%} of near-optimal cascades; {e.reference}"
    out = [f'<g><title>{escape(title)}</title><path d="{path}" fill="none" stroke="{colour}" '
           f'stroke-width="{w:.1f}"{dash}/>']  # fmt: skip
    if e.sign > 0:
        out.append(f'<path d="M{x2 - 6:.1f} {y2 - 9:.1f} L{x2:.1f} {y2:.1f} L{x2 + 6:.1f} {y2 - 9:.1f} Z" '
                   f'fill="{colour}"/>')  # fmt: skip
    else:
        out.append(f'<path d="M{x2 - 9:.1f} {y2:.1f} L{x2 + 9:.1f} {y2:.1f}" stroke="{colour}" stroke-width="3.2"/>')
    if e.status in STATUS:
        glyph, ink = STATUS[e.status]
        mx, my = (x1 + x2) / 2, (y1 + y2) / 2
        out.append(f'<circle cx="{mx:.1f}" cy="{my:.1f}" r="8.5" fill="{PAPER}" stroke="{ink}"/>')
        out.append(_text(mx, my + 4, glyph, size=11, colour=ink, anchor="middle"))
    return "".join(out) + "</g>"


def _svg_box(box: Box) -> str:
    node, x, y = box.node, box.x - WIDTH / 2, box.y - HEIGHT / 2
    if node.role == "perturbation":
        fill, rim, ink = INK, INK, PAPER
    else:
        fill, rim = fill_of(node), rim_of(node)
        ink = _ink_on(fill)
    tips = "; ".join(f"{r.readout}: {r.delta:+.2f} (se {r.se:.2f})" for r in node.readouts) or caption_of(node)
    return (
        f"<g><title>{escape(node.name)}: {escape(tips)}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{WIDTH:.0f}" height="{HEIGHT:.0f}" rx="10" fill="{fill}" '
        f'stroke="{rim}" stroke-width="2.6"/>'
        + _text(box.x, box.y - 3, shown(node.name), size=14, weight="bold", colour=ink, anchor="middle")
        + _text(box.x, box.y + 15, caption_of(node), size=11, colour=ink, anchor="middle")
        + "</g>"
    )


def shown(name: str) -> str:
    """A node's name as people read it."""
    text = name.removeprefix("@").replace(":", " ")
    return text if len(text) <= 17 else text[:16] + "…"


def _text(
    x: float, y: float, text: str, *, size: float, weight: str = "normal", colour: str = INK, anchor: str = "start"
) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
            f'text-anchor="{anchor}">{escape(text)}</text>')  # fmt: skip


LEGEND = ((DOWN, "measured down"), (UP, "measured up"), ("#eef1f4", "measured, unchanged"), (PAPER, "not measured"))
NOTES = (
    "Rim: predicted (blue down, orange up).  Arrow activates, bar inhibits.  "
    "Width: share of near-optimal cascades with the edge.  Dashed: alternative."
)


def _legend() -> str:
    out, x = [], 0.0
    for colour, word in LEGEND:
        fill = _mix(colour, PAPER, 0.75) if colour in (UP, DOWN) else colour
        out.append(f'<rect x="{x:.0f}" y="0" width="18" height="13" rx="3" fill="{fill}" stroke="{GREY}"/>')
        out.append(_text(x + 25, 11, word, size=11.5, colour="#52606d"))
        x += 45 + 6.6 * len(word)
    out.append(_text(0, 34, NOTES, size=11, colour="#7b8794"))
    return "".join(out)


def _png_legend(axes: Any, y: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x = 24.0
    for colour, word in LEGEND:
        fill = _mix(colour, PAPER, 0.75) if colour in (UP, DOWN) else colour
        axes.add_patch(FancyBboxPatch((x, y - 6), 18, 12, boxstyle="round,pad=0,rounding_size=3", fc=fill, ec=GREY))
        axes.text(x + 25, y, word, fontsize=8, color="#52606d", va="center")
        x += 48 + 6.6 * len(word)
    axes.text(24, y + 22, NOTES, fontsize=7.4, color="#7b8794", va="center")


def _png_box(axes: Any, box: Box, shift: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    node = box.node
    perturbed = node.role == "perturbation"
    fill, rim = (INK, INK) if perturbed else (fill_of(node), rim_of(node))
    ink = PAPER if perturbed else _ink_on(fill)
    corner = (box.x - WIDTH / 2 + shift, box.y - HEIGHT / 2 + HEAD)
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=10", fc=fill, ec=rim,
                                  lw=1.9, zorder=3))  # fmt: skip
    x, y = box.x + shift, box.y + HEAD
    axes.text(x, y - 8, shown(node.name), fontsize=10, fontweight="bold", color=ink, ha="center", va="center", zorder=4)
    axes.text(x, y + 11, caption_of(node), fontsize=7.8, color=ink, ha="center", va="center", zorder=4)


def _png_line(axes: Any, line: Line, shift: float) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    e = line.edge
    x1, y1, x2, y2 = line.x1 + shift, line.y1 + 1 + HEAD, line.x2 + shift, line.y2 - 3 + HEAD
    ax, ay, bx, by = _curve(line)
    colour, style = (GREY, "-") if e.best else ("#c3c9d0", (0, (4, 4)))
    end = (x2, y2 - (6 if e.sign > 0 else 1))
    points = [(x1, y1), (ax + shift, ay + HEAD), (bx + shift, by + HEAD), end]
    codes = [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]
    axes.add_patch(PathPatch(Curve(points, codes), fc="none", ec=colour, lw=width_of(e) * 0.75, ls=style, zorder=1))
    if e.sign > 0:
        axes.fill([x2 - 6, x2, x2 + 6], [y2 - 9, y2, y2 - 9], color=colour, zorder=2, lw=0)
    else:
        axes.plot([x2 - 9, x2 + 9], [y2, y2], color=colour, lw=2.6, zorder=2, solid_capstyle="butt")
    if e.status in STATUS:
        glyph, ink = STATUS[e.status]
        mx, my = (x1 + x2) / 2, (y1 + y2) / 2
        axes.plot([mx], [my], marker="o", ms=11, mfc=PAPER, mec=ink, mew=1.0, zorder=5)
        axes.text(mx, my, glyph, fontsize=8, color=ink, ha="center", va="center", zorder=6, fontfamily="DejaVu Sans")


__all__ = ["Layout", "headline", "png", "sublines", "svg"]

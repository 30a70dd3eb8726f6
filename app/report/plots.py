"""Figures of the report as inline SVG: no fonts, scripts or addresses, colours by CSS variables.

Every figure is drawn by matplotlib in marker colours, which become ``var(--…)`` in the SVG text, so that one
figure serves the light page, the dark page and paper.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .record import minus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...knowledge.claims import Belief
    from .record import ClaimRecord, Measured

# colour in the drawing -> CSS variable in the page (palette of Okabe and Ito, safe for colour-blind readers)
INK, FAINT, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
THEORY, SCEPTIC, FOR, AGAINST, OPEN, ALARM = "#050505", "#060606", "#070707", "#080808", "#090909", "#0a0a0a"
_VARIABLES = {
    INK: "--ink", FAINT: "--faint", GRID: "--rule", PAPER: "--card", THEORY: "--theory", SCEPTIC: "--sceptic",
    FOR: "--good", AGAINST: "--bad", OPEN: "--open", ALARM: "--alarm",
}  # fmt: skip
STATUS_COLOUR = {
    "corroborated": FOR, "falsified": AGAINST, "conflict": ALARM, "undermined": ALARM, "undecided": OPEN,
    "testing": OPEN, "registered": FAINT, "proposed": FAINT,
}  # fmt: skip
STATUS_MARK = {"corroborated": "o", "falsified": "X", "conflict": "D", "undermined": "D"}
SMALL = 8.0  # pt
E_FLOOR, E_CEILING = 1e-4, 1e15  # what the e-value axis shows; values beyond are drawn as arrows at its edge


def versus(claim: ClaimRecord) -> str:
    """Predictions (theory, sceptic) above, measurement below, on the claim's own axis (its unit)."""
    if claim.prediction is None:
        return ""
    theory, sceptic, found = claim.prediction.theory, claim.prediction.sceptic, claim.measured
    low, high = _span(claim)
    with _figure(4.9, 2.35, f"versus{claim.id}", margins=(0.06, 0.06, 0.45, 0.24)) as (figure, axes):
        x = np.linspace(low, high, 161)
        _regions(axes, claim, low, high)
        for belief, colour, name in ((sceptic, SCEPTIC, "sceptic"), (theory, THEORY, "prediction")):
            density = np.exp(-0.5 * ((x - belief.mean) / belief.sd) ** 2)
            axes.plot(x, 0.35 + 0.6 * density, color=colour, lw=1.6, ls="--" if name == "sceptic" else "-")
            if name == "prediction":
                axes.fill_between(x, 0.35, 0.35 + 0.6 * density, color=colour, alpha=0.18, lw=0)
        _peak_labels(axes, theory.mean, sceptic.mean, low, high)
        axes.axhline(0.35, color=GRID, lw=0.8)
        if found is None:
            axes.text(0.5, 0.1, "not measured", transform=axes.transAxes, ha="center", color=FAINT, fontsize=SMALL)
        else:
            _interval(axes, found.estimate, found.low, found.high, 0.16, low, high, STATUS_COLOUR[claim.status])
            axes.text(
                _inside(found.estimate, low, high),
                0.245,
                "measured",
                ha="center",
                va="bottom",
                fontsize=SMALL,
                color=INK,
            )
        axes.set(xlim=(low, high), ylim=(0, 1.22), yticks=[])
        axes.set_xlabel(claim.axis, fontsize=SMALL, color=INK)
        return _svg(figure, describe_versus(claim))


def e_path(claim: ClaimRecord) -> str:
    """The two e-values against wells used (log scale): whichever crosses 1/alpha first decides."""
    if claim.prediction is None or not claim.path:
        return ""
    wells = [0, *(step.wells for step in claim.path)]
    goal = 1 / claim.prediction.alpha
    series = (
        ("for the claim", [1.0, *(s.e_for for s in claim.path)], FOR, "o", "-"),
        ("against it", [1.0, *(s.e_against for s in claim.path)], AGAINST, "s", "--"),
    )
    with _figure(4.9, 2.35, f"path{claim.id}", margins=(0.62, 0.95, 0.45, 0.12)) as (figure, axes):
        axes.set_yscale("log")
        axes.axhline(goal, color=INK, lw=1, ls=":")
        shown = [[min(max(v, E_FLOOR), E_CEILING) for v in values] for _, values, *_ in series]
        bottom = min(0.3, *(min(v) for v in shown)) / 2.5
        top = max(goal * 3, *(max(v) for v in shown)) * 3
        near_end = any(goal / 8 < drawn[-1] < goal * 40 for drawn in shown)
        axes.text(
            wells[-1] * (0.02 if near_end else 0.98), goal * 1.15, f"decided at 1/α = {goal:g}",
            fontsize=SMALL - 0.5, color=INK, va="bottom", ha="left" if near_end else "right",
        )  # fmt: skip
        ends = _apart([math.log10(v[-1]) for v in shown], 0.17 * math.log10(top / bottom))
        for (name, values, colour, mark, line), drawn, at in zip(series, shown, ends, strict=True):
            axes.plot(wells, drawn, color=colour, lw=1.8, ls=line)
            for x, value, y in zip(wells, values, drawn, strict=True):
                shape = mark if value == y else ("^" if value > y else "v")
                axes.plot([x], [y], marker=shape, color=colour, ms=4.8, mec=PAPER, mew=0.6)
            label = f"{name}\ne = {short_number(values[-1])}"
            axes.annotate(
                label, (wells[-1], 10**at), xytext=(7, 0), textcoords="offset points", va="center",
                fontsize=SMALL - 0.5, color=colour, annotation_clip=False, linespacing=1.05,
            )  # fmt: skip
        axes.set(xlim=(0, wells[-1] * 1.02), ylim=(bottom, top))
        axes.set_xlabel("wells used", fontsize=SMALL, color=INK)
        axes.set_ylabel("e-value", fontsize=SMALL, color=INK)
        _decades(axes, bottom, top)
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
        axes.grid(axis="y", color=GRID, lw=0.5)
        axes.set_axisbelow(True)
        return _svg(figure, describe_path(claim))


def overview(claims: Sequence[ClaimRecord]) -> str:
    """All tested claims on one axis, scaled so that 0 is the denial's boundary and 1 the claim's."""
    tested = [(c, t, m) for c in claims if (t := c.theory) is not None and (m := c.measured) is not None]
    if not tested:
        return ""
    low, high = _common_span(tested)
    with _figure(9.6, 0.62 + 0.29 * len(tested), "overview") as (figure, axes):
        axes.axvspan(low, 0, color=AGAINST, alpha=0.07, lw=0)
        axes.axvspan(1, high, color=FOR, alpha=0.08, lw=0)
        for row, (claim, theory, found) in enumerate(tested):
            middle, reach = claim.scaled(theory.mean), abs(1.645 * theory.sd / (claim.claim.delta - claim.claim.delta0))
            left, right = max(middle - reach, low), min(middle + reach, high)
            axes.plot([left, right], [row, row], color=THEORY, lw=7, alpha=0.3, solid_capstyle="butt")
            ends = [-math.inf if found.low is None else found.low, math.inf if found.high is None else found.high]
            start, end = sorted(claim.scaled(v) for v in ends)
            _interval(
                axes, claim.scaled(found.estimate), start, end, row, low, high, STATUS_COLOUR[claim.status],
                mark=STATUS_MARK.get(claim.status, "o"), hollow=claim.status not in STATUS_MARK,
            )  # fmt: skip
        axes.set(xlim=(low, high), ylim=(len(tested) - 0.4, -0.9))
        axes.set_yticks(range(len(tested)), [c.short for c, *_ in tested], fontsize=SMALL + 0.5, color=INK)
        axes.set_xticks([0, 1], ["denial's\nboundary", "claim's\nboundary"], fontsize=SMALL, color=INK)
        axes.axvline(0, color=AGAINST, lw=1)
        axes.axvline(1, color=FOR, lw=1)
        axes.text(
            low + 0.007 * (high - low), -0.68, "the denial holds here", fontsize=SMALL, color=AGAINST, va="center"
        )
        axes.text(
            high - 0.007 * (high - low),
            -0.68,
            "the claim holds here",
            fontsize=SMALL,
            color=FOR,
            va="center",
            ha="right",
        )
        axes.tick_params(axis="y", length=0)
        axes.spines["bottom"].set_visible(False)
        return _svg(figure, f"Predicted and measured values of {len(tested)} tested claims on one scale.")


def describe_versus(claim: ClaimRecord) -> str:
    """The figure in one sentence, for readers who do not see it."""
    theory, found = claim.theory, claim.measured
    text = "Nothing was predicted"
    if theory is not None:
        text = f"Predicted {theory.mean:.3g} (standard deviation {theory.sd:.2g}) {claim.unit}"
    if found is None:
        return text + "; not measured."
    return f"{text}; measured {found.estimate:.3g}, interval {interval_text(found.low, found.high)}."


def describe_path(claim: ClaimRecord) -> str:
    last = claim.path[-1]
    return (
        f"After {last.wells} wells the e-value for the claim is {short_number(last.e_for)} "
        f"and against it {short_number(last.e_against)}."
    )


def interval_text(low: float | None, high: float | None) -> str:
    """ "-1.2 to 0.3", with "unbounded" for an end that no data bound yet."""
    ends = ["unbounded" if v is None or math.isinf(v) else f"{v:.3g}".replace("-", "−") for v in (low, high)]
    return f"{ends[0]} to {ends[1]}"


def short_number(value: float) -> str:
    """Three figures at most, powers of ten beyond a million: 0.031, 41, 3×10⁹."""
    if value == 0:
        return "0"
    digits, _, power = f"{value:.0e}".partition("e")
    if 1e-4 <= abs(value) < 999_999.5:
        return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.2g}"
    return f"{digits}×10{_raised(int(power))}"


def _common_span(tested: Sequence[tuple[ClaimRecord, Belief, Measured]]) -> tuple[float, float]:
    """Limits of the common scale that show every estimate and every predicted mean, within reason."""
    points = [-1.0, 2.0, *(c.scaled(v) for c, theory, found in tested for v in (theory.mean, found.estimate))]
    margin = 0.12 * (max(points) - min(points))
    return max(min(points) - margin, -10.0), min(max(points) + margin, 12.0)


def _span(claim: ClaimRecord) -> tuple[float, float]:
    """Axis limits that show both boundaries, both predictions and the estimate; intervals may be cut."""
    points = [claim.claim.delta, claim.claim.delta0]
    if claim.prediction is not None:
        for belief in (claim.prediction.theory, claim.prediction.sceptic):
            points += [belief.mean - 2.4 * belief.sd, belief.mean + 2.4 * belief.sd]
    found = claim.measured
    if found is not None:
        points.append(found.estimate)
        reach = 0.35 * (max(points) - min(points))
        bounds = (min(points) - reach, max(points) + reach)
        points += [v for v in (found.low, found.high) if v is not None and bounds[0] <= v <= bounds[1]]
    margin = 0.06 * (max(points) - min(points))
    return min(points) - margin, max(points) + margin


def _regions(axes: Any, claim: ClaimRecord, low: float, high: float) -> None:
    """Shade where the claim and where its denial hold, and name both boundaries on top."""
    up = claim.claim.relation == "ge"
    sides = (
        (claim.claim.delta, FOR, f"claim {'≥' if up else '≤'} {minus(claim.claim.delta)}", up),
        (claim.claim.delta0, AGAINST, f"denial {'≤' if up else '≥'} {minus(claim.claim.delta0)}", not up),
    )
    for at, colour, text, rightward in sides:
        axes.axvspan(at, high if rightward else low, color=colour, alpha=0.08, lw=0)
        axes.axvline(at, color=colour, lw=1.1)
        axes.annotate(
            text, (at, 1.22), xytext=(3 if rightward else -3, 3), textcoords="offset points", annotation_clip=False,
            ha="left" if rightward else "right", va="bottom", fontsize=SMALL - 0.5, color=colour,
        )  # fmt: skip


def _peak_labels(axes: Any, theory: float, sceptic: float, low: float, high: float) -> None:
    """Name the two curves above their peaks, pushed apart where the peaks are close."""
    theory, sceptic = _inside(theory, low, high), _inside(sceptic, low, high)
    near = abs(theory - sceptic) < 0.26 * (high - low)
    left = theory <= sceptic
    for at, colour, name, is_left in ((theory, THEORY, "prediction", left), (sceptic, SCEPTIC, "sceptic", not left)):
        align = ("right" if is_left else "left") if near else "center"
        axes.text(at, 1.0, f" {name} ", ha=align, va="bottom", fontsize=SMALL, color=colour)


def _interval(
    axes: Any, at: float, left: float | None, right: float | None, y: float, low: float, high: float, colour: str,
    *, mark: str = "o", hollow: bool = False,
) -> None:  # fmt: skip
    """An estimate with its interval; an end outside the axis (or unbounded) becomes an arrow head."""
    edge = 0.012 * (high - low)
    left_end = low + edge if left is None or left < low else min(left, high)
    right_end = high - edge if right is None or right > high else max(right, low)
    axes.plot([left_end, right_end], [y, y], color=colour, lw=1.8, solid_capstyle="butt")
    for end, cut, head in (
        (left_end, left is None or left < low, "<"),
        (right_end, right is None or right > high, ">"),
    ):
        shape = head if cut else "|"
        axes.plot([end], [y], marker=shape, color=colour, ms=5.5 if cut else 7, mew=1.6, clip_on=False)
    if low <= at <= high:
        axes.plot(
            [at], [y], marker=mark, color=PAPER if hollow else colour, ms=7, mec=colour if hollow else PAPER, mew=1.3
        )


def _inside(value: float, low: float, high: float) -> float:
    """The value kept far enough from the axis ends that a centred label is not cut."""
    margin = 0.1 * (high - low)
    return min(max(value, low + margin), high - margin)


def _apart(values: list[float], least: float) -> list[float]:
    """Two label positions at least ``least`` apart, order kept."""
    first, second = values
    if abs(first - second) >= least:
        return values
    middle, half = (first + second) / 2, least / 2
    return [middle + half, middle - half] if first >= second else [middle - half, middle + half]


def _decades(axes: Any, bottom: float, top: float) -> None:
    """Plain-number ticks, at most six of them."""
    first, last = math.ceil(math.log10(bottom)), math.floor(math.log10(top))
    step = max(1, math.ceil((last - first) / 5))
    ticks = [10.0**k for k in range(first, last + 1) if k % step == 0]
    axes.set_yticks(ticks, [short_number(t) if 1e-4 <= t < 1e6 else _power(t) for t in ticks])
    axes.yaxis.set_minor_locator(_null_locator())


def _power(value: float) -> str:
    return "10" + _raised(round(math.log10(value)))


def _raised(number: int) -> str:
    """The number in superscript."""
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _null_locator() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


@contextmanager
def _figure(
    width: float, height: float, salt: str, margins: tuple[float, float, float, float] | None = None
) -> Iterator[tuple[Any, Any]]:
    """A figure (inches) without pyplot's global state; ids in its SVG depend on ``salt`` alone.

    margins: inches left, right, below, above the axes; without them they are fitted, which takes twice the time.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none", "svg.hashsalt": salt, "font.size": SMALL, "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"], "axes.edgecolor": FAINT, "axes.linewidth": 0.8, "axes.spines.top": False,
        "axes.spines.right": False, "axes.spines.left": False, "xtick.color": FAINT, "ytick.color": FAINT,
        "xtick.labelcolor": INK, "ytick.labelcolor": INK, "xtick.labelsize": SMALL, "ytick.labelsize": SMALL,
        "text.parse_math": False, "figure.facecolor": "none",
        "axes.facecolor": "none", "axes.unicode_minus": True, "ytick.major.size": 0,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), layout=None if margins else "constrained")
        if margins is None:
            yield figure, figure.add_subplot()
            return
        left, right, below, above = margins
        box = (left / width, below / height, (width - left - right) / width, (height - below - above) / height)
        yield figure, figure.add_axes(box)


def _svg(figure: Any, description: str) -> str:
    """The figure as one ``<svg>`` element that scales with its box."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r' xmlns(?::xlink)?="[^"]*"', "", text).replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(#|href="#)([\w.-]+)', text))
    text = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda found: _coarse(found[0]), text)
    for drawn, variable in _VARIABLES.items():
        text = text.replace(drawn, f"var({variable})")
    label = html.escape(description, quote=True)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}" class="plot"', 1)


def _coarse(attribute: str) -> str:
    """Coordinates to a hundredth of a point, which nobody sees."""
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute)

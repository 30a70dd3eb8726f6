"""One look for all pictures: a pale sheet, thin rules, the palette of Okabe and Ito (safe for colour-blind readers)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...world_model.errors import BadInput

INK, FAINT, RULE, PAPER = "#1f2933", "#6b7785", "#e3e7ec", "#ffffff"
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
MARKS = ("o", "s", "^", "D", "v", "P")
DPI = 200


@contextmanager
def sheet(path: Path, width: float, height: float, title: str = "", subtitle: str = "") -> Iterator[Any]:
    """A matplotlib figure (inches) in our look, written to ``path`` (its folder is made) when the block ends.

    Raises BadInput where it cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    look: dict[Any, Any] = {
        "font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": FAINT, "axes.labelcolor": INK,
        "axes.titlecolor": INK, "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
        "axes.linewidth": 0.7, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
        "axes.grid": True, "grid.color": RULE, "grid.linewidth": 0.7, "xtick.color": FAINT, "ytick.color": FAINT,
        "xtick.labelcolor": INK, "ytick.labelcolor": INK, "xtick.labelsize": 8, "ytick.labelsize": 8,
        "text.color": INK, "legend.frameon": False, "legend.fontsize": 8, "figure.facecolor": PAPER,
    }  # fmt: skip
    with mpl.rc_context(look):
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        if title:
            figure.suptitle(title, x=0.012, ha="left", fontsize=11.5, fontweight="bold", color=INK)
        if subtitle:
            lines = [piece for line in subtitle.split("\n") for piece in textwrap.wrap(line, int(width * 18))]
            figure.supxlabel("\n".join(lines), x=0.012, ha="left", fontsize=7.5, color=FAINT)
        yield figure
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, facecolor=PAPER, metadata={"Software": None})
        except OSError as error:
            raise BadInput(f"{path} cannot be written", why=str(error), cure="Choose another folder") from error


def safe_name(text: str) -> str:
    """A file name's stem from words: letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text.replace("µ", "u")).strip("_")[:100] or "picture"

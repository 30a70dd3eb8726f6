"""What a fitted cell was trained on and what it can answer, read off its own training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..world_model.base import BASES
from ..world_model.conditioncell import NOVELTY, ConditionCell

if TYPE_CHECKING:
    from .cells import Fitted

NAMED = 12


def facts(fitted: Fitted) -> dict[str, Any]:
    """version, parent, training, vocabulary and abilities of a cell, as plain JSON."""
    cell, about = fitted.cell, dict(fitted.about)
    table = cell.rows.conditions
    names = table["perturbation"].astype(str)
    singles = sorted({p for name in names for p in name.split("+")})
    return {
        "version": cell.version,
        "parent": cell.parent,
        "training_hash": cell.training_hash,
        "engine": type(cell.engine).__name__,
        "rows": len(cell.rows),
        "wells": len(cell.wells),
        "seed": cell.seed,
        "readouts": list(cell.readouts),
        "contexts": sorted(set(table["context"].astype(str))),
        "perturbations": singles,
        "combinations": len({n for n in names if "+" in n}),
        "kinds": sorted(set(table["kind"].astype(str)) - {""}),
        "doses_um": _levels(table["dose"].to_numpy(float)),
        "times_h": _levels(table["time_h"].to_numpy(float)),
        "data": about.get("data", {}),
        "held_out": about.get("held_out", []),
        "known": about.get("known", []),
        "made_with": about.get("made_with", {}),
        "seconds": about.get("seconds"),
        "answers": _answers(cell.engine) if isinstance(cell.engine, ConditionCell) else _panel_answers(singles),
    }


def lines(told: dict[str, Any]) -> list[str]:
    """The facts as lines of text, but the table of abilities."""
    data = told["data"]
    out = [
        f"{'version':<15}{told['version']}" + (f", child of {told['parent']}" if told["parent"] else ""),
        f"{'engine':<15}{ENGINES.get(told['engine'], told['engine'])}",
        f"{'trained on':<15}{told['rows']:,} conditions of {told['wells']:,} wells, hash {told['training_hash'][:16]}…",
        f"{'contexts':<15}{_listed(told['contexts'])}",
        f"{'perturbations':<15}{_listed(told['perturbations'])}"
        + (f"; {told['combinations']} combinations" if told["combinations"] else ""),
        f"{'readouts':<15}{_listed(told['readouts'])}",
    ]
    for name, key, unit in (("doses", "doses_um", "uM"), ("times", "times_h", "h")):
        if told[key]:
            out.append(f"{name:<15}{_listed([f'{v:g}' for v in told[key]])} {unit}")
    if data:
        out.append(f"{'data':<15}{data['name']} ({data['licence']}). Cite: {data['citation']}")
    if told["known"]:
        out.append(f"{'priors':<15}{', '.join(told['known'])}")
    if told["held_out"]:
        out.append(f"{'held out':<15}{', '.join(told['held_out'])}")
    return out


ENGINES = {
    "ConditionCell": "conditions of any kind (genes, pairs, compounds, doses, times, contexts)",
    "PanelEngine": "a panel of contexts x perturbations without controls",
}


def _answers(engine: ConditionCell) -> list[dict[str, Any]]:
    """For each way a question can be new: the base that erred least on such held-out conditions."""
    out: list[dict[str, Any]] = []
    for novelty in NOVELTY:
        errors = {b: engine.trust[novelty, b].error for b in BASES if (novelty, b) in engine.trust}
        word = WORDS.get(novelty, novelty)
        if not errors:
            out.append({"new": word, "base": "the first base that applies", "error": None,
                        "note": "never held out in training: intervals are as wide as changes are large"})  # fmt: skip
            continue
        best = min(errors, key=lambda b: errors[b])
        note = "no better than the train mean: trust the interval, not the value" if errors[best] > 0.95 else ""
        learned = " and what the kernels learned" if best in engine.residuals else ""
        out.append({"new": word, "base": best + learned, "error": round(errors[best], 4),
                    "note": note})  # fmt: skip
    return out


WORDS = {"known elsewhere": "nothing but this context with this condition", "new condition": "this dose at this time"}


def _panel_answers(singles: list[str]) -> list[dict[str, Any]]:
    return [
        {"new": "a context", "base": "its features (expression, mutations, copy number) and any drug measured in it",
         "error": None, "note": "without features: the mean over contexts"},
        {"new": "a compound", "base": "the mean of its mechanism class", "error": None,
         "note": f"{len(singles):,} were measured; the cell abstains and says so"},
    ]  # fmt: skip


def _levels(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    return sorted({float(f"{v:.6g}") for v in values[np.isfinite(values)]})


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return f"{len(names):,}: {shown}" + (" …" if len(names) > NAMED else "")

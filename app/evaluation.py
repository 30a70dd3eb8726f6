"""The outcome of ``model eval`` and ``model compare``: figures by split, as JSON and on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..world_model.errors import BadInput, UnknownName
from .cells import Fitted, fit
from .console import say, table
from .features import perturbation_features
from .heldout import CELL, Difference, HeldOut, by_split, hold_out
from .predictions import number

if TYPE_CHECKING:
    from ..world_model.cell import VirtualCell
    from ..world_model.data.conditions import ConditionTable
    from ..world_model.data.dataset import Dataset

SCORES = ("pearson", "centred", "r2", "rmse")
WORDS = {"pearson": "Pearson", "centred": "Pearson, centred", "r2": "R2", "rmse": "RMSE"}


@dataclass(frozen=True)
class Outcome:
    """found: split -> its folds; skipped: split -> why the data do not permit it."""

    data: str
    found: dict[str, list[HeldOut]]
    skipped: dict[str, str]
    model: str = ""

    def as_json(self) -> dict[str, Any]:
        splits = []
        for name, parts in self.found.items():
            cover = [p.coverage() for p in parts]
            splits.append(
                {
                    "split": name, "folds": len(parts), "conditions": sum(len(p.conditions) for p in parts),
                    "coverage90": number(float(np.mean(cover))), "coverage90_sd": _sd(cover),
                    "methods": [_method(parts, m) for m in _methods(parts)],
                }
            )  # fmt: skip
        return {"data": self.data, "model": self.model, "splits": splits, "skipped": self.skipped}


def of_splits(
    dataset: Dataset, wanted: Sequence[str] | None, *, folds: int, seed: int, device: str, say: Callable[[str], None],
    know: Sequence[str] = (),
) -> Outcome:  # fmt: skip
    """Cells fitted anew on every fold. Raises UnknownName for a split nobody knows, BadInput where none is possible."""
    from ..world_model.data.conditions import effects
    from ..world_model.data.splits import SPLITS, why_not

    for name in wanted or ():
        if name not in SPLITS:
            raise UnknownName(name, kind="split", known=SPLITS)
    features = perturbation_features(know, dataset)
    full = effects(dataset)

    def anew(train: ConditionTable) -> VirtualCell:
        return fit(train, dataset, seed=seed, device=device, features=features)

    found: dict[str, list[HeldOut]] = {}
    skipped: dict[str, str] = {}
    for split in wanted or SPLITS:
        reason = why_not(full.conditions, split)
        parts = [] if reason else by_split(full, anew, split, n=folds, seed=seed, say=say)
        if parts:
            found[split] = parts
        else:
            skipped[split] = reason or "no condition is new in this way alone"
    if not found:
        why = "; ".join(f"{s}: {w}" for s, w in skipped.items())
        raise BadInput(
            "These data cannot be split", why=why, cure="Add conditions, or score a saved cell on other data"
        )
    return Outcome(dataset.name, found, skipped)


def of_saved(fitted: Fitted, dataset: Dataset) -> Outcome:
    """A saved cell on the conditions it has not learned from."""
    table = _unseen(dataset, fitted)
    held = hold_out(fitted.cell, fitted.cell.rows, table)
    return Outcome(dataset.name, {"not seen in training": [held]}, {}, fitted.cell.version)


def of_pair(a: Fitted, b: Fitted, dataset: Dataset, *, seed: int) -> dict[str, Any]:
    """Two saved cells, and plain methods that saw the first one's training, on what neither has seen.

    Raises BadInput where the two have different readouts, or nothing is left.
    """
    from .heldout import compare

    unseen = _unseen(dataset, a, b)
    first, second = (hold_out(f.cell, f.cell.rows, unseen) for f in (a, b))
    shared = [n for n in first.readouts if n in second.readouts]
    if not shared:
        raise BadInput("The two cells have no readout in common", cure="Compare cells of the same kind of data")
    first, second = _only(first, shared), _only(second, shared)
    differences, unit, n = compare(first, second, seed=seed)
    beside = {}
    for method in [m for m in first.told if m != CELL]:
        found, _, _ = compare(first, first, method, seed=seed)
        beside[method] = {d.name: _difference(d) for d in found}
    return {
        "a": a.cell.version, "b": b.cell.version, "data": dataset.name, "conditions": len(unseen),
        "readouts": len(shared), "resampled": {"unit": unit, "n": n, "interval": "95 %, percentile bootstrap"},
        "coverage90": {"a": number(first.coverage()), "b": number(second.coverage())},
        "b_minus_a": {d.name: _difference(d) for d in differences}, "baseline_minus_a": beside,
    }  # fmt: skip


def show(outcome: Outcome) -> None:
    """A table a split, the best value of each score marked by its place: the cell stands first."""
    for name, parts in outcome.found.items():
        n = sum(len(p.conditions) for p in parts)
        cover = float(np.mean([p.coverage() for p in parts]))
        rows = []
        for method in _methods(parts):
            told = _method(parts, method)
            rows.append((method, *(_shown(told[s], told[f"{s}_sd"]) for s in SCORES), _applies(told["applies"])))
        folds = f"{len(parts)} folds, " if len(parts) > 1 else ""
        table(
            ("Method", *(WORDS[s] for s in SCORES), "Applies to"),
            rows,
            title=f"{name.capitalize()}: {folds}{n:,} conditions",
        )
        say(f"90 % intervals of the cell hold {cover:.0%} of the measured means.")
        say()
    for name, why in outcome.skipped.items():
        say(f"{name.capitalize()}: not possible here ({why}).")
    say("Centred: the training mean of each readout taken off first. ±: sd over folds.")


def show_pair(told: dict[str, Any], first: str, second: str) -> None:
    """Scores of both, their paired difference, and the plain methods against the first."""
    say(f"A = {first} ({told['a']})   B = {second} ({told['b']})")
    say(f"{told['conditions']:,} conditions that neither has learned from, {told['readouts']:,} readouts.")
    rows = [_pair_row("B", s, told["b_minus_a"][s]) for s in SCORES]
    rows += [_pair_row(m, s, found[s]) for m, found in told["baseline_minus_a"].items() for s in ("pearson", "rmse")]
    table(("Beside A", "Score", "A", "The other", "Other minus A", "95 % interval"), rows)
    cover = told["coverage90"]
    say(f"90 % intervals hold {cover['a']:.0%} (A) and {cover['b']:.0%} (B) of the measured means.")
    say(f"Intervals: {told['resampled']['n']:,} {told['resampled']['unit']} resampled.")


def draw(outcome: Outcome, folder: Path) -> list[Path]:
    """Pictures of an evaluation, a file each."""
    from .plots.scatter import draw_calibration, draw_predicted

    written = []
    for name, parts in outcome.found.items():
        stem = name.replace(" ", "_")
        written.append(draw_predicted(parts, title=f"{outcome.data}: {name}", path=folder / f"predicted_{stem}.png"))
    written.append(draw_calibration(outcome.found, title=outcome.data, path=folder / "calibration.png"))
    return written


def _unseen(dataset: Dataset, *fitted: Fitted) -> ConditionTable:
    from ..world_model.data.conditions import effects

    full = effects(dataset)
    seen = frozenset[str]().union(*(f.cell.wells for f in fitted))
    fresh = np.array([not any(w in seen for w in wells) for wells in full.wells])
    if not fresh.any():
        raise BadInput(
            "There is nothing held out to score on", why="every condition has wells that were learned from",
            cure="Train with --hold-out, for instance --hold-out context=NAME, or give other data",
        )  # fmt: skip
    left = full.subset(fresh)
    for f in fitted:
        if not set(f.cell.readouts) & set(left.readouts):
            raise BadInput(
                f"{f.cell.version} predicts none of the readouts of {dataset.name}",
                why=f"it knows {', '.join(f.cell.readouts[:5])} …", cure="Give data of the same kind",
            )  # fmt: skip
    return left


def _only(held: HeldOut, names: list[str]) -> HeldOut:
    at = [held.readouts.index(n) for n in names]
    told = {m: v[:, at] for m, v in held.told.items()}
    return HeldOut(
        held.conditions, tuple(names), held.measured[:, at], told, held.sd[:, at], held.centre[at], held.applies
    )


def _methods(parts: list[HeldOut]) -> list[str]:
    """Those that every fold has, the cell first."""
    return [m for m in parts[0].told if all(m in p.told for p in parts)]


def _method(parts: list[HeldOut], method: str) -> dict[str, Any]:
    out: dict[str, Any] = {"method": method, "applies": float(np.mean([p.applies.get(method, 1.0) for p in parts]))}
    scores = [p.scores(method) for p in parts]
    for name in SCORES:
        values = [s[name] for s in scores if np.isfinite(s[name])]
        out[name], out[f"{name}_sd"] = number(float(np.mean(values))) if values else None, _sd(values)
    return out


def _sd(values: Sequence[float]) -> float | None:
    return number(float(np.std(values, ddof=1))) if len(values) > 1 else None


def _shown(value: float | None, sd: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:.3f}" if sd is None else f"{value:.3f} ± {sd:.3f}"


def _applies(share: float) -> str:
    return "all" if share > 0.9995 else f"{share:.0%}, else the mean"


def _difference(d: Difference) -> dict[str, float | None]:
    return {"a": number(d.first), "other": number(d.second), "difference": number(d.value), "low": number(d.low),
            "high": number(d.high)}  # fmt: skip


def _pair_row(who: str, score: str, d: dict[str, float | None]) -> tuple[str | None, ...]:
    cells = [None if d[k] is None else f"{d[k]:.3f}" for k in ("a", "other")]
    if d["difference"] is None or d["low"] is None or d["high"] is None:
        return (who, WORDS[score], *cells, None, None)
    return (who, WORDS[score], *cells, f"{d['difference']:+.3f}", f"{d['low']:+.3f} to {d['high']:+.3f}")

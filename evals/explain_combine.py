"""CellBox (SK-Mel-133): does the explanation of two inhibitors alone say what both do together?

Sees: each inhibitor alone (99 readouts), and pairs that share no drug with the pair predicted (for how far each
relation of two cascades saturates). Beside it: additive, the stronger single, and one saturation for all readouts
fitted on the same pairs without any explanation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..world_model.data.fetch import data_dir as kit
from ..world_model.errors import DataUnavailable
from ..world_model.mechanism.combine import Relation
from ..world_model.rows import Array
from .results import Result

DRAWS = 2000
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Root mean squared error over pairs x placed readouts, and where a cascade reaches the readout."""
    entries = table(data_dir or kit())
    told = predictions(entries)
    reached = np.array([e.how != "apart" for e in entries])
    return [
        _figure("knockout_prediction_cellbox", entries, told, np.ones(len(entries), dtype=bool), "all placed readouts"),
        _figure("knockout_prediction_cellbox_explained", entries, told, reached, "readouts that a cascade reaches"),
    ]


@dataclass(frozen=True)
class Entry:
    """One readout of one pair: its change under each drug alone and under both, and how the cascades stand."""

    pair: tuple[str, str]
    how: Relation
    a: float
    b: float
    both: float


def table(folder: Path | None) -> list[Entry]:
    """Every pair x placed readout, the cascades explained from single inhibitors."""
    from ..world_model.mechanism.cascade import Problem, solve
    from ..world_model.mechanism.combine import relation
    from ..world_model.mechanism.evidence import observe
    from ..world_model.mechanism.signalling import embedded, readout_node, targets_of

    network = embedded()
    names, expr, conditions = read(folder)
    singles, sd = alone(names, expr, conditions)
    cascades, targets = {}, {}
    for drug, (_, change) in singles.items():
        seen = observe(network, [(n, float(v), sd) for n, v in zip(names, change, strict=True)])
        targets[drug] = targets_of(drug, "compound", network)
        cascades[drug] = solve(Problem(network, targets[drug], seen))
    places = {i: p for i, n in enumerate(names) if (p := readout_node(n, network)) and n not in singles}
    found = []
    for key, (row, parts) in conditions.items():
        if len(key) != 2:
            continue
        one, two = key
        a, b = (singles[drug][0].get(strength) for drug, strength in parts)
        if a is None or b is None:
            continue
        for i, place in places.items():
            how = relation(cascades[one], cascades[two], targets[one], targets[two], place.node)
            found.append(Entry((one, two), how, float(a[i]), float(b[i]), float(expr[row][i])))
    return found


def predictions(entries: list[Entry]) -> dict[str, Array]:
    """Method -> (entries,) predictions; what is fitted is fitted on pairs that share no drug with the one predicted."""
    from ..world_model.mechanism.combine import combined, fit_saturation, stronger

    told: dict[str, list[float]] = {k: [] for k in ("explanation", "additive", "stronger single", "one saturation")}
    fits = {}
    for pair in {e.pair for e in entries}:
        others = [e for e in entries if not set(e.pair) & set(pair)]
        fits[pair] = (fit_saturation((e.how, e.a, e.b, e.both) for e in others),
                      fit_saturation(("apart", e.a, e.b, e.both) for e in others))  # fmt: skip
    for e in entries:
        by_relation, one = fits[e.pair]
        told["explanation"].append(combined(e.how, e.a, e.b, by_relation))
        told["one saturation"].append(combined("apart", e.a, e.b, one))
        told["additive"].append(e.a + e.b)
        told["stronger single"].append(stronger(e.a, e.b))
    return {k: np.array(v) for k, v in told.items()}


def _figure(name: str, entries: list[Entry], told: dict[str, Array], kept: Mask, where: str) -> Result:
    measured = np.array([e.both for e in entries])
    squares = {k: (v - measured)[kept] ** 2 for k, v in told.items()}
    rmse = {k: float(np.sqrt(v.mean())) for k, v in squares.items()}
    pairs = sorted({e.pair for e in entries})
    of = np.array([pairs.index(e.pair) for e in entries])[kept]
    sums = {k: np.bincount(of, v, len(pairs)) for k, v in squares.items()}
    counts = np.bincount(of, minlength=len(pairs)).astype(float)
    rng = np.random.default_rng(0)
    gains: dict[str, list[float]] = {"additive": [], "one saturation": []}
    for _ in range(DRAWS):  # pairs are the unit
        draw = rng.integers(len(pairs), size=len(pairs))
        n = max(counts[draw].sum(), 1.0)
        root = {k: float(np.sqrt(v[draw].sum() / n)) for k, v in sums.items()}
        for other, values in gains.items():
            values.append(root[other] - root["explanation"])
    extra: dict[str, float | None] = {}
    for other, values in gains.items():
        low, high = np.quantile(values, (0.025, 0.975))
        extra |= {f"gain over {other}": rmse[other] - rmse["explanation"], f"gain over {other}, low": float(low),
                  f"gain over {other}, high": float(high)}  # fmt: skip
    return Result(
        name=name, value=rmse.pop("explanation"), sd=float(np.std(gains["additive"])), n=int(kept.sum()),
        unit="RMSE log2", baselines={**rmse, **extra},
        note=f"{where}; {len(pairs)} pairs, 95% interval by bootstrap over pairs",
    )  # fmt: skip


Conditions = dict[tuple[str, ...], tuple[int, tuple[tuple[str, float], ...]]]


def read(folder: Path | None) -> tuple[list[str], Array, Conditions]:
    """Node names, changes (conditions, nodes), and condition -> (row, ((drug, strength), …)); a drug's second dose is
    named "drug#2"."""
    if folder is None or not (folder / "cellbox" / "expr.csv").is_file():
        raise DataUnavailable("The CellBox data are not here", cure="Set CYTOCRUX_DATA_DIR to a folder with cellbox/")
    names = (folder / "cellbox" / "nodes.csv").read_text().split()
    expr = np.loadtxt(folder / "cellbox" / "expr.csv", delimiter=",")
    pert = np.loadtxt(folder / "cellbox" / "pert.csv", delimiter=",")
    found: Conditions = {}
    for i, row in enumerate(pert):
        parts = tuple((names[j], float(row[j])) for j in np.flatnonzero(row))
        key = tuple(d for d, _ in parts)
        found[key if key not in found else (f"{key[0]}#2",)] = (i, parts)
    return names, expr, found


def alone(
    names: list[str], expr: Array, conditions: Conditions
) -> tuple[dict[str, tuple[dict[float, Array], Array]], float]:
    """drug -> (strength -> changes, mean changes over its doses), and the sd between two doses as the noise."""
    by_drug: dict[str, dict[float, Array]] = {}
    spread = []
    for key, (row, parts) in conditions.items():
        if len(key) == 1:
            drug, strength = parts[0]
            doses = by_drug.setdefault(drug, {})
            if strength in doses:
                spread.append(doses[strength] - expr[row])
                doses[strength] = (doses[strength] + expr[row]) / 2
            else:
                spread += [expr[row] - other for other in doses.values()]
                doses[strength] = expr[row]
    real = [i for i, n in enumerate(names) if not n.startswith("a") or n == "a-tubulin"]
    sd = float(np.median(np.abs(np.concatenate([s[real] for s in spread]))) * 1.4826 / np.sqrt(2))
    return {d: (doses, np.mean(list(doses.values()), axis=0)) for d, doses in by_drug.items()}, sd

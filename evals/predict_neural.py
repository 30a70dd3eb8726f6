"""The neural ensemble: the cell with its gate, the nets alone (gate forced open), and the Gaussian process alone.

Three truths, each asked about what is new: one that a product of likenesses cannot hold, where the nets should be let
in; its plain counterpart, where the process is right and they should not; and RPPA lines never seen.

Simulated: lines and drugs have angles phi and theta (unit vectors are their features), readout k answers with
cos(m (theta - phi) + k pi / 3) and noise. m = 1 is the scalar product, which the kernel holds; m = 2 is not linear in
either feature, so likeness of features tells nothing of a new drug.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..world_model.rows import Array
from .results import Result
from .scores import figure, pearson

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.conditioncell import ConditionCell
    from ..world_model.data.conditions import ConditionTable

LINES, DRUGS, READOUTS, NOISE = 8, 60, 6, 0.3
SEEDS, HELD = 3, 12
SAME = 0.005  # correlations nearer than this are the same
Told = dict[str, float]  # method -> correlation, and "weight" of the nets


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Three seeds of each simulated truth and one RPPA line, about four minutes of one core (fast: one seed, no RPPA).

    Raises DataUnavailable without the lysates.
    """
    seeds = range(1 if fast else SEEDS)
    simulated = [
        _figure("nonlinear", [_simulated(2, seed) for seed in seeds], opens=True),
        _figure("plain", [_simulated(1, seed) for seed in seeds], opens=False),
    ]
    return simulated if fast else [*simulated, _figure("rppa_line", [_rppa(data_dir)], opens=False)]


def planted(m: int, seed: int) -> tuple[ConditionTable, dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """LINES x DRUGS conditions of READOUTS, features of lines and of drugs (the unit vectors of their angles)."""
    import pandas as pd

    from ..world_model.data.conditions import ConditionTable

    rng = np.random.default_rng(seed)
    phi, theta = rng.uniform(0, 2 * np.pi, LINES), rng.uniform(0, 2 * np.pi, DRUGS)
    line, drug = (v.ravel() for v in np.indices((LINES, DRUGS)))
    angle = m * (theta[drug] - phi[line])[:, None] + np.arange(READOUTS) * np.pi / 3
    delta = np.cos(angle) + NOISE * rng.normal(size=angle.shape)
    conditions = pd.DataFrame(
        {"context": [f"L{i}" for i in line], "perturbation": [f"D{i}" for i in drug], "kind": "compound",
         "dose": 1.0, "time_h": 24.0}
    )  # fmt: skip
    wells = tuple((f"w{i}",) for i in range(len(delta)))
    names = tuple(f"r{k}" for k in range(READOUTS))
    table = ConditionTable(conditions, delta, np.full(delta.shape, NOISE), np.ones(delta.shape, int), names, wells)

    def vectors(angles: Array, prefix: str) -> pd.DataFrame:
        unit = np.column_stack([np.cos(angles), np.sin(angles)])
        return pd.DataFrame(unit, index=[f"{prefix}{i}" for i in range(len(angles))], columns=["x", "y"])

    return table, {"expression": vectors(phi, "L")}, {"structure": vectors(theta, "D")}


def compare(process: ConditionCell, way: str, asked: pd.DataFrame, measured: Array) -> Told:
    """Correlation with what was measured: with the gate, nets alone, process alone; the weight the gate gave."""
    from ..world_model.neural.engine import NeuralEngine

    gated, forced = NeuralEngine.fit(process, [way]), NeuralEngine.forced(process, [way])
    told = {
        "cell": gated.answer(asked, None).mean,
        "nets alone": forced.answer(asked, None).mean,
        "process alone": process.answer(asked, None).mean,
    }
    weight = gated.gates[way].weight if way in gated.gates else 0.0
    return {**{name: pearson(mean, measured) for name, mean in told.items()}, "weight": weight}


def _simulated(m: int, seed: int) -> Told:
    """Drugs that were never seen."""
    from ..world_model.conditioncell import ConditionCell
    from ..world_model.rows import Rows

    table, lines, drugs = planted(m, seed)
    names = table.conditions["perturbation"].to_numpy()
    held = np.isin(names, [f"D{i}" for i in np.random.default_rng(seed).permutation(DRUGS)[:HELD]])
    process = ConditionCell.fit(Rows.of(table.subset(~held)), lines, {}, drugs, seed=seed, device="cpu")
    asked = Rows.of(table.subset(held))
    return compare(process, "new perturbation", asked.conditions, asked.delta)


def _rppa(data_dir: Path | None) -> Told:
    """A line that was never seen: the first by name."""
    from ..world_model.compounds import facts_for
    from ..world_model.conditioncell import ConditionCell
    from ..world_model.data import effects, load
    from ..world_model.data.rppa import load_rppa
    from ..world_model.rows import Rows

    table = effects(load("rppa") if data_dir is None else load_rppa(data_dir / "rppa"))
    classes = {str(p): facts_for(str(p)).mechanism_class for p in table.conditions["perturbation"].unique()}
    names = table.conditions["context"].astype(str).to_numpy()
    held = names == min(names)
    process = ConditionCell.fit(Rows.of(table.subset(~held)), {}, classes, seed=0, device="cpu")
    asked = Rows.of(table.subset(held))
    return compare(process, "new context", asked.conditions, asked.delta)


def _figure(name: str, runs: list[Told], *, opens: bool) -> Result:
    """opens: whether the gate should, in every run, and the cell gain by it; else it may not lose by it."""
    by = {key: [told[key] for told in runs] for key in runs[0]}
    weights, gain = by["weight"], np.array(by["cell"]) - np.array(by["process alone"])
    if opens:
        bar, passed = "gate open and better than the process in every run", min(weights) > 0 and gain.min() > SAME
    else:
        bar, passed = f"not below the process by more than {SAME} in any run", gain.min() >= -SAME
    others = {key: by[key] for key in ("nets alone", "process alone")}
    note = "weight of the nets " + ", ".join(f"{w:.2f}" for w in weights)
    return figure(f"neural_{name}_pearson", by["cell"], unit="", bar=bar, passed=bool(passed), baselines=others,
                  note=note)  # fmt: skip

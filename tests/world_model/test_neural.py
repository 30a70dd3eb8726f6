"""The nets speak where they help and nowhere else; they survive saving; they answer the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.neural.engine import NeuralEngine
from cytocrux.world_model.neural.gate import stacked
from cytocrux.world_model.rows import tidy


def planted(signal: float, seed: int = 0, n_drugs: int = 12) -> ConditionTable:
    """Lines with a hidden state x drugs with a hidden type, which decide the sign of the effect together."""
    rng = np.random.default_rng(seed)
    lines = [f"L{i}" for i in range(10)]
    rows = [(line, f"D{j}", 10.0**dose) for line in lines for j in range(n_drugs) for dose in (-1, 0, 1)]
    conditions = pd.DataFrame(rows, columns=["context", "perturbation", "dose"])
    conditions = conditions.assign(kind="compound", time_h=24.0)
    n, r = len(conditions), 6
    state = np.array([int(line[1:]) % 2 for line in conditions["context"]]) * 2 - 1
    kind = np.array([int(drug[1:]) % 2 for drug in conditions["perturbation"]]) * 2 - 1
    per_dose = np.log10(conditions["dose"].to_numpy() * 10)
    effect = (state * kind * per_dose)[:, None] * np.linspace(0.5, 1.5, r)
    delta = signal * effect + rng.normal(0, 0.3, (n, r))
    se = np.full((n, r), 0.3)
    wells = tuple((f"w{i}",) for i in range(n))
    return ConditionTable(conditions, delta, se, np.ones((n, r), int), tuple(f"R{k}" for k in range(r)), wells)


@pytest.fixture(scope="module", autouse=True)
def few_steps() -> Iterator[None]:
    """Short training: what is tested here does not need the last per cent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cytocrux.world_model.neural.engine.FOLDS_TRIED", 3)
        patch.setattr("cytocrux.world_model.neural.engine.MEMBERS_TRIED", 2)
        patch.setattr("cytocrux.world_model.neural.nets.STEPS", 160)
        yield


@pytest.fixture(scope="module")
def taught() -> VirtualCell:
    state = [(-1.0) ** (i + 1) for i in range(10)]
    features = pd.DataFrame({"state": state, "bias": 1.0}, index=[f"L{i}" for i in range(10)])
    return VirtualCell.fit(planted(1.0, n_drugs=5), context_features={"expression": features}, neural=True, seed=0)


def test_noise_opens_no_gate() -> None:
    cell = VirtualCell.fit(planted(0.0, seed=3, n_drugs=4), neural=True)
    assert isinstance(cell.engine, NeuralEngine)
    assert cell.engine.gates and not cell.engine.nets
    assert all(g.weight == 0.0 for g in cell.engine.gates.values())


def test_every_gate_says_what_it_measured(taught: VirtualCell) -> None:
    engine = taught.engine
    assert isinstance(engine, NeuralEngine)
    for gate in engine.gates.values():
        assert gate.folds >= 3 and 0.0 <= gate.weight <= 1.0
        assert gate.open == (gate.weight > 0) and (not gate.open or gate.gain > 2 * gate.gain_se)
    assert set(engine.nets) == {name for name, gate in engine.gates.items() if gate.open}


def test_it_survives_saving(taught: VirtualCell, tmp_path: Path) -> None:
    taught.save(tmp_path)
    again = VirtualCell.load(tmp_path)
    asked = pd.DataFrame({"context": ["L1", "new"], "perturbation": ["D3", "D4"], "dose": [3.0, 1.0]})
    asked = asked.assign(kind="compound", time_h=24.0)
    a, b = taught.predict(asked), again.predict(asked)
    assert np.allclose(a.mean, b.mean, atol=1e-9) and np.allclose(a.epistemic, b.epistemic, atol=1e-9)
    assert isinstance(again.engine, NeuralEngine) and again.version == taught.version


def test_measured_conditions_are_left_to_the_process(taught: VirtualCell) -> None:
    engine = taught.engine
    assert isinstance(engine, NeuralEngine)
    known = planted(1.0, n_drugs=5).conditions.head(5)
    assert np.allclose(engine.answer(known, None).mean, engine.process.answer(known, None).mean)


def test_stacking_finds_the_known_mix_and_refuses_a_gain_within_noise() -> None:
    rng = np.random.default_rng(0)
    truth, folds = rng.normal(size=(60, 4)), [np.arange(i, 60, 6) for i in range(6)]
    process, nets = truth + rng.normal(0, 1, truth.shape), truth + rng.normal(0, 1, truth.shape)
    w, gain, se = stacked(truth, process, nets, folds, np.ones(4))
    assert w == pytest.approx(0.5, abs=0.1) and gain > 2 * se
    worse = process + rng.normal(0, 1, truth.shape)
    assert stacked(truth, process, worse, folds, np.ones(4))[0] == 0.0


def test_the_ensemble_learns_what_a_product_kernel_cannot_and_is_deterministic() -> None:
    from cytocrux.world_model.neural.inputs import Inputs
    from cytocrux.world_model.neural.nets import Ensemble

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(400, 2)), rng.normal(size=(400, 2))
    y = np.tanh(3 * a[:, 0] * b[:, 0])[:, None] + rng.normal(0, 0.1, (400, 1))
    y[:40] = np.nan  # unmeasured entries teach nothing
    x = Inputs(a, b, np.zeros((400, 4)), 2, 2)
    groups = [np.arange(i, 300, 30) for i in range(30)]
    nets, twin = (Ensemble.fit(x, y, np.full_like(y, 0.01), groups, seed=5, members=3) for _ in range(2))
    mean, between, within = nets.predict(x)
    fresh = slice(300, 400)
    assert np.corrcoef(mean[fresh, 0], y[fresh, 0])[0, 1] > 0.7
    assert (between >= 0).all() and (within > 0).all()
    assert np.array_equal(mean, twin.predict(x)[0])


def test_only_the_ways_asked_for_are_tried_and_forced_nets_speak_alone(taught: VirtualCell) -> None:
    assert isinstance(taught.engine, NeuralEngine)
    process, way = taught.engine.process, "new perturbation"
    assert set(NeuralEngine.fit(process, [way]).gates) == {way}
    forced = NeuralEngine.forced(process, [way])
    asked = tidy(pd.DataFrame({"context": ["L1"], "perturbation": ["unseen"], "dose": [1.0], "time_h": [24.0]}))
    told = forced.answer(asked, None)
    assert told.base[0].endswith("nets 1.00") and not np.allclose(told.mean, process.answer(asked, None).mean)
    other = asked.assign(context="elsewhere", perturbation="D3")
    assert np.array_equal(forced.answer(other, None).mean, process.answer(other, None).mean)

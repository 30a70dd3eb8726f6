"""The process for many conditions: the exact one where all rows carry it, close to it where few do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from cytocrux.world_model import residual, sparse
from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.conditioncell import ConditionCell
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.gp import Process, learn
from cytocrux.world_model.kernels import Features, features, parameters
from cytocrux.world_model.priors import Priors
from cytocrux.world_model.rows import tidy
from cytocrux.world_model.scales import subgrid
from cytocrux.world_model.sparse import SparseProcess, inducing_rows

Array = NDArray[np.float64]


def screen(perturbations: int, contexts: int = 4, doses: int = 3, seed: int = 0, readouts: int = 3) -> ConditionTable:
    """Perturbation effects shared by contexts up to a strength, saturating in dose, read with noise of sd 0.2."""
    rng = np.random.default_rng(seed)
    levels = np.logspace(-1, 1, doses)
    grid = [(f"c{i}", f"p{j}", d) for i in range(contexts) for j in range(perturbations) for d in levels]
    effect, strength = rng.normal(size=(perturbations, readouts)), rng.uniform(0.5, 1.5, contexts)
    clean = np.array([strength[int(c[1:])] * effect[int(p[1:])] * d / (d + 0.5) for c, p, d in grid])
    delta = clean + 0.2 * rng.normal(size=clean.shape)
    conditions = pd.DataFrame(grid, columns=["context", "perturbation", "dose"]).assign(kind="compound", time_h=24.0)
    return ConditionTable(
        conditions, delta, np.full(delta.shape, 0.2), np.full(delta.shape, 3),
        tuple(f"r{j}" for j in range(readouts)), tuple((f"w{i}",) for i in range(len(grid))),
    )  # fmt: skip


@pytest.fixture(scope="module")
def parts() -> tuple[Features, Array, Array, dict[str, torch.Tensor]]:
    table = screen(20)
    conditions = tidy(table.conditions)
    x = features(conditions, Priors.build(conditions, {}, {}, 5), "cpu")
    y = table.delta.copy()
    y[::6, 1] = np.nan
    return x, y, np.full(y.shape, 0.05), parameters(0, 0, "cpu")


def test_carried_by_all_rows_it_is_the_exact_process(
    parts: tuple[Features, Array, Array, dict[str, torch.Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparse, "FILLS", 60)
    monkeypatch.setattr(sparse, "STABLE", 1e-10)
    x, y, noise, p = parts
    few = x.take(torch.arange(0, len(y), 7))
    exact = Process.fit(x, y, noise, p)
    every = SparseProcess.fit(x, np.isfinite(y), noise, p, np.arange(len(y)))
    for a, b in zip(every.predict(few, y), exact.predict(few, y), strict=True):
        np.testing.assert_allclose(a[:, [0, 2]], b[:, [0, 2]], atol=1e-5)
    # missing readings are filled with their own fixed point: the mean is that of the rows seen
    np.testing.assert_allclose(every.predict(few, y)[0], exact.predict(few, y)[0], atol=1e-3)
    monkeypatch.setattr(sparse, "MOST_MISSING", 0.0)
    own = SparseProcess.fit(x, np.isfinite(y), noise, p, np.arange(len(y)))
    for a, b in zip(own.predict(few, y), exact.predict(few, y), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_at_1720_conditions_it_agrees_with_the_exact_process_the_better_the_more_rows_carry_it() -> None:
    table = screen(160)
    conditions = tidy(table.conditions)
    x = features(conditions, Priors.build(conditions, {}, {}, 5), "cpu")
    order = np.random.default_rng(5).permutation(len(table))
    held, kept = order[:200], np.sort(order[200:])
    y, noise = table.delta[kept], np.full((len(kept), 3), 0.2**2)
    few = subgrid(conditions.iloc[kept], 300, 0)
    known, asked = x.take(torch.as_tensor(kept)), x.take(torch.as_tensor(held))
    p = learn(known.take(torch.as_tensor(few)), y[few], noise[few])
    mean, var = Process.fit(known, y, noise, p).predict(asked, y)
    wrong = np.sqrt(np.mean((mean - table.delta[held]) ** 2))
    apart, wider = [], []
    for carrying in (600, 1000):
        inducing = inducing_rows(known, carrying, 0)
        told, told_var = SparseProcess.fit(known, np.isfinite(y), noise, p, inducing).predict(asked, y)
        apart.append(np.sqrt(np.mean((told - mean) ** 2) / np.mean(var)))  # in sd of the exact process
        wider.append(np.sqrt(np.mean(told_var) / np.mean(var)))
        assert np.sqrt(np.mean((told - table.delta[held]) ** 2)) < 1.03 * wrong
    assert apart[1] < 0.35 < apart[0] < 0.7
    assert 1.0 < wider[1] < 1.2 < wider[0] < 1.6  # what does not carry makes it less sure, never surer


def test_leaving_rows_out_equals_fitting_without_them(
    parts: tuple[Features, Array, Array, dict[str, torch.Tensor]],
) -> None:
    x, y, noise, p = parts
    y = np.nan_to_num(y)
    inducing = inducing_rows(x, 60, 0)
    whole = SparseProcess.fit(x, np.isfinite(y), noise, p, inducing)
    kept = np.setdiff1d(np.arange(len(y)), held := np.array([1, 2, 50, 111]))
    mean, var = whole.leave_out([], held, y)
    # the same rows may carry, but tell nothing: noise without bound
    deaf = noise.copy()
    deaf[held] = 1e9
    want = SparseProcess.fit(x, np.isfinite(y), deaf, p, inducing).predict(x.take(torch.as_tensor(held)), y)
    np.testing.assert_allclose(mean, want[0], atol=1e-5)
    np.testing.assert_allclose(var, want[1], atol=1e-5)
    one = whole.leave_one_out([], y)
    for row in (0, 77):
        told = whole.leave_out([], np.array([row]), y)
        np.testing.assert_allclose(one[0][row], told[0][0], atol=1e-6)
        np.testing.assert_allclose(one[1][row], told[1][0], atol=1e-6)
    assert len(kept) == len(y) - 4


def test_inducing_rows_cover_every_perturbation_first(
    parts: tuple[Features, Array, Array, dict[str, torch.Tensor]],
) -> None:
    x = parts[0]
    rows = inducing_rows(x, 50, 1)
    counts = np.bincount(x.place[1].numpy()[rows], minlength=20)
    assert len(set(rows)) == 50 and counts.min() == 2 and counts.max() == 3
    np.testing.assert_array_equal(rows, inducing_rows(x, 50, 1))


def test_a_cell_past_the_limit_predicts_as_the_exact_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = screen(60)
    rng = np.random.default_rng(5)
    held = rng.random(len(table)) < 0.15
    train, test = table.subset(~held), table.subset(held)
    exact = VirtualCell.fit(train)
    monkeypatch.setattr(residual, "EXACT_ROWS", 200)
    monkeypatch.setattr(sparse, "MOST_INDUCING", 240)
    cell = VirtualCell.fit(train)
    assert isinstance(cell.engine, ConditionCell)
    assert all(isinstance(r.process, SparseProcess) for r in cell.engine.residuals.values())
    a, b = exact.predict(test.conditions), cell.predict(test.conditions)
    wrong = [float(np.sqrt(np.mean((t.mean - test.delta) ** 2))) for t in (a, b)]
    assert wrong[1] < 1.05 * wrong[0]
    assert np.sqrt(np.mean((a.mean - b.mean) ** 2)) < 0.6 * a.epistemic.mean()
    inside = np.abs(b.mean - test.delta) <= 1.645 * np.hypot(b.epistemic, 0.2)
    assert 0.82 < inside.mean() < 0.96
    cell.save(tmp_path / "cell")
    back = VirtualCell.load(tmp_path / "cell")
    np.testing.assert_allclose(back.predict(test.conditions).mean, b.mean, atol=1e-8)
    after = back.update(test.subset(np.arange(20)))
    told = after.predict(test.conditions)
    assert np.mean((told.mean[:20] - test.delta[:20]) ** 2) < np.mean((b.mean[:20] - test.delta[:20]) ** 2)


def test_single_precision_and_other_devices_take_the_same_path(monkeypatch: pytest.MonkeyPatch) -> None:
    from cytocrux.world_model import gp, kernels

    table = screen(8)
    double = VirtualCell.fit(table)
    monkeypatch.setattr(kernels, "real", lambda device: torch.float32)
    monkeypatch.setattr(gp, "real", lambda device: torch.float32)
    single = VirtualCell.fit(table)
    assert isinstance(single.engine, ConditionCell)
    assert single.engine.residuals["train mean"].process.x.dose.dtype == torch.float32
    asked = table.conditions.assign(dose=0.7)
    a, b = double.predict(asked), single.predict(asked)
    assert np.max(np.abs(a.mean - b.mean) / a.epistemic) < 0.3
    assert replace(b, mean=a.mean).mean.dtype == np.float64

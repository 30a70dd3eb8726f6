"""The cell on a lines x drugs matrix: recovered structure, news about other drugs, partial profiles, both screens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.panel import PanelEngine
from cytocrux.world_model.panelcell import Residuals
from cytocrux.world_model.ridge import View, stack
from cytocrux.world_model.vocabulary import Context

Array = NDArray[np.float64]
LINES, DRUGS, GENES = 160, 24, 300


def table_of(conditions: pd.DataFrame, value: Array, *, first: int = 0) -> ConditionTable:
    n = len(value)
    wells = tuple((f"w{first + i}",) for i in range(n))
    conditions = conditions.assign(kind="compound", dose=np.nan, time_h=np.nan).reset_index(drop=True)
    return ConditionTable(
        conditions, value[:, None], np.full((n, 1), np.nan), np.ones((n, 1), dtype=np.int64), ("LN_IC50",), wells
    )


class Screen:
    """Response = expression programme (4) + hidden line traits (2) shared by a class's drugs + noise, two screens."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.lines = [f"line{i:03d}" for i in range(LINES)]
        self.drugs = [f"drug{i:02d}" for i in range(DRUGS)]
        self.classes = {d: f"class{i % 6}" for i, d in enumerate(self.drugs)}
        programme, hidden = rng.normal(size=(LINES, 4)), rng.normal(size=(LINES, 6))
        self.expression = pd.DataFrame(
            programme @ rng.normal(size=(4, GENES)) + rng.normal(size=(LINES, GENES)),
            index=self.lines, columns=[f"g{i}" for i in range(GENES)],
        )  # fmt: skip
        self.seen = programme @ rng.normal(size=(4, DRUGS)) * 0.5
        self.class_part = np.stack([hidden[:, i % 6] for i in range(DRUGS)], axis=1)
        self.offset = np.linspace(-3, 5, DRUGS)
        self.truth = self.offset + self.seen + self.class_part
        reading = self.truth + 0.3 * rng.normal(size=self.truth.shape)
        rows = [(i, j, "S2") for i in range(LINES) for j in range(DRUGS) if rng.uniform() < 0.85]
        rows += [(i, j, "S1") for i in range(LINES) for j in range(8) if rng.uniform() < 0.5]
        self.conditions = pd.DataFrame(
            {"context": [self.lines[i] for i, _, _ in rows], "perturbation": [self.drugs[j] for _, j, _ in rows],
             "batch": [b for _, _, b in rows]}
        )  # fmt: skip
        self.value = np.array([reading[i, j] + (1.5 if b == "S1" else 0.0) for i, j, b in rows])

    def table(self, keep: NDArray[np.bool_], first: int = 0) -> ConditionTable:
        return table_of(self.conditions[keep], self.value[keep], first=first)


@pytest.fixture(scope="module")
def screen() -> Screen:
    return Screen()


@pytest.fixture(scope="module")
def cell(screen: Screen) -> VirtualCell:
    """Fitted without the last 20 lines."""
    keep = ~screen.conditions["context"].isin(screen.lines[-20:]).to_numpy()
    return VirtualCell.fit(
        screen.table(keep), context_features={"expression": screen.expression}, compound_classes=screen.classes
    )


def asked(screen: Screen, line: str) -> pd.DataFrame:
    return pd.DataFrame({"context": line, "perturbation": screen.drugs, "batch": "S2"})


def test_unseen_lines_are_predicted_from_expression_and_covered(screen: Screen, cell: VirtualCell) -> None:
    assert isinstance(cell.engine, PanelEngine)
    told = [cell.predict(asked(screen, line)) for line in screen.lines[-20:]]
    mean = np.stack([t.mean[:, 0] for t in told])
    r = [np.corrcoef(mean[:, j], screen.seen[-20:, j])[0, 1] for j in range(DRUGS)]
    assert np.mean(r) > 0.8
    error = mean - screen.truth[-20:]
    sd = np.stack([t.epistemic[:, 0] for t in told])
    assert 0.8 < np.mean(np.abs(error) <= 1.645 * sd) <= 0.99
    assert not any(t.abstain.any() for t in told) and all(set(t.base) == {"condition mean"} for t in told)
    z, z_sd, _ = told[0].z()
    assert abs(z.mean()) < 2 and np.all(z_sd < 1.2)


def test_a_few_measured_drugs_teach_about_their_class_in_this_line(screen: Screen, cell: VirtualCell) -> None:
    before_all, after_all = [], []
    for row, line in enumerate(screen.lines[-20:], start=LINES - 20):
        here = (screen.conditions["context"] == line).to_numpy() & (screen.conditions["batch"] == "S2").to_numpy()
        taught = here & screen.conditions["perturbation"].isin(screen.drugs[:6]).to_numpy()  # one drug a class
        others = slice(6, None)
        after = cell.update(screen.table(taught, first=100_000))
        before_told, after_told = (c.predict(asked(screen, line)) for c in (cell, after))
        before_all.append(before_told.mean[others, 0] - screen.truth[row, others])
        after_all.append(after_told.mean[others, 0] - screen.truth[row, others])
        assert np.all(after_told.epistemic <= before_told.epistemic + 1e-9)
    assert np.mean(np.square(after_all)) < 0.5 * np.mean(np.square(before_all))


def test_a_patient_with_some_genes_lies_between_nothing_and_the_whole_profile(
    screen: Screen, cell: VirtualCell
) -> None:
    line, row = screen.lines[-3], LINES - 3
    profile = {str(g): float(v) for g, v in screen.expression.loc[line].items()}
    error, width = [], []
    for genes in (0, 15, GENES):
        patient = Context(name="patient", expression=dict(list(profile.items())[:genes]))
        told = cell.predict(asked(screen, "patient"), context=patient)
        error.append(float(np.mean((told.mean[:, 0] - screen.offset - screen.seen[row]) ** 2)))
        width.append(float(told.epistemic.mean()))
    assert width[0] > width[1] > width[2]
    assert error[2] < error[0]
    by_name = cell.predict(asked(screen, line))
    np.testing.assert_allclose(by_name.mean, told.mean, atol=1e-6)


def test_each_screen_keeps_its_own_scale(screen: Screen, cell: VirtualCell) -> None:
    one = pd.DataFrame({"context": screen.lines[-1], "perturbation": screen.drugs[0], "batch": ["S1", "S2"]})
    told = cell.predict(one)
    assert told.mean[0, 0] - told.mean[1, 0] == pytest.approx(1.5, abs=0.6)
    default = cell.predict(one[["context", "perturbation"]])
    assert default.mean[0, 0] == told.mean[1, 0]  # the screen with more lines


def test_an_unmeasured_drug_abstains_with_its_class_mean(screen: Screen, cell: VirtualCell) -> None:
    told = cell.predict(pd.DataFrame({"context": screen.lines[-1:], "perturbation": ["unheard"]}))
    assert told.abstain[0] and "class is unknown" in told.reason[0] and np.isnan(told.mean[0, 0])


def test_save_and_load_with_later_readings(screen: Screen, cell: VirtualCell, tmp_path: Path) -> None:
    line = screen.lines[-1]
    here = (screen.conditions["context"] == line).to_numpy()
    after = cell.update(screen.table(here, first=200_000))
    after.save(tmp_path)
    back = VirtualCell.load(tmp_path)
    np.testing.assert_allclose(
        back.predict(asked(screen, line)).mean, after.predict(asked(screen, line)).mean, atol=1e-3
    )
    assert back.parent == cell.version


def test_the_chance_of_a_sensitive_line_is_calibrated_and_hears_of_new_readings(
    screen: Screen, cell: VirtualCell, tmp_path: Path
) -> None:
    lines, seen = screen.lines[-20:], screen.lines[:-20]
    rows = pd.concat([asked(screen, line) for line in lines], ignore_index=True)
    chance = cell.chance_below(rows, -0.67)[:, 0].reshape(20, DRUGS)
    known = screen.truth[: len(seen)]
    z = (screen.truth[-20:] - known.mean(axis=0)) / np.hypot(known.std(axis=0), 0.3)
    hit = z <= -0.67
    assert abs(chance.mean() - hit.mean()) < 0.06
    assert np.mean((chance - hit) ** 2) < 0.85 * hit.mean() * (1 - hit.mean())
    assert np.all(cell.chance_below(rows, -1.2)[:, 0] < chance.ravel() + 0.05)
    worst = screen.conditions["context"].eq(lines[0]).to_numpy() & screen.conditions["batch"].eq("S2").to_numpy()
    worst &= screen.conditions["perturbation"].isin(screen.drugs[:6]).to_numpy()  # one drug a class
    table = table_of(screen.conditions[worst], screen.value[worst] - 5.0, first=300_000)
    after = cell.update(table)
    moved = after.chance_below(rows, -0.67)[:, 0].reshape(20, DRUGS)
    assert moved[0, 6:].mean() > chance[0, 6:].mean() + 0.2
    np.testing.assert_allclose(moved[1:], chance[1:], atol=1e-9)
    after.save(tmp_path)
    np.testing.assert_allclose(VirtualCell.load(tmp_path).chance_below(rows, -0.67)[:, 0], moved.ravel(), atol=1e-3)
    stranger = pd.DataFrame({"context": lines[:1], "perturbation": ["unheard"]})
    assert np.isnan(cell.chance_below(stranger, -0.67)).all()


def test_far_lines_sway_the_mean_but_not_the_chance() -> None:
    """One gene makes a few lines 12 sd more sensitive, another decides who is in the sensitive quarter."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 2))
    value = (
        np.where(x[:, :1] < -0.67, -1.5, 0.5) + np.where(x[:, 1:] > 2.0, -12.0, 0.0) + 0.3 * rng.normal(size=(200, 9))
    )
    lines, drugs = [f"l{i:03d}" for i in range(200)], [f"d{j}" for j in range(9)]
    rows = pd.DataFrame({"context": np.repeat(lines, 9), "perturbation": drugs * 200, "batch": ""})
    new = np.repeat(np.arange(200) >= 150, 9)
    expression = pd.DataFrame(x, index=lines, columns=["a", "b"])
    fitted = VirtualCell.fit(table_of(rows[~new], value.ravel()[~new]), context_features={"expression": expression})
    hit = (x[150:, 0] < -0.67) | (x[150:, 1] > 2.0)
    told = fitted.predict(rows[new])
    edge = (-0.5 - told.reference_mean[0, 0]) / told.reference_sd[0, 0]  # between the two groups of lines
    mean, sd, noise = (v[:, 0].reshape(50, 9).mean(axis=1) for v in told.z())
    plain = ndtr((edge - mean) / np.hypot(sd, noise))
    learned = fitted.chance_below(rows[new], edge)[:, 0].reshape(50, 9).mean(axis=1)
    assert np.mean((learned - hit) ** 2) < np.mean((plain - hit) ** 2)


def test_conditional_residuals_equal_the_dense_gaussian() -> None:
    rng = np.random.default_rng(1)
    factors, specific = rng.normal(size=(9, 2)), rng.uniform(0.5, 1.0, 9)
    noise = 0.4 * specific
    model = Residuals(factors, specific)
    at, reading = np.array([1, 4, 7]), np.array([1.0, -0.5, 2.0])
    signal = factors @ factors.T + np.diag(specific - noise)
    total = signal[np.ix_(at, at)] + np.diag(noise[at])
    gain = signal[:, at] @ np.linalg.inv(total)
    mean, var = model.given(at, reading, noise)
    np.testing.assert_allclose(mean, gain @ reading, atol=1e-10)
    np.testing.assert_allclose(var, np.diag(signal - gain @ signal[at]), atol=1e-10)
    nothing, prior = model.given(np.array([], dtype=np.intp), np.array([]), noise)
    assert np.all(nothing == 0)
    np.testing.assert_allclose(prior, np.diag(signal))


def test_left_out_predictions_equal_refits_without_the_line() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 10))
    z = x @ rng.normal(size=(10, 6)) * 0.3 + 0.5 * rng.normal(size=(40, 6))
    view = View.fit(x, z, linear=1.0)
    told = []
    for i in range(8):
        rest = np.arange(40) != i
        told.append(View.fit(x[rest], z[rest], linear=1.0).predict(x[i : i + 1])[0])
    # centring and penalties are chosen anew without the line, so equality is near, not exact
    assert np.corrcoef(np.ravel(told), view.left_out[:8].ravel())[0, 1] > 0.97
    weights = stack([view.left_out, rng.normal(size=z.shape)], z)
    assert weights[0] > 0.7 and weights[1] < 0.1

"""The cell on conditions: known truths recovered, exact algebra, update against refit, abstention, bad input."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from cytocrux.world_model.base import BaseModel, Bases
from cytocrux.world_model.cell import VirtualCell, arm_conditions
from cytocrux.world_model.conditioncell import NOVELTY, ConditionCell
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.errors import BadInput, Corrupt, DataUnavailable, UnknownName
from cytocrux.world_model.gp import Process
from cytocrux.world_model.kernels import features, kernel, parameters
from cytocrux.world_model.priors import ContextEncoder, Priors
from cytocrux.world_model.rows import tidy
from cytocrux.world_model.vocabulary import Arm, Context, Perturbation, Query, Readout

Array = NDArray[np.float64]
DOSES, TIMES = (0.01, 0.1, 1.0, 10.0), (1.0, 8.0, 24.0)
CLASSES = {"raf1": "RAF", "raf2": "RAF", "raf3": "RAF", "mek1": "MEK", "akt1": "AKT"}


def make_table(
    conditions: pd.DataFrame, delta: Array, noise: float, *, wells: int = 4, first: int = 0
) -> ConditionTable:
    """A table of conditions with equal standard errors and invented well ids."""
    n = len(conditions)
    ids = tuple(tuple(f"w{first + i}-{k}" for k in range(wells)) for i in range(n))
    se = np.full_like(delta, noise / np.sqrt(wells))
    return ConditionTable(
        conditions.reset_index(drop=True),
        delta,
        se,
        np.full(delta.shape, wells),
        ("a", "b", "c")[: delta.shape[1]],
        ids,
    )


def dose_response(lines: int = 5, seed: int = 0, noise: float = 0.1) -> tuple[pd.DataFrame, Array, Array]:
    """Conditions, noiseless and noisy changes (n, 3): class effect x line sensitivity x saturation in dose x time."""
    rng = np.random.default_rng(seed)
    effect = {"RAF": np.array([-2.0, 1.0, 0.3]), "MEK": np.array([-1.5, 0.2, 0.8]), "AKT": np.array([0.2, -1.0, 0.0])}
    rows, truth = [], []
    strength = rng.uniform(0.6, 1.4, lines)
    for line in range(lines):
        for drug, kind in CLASSES.items():
            for dose in DOSES:
                for time in TIMES:
                    rows.append(
                        {"context": f"L{line}", "perturbation": drug, "kind": "compound", "dose": dose, "time_h": time}
                    )
                    truth.append(effect[kind] * strength[line] * dose / (dose + 0.1) * (1 - np.exp(-time / 6)))
    clean = np.array(truth)
    return pd.DataFrame(rows), clean, clean + noise / 2 * rng.normal(size=clean.shape)


def ways(cell: VirtualCell, asked: pd.DataFrame) -> list[str]:
    """In which way each condition is new, in words."""
    return [list(NOVELTY)[i] for i in cell.engine.ways(cell.engine.bases.query(asked), asked)]


@pytest.fixture(scope="module")
def fitted() -> tuple[VirtualCell, pd.DataFrame, Array, Array]:
    """A cell fitted on four of five lines; the fifth is held out."""
    conditions, clean, noisy = dose_response()
    train = (conditions["context"] != "L4").to_numpy()
    cell = VirtualCell.fit(make_table(conditions[train], noisy[train], 0.1), compound_classes=CLASSES)
    return cell, conditions, clean, noisy


def test_a_new_line_is_predicted_and_covered(fitted: tuple[VirtualCell, pd.DataFrame, Array, Array]) -> None:
    cell, conditions, clean, noisy = fitted
    held = (conditions["context"] == "L4").to_numpy()
    told = cell.predict(conditions[held])
    assert np.corrcoef(told.mean.ravel(), clean[held].ravel())[0, 1] > 0.95
    inside = np.abs(noisy[held] - told.mean) <= 1.645 * np.hypot(told.epistemic, 0.05)
    assert inside.mean() > 0.6
    assert not told.abstain.any()
    assert set(told.base) <= {"condition mean", "train mean", "condition mean and train mean"}


def test_a_held_out_dose_and_time_are_interpolated() -> None:
    conditions, clean, noisy = dose_response()
    held = ((conditions["perturbation"] == "raf2") & (conditions["time_h"] == 8.0)).to_numpy()
    cell = VirtualCell.fit(make_table(conditions[~held], noisy[~held], 0.1), compound_classes=CLASSES)
    assert isinstance(cell.engine, ConditionCell)
    assert set(ways(cell, tidy(conditions[held]))) == {"new time"}
    told = cell.predict(conditions[held])
    wrong = np.sqrt(np.mean((told.mean - clean[held]) ** 2))
    assert wrong < 0.25 * clean[held].std()
    inside = np.abs(noisy[held] - told.mean) <= 1.645 * np.hypot(told.epistemic, 0.05)
    assert inside.mean() > 0.75


def test_pairs_are_the_sum_of_their_singles_where_nothing_more_is_measured() -> None:
    rng = np.random.default_rng(3)
    genes = [f"g{i}" for i in range(8)]
    single = {g: rng.normal(size=3) for g in genes}
    names = genes + [f"{a}+{b}" for a, b in itertools.pairwise(genes[:7])]
    delta = np.array([sum(single[p] for p in name.split("+")) for name in names]) + 0.01 * rng.normal(size=(14, 3))
    conditions = pd.DataFrame(
        {"context": "K562", "perturbation": names, "kind": "activation", "dose": np.nan, "time_h": np.nan}
    )
    cell = VirtualCell.fit(make_table(conditions, delta, 0.02))
    asked = pd.DataFrame({"context": ["K562"], "perturbation": ["g0+g7"]})
    told = cell.predict(asked)
    assert told.base == ["additive"]
    np.testing.assert_allclose(told.mean[0], single["g0"] + single["g7"], atol=0.1)


def test_same_seed_same_numbers(fitted: tuple[VirtualCell, pd.DataFrame, Array, Array]) -> None:
    cell, conditions, _, noisy = fitted
    train = (conditions["context"] != "L4").to_numpy()
    again = VirtualCell.fit(make_table(conditions[train], noisy[train], 0.1), compound_classes=CLASSES)
    assert again.version == cell.version and again.training_hash == cell.training_hash
    np.testing.assert_array_equal(again.predict(conditions[:20]).mean, cell.predict(conditions[:20]).mean)


def test_update_moves_the_new_line_and_equals_a_refit_with_the_same_parameters(
    fitted: tuple[VirtualCell, pd.DataFrame, Array, Array],
) -> None:
    cell, conditions, clean, noisy = fitted
    held = (conditions["context"] == "L4").to_numpy()
    taught = held & (conditions["perturbation"] == "raf1").to_numpy()
    asked = held & ~taught
    new = make_table(conditions[taught], noisy[taught], 0.1, first=1000)
    after = cell.update(new)
    before_error = np.mean((cell.predict(conditions[asked]).mean - clean[asked]) ** 2)
    told = after.predict(conditions[asked])
    assert np.mean((told.mean - clean[asked]) ** 2) < before_error  # raf1 tells of raf2
    assert after.parent == cell.version and set(cell.manifest) < set(after.manifest)
    old, engine = cell.engine, after.engine
    assert isinstance(old, ConditionCell) and isinstance(engine, ConditionCell)
    kept = {name: r.kept for name, r in engine.residuals.items()}
    refit = ConditionCell.restore(
        after.rows, engine.priors, old.parameters, kept, old.trust, seed=old.seed, device="cpu"
    ).answer(tidy(conditions[asked]), None)
    assert np.max(np.abs(refit.mean - told.mean) / told.epistemic) < 1e-3
    np.testing.assert_allclose(refit.epistemic, told.epistemic, rtol=1e-3)


def test_save_and_load_give_the_same_cell(
    fitted: tuple[VirtualCell, pd.DataFrame, Array, Array], tmp_path: Path
) -> None:
    cell, conditions, _, noisy = fitted
    held = (conditions["context"] == "L4").to_numpy()
    after = cell.update(make_table(conditions[held][:5], noisy[held][:5], 0.1, first=1000))
    after.save(tmp_path / "cell")
    back = VirtualCell.load(tmp_path / "cell")
    assert (back.version, back.parent, back.manifest, back.wells) == (
        after.version, after.parent, after.manifest, after.wells,
    )  # fmt: skip
    a, b = after.predict(conditions[held]), back.predict(conditions[held])
    np.testing.assert_allclose(b.mean, a.mean, atol=1e-6)
    np.testing.assert_allclose(b.epistemic, a.epistemic, atol=1e-6)
    arrays = tmp_path / "cell" / "arrays.safetensors"
    spoilt = bytearray(arrays.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    arrays.write_bytes(bytes(spoilt))
    with pytest.raises(Corrupt, match="do not match their hash"):
        VirtualCell.load(tmp_path / "cell")
    with pytest.raises(DataUnavailable, match="no cell"):
        VirtualCell.load(tmp_path / "nowhere")


def test_data_without_signal_make_it_abstain_and_say_why() -> None:
    rng = np.random.default_rng(5)
    names = [f"g{i}" for i in range(12)]
    bias = rng.normal(size=(2, 3))  # a control error shared by all perturbations of a line
    rows = [(c, n) for c in range(2) for n in names]
    delta = np.array([bias[c] for c, _ in rows]) + 0.2 * rng.normal(size=(24, 3))
    conditions = pd.DataFrame(
        {"context": [f"L{c}" for c, _ in rows], "perturbation": [n for _, n in rows], "kind": "knockdown",
         "dose": np.nan, "time_h": np.nan}
    )  # fmt: skip
    cell = VirtualCell.fit(make_table(conditions, delta, 0.42))
    told = cell.predict(conditions[:3])
    assert told.abstain.all()
    assert "cannot tell perturbations apart" in told.reason[0]
    signal = delta + np.array([hash_normal(n) for _, n in rows])
    assert not VirtualCell.fit(make_table(conditions, signal, 0.42)).predict(conditions[:3]).abstain.any()


def hash_normal(name: str) -> Array:
    """A fixed effect of a gene."""
    return np.random.default_rng([ord(c) for c in name]).normal(size=3)


def test_an_unknown_perturbation_is_named(fitted: tuple[VirtualCell, pd.DataFrame, Array, Array]) -> None:
    cell = fitted[0]
    asked = pd.DataFrame({"context": "L0", "perturbation": ["novel", "raf1"], "dose": 1.0, "time_h": 8.0})
    told = cell.predict(asked)
    assert told.abstain.tolist() == [True, False]
    assert "novel was never measured" in told.reason[0]
    assert told.epistemic[0].mean() > 2 * told.epistemic[1].mean()
    assert told.in_domain[0] < told.in_domain[1]


def test_a_new_drug_of_a_known_class_is_placed_by_its_class() -> None:
    conditions, clean, noisy = dose_response()
    train = (conditions["perturbation"] != "raf2").to_numpy()
    asked = conditions[~train]
    with_class = VirtualCell.fit(make_table(conditions[train], noisy[train], 0.1), compound_classes=CLASSES)
    without = VirtualCell.fit(make_table(conditions[train], noisy[train], 0.1))
    error = [float(np.mean((c.predict(asked).mean - clean[~train]) ** 2)) for c in (with_class, without)]
    assert error[0] < 0.6 * error[1]
    assert not with_class.predict(asked).abstain.any() and without.predict(asked).abstain.all()


def test_responses_of_a_query_and_of_a_score(fitted: tuple[VirtualCell, pd.DataFrame, Array, Array]) -> None:
    cell = fitted[0]
    arm = Arm(context="L0", perturbations=(Perturbation(kind="compound", name="raf1", dose=1.0),), time_h=24.0)
    one = Readout(modality="phosphoproteome", variable="a")
    score = Readout(modality="score", variable="s", members=(("a", 1.0), ("b", -1.0)))
    a, s = cell.respond(Query(arm=arm, readouts=(one, score)))
    b = cell.respond(Query(arm=arm, readouts=(Readout(modality="phosphoproteome", variable="b"),)))[0]
    assert s.mean == pytest.approx((a.mean - b.mean) / 2)
    assert a.mean < -0.5 and a.aleatoric == pytest.approx(0.1, rel=0.2) and not a.abstain
    assert arm_conditions(Query(arm=arm, readouts=(one,))).loc[0, "dose"] == 1.0
    with pytest.raises(UnknownName, match="readout"):
        cell.respond(Query(arm=arm, readouts=(Readout(modality="score", variable="nothing"),)))


def test_bad_input_is_refused(fitted: tuple[VirtualCell, pd.DataFrame, Array, Array]) -> None:
    cell, conditions, _, noisy = fitted
    with pytest.raises(BadInput, match="negative or infinite"):
        cell.predict(conditions[:2].assign(dose=-1.0))
    with pytest.raises(BadInput, match="lack the column perturbation"):
        cell.predict(conditions[["context"]])
    with pytest.raises(BadInput, match="nothing to predict"):
        cell.predict(conditions[:0])
    with pytest.raises(BadInput, match="already in the training data"):
        cell.update(make_table(conditions[:1], noisy[:1], 0.1))
    with pytest.raises(BadInput, match="not one this cell was fitted on"):
        cell.update(replace(make_table(conditions[:1], noisy[:1], 0.1, first=9000), readouts=("a", "b", "zzz")))
    with pytest.raises(BadInput, match="nothing to learn from"):
        VirtualCell.fit(make_table(conditions[:2], np.full((2, 3), np.nan), 0.1))


# --- the parts ---


def test_bases_leave_the_rows_own_reading_out() -> None:
    conditions = tidy(pd.DataFrame({"context": ["A", "B", "C", "A", "A"], "perturbation": ["x", "x", "x", "y", "x+y"]}))
    delta = np.array([[1.0], [3.0], [8.0], [10.0], [12.0]])
    values = BaseModel(conditions, conditions).values(delta, np.full((5, 1), 0.5), np.ones(5, dtype=bool))
    assert values["condition mean"].mean[:3, 0].tolist() == [5.5, 4.5, 2.0]
    assert np.isnan(values["condition mean"].mean[3:]).all()
    assert values["additive"].mean[4, 0] == 11.0
    assert values["context mean"].mean[0, 0] == 11.0
    masked = BaseModel(conditions, conditions).values(
        delta, np.full((5, 1), 0.5), np.array([True, False, True, True, True])
    )
    assert masked["condition mean"].mean[0, 0] == 8.0


def test_the_dose_curve_interpolates_and_fades() -> None:
    """Changes of dose^0.5: ratio 10^0.5 a decade below; the lowest dose is told from the next ones."""
    doses = (0.01, 0.1, 1.0, 10.0)
    rows = [("A", p, d) for p in ("x", "y", "z", "v") for d in doses]
    conditions = tidy(pd.DataFrame(rows, columns=["context", "perturbation", "dose"]).assign(time_h=1.0))
    size = {"x": 1.0, "y": -2.0, "z": 3.0, "v": 1.0}
    delta = np.array([[size[p] * d**0.5] for _, p, d in rows])
    mask = np.ones(16, dtype=bool)
    mask[[0, 5]] = False  # x at its lowest, y at 0.1
    values = Bases(conditions).sums(delta, mask).values(Bases(conditions).own)["dose curve"].mean[:, 0]
    assert values[0] == pytest.approx(delta[0, 0], rel=0.02)  # faded from 0.1, its own reading unseen
    assert values[5] == pytest.approx((delta[4, 0] + delta[6, 0]) / 2)  # halfway on the log scale
    assert values[1] == pytest.approx(delta[2, 0] * 10**-0.5, rel=0.02)  # x has nothing below 0.1 any more
    assert values[3] == pytest.approx(1.5 * delta[2, 0])  # above: the ratio is bounded
    asked = pd.DataFrame({"context": "A", "perturbation": ["x", "x", "w", "x"], "dose": [10**-2.5, 3.0, 1.0, np.nan]})
    bases = Bases(conditions)
    told = bases.sums(delta).values(bases.query(tidy(asked.assign(time_h=1.0))))["dose curve"].mean[:, 0]
    assert told[0] == pytest.approx(10**-1.25, rel=0.02)
    between = np.log10(3.0)
    assert told[1] == pytest.approx((1 - between) * 1.0 + between * 10**0.5)
    assert np.isnan(told[2:]).all()


def test_a_lower_dose_than_any_is_told_apart_and_fades() -> None:
    conditions, clean, noisy = dose_response()
    lowest = (conditions["dose"] == 0.01).to_numpy()
    wide = conditions[~lowest].copy()
    extra = conditions[lowest].assign(dose=100.0)
    train = pd.concat([wide, extra], ignore_index=True)
    delta = np.vstack([noisy[~lowest], clean[lowest] * (100 / 100.1) / (0.01 / 0.11)])
    cell = VirtualCell.fit(make_table(train, delta, 0.1), compound_classes=CLASSES)
    assert isinstance(cell.engine, ConditionCell)
    told = cell.predict(conditions[lowest])
    assert set(ways(cell, tidy(conditions[lowest]))) == {"new lower dose"}
    assert set(ways(cell, tidy(conditions[lowest].assign(dose=1000.0)))) == {"new higher dose"}
    # the next dose's change, taken as it is, would err by far more
    next_one = clean[(conditions["dose"] == 0.1).to_numpy()]
    assert np.mean((told.mean - clean[lowest]) ** 2) < 0.5 * np.mean((next_one - clean[lowest]) ** 2)


@pytest.fixture(scope="module")
def process() -> tuple[Process, Array, Array, pd.DataFrame, Priors]:
    conditions, _, noisy = dose_response(lines=2)
    conditions, noisy = tidy(conditions), noisy.copy()
    noisy[::5, 1] = np.nan
    priors = Priors.build(conditions, {}, CLASSES, 5)
    x = features(conditions, priors, "cpu")
    noise = np.tile([0.01, 0.01, 0.04], (len(conditions), 1))
    p = parameters(0, 1, "cpu")
    return Process.fit(x, noisy, noise, p), noisy, noise, conditions, priors


def test_leaving_rows_out_equals_fitting_without_them(
    process: tuple[Process, Array, Array, pd.DataFrame, Priors],
) -> None:
    whole, y, noise, conditions, priors = process
    held = np.array([0, 3, 5, 11, 40])
    mean, var = whole.leave_out(whole.inverses(), held, y)
    kept = np.setdiff1d(np.arange(len(y)), held)
    part = Process.fit(features(conditions.iloc[kept], priors, "cpu"), y[kept], noise[kept], whole.p)
    want_mean, want_var = part.predict(features(conditions.iloc[held], priors, "cpu"), y[kept])
    seen = np.isfinite(y[held])
    np.testing.assert_allclose(mean[seen], want_mean[seen], atol=1e-8)
    np.testing.assert_allclose(var[seen], want_var[seen], atol=1e-6)


def test_appending_rows_equals_fitting_on_all(process: tuple[Process, Array, Array, pd.DataFrame, Priors]) -> None:
    whole, y, noise, conditions, priors = process
    n = len(y) - 12
    x = features(conditions, priors, "cpu")
    first = Process.fit(x.take(torch.arange(n)), y[:n], noise[:n], whole.p)
    grown = first.append(x, noise[n:], y[n:])
    for a, b in zip(grown.predict(x, y), whole.predict(x, y), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


def test_the_kernel_is_a_covariance_with_unit_diagonal() -> None:
    conditions, _, _ = dose_response(lines=3)
    rng = np.random.default_rng(0)
    profile = pd.DataFrame(rng.normal(size=(3, 30)), index=["L0", "L1", "L2"], columns=[f"g{i}" for i in range(30)])
    priors = Priors.build(tidy(conditions), {"expression": profile}, CLASSES, 5)
    x = features(tidy(conditions), priors, "cpu")
    k = kernel(x, x, parameters(1, 1, "cpu")).numpy()
    np.testing.assert_allclose(np.diag(k), 1.0)
    np.testing.assert_allclose(k, k.T)
    assert np.linalg.eigvalsh(k).min() > -1e-9


def test_a_profile_is_recovered_from_part_of_its_genes() -> None:
    rng = np.random.default_rng(1)
    scores, loadings = rng.normal(size=(60, 3)), rng.normal(size=(3, 200))
    table = pd.DataFrame(
        scores @ loadings + 0.1 * rng.normal(size=(60, 200)),
        index=[f"L{i}" for i in range(60)], columns=[f"g{i}" for i in range(200)],
    )  # fmt: skip
    encoder = ContextEncoder.fit(table, 3)
    whole, _ = encoder.encode({g: float(v) for g, v in table.loc["L7"].items()})
    part, spread = encoder.encode({g: float(v) for g, v in list(table.loc["L7"].items())[:20]})
    nothing, prior = encoder.encode({"unheard": 1.0})
    np.testing.assert_allclose(whole, encoder.scores[7], atol=0.05)
    np.testing.assert_allclose(part, whole, atol=0.25)
    assert np.all(nothing == 0) and np.all(np.diag(spread) < 0.1) and np.all(np.diag(prior) == 1)


def test_a_patient_described_by_expression_is_told_apart() -> None:
    """Lines come in two kinds, marked by expression; a patient of the second kind must be predicted as such."""
    rng = np.random.default_rng(2)
    lines = [f"L{i}" for i in range(12)]
    kind = np.array([i % 2 for i in range(12)])
    profile = pd.DataFrame(
        np.where(kind[:, None] == 1, 2.0, -2.0) + rng.normal(size=(12, 20)),
        index=lines,
        columns=[f"g{i}" for i in range(20)],
    )
    drugs = ("d1", "d2", "d3")
    rows = [(i, d) for i in range(12) for d in drugs]
    delta = np.array([[3.0 if kind[i] else -3.0, float(d == "d1"), 0.0] for i, d in rows]) + 0.05 * rng.normal(
        size=(36, 3)
    )
    conditions = pd.DataFrame(
        {"context": [lines[i] for i, _ in rows], "perturbation": [d for _, d in rows], "kind": "compound",
         "dose": 1.0, "time_h": 24.0}
    )  # fmt: skip
    cell = VirtualCell.fit(make_table(conditions, delta, 0.1), context_features={"expression": profile})
    asked = pd.DataFrame({"context": "patient", "perturbation": list(drugs), "dose": 1.0, "time_h": 24.0})
    told = [
        cell.predict(asked, context=Context(name="patient", expression={f"g{i}": v for i in range(12)}))
        .mean[:, 0]
        .mean()
        for v in (2.0, -2.0)
    ]
    assert told[0] > 1.0 and told[1] < -1.0

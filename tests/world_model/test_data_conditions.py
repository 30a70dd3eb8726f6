"""Wells to conditions and arms: known changes are recovered, held-out wells stay unseen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.data.arms import arm_rows, arms_of, control_of
from cytocrux.world_model.data.conditions import effects, noise_sd
from cytocrux.world_model.data.dataset import Dataset, DatasetInfo, build_wells
from cytocrux.world_model.data.report import DataReport
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.vocabulary import Arm, Perturbation


def make(rows: list[dict[str, object]], X: np.ndarray, *, has_controls: bool = True) -> Dataset:
    obs = pd.DataFrame(rows)
    for column, value in (("dose", np.nan), ("time_h", np.nan), ("batch", "b"), ("context", "L"), ("replicate", "1")):
        if column not in obs:
            obs[column] = value
    obs["control"] = obs["perturbation"] == "control"
    obs["kind"] = np.where(obs["control"], "control", "compound")
    obs.index = pd.Index([f"w{i}" for i in range(len(obs))])
    var = pd.DataFrame(
        {"modality": "phosphoproteome", "unit": "log2FC"}, index=pd.Index([f"r{j}" for j in range(X.shape[1])])
    )
    info = DatasetInfo("toy", "toy", "none", "none", "log2", has_controls)
    return Dataset("toy", build_wells(obs, X, var, info), DataReport("toy"))


def plate(n: int = 4, effect: float = 2.0, noise: float = 0.3, seed: int = 0) -> Dataset:
    """Two batches with different offsets; drug D raises readout 0 by ``effect`` and leaves readout 1 alone."""
    rng = np.random.default_rng(seed)
    rows, readings = [], []
    for batch, offset in (("b1", 5.0), ("b2", -3.0)):
        for name, shift in (("control", 0.0), ("D", effect)):
            for r in range(n):
                dose = np.nan if name == "control" else 1.0
                rows.append({"perturbation": name, "dose": dose, "time_h": 24.0, "batch": batch, "replicate": str(r)})
                readings.append(offset + np.array([shift, 0.0]) + rng.normal(0, noise, 2))
    return make(rows, np.array(readings))


def test_effect_is_taken_against_the_control_of_the_same_batch() -> None:
    table = effects(plate(n=50))
    assert len(table) == 1
    np.testing.assert_allclose(table.delta, [[2.0, 0.0]], atol=0.15)
    assert table.n_wells.tolist() == [[100, 100]]


def test_standard_error_is_the_spread_of_the_estimate() -> None:
    tables = [effects(plate(n=4, seed=s)) for s in range(150)]
    deltas = np.array([table.delta[0] for table in tables])
    stated = np.mean([table.se[0] for table in tables], axis=0)
    np.testing.assert_allclose(deltas.std(0) / stated, 1.0, atol=0.15)


def test_only_the_given_rows_are_read() -> None:
    data = plate()
    held = 4  # the first treated well
    rows = np.array([i for i in range(16) if i != held])
    before = effects(data, rows)
    data.wells.X[held] = 1e9
    after = effects(data, rows)
    np.testing.assert_array_equal(before.delta, after.delta)
    np.testing.assert_array_equal(before.se, after.se)
    assert "w4" not in before.wells[0]


def test_wells_without_a_control_in_their_block_are_not_measured() -> None:
    data = plate()
    rows = np.flatnonzero(~((data.wells.obs["batch"] == "b2") & data.wells.obs["control"]).to_numpy())
    table = effects(data, rows)
    assert table.n_wells[0, 0] == 4  # the four of b1
    np.testing.assert_allclose(table.delta[0], effects(data, np.arange(8)).delta[0])


def test_missing_readings_stay_missing() -> None:
    data = plate()
    data.wells.X[:, 1] = np.nan
    table = effects(data)
    assert np.isnan(table.delta[0, 1]) and np.isnan(table.se[0, 1]) and table.n_wells[0, 1] == 0


def test_two_equal_replicates_do_not_pass_for_exact() -> None:
    rows = [{"perturbation": p, "dose": d} for p, d in (("control", np.nan), ("A", 1.0), ("B", 1.0)) for _ in range(2)]
    X = np.array([[0.0], [0.1], [1.0], [1.0], [2.0], [3.0]])
    table = effects(make(rows, X))
    assert table.se[0, 0] > 0.2


@pytest.mark.parametrize("paired", [False, True])
def test_a_noisy_context_does_not_widen_a_quiet_one(paired: bool) -> None:
    """Wells of context Q have sd 0.1, of N 1.0; paired: one well per batch, so that only batches repeat."""
    rng = np.random.default_rng(0)
    rows, X = [], []
    for context, sd in (("Q", 0.1), ("N", 1.0)):
        for name in ("control", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
            for k in range(4):
                batch = f"b{k}" if paired else "b"
                rows.append({"perturbation": name, "context": context, "batch": batch, "replicate": str(k)})
                X.append(rng.normal(0, sd, 3))
    data = make(rows, np.array(X))
    table = effects(data)
    for context, sd in (("Q", 0.1), ("N", 1.0)):
        of = (table.conditions["context"] == context).to_numpy()
        alone = effects(data, np.flatnonzero(data.wells.obs["context"] == context))
        assert np.sqrt(np.mean(table.se[of] ** 2)) == pytest.approx(np.sqrt(np.mean(alone.se**2)), rel=0.35)
        # treated and control wells both vary, four of each
        assert np.sqrt(np.mean(table.se[of] ** 2)) == pytest.approx(sd * np.sqrt(2 / 4), rel=0.35)


def test_without_controls_each_batch_is_a_condition_of_its_own() -> None:
    rows = [{"perturbation": "D", "batch": b} for b in ("S1", "S1", "S2")]
    table = effects(make(rows, np.array([[1.0], [3.0], [7.0]]), has_controls=False))
    assert dict(zip(table.conditions["batch"], table.delta[:, 0], strict=True)) == {"S1": 2.0, "S2": 7.0}


def test_no_treated_well_is_an_error() -> None:
    with pytest.raises(BadInput, match="no treated wells"):
        effects(plate(), np.arange(4))


def test_noise_is_recovered() -> None:
    np.testing.assert_allclose(noise_sd(plate(n=400, noise=0.3)), 0.3, rtol=0.05)


def test_subset_keeps_rows_together() -> None:
    rows = [{"perturbation": p, "dose": 1.0} for p in "ABC"] + [{"perturbation": "control"}] * 2
    table = effects(make(rows, np.arange(5.0)[:, None]))
    part = table.subset(np.array([2, 0]))
    assert part.conditions["perturbation"].tolist() == ["C", "A"] and part.wells == (("w2",), ("w0",))


def arm(name: str, dose: float | None = 1.0, time: float | None = 24.0, context: str = "L") -> Arm:
    return Arm(context=context, perturbations=(Perturbation(kind="compound", name=name, dose=dose),), time_h=time)


def test_arm_rows_match_context_name_dose_and_time() -> None:
    data = plate()
    assert arm_rows(data.wells, arm("D")).tolist() == [4, 5, 6, 7, 12, 13, 14, 15]
    for other in (arm("D", dose=1.1), arm("D", dose=None), arm("D", time=48.0), arm("E"), arm("D", context="M")):
        assert not len(arm_rows(data.wells, other))
    assert arm_rows(data.wells, control_of(arm("D"))).tolist() == [0, 1, 2, 3, 8, 9, 10, 11]


def test_a_dose_matches_in_spite_of_rounding() -> None:
    data = plate()
    data.wells.obs["dose"] = data.wells.obs["dose"] * (1 + 1e-9)
    assert len(arm_rows(data.wells, arm("D"))) == 8


def test_every_well_belongs_to_exactly_one_arm() -> None:
    data = plate()
    rows = [arm_rows(data.wells, a) for a in arms_of(data)]
    assert sorted(np.concatenate(rows).tolist()) == list(range(16))


def test_combinations_match_in_any_order_and_by_their_own_doses() -> None:
    rows = [
        {"perturbation": "A+B", "doses": "0.5+1"}, {"perturbation": "A+B", "doses": "1+0.5"},
        {"perturbation": "control", "doses": ""},
    ]  # fmt: skip
    data = make(rows, np.zeros((3, 1)))
    b, a = (Perturbation(kind="compound", name=n, dose=d) for n, d in (("B", 1.0), ("A", 0.5)))
    assert arm_rows(data.wells, Arm(context="L", perturbations=(b, a))).tolist() == [0]
    assert arms_of(data)[0] == Arm(context="L", perturbations=(a, b))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda o, X, v: o.set_index(pd.Index(["w"] * len(o))), "stands there twice"),
        (lambda o, X, v: o.assign(kind="magic"), "unknown kind"),
        (lambda o, X, v: o.drop(columns="batch"), "lack the columns batch"),
        (lambda o, X, v: o.assign(control=True), "do not agree"),
    ],
)
def test_broken_wells_are_refused(break_it, says) -> None:  # type: ignore[no-untyped-def]
    good = plate().wells
    X, var = np.asarray(good.X), good.var
    with pytest.raises(BadInput, match=says):
        build_wells(break_it(good.obs, X, var), X, var, DatasetInfo("toy", "", "", "", "log2", True))


def test_one_well_per_block_is_read_as_pairs() -> None:
    rng = np.random.default_rng(1)
    errors, stated, noise = [], [], []
    for _ in range(100):
        rows, X = [], []
        for lane in range(8):
            offset = rng.normal(0, 3)
            for name in ("control", "A", "B", "C"):
                rows.append({"perturbation": name, "batch": f"lane{lane}"})
                X.append([offset + rng.normal(0, 0.5)])
        table = effects(make(rows, np.array(X)))
        noise.append(noise_sd(make(rows, np.array(X)))[0])
        errors.extend(table.delta[:, 0])
        stated.extend(table.se[:, 0])
    assert np.std(errors) / np.mean(stated) == pytest.approx(1.0, abs=0.15)
    assert np.sqrt(np.mean(np.square(noise))) == pytest.approx(0.5, rel=0.05)


def test_combinations_at_different_doses_are_different_conditions() -> None:
    rows = [{"perturbation": "A+B", "doses": d} for d in ("1+1", "1+1", "2+1", "2+1")]
    rows += [{"perturbation": "control", "doses": ""}] * 2
    table = effects(make(rows, np.array([[1.0], [1.0], [3.0], [3.0], [0.0], [0.0]])))
    assert dict(zip(table.conditions["doses"], table.delta[:, 0], strict=True)) == {"1+1": 1.0, "2+1": 3.0}

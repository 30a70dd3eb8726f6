"""A compound no line has met: what its likeness to measured compounds tells, and how sure the cell may be of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.chemistry import compound_features, scaffold, tanimoto
from cytocrux.world_model.compounds import CompoundFacts
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.newdrug import COMPONENTS, NewDrugs, left_out, mates

Array = NDArray[np.float64]
LINES, CLASSES, EACH = 60, 8, 6


class Screen:
    """Readings = a class's level and profile over lines + the compound's own (small) + noise; one new drug a class."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.lines = [f"line{i:02d}" for i in range(LINES)]
        self.names = [f"class{c} drug{k}" for c in range(CLASSES) for k in range(EACH)]
        self.new = [f"class{c} new" for c in range(CLASSES)]
        level, profile = rng.normal(0, 2, CLASSES), rng.normal(size=(CLASSES, LINES))
        every = [*self.names, *self.new]
        of = np.array([int(n[5]) for n in every])
        own_level, own = 0.3 * rng.normal(size=len(every)), 0.3 * rng.normal(size=(len(every), LINES))
        self.truth = pd.DataFrame((level[of] + own_level)[:, None] + profile[of] + own, index=every, columns=self.lines)
        self.members = pd.DataFrame(np.eye(CLASSES)[of], index=every)
        self.noise = pd.DataFrame(rng.normal(size=(len(every), 5)), index=every)
        rows = [(line, name) for name in self.names for line in self.lines if rng.uniform() < 0.9]
        self.conditions = pd.DataFrame(rows, columns=["context", "perturbation"])
        value = np.array([self.truth.loc[d, line] + 0.3 * rng.normal() for line, d in rows])
        n = len(rows)
        self.table = ConditionTable(
            self.conditions.assign(kind="compound", dose=np.nan, time_h=np.nan, batch="S"), value[:, None],
            np.full((n, 1), np.nan), np.ones((n, 1), dtype=np.int64), ("LN_IC50",),
            tuple((f"w{i}",) for i in range(n)),
        )  # fmt: skip

    def ask(self, *names: str) -> pd.DataFrame:
        return pd.DataFrame({"context": self.lines * len(names), "perturbation": np.repeat(names, LINES), "batch": "S"})


@pytest.fixture(scope="module")
def screen() -> Screen:
    return Screen()


@pytest.fixture(scope="module")
def cell(screen: Screen) -> VirtualCell:
    features = {"mechanism": screen.members, "noise": screen.noise}
    return VirtualCell.fit(screen.table, perturbation_features=features)


def test_new_compounds_get_their_class_level_and_profile_with_honest_intervals(
    screen: Screen, cell: VirtualCell
) -> None:
    told = cell.predict(screen.ask(*screen.new))
    mean = told.mean.reshape(CLASSES, LINES)
    truth = screen.truth.loc[screen.new].to_numpy()
    assert np.corrcoef(mean.ravel(), truth.ravel())[0, 1] > 0.9
    own = [np.corrcoef(m, t)[0, 1] for m, t in zip(mean, truth, strict=True)]
    assert np.mean(own) > 0.75
    total = np.hypot(told.epistemic, told.aleatoric).reshape(CLASSES, LINES)
    assert 0.75 < np.mean(np.abs(mean - truth) <= 1.645 * total) <= 1.0
    assert not told.abstain.any() and set(told.base) == {"similar compounds by mechanism, noise"}
    known = cell.predict(screen.ask("class0 drug0"))
    assert told.epistemic.mean() > 1.3 * known.epistemic.mean()
    assert told.in_domain.max() < 1 and told.in_domain.min() > 0.3


def test_what_is_learned_is_the_class_and_not_the_noise(cell: VirtualCell) -> None:
    drugs = cell.engine.cells[0].new_drugs()  # type: ignore[union-attr]
    assert drugs is not None and list(drugs.tables) == ["mechanism", "noise"]
    assert drugs.profile.weights[0] > 5 * drugs.profile.weights[1]


def test_shuffled_features_teach_nothing_about_profiles(screen: Screen) -> None:
    rng = np.random.default_rng(3)
    wrong = pd.DataFrame(screen.members.to_numpy()[rng.permutation(len(screen.members))], index=screen.members.index)
    cell = VirtualCell.fit(screen.table, perturbation_features={"mechanism": wrong})
    told = cell.predict(screen.ask(*screen.new)).mean.reshape(CLASSES, LINES)
    truth = screen.truth.loc[screen.new].to_numpy()
    told, truth = told - told.mean(axis=0), truth - truth.mean(axis=0)  # what all share is known without features
    assert abs(np.corrcoef(told.ravel(), truth.ravel())[0, 1]) < 0.3


def test_the_class_speaks_where_the_tables_know_nothing_of_it_and_shuffled_classes_do_not(screen: Screen) -> None:
    truth = screen.truth.loc[screen.new].to_numpy()
    true = {name: name[:6] for name in screen.truth.index}
    wrong = dict(zip(true, np.random.default_rng(4).permutation(list(true.values())).tolist(), strict=True))
    found = []
    for classes in (true, wrong):
        cell = VirtualCell.fit(
            screen.table, compound_classes=classes, perturbation_features={"noise": screen.noise}
        )  # fmt: skip
        told = cell.predict(screen.ask(*screen.new)).mean.reshape(CLASSES, LINES)
        off = [v - v.mean(axis=0) - v.mean(axis=1, keepdims=True) for v in (told, truth)]
        found.append(np.corrcoef(off[0].ravel(), off[1].ravel())[0, 1])
    assert found[0] > 0.8 and abs(found[1]) < 0.3


def test_class_mates_of_both_screens_are_weighed_by_hand() -> None:
    tasks = [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("c", "2"), ("d", "1")]
    classes = {"a": "k", "b": "k", "c": "k", "new": "k", "d": "other"}
    np.testing.assert_allclose(mates("new", "2", tasks, classes), np.array([0.5, 1, 0.5, 1, 1, 0]) / 4 * 3 / 4)
    np.testing.assert_allclose(mates("a", "1", tasks, classes), np.array([0, 0, 1, 0.5, 0.5, 0]) / 2 * 2 / 3)
    assert not mates("d", "1", tasks, classes).any() and not mates("nobody", "1", tasks, classes).any()


def test_a_compound_that_no_table_knows_abstains_and_one_known_in_part_says_by_what(
    screen: Screen, cell: VirtualCell
) -> None:
    stranger = cell.predict(screen.ask("nobody's compound"))
    assert stranger.abstain.all() and set(stranger.base) == {"none"} and np.isnan(stranger.mean).all()
    features = {"mechanism": screen.members, "noise": screen.noise.drop(index=screen.new)}
    told = VirtualCell.fit(screen.table, perturbation_features=features).predict(screen.ask("class0 new"))
    assert set(told.base) == {"similar compounds by mechanism"} and not told.abstain.any()


def test_a_cell_that_knows_compounds_survives_the_disk(screen: Screen, cell: VirtualCell, tmp_path: Path) -> None:
    cell.save(tmp_path)
    back = VirtualCell.load(tmp_path)
    asked = screen.ask("class5 new")
    np.testing.assert_allclose(back.predict(asked).mean, cell.predict(asked).mean, rtol=1e-6)


def test_without_features_a_new_compound_is_its_class_mean_as_before(screen: Screen) -> None:
    classes = {name: name[:6] for name in screen.truth.index}
    told = VirtualCell.fit(screen.table, compound_classes=classes).predict(screen.ask("class0 new"))
    assert set(told.base) == {"class mean"} and told.abstain.all()


def test_leaving_groups_out_in_closed_form_is_fitting_without_them() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    k = x @ x.T + 0.5 * np.eye(12)
    groups = [np.array([0, 1]), np.array([2]), np.arange(3, 12)]
    told, var = left_out(np.linalg.inv(k), y, groups)
    rest = np.arange(2, 12)
    solved = np.linalg.solve(k[np.ix_(rest, rest)], np.column_stack([y[rest], k[rest, 0]]))
    np.testing.assert_allclose(told[0], k[0, rest] @ solved[:, :2], atol=1e-10)
    np.testing.assert_allclose(var[0], k[0, 0] - k[0, rest] @ solved[:, 2], atol=1e-10)


def test_too_few_compounds_with_features_learn_nothing(screen: Screen) -> None:
    readings = screen.truth.loc[screen.names].to_numpy().T
    tasks = [(name, "S") for name in screen.names]
    assert NewDrugs.fit(tasks, {"mechanism": screen.members.iloc[:5]}, readings, readings) is None
    assert NewDrugs.fit(tasks, {}, readings, readings) is None
    assert COMPONENTS < LINES


# --- features of molecules ---

ASPIRIN, SALICYLIC, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "O=C(O)c1ccccc1O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"


def test_likeness_of_structures_orders_molecules_as_chemists_do() -> None:
    smiles = {"aspirin": ASPIRIN, "salicylic acid": SALICYLIC, "caffeine": CAFFEINE, "broken": "C1CC("}
    frames = compound_features([*smiles, "no structure"], smiles, known={})
    assert set(frames) == {"structure", "physico-chemistry"}  # nobody knows targets here
    bits = frames["structure"]
    assert sorted(bits.index) == ["aspirin", "caffeine", "salicylic acid"]
    like = pd.DataFrame(tanimoto(bits.to_numpy(), bits.to_numpy()), bits.index, bits.index)
    assert like.loc["aspirin", "aspirin"] == pytest.approx(1)
    assert like.loc["aspirin", "salicylic acid"] > 0.4 > like.loc["aspirin", "caffeine"]
    np.testing.assert_allclose(frames["physico-chemistry"].mean(), 0, atol=1e-9)


def test_features_of_known_compounds_hold_their_targets_and_class() -> None:
    known = {
        "a": CompoundFacts("a", targets=("BRAF", "RAF1"), mechanism_class="RAF inhibitor", pathway="MAPK signalling"),
        "b": CompoundFacts("b", targets=("BRAF",), mechanism_class="RAF inhibitor", pathway="MAPK signalling"),
        "c": CompoundFacts("c"),
    }
    frames = compound_features(known, known=known)
    assert set(frames) == {"targets", "mechanism", "pathway"}
    assert frames["targets"].loc["a"].to_dict() == {"BRAF": 1.0, "RAF1": 1.0}
    assert frames["mechanism"].index.tolist() == ["a", "b"]


def test_scaffolds_are_ring_systems_with_linkers_and_salts_do_not_count() -> None:
    assert scaffold(ASPIRIN) == scaffold(SALICYLIC) == "c1ccccc1"
    assert scaffold("CCO") == ""
    assert scaffold(CAFFEINE) == scaffold(CAFFEINE + ".Cl") != scaffold(ASPIRIN)
    with pytest.raises(BadInput, match="not a molecule"):
        scaffold("not a smiles")

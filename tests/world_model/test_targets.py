"""Targets ranked back from structures, profiles and signatures: planted truths are found, planted nonsense is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.data.dataset import Dataset, DatasetInfo, build_wells
from cytocrux.world_model.data.report import DataReport
from cytocrux.world_model.errors import BadInput, DataUnavailable, UnknownName
from cytocrux.world_model.targets.combine import Weights, nearest_vote
from cytocrux.world_model.targets.ligands import Library, load_library
from cytocrux.world_model.targets.pathway_class import classify
from cytocrux.world_model.targets.profiles import (
    alike,
    class_position,
    likeness,
    rank_classes,
    residual,
    response_table,
)
from cytocrux.world_model.targets.signatures import regulon_scores, rewired, vote

SAHA = "ONC(=O)CCCCCCC(=O)Nc1ccccc1"
SALT = f"{SAHA}.Cl"
ZINC = [f"ONC(=O){'C' * n}C(=O)Nc1ccc({x})cc1" for n in (5, 6, 7) for x in ("F", "Cl", "OC")]
STATINS = [f"OC(=O)CC(O)CC(O)C=Cc1c({x})ccc2ccccc12" for x in ("F", "Cl", "C", "CC", "CCC", "OC")]
Row = tuple[str, str, set[str], set[str]]


def planted() -> list[Row]:
    zinc: list[Row] = [(f"zinc{i}", s, {"HDAC1"}, {"HDAC inhibitor"}) for i, s in enumerate(ZINC)]
    statins: list[Row] = [(f"statin{i}", s, {"HMGCR"}, {"HMGCR inhibitor"}) for i, s in enumerate(STATINS)]
    return [*zinc, *statins]


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.of(planted())


def test_analogues_vote_and_say_so(library: Library) -> None:
    first = library.rank(SAHA, "target")[0]
    assert first.label == "HDAC1" and "zinc" in first.because
    assert library.rank(STATINS[0].replace("F", "Br"), "mechanism")[0].label == "HMGCR inhibitor"


def test_copies_salts_and_named_compounds_have_no_vote() -> None:
    library = Library.of([("vorinostat", SALT, {"WRONG"}, {"wrong"}), *planted()])
    assert all(r.label != "WRONG" for r in library.rank(SAHA, "target"))
    near = library.rank(SAHA, "target", without=("ZINC0",))
    assert all("zinc0 " not in r.because for r in near)
    everything = [n for n, *_ in planted()]
    assert library.rank(SAHA, "target", without=everything) == []


def test_the_probability_never_falls_as_the_score_rises(library: Library) -> None:
    told = [r for s in (SAHA, *STATINS[:3], "CCOC(=O)c1ccccc1") for r in library.rank(s, "target")]
    told.sort(key=lambda r: r.score)
    chances = [r.probability for r in told]
    assert chances == sorted(chances) and 0 <= chances[0] and chances[-1] <= 1


def test_left_out_compounds_lose_their_whole_scaffold(library: Library) -> None:
    # every planted HDAC inhibitor has the scaffold benzene, every statin that of naphthalene
    for i, votes in library.left_out("target", 99, 0):
        assert votes and not set(votes) & library.labels["target"][i]


def test_what_is_no_molecule_is_refused(library: Library, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a molecule"):
        library.rank("not a molecule(", "target")
    with pytest.raises(BadInput, match="empty"):
        Library.of([("x", "C1CC", {"A"}, set())])
    with pytest.raises(DataUnavailable, match="CYTOCRUX_DATA_DIR"):
        load_library(tmp_path)


CLASSES = {f"{c}{i}": c for c in "ABCDE" for i in range(4)}


@pytest.fixture(scope="module")
def response() -> pd.DataFrame:
    """200 lines x 20 drugs: drugs of a class share a factor; lines differ in general sensitivity."""
    rng = np.random.default_rng(3)
    factors = {c: rng.normal(size=200) for c in "ABCDE"}
    general = 3 * rng.normal(size=200)
    return pd.DataFrame({d: general + factors[c] + rng.normal(size=200) for d, c in CLASSES.items()})


def test_classes_that_act_alike_are_found_and_permuted_ones_are_not(response: pd.DataFrame) -> None:
    profiles, rng = residual(response), np.random.default_rng(0)
    names = list(CLASSES)
    true, permuted = [], []
    for drug in names:
        near = alike(profiles, drug)
        ranked = rank_classes(near, CLASSES, draws=200)
        true.append(class_position(ranked, CLASSES[drug]) == 1 and ranked[0].p < 0.02)
        shuffled = dict(zip(names, rng.permutation(list(CLASSES.values())), strict=True))
        permuted.append(class_position(rank_classes(near, shuffled, draws=1), CLASSES[drug]) == 1)
    assert np.mean(true) == 1 and np.mean(permuted) < 0.5


def test_a_sensitive_line_makes_no_drugs_alike(response: pd.DataFrame) -> None:
    assert response["A0"].corr(response["B0"]) > 0.7
    assert abs(alike(residual(response), "A0")["B0"]) < 0.4


def test_too_few_lines_and_unknown_drugs(response: pd.DataFrame) -> None:
    thin = residual(response)
    thin.loc[49:, "B0"] = np.nan
    near = alike(thin, "A0")
    assert np.isnan(near["B0"]) and np.isnan(near["A0"]) and np.isfinite(near["B1"])
    with pytest.raises(UnknownName, match="Did you mean"):
        alike(thin, "AO0")
    with pytest.raises(BadInput, match="two compounds"):
        rank_classes(near, {d: "unknown" for d in CLASSES})


def test_the_last_screen_that_holds_the_drug_is_taken() -> None:
    screens = (("S1", "old"), ("S1", "both"), ("S2", "both"), ("S2", "new"))
    rows = [(d, f"line{i}", s, float(i + 100 * (s == "S2"))) for s, d in screens for i in range(60)]
    table = pd.DataFrame(rows, columns=["perturbation", "context", "batch", "value"])
    obs = table.drop(columns="value").assign(kind="compound", dose=np.nan, time_h=np.nan, control=False, replicate="1")
    obs.index = obs.index.astype(str)
    var = pd.DataFrame({"modality": ["viability"], "unit": ["ln uM"]}, index=["LN_IC50"])
    info = DatasetInfo("toy", "", "", "", "ln_ic50", has_controls=False)
    data = Dataset("toy", build_wells(obs, table[["value"]].to_numpy(), var, info), DataReport("toy", ()))
    found, block = response_table(data, "both")
    assert block == "S2" and set(found.columns) == {"both", "new"} and found.loc["line3", "both"] == 103
    assert response_table(data, "old")[1] == "S1"
    with pytest.raises(UnknownName, match="both"):
        response_table(data, "botth")


def test_the_rule_tells_raf_from_mek() -> None:
    erk = np.array([-3.0, -2.8, -3.2, -3.1])
    mek = classify(np.array([0.4, 0.6, 0.5, 0.3]), erk)
    raf = classify(np.array([-2.5, -2.6, -2.7, -2.4]), erk)
    assert (mek.call, raf.call) == ("MEK inhibitor", "RAF inhibitor")
    assert mek.statistic == pytest.approx(0.45 + 3.025 / 2) and not mek.doubtful and not raf.doubtful


def test_what_cannot_be_told_apart_is_doubtful_with_the_reason() -> None:
    flat = classify(np.array([0.1, -0.1, 0.0]), np.array([0.02, -0.05, 0.01]))
    half = classify(np.array([-1.4, -1.7, -1.5]), np.array([-3.0, -3.0, -3.2]))
    one = classify(np.array([-1.0, np.nan]), np.array([-2.0, -2.0]))
    assert "hardly changes" in flat.reason and "about half" in half.reason and "fewer than two" in one.reason
    assert one.probability == 0.5 and np.isnan(one.statistic)


def test_compounds_that_change_the_same_genes_vote_for_their_targets() -> None:
    rng = np.random.default_rng(0)
    base = {t: rng.normal(size=80) for t in ("HDAC1", "MAP2K1")}
    names = {f"{t}-{i}": t for t in base for i in range(4)}
    table = pd.DataFrame({n: base[t] + 0.5 * rng.normal(size=80) for n, t in names.items()}).T
    votes = vote(table, "HDAC1-0", {n: {t} for n, t in names.items()})
    assert votes["HDAC1"] > 1.5 and votes.get("MAP2K1", 0.0) < 0.2
    assert "SELF" not in vote(table, "HDAC1-0", {**{n: {t} for n, t in names.items()}, "HDAC1-0": {"SELF"}})


def test_the_regulon_that_moved_comes_first_and_rewired_ones_keep_their_sizes() -> None:
    genes = [f"G{i}" for i in range(90)]
    weights = np.tile([1.0, 1.0, -1.0], 30)
    regulons = pd.DataFrame({"source": np.repeat([f"TF{k}" for k in range(9)], 10), "target": genes, "weight": weights})
    rng = np.random.default_rng(1)
    changes = {g: float(rng.normal(0, 0.3) + (1.5 * w if g in genes[40:50] else 0))
               for g, w in zip(genes, weights, strict=True)}  # fmt: skip
    told = regulon_scores(changes, regulons, [f"TF{k}" for k in range(9)])
    assert max(told, key=lambda t: told[t]) == "TF4" and len(told) == 9
    other = rewired(regulons, np.random.default_rng(2))
    assert (other["source"].value_counts() == 10).all() and sorted(other["target"]) == sorted(genes)
    assert other["weight"].to_list() == regulons["weight"].to_list() and other["target"].to_list() != genes
    assert max(regulon_scores(changes, other, ["TF4"]).values()) < told["TF4"] / 2
    assert regulon_scores({"G0": 1.0}, regulons, ["TF0"]) == {}


def test_weights_trust_the_evidence_that_was_right() -> None:
    rng = np.random.default_rng(0)
    compounds = []
    for i in range(60):
        right, wrong = f"T{i % 7}", f"T{(i + 1 + i % 5) % 7}"
        noise = {t: float(rng.uniform()) for t in (right, wrong)}
        shape = {} if i % 4 == 0 else {right: float(rng.uniform(0.5, 1)), wrong: float(rng.uniform(0, 0.3))}
        compounds.append(({"structure": shape, "noise": noise}, {right}))
    weights = Weights.learn(compounds, ("structure", "noise"))
    assert weights.values[0] > 3 * weights.values[1] >= 0
    both = weights.shares({"structure": {"A": 0.9, "B": 0.1}, "noise": {"A": 0.5, "B": 0.5}})
    assert both["A"] > 0.8 > 0.2 > both["B"] and sum(both.values()) == pytest.approx(1)
    missing = weights.shares({"noise": {"A": 0.5, "B": 0.5}})
    assert missing["A"] == missing["B"] == pytest.approx(0.5) and weights.shares({"structure": {}}) == {}
    with pytest.raises(BadInput, match="cannot be weighed"):
        Weights.learn([({"noise": {"A": 1.0}}, {"B"})], ("noise",))


def test_weights_are_those_of_a_conditional_logit() -> None:
    """Planted: P(target) proportional to (1 + v / 0.01)^w, w = (1.5, 0.4); evidence that misleads gets no weight."""
    rng, names = np.random.default_rng(3), list("ABCDEF")
    compounds = []
    for _ in range(3000):
        one, two = (dict(zip(names, 10 ** rng.uniform(-3, 0, 6), strict=True)) for _ in range(2))
        odds = np.array([(1 + one[t] / 0.01) ** 1.5 * (1 + two[t] / 0.01) ** 0.4 for t in names])
        right = names[int(rng.choice(6, p=odds / odds.sum()))]
        wrong = {t: float(t != right) for t in names}
        compounds.append(({"one": one, "two": two, "misleading": wrong}, {right}))
    assert Weights.learn(compounds, ("one", "two")).values == pytest.approx((1.5, 0.4), abs=0.12)
    assert Weights.learn(compounds, ("one", "misleading")).values[1] == 0.0


def test_the_nearest_vote_with_their_squares() -> None:
    near = {"a": 0.9, "b": 0.5, "c": -0.8, "d": float("nan"), "e": 0.4}
    targets = {"a": {"X"}, "b": {"X", "Y"}, "c": {"Z"}, "d": {"Z"}, "e": set(), "gone": {"W"}}
    assert nearest_vote(near, targets) == pytest.approx({"X": 0.81 + 0.25, "Y": 0.25})


def test_dealt_annotations_are_the_same_ones_elsewhere(library: Library) -> None:
    dealt = library.dealt(1)
    held = [sorted(map(sorted, lib.labels["target"])) for lib in (library, dealt)]
    assert held[0] == held[1] and library.labels["target"] != dealt.labels["target"]
    row = library.names.index("zinc0")
    assert set(library.votes(row, "target")) == {"HDAC1"}
    assert library.votes(row, "target", without=library.names) == {}


def test_all_likenesses_are_those_of_each() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(70, 4)), columns=list("abcd"))
    table.loc[:40, "d"] = np.nan
    for drug in "ad":
        pd.testing.assert_series_equal(likeness(table)[drug], alike(table, drug), check_names=False)

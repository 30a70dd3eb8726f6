"""Recovery of a known cell's edges, combinations from single explanations, and the choice of a condition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.evals.explain_combine import Entry, alone, predictions, read
from cytocrux.evals.explain_recovery import literature, score
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.errors import BadInput, DataUnavailable, UnknownName
from cytocrux.world_model.mechanism.cascade import Observed, Problem, solve
from cytocrux.world_model.mechanism.combine import (
    attenuation,
    combined,
    fit_saturation,
    propagate,
    relation,
)
from cytocrux.world_model.mechanism.condition import choose
from cytocrux.world_model.mechanism.controls import rewire
from cytocrux.world_model.mechanism.recovery import predicted_signs
from cytocrux.world_model.network import SignedNetwork

CHAIN = SignedNetwork.of("c", [("A", "B", 1), ("B", "C", -1), ("C", "R", 1), ("X", "C", 1), ("Y", "R", 1)])


def test_a_known_cells_edges_are_recovered_and_a_rewired_networks_are_not() -> None:
    cell, prior = literature(207)
    ours, control = (
        score(cell, prior, prior.network, 207),
        score(cell, prior, rewire(prior.network, np.random.default_rng(0)), 207),
    )
    assert ours.precision >= 0.75 and ours.recall >= 0.45 and ours.sign >= 0.9
    assert ours.precision > ours.prior_precision + 0.1
    assert control.precision < 0.5 * ours.precision and control.recall < 0.5 * ours.recall


def test_signs_follow_walks_and_nothing_arrives_upstream() -> None:
    assert predicted_signs(CHAIN, {"A": -1}, ["B", "C", "R", "X"]) == {"B": -1, "C": 1, "R": 1, "X": 0}
    both = SignedNetwork.of("two", [("A", "B", 1), ("B", "R", 1), ("A", "R", -1)])
    assert predicted_signs(both, {"A": 1}, ["R"]) == {"R": -1}  # the shorter way weighs more


def way(target: str, value: int) -> object:
    return solve(Problem(CHAIN, {target: -1}, (Observed("r", "R", value, 1.0),), penalty=0.05))


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (("A", 1), ("B", 1), "blocked"), (("A", 1), ("X", -1), "opposed"), (("X", -1), ("Y", -1), "both"),
        (("A", 1), ("Y", 1), "one"), (("Y", 1), ("X", 1), "apart"),
    ],
)  # fmt: skip
def test_how_two_cascades_stand(one: tuple[str, int], two: tuple[str, int], expected: str) -> None:
    found = relation(way(*one), way(*two), {one[0]}, {two[0]}, "R")  # type: ignore[arg-type]
    assert found == expected


def test_saturation_is_fitted_and_lies_between_additive_and_the_stronger() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 200), rng.normal(0, 1, 200)
    larger = np.where(np.abs(a) >= np.abs(b), a, b)
    rows = [("shared", x, y, m) for x, y, m in zip(a, b, 0.3 * (a + b) + 0.7 * larger, strict=True)]
    w = fit_saturation([*rows, *(("both", x, y, x + y) for x, y in zip(a, b, strict=True))])  # type: ignore[list-item]
    assert w["shared"] == pytest.approx(0.7, abs=0.02) and w["both"] == 0.0
    assert combined("shared", 1.0, 0.5, {"shared": 1.0}) == 1.0 and combined("shared", 1.0, 0.5) == 1.5


def test_magnitudes_are_carried_and_a_removed_node_passes_nothing() -> None:
    cascade = solve(Problem(CHAIN, {"A": -1}, (Observed("c", "C", 1, 1.0), Observed("r", "R", 1, 1.0)), penalty=0.05))
    c = attenuation(cascade, {"A": -2.0}, {"C": 0.5, "R": 0.25})
    assert c == pytest.approx(0.5)  # 2 -> 1 -> 0.5 -> 0.25
    full = propagate(cascade, {"A": -2.0}, {"C": 0.5})
    assert full["B"] == pytest.approx(-1.0) and full["C"] == 0.5 and full["R"] == pytest.approx(0.25)
    assert propagate(cascade, {"A": -2.0}, {"C": 0.5}, removed={"B"}) == {"A": -2.0, "B": 0.0, "C": 0.0, "R": 0.0}


def test_pairs_that_share_a_drug_do_not_fit_each_others_prediction() -> None:
    """The pairs of drug "a" saturate, all others add: a pair with "a" must be predicted as additive."""
    entries = [Entry((x, y), "one", 1.0, 1.0, 1.0 if "a" in (x, y) else 2.0)
               for x, y in [("a", "b"), ("a", "c"), ("b", "c"), ("b", "d"), ("c", "d")]]  # fmt: skip
    told = predictions(entries)["explanation"]
    assert told[0] == pytest.approx(2.0) and told[1] == pytest.approx(2.0)


@pytest.mark.kit
def test_cellbox_is_read_with_its_doses(kit: Path) -> None:
    names, expr, conditions = read(kit)
    singles, sd = alone(names, expr, conditions)
    assert len(singles) == 12 and len(conditions) == 89 and 0.02 < sd < 0.3
    assert conditions["aMEK", "aAKT"][1] == (("aMEK", -0.863), ("aAKT", pytest.approx(-2.585, abs=0.02)))
    with pytest.raises(DataUnavailable):
        read(Path("nowhere"))


def table() -> ConditionTable:
    rows = [("A375", "Vemurafenib", 0.1), ("A375", "Vemurafenib", 1.0), ("SKMEL5", "Vemurafenib", 1.0)]
    conditions = pd.DataFrame(
        [(c, p, "compound", d, 24.0) for c, p, d in rows], columns=["context", "perturbation", "kind", "dose", "time_h"]
    )
    delta = np.array([[0.1, np.nan], [-2.0, 1.0], [-3.0, 0.0]])
    ones = np.ones((3, 2), dtype=np.int64)
    return ConditionTable(conditions, delta, np.full((3, 2), 0.2), ones, ("pERK", "Bim"), (("w",),) * 3)


def test_the_strongest_condition_is_chosen_unless_one_is_named() -> None:
    found = choose(table(), "PLX4032", "a375")  # by another name of the compound
    assert (found.perturbation, found.dose, found.of) == ("Vemurafenib", 1.0, 2)
    weak = choose(table(), "vemurafenib", "A375", dose=0.1)
    assert weak.changes == (("pERK", 0.1, 0.2),)  # what was not measured is left out
    with pytest.raises(UnknownName, match="SKMEL5"):
        choose(table(), "vemurafenib", "SKMEL-6")
    with pytest.raises(BadInput, match=r"Measured: 0\.1, 1"):
        choose(table(), "vemurafenib", "A375", dose=3)

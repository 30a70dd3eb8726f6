"""An explanation in a real ledger: falsify an edge, see what leans on it fall, and the next explanation avoid it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cytocrux.evals.ledger_story import a_batch, a_design, a_prediction, cycle, stake
from cytocrux.knowledge.claims import Claim
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.mechanisms import (
    Setting,
    Staked,
    claims_of,
    next_explanation,
    refuted_edges,
    states,
    undermined,
    with_statuses,
)
from cytocrux.knowledge.mechanisms import stake as stake_all
from cytocrux.knowledge.truth import leaning_on
from cytocrux.world_model.mechanism.explain import explain
from cytocrux.world_model.mechanism.explanation import Explanation
from cytocrux.world_model.network import SignedNetwork
from cytocrux.world_model.vocabulary import Arm, Perturbation

NETWORK = SignedNetwork.of(
    "two ways to C",
    [("T", "A", 1), ("A", "C", 1), ("T", "B", 1), ("B", "X", 1), ("X", "C", 1), ("C", "D", -1), ("C", "E", 1),
     ("T", "F", 1), ("F", "G", -1), *((f"W{i}", f"W{i + 1}", 1) for i in range(40))],  # type: ignore[list-item]
)  # fmt: skip
CHANGES = [("C", -2.0, 0.2), ("D", 1.5, 0.2), ("E", -1.4, 0.2), ("F", -1.8, 0.2), ("G", 1.2, 0.2),
           *((f"W{i}", 0.0, 0.2) for i in range(41))]  # fmt: skip
ARM = Arm(context="LINE", perturbations=(Perturbation(kind="compound", name="drug", dose=1.0),), time_h=24)
SETTING = Setting(ARM)


def search(without: set[tuple[str, str, int]]) -> Explanation:
    return explain(NETWORK, {"T": -1}, CHANGES, perturbation="drug", context="LINE", forbidden=without, penalty=0.15)


@pytest.fixture(scope="module")
def staked() -> Staked:
    return claims_of(search(set()), SETTING)


def wells_for(ledger: Ledger, claim: Claim, effect: float) -> str:
    """Register the claim's test and give it wells of the given effect; returns its status."""
    ledger.append_many(stake(claim, a_prediction(claim), "demo")[1:])
    done = []
    for k in range(6):
        design = a_design(claim, a_prediction(claim), "demo", k)
        batch = a_batch(claim, a_prediction(claim), design, k, effect, random.Random(k))
        ledger.append_many(cycle(claim, a_prediction(claim), done, batch, design))
        done.append(batch)
    return states(ledger)[claim.id].status


def test_every_edge_and_knockout_is_a_claim_that_can_be_refuted(staked: Staked) -> None:
    assert staked.explanation.offered and set(staked.edges) >= {("T", "A", 1), ("A", "C", 1), ("C", "D", -1)}
    by_id = {c.id: c for c in staked.claims}
    edge = by_id[staked.edges["A", "C", 1]]
    assert edge.kind == "mechanism" and edge.relation == "le" and edge.delta == pytest.approx(-1.0)
    assert edge.contrast.arms[0].perturbations[0].name == "A" and edge.contrast.arms[1].is_control and edge.refuted_by
    against = by_id[staked.edges["C", "D", -1]]  # knocking the repressor down raises what it represses
    assert against.relation == "ge" and against.delta == pytest.approx(0.75)
    gone = next(c for c in staked.claims if c.mechanism == "knock-out: A" and c.readout.variable == "C")
    assert {p.name for p in gone.contrast.arms[0].perturbations} == {"drug", "A"}
    assert gone.relation == "ge" and gone.delta == pytest.approx(-1.0) and gone.delta0 == pytest.approx(-1.8)
    assert set(gone.premises) == {staked.edges["T", "A", 1], staked.edges["A", "C", 1]}


def test_a_falsified_edge_undermines_the_explanation_and_the_next_avoids_it(tmp_path: Path, staked: Staked) -> None:
    with Ledger.open(tmp_path) as ledger:
        stake_all(ledger, staked, campaign="demo")
        assert next_explanation(ledger, staked, search, SETTING) is None  # it stands
        fallen = next(c for c in staked.claims if c.id == staked.edges["A", "C", 1])
        assert wells_for(ledger, fallen, effect=0.3) == "falsified"
        known = states(ledger)
        leaning = leaning_on(known, fallen.id)
        assert len(leaning) >= 4 and all(known[c].status == "undermined" for c in leaning)
        assert known[staked.edges["T", "F", 1]].status == "proposed"  # another branch stands
        assert undermined(staked, known) and refuted_edges(known, "LINE") == {("A", "C", 1)}
        assert not refuted_edges(known, "ANOTHER LINE")
        shown = {e.word: e.status for e in with_statuses(staked, known).edges}
        assert shown["A +> C"] == "falsified" and shown["T +> F"] == "proposed"
        successor = next_explanation(ledger, staked, search, SETTING, campaign="demo")
        assert successor is not None and successor.explanation.forbidden == ("A +> C",)
        used = {e.word for e in successor.explanation.edges}
        assert "A +> C" not in used and {"T +> B", "B +> X", "X +> C"} <= used
        later = states(ledger)
        assert later[successor.edges["X", "C", 1]].status == "proposed" and ledger.verify().ok
        assert successor.edges["T", "F", 1] == staked.edges["T", "F", 1]  # the same claim, proposed once


def test_staking_twice_adds_nothing(tmp_path: Path, staked: Staked) -> None:
    with Ledger.open(tmp_path) as ledger:
        assert len(stake_all(ledger, staked)) == len(staked.claims)
        assert stake_all(ledger, staked) == []


def test_a_node_without_a_gene_of_its_own_makes_no_claim() -> None:
    network = SignedNetwork.of("site", [("T", "@x", 1), ("@x", "C", 1)])
    found = explain(network, {"T": -1}, [("C", -2.0, 0.2)], perturbation="drug", context="LINE", penalty=0.1)
    staked = claims_of(found, SETTING)
    assert "@x +> C" in staked.untestable and ("@x", "C", 1) not in staked.edges

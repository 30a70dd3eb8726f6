"""The integer programme against enumeration, its controls, alternatives and knock-outs on small networks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.mechanism.alternatives import near_optimal, path_to
from cytocrux.world_model.mechanism.cascade import Observed, Problem, gain_of, solve
from cytocrux.world_model.mechanism.controls import Control, rewire, shuffled
from cytocrux.world_model.mechanism.evidence import observe
from cytocrux.world_model.mechanism.explain import explain
from cytocrux.world_model.mechanism.programme import Programme
from cytocrux.world_model.network import Edge, SignedNetwork, key_of

CHAIN = SignedNetwork.of("chain", [("T", "A", 1), ("A", "B", -1), ("B", "C", 1), ("T", "D", 1), ("D", "C", 1)])


def random_problem(seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    names = [f"n{i}" for i in range(7)]
    pairs = [(a, b) for a in names for b in names if a != b]
    chosen = rng.choice(len(pairs), size=11, replace=False)
    edges = [(*pairs[int(i)], 1 if rng.random() < 0.6 else -1) for i in chosen]
    network = SignedNetwork.of("random", edges)  # type: ignore[arg-type]
    observed = tuple(
        Observed(f"r{i}", n, int(rng.integers(-1, 2)), float(rng.uniform(0.2, 1))) for i, n in enumerate(names[1:6])
    )
    return Problem(network, {"n0": -1}, observed, penalty=0.2)


def brute_force(problem: Problem) -> float:
    """The best score over all edge sets that are an arborescence from the inputs."""
    gains, best = gain_of(problem), 0.0
    edges = [e for e in problem.network.edges if e.target not in problem.inputs]
    for size in range(1, 7):
        for chosen in itertools.combinations(edges, size):
            if len({e.target for e in chosen}) < size:
                continue
            signs = dict(problem.inputs)
            for _ in chosen:
                signs |= {e.target: signs[e.source] * e.sign for e in chosen if e.source in signs}
            if all(e.target in signs for e in chosen):
                score = sum(gains.get(state, 0.0) for state in signs.items()) - problem.penalty * size
                best = max(best, score)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_optimum_is_that_of_enumeration(seed: int) -> None:
    problem = random_problem(seed)
    found = solve(problem)
    assert found.optimal and found.gap == 0.0
    assert found.score == pytest.approx(brute_force(problem), abs=1e-6)
    for e in found.edges:  # signs are coherent along every edge, and each node has one cause
        assert found.signs[e.target] == found.signs[e.source] * e.sign
    assert len({e.target for e in found.edges}) == len(found.edges)


def test_a_cycle_cannot_explain_itself() -> None:
    network = SignedNetwork.of("loop", [("T", "X", 1), ("A", "B", 1), ("B", "A", 1)])
    found = solve(Problem(network, {"T": 1}, (Observed("a", "A", 1, 1.0), Observed("b", "B", 1, 1.0))))
    assert found.edges == () and found.score == 0.0


def test_an_unchanged_readout_on_the_way_costs() -> None:
    quiet = (Observed("d", "D", 0, 0.5), Observed("c", "C", 1, 1.0))
    assert solve(Problem(CHAIN, {"T": 1}, quiet, penalty=0.1)).score == pytest.approx(1 - 0.2 - 0.5)
    assert path_to(solve(Problem(CHAIN, {"T": -1}, quiet, penalty=0.1)), "C") == ("T", "A", "B", "C")


def test_the_way_is_no_longer_than_allowed() -> None:
    seen = (Observed("c", "C", -1, 1.0),)
    assert len(solve(Problem(CHAIN, {"T": 1}, seen, penalty=0.1, longest=3)).edges) == 3
    assert solve(Problem(CHAIN, {"T": 1}, seen, penalty=0.1, longest=2)).edges == ()


def test_a_forbidden_edge_is_not_used() -> None:
    seen = (Observed("c", "C", 1, 1.0),)
    free = solve(Problem(CHAIN, {"T": 1}, seen, penalty=0.1))
    assert [e.word for e in free.edges] == ["T +> D", "D +> C"]
    without = solve(Problem(CHAIN, {"T": 1}, seen, penalty=0.1, forbidden=frozenset({("D", "C", 1)})))
    assert without.edges == ()


def test_readouts_of_the_perturbed_node_itself_are_not_explained() -> None:
    problem = Problem(CHAIN, {"T": -1}, (Observed("t", "T", 1, 1.0), Observed("a", "A", -1, 1.0)))
    assert [o.readout for o in problem.usable] == ["a"] and problem.most == 1.0


def test_a_time_limit_never_passes_silently() -> None:
    hard = Programme()
    rng = np.random.default_rng(0)
    columns = [hard.column(float(g), upper=1.0, integer=True) for g in rng.uniform(10, 20, 120)]
    for _ in range(60):
        hard.row(dict(zip(columns, rng.uniform(1, 30, 120), strict=True)), upper=400.0)
    answer = hard.maximise(time_limit_s=0.5)
    assert not answer.optimal and "time limit" in answer.status and answer.bound >= answer.score


def test_an_infeasible_programme_says_so() -> None:
    impossible = Programme()
    impossible.row({impossible.column(1.0, upper=1.0, integer=True): 1.0}, lower=2.0)
    answer = impossible.maximise(time_limit_s=5)
    assert answer.values is None and answer.status == "infeasible"


def test_two_equal_ways_share_the_frequency() -> None:
    network = SignedNetwork.of("two ways", [("T", "A", 1), ("T", "B", 1), ("A", "C", 1), ("B", "C", 1), ("C", "D", 1)])
    found = near_optimal(Problem(network, {"T": 1}, (Observed("d", "D", 1, 1.0),), penalty=0.1))
    assert len(found.cascades) == 2
    assert found.frequency["C", "D", 1] == 1.0 and found.frequency["A", "C", 1] == 0.5
    assert found.share_avoiding("D", "C") == 0.0 and found.share_avoiding("D", "A") == 0.5


def test_rewiring_keeps_degrees_by_sign_and_moves_edges() -> None:
    rng = np.random.default_rng(1)
    names = [f"n{i}" for i in range(30)]
    pairs = {(names[a], names[b]) for a, b in rng.integers(30, size=(120, 2)) if a != b}
    network = SignedNetwork.of("x", [(a, b, 1 if (i % 3) else -1) for i, (a, b) in enumerate(sorted(pairs))])
    other = rewire(network, rng)
    for sign in (1, -1):
        for end in ("source", "target"):
            count = [sorted(getattr(e, end) for e in n.edges if e.sign == sign) for n in (network, other)]
            assert count[0] == count[1]
    assert len({(e.source, e.target) for e in other.edges}) == len(pairs)
    assert len({e.key for e in other.edges} & {e.key for e in network.edges}) < 0.4 * len(pairs)
    assert not any(e.source == e.target for e in other.edges)


def planted(seed: int = 0) -> tuple[SignedNetwork, list[tuple[str, float, float]]]:
    """A tree of ten readouts below T inside a larger random network, and what inhibiting T does to them."""
    rng = np.random.default_rng(seed)
    nodes = ["T", *(f"v{i}" for i in range(10)), *(f"w{i}" for i in range(40))]
    tree = [("T" if i < 2 else f"v{(i - 2) // 2}", f"v{i}", 1 if rng.random() < 0.5 else -1) for i in range(10)]
    known = {(a, b) for a, b, _ in tree}
    noise = [(nodes[a], nodes[b], 1 if rng.random() < 0.5 else -1) for a, b in rng.integers(len(nodes), size=(60, 2))
             if a != b and (nodes[a], nodes[b]) not in known]  # fmt: skip
    network = SignedNetwork.of("planted", [*tree, *{(a, b): (a, b, s) for a, b, s in noise}.values()])  # type: ignore[list-item]
    signs = {"T": -1}
    for a, b, s in tree:
        signs[b] = signs[a] * s
    changes = [(f"v{i}", signs[f"v{i}"] * 1.5, 0.2) for i in range(10)]
    return network, [*changes, *((f"w{i}", 0.02, 0.2) for i in range(40))]


def test_a_planted_cascade_beats_its_controls_and_is_found() -> None:
    network, changes = planted()
    found = explain(network, {"T": -1}, changes, perturbation="drug", context="line")
    assert found.offered and found.p <= 0.05 and {c.name for c in found.controls} == {
        "random target", "shuffled changes", "rewired network",
    }  # fmt: skip
    assert not found.unexplained and found.status == "optimal"
    true = {e.key for e in network.edges[:10]}
    assert len({e.key for e in found.edges if e.source != "drug"} & true) >= 9
    assert found.node("v0").agrees and found.edges[0].word == "drug -| T"
    gone = next(k for k in found.knockouts if k.node == "v0")
    assert gone.kept == 0.0 and gone.expected == 0.0


def test_the_wrong_target_and_dealt_out_changes_are_not_explained() -> None:
    network, changes = planted()
    rng = np.random.default_rng(3)
    assert not explain(network, {"w3": -1}, changes, perturbation="drug").offered
    dealt = [(name, float(d) * float(rng.choice((-1, 1))), se) for (name, _, se), d in
             zip(changes, rng.permutation([d for _, d, _ in changes]), strict=True)]  # fmt: skip
    other = explain(network, {"T": -1}, dealt, perturbation="drug")
    assert not other.offered and other.verdict.startswith("no explanation better than chance")


def test_control_p_values_hold_their_level_under_the_null() -> None:
    """A response that is itself a draw of the shuffled null: p <= 0.2 in about a fifth of the cases."""
    network, changes = planted()
    rng = np.random.default_rng(0)
    truth = Problem(network, {"T": -1}, observe(network, changes))
    found = []
    for _ in range(30):
        ours = solve(shuffled(truth, rng)).score
        found.append(Control("shuffled changes", tuple(solve(shuffled(truth, rng)).score for _ in range(9)), ours, 0).p)
    assert 1 <= sum(p <= 0.2 for p in found) <= 12


def test_bad_input_is_refused_with_a_cure() -> None:
    network, changes = planted()
    with pytest.raises(BadInput, match="No target"):
        explain(network, {"nobody": -1}, changes, perturbation="drug")
    with pytest.raises(BadInput, match="No readout lies"):
        explain(network, {"T": -1}, [("unknown", 1.0, 0.1)], perturbation="drug")
    with pytest.raises(BadInput, match="control draws"):
        explain(network, {"T": -1}, changes, perturbation="drug", draws=9)


def test_a_change_without_precision_is_none() -> None:
    seen = observe(CHAIN, [("A", 0.1, 0.001), ("B", 1.0, 0.9), ("C", -1.0, 0.1), ("D", float("nan"), 0.1)])
    assert [(o.node, o.value) for o in seen] == [("A", 0), ("B", 0), ("C", -1)]


@pytest.mark.parametrize("sign", [1, -1])
def test_an_edge_is_read_back_from_its_word(sign: int) -> None:
    edge = Edge(source="MAP2K1:pS217", target="@DNA damage", sign=1 if sign > 0 else -1)
    assert key_of(edge.word) == edge.key
    with pytest.raises(ValueError, match="no edge"):
        key_of("A -> B")

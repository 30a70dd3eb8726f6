"""The kinetic cell against an independent integrator, hand-worked steady states, and its own promises."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cytocrux.world_model.errors import BadInput, UnknownName
from cytocrux.world_model.kinetic import SYNTHESIS, Action, KineticCell
from cytocrux.world_model.kinetic_random import prior_network, random_cell
from cytocrux.world_model.network import SignedNetwork
from cytocrux.world_model.vocabulary import Arm, Contrast, Perturbation


def drug(name: str, dose: float | None, time_h: float = 24, start_h: float = 0, context: str = "LINE-A") -> Arm:
    p = Perturbation(kind="compound", name=name, dose=dose, start_h=start_h)
    return Arm(context=context, perturbations=(p,), time_h=time_h)


def gene(kind: str, name: str, time_h: float = 24) -> Arm:
    return Arm(context="LINE-A", perturbations=(Perturbation(kind=kind, name=name),), time_h=time_h)


def chain() -> KineticCell:
    """A -> B -| C, one inhibitor of A."""
    network = SignedNetwork.of("chain", [("A", "B", 1), ("B", "C", -1)])
    return KineticCell(
        network, ("A", "B", "C"), ("LINE-A",), np.array([[2.0, 1.5]]), np.array([1.0, 0.8]), np.array([1.0, 2.0]),
        np.array([1.0, 0.5, 4.0]), {"INH": (Action("A", -1, 0.5, 1.0, 0.9),), "NULL": ()},
    )  # fmt: skip


def by_scipy(cell: KineticCell, arm: Arm) -> np.ndarray:
    """The model's equation written out loop by loop and solved by LSODA."""
    at = {n: i for i, n in enumerate(cell.nodes)}
    row = cell.contexts.index(arm.context)

    def rates(t, x):
        a, f = np.ones(len(x)), np.ones(len(x))
        for p in arm.perturbations:
            if t < p.start_h:
                continue
            if p.kind in SYNTHESIS:
                f[at[p.name]] *= SYNTHESIS[p.kind]
            else:
                for action in cell.actions[p.name]:
                    occupied = p.dose**action.hill / (p.dose**action.hill + action.ic50**action.hill)
                    a[at[action.node]] *= 1 + action.sign * action.depth * occupied
        push = np.zeros(len(x))
        for k, e in enumerate(cell.network.edges):
            n, half = cell.hill[k], cell.half[k]
            y = max(x[at[e.source]] * a[at[e.source]], 1e-12)
            push[at[e.target]] += e.sign * cell.weight[row, k] * (y**n / (half**n + y**n) - 1 / (half**n + 1))
        rates.activity = a
        return (f * np.exp(push) - x) / cell.tau

    solved = solve_ivp(
        rates, (0, arm.time_h), np.ones(len(cell.nodes)), method="LSODA", rtol=1e-8, atol=1e-10, max_step=0.5
    )
    rates(arm.time_h, solved.y[:, -1])
    return np.log2(solved.y[:, -1] * rates.activity)


def test_steady_state_of_a_chain_by_hand() -> None:
    occupied = 1 / (1 + 0.5 / 1.0)
    a = 1 - 0.9 * occupied
    b = np.exp(2.0 * (a / (1 + a) - 0.5))
    c = np.exp(-1.5 * (b**2 / (0.8**2 + b**2) - 1 / (0.8**2 + 1)))
    found = chain().respond([drug("INH", 1.0, time_h=120)])[0]
    assert found == pytest.approx(np.log2([a, b, c]), abs=1e-4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_an_independent_integrator(seed: int) -> None:
    cell = random_cell(seed)
    both = (*drug("CPD-01", 2).perturbations, *gene("knockdown", "N05").perturbations)
    pair = Arm(context="LINE-B", time_h=7.3, perturbations=both)
    arms = [drug("CPD-01", 1, 1), drug("CPD-02", 10, 48, context="LINE-C"), gene("knockout", "N03", 12), pair]
    assert cell.respond(arms) == pytest.approx(np.array([by_scipy(cell, a) for a in arms]), abs=0.02)


def test_an_arm_answers_alike_in_any_company() -> None:
    cell = random_cell(3)
    arms = [drug(n, d, t) for n in cell.compounds for d in (0.1, 1) for t in (0.37, 5, 71)]
    together = cell.respond(arms)
    assert np.array([cell.respond([a])[0] for a in arms]) == pytest.approx(together, abs=1e-10)


def test_untreated_inert_and_not_yet_started_are_all_control() -> None:
    cell = random_cell(1)
    arms = [Arm(context="LINE-A", time_h=24), drug(cell.compounds[-1], 10), drug("CPD-01", 10, time_h=5, start_h=6)]
    assert np.abs(cell.respond(arms)).max() == 0.0


def test_a_late_start_is_a_shorter_treatment() -> None:
    cell = random_cell(1)
    late, short = cell.respond([drug("CPD-01", 1, time_h=12.05, start_h=0.05), drug("CPD-01", 1, time_h=12)])
    assert late == pytest.approx(short, abs=0.01)


def test_stronger_with_dose_on_the_target() -> None:
    cell = chain()
    a = cell.respond([drug("INH", d) for d in (0, 0.1, 1, 10, 100)])[:, 0]
    assert a[0] == 0 and (np.diff(a) < 0).all() and a[-1] > np.log2(0.1)


def test_effect_of_a_contrast_is_the_weighted_sum() -> None:
    cell = random_cell(2)
    one, two = drug("CPD-01", 1), drug("CPD-02", 1)
    contrast = Contrast(terms=((1.0, one), (-1.0, two)))
    r = cell.respond([one, two])
    assert cell.effect(contrast, "N07") == pytest.approx(r[0, 6] - r[1, 6])


@pytest.mark.parametrize(
    ("arm", "error", "text"),
    [
        (drug("CPD-1", 1), UnknownName, "Did you mean CPD"),
        (drug("CPD-01", None), BadInput, "no dose"),
        (drug("CPD-01", 1, time_h=500), BadInput, "168"),
        (drug("CPD-01", 1, context="LINE-Z"), UnknownName, "LINE-Z"),
        (gene("knockout", "N99"), UnknownName, "N99"),
    ],
)
def test_what_it_refuses(arm: Arm, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        random_cell(0).respond([arm])


def test_every_random_cell_comes_back_to_rest_and_stays_finite() -> None:
    for seed in range(12):
        cell = random_cell(seed, n_nodes=12)
        arms = [gene("knockout", n, 160) for n in cell.nodes]
        r = cell.respond(arms)
        assert np.isfinite(r).all() and np.abs(r).max() < 25
        pulse = cell._step(np.full((1, 12), 1.3), np.ones((1, 12)), np.ones((1, 12)), cell.weight[:1], 0.25)
        for _ in range(600):
            pulse = cell._step(pulse, np.ones((1, 12)), np.ones((1, 12)), cell.weight[:1], 0.25)
        assert pulse == pytest.approx(1.0, abs=1e-3)


def test_the_prior_network_has_the_stated_share_of_decoys() -> None:
    cell = random_cell(5)
    true = {e.key for e in cell.network.edges}
    prior = prior_network(cell, seed=1, decoy_fraction=0.4, dropped_fraction=0.25)
    told = [e.key for e in prior.network.edges]
    assert sum(k in true for k in told) == round(0.75 * len(true))
    assert np.mean([k not in true for k in told]) == pytest.approx(0.4, abs=0.02)
    assert len(set(told)) == len(told)
    assert prior_network(cell, seed=1, decoy_fraction=0.4, dropped_fraction=0.25) == prior
    assert prior_network(cell, decoy_fraction=0.0, dropped_fraction=0.0).network.nodes == cell.network.nodes

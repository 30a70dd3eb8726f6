"""Policies and the joint belief: wells of one claim move its kin; ours beats chance and learns from feedback."""

import numpy as np
import pytest

from cytocrux.agents.acquire import EPower, Simple, policies
from cytocrux.agents.joint import JointBelief, correlation
from cytocrux.evals.discover_truth import one, pool_of


def test_correlations_are_those_of_kin() -> None:
    claims = [c.claim for c in pool_of(0)[:60]]
    r = correlation(claims, {})
    assert np.allclose(np.diag(r), 1.0) and np.linalg.eigvalsh(r).min() > 0
    alike = [
        (i, j)
        for i in range(60)
        for j in range(i)
        if claims[i].contrast.arms[0].perturbations == claims[j].contrast.arms[0].perturbations
    ]
    assert min(r[i, j] for i, j in alike) > np.median(r)


def test_exact_wells_settle_a_belief_and_move_its_kin() -> None:
    pool = pool_of(0)[:40]
    belief = JointBelief([c.claim for c in pool], [c.prediction for c in pool])
    before = belief.sd.copy()
    belief.update({0: (2.5, 1e-3)})
    assert belief.mean[0] == pytest.approx(2.5, abs=0.01) and belief.sd[0] < 0.01
    assert (belief.sd <= before + 1e-9).all() and (belief.sd[1:] < before[1:] - 1e-4).any()


def test_every_policy_orders_every_option_once() -> None:
    for policy in policies():
        trace = one(1, policy)
        assert trace.wells <= 96 and trace.settled > 0
        assert trace.wrong <= 0.1 * trace.settled


def test_e_power_finds_more_truth_than_chance_and_learns_from_feedback() -> None:
    def gain(policy, feedback="true") -> int:
        traces = [one(seed, policy(), feedback) for seed in (5, 6)]
        return sum(t.true_found + t.false_found for t in traces)

    ours = gain(EPower)
    assert ours > 1.4 * gain(lambda: Simple("random"))
    assert ours > gain(EPower, "none")

"""The model on trial: scores, turns, level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from cytocrux.knowledge.claims import Belief
from cytocrux.knowledge.trial import Outcome, advantage, crps, duel


def outcome(k: int, model: float, baseline: float, y: float, sd: tuple[float, float] = (1.0, 1.0)) -> Outcome:
    return Outcome(
        experiment=f"e{k}", observed=y,
        model=Belief(mean=model, sd=sd[0]), baseline=Belief(mean=baseline, sd=sd[1]),
    )  # fmt: skip


@pytest.mark.parametrize("y", [-4.0, 0.3, 2.0])
def test_crps_is_its_defining_integral(y: float) -> None:
    belief = Belief(mean=0.5, sd=1.7)

    def square(x: float) -> float:
        return float((stats.norm.cdf(x, 0.5, 1.7) - (x >= y)) ** 2)

    assert crps(belief, y) == pytest.approx(integrate.quad(square, -30, 30, points=[y], limit=200)[0], rel=1e-6)


@pytest.mark.parametrize(("m", "b", "sds"), [(0, 1, (1, 1)), (2, 1, (0.3, 2)), (0, 0, (1, 3)), (0.4, 0, (1, 1.001))])
def test_the_advantage_fills_minus_one_to_one_and_no_more(m: float, b: float, sds: tuple[float, float]) -> None:
    y = np.concatenate([np.linspace(-8, 8, 4001), [-1e4, 1e4]])
    raw = [crps(Belief(mean=b, sd=sds[1]), v) - crps(Belief(mean=m, sd=sds[0]), v) for v in y]
    scaled = [advantage(outcome(0, m, b, v, sds)) for v in y]
    assert np.abs(scaled).max() == pytest.approx(1.0, abs=1e-3)
    factor = raw[0] / scaled[0]
    assert np.array(raw) == pytest.approx(factor * np.array(scaled), rel=1e-6, abs=1e-9)  # nothing was clipped
    assert factor > 0


def test_equal_predictions_say_nothing() -> None:
    state = duel([outcome(k, 1, 1, 5.0) for k in range(50)])
    assert (state.e_model, state.e_baseline, state.leader, state.advantage) == (1.0, 1.0, "undecided", 0.0)
    assert duel([]).advantage is None and not duel([]).withdrawn


def test_the_better_predictor_leads() -> None:
    rng = np.random.default_rng(0)
    ys = rng.normal(1, 1, 40)
    good = duel([outcome(k, 1, 0, y) for k, y in enumerate(ys)])
    assert (good.leader, good.withdrawn, good.turns) == ("model", False, ())
    assert good.e_model > 20 > 1 > good.e_baseline
    bad = duel([outcome(k, 0, 1, y) for k, y in enumerate(ys)])
    assert (bad.leader, bad.withdrawn, bad.turns[0].to) == ("baseline", True, "withdrawn")


def test_a_withdrawn_model_is_let_in_again_when_it_wins() -> None:
    rng = np.random.default_rng(1)
    ys = [*rng.normal(1, 1, 40), *rng.normal(-1, 1, 60)]  # the world turns to what the model said
    state = duel([outcome(k, -1, 1, y) for k, y in enumerate(ys)])
    assert [t.to for t in state.turns] == ["withdrawn", "reinstated"]
    assert (state.leader, state.withdrawn) == ("model", False)
    assert int(state.turns[0].experiment[1:]) < 40 <= int(state.turns[1].experiment[1:])


def test_a_sharper_true_forecast_beats_a_vague_one_with_the_same_mean() -> None:
    rng = np.random.default_rng(2)
    assert duel([outcome(k, 0, 0, y, (1, 3)) for k, y in enumerate(rng.normal(0, 1, 80))]).leader == "model"


def test_wells_shared_within_an_experiment_count_once() -> None:
    """One lucky experiment with a hundred outcomes is one bet."""
    state = duel([outcome(0, 3, 0, 3.0) for _ in range(100)])
    assert state.experiments == 1 and state.e_model < 2


def test_a_model_no_worse_than_the_baseline_is_rarely_withdrawn() -> None:
    rng = np.random.default_rng(3)
    ys = rng.normal(0.5, 1, (200, 40))  # midway: neither is better
    for swap in (False, True):
        wrong = [duel([outcome(k, float(swap), float(not swap), y) for k, y in enumerate(row)]).turns for row in ys]
        assert np.mean([bool(t) for t in wrong]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)

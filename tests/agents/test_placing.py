"""Free doses and times: within the lab's range and the measured one, and where the known best place of a curve lies."""

from __future__ import annotations

import numpy as np

from cytocrux.agents.choosing import believed, value_boldness
from cytocrux.agents.goal import Hypothesis
from cytocrux.agents.placing import best_places, free_points, look_growth, moved
from cytocrux.agents.staking import Stake
from cytocrux.knowledge.claims import Belief, Claim, Contrast, Prediction
from cytocrux.tools.lab.protocol import Capabilities
from cytocrux.world_model.vocabulary import Arm, Perturbation, Readout

DOSES, TIMES = (0.03, 0.3, 3.0, 10.0), (1.0, 6.0, 24.0)
FREE = Capabilities(name="bench", dataset="d", modalities=(), doses=(0.06, 8.0), times_h=(0.5, 48.0))
HERE = Hypothesis(perturbations=("D",), dose=0.3, time_h=6.0, readout="v", direction="up", kind="response")


def stake(dose: float, effect: float, name: str = "D") -> Stake:
    one = Arm(context="A", perturbations=(Perturbation(kind="compound", name=name, dose=dose),), time_h=6.0)
    claim = Claim(
        sentence="it raises v", kind="response", readout=Readout(modality="viability", variable="v"), relation="ge",
        contrast=Contrast(terms=((1.0, one), (-1.0, Arm(context="A", time_h=6.0)))), delta=1.0, delta0=0.0,
    )  # fmt: skip
    prediction = Prediction(
        claim_id=claim.id, theory=Belief(mean=effect, sd=0.3), sceptic=Belief(mean=0.0, sd=0.5), variance="pooled",
        noise_sd=0.5, max_wells=24, model_version="m", training_hash="h",
    )  # fmt: skip
    return Stake(claim, prediction)


def test_free_points_lie_between_measured_neighbours_and_within_the_lab() -> None:
    points = free_points(FREE, DOSES, TIMES, HERE)
    doses = [d for d, t in points if t == 6.0]
    times = [t for d, t in points if d == 0.3]
    assert len(points) == len(doses) + len(times) == 11  # three a gap; 0.0533 is below the lab's least
    assert all(0.06 <= d <= 3.0 and d not in DOSES for d in doses)
    assert all(1.0 < t < 24.0 and t not in TIMES for t in times)


def test_a_lab_of_measured_wells_and_an_unmeasured_dose_get_none() -> None:
    replay = Capabilities(name="replay", dataset="d", modalities=())
    assert moved(replay, DOSES, TIMES, [HERE]) == []
    assert free_points(FREE, DOSES, (), HERE.model_copy(update={"dose": 0.5})) == []
    assert moved(FREE, (), (), [HERE]) == []  # the question's own doses and times are kept to


def test_two_neighbours_share_the_points_between_them() -> None:
    other = HERE.model_copy(update={"dose": 3.0})
    both = moved(FREE, DOSES, (), [HERE, other])
    assert len({h.dose for h in both}) == len(both)


def test_the_best_place_of_a_steep_curve_is_just_past_its_step() -> None:
    """Nothing below 1 uM, the full effect above: the lowest dose with the effect says most for the same wells."""
    grid = np.geomspace(0.3, 3.0, 9)
    curve = [s for d in grid if believed(s := stake(float(d), 2.0 / (1.0 + (1.0 / d) ** 8)))]
    valued = value_boldness(curve)
    (best,) = best_places(valued[-1:], valued[:-1])
    told = [s.claim.value * look_growth(s) for s in valued]
    assert best is valued[int(np.argmax(told))]
    dose = best.claim.contrast.arms[0].perturbations[0].dose
    assert dose is not None and 0.9 < dose < 1.8


def test_a_flat_curve_gets_no_new_place() -> None:
    """Equal effects: the lowest measured dose, of the highest value, is not beaten."""
    curve = value_boldness([stake(d, 1.5) for d in (0.3, 0.5, 1.0, 3.0)])
    assert best_places([curve[0], curve[-1]], curve[1:-1]) == []

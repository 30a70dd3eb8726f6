"""Layouts: nothing lost, nothing twice, rim spared, replicates apart, contrasts on one plate, gradients cancelled."""

from collections import Counter

import numpy as np
import pytest

from cytocrux.knowledge.claims import ArmRequest
from cytocrux.tools.lab.plates import FORMATS, capacity, lay_out, smallest_format
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.vocabulary import Arm, Perturbation


def request(names: str, n: int, time_h: float = 24, dose: float = 1) -> ArmRequest:
    parts = tuple(Perturbation(kind="compound", name=x, dose=dose) for x in names.split("+") if x)
    return ArmRequest(arm=Arm(context="L", perturbations=parts, time_h=time_h), n=n)


def asked(arms: int, n: int, controls: int) -> list[ArmRequest]:
    return [request("", controls), *(request(f"D{i}", n) for i in range(arms))]


def test_capacities_are_those_of_the_inner_wells() -> None:
    assert [capacity(f) for f in FORMATS] == [60, 308, 1380]
    assert [smallest_format(n) for n in (60, 61, 309, 5000)] == [96, 384, 1536, 1536]
    with pytest.raises(BadInput, match="no plate of 100"):
        capacity(100)


@pytest.mark.parametrize(("wells", "arms", "n", "controls"), [(None, 10, 3, 6), (96, 40, 4, 16), (384, 200, 3, 40)])
def test_every_well_asked_for_has_one_place(wells: int | None, arms: int, n: int, controls: int) -> None:
    requests = asked(arms, n, controls)
    layout = lay_out(requests, wells=wells, seed=1)
    assert Counter(p.arm for p in layout.places) == {r.arm: r.n for r in requests}
    assert len({p.name for p in layout.places}) == len(layout.places)
    assert layout.outer == 0
    assert layout == lay_out(requests, wells=wells, seed=1) != lay_out(requests, wells=wells, seed=2)


def test_an_arm_and_its_controls_share_a_plate() -> None:
    requests = [*asked(40, 4, 16), request("", 6, 6), *(request(f"D{i}", 3, 6) for i in range(8))]
    layout = lay_out(requests, wells=96, seed=0)
    assert layout.plates > 2
    for r in requests:
        on = {p.plate for p in layout.places if p.arm == r.arm}
        if not r.arm.is_control:
            assert len(on) == 1
            controls = [p for p in layout.places if p.arm.is_control and p.arm.time_h == r.arm.time_h and p.plate in on]
            assert len(controls) >= 2


def test_a_combination_stands_with_its_parts() -> None:
    requests = [*asked(30, 4, 12), *(request(f"D{i}+D{i + 15}", 4) for i in range(15))]
    layout = lay_out(requests, wells=96, seed=0)
    where = {p.arm: p.plate for p in layout.places}
    for i in range(15):
        assert len({where[request(x, 1).arm] for x in (f"D{i}", f"D{i + 15}", f"D{i}+D{i + 15}")}) == 1


def test_the_rim_is_used_only_when_it_is_asked_for() -> None:
    assert lay_out(asked(80, 1, 16), wells=96, spare_rim=False).plates == 1
    assert lay_out(asked(80, 1, 16), wells=96).plates == 2
    with pytest.raises(BadInput, match="a plate holds 60"):
        lay_out([request("D1", 70), request("", 4)], wells=96)


def test_a_gradient_over_the_plate_falls_on_all_arms_alike() -> None:
    """Mean column of an arm: blocked layouts vary far less between arms than shuffled ones."""
    requests = asked(60, 4, 16)
    blocked, shuffled = [], []
    rng = np.random.default_rng(0)
    for seed in range(10):
        layout = lay_out(requests, wells=384, seed=seed)
        columns, arms = np.array([p.column for p in layout.places]), [p.arm for p in layout.places]
        for found, order in ((blocked, columns), (shuffled, rng.permutation(columns))):
            found.append(np.std([order[[a == r.arm for a in arms]].mean() for r in requests]))
    assert np.mean(blocked) < 0.5 * np.mean(shuffled)


def test_controls_that_find_no_room_open_a_plate_of_their_own() -> None:
    requests = [*asked(19, 3, 6), request("", 30, 6), request("D1", 3, 6)]
    layout = lay_out(requests, wells=96, seed=0)
    assert Counter(p.arm for p in layout.places) == {r.arm: r.n for r in requests}

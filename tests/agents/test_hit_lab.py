"""A hit campaign through the lab protocol: approval, ledger, errors, and the same end after a crash at any step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocrux.agents.hits import loop
from cytocrux.agents.hits.campaign import HitCampaign
from cytocrux.agents.hits.stakes import Terms, campaign_id
from cytocrux.agents.hits.view import HitView
from cytocrux.knowledge.claims import Approval, ArmRequest, Design
from cytocrux.knowledge.ledger import Ledger
from cytocrux.tools.lab.pool import PoolLab
from cytocrux.world_model.errors import NotAllowed
from cytocrux.world_model.genepool import PoolFeatures, unit_rows
from cytocrux.world_model.vocabulary import Arm, Perturbation

N, BATCH, ROUNDS = 60, 6, 4
NAMES = tuple(f"G{i}" for i in range(N))
GROUP = np.arange(N) % 5
SCORES = {n: 3.0 if g == 2 else 0.0 for n, g in zip(NAMES, GROUP, strict=True)}  # one group of five are the hits
QUESTION, TERMS = "what raises the score", Terms(1.0, 0.3, "up")
PLACE = campaign_id(NAMES, QUESTION)


def campaign(seed: int = 0) -> HitCampaign:
    rng = np.random.default_rng(7)
    x = unit_rows(rng.normal(size=(5, 8))[GROUP] + 0.1 * rng.normal(size=(N, 8)))
    return HitCampaign(HitView.fresh(PoolFeatures(NAMES, {"sets": x}, np.zeros(N))), "gene", None, "ours", seed)


def play(folder: Path, rounds: int = ROUNDS, scores: dict[str, float] = SCORES) -> list[loop.Round]:
    with Ledger.open(folder) as ledger:
        return loop.run_rounds(ledger, campaign(), PoolLab(scores, ledger, PLACE), QUESTION, TERMS, rounds, BATCH)


def story(folder: Path) -> list[tuple[str, object]]:
    with Ledger.open(folder) as ledger:
        assert ledger.verify().ok
        return [(e.kind, e.payload) for e in ledger.events()]


def test_it_learns_and_every_reading_was_registered_and_approved_first(tmp_path: Path) -> None:
    found = play(tmp_path)
    assert [len(r.names) for r in found] == [BATCH] * ROUNDS
    assert sum(r.hit.sum() for r in found) >= 10  # of 12; 24 of 60 drawn blindly hold 4.8
    assert len({n for r in found for n in r.names}) == BATCH * ROUNDS
    kinds = [k for k, _ in story(tmp_path)]
    order = ["prediction_registered", "experiment_proposed", "experiment_decided", "run_submitted", "wells_revealed",
             "evidence_added"]  # fmt: skip
    assert [kinds.index(k) for k in order] == sorted(kinds.index(k) for k in order)
    with Ledger.open(tmp_path) as ledger:
        hits = int(sum(r.hit.sum() for r in found))
        assert loop.statuses(ledger, PLACE) == {"corroborated": hits, "falsified": BATCH * ROUNDS - hits}


@pytest.mark.parametrize("step", ["stake", "_consent", "judge"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_step_ends_as_an_uninterrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    play(tmp_path / "whole")
    real, calls = getattr(loop, step), []

    def dies(*args: object, **more: object) -> object:
        calls.append(step)
        if len(calls) == 2 and when == "before":
            raise KeyboardInterrupt
        found = real(*args, **more)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(loop, step, dies)
    with pytest.raises(KeyboardInterrupt):
        play(tmp_path / "cut")
    monkeypatch.undo()
    play(tmp_path / "cut")
    assert story(tmp_path / "cut") == story(tmp_path / "whole")


def test_more_rounds_later_are_the_rounds_of_one_call(tmp_path: Path) -> None:
    play(tmp_path / "parts", 2)
    parts = play(tmp_path / "parts")
    assert [r.names for r in parts] == [r.names for r in play(tmp_path / "whole")]
    assert story(tmp_path / "parts") == story(tmp_path / "whole")


def test_the_lab_refuses_what_is_not_approved_unknown_or_seen(tmp_path: Path) -> None:
    play(tmp_path, 1)
    with Ledger.open(tmp_path) as ledger:
        lab = PoolLab(SCORES, ledger, PLACE)
        design = next(Design.model_validate(e.payload["design"]) for e in ledger.events("experiment_proposed"))
        with pytest.raises(NotAllowed, match="refuses this design"):
            lab.submit(design, "again", Approval(design_hash="another", by="me"))
        with pytest.raises(NotAllowed, match="refuses this design"):  # all of its members were revealed
            lab.submit(design, "again", Approval(design_hash=design.content_hash(), by="me"))
        assert all(lab.available(r.arm) == 0 for r in design.arms)
        stranger = Arm(context="screen", perturbations=(Perturbation(kind="knockout", name="NOBODY"),))
        assert lab.available(stranger) == 0
        asked = design.model_copy(update={"arms": (ArmRequest(arm=stranger, n=1),)})
        assert "1 readings of NOBODY asked for, 0 left" in lab.validate(asked)[0].what
        with pytest.raises(NotAllowed, match="revealed nothing"):
            lab.collect("Q0")


def test_a_screen_that_changed_is_noticed(tmp_path: Path) -> None:
    play(tmp_path, 1)
    with pytest.raises(NotAllowed, match="The screen changed"):
        play(tmp_path, 2, {n: s + 0.5 for n, s in SCORES.items()})


def test_without_a_side_nothing_can_be_registered(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger, pytest.raises(NotAllowed, match="before the first reading"):
        lab = PoolLab(SCORES, ledger, PLACE)
        loop.run_rounds(ledger, campaign(), lab, QUESTION, Terms(1.0, 0.3), 1, BATCH)

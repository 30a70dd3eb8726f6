"""Limits of the lab: each binds alone and is named, none is ever passed, and what cannot be meant is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cytocrux.agents import reviews, scientist
from cytocrux.agents.allowance import Purse
from cytocrux.agents.budget import Budget
from cytocrux.agents.design import fitting, merged
from cytocrux.agents.prioritise import Bundle, Weighed, pick
from cytocrux.agents.spec import CampaignSpec
from cytocrux.agents.staking import Stake
from cytocrux.app.cli import app
from cytocrux.knowledge.claims import ArmRequest, Belief, Claim, Contrast, Design, Prediction
from cytocrux.knowledge.ledger import Ledger
from cytocrux.tools.lab.plates import lay_out
from cytocrux.tools.lab.protocol import Capabilities
from cytocrux.world_model.errors import BadInput, NotAllowed
from cytocrux.world_model.vocabulary import Arm, Perturbation, Readout

QUESTION = "Propose a panel of mechanistically distinct compounds for SIM-004"
LAB = Capabilities(name="bench", dataset="d", modalities=(), usd_per_well=2.0, usd_per_plate=20.0, days_per_cycle=2.0)


def arm(name: str, dose: float = 1.0) -> Arm:
    drug = () if not name else (Perturbation(kind="compound", name=name, dose=dose),)
    return Arm(perturbations=drug, context="A")


def bundle(name: str, *, worth: float = 1.0, treated: int = 2, controls: int = 4, dose: float = 1.0) -> Bundle:
    one, none = arm(name, dose), arm("")
    claim = Claim(
        sentence=f"{name} raises v", kind="response", readout=Readout(modality="transcriptome", variable="v"),
        relation="ge", contrast=Contrast(terms=((1.0, one), (-1.0, none))), delta=1.0, delta0=0.0,
    )  # fmt: skip
    belief = Belief(mean=1.0, sd=1.0)
    prediction = Prediction(
        claim_id=claim.id, theory=belief, sceptic=belief, variance="pooled", noise_sd=1.0, max_wells=9,
        model_version="m", training_hash="h",
    )  # fmt: skip
    requests = (ArmRequest(arm=one, n=treated), ArmRequest(arm=none, n=controls))
    return Bundle((Weighed(Stake(claim, prediction), 1.0, 0.5),), requests, float(treated), worth / treated, "it is")


def design(arms: tuple[ArmRequest, ...], cycle: int = 0) -> Design:
    return Design(campaign="K", cycle=cycle, dataset="d", arms=arms, predictions=("p",), cost=1.0, seed=cycle)


def wells(picked: list[Bundle]) -> int:
    return sum(a.n for a in merged(picked))


@pytest.mark.parametrize(
    ("limits", "most", "words"),
    [
        ({"wells": 30}, 30, "30 wells"),
        ({"plates": 1}, 60, "1 plate of 96 allows 60 inner wells"),
        ({"plates": 1, "plate_size": 384}, 192, "192 wells"),  # 308 inner wells: the wells bind
        ({"lab_usd": 100}, 40, "100 USD for the lab allows 40 wells"),  # 20 for the plate, 2 a well
        ({"lab_usd": 320, "plates": 3, "plate_size": 96}, 130, "320 USD"),  # two full plates at 140, then one of 10
        ({"lab_usd": 100, "usd_per_well": 10.0, "usd_per_plate": 0.0}, 10, "allows 10 wells"),
        ({"days": 1.5}, 0, "1.5 days leaves no 2 days"),
        ({"days": 1.5, "days_per_cycle": 1.5}, 192, "192 wells"),
    ],
)
def test_each_limit_binds_alone_and_is_named(limits: dict[str, float], most: int, words: str) -> None:
    allowed = Purse(Budget.of(limits), LAB).allowance()
    assert allowed.wells == most and words in allowed.because


LIMITS = [
    {"wells": 41}, {"plates": 2, "wells": 900}, {"lab_usd": 250, "wells": 900}, {"days": 5, "wells": 900},
    {"plates": 5, "lab_usd": 333, "days": 7, "wells": 150},
]  # fmt: skip


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("treated", [2, 7])
def test_no_limit_is_ever_passed_over_many_experiments(limits: dict[str, float], treated: int) -> None:
    budget, runs, spent = Budget.of(limits), (), 0  # type: tuple[Budget, tuple[Design, ...], int]
    ranked = [bundle(f"D{k}", worth=1 + k / 9, treated=treated) for k in range(40)]
    for cycle in range(30):
        purse = Purse(budget, LAB, runs, spent)
        allowed = purse.allowance()
        picked = fitting(pick(ranked, wells=allowed.wells, most=12), purse, cycle)
        if not picked:
            break
        assert wells(picked) <= allowed.wells
        one = design(merged(picked), cycle)
        purse.require(one)
        runs, spent = (*runs, one), spent + one.wells
    else:
        pytest.fail("the budget never ended")
    assert runs
    plates = [lay_out(d.arms, wells=budget.plate, seed=d.seed).plates for d in runs]
    assert spent <= budget.wells
    assert sum(plates) <= (budget.plates or 10**9)
    assert 2 * spent + 20 * sum(plates) <= (budget.lab_usd or 10**9)
    assert 2 * len(runs) <= (budget.days or 10**9)


def test_what_would_pass_a_limit_is_refused_before_the_lab_sees_it() -> None:
    big = design(merged([bundle(f"D{k}") for k in range(30)]))  # 64 wells
    for limits in ({"wells": 63}, {"plates": 1}, {"lab_usd": 147}, {"days": 1}):
        with pytest.raises(NotAllowed, match="would pass the budget"):
            Purse(Budget.of(limits), LAB).require(big)
    Purse(Budget.of({"wells": 64, "plates": 2, "plate_size": 96, "lab_usd": 168, "days": 2}), LAB).require(big)


def test_plates_count_as_they_are_laid_out() -> None:
    """Sixty wells fit a plate of sixty, but not when groups that stay together leave a gap on it."""
    arms = (*(ArmRequest(arm=arm(f"D{k}"), n=19) for k in range(3)), ArmRequest(arm=arm(""), n=3))
    assert sum(a.n for a in arms) == 60
    assert not Purse(Budget(plates=1), LAB).refusal(arms)
    wide = (*(ArmRequest(arm=arm(f"D{k}"), n=38) for k in range(3)), ArmRequest(arm=arm(""), n=6))
    assert sum(a.n for a in wide) == 120
    assert "3 plates of 96 asked for, 2 left" in Purse(Budget(plates=2), LAB).refusal(wide)


def test_money_without_prices_and_days_too_few_are_refused_at_once() -> None:
    free = Capabilities(name="replay", dataset="d", modalities=())
    with pytest.raises(BadInput, match="no prices"):
        Purse(Budget(lab_usd=5), free).require_one()
    with pytest.raises(BadInput, match="no experiment at all"):
        Purse(Budget(days=0.5), free).require_one()
    Purse(Budget(lab_usd=5, usd_per_well=5), free).require_one()


@pytest.mark.parametrize(
    "text",
    ["plates=0", "plates=1.5", "plate_size=100", "lab_usd=-3", "lab_usd=nan", "lab_usd=inf", "days=0", "days=x",
     "dollars=3", "usd_per_well=-1"],
)  # fmt: skip
def test_bad_values_exit_2(text: str, tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["ask", QUESTION, "--budget", text, "--workspace", str(tmp_path)])
    assert found.exit_code == 2


def test_a_spec_without_these_limits_keeps_its_id() -> None:
    assert CampaignSpec(question="q").id == CampaignSpec(question="q", budget=Budget(plates=None)).id
    assert CampaignSpec(question="q", budget=Budget(plates=2)).id != CampaignSpec(question="q").id
    assert Budget.parse("plates=2,plate_size=384,lab_usd=99.5,days=4").plate == 384


def test_arms_are_paid_once_with_the_most_wells_that_any_bundle_needs() -> None:
    """Controls of 4 and of 8 wells: 8 in all, not 12; one compound's doses do not crowd out the others."""
    ranked = [bundle("A", treated=2, controls=4), bundle("B", treated=4, controls=8, worth=2.0)]
    assert len(pick(ranked, wells=14, most=9)) == 2 and wells(pick(ranked, wells=14, most=9)) == 14
    assert len(pick(ranked, wells=13, most=9)) == 1
    doses = [bundle("A", dose=d, worth=1.0) for d in (1.0, 2.0, 3.0)]
    picked = pick([*doses, bundle("B", worth=0.6), bundle("C", worth=0.6)], wells=10, most=9)
    assert sorted(b.perturbation for b in picked) == ["A", "B", "C"]


def test_a_campaign_stays_within_its_lab_money_whoever_edits_it(tmp_path: Path) -> None:
    budget = Budget.parse("lab_usd=46,usd_per_well=2,usd_per_plate=10,cycles=4")
    outcome = scientist.ask(QUESTION, workspace=tmp_path, data="simulated", budget=budget)
    with Ledger.open(tmp_path) as ledger:
        proposed = reviews.find(ledger, outcome.campaign)
    assert "46 USD for the lab allows 18 wells" in proposed.rationale
    file = tmp_path / "edit.json"
    more = [a.model_copy(update={"n": 19}) if i == 0 else a for i, a in enumerate(proposed.arms)]
    file.write_text(proposed.model_copy(update={"arms": tuple(more)}).model_dump_json())
    with pytest.raises(NotAllowed, match="would pass the budget"):
        scientist.decide(outcome.campaign, workspace=tmp_path, decision="edit", by="Ada", edited=file)
    scientist.decide(outcome.campaign, workspace=tmp_path, decision="approve", by="Ada")
    scientist.resume(outcome.campaign, workspace=tmp_path)
    with Ledger.open(tmp_path) as ledger:
        (run,) = [Design.model_validate(e.payload["design"]) for e in ledger.events("run_submitted")]
        after = [Design.model_validate(e.payload["design"]) for e in ledger.events("experiment_proposed")][1:]
    assert sum(2 * d.wells + 10 for d in (run, *after)) <= 46

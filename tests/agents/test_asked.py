"""Exclusions, doses, times, counts, budgets and what is not served: from the question into the goal, or said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocrux.agents import scientist
from cytocrux.agents.allowance import Purse
from cytocrux.agents.asked import capped, exclude, nearest, ruled_out
from cytocrux.agents.budget import Budget
from cytocrux.agents.goal import Exclusion, Goal
from cytocrux.agents.minds.builtin import BuiltinMind
from cytocrux.agents.minds.protocol import Briefing
from cytocrux.agents.understanding.slots import read
from cytocrux.knowledge.ledger import Ledger
from cytocrux.tools.lab.protocol import Capabilities
from cytocrux.world_model.compounds import facts_for
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.vocabulary import Readout

LAB = Capabilities(name="bench", dataset="d", modalities=())
DRUGS = (
    "Venetoclax",
    "Bortezomib",
    "Doxorubicin",
    "Epirubicin",
    "Trametinib",
    "Dabrafenib",
    "Cisplatin",
    "Vinblastine",
)
CLASSES = {d: facts_for(d).mechanism_class for d in DRUGS}
GDSC = Briefing(
    dataset="gdsc",
    contexts=("SU-DHL-4", "OCI-LY7"),
    perturbations=DRUGS,
    classes=CLASSES,
    kinds=("compound",),
    readouts=(Readout(modality="viability", variable="LN_IC50"),),
)
RPPA = Briefing(
    dataset="rppa",
    contexts=("C32", "COLO 858"),
    perturbations=("Dabrafenib", "Vemurafenib", "Trametinib"),
    classes={"Dabrafenib": "RAF inhibitor", "Vemurafenib": "RAF inhibitor", "Trametinib": "MEK inhibitor"},
    kinds=("compound",),
    readouts=(
        Readout(modality="phosphoproteome", variable="pERK(T202/Y204)"),
        Readout(modality="phosphoproteome", variable="pAKT(S473)"),
    ),
    doses=(0.0316, 0.1, 0.316, 1.0, 3.16),
    times_h=(1.0, 8.0, 24.0),
)


def goal(question: str, briefing: Briefing = RPPA) -> Goal:
    return BuiltinMind().understand(question, briefing)


def proposed(question: str, briefing: Briefing = RPPA) -> set[str]:
    mind = BuiltinMind()
    found = mind.hypothesise(mind.understand(question, briefing), briefing)
    return {"+".join(h.perturbations) for h in found}


def test_a_panel_leaves_out_what_the_question_rules_out() -> None:
    question = "Suggest 5 drugs for SU-DHL-4, no anthracyclines, not Velcade, at least 3 mechanism classes"
    asked = goal(question, GDSC)
    assert {e.what for e in asked.exclusions} == {"anthracycline", "Bortezomib"}
    assert all("rules out" in e.because for e in asked.exclusions)
    assert (asked.max_items, asked.min_classes) == (5, 3)
    assert proposed(question, GDSC) == set(DRUGS) - {"Doxorubicin", "Epirubicin", "Bortezomib"}
    assert not asked.unplaced


def test_the_same_in_chinese() -> None:
    question = "给 SU-DHL-4 推荐5种药物，不用蒽环类，预算48孔"
    assert proposed(question, GDSC) == set(DRUGS) - {"Doxorubicin", "Epirubicin"}
    assert any("48 wells" in a for a in goal(question, GDSC).assumptions)


def test_an_exclusion_does_not_become_a_candidate() -> None:
    assert goal("Which RAF inhibitor except vemurafenib lowers pERK in C32?").candidates == ("Dabrafenib",)
    assert proposed("Which inhibitor, not the MEK inhibitors, lowers pERK in C32?") == {"Dabrafenib", "Vemurafenib"}


def test_nothing_left_to_ask_about_is_refused() -> None:
    only_raf = RPPA.model_copy(update={"perturbations": ("Vemurafenib",), "classes": {"Vemurafenib": "RAF inhibitor"}})
    with pytest.raises(BadInput, match="ruled out by the question"):
        goal("Which RAF inhibitor except vemurafenib lowers pERK in C32?", only_raf)


def test_an_exclusion_that_means_nothing_here_is_said() -> None:
    assert any("rituximab" in a for a in goal("Suggest drugs for SU-DHL-4, allergic to rituximab", GDSC).assumptions)
    found, unknown = exclude(["class:kinase inhibitor", "class:vinca alkaloid"], DRUGS)
    assert [e.what for e in found] == ["vinca"] and unknown == ("kinase inhibitor",)


def test_ruled_out_reads_names_aliases_classes_and_tags() -> None:
    out = [Exclusion(what=w, because=w) for w in ("velcade", "MEK inhibitor", "Anthracycline")]
    assert ruled_out(out, DRUGS).keys() == {"Bortezomib", "Trametinib", "Doxorubicin", "Epirubicin"}
    assert ruled_out([], DRUGS) == {}


def test_doses_and_times_narrow_the_hypotheses() -> None:
    mind = BuiltinMind()
    asked = goal("Which MEK inhibitor lowers pERK in C32 at 1 uM after 24 h?")
    assert asked.doses == (1.0,) and asked.times_h == (24.0,)
    assert {(h.dose, h.time_h) for h in mind.hypothesise(asked, RPPA)} == {(1.0, 24.0)}
    assert goal("Which MEK inhibitor lowers pERK in C32 at 0.1 to 1 uM?").doses == (0.1, 0.316, 1.0)


def test_a_dose_that_was_not_measured_is_said_and_restricts_nothing() -> None:
    asked = goal("Which MEK inhibitor lowers pERK in C32 at 50 uM?")
    assert asked.doses == ()
    assert any(a.startswith("50 uM was not measured in rppa") for a in asked.assumptions)
    assert nearest([1.0, 50.0], RPPA.doses, "uM", "rppa", spread=False)[0] == (1.0,)
    assert nearest([2.0], (), "h", "gdsc", spread=False) == ((), "2 h is asked for; gdsc has no such axis.")


@pytest.mark.parametrize(
    ("question", "briefing", "instead"),
    [
        ("Why does trametinib raise pAKT in C32?", RPPA, "cytocrux explain"),
        ("Which mutations predict sensitivity to trametinib in SU-DHL-4?", GDSC, "No part of this loop"),
        ("Which genes when knocked out lower pERK in C32?", RPPA, "cytocrux campaign hits"),
        ("Which drugs kill SU-DHL-4 but spare normal T cells?", GDSC, "Sparing is not tested"),
        ("Which drug is synergistic with venetoclax in SU-DHL-4?", GDSC, "none was measured in gdsc"),
        ("Which drugs protect SU-DHL-4?", GDSC, "the opposite aim"),
    ],
)
def test_what_is_not_served_is_never_treated_as_something_else(question: str, briefing: Briefing, instead: str) -> None:
    assert any(instead in a for a in goal(question, briefing).assumptions)


def test_a_partner_drug_is_not_what_the_panel_chooses_from() -> None:
    assert goal("Which drug is synergistic with venetoclax in SU-DHL-4?", GDSC).candidates == ()


def test_a_disease_is_placed() -> None:
    asked = goal("Propose drugs for SU-DHL-4; stage II non-Hodgkin lymphoma", GDSC)
    assert asked.disease == "non-hodgkin lymphoma" and not asked.unplaced


def test_names_without_wells_are_said() -> None:
    said = goal("Which drugs kill SU-DHL-4 but spare normal T cells?", GDSC).assumptions
    assert "T cell is named; gdsc has no wells of it." in said


def test_plain_questions_carry_no_assumptions() -> None:
    plain = "Which RAF or MEK inhibitor, at what dose and when, shuts down ERK signalling in COLO 858?"
    assert goal(plain).assumptions == () and goal(plain).unplaced == ()


@pytest.mark.parametrize(
    ("given", "text", "wells"),
    [
        (Budget(), "Which MEK inhibitor lowers pERK in C32 with 48 wells?", 48),
        (Budget(), "Which MEK inhibitor lowers pERK in C32 with 5000 wells?", 192),  # never raised
        (Budget(wells=100), "Which MEK inhibitor lowers pERK in C32 with 48 wells?", 100),  # set by hand
        (Budget.parse("hours=2"), "Which MEK inhibitor lowers pERK in C32 with 48 wells?", 48),
        (Budget(), "Which MEK inhibitor lowers pERK in C32?", 192),
    ],
)
def test_a_limit_in_the_question_only_lowers_what_nobody_set(given: Budget, text: str, wells: int) -> None:
    assert capped(given, read(text)).wells == wells


@pytest.mark.parametrize(
    ("given", "text", "plates", "size"),
    [
        (Budget(), "Which MEK inhibitor lowers pERK in C32, on one 96-well plate?", 1, 96),
        (Budget(), "Which MEK inhibitor lowers pERK in C32, on two 384-well plates?", 2, 384),
        (Budget(plates=3), "Which MEK inhibitor lowers pERK in C32, on one 96-well plate?", 3, None),
    ],
)
def test_plates_are_plates_and_not_wells(given: Budget, text: str, plates: int, size: int | None) -> None:
    found = capped(given, read(text))
    assert (found.plates, found.plate_size, found.wells) == (plates, size, 192)
    most = Purse(found, LAB).allowance()
    assert most.wells == {96: 60, 384: 192, None: 180}[size]  # inner wells, or the wells that the budget has anyway
    assert f"{plates} plate" in " ".join(goal(text).assumptions) or given.plates


def test_days_limit_and_money_is_said_not_to() -> None:
    text = "Which MEK inhibitor lowers pERK in C32 within two weeks, under $1500?"
    said = " ".join(goal(text).assumptions)
    assert "allows 14 days" in said and "1500 US dollars are not a limit here" in said
    assert capped(Budget(), read(text)).days == 14 and capped(Budget(days=2), read(text)).days == 2


def test_a_campaign_keeps_the_limit_its_question_names(tmp_path: Path) -> None:
    question = "Propose a panel of mechanistically distinct compounds for SIM-004, with 3 wells"
    scientist.ask(question, workspace=tmp_path, data="simulated", auto_approve="replay")
    with Ledger.open(tmp_path) as ledger:
        assert next(iter(ledger.events(kind="campaign_started"))).payload["budget"]["wells"] == 3
        assert sum(len(e.payload["wells"]) for e in ledger.events(kind="wells_revealed")) == 3

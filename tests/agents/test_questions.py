"""Reading questions without a language model."""

from __future__ import annotations

import pytest

from cytocrux.agents import questions
from cytocrux.agents.minds.builtin import BuiltinMind
from cytocrux.agents.minds.protocol import Briefing
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.vocabulary import Readout

RPPA = Briefing(
    dataset="rppa",
    contexts=("C32", "COLO 858", "WM1552C"),
    perturbations=("AZ-628", "PLX-4720", "Selumetinib"),
    classes={"AZ-628": "RAF inhibitor", "PLX-4720": "RAF inhibitor", "Selumetinib": "MEK inhibitor"},
    kinds=("compound",),
    readouts=tuple(
        Readout(modality="phosphoproteome", variable=v)
        for v in ("pMEK(S217/221)", "pERK(T202/Y204)", "pS6K(T389)", "pS6(S235/236)", "pP38(T180/Y182)")
    ),
    doses=(0.1, 1.0),
    times_h=(1.0, 24.0),
)
QUESTION = (
    "Which RAF or MEK inhibitor, at what dose and when, shuts down ERK signalling in COLO 858, and does S6 follow?"
)
CHINESE = "哪种 RAF 或 MEK 抑制剂能在 COLO 858 中抑制 ERK 信号？S6 是否随之下降？"


@pytest.mark.parametrize("question", [QUESTION, CHINESE])
def test_the_founding_signalling_question_in_two_languages(question: str) -> None:
    goal = BuiltinMind().understand(question, RPPA)
    assert goal.intent == "response"
    assert goal.context.name == "COLO 858"
    assert set(goal.candidates) == {"AZ-628", "PLX-4720", "Selumetinib"}
    wanted = {g.readout.variable: (g.direction, g.role) for g in goal.readouts}
    assert wanted == {"pERK(T202/Y204)": ("down", "primary"), "pS6(S235/236)": ("down", "follow")}


def test_one_class_alone_narrows_the_candidates() -> None:
    goal = BuiltinMind().understand("Which MEK inhibitor lowers ERK in C32?", RPPA)
    assert goal.candidates == ("Selumetinib",)


def test_words_that_found_no_use_are_handed_back() -> None:
    goal = BuiltinMind().understand("Which MEK inhibitor lowers ERK in C32 under hypoxia?", RPPA)
    assert goal.unplaced == ("hypoxia",)


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ("", "empty"),
        ("Which MEK inhibitor lowers ERK in HeLa?", "names no cell line"),
        ("Which MEK inhibitor kills C32?", "names no readout"),
    ],
)
def test_what_cannot_be_placed_is_refused_with_a_cure(question: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as error:
        BuiltinMind().understand(question, RPPA)
    assert error.value.cure


def test_names_are_found_whole_words_only() -> None:
    assert questions.mentioned("the C321 cells and C32!", ["C32"]) == ["C32"]
    assert questions.mentioned("the C321 cells", ["C32"]) == []
    assert questions.mentioned("in colo-858 please", ["COLO 858"]) == ["COLO 858"]
    assert questions.mentioned("在COLO858细胞中", ["COLO 858"]) == ["COLO 858"]


@pytest.mark.parametrize(
    ("question", "patient", "dataset"),
    [
        ("Propose a panel of compounds for the patient", True, "gdsc"),
        (QUESTION, False, "rppa"),
        ("Which CRISPRa targets push K562 towards erythroid genes?", False, "norman"),
    ],
)  # fmt: skip
def test_the_data_set_follows_the_subject(question: str, patient: bool, dataset: str) -> None:
    assert questions.choose_dataset(question, patient) == dataset


def test_number_of_items_wanted() -> None:
    assert questions.count_in("Propose 6 compounds for SU-DHL-4") == 6
    assert questions.count_in("请提出 5 种化合物") == 5
    assert questions.count_in("Propose compounds") is None

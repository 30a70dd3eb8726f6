"""Sources of hypotheses: each finds what was planted in a tiny cell; duplicates merge; turns are shared out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from cytocrux.agents.goal import Exclusion, Goal, Hypothesis, ReadoutGoal
from cytocrux.agents.hypotheses import sources
from cytocrux.agents.hypotheses.gather import diverse, gather, merged
from cytocrux.agents.hypotheses.state import State
from cytocrux.agents.minds.builtin import BuiltinMind
from cytocrux.agents.minds.protocol import Briefing
from cytocrux.knowledge.claims import Claim
from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.data.arms import control_of
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.network import SignedNetwork
from cytocrux.world_model.vocabulary import Arm, Context, Contrast, Perturbation, Readout

LINES = ("L1", "L2", "L3", "L4", "here")
ERK = Readout(modality="phosphoproteome", variable="pERK", unit="log2")
CLASSES = {"Da": "D inhibitor", "Db": "D inhibitor", "Ea": "E inhibitor", "Eb": "E inhibitor", "Fa": "F inhibitor"}
NAMES = (*CLASSES, "New")
EFFECT = {"Da": -3.0, "Db": -1.0, "Ea": -0.5, "Eb": 0.0, "Fa": 0.1}
GOAL = Goal(
    question="?",
    intent="response",
    dataset="planted",
    context=Context(name="here"),
    readouts=(ReadoutGoal(readout=ERK, direction="down"),),
    kind="compound",
)
BRIEFING = Briefing(dataset="planted", contexts=LINES, perturbations=NAMES, classes=CLASSES, kinds=("compound",),
                    readouts=(ERK,), doses=(1.0,), times_h=(24.0,))  # fmt: skip


def table(effects: dict[tuple[str, str], float], noise: float = 0.05) -> ConditionTable:
    """One condition for each (line, name), with its planted effect."""
    rows = pd.DataFrame(
        [(line, name, "compound", 1.0, 24.0, "") for line, name in effects],
        columns=["context", "perturbation", "kind", "dose", "time_h", "batch"],
    )
    n = len(rows)
    delta = np.array(list(effects.values()))[:, None] + np.random.default_rng(0).normal(0, noise, (n, 1))
    wells = tuple((f"{line}/{name}",) for line, name in effects)
    return ConditionTable(rows, delta, np.full((n, 1), noise), np.full((n, 1), 4), ("pERK",), wells)


PLAIN = {(line, name): effect for line in LINES for name, effect in EFFECT.items()}


@cache
def plain() -> State:
    return State(GOAL, BRIEFING, VirtualCell.fit(table(PLAIN), compound_classes=CLASSES))


def names(found: list[Hypothesis]) -> list[str]:
    return ["+".join(h.perturbations) for h in found]


def test_the_strongest_prediction_is_the_strongest_effect() -> None:
    found = sources.strongest(plain())
    assert names(found)[:2] == ["Da", "Db"]
    assert "Fa" not in names(found)  # it moves the other way
    assert found[0].direction == "down" and found[0].dose == 1.0 and found[0].time_h == 24.0


def test_the_least_known_is_the_one_never_measured() -> None:
    cell = plain().cell
    assert cell is not None
    told = cell.predict(plain().grid(NAMES))
    widest = NAMES[int(np.argmax(np.where(told.abstain, -1, told.epistemic[:, 0])))]
    assert names(sources.uncertain(plain()))[0] == widest


def test_a_measurement_beyond_the_fitted_interval_is_a_surprise() -> None:
    """A cell that was told of weak effects meets one strong reading that it does not follow."""
    state = plain()
    assert state.cell is not None
    assert sources.surprised(state) == []
    rows = state.cell.rows
    at = int(np.flatnonzero((rows.conditions["context"] == "here") & (rows.conditions["perturbation"] == "Eb"))[0])
    delta = rows.delta.copy()
    delta[at] = -2.0
    odd = replace(state, cell=replace(state.cell, rows=replace(rows, delta=delta)))
    assert names(sources.surprised(odd)) == ["Eb"]


def test_what_is_unlike_other_contexts() -> None:
    effects = PLAIN | {("here", "Ea"): -3.0}
    state = State(GOAL, BRIEFING, VirtualCell.fit(table(effects), compound_classes=CLASSES))
    assert names(sources.between_contexts(state))[0] == "Ea"


def test_selectivity_asks_for_a_context_to_spare() -> None:
    effects = PLAIN | {("here", "Ea"): -3.0, ("L1", "Da"): -6.0}
    state = State(GOAL, BRIEFING, VirtualCell.fit(table(effects), compound_classes=CLASSES), other="L1")
    found = names(sources.selective(state))
    assert found[0] == "Ea" and "Da" not in found
    assert sources.selective(replace(state, other=None)) == []


def test_pairs_beyond_the_sum() -> None:
    pairs = {"Da+Ea": -7.0, "Da+Eb": -3.0, "Db+Ea": -1.5}
    effects = PLAIN | {(line, pair): effect for line in LINES for pair, effect in pairs.items()}
    briefing = BRIEFING.model_copy(update={"perturbations": (*NAMES, *pairs)})
    goal = GOAL.model_copy(update={"intent": "interaction"})
    state = State(goal, briefing, VirtualCell.fit(table(effects), compound_classes=CLASSES))
    found = sources.synergies(state)
    assert names(found)[0] == "Da+Ea" and found[0].kind == "synergy"
    assert sources.synergies(replace(state, goal=GOAL)) == []


def test_an_analogy_names_the_claims_kin_only() -> None:
    arm = Arm(context="L1", perturbations=(Perturbation(kind="compound", name="Da", dose=1.0),), time_h=24.0)
    versus = Contrast(terms=((1.0, arm), (-1.0, control_of(arm))))
    claim = Claim(
        sentence="Da lowers pERK.", kind="response", readout=ERK, contrast=versus,
        relation="le", delta=-1.0, delta0=-0.5, mechanism="", refuted_by="nothing moves", origin="test",
    )  # fmt: skip
    found = sources.analogies(replace(plain(), corroborated=(claim,)))
    assert names(found) == ["Da", "Db"] and found[0].origin == f"analogy to {claim.id}"
    upwards = claim.model_copy(update={"relation": "ge", "delta": 1.0, "delta0": 0.5})
    assert sources.analogies(replace(plain(), corroborated=(upwards,))) == []


def test_gaps_are_what_this_context_has_not_seen() -> None:
    effects = {key: value for key, value in PLAIN.items() if key != ("here", "Db")}
    state = State(GOAL, BRIEFING, VirtualCell.fit(table(effects), compound_classes=CLASSES))
    assert names(sources.gaps(state)) == ["Db", "New"]  # Db was tried in four lines, New in none


def test_a_mechanism_is_a_signed_path_from_a_target() -> None:
    network = SignedNetwork.of(
        "planted", [("MAP2K1", "pERK", 1), ("BRAF", "MAP2K1", 1), ("AKT1", "pERK", -1), ("EGFR", "elsewhere", 1)]
    )
    drugs = ("Dabrafenib", "Trametinib", "MK-2206", "Gefitinib", "of no known target")
    state = State(GOAL, BRIEFING.model_copy(update={"perturbations": drugs}), network=network)
    found = sources.mechanisms(state)
    assert names(found) == ["Trametinib", "Dabrafenib"]  # inhibiting AKT1 would raise pERK; EGFR leads nowhere
    assert found[1].mechanism == "Dabrafenib through BRAF +> MAP2K1, MAP2K1 +> pERK"
    raised = GOAL.model_copy(update={"readouts": (ReadoutGoal(readout=ERK, direction="up"),)})
    assert names(sources.mechanisms(replace(state, goal=raised))) == ["MK-2206"]
    assert sources.mechanisms(plain()) == []


def test_what_the_goal_rules_out_no_source_proposes() -> None:
    goal = GOAL.model_copy(update={"exclusions": (Exclusion(what="Da", because="said so"),)})
    assert "Da" not in {n for h in gather(State(goal, BRIEFING, plain().cell), 50) for n in h.perturbations}


def say(name: str, origin: str, dose: float | None = 1.0, mechanism: str = "") -> Hypothesis:
    return Hypothesis(perturbations=tuple(name.split("+")), dose=dose, readout="pERK", direction="down",
                      kind="response", origin=origin, mechanism=mechanism)  # fmt: skip


def test_near_duplicates_become_one_with_both_origins() -> None:
    found = merged([say("Da+Ea", "a"), say("ea+DA", "b", 1.1, "why"), say("Da+Ea", "c", 10.0), say("Da+Ea", "d", None)])
    assert [h.origin for h in found] == ["a, b", "c", "d"]
    assert found[0].mechanism == "why"


def test_turns_over_sources_and_classes() -> None:
    first = [say(n, "first") for n in ("Da", "Db", "Ea")]
    second = [say(n, "second") for n in ("Da", "Fa")]
    found = diverse([first, second], 3, CLASSES)
    assert names(found) == ["Da", "Fa", "Ea"]  # the second source's Da is the first's; Ea's class before Db's
    assert found[0].origin == "first, second"
    assert len(diverse([first, second], 99, CLASSES)) == 4


@pytest.mark.parametrize("source", sources.SOURCES)
def test_a_state_that_knows_nothing_proposes_nothing(source: sources.Source) -> None:
    assert source(State(GOAL, BRIEFING)) == []


def test_the_built_in_mind_says_where_a_proposal_stands_out() -> None:
    said = BuiltinMind(lambda goal, briefing: sources.strongest(replace(plain(), goal=goal))[:1])
    found = {"+".join(h.perturbations): h.origin for h in said.hypothesise(GOAL, BRIEFING)}
    assert found["Da"] == "strongest prediction" and found["Fa"] == "builtin"
    assert {h.origin for h in BuiltinMind().hypothesise(GOAL, BRIEFING)} == {"builtin"}

"""Choosing a panel: by chance to hit, spread over classes, exclusions respected, bad requests refused."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cytocrux.agents.panel import UNKNOWN, Candidate, choose_panel, hit_probability
from cytocrux.world_model.errors import BadInput


def candidate(name: str, kind: str, z: float, sd: float = 0.5, abstain: str = "") -> Candidate:
    return Candidate(name=name, mechanism_class=kind, z_mean=z, z_sd=sd, abstain=abstain)


MANY = [candidate(f"{kind}{i}", kind, -2.0 + 0.1 * i + 0.3 * k) for k, kind in enumerate("ABCDE") for i in range(5)]


def test_probability_of_a_hit() -> None:
    assert hit_probability(-0.67, 0.3) == pytest.approx(0.5)
    assert hit_probability(-1.17, 0.5) == pytest.approx(0.8413, abs=1e-4)
    assert hit_probability(0.0, 1.0) == pytest.approx(0.2514, abs=1e-4)


def test_best_first_at_most_two_of_a_class() -> None:
    panel = choose_panel(MANY, n=8, min_classes=4)
    assert [p.name for p in panel] == ["A0", "A1", "B0", "B1", "C0", "C1", "D0", "D1"]
    assert all(a.probability >= b.probability for a, b in itertools.pairwise(panel))
    assert "rank 1 of 25" in panel[0].why and panel[0].percentile_low < panel[0].percentile < panel[0].percentile_high


def test_certainty_beats_a_slightly_lower_mean() -> None:
    sure, bold = candidate("sure", "A", -1.2, 0.2), candidate("bold", "B", -1.3, 2.0)
    assert choose_panel([sure, bold], n=1, min_classes=1)[0].name == "sure"


def test_a_noisy_reading_makes_a_small_sure_effect_worth_less() -> None:
    sure, strong = candidate("sure", "A", -0.9, 0.1), candidate("strong", "B", -1.6, 0.8)
    assert choose_panel([sure, strong], n=1, min_classes=1)[0].name == "sure"
    noisy = [c.model_copy(update={"noise": 0.6}) for c in (sure, strong)]
    first = choose_panel(noisy, n=1, min_classes=1)[0]
    assert first.name == "strong"
    assert first.probability == pytest.approx(hit_probability(-1.6, 1.0))


def test_a_learned_chance_counts_instead_of_the_normal_belief() -> None:
    low, rare = candidate("low", "A", -2.0), candidate("rare", "B", -0.5).model_copy(update={"chance": 0.999})
    panel = choose_panel([low, rare], n=2, min_classes=2)
    assert [(p.name, p.probability) for p in panel] == [("rare", 0.999), ("low", hit_probability(-2.0, 0.5))]


@given(
    st.lists(st.tuples(st.sampled_from("ABC?"), st.floats(-3, 3)), min_size=3, max_size=8),
    st.integers(2, 5),
    st.integers(1, 3),
)
def test_no_other_panel_expects_more_hits(pool: list[tuple[str, float]], n: int, least: int) -> None:
    """Against every panel of the same size that keeps the rules: exchanges could gain nothing."""
    candidates = [candidate(f"c{i}", UNKNOWN if k == "?" else k, z) for i, (k, z) in enumerate(pool)]
    least = min(least, n, len({c.mechanism_class for c in candidates} - {UNKNOWN}))
    panel = choose_panel(candidates, n=n, min_classes=least)

    def keeps(chosen: tuple[Candidate, ...]) -> bool:
        kinds = [c.mechanism_class for c in chosen]
        return len(set(kinds) - {UNKNOWN}) >= least and all(kinds.count(k) <= 2 for k in kinds)

    best = max(sum(hit_probability(c.z_mean, c.z_sd) for c in chosen)
               for chosen in itertools.combinations(candidates, len(panel)) if keeps(chosen))  # fmt: skip
    assert sum(p.probability for p in panel) == pytest.approx(best)


def test_places_are_kept_for_the_classes_that_are_still_missing() -> None:
    pool = [candidate(f"A{i}", "A", -3.0) for i in range(3)] + [candidate(k, k, 1.0) for k in ("B", "C", "D")]
    panel = choose_panel(pool, n=4, min_classes=4)
    assert {p.mechanism_class for p in panel} == {"A", "B", "C", "D"}


def test_excluded_compounds_and_classes_and_abstentions_stay_out() -> None:
    pool = [*MANY, candidate("silent", "F", -9.0, abstain="never measured")]
    panel = choose_panel(pool, n=6, min_classes=3, excluded={"a": "class ruled out", "B0": "allergy"})
    assert {p.mechanism_class for p in panel} == {"B", "C", "D"}
    assert "B0" not in {p.name for p in panel} and "silent" not in {p.name for p in panel}


def test_what_is_held_counts() -> None:
    panel = choose_panel(MANY, n=2, min_classes=4, held=("A", "A", "B"))
    assert [p.mechanism_class for p in panel] == ["C", "D"]  # two places left, two classes missing
    assert choose_panel([], n=2, min_classes=4, held=("A",)) == []


def test_too_few_classes_is_refused_with_the_reason() -> None:
    unknown = [candidate(f"u{i}", UNKNOWN, -3.0) for i in range(9)]
    with pytest.raises(BadInput, match="4 mechanism classes cannot be made"):
        choose_panel([*unknown, candidate("x", "A", -1.0)], n=8, min_classes=4)


@given(
    st.lists(st.tuples(st.sampled_from("ABCDEF"), st.floats(-4, 4), st.floats(0.05, 3)), min_size=8, max_size=40),
    st.integers(4, 10),
)
def test_the_rules_hold_for_any_pool(pool: list[tuple[str, float, float]], n: int) -> None:
    candidates = [candidate(f"c{i}", kind, z, sd) for i, (kind, z, sd) in enumerate(pool)]
    wanted = min(4, len({c.mechanism_class for c in candidates}))
    panel = choose_panel(candidates, n=n, min_classes=wanted)
    kinds = [p.mechanism_class for p in panel]
    assert len(panel) <= n and len(set(kinds)) >= wanted and max(kinds.count(k) for k in kinds) <= 2
    assert panel == choose_panel(candidates[::-1], n=n, min_classes=wanted)  # order of the pool does not matter

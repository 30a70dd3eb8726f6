"""Semantic and structural-statistical explanations, activities, each with its null; and the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.mechanism.activities import activities, adjusted, as_changes
from cytocrux.world_model.mechanism.explain import explain
from cytocrux.world_model.mechanism.explanation import Explanation
from cytocrux.world_model.mechanism.layout import HEIGHT, WIDTH, layout
from cytocrux.world_model.mechanism.nearness import Profiles, likeness, nearness
from cytocrux.world_model.mechanism.picture import png, svg
from cytocrux.world_model.mechanism.semantic import changed_genes, enriched, semantic
from cytocrux.world_model.network import SignedNetwork

GENES = [f"G{i}" for i in range(400)]
SETS = {f"set {k}": frozenset(GENES[20 * k : 20 * k + 20]) for k in range(20)}


def test_enrichment_is_the_hypergeometric_tail() -> None:
    found = enriched(GENES[:10] + GENES[200:210], GENES, {"set 0": SETS["set 0"]})
    from math import comb

    tail = sum(comb(20, k) * comb(380, 20 - k) for k in range(10, 21)) / comb(400, 20)
    assert found[0].p == pytest.approx(tail, rel=1e-6) and len(found[0].overlap) == 10


def test_a_planted_set_is_found_and_random_genes_are_not() -> None:
    rng = np.random.default_rng(0)
    hit = semantic("drug", {g: -1 for g in [*GENES[40:52], *GENES[300:308]]}, GENES, SETS)
    assert hit.offered and hit.edges[0].target == "set 2" and hit.edges[0].sign == -1
    offered = [
        semantic("drug", {str(g): 1 for g in rng.choice(GENES, 20, replace=False)}, GENES, SETS).offered
        for _ in range(100)
    ]
    assert sum(offered) <= 12


def test_readouts_become_genes_and_the_surest_speaks() -> None:
    changes = [("pERK T202/Y204", -2.0, 0.1), ("pRSK S380", 0.1, 0.01), ("pRSK T573", -1.0, 0.2), ("TP53", 1.0, 0.9),
               ("MYC", float("nan"), 0.1)]  # fmt: skip
    moved, measured = changed_genes(changes)
    assert moved == {"MAPK1": -1} and measured == {"MAPK1", "RPS6KA1", "TP53"}  # RSK: surest, but too small
    assert changed_genes([*changes, ("RPS6KA1", -3.0, 0.1)])[0] == {"MAPK1": -1, "RPS6KA1": -1}


def test_benjamini_hochberg_by_hand() -> None:
    assert adjusted([0.04, 0.01, 0.03, 0.5]) == pytest.approx([0.16 / 3, 0.04, 0.16 / 3, 0.5])


def responses(seed: int, spread: float) -> tuple[Profiles, dict[str, str]]:
    """Four classes of five perturbations over three contexts; ``spread``: how far the classes lie apart."""
    rng = np.random.default_rng(seed)
    names = tuple(f"{c}{i}" for c in "ABCD" for i in range(5))
    centres = {c: rng.normal(0, spread, (1, 15)) for c in "ABCD"}
    values = np.stack([centres[n[0]] + rng.normal(0, 1, (3, 15)) for n in names])
    return Profiles(names, values), {n: n[0] for n in names}


def test_nearness_finds_the_class_and_not_its_own_label() -> None:
    given, classes = responses(0, spread=1.0)
    found = nearness(given, "B2", {n: c for n, c in classes.items() if n != "B2"})
    assert found.offered and "of a B" in found.verdict
    assert all(e.target.startswith("B") and e.kind == "is similar to" for e in found.edges[:3])
    wrong = nearness(given, "B2", classes | {"B2": "A"})
    assert wrong.verdict == found.verdict


def test_nearness_offers_nothing_where_classes_mean_nothing() -> None:
    offered = []
    for seed in range(60):
        given, classes = responses(seed, spread=0.0)
        offered.append(nearness(given, "A0", classes, draws=99, seed=seed).offered)
    assert sum(offered) <= 8
    alone = nearness(given, "A0", {"A0": "A", "B1": "B"})
    assert not alone.offered and "no class" in alone.verdict


def test_likeness_ignores_contexts_that_are_not_shared() -> None:
    values = np.full((2, 2, 2), np.nan)
    values[0, 0] = [1, 0]
    values[1] = [[1, 0], [0, 9]]
    assert likeness(Profiles(("p", "q"), values))[0, 1] == pytest.approx(1.0)


def test_activities_find_planted_factors_and_nothing_in_noise() -> None:
    rng = np.random.default_rng(0)
    regulons = pd.DataFrame(
        [(f"TF{k}", g, 1.0 if i % 4 else -1.0) for k in range(20) for i, g in enumerate(GENES[20 * k : 20 * k + 20])],
        columns=["source", "target", "weight"],
    )
    noise = {g: float(v) for g, v in zip(GENES, rng.normal(0, 1, 400), strict=True)}
    change = noise | {g: noise[g] - 3.0 * (1 if i % 4 else -1) for i, g in enumerate(GENES[60:80])}
    found = activities(change, regulons)
    assert found.index[0] == "TF3" and found["activity"].iloc[0] < -6 and found["q"].iloc[0] < 0.01
    assert as_changes(found)[0][0] == "TF3"
    assert (activities(noise, regulons)["q"] < 0.05).sum() <= 1
    with pytest.raises(BadInput, match="No regulon"):
        activities({"G1": 1.0}, regulons)


def test_activities_are_those_of_decoupler() -> None:
    decoupler = pytest.importorskip("decoupler")
    rng = np.random.default_rng(1)
    rows = [(f"TF{k}", str(g), float(w)) for k in range(6) for g, w in
            zip(rng.choice(GENES, 25, replace=False), rng.choice((-1, 0.5, 1), 25), strict=True)]  # fmt: skip
    regulons = pd.DataFrame(rows, columns=["source", "target", "weight"])
    change = {g: float(v) for g, v in zip(GENES, rng.normal(0, 1, 400), strict=True)}
    ours = activities(change, regulons)
    scores, p = decoupler.mt.ulm(pd.DataFrame([change], index=["s"]), regulons, tmin=5, verbose=False)
    assert ours["activity"].to_numpy() == pytest.approx(scores.loc["s", ours.index].to_numpy(), rel=1e-6)
    assert ours["q"].to_numpy() == pytest.approx(p.loc["s", ours.index].to_numpy(), rel=1e-5)


@pytest.fixture(scope="module")
def found() -> Explanation:
    network = SignedNetwork.of(
        "n", [("T", "A<b>", 1), ("A<b>", "C", -1), ("T", "B", -1), ("B", "D", 1), ("D", "E", 1), ("A<b>", "E", -1)]
    )
    changes = [("A<b>", -2.0, 0.2), ("C", 1.0, 0.2), ("B", 0.0, 0.2), ("E", 1.2, 0.2)]
    return explain(network, {"T": -1}, changes, perturbation="drug", context="A&B", draws=19, penalty=0.1)


def test_the_svg_is_whole_and_carries_no_markup_of_names(found: Explanation) -> None:
    text = svg(found)
    root = ET.fromstring(text)
    words = [t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "A<b>" in words and "A&amp;B" in text and "<b>" not in text
    assert any("−2.00 log2 ✓" in w for w in words)
    boxes = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("rx") == "10"]
    assert len(boxes) == len(layout(found).boxes) >= 5


def test_boxes_do_not_overlap_and_lie_on_the_page(found: Explanation) -> None:
    plan = layout(found)
    for i, one in enumerate(plan.boxes):
        assert WIDTH / 2 <= one.x <= plan.width - WIDTH / 2 and HEIGHT / 2 <= one.y <= plan.height - HEIGHT / 2
        for two in plan.boxes[i + 1 :]:
            assert abs(one.x - two.x) >= WIDTH or abs(one.y - two.y) >= HEIGHT


def test_the_png_is_drawn(found: Explanation, tmp_path: Path) -> None:
    png(found, tmp_path / "c.png", dpi=60)
    assert (tmp_path / "c.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_an_explanation_round_trips_as_json(found: Explanation) -> None:
    assert Explanation.model_validate_json(found.model_dump_json()) == found

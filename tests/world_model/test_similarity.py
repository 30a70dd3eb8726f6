"""The user's own embedding or graph of perturbations: recovered structure, fallback, save and load, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from cytocrux.world_model import similarity
from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.conditioncell import ConditionCell
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.network import SignedNetwork
from cytocrux.world_model.similarity import DIFFUSION, similarity_tables

Array = NDArray[np.float64]
GENES, READOUTS = 60, 6


def screen(seed: int = 0, contexts: int = 2) -> tuple[ConditionTable, pd.DataFrame, Array]:
    """Conditions whose changes are linear in a hidden embedding, that embedding, and the noiseless changes."""
    rng = np.random.default_rng(seed)
    names = [f"g{i:02d}" for i in range(GENES)]
    hidden = pd.DataFrame(rng.normal(size=(GENES, 4)), index=names, columns=list("abcd"))
    rows = [(f"c{c}", g) for c in range(contexts) for g in names]
    clean = hidden.loc[[g for _, g in rows]].to_numpy() @ rng.normal(size=(4, READOUTS))
    conditions = pd.DataFrame(rows, columns=["context", "perturbation"]).assign(kind="knockout")
    delta = clean + 0.3 * rng.normal(size=clean.shape)
    wells = tuple((f"w{i}",) for i in range(len(rows)))
    readouts = tuple(f"r{j}" for j in range(READOUTS))
    table = ConditionTable(conditions, delta, np.full(delta.shape, 0.3), np.full(delta.shape, 3), readouts, wells)
    return table, hidden, clean


def error(cell: VirtualCell, table: ConditionTable, clean: Array, held: NDArray[np.bool_]) -> float:
    told = cell.predict(table.conditions[held])
    return float(np.mean((told.mean - clean[held]) ** 2) / np.mean(clean[held] ** 2))


def test_an_embedding_places_new_perturbations_and_noise_does_not() -> None:
    table, hidden, clean = screen()
    held = table.conditions["perturbation"].isin(hidden.index[:12]).to_numpy()
    train = table.subset(~held)
    shuffled = pd.DataFrame(np.random.default_rng(1).permutation(hidden), index=hidden.index)
    plain = error(VirtualCell.fit(train), table, clean, held)
    good = error(VirtualCell.fit(train, perturbation_features={"mine": hidden}), table, clean, held)
    wrong = error(VirtualCell.fit(train, perturbation_features={"mine": shuffled}), table, clean, held)
    both = VirtualCell.fit(train, perturbation_features={"junk": shuffled, "mine": hidden})
    assert good < 0.3 * plain
    assert wrong > 0.8 * plain and wrong < 1.15 * plain  # shrunk to what is known without it
    assert error(both, table, clean, held) < 0.45 * plain
    assert isinstance(both.engine, ConditionCell)
    weight = both.engine.parameters["train mean"]["perturbation"]
    assert weight[2] > weight[1]  # the real embedding outweighs the shuffled one


def test_a_graph_places_new_perturbations() -> None:
    """Changes smooth over two cliques joined by negative edges: opposite effects."""
    rng = np.random.default_rng(2)
    names = [f"g{i:02d}" for i in range(GENES)]
    side = np.where(np.arange(GENES) < GENES // 2, 1.0, -1.0)
    clean = side[:, None] * rng.normal(size=(1, READOUTS))
    conditions = pd.DataFrame({"context": "c", "perturbation": names, "kind": "knockout"})
    delta = clean + 0.3 * rng.normal(size=clean.shape)
    table = ConditionTable(
        conditions, delta, np.full(delta.shape, 0.3), np.full(delta.shape, 3),
        tuple(f"r{j}" for j in range(READOUTS)), tuple((f"w{i}",) for i in range(GENES)),
    )  # fmt: skip
    held = np.isin(np.arange(GENES), [0, 3, 31, 45, 59])
    edges = np.array([(i, j) for i in range(GENES) for j in range(i) if rng.random() < 0.2])
    network = SignedNetwork.of("n", [(names[i], names[j], 1 if side[i] == side[j] else -1) for i, j in edges])
    square = pd.DataFrame(np.zeros((GENES, GENES)), index=names, columns=names)
    for i, j in edges:
        square.iloc[i, j] = square.iloc[j, i] = side[i] * side[j]
    for graph in (network, square):
        cell = VirtualCell.fit(table.subset(~held), perturbation_features={"graph": graph})
        assert error(cell, table, clean, held) < 0.2


def test_the_graph_kernel_is_the_exponential_of_the_laplacian(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    a = np.triu((rng.random((30, 30)) < 0.2) * rng.choice([-1.0, 1.0], (30, 30)), 1)
    a += a.T
    names = [f"n{i}" for i in range(30)]
    rows = similarity_tables({"g": pd.DataFrame(a, index=names, columns=names)})["g"]
    scale = np.diag(1 / np.sqrt(np.abs(a).sum(axis=1)))
    want = expm(-DIFFUSION * (np.eye(30) - scale @ a @ scale))
    np.testing.assert_allclose(rows.to_numpy() @ rows.to_numpy().T, want, atol=1e-10)
    monkeypatch.setattr(similarity, "DENSE_NODES", 10)
    monkeypatch.setattr(similarity, "LEADING", 29)
    most = similarity_tables({"g": pd.DataFrame(a, index=names, columns=names)})["g"].to_numpy()
    np.testing.assert_allclose(most @ most.T, want, atol=0.03)  # all but the least of the spectrum


def test_a_similarity_is_used_as_it_is() -> None:
    likeness = pd.DataFrame([[1.0, 0.5], [0.5, 1.0]], index=["a", "b"], columns=["a", "b"])
    rows = similarity_tables({"s": likeness})["s"].to_numpy()
    np.testing.assert_allclose(rows @ rows.T, likeness)


def test_what_the_features_lack_is_said_and_survives_save_load_update(tmp_path: Path) -> None:
    table, hidden, _ = screen()
    held = table.conditions["perturbation"].isin(hidden.index[:12]).to_numpy()
    known = hidden.drop(index=["g00", "g01"])
    cell = VirtualCell.fit(table.subset(~held), perturbation_features={"mine": known, "other": hidden.iloc[:, :1]})
    asked = pd.DataFrame({"context": "c0", "perturbation": ["g00", "g02", "g30", "g00+g30", "nobody"]})
    told = cell.predict(asked)
    assert ["(nothing in mine)" in b for b in told.base] == [True, False, False, True, False]
    assert told.base[4].endswith("(nothing in mine, other)")
    assert told.abstain.tolist() == [False, False, False, False, True]  # ``other`` knows g00
    assert told.in_domain[0] < told.in_domain[1]
    cell.save(tmp_path / "cell")
    back = VirtualCell.load(tmp_path / "cell")
    np.testing.assert_allclose(back.predict(asked).mean, told.mean, atol=1e-9)
    assert back.predict(asked).base == told.base
    taught = back.update(table.subset(np.flatnonzero(held)[:1]))
    assert "nothing in" not in taught.predict(asked).base[0]  # measured now
    other = VirtualCell.fit(table.subset(~held), perturbation_features={"mine": hidden})
    assert other.version != cell.version


def test_features_that_cannot_be_used_are_refused() -> None:
    def refused(frame: pd.DataFrame, match: str) -> None:
        with pytest.raises(BadInput, match=match):
            similarity_tables({"mine": frame})

    refused(pd.DataFrame([[1.0], [2.0]], index=["a", "a"]), "'a' twice")
    refused(pd.DataFrame([[1.0], [np.nan]], index=["a", "b"]), "missing or infinite")
    refused(pd.DataFrame([["x"], ["y"]], index=["a", "b"]), "not all numbers")
    refused(pd.DataFrame(), "empty")
    refused(pd.DataFrame([[0.0, 1.0], [0.0, 0.0]], index=["a", "b"], columns=["a", "b"]), "not symmetric")
    refused(pd.DataFrame([[0.0, 1.0], [1.0, 2.0]], index=["a", "b"], columns=["a", "b"]), "neither zero nor positive")
    with pytest.raises(BadInput, match="compound classes"):
        similarity_tables({"class": pd.DataFrame([[1.0]], index=["a"])})
    with pytest.raises(BadInput, match="no edges"):
        similarity_tables({"net": SignedNetwork.of("n", [])})

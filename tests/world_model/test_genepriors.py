"""Prior features of genes: likeness recovered from sets, files read and refused, the same numbers every time."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.errors import BadInput, DataUnavailable
from cytocrux.world_model.genepriors import FILES, coexpression, embedding, gene_priors, gene_sets, regulon_sets


def blocks() -> dict[str, frozenset[str]]:
    """Thirty sets drawn from three groups of twelve genes."""
    rng = np.random.default_rng(0)
    groups = [[f"{letter}{i}" for i in range(12)] for letter in "ABC"]
    return {f"set {k}": frozenset(rng.choice(groups[k % 3], 6, replace=False)) for k in range(30)}


def likeness(frame: pd.DataFrame, a: str, b: str) -> float:
    x, y = frame.loc[a].to_numpy(), frame.loc[b].to_numpy()
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def test_genes_of_one_group_are_alike() -> None:
    frame = embedding(blocks(), components=3)
    assert likeness(frame, "A0", "A5") > 0.9 > 0.1 > abs(likeness(frame, "A0", "B5"))
    assert frame.equals(embedding(blocks(), components=3))


def test_sets_too_small_or_too_large_say_nothing() -> None:
    with pytest.raises(BadInput, match="useful size"):
        embedding({"pair": frozenset({"A", "B"}), "all": frozenset(f"g{i}" for i in range(900))})


def test_coexpression_finds_modules() -> None:
    rng = np.random.default_rng(1)
    states = rng.normal(size=(80, 2))
    values = np.repeat(states, 5, axis=1) + 0.2 * rng.normal(size=(80, 10))
    frame = coexpression(pd.DataFrame(values, columns=[f"g{i}" for i in range(10)]).assign(flat=1.0), components=2)
    assert "flat" not in frame.index
    assert likeness(frame, "g0", "g4") > 0.9 > 0.3 > abs(likeness(frame, "g0", "g9"))


def test_files_are_read_or_refused(tmp_path: Path) -> None:
    text = "S1\tabout\tA\tB\tC\nS2\tabout\tC\tD\t\n"
    (tmp_path / "plain.gmt").write_text(text)
    (tmp_path / "packed.gmt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("plain.gmt", "packed.gmt.gz"):
        assert gene_sets(tmp_path / name) == {"S1": frozenset("ABC"), "S2": frozenset("CD")}
    (tmp_path / "empty.gmt").write_text("no tabs here\n")
    with pytest.raises(BadInput, match="no gene sets"):
        gene_sets(tmp_path / "empty.gmt")
    (tmp_path / "r.csv").write_text("source,target,weight\nF,A,1\nF,B,-1\nF,C,1\n")
    assert regulon_sets(tmp_path / "r.csv") == {"F up": frozenset("FAC"), "F down": frozenset("FB")}
    (tmp_path / "bad.csv").write_text("source,target\nF,A\n")
    with pytest.raises(BadInput, match="weight"):
        regulon_sets(tmp_path / "bad.csv")
    with pytest.raises(DataUnavailable, match="leave this prior out"):
        gene_priors(tmp_path, ["GO"])
    with pytest.raises(BadInput, match="No prior is called"):
        gene_priors(tmp_path, ["go"])


@pytest.mark.kit
def test_real_priors_place_kinases_of_one_cascade_together(kit: Path) -> None:
    priors = gene_priors(kit / "priors")
    assert set(priors) == set(FILES)
    go, pathways = priors["GO"], priors["pathways"]
    for frame in (go, pathways):
        assert isinstance(frame, pd.DataFrame)
        assert likeness(frame, "MAP2K3", "MAP2K6") > likeness(frame, "MAP2K3", "KLF1") + 0.2

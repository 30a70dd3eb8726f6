"""Peers by files: nothing held out is handed over, answers are read back, failures and absences are said."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cytocrux.evals import gene_bench, predict_peers
from cytocrux.evals.gene_halves import full_depth, half_deltas
from cytocrux.evals.gene_plain import all_scores, plain_methods
from cytocrux.evals.gene_splits import gene_split
from cytocrux.evals.peers import install
from cytocrux.evals.peers.biolord_fit import jaccard, vectors
from cytocrux.evals.peers.exchange import ORACLE, VARIABLE, Peer, fit, home, python_of, training_cells
from cytocrux.evals.peers.gears_fit import graph, label, terms_by_gene
from cytocrux.evals.peers.oracle import worst_difference
from cytocrux.world_model.cell import VirtualCell
from cytocrux.world_model.data.conditions import ConditionTable
from cytocrux.world_model.errors import BadInput, CytocruxError
from cytocrux.world_model.network import SignedNetwork
from cytocrux.world_model.rows import parts

NAMES = ["A", "B", "C", "D", "E", "F", "A+B", "C+D", "E+X", "B+F"]
PEER = """
import json, sys
from pathlib import Path
import anndata, numpy as np, pandas as pd
folder = Path(sys.argv[1])
cells, job = anndata.read_h5ad(folder / "cells.h5ad"), json.loads((folder / "job.json").read_text())
names = cells.obs["perturbation"].astype(str)
assert (folder / "go.gmt").read_text().startswith("GO:1")
mean = np.asarray(cells.X[(names != "control").to_numpy()].mean(axis=0)).ravel()
known = [p for p in job["asked"] if p != "F"]
told = pd.DataFrame([mean + len(p) for p in known], known, cells.var_names)
told.to_csv(folder / "predicted.csv")
log = {"fit_s": 2.0, "predict_s": 0.5, "asked": len(told), "epochs": job["epochs"], "curve": [2.0, 1.0]}
log["unknown"] = ["F"]
runs = folder / "runs"
runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
(folder / "log.json").write_text(json.dumps(log))
"""


def cells(seed: int = 0) -> anndata.AnnData:
    rng = np.random.default_rng(seed)
    labels = np.repeat(["control", *NAMES], 12)
    X = sparse.csr_matrix(rng.poisson(1.0, size=(len(labels), 8)).astype(np.float32))
    obs = pd.DataFrame(
        {"perturbation": labels, "context": "K", "secret": labels}, index=[f"c{i}" for i in range(len(labels))]
    )
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"g{j}" for j in range(8)]))


@pytest.fixture
def peer(tmp_path: Path) -> tuple[Peer, Path, Path]:
    """A peer that is a script run by this Python, its folder, and a GMT file."""
    (tmp_path / "peer.py").write_text(PEER)
    python = tmp_path / "home" / "fake" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (python.parent.parent / "pyvenv.cfg").write_text(Path(sys.prefix, "pyvenv.cfg").read_text())
    (python.parent.parent / "lib").symlink_to(Path(sys.prefix, "lib"))
    (tmp_path / "go.gmt").write_text("GO:1\tx\tA\tB\nGO:2\tx\tA\tC\n")
    return Peer("fake", str(tmp_path / "peer.py"), ("nothing",), 3, "nobody"), tmp_path / "home", tmp_path / "go.gmt"


def test_splits_leave_nothing_of_the_held_out_genes_in_training() -> None:
    for seed in range(20):
        split = gene_split(NAMES, seed, held=2)
        taught = {g for name in split.train for g in parts(name)}
        assert not taught & set(split.unseen) and not set(split.train) & set(split.asked)
        assert all(set(parts(p)) <= set(split.train) for p in split.pairs)
        assert split == gene_split(NAMES[::-1], seed, held=2)
    assert len({gene_split(NAMES, seed, held=2).unseen for seed in range(20)}) > 5


def test_no_test_cell_reaches_a_peer(peer: tuple[Peer, Path, Path]) -> None:
    fake, folder, go = peer
    split = gene_split(NAMES, 1, held=2)
    given = training_cells(cells(), split.train)
    assert set(given.obs["perturbation"]) == {"control", *split.train} and list(given.obs) == [
        "perturbation",
        "context",
    ]
    outcome = fit(fake, folder, cells(), split.train, split.asked, go, 1)
    assert outcome.delta.shape == (len(split.asked), 8) and outcome.curve == (2.0, 1.0)
    missing = np.isnan(outcome.delta).all(axis=1)
    assert [n for n, m in zip(split.asked, missing, strict=True) if m] == [n for n in split.asked if n == "F"]
    again = fit(fake, folder, cells(), split.train, split.asked, go, 1)
    assert np.array_equal(outcome.delta, again.delta, equal_nan=True)
    (job,) = (folder / "jobs").iterdir()
    assert (job / "runs").read_text() == "x"  # made once
    fit(fake, folder, cells(1), split.train, split.asked, go, 1)
    assert len(list((folder / "jobs").iterdir())) == 2  # other cells, another fit


def test_a_failing_or_absent_peer_is_said(peer: tuple[Peer, Path, Path], tmp_path: Path) -> None:
    fake, folder, go = peer
    (tmp_path / "peer.py").write_text("raise ValueError('the reason')")
    with pytest.raises(CytocruxError, match="the reason"):
        fit(fake, folder, cells(), ["A"], ["B"], go, 0)
    with pytest.raises(BadInput, match="not installed"):
        fit(Peer("other", "x.py", (), 1, ""), folder, cells(), ["A"], ["B"], go, 0)


def test_without_environments_the_suite_says_how_to_make_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert home() is None
    results = predict_peers.run(data_dir=tmp_path)
    assert [r.name for r in results] == ["peer_gears", "peer_biolord"]
    assert all(r.value is None and "peers.install" in r.note for r in results)


def test_install_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert install.main([]) == 2 and install.main([str(tmp_path), "scgpt"]) == 2
    assert "No peer is called 'scgpt'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_live_cell_eval_agrees() -> None:
    folder = home()
    python = None if folder is None else python_of(ORACLE, folder)
    if python is None:
        pytest.skip(f"cell-eval is not installed in a folder that {VARIABLE} names")
    rng, data = np.random.default_rng(5), cells()
    data.X = sparse.csr_matrix(np.abs(rng.normal(1.0, 0.3, size=data.shape)) + 0.25)
    asked = ["B", "A+B", "A", "E+X", "C"]
    assert worst_difference(python, data, asked, rng.normal(0, 0.5, size=(5, 8))) < 1e-6


def test_halves_share_no_cell_and_no_control() -> None:
    data = cells()
    X = np.zeros((len(data), len(data)))
    np.fill_diagonal(X, 1.0)  # every cell is its own readout
    first, second = half_deltas(X, data.obs["perturbation"], ["A", "A+B"], seed=3)
    used = [np.flatnonzero(np.abs(half).sum(axis=0)) for half in (first, second)]
    assert not set(used[0]) & set(used[1]) and len(used[0]) == len(used[1]) == 3 * 6
    assert full_depth(0.5) == pytest.approx(2 / 3)


def test_halves_of_pure_noise_do_not_agree_and_of_signal_do() -> None:
    rng, labels = np.random.default_rng(0), pd.Series(np.repeat(["control", "A"], 100))
    noise = rng.normal(size=(200, 300))
    signal = noise + 2.0 * rng.normal(size=300) * (labels == "A").to_numpy()[:, None]
    agreement = [np.corrcoef(*(h[0] for h in half_deltas(X, labels, ["A"], 0)))[0, 1] for X in (noise, signal)]
    assert abs(agreement[0]) < 0.2 and agreement[1] > 0.95


def test_plain_methods_read_training_conditions_only() -> None:
    rng = np.random.default_rng(2)
    conditions = pd.DataFrame(
        {"context": "K", "perturbation": NAMES, "kind": "activation", "dose": np.nan, "time_h": np.nan, "batch": ""}
    )
    table = ConditionTable(conditions, rng.normal(size=(10, 5)), np.ones((10, 5)), np.ones((10, 5), dtype=int),
                           tuple("vwxyz"), tuple((n,) for n in NAMES))  # fmt: skip
    split = gene_split(NAMES, 0, held=2)
    embedding = pd.DataFrame(rng.normal(size=(6, 2)), index=list("ABCDEF"))
    told = plain_methods(table, None, split.train, split.asked, embedding)
    delta = table.delta.copy()
    delta[[NAMES.index(n) for n in NAMES if n not in split.train]] = 1e9
    other = plain_methods(ConditionTable(conditions, delta, table.se, table.n_wells, table.readouts, table.wells),
                          None, split.train, split.asked, embedding)  # fmt: skip
    assert all(np.array_equal(told[name], other[name]) for name in told)
    pairs = plain_methods(table, None, split.train, split.pairs, embedding)
    first = split.pairs[0]
    assert np.allclose(pairs["additive"][0], sum(table.delta[NAMES.index(p)] for p in parts(first)))
    scores = all_scores(told["context mean"], table, split.asked, split.train)
    assert scores["centred_pearson"] == 0.0 and scores["weighted_r2"] <= 0.0
    truth = np.stack([table.delta[NAMES.index(n)] for n in split.asked])
    perfect = all_scores(truth, table, split.asked, split.train)
    assert perfect["discrimination"] == 1.0 and perfect["weighted_r2"] == pytest.approx(1.0) and perfect["wmse"] == 0.0


def test_the_cell_is_fitted_on_training_conditions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, n = np.random.default_rng(4), len(NAMES)
    conditions = pd.DataFrame(
        {"context": "K562", "perturbation": NAMES, "kind": "activation", "dose": np.nan, "time_h": np.nan, "batch": ""}
    )
    table = ConditionTable(conditions, rng.normal(size=(n, 6)), np.full((n, 6), 0.1), np.full((n, 6), 3),
                           tuple("uvwxyz"), tuple((f"well of {name}",) for name in NAMES))  # fmt: skip
    data = gene_bench.GeneData(table, table.subset(np.arange(2)), cells(), {}, Path("none"))
    split = gene_split(NAMES, 3, held=2)
    seen: list[ConditionTable] = []
    fit_cell = VirtualCell.fit

    def watched(table: ConditionTable, **options: object) -> VirtualCell:
        seen.append(table)
        return fit_cell(table, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(VirtualCell, "fit", watched)
    told, spread = gene_bench.cell_says(data, split)
    assert told["cell"].shape == spread.shape == (len(split.asked), 6)
    for taught in seen:
        assert set(taught.conditions["perturbation"]) == set(split.train)
        assert {w for row in taught.wells for w in row} == {f"well of {name}" for name in split.train}


def test_shuffled_priors_keep_everything_but_the_names() -> None:
    genes = [f"g{i}" for i in range(20)]
    frame = pd.DataFrame(np.arange(40.0).reshape(20, 2), index=genes)
    network = SignedNetwork.of("n", [(a, b, 1) for a, b in pairwise(genes)])
    found = gene_bench.shuffled({"f": frame, "n": network}, 1)
    other, wires = found["f"], found["n"]
    assert isinstance(other, pd.DataFrame) and isinstance(wires, SignedNetwork)
    assert np.array_equal(other.to_numpy(), frame.to_numpy()) and sorted(other.index) == sorted(frame.index)
    assert list(other.index) != list(frame.index) and wires.nodes == network.nodes
    assert {e.key for e in wires.edges} != {e.key for e in network.edges} and len(wires.edges) == 19


def test_what_the_peers_are_told_of_genes(tmp_path: Path) -> None:
    (tmp_path / "go.gmt").write_text("T1\tx\tA\tB\nT2\tx\tA\tB\tC\nT3\tx\tC\n")
    terms = terms_by_gene(tmp_path / "go.gmt")
    assert terms["A"] == {"T1", "T2"} and [label(n) for n in ("control", "A", "A+B")] == ["ctrl", "A+ctrl", "A+B"]
    edges = graph(["A", "B", "C"], terms, pd).set_index(["source", "target"])["importance"]
    assert edges["A", "B"] == 1.0 and edges["A", "C"] == pytest.approx(1 / 3)
    likeness = jaccard(["A", "C", "Z"], terms)
    assert likeness[0, 1] == pytest.approx(1 / 3) and likeness[2].tolist() == [0, 0, 1]
    assert np.allclose(vectors(["control", "A+C"], ["A", "C", "Z"], likeness), [[0, 0, 0], [4 / 3, 4 / 3, 0]])

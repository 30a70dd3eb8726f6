"""The linear baseline: it recovers a linear truth, follows its formula, and falls back on the mean."""

from __future__ import annotations

import numpy as np
import pytest

from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.linear import LinearModel


def made(seed: int = 0) -> tuple[list[str], np.ndarray, list[str], dict[str, np.ndarray]]:
    """40 perturbations whose changes are linear in a 3-dimensional embedding, over 60 genes."""
    rng = np.random.default_rng(seed)
    names = [f"P{i}" for i in range(40)]
    rows = {n: rng.normal(size=3) for n in names}
    loads, base = rng.normal(size=(60, 3)), rng.normal(size=60)
    delta = base + np.stack([loads @ rows[n] for n in names]) + 0.01 * rng.normal(size=(40, 60))
    return names, delta, [f"g{i}" for i in range(60)], rows


def test_it_recovers_a_linear_truth_for_genes_it_has_not_seen() -> None:
    names, delta, genes, rows = made()
    model = LinearModel.fit(names[:30], delta[:30], genes, rows, components=3, ridge=1e-3)
    told, truth = model.predict(names[30:]), delta[30:]
    assert np.corrcoef((told - model.mean).ravel(), (truth - model.mean).ravel())[0, 1] > 0.95
    shuffled = dict(zip(rows, [rows[n] for n in np.random.default_rng(1).permutation(names)], strict=True))
    other = LinearModel.fit(names[:30], delta[:30], genes, shuffled, components=3, ridge=1e-3)
    assert abs(np.corrcoef((other.predict(names[30:]) - model.mean).ravel(), (truth - model.mean).ravel())[0, 1]) < 0.5


def test_the_formula() -> None:
    names, delta, genes, rows = made(2)
    model = LinearModel.fit(names, delta, genes, rows, components=4, ridge=0.1)
    y = (delta - delta.mean(axis=0)).T
    u, s, _ = np.linalg.svd(y, full_matrices=False)
    g, p = u[:, :4] * s[:4], np.stack([rows[n] for n in names])
    w = np.linalg.solve(g.T @ g + 0.1 * np.eye(4), g.T @ y @ p) @ np.linalg.inv(p.T @ p + 0.1 * np.eye(3))
    assert np.allclose(model.predict(["P3"])[0], delta.mean(axis=0) + g @ w @ rows["P3"])
    both = model.predict(["P3+P4"])[0] - model.mean
    assert np.allclose(both, (model.predict(["P3"]) + model.predict(["P4"]))[0] - 2 * model.mean)


def test_published_embedding_is_the_perturbed_genes_own_row() -> None:
    _, delta, genes, _ = made(3)
    named = genes[:40]  # perturbations of genes that are read out
    model = LinearModel.fit(named, delta, genes, components=3)
    assert set(model.embedding) == set(genes)
    assert not np.allclose(model.predict([genes[50]])[0], model.mean)


def test_unknown_genes_get_the_mean_and_nothing_known_is_refused() -> None:
    names, delta, genes, rows = made()
    delta[0, 5] = np.nan
    model = LinearModel.fit(names, delta, genes, rows)
    assert np.allclose(model.predict(["new"])[0], np.nanmean(delta, axis=0))
    with pytest.raises(BadInput, match="nothing to learn from"):
        LinearModel.fit(names, delta, genes, {"elsewhere": np.ones(3)})

"""The kernel mix: the textbook's Gaussian process, the informative kernel found, the unknown left alone."""

from __future__ import annotations

import numpy as np
import pytest

from cytocrux.world_model.kernelmix import JITTER, KernelMix, PoolKernels, best_weights


def pool(n: int = 60, seed: int = 0) -> PoolKernels:
    rng = np.random.default_rng(seed)
    block = rng.normal(size=(n, 8))
    block /= np.linalg.norm(block, axis=1, keepdims=True)
    block[:3] = 0.0
    return PoolKernels({"a": block}, {"x": rng.normal(size=n)}, length=0.5)


def test_mean_and_sd_are_those_of_the_textbook() -> None:
    kernels, rng = pool(), np.random.default_rng(1)
    rows = rng.permutation(60)[:20]
    kernels.add(rows[:8])
    kernels.add(rows[8:])
    y = rng.normal(size=20)
    mix = KernelMix(kernels).fit(y)
    w = np.exp(mix.log_weights)
    full = w[0] * kernels.between("x", np.arange(60)) + w[1] * kernels.between("a", np.arange(60))
    full = full.astype(float)
    gram = full[np.ix_(rows, rows)] + (w[2] + JITTER) * np.eye(20)
    assert mix.mean() == pytest.approx(full[:, rows] @ np.linalg.solve(gram, y), abs=1e-4)
    left = np.diag(full) - np.einsum("ij,ji->i", full[:, rows], np.linalg.solve(gram, full[rows]))
    assert mix.sd() == pytest.approx(np.sqrt(np.maximum(left, 1e-9) * mix.variance), abs=2e-3)


def test_pull_adds_up_to_the_prediction() -> None:
    kernels = pool()
    kernels.add(np.arange(10, 30))
    mix = KernelMix(kernels).fit(np.random.default_rng(2).normal(size=20))
    assert mix.pull(40).sum() == pytest.approx(mix.mean()[40], abs=1e-5)


def test_the_kernel_that_made_the_data_gets_the_weight() -> None:
    rng = np.random.default_rng(3)
    grams = []
    for _ in range(3):
        z = rng.normal(size=(150, 10))
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        grams.append(np.exp((z @ z.T - 1.0) / 0.5))
    y = np.linalg.cholesky(grams[1] + 1e-6 * np.eye(150)) @ rng.normal(size=150) + 0.3 * rng.normal(size=150)
    weights = np.exp(best_weights(grams, (y - y.mean()) / y.std()))
    assert weights[1] > 5 * max(weights[0], weights[2])


def test_best_weights_is_a_minimum() -> None:
    """Any small step away from the found weights lowers the posterior: the gradient is right."""
    from scipy.stats import norm

    rng = np.random.default_rng(4)
    z = rng.normal(size=(40, 3))
    gram, y = z @ z.T, rng.normal(size=40)
    y = z[:, 0] + y
    y /= y.std()

    def posterior(log_w: np.ndarray) -> float:
        s = np.exp(log_w[0]) * gram + (np.exp(log_w[1]) + JITTER) * np.eye(40)
        fit = -0.5 * y @ np.linalg.solve(s, y) - 0.5 * np.linalg.slogdet(s)[1]
        return float(fit + norm.logpdf(log_w[0], np.log(0.1), 1.5) + norm.logpdf(log_w[1], np.log(0.8), 0.5))

    found = best_weights([gram], y)
    for step in np.vstack([np.eye(2), -np.eye(2)]) * 0.05:
        assert posterior(found + step) < posterior(found)


def test_what_nothing_is_known_of_is_like_nothing() -> None:
    kernels = pool()
    assert not kernels.between("a", np.array([0, 5]))[:, 0].any()
    assert kernels.diagonal("a")[:3].tolist() == [0.0, 0.0, 0.0]
    assert kernels.diagonal("a")[5] == pytest.approx(float(kernels.between("a", np.array([5]))[5, 0]), abs=1e-5)

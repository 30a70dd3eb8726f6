"""The linear model that deep predictors of perturbed expression have to beat (Ahlmann-Eltze, Huber and Anders 2025,
"Deep-learning-based gene perturbation effect prediction does not yet outperform simple linear baselines",
doi:10.1038/s41592-025-02772-6).

    Y ~ G W P' + b 1',   W = (G'G + l I)^-1 G' (Y - b 1') P (P'P + l I)^-1

Y: (genes, conditions) training changes; b: (genes,) their mean over conditions; G: (genes, K) gene embedding, here the
leading principal components of Y - b 1'; P: (conditions, L) perturbation embedding, the row of the perturbed gene in G
(as published) or in an embedding from elsewhere (GO, a network). A combination's row is the sum of its genes' rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .errors import BadInput
from .rows import Array, parts

COMPONENTS, RIDGE = 10, 0.1


@dataclass(frozen=True)
class LinearModel:
    """mean: (genes,) b; weights: (genes, L) G W; embedding: perturbed gene -> (L,) row."""

    mean: Array
    weights: Array
    embedding: Mapping[str, Array]

    @classmethod
    def fit(
        cls,
        perturbations: Sequence[str],
        delta: Array,
        genes: Sequence[str],
        embedding: Mapping[str, Array] | None = None,
        *,
        components: int = COMPONENTS,
        ridge: float = RIDGE,
    ) -> LinearModel:
        """delta: (n, genes) changes of the n training ``perturbations`` ("A" or "A+B"), NaN = not measured.

        embedding: perturbed gene -> row, all of one length; None: the row of that readout in G. Conditions with a gene
        that has no row are left out of W, not of b. Raises BadInput where no training perturbation has a row.
        """
        seen = np.isfinite(delta)
        mean = np.where(seen, delta, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        centred = np.where(seen, delta - mean, 0.0).T  # (genes, n)
        k = max(1, min(components, *(s - 1 for s in centred.shape)))
        left, size, _ = np.linalg.svd(centred, full_matrices=False)
        g = left[:, :k] * size[:k]  # (genes, k) scores of the genes
        rows = dict(embedding) if embedding is not None else {gene: g[i] for i, gene in enumerate(genes)}
        known = [i for i, p in enumerate(perturbations) if all(m in rows for m in parts(p))]
        if not known:
            raise BadInput(
                "The linear model has nothing to learn from",
                why="no training perturbation has a row in the embedding",
                cure="Give an embedding that knows the perturbed genes",
            )
        p = np.stack([np.sum([rows[m] for m in parts(perturbations[i])], axis=0) for i in known])  # (n known, L)
        w = _ridge(g, ridge) @ g.T @ centred[:, known] @ p @ _ridge(p, ridge)  # (k, L)
        return cls(mean, g @ w, rows)

    def predict(self, perturbations: Sequence[str]) -> Array:
        """(n, genes) changes; the training mean where a gene has no row."""
        out = np.tile(self.mean, (len(perturbations), 1))
        for i, name in enumerate(perturbations):
            if all(m in self.embedding for m in parts(name)):
                out[i] += self.weights @ np.sum([self.embedding[m] for m in parts(name)], axis=0)
        return out


def _ridge(x: Array, penalty: float) -> Array:
    """(x'x + penalty I)^-1."""
    return np.asarray(np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1])), dtype=np.float64)

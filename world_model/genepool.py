"""Features of the genes of a pool from prior knowledge alone: sets, networks, names, expression across lines.

Each block is (N, d) with rows of length one, or zero where nothing is known of a gene; the product of two rows is
the likeness of two genes in that respect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .genesets import GeneFacts, GeneSets, present_symbol
from .numeric import Numbers

SET_DIMENSIONS, NETWORK_DIMENSIONS, NAME_DIMENSIONS, EXPRESSION_DIMENSIONS = 256, 128, 128, 100
SPECTRUM_SHIFT = 1.05  # eigenvectors of the normalised adjacency enter with variance 1 / (shift - eigenvalue)


@dataclass(frozen=True)
class PoolFeatures:
    """names: the N members as the pool spells them; blocks: name -> (N, d) float32; studied: (N,) log1p of the number
    of sets a member is in (how much is written about it)."""

    names: tuple[str, ...]
    blocks: Mapping[str, Numbers]
    studied: Numbers

    def take(self, rows: Sequence[int] | Numbers) -> PoolFeatures:
        """The same features for some members, in the order of ``rows``."""
        index = np.asarray(rows, dtype=np.intp)
        blocks = {name: block[index] for name, block in self.blocks.items()}
        return PoolFeatures(tuple(self.names[i] for i in index), blocks, self.studied[index])


@dataclass(frozen=True)
class GeneAtlas:
    """Blocks over every gene that anything is written about; pools take their rows from it. Built once."""

    genes: tuple[str, ...]
    blocks: Mapping[str, Numbers]
    member: object  # sparse (genes, sets)
    sets: GeneSets

    @classmethod
    def build(cls, facts: GeneFacts, *, seed: int = 0) -> GeneAtlas:
        """Truncated SVD of the weighted set matrix and of the names' tf-idf, spectrum of the network, expression PCA.

        Deterministic for a seed; about 20 s for the public files.
        """
        import scipy.sparse as sp

        genes = tuple(sorted({*facts.sets.genes, *facts.titles, *facts.expressed}))
        at = {g: i for i, g in enumerate(genes)}
        rows = np.array([at[g] for g in facts.sets.genes], dtype=np.intp)
        place = sp.csr_matrix(
            (np.ones(len(rows), np.float32), (rows, np.arange(len(rows)))), shape=(len(genes), len(rows))
        )
        member = (place @ facts.sets.member).tocsr()
        blocks = {"sets": _set_block(member, facts.sets.weight, seed)}
        if facts.edges:
            blocks["network"] = _network_block(facts.edges, at, seed)
        if facts.titles:
            blocks["name"] = _name_block([facts.titles.get(g, "") for g in genes], seed)
        if facts.expression is not None:
            blocks["expression"] = _expression_block(facts.expression, facts.expressed, at)
        return cls(genes, {name: unit_rows(block) for name, block in blocks.items()}, member, facts.sets)

    def rows_of(self, names: Sequence[str]) -> Numbers:
        """(N,) row of each pool member, -1 where the atlas does not know it under any of its names."""
        at = {g: i for i, g in enumerate(self.genes)}
        found = (present_symbol(name, at) for name in names)
        return np.array([-1 if symbol is None else at[symbol] for symbol in found], dtype=np.intp)

    def pool(self, names: Sequence[str]) -> PoolFeatures:
        """Features of these genes; all zero for a gene that nothing is known of."""
        rows = self.rows_of(names)
        known = (rows >= 0)[:, None]
        blocks = {name: np.where(known, block[rows], np.float32(0.0)) for name, block in self.blocks.items()}
        count = np.asarray(self.member.sum(axis=1)).ravel()  # type: ignore[attr-defined]
        return PoolFeatures(tuple(names), blocks, np.log1p(np.where(rows >= 0, count[rows], 0.0)))


def unit_rows(block: Numbers) -> Numbers:
    """Rows scaled to length one (float32); rows of next to no length become zero."""
    length = np.linalg.norm(block, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-4, block / np.maximum(length, 1e-4), 0.0), dtype=np.float32)


def _svd(matrix: object, dimensions: int, seed: int) -> Numbers:
    from sklearn.utils.extmath import randomized_svd

    k = max(1, min(dimensions, *(s - 1 for s in matrix.shape)))  # type: ignore[attr-defined]
    left, values, _ = randomized_svd(matrix, k, random_state=seed)
    return np.asarray(left * values)


def _set_block(member: object, weight: Numbers, seed: int) -> Numbers:
    import scipy.sparse as sp

    weighted = (member @ sp.diags(weight.astype(np.float32))).tocsr()
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return _svd(sp.diags((1.0 / np.maximum(length, 1e-9)).astype(np.float32)) @ weighted, SET_DIMENSIONS, seed)


def _network_block(edges: Sequence[tuple[str, str]], at: Mapping[str, int], seed: int) -> Numbers:
    """Leading eigenvectors of D^-1/2 A D^-1/2, the diffusion kernel's features (Smola and Kondor 2003)."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import eigsh

    inside = np.array([(at[a], at[b]) for a, b in edges if a in at and b in at], dtype=np.intp).reshape(-1, 2)
    nodes, local = np.unique(inside, return_inverse=True)
    pairs = local.reshape(-1, 2)
    out = np.zeros((len(at), NETWORK_DIMENSIONS), np.float32)
    k = min(NETWORK_DIMENSIONS, len(nodes) - 2)
    if k < 1:
        return out
    n = len(nodes)
    adjacency = sp.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    adjacency = adjacency + adjacency.T
    adjacency.data[:] = 1.0
    root = sp.diags(1.0 / np.sqrt(np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1.0)))
    start = np.random.default_rng(seed).normal(size=n)
    values, vectors = eigsh(root @ adjacency @ root, k=k, which="LA", v0=start)
    out[nodes, :k] = vectors * np.sqrt(1.0 / (SPECTRUM_SHIFT - np.minimum(values, 1.0)))
    return out


def _name_block(titles: Sequence[str], seed: int) -> Numbers:
    """tf-idf of one and two words of the full names ("mitochondrial ribosomal protein L 1")."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = [re.sub(r"(\d+)", r" \1", title).lower() for title in titles]
    letters = r"[a-z]{3,}"
    table = TfidfVectorizer(token_pattern=letters, ngram_range=(1, 2), min_df=3, sublinear_tf=True)
    try:
        return _svd(table.fit_transform(words), NAME_DIMENSIONS, seed)
    except ValueError:  # no word occurs three times
        return np.zeros((len(titles), 1), np.float32)


def _expression_block(expression: Numbers, expressed: Sequence[str], at: Mapping[str, int]) -> Numbers:
    """Principal components of the genes' profiles over lines, each line's mean taken off."""
    x = np.nan_to_num((expression - np.nanmean(expression, axis=0)) / np.maximum(np.nanstd(expression, axis=0), 1e-9))
    x -= x.mean(axis=1, keepdims=True)
    _, values, loadings = np.linalg.svd(x, full_matrices=False)
    k = min(EXPRESSION_DIMENSIONS, len(values))
    out = np.zeros((len(at), k), np.float32)
    for j, gene in enumerate(expressed):
        out[at[gene]] = loadings[:k, j] * values[:k]
    return out

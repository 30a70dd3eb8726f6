"""What is known of genes before any is perturbed: embeddings from gene sets, regulons, networks and co-expression.

Each is a frame of genes x components for ``VirtualCell.fit(perturbation_features=…)``. Gene sets: the genes x sets
matrix with each membership weighted by log(N / size of the set) (rare sets tell more), rows of length one, cut to its
leading singular vectors (latent semantic analysis; Deerwester et al. 1990). A gene that no set names is not in the
frame, so the cell falls back on its other features and says so. Deterministic: start vectors are seeded.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import BadInput, DataUnavailable

if TYPE_CHECKING:
    import pandas as pd

    from .network import SignedNetwork

COMPONENTS, SMALLEST, LARGEST = 50, 3, 500  # sets of more genes say little, of fewer link nothing
FILES = {
    "GO": "go_human.gmt.gz", "pathways": "c2.cp.v7.5.1.symbols.gmt", "regulons": "collectri_human.csv",
    "network": "omnipath_carnival.tsv",
}  # fmt: skip


def gene_priors(folder: Path, names: Iterable[str] = tuple(FILES)) -> dict[str, pd.DataFrame | SignedNetwork]:
    """The prior features found in ``folder`` by name (of ``FILES``).

    Raises DataUnavailable for a file that is missing, BadInput for a name that is not in ``FILES``.
    """
    found: dict[str, pd.DataFrame | SignedNetwork] = {}
    for name in names:
        if name not in FILES:
            raise BadInput(f"No prior is called {name!r}", cure=f"One of: {', '.join(FILES)}")
        path = folder / FILES[name]
        if not path.is_file():
            raise DataUnavailable(f"{path} is not there", cure="Put the file there or leave this prior out")
        if name == "regulons":
            found[name] = embedding(regulon_sets(path))
        elif name == "network":
            found[name] = signed_network(path)
        else:
            found[name] = embedding(gene_sets(path))
    return found


def gene_sets(path: Path) -> dict[str, frozenset[str]]:
    """Sets of a GMT file (name, description, genes…; tab-separated), gzipped or not. Raises BadInput without any."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line.strip()]
    sets = {row[0]: frozenset(g.strip() for g in row[2:] if g.strip()) for row in rows if len(row) > 2}
    if not sets:
        raise BadInput(f"{path.name} holds no gene sets", why="no line has a name, a description and genes")
    return sets


def regulon_sets(path: Path) -> dict[str, frozenset[str]]:
    """From edges source, target, weight: the targets of each factor (up and down apart), and each gene's regulators.

    The factors themselves are in their own set, so that a factor is placed beside what it regulates.
    """
    import pandas as pd

    edges = pd.read_csv(path)
    missing = {"source", "target", "weight"} - set(edges.columns)
    if missing:
        raise BadInput(f"{path.name} lacks the column {sorted(missing)[0]!r}")
    sets: dict[str, set[str]] = {}
    columns = (edges["source"].astype(str), edges["target"].astype(str), edges["weight"].astype(float))
    for source, target, weight in zip(*columns, strict=True):
        sets.setdefault(f"{source} {'up' if weight > 0 else 'down'}", {source}).add(target)
    return {name: frozenset(genes) for name, genes in sets.items()}


def signed_network(path: Path) -> SignedNetwork:
    """From a tab-separated table source, interaction (1 or -1), target."""
    import pandas as pd

    from .network import SignedNetwork

    edges = pd.read_csv(path, sep="\t")
    missing = {"source", "interaction", "target"} - set(edges.columns)
    if missing:
        raise BadInput(f"{path.name} lacks the column {sorted(missing)[0]!r}")
    edges = edges[edges["interaction"].isin((1, -1))]
    rows = zip(edges["source"].astype(str), edges["target"].astype(str), edges["interaction"], strict=True)
    return SignedNetwork.of(path.stem, ((s, t, 1 if sign > 0 else -1) for s, t, sign in rows))


def embedding(sets: Mapping[str, frozenset[str]], components: int = COMPONENTS) -> pd.DataFrame:
    """genes x components of the weighted membership matrix. Raises BadInput where no set is of a useful size."""
    import pandas as pd
    from scipy import sparse
    from scipy.sparse.linalg import svds

    used = {n: s for n, s in sorted(sets.items()) if SMALLEST <= len(s) <= LARGEST}
    if not used:
        raise BadInput("No gene set is of a useful size", why=f"each has under {SMALLEST} or over {LARGEST} genes")
    genes = sorted({g for s in used.values() for g in s})
    at = {g: i for i, g in enumerate(genes)}
    rows = [at[g] for s in used.values() for g in sorted(s)]
    columns = [j for j, s in enumerate(used.values()) for _ in s]
    rare = np.log(len(genes) / np.array([len(s) for s in used.values()]))
    matrix = sparse.csr_matrix((rare[columns], (rows, columns)), shape=(len(genes), len(used)))
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix = sparse.diags(1.0 / np.where(length > 0, length, 1.0)) @ matrix
    k = min(components, min(matrix.shape) - 1)
    if k < 1:
        return pd.DataFrame(matrix.toarray(), index=genes)
    start = np.random.default_rng(0).normal(size=min(matrix.shape))
    left, size, _ = svds(matrix, k=k, v0=start)
    order = np.argsort(size)[::-1]
    left, size = left[:, order], size[order]
    sign = np.sign(left[np.abs(left).argmax(axis=0), np.arange(k)])
    return pd.DataFrame(left * size * sign, index=genes, columns=[f"component {i + 1}" for i in range(k)])


def coexpression(expression: pd.DataFrame, components: int = COMPONENTS) -> pd.DataFrame:
    """genes x components of how genes vary together over ``expression`` (samples x genes), each gene standardised.

    Constant genes and genes with missing values are left out.
    """
    import pandas as pd

    values = expression.to_numpy(np.float64)
    keep = np.isfinite(values).all(axis=0) & (values.std(axis=0) > 1e-9)
    z = (values[:, keep] - values[:, keep].mean(axis=0)) / values[:, keep].std(axis=0)
    k = max(1, min(components, *(s - 1 for s in z.shape)))
    _, size, right = np.linalg.svd(z / np.sqrt(len(z)), full_matrices=False)
    right = right[:k]
    sign = np.sign(right[np.arange(k), np.abs(right).argmax(axis=1)])
    names = [str(g) for g in expression.columns[keep]]
    return pd.DataFrame((right * sign[:, None]).T * size[:k], index=names)

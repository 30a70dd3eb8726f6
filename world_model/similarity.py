"""The user's own knowledge of perturbations as feature rows whose products are similarities.

An embedding is compared by cosine; a graph by diffusion over it. The diffusion kernel exp(-t L) of Kondor and Lafferty
2002 over the normalised signed Laplacian of Kunegis 2010 (doi:10.1137/1.9781611972801.49),

    L = I - D^-1/2 A D^-1/2,  D = diag(sum_j |A_ij|),

whose spectrum lies in [0, 2] also where edges are negative: an inhibitor's effect is the opposite of its target's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .errors import BadInput
from .network import SignedNetwork

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from .rows import Array

DIFFUSION = 2.0  # t: how far likeness spreads over a graph
DENSE_NODES, LEADING = 2000, 256  # beyond so many nodes only the leading eigenvectors are kept
RESERVED = "class"


def similarity_tables(given: Mapping[str, pd.DataFrame | SignedNetwork]) -> dict[str, pd.DataFrame]:
    """name -> one row a perturbation (or graph node), such that products of rows are its similarity.

    A square symmetric frame with equal names on both sides is an adjacency where its diagonal is zero and a similarity
    (used as it is) where it is positive; any other frame is an embedding. Raises BadInput for names given twice,
    values missing or not finite, or a table without rows or columns.
    """
    out = {}
    for name, table in given.items():
        if name == RESERVED:
            raise BadInput(f"{name!r} is the name of the compound classes", cure="Call the features something else")
        out[name] = _network(name, table) if isinstance(table, SignedNetwork) else _frame(name, table)
    return out


def _frame(name: str, table: pd.DataFrame) -> pd.DataFrame:
    index = [str(i) for i in table.index]
    what = f"The perturbation features {name!r}"
    if not table.size:
        raise BadInput(f"{what} are empty", cure="One row a perturbation, one column a feature")
    if len(set(index)) < len(index):
        twice = next(i for i in index if index.count(i) > 1)
        raise BadInput(f"{what} hold {twice!r} twice", cure="One row a perturbation")
    try:
        values = table.to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{what} are not all numbers", why=str(error)) from error
    if not np.isfinite(values).all():
        raise BadInput(f"{what} have missing or infinite values", cure="Leave out the rows you do not know")
    if index == [str(c) for c in table.columns]:
        if not np.allclose(values, values.T):
            raise BadInput(f"{what} are square but not symmetric", cure="Give a directed graph as a SignedNetwork")
        diagonal = np.diag(values)
        if (diagonal > 0).all():
            return pd.DataFrame(_root(values), index=index)
        if (diagonal == 0).all():
            from scipy.sparse import csr_matrix

            return _diffusion(csr_matrix(values), index)
        raise BadInput(f"{what} have a diagonal neither zero nor positive", cure="Zero for a graph, ones for likeness")
    members = bool(np.isin(values, (0.0, 1.0)).all())  # memberships are compared as they are
    centred = values if members else values - values.mean(axis=0)
    return pd.DataFrame(centred, index=index, columns=[str(c) for c in table.columns])


def _network(name: str, network: SignedNetwork) -> pd.DataFrame:
    """Direction left aside: each pair of nodes counts the sum of its signs."""
    from scipy.sparse import coo_matrix

    nodes = list(network.nodes)
    if not nodes:
        raise BadInput(f"The network {name!r} has no edges")
    at = {node: i for i, node in enumerate(nodes)}
    edges = [(at[e.source], at[e.target], float(e.sign)) for e in network.edges if e.source != e.target]
    rows, columns, signs = (list(v) for v in zip(*edges, strict=True)) if edges else ([], [], [])
    one = coo_matrix((signs, (rows, columns)), shape=(len(nodes), len(nodes))).tocsr()
    return _diffusion((one + one.T).sign().tocsr(), nodes)


def _diffusion(adjacency: csr_matrix, nodes: list[str]) -> pd.DataFrame:
    """Rows u_i exp(-t lambda_i / 2), so that their products are exp(-t L) (its leading part for a large graph)."""
    from scipy.sparse import diags
    from scipy.sparse.linalg import eigsh

    degree = np.asarray(abs(adjacency).sum(axis=1)).ravel()
    scale = diags(np.where(degree > 0, 1.0 / np.sqrt(np.maximum(degree, 1e-300)), 0.0))
    spread = scale @ adjacency @ scale  # I - L
    if len(nodes) <= DENSE_NODES:
        power, vectors = np.linalg.eigh(spread.toarray())
    else:  # a fixed start vector: the same numbers each time
        start = np.random.default_rng(0).normal(size=len(nodes))
        power, vectors = eigsh(spread, k=LEADING, which="LA", v0=start)
    rows = vectors * np.exp(-DIFFUSION * (1.0 - power) / 2)
    told = np.linalg.norm(rows, axis=1) > 1e-6  # a node that no kept eigenvector reaches is left out
    return pd.DataFrame(rows[told], index=np.array(nodes, dtype=object)[told])


def _root(similarity: Array) -> Array:
    """Rows whose products are the similarity; what is not positive semi-definite in it is dropped."""
    power, vectors = np.linalg.eigh((similarity + similarity.T) / 2)
    keep = power > 1e-10 * max(float(power.max()), 1e-300)
    return np.asarray(vectors[:, keep] * np.sqrt(power[keep]), dtype=np.float64)

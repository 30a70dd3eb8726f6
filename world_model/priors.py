"""What is known before any perturbation: features of contexts and of perturbations, any of them missing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .rows import Array, Codes, parts
from .similarity import RESERVED, similarity_tables

if TYPE_CHECKING:
    from .network import SignedNetwork
    from .vocabulary import Context

FEATURES_OF_CONTEXT = ("expression", "mutation")  # tables a ``Context`` can bring values for


@dataclass(frozen=True)
class ContextEncoder:
    """Principal components of one feature table over contexts (probabilistic PCA; Tipping and Bishop 1999).

    variables: g names; mean: (g,); loadings: (g, k), direction x sd of its score; noise: residual variance of one
    variable; names: the n contexts of the table; scores: (n, k), unit variance over these contexts.
    """

    variables: tuple[str, ...]
    mean: Array
    loadings: Array
    noise: float
    names: tuple[str, ...]
    scores: Array

    @classmethod
    def fit(cls, table: pd.DataFrame, k: int = 50) -> ContextEncoder:
        """table: contexts x variables; NaN counts as the variable's mean; constant variables are left out."""
        values = table.to_numpy(np.float64)
        seen = np.isfinite(values)
        mean = np.where(seen, values, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        centred = np.where(seen, values - mean, 0.0)
        keep = (centred**2).sum(axis=0) > 1e-12
        centred, mean = centred[:, keep], mean[keep]
        n, g = centred.shape
        k = max(0, min(k, n - 1, g))
        power, vectors = np.linalg.eigh(centred @ centred.T / max(n, 1))  # (n, n), however many variables
        order = np.argsort(power)[::-1][:k]
        power, vectors = np.maximum(power[order], 0.0), vectors[:, order]
        loadings = centred.T @ vectors / np.sqrt(max(n, 1))
        left = (float((centred**2).sum()) / max(n, 1) - float(power.sum())) / max(g, 1)
        variables = tuple(str(v) for v in table.columns[keep])
        return cls(variables, mean, loadings, max(left, 1e-6), tuple(map(str, table.index)), vectors * np.sqrt(n))

    def encode(self, values: Mapping[str, float]) -> tuple[Array, Array]:
        """Posterior mean (k,) and covariance (k, k) of the scores given the variables at hand; prior N(0, I).

        s | x ~ N(A W'(x - mu), noise A), A = (W'W + noise I)^-1 over the measured variables.
        """
        index = [i for i, v in enumerate(self.variables) if np.isfinite(values.get(v, np.nan))]
        k = self.loadings.shape[1]
        if not index or k == 0:
            return np.zeros(k), np.eye(k)
        w = self.loadings[index]
        x = np.array([values[self.variables[i]] for i in index]) - self.mean[index]
        a = np.linalg.inv(w.T @ w + self.noise * np.eye(k))
        return np.asarray(a @ w.T @ x), np.asarray(self.noise * a, dtype=np.float64)


@dataclass(frozen=True)
class Priors:
    """Names known to the cell and their features.

    encoders: feature table name -> encoder; described: context -> table name -> (k,) scores of a context that came
    with its own features (a patient); tables: name -> perturbation features, one row a single perturbation.
    """

    contexts: tuple[str, ...]
    perturbations: tuple[str, ...]
    encoders: dict[str, ContextEncoder]
    described: dict[str, dict[str, Array]]
    tables: dict[str, pd.DataFrame]

    @classmethod
    def build(
        cls,
        conditions: pd.DataFrame,
        context_features: Mapping[str, pd.DataFrame],
        compound_classes: Mapping[str, str],
        components: int,
        perturbation_features: Mapping[str, pd.DataFrame | SignedNetwork] | None = None,
    ) -> Priors:
        """From the training conditions. Only contexts of the training data shape the principal components.

        Raises BadInput for perturbation features that cannot be used (see ``similarity_tables``).
        """
        contexts = tuple(sorted(set(conditions["context"])))
        perturbations = single_names(conditions["perturbation"])
        encoders = {}
        for name, table in sorted(context_features.items()):
            used = table[table.index.isin(contexts)]
            if len(used) >= 3:
                encoders[name] = ContextEncoder.fit(used, components)
        outside = {
            str(c): {name: enc.encode(_values(context_features[name], str(c)))[0] for name, enc in encoders.items()
                     if c in context_features[name].index}
            for name in encoders for c in context_features[name].index if c not in contexts
        }  # fmt: skip
        tables = {RESERVED: class_table(compound_classes)} if compound_classes else {}
        tables |= similarity_tables(perturbation_features or {})
        return cls(contexts, perturbations, encoders, outside, tables)

    def knowing(self, conditions: pd.DataFrame) -> Priors:
        """With the names of further conditions appended."""
        contexts = tuple(c for c in sorted(set(conditions["context"])) if c not in self.contexts)
        more = tuple(p for p in single_names(conditions["perturbation"]) if p not in self.perturbations)
        return replace(self, contexts=self.contexts + contexts, perturbations=self.perturbations + more)

    def describing(self, context: Context) -> Priors:
        """With the features that ``context`` brings along (a patient's partial profile)."""
        given = {"expression": context.expression, "mutation": {k: float(v) for k, v in context.mutations.items()}}
        scores = {
            name: self.encoders[name].encode(given[name])[0]
            for name in FEATURES_OF_CONTEXT
            if name in self.encoders and given[name]
        }
        return replace(self, described={**self.described, context.name: scores})

    def hashes(self) -> list[str]:
        """One hash a table of perturbation features, so that cells with other features have other names."""
        return [
            hashlib.sha256(
                "|".join([name, *map(str, t.index)]).encode() + np.round(t.to_numpy(np.float64), 9).tobytes()
            ).hexdigest()
            for name, t in self.tables.items()
        ]

    def unplaced(self, perturbation: str) -> list[str]:
        """Feature tables the user brought that lack a member of ``perturbation`` which was never measured."""
        new = [p for p in parts(perturbation) if p not in self._place_of]
        return [n for n in self.tables if n != RESERVED and any(p not in self._rows_of[n] for p in new)]

    def unheard(self, perturbation: str) -> str:
        """The first member that was never measured and stands in no table; empty where there is none."""
        for name in parts(perturbation):
            if name not in self._place_of and not any(name in rows for rows in self._rows_of.values()):
                return name
        return ""

    def context_codes(self, names: Sequence[str]) -> Codes:
        """Place of each name among the known contexts, -1 = unknown."""
        known = {name: i for i, name in enumerate(self.contexts)}
        return np.array([known.get(name, -1) for name in names], dtype=np.intp)

    def member_codes(self, members: Sequence[tuple[str, ...]]) -> Codes:
        """(n, most members) places among the known perturbations; -1 = unknown, or padding."""
        out = np.full((len(members), max([1, *map(len, members)])), -1, dtype=np.intp)
        for row, names in enumerate(members):
            out[row, : len(names)] = [self._place_of.get(name, -1) for name in names]
        return out

    @cached_property
    def _place_of(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.perturbations)}

    @cached_property
    def _rows_of(self) -> dict[str, dict[str, int]]:
        return {name: {str(p): i for i, p in enumerate(table.index)} for name, table in self.tables.items()}

    def context_blocks(self, names: Sequence[str]) -> list[Array]:
        """One (n, k) block a feature table, rows of mean squared length one; zero rows where a context has none."""
        blocks = []
        for name, encoder in self.encoders.items():
            index = {c: i for i, c in enumerate(encoder.names)}
            k = encoder.scores.shape[1]
            block = np.zeros((len(names), k))
            for row, context in enumerate(names):
                if context in index:
                    block[row] = encoder.scores[index[context]]
                elif name in self.described.get(context, {}):
                    block[row] = self.described[context][name]
            power = (encoder.loadings**2).sum(axis=0)  # leading components count for as much as they vary
            blocks.append(block * np.sqrt(power / max(float(power.sum()), 1e-12)))
        return blocks

    def perturbation_blocks(self, members: Sequence[tuple[str, ...]]) -> list[Array]:
        """One (n, f) block a table: the members' feature rows summed, length one; zero rows where unknown."""
        blocks = []
        for name, table in self.tables.items():
            index, values = self._rows_of[name], table.to_numpy(np.float64)
            block = np.zeros((len(members), values.shape[1]))
            for row, names in enumerate(members):
                if names and all(n in index for n in names):
                    block[row] = values[[index[n] for n in names]].sum(axis=0)
            blocks.append(normalised(block))
        return blocks


def _values(table: pd.DataFrame, context: str) -> dict[str, float]:
    row = table.loc[context]
    return dict(zip(map(str, table.columns), row.to_numpy(np.float64), strict=True))


def single_names(perturbations: Iterable[str]) -> tuple[str, ...]:
    """Sorted names of all members of the given perturbations."""
    return tuple(sorted({m for p in set(perturbations) for m in parts(str(p))}))


def class_table(classes: Mapping[str, str]) -> pd.DataFrame:
    """One-hot of mechanism classes, one row a perturbation."""
    names = sorted(classes)
    kinds = sorted(set(classes.values()))
    out = np.zeros((len(names), len(kinds)))
    for i, name in enumerate(names):
        out[i, kinds.index(classes[name])] = 1.0
    return pd.DataFrame(out, index=names, columns=kinds)


def multi_hot(members: Sequence[tuple[str, ...]], known: Sequence[str]) -> Array:
    """(n, known) counts of names; a name not known gets no column (it is like nothing)."""
    index = {name: i for i, name in enumerate(known)}
    out = np.zeros((len(members), len(known)))
    for row, names in enumerate(members):
        for name in names:
            if name in index:
                out[row, index[name]] += 1.0
    return out


def normalised(block: Array) -> Array:
    """Rows scaled to length one; zero rows stay zero."""
    length = np.linalg.norm(block, axis=1, keepdims=True)
    out: Array = block / np.where(length > 0, length, 1.0)
    return out

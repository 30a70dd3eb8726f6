"""From a question's words to genes: concepts of cell biology, the gene sets they name, the genes in those sets.

``facts/concepts.csv`` is general vocabulary, written by hand without any screen at hand: what a word of the question
means (triggers), which set names belong to it (sets), what it implies (a cytokine is made by a cell type, a cell
type is switched on through its receptors). A gene's prior is what the sets it lies in are worth to the question.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from .genepool import GeneAtlas
from .genesets import GeneSets, plain_name
from .numeric import Numbers

TABLE = Path(__file__).parent / "facts" / "concepts.csv"
FADES = 0.8  # each step away from the question's own words
LEAST = 0.15  # a concept worth less is left out
STUDIED = 5.0  # sets: a gene's sum is divided by sqrt(this + number of its sets)
COMMON_WORDS = frozenset(
    "identify genes gene that which when upon using change changes level levels measured measurement screen cell "
    "cells human protein proteins likely strongly affect select from with into their presence knocked knockout "
    "knockouts knockdown knockdowns score private regulate regulates regulation regulator regulators would".split()
)


@dataclass(frozen=True)
class Concept:
    """triggers: matched in a question; sets: matched in the plain names of gene sets; implies: concept -> weight."""

    name: str
    triggers: re.Pattern[str]
    sets: re.Pattern[str]
    implies: Mapping[str, float]


@dataclass(frozen=True)
class TextPrior:
    """What a question says about a pool of N genes.

    concepts: concept -> weight in (0, 1]; relevance: (S,) worth of each gene set; score: (N,) worth of each gene,
    0 for a gene in no relevant set; reasons: for a row, its most telling relevant sets (``why``).
    """

    concepts: Mapping[str, float]
    relevance: Numbers
    score: Numbers
    atlas: GeneAtlas
    rows: Numbers

    def why(self, i: int, most: int = 3) -> tuple[str, ...]:
        """Plain names of the relevant sets that raised gene i, strongest first."""
        row = int(self.rows[i])
        if row < 0:
            return ()
        columns = self.atlas.member[row].indices  # type: ignore[index]
        worth = (self.relevance * self.atlas.sets.weight)[columns]
        order = np.argsort(-worth, kind="stable")[:most]
        return tuple(plain_name(self.atlas.sets.names[columns[j]]) for j in order if worth[j] > 0)


@lru_cache(maxsize=1)
def concepts() -> Mapping[str, Concept]:
    """The vocabulary, by name. An implied concept that is not in the table is an error of the table."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    known = {row["concept"] for row in rows}
    found = {}
    for row in rows:
        implied = (part.split(":") for part in row["implies"].split(";") if part)
        weights = {name: float(weight) for name, weight in implied}
        if not weights.keys() <= known:
            raise ValueError(f"{row['concept']} implies unknown concepts {sorted(weights.keys() - known)}")
        triggers = re.compile(rf"(?<![a-z0-9])(?:{row['triggers']})(?![a-z0-9])")
        found[row["concept"]] = Concept(row["concept"], triggers, re.compile(row["sets"]), weights)
    return found


def concepts_in(question: str) -> dict[str, float]:
    """Concepts the question's words name (weight 1) and what these imply (less with each step)."""
    known, text = concepts(), question.lower()
    weights = {name: 1.0 for name, concept in known.items() if concept.triggers.search(text)}
    queue = list(weights)
    while queue:
        name = queue.pop()
        for implied, weight in known[name].implies.items():
            value = weights[name] * weight * FADES
            if value > LEAST and value > weights.get(implied, 0.0) + 1e-9:
                weights[implied] = value
                queue.append(implied)
    return weights


def set_relevance(question: str, sets: GeneSets) -> tuple[dict[str, float], Numbers]:
    """(concepts, (S,) relevance): a set is worth its strongest concept, or its likeness in words to the question."""
    weights, names = concepts_in(question), _plain(sets.names)
    relevance = np.zeros(len(names))
    for name, weight in sorted(weights.items()):
        pattern = concepts()[name].sets
        hit = np.fromiter((pattern.search(n) is not None for n in names), bool, len(names))
        relevance[hit] = np.maximum(relevance[hit], weight)
    if not weights:  # nothing of the vocabulary: the bare words
        relevance = word_likeness(question, names)
    return weights, relevance


def word_likeness(question: str, names: Sequence[str]) -> Numbers:
    """(S,) tf-idf cosine between the question's telling words and each set's name."""
    words = {w for w in re.findall(r"[a-z0-9]{3,}", question.lower()) if w not in COMMON_WORDS}
    parts = [set(re.findall(r"[a-z0-9]{3,}", n)) for n in names]
    count: dict[str, int] = {}
    for part in parts:
        for word in part & words:
            count[word] = count.get(word, 0) + 1
    value = {word: np.log(len(names) / c) for word, c in count.items()}
    total = float(np.sqrt(sum(v**2 for v in value.values()))) or 1.0
    return np.array([sum(value[w] for w in part & value.keys()) / total / max(len(part), 1) ** 0.5 for part in parts])


def text_prior(question: str, names: Sequence[str], atlas: GeneAtlas) -> TextPrior:
    """Worth of each gene to the question: sum of relevance x log(20,000 / size) over its sets / sqrt(5 + sets)."""
    weights, relevance = set_relevance(question, atlas.sets)
    value = np.asarray(atlas.member @ (relevance * atlas.sets.weight)).ravel()
    count = np.asarray(atlas.member.sum(axis=1)).ravel()  # type: ignore[attr-defined]
    rows = atlas.rows_of(names)
    score = np.where(rows >= 0, (value / np.sqrt(STUDIED + count))[rows], 0.0)
    return TextPrior(weights, relevance, score, atlas, rows)


@lru_cache(maxsize=4)
def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(plain_name(n) for n in names)

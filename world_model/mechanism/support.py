"""Whether published tables have a network's edges, with which sign.

Paralogues count as their family. Tables disagree and copy from each other: the same sign in one is support, not proof;
OmniPath's copies hold one sign a pair, and some inhibitors (SOCS1, DUSP6) stand in them as activators.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from ..network import Edge
from .resources import load_network, load_regulons
from .signalling import families

CAUSAL, REGULONS = ("omnipath", "signor"), ("collectri", "dorothea")
Pair = tuple[str, str]
Signs = Mapping[Pair, frozenset[int]]
# same, opposite: what tables with a signed edge say; both: they disagree; absent: none has one; site: one has the pair,
# but signs of a site and of its protein do not compare; process: no pair of genes
Standing = Literal["same", "opposite", "both", "absent", "site", "process"]


@lru_cache(maxsize=1)
def published() -> tuple[Signs, Signs]:
    """Signs by pair: of causal networks (OmniPath, SIGNOR), and of these with regulons (CollecTRI, DoRothEA A-C).

    Raises DataUnavailable where one is not at hand.
    """
    causal = [_signs((e.source, e.target, e.sign) for e in load_network(name).edges) for name in CAUSAL]
    tables = [load_regulons(name) for name in REGULONS]
    regulons = [_signs(zip(t["source"], t["target"], np.sign(t["weight"]), strict=True)) for t in tables]
    return _merged(causal), _merged([*causal, *regulons])


def standing(edge: Edge, causal: Signs, transcription: Signs) -> Standing:
    """``edge`` beside what ``published`` gives; the regulons speak for edges of transcription alone."""
    source, target = edge.source.split(":")[0], edge.target.split(":")[0]
    if source == target or "@" in source[0] + target[0]:
        return "process"
    table = transcription if edge.kind in ("transcribes", "represses") else causal
    signs = table.get((source, target), frozenset())
    if not signs:
        return "absent"
    if ":" in edge.source + edge.target:
        return "site"
    return "both" if len(signs) == 2 else "same" if edge.sign in signs else "opposite"


def count(edges: Iterable[Edge], causal: Signs, transcription: Signs) -> dict[Standing, int]:
    """Edges by standing."""
    found = Counter(standing(e, causal, transcription) for e in edges)
    return {word: found[word] for word in get_args(Standing)}


def _signs(triples: Iterable[tuple[str, str, int]]) -> dict[Pair, int]:
    """The more frequent sign of each pair of families; a tie goes."""
    family, total = families(), Counter[Pair]()
    for source, target, sign in triples:
        total[family.get(source, source), family.get(target, target)] += int(sign)
    return {pair: 1 if votes > 0 else -1 for pair, votes in total.items() if votes}


def _merged(tables: Iterable[Mapping[Pair, int]]) -> Signs:
    found: dict[Pair, frozenset[int]] = {}
    for table in tables:
        for pair, sign in table.items():
            found[pair] = found.get(pair, frozenset()) | {sign}
    return found

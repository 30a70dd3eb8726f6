"""A semantic explanation: what changed shares a function, complex or regulon, more than chance would have it.

For a set S of the N genes measured and the n that changed, the overlap k is hypergeometric under the null that the
changed genes are drawn at random: p = P(K >= k), K ~ Hypergeometric(N, |S|, n); Benjamini-Hochberg over all sets.
Genes of one set move together without any perturbation, so p is a lenient one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from .activities import adjusted
from .evidence import CHANGED, SMALLEST
from .explain import Change
from .explanation import NOT_BETTER, ExplainedEdge, ExplainedNode, Explanation
from .resources import gene_sets, load_regulons
from .signalling import gene_of

FEWEST, MOST = 5, 500  # genes of a set among the measured ones
LEVEL = 0.05
FILES = ("h.all.v7.5.1.symbols.gmt", "c2.cp.v7.5.1.symbols.gmt", "go_human.gmt.gz")  # MSigDB; Gene Ontology


@dataclass(frozen=True)
class Enriched:
    """overlap of ``changed`` genes in a set of ``size`` measured genes."""

    name: str
    size: int
    overlap: tuple[str, ...]
    p: float
    q: float


def known_sets() -> dict[str, frozenset[str]]:
    """Functions, pathways and complexes by name, and the regulon of each factor. Raises DataUnavailable."""
    regulons = load_regulons("collectri").groupby("source")["target"]
    return gene_sets(*FILES) | {f"regulon of {factor}": frozenset(genes) for factor, genes in regulons}


def changed_genes(changes: Iterable[Change]) -> tuple[dict[str, int], frozenset[str]]:
    """(gene -> sign of its change, all genes measured) of (readout, delta, se); several readouts of one gene: the
    surest. A readout of a protein or its phosphorylation speaks for its gene, whichever way it acts."""
    surest: dict[str, tuple[float, float]] = {}
    for name, delta, se in changes:
        if math.isfinite(delta) and math.isfinite(se) and se >= 0:
            gene = gene_of(name)
            z = delta / max(se, 1e-9)
            if abs(z) >= abs(surest.get(gene, (0.0, 0.0))[0]):
                surest[gene] = (z, delta)
    moved = {g: (1 if z > 0 else -1) for g, (z, d) in surest.items() if abs(z) >= CHANGED and abs(d) >= SMALLEST}
    return moved, frozenset(surest)


def enriched(
    changed: Collection[str], measured: Collection[str], sets: Mapping[str, Collection[str]]
) -> list[Enriched]:
    """Every set with 5 to 500 measured genes, the smallest p first."""
    from scipy.stats import hypergeom

    universe = set(measured)
    hits = set(changed) & universe
    rows = []
    for name, genes in sets.items():
        members = set(genes) & universe
        if FEWEST <= len(members) <= MOST:
            overlap = tuple(sorted(members & hits))
            p = float(hypergeom.sf(len(overlap) - 1, len(universe), len(members), len(hits)))
            rows.append((name, len(members), overlap, p))
    q = adjusted([p for *_, p in rows])
    found = [Enriched(*row, q=value) for row, value in zip(rows, q, strict=True)]
    return sorted(found, key=lambda e: (e.p, e.name))


def semantic(
    perturbation: str, changed: Mapping[str, int], measured: Collection[str],
    sets: Mapping[str, Collection[str]], *, context: str = "", most: int = 5, level: float = LEVEL,
) -> Explanation:  # fmt: skip
    """changed: gene -> sign of its change. The enriched sets as an explanation; offered where one has q <= level."""
    table = enriched(changed, measured, sets)
    kept = [e for e in table if e.q <= level][:most]
    best = table[0].p if table else 1.0
    nodes = [ExplainedNode(name=perturbation, role="perturbation")]
    nodes += [
        ExplainedNode(name=e.name, role="set", layer=1, predicted=_sign(e, changed), measured=_sign(e, changed))
        for e in kept
    ]  # fmt: skip
    edges = tuple(
        ExplainedEdge(source=perturbation, target=e.name, sign=1 if _sign(e, changed) >= 0 else -1,
                      kind="activates" if _sign(e, changed) >= 0 else "inhibits",
                      reference=f"{len(e.overlap)} of {e.size} genes: {', '.join(e.overlap[:12])}; q = {e.q:.2g}")
        for e in kept
    )  # fmt: skip
    said = "; ".join(f"{e.name} ({len(e.overlap)} of {e.size} genes, q = {e.q:.2g})" for e in kept)
    least = min((e.q for e in table), default=1.0)
    nothing = f"{NOT_BETTER}: the best of {len(table)} sets has q = {least:.2g}"
    return Explanation(
        kind="semantic", perturbation=perturbation, context=context, offered=bool(kept), score=float(len(kept)),
        verdict=f"what changed shares {said}" if kept else nothing,
        p=min(best, 1.0), nodes=tuple(nodes), edges=edges, status=f"{len(table)} sets tested",
    )  # fmt: skip


def _sign(e: Enriched, changed: Mapping[str, int]) -> int:
    total = sum(changed.get(g, 0) for g in e.overlap)
    return (total > 0) - (total < 0)

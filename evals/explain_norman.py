"""CRISPRa in K562 (Norman et al. 2019): which gene was activated? Its own transcript is never looked at.

    norman_target_top5    every single and double: targets of the five other conditions whose changes are most alike,
                          by the rule of the L1000 plate, unchanged; all 31 activated genes are candidates, and their
                          transcripts are taken out of the readouts
    norman_regulon_top5   transcription factors whose regulon is measured, among all such factors: regulon activity

Controls: the other conditions' targets dealt anew (what a library that knows nothing would say), how often each gene
was activated elsewhere, and for regulons their targets dealt anew over all edges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..world_model.rows import Array
from .results import Result

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.data.conditions import ConditionTable

FEWEST, TOP, DEALS, REWIRED = 3, 5, 999, 20
Votes = Mapping[str, float]


def run() -> list[Result]:
    """Both figures. Raises DataUnavailable without the data set or the regulons."""
    from ..world_model.data import effects, load

    table = effects(load("norman"))
    return [alike(table), regulon(table)]


def conditions(table: ConditionTable) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """(conditions x genes in robust z, none of them an activated gene), and the genes each condition activates."""
    import pandas as pd

    from ..world_model.targets.signatures import robust

    here = np.flatnonzero((table.conditions["context"].astype(str).str.upper() == "K562").to_numpy())
    names = [str(table.conditions["perturbation"].iloc[i]) for i in here]
    targets = {n: tuple(n.split("+")) for n in names}
    activated = {t for pair in targets.values() for t in pair}
    read = [g for g in table.readouts if g not in activated]
    changes = pd.DataFrame(table.delta[here], index=names, columns=list(table.readouts))[read]
    return robust(changes.dropna(axis=1)), targets


def ranked(near: Mapping[str, Votes], targets: Mapping[str, Collection[str]]) -> dict[str, Votes]:
    """Condition -> gene -> votes of the conditions it is ``near`` to."""
    from ..world_model.targets.combine import nearest_vote

    return {n: nearest_vote(near[n], targets) for n in targets}


def alike(table: ConditionTable, deals: int = DEALS) -> Result:
    """Share of (condition, activated gene) pairs with the gene among the five best."""
    signatures, targets = conditions(table)
    pairs = [(name, gene) for name, genes in targets.items() for gene in genes]
    likeness = dict(zip(signatures.index, signatures.T.corr().to_numpy(), strict=True))
    near = {n: {m: float(r) for m, r in zip(signatures.index, likeness[n], strict=True) if m != n} for n in targets}
    hits = found(ranked(near, targets), pairs)
    rng, names = np.random.default_rng(0), list(targets)
    null = []
    for _ in range(deals):
        dealt = {n: targets[names[int(j)]] for n, j in zip(names, rng.permutation(len(names)), strict=True)}
        null.append(found(ranked(near, dealt), pairs).mean())
    p = float((1 + (np.array(null) >= hits.mean()).sum()) / (1 + deals))
    elsewhere = {n: Counter(t for m, g in targets.items() if m != n for t in g) for n in names}
    everywhere = Counter(g for _, g in pairs)
    popular, counted = found(elsewhere, pairs), found(dict.fromkeys(names, everywhere), pairs)
    low, high = _interval([g for _, g in pairs], hits)
    gain = _interval([g for _, g in pairs], hits - popular)
    least = _interval([g for _, g in pairs], hits - counted)
    again = [everywhere[g] > 1 for _, g in pairs]
    return Result(
        name="norman_target_top5", value=float(hits.mean()), sd=(high - low) / 3.92, n=len(pairs),
        unit="of activated genes",
        baselines={
            "targets dealt anew": float(np.mean(null)), "dealt anew, 95th percentile": float(np.quantile(null, 0.95)),
            "popularity": float(popular.mean()),
            "popularity, itself counted": float(counted.mean()),
            "activated in another condition too": float(hits[again].mean()), "95% low": low, "95% high": high,
        },
        bar="above popularity and dealt targets, 95%", passed=p < 0.05 and gain[0] > 0,
        note=f"{len(names)} conditions, {len(everywhere)} genes, their own transcripts hidden; p {p:.3f} against "
        f"dealt targets; over popularity {gain[0]:+.2f} to {gain[1]:+.2f}, over popularity that knows the asked pair "
        f"{least[0]:+.2f} to {least[1]:+.2f}; intervals by bootstrap over genes; "
        f"{sum(again)} of {len(pairs)} could be found at all",
    )  # fmt: skip


def found(
    votes: Mapping[str, Votes], pairs: Collection[tuple[str, str]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Expected 1 or 0 of each pair: a gene among the five best (ties at the edge count by their chance)."""
    hits = []
    for name, gene in pairs:
        mine = votes[name].get(gene, 0.0)
        above = sum(v > mine for v in votes[name].values())
        equal = sum(v == mine for v in votes[name].values())
        hits.append(min(1.0, max(0.0, (TOP - above) / equal)) if mine > 0 else 0.0)
    return np.array(hits)


def regulon(table: ConditionTable) -> Result:
    """Single activations of factors with a measured regulon, not read out themselves: which regulon moved?"""
    from scipy.stats import binomtest

    from ..world_model.mechanism.resources import load_regulons
    from ..world_model.targets.signatures import regulon_scores, rewired

    regulons = load_regulons("collectri")
    c = table.conditions
    size = regulons[regulons["target"].isin(table.readouts)]["source"].value_counts()
    candidates = sorted(str(s) for s in size.index[size >= FEWEST])
    asked = [(i, str(n)) for i, (n, x) in enumerate(zip(c["perturbation"], c["context"], strict=True))
             if str(x).upper() == "K562" and str(n) in candidates and str(n) not in table.readouts]  # fmt: skip
    pairs = [(n, n) for _, n in asked]
    changes = {n: dict(zip(table.readouts, table.delta[i], strict=True)) for i, n in asked}

    def share(network: pd.DataFrame) -> float:
        told = {n: regulon_scores(changes[n], network, candidates, fewest=FEWEST) for n in changes}
        return float(found(told, pairs).mean()) if pairs else float("nan")

    if not pairs:
        return Result(name="norman_regulon_top5", value=None, note="not measured: every factor is itself read out")
    ours = share(regulons)
    controls = {
        "rewired": float(np.mean([share(rewired(regulons, np.random.default_rng(k))) for k in range(REWIRED)])),
        "popularity": float(found({n: {s: float(size[s]) for s in candidates} for n in changes}, pairs).mean()),
    }
    chance = max(*controls.values(), TOP / len(candidates))
    p = float(binomtest(round(ours * len(pairs)), len(pairs), chance, alternative="greater").pvalue)
    return Result(
        name="norman_regulon_top5", value=ours, n=len(pairs), unit="of factors", baselines={**controls},
        note=f"{len(candidates)} candidate factors; {', '.join(n for _, n in asked)} alone have {FEWEST} "
        f"genes of their regulon among the 500 read out; p {p:.3f} against the better control",
    )  # fmt: skip


def _interval(groups: list[str], values: Array) -> tuple[float, float]:
    """95% of the mean, bootstrap over groups."""
    names = sorted(set(groups))
    of = np.array([names.index(g) for g in groups])
    sums, counts = np.bincount(of, values), np.bincount(of)
    draws = np.random.default_rng(0).integers(len(names), size=(4000, len(names)))
    low, high = np.quantile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)

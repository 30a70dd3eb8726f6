"""Targets of compounds by kind of evidence and combined: structure, response profile over cell lines, signature.

    gdsc_target_top5    drugs of GDSC; weights from the other drugs (folds by scaffold)
    l1000_target_top5   compounds of one A375 plate; weights from GDSC drugs that are not on it and from the other
                        compounds of the plate

The form of the combination (``world_model.targets.combine``) was chosen among eight on those GDSC drugs (.60 to .63),
not on the plate. Control: annotations dealt anew over compounds. A compound's own annotations, its copies
(Tanimoto >= .95) and its other names never vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .results import Result

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.targets.combine import Weights
    from ..world_model.targets.ligands import Library

KINDS = ("structure", "profile", "signature")
TOGETHER = (KINDS, ("structure", "profile"), ("structure", "signature"), ("profile", "signature"))
FOLDS, DRAWS, TOP = 10, 4000, 5
Evidence = dict[str, dict[str, float]]  # kind -> target -> votes


@dataclass(frozen=True)
class Compound:
    """What is known of one compound, and what others say of it; ``dealt``: the same with annotations dealt anew."""

    name: str
    group: str  # scaffold
    targets: frozenset[str]
    evidence: Evidence
    dealt: Evidence


def run(data_dir: Path, library: Library) -> list[Result]:
    """Both figures. Raises DataUnavailable without GDSC, the plate or the annotated drugs."""
    gdsc, plate = compounds(data_dir, library)
    return [figure("gdsc_target_top5", gdsc, [], KINDS[:2]), figure("l1000_target_top5", plate, gdsc, KINDS)]


def compounds(data_dir: Path, library: Library) -> tuple[list[Compound], list[Compound]]:
    """GDSC drugs with a structure that are not on the plate, and the compounds of the plate with a known target."""
    from ..world_model.targets.combine import nearest_vote
    from ..world_model.targets.signatures import l1000_signatures, vote

    signatures, near = l1000_signatures(data_dir / "l1000"), gdsc_likeness(data_dir)
    on_plate, on_gdsc = ([str(d) for d in table.index] for table in (signatures, near))
    book = _Book(library, (*on_plate, *on_gdsc))
    plate = [d for d in on_plate if book.targets[d]]
    names = {book.alias[d] for d in plate}
    usable = (d for d in on_gdsc if book.targets[d] and book.alias[d] not in names and book.row(d) is not None)
    others = sorted({book.alias[d]: d for d in usable}.values())
    at = {book.alias[d]: d for d in on_gdsc}
    dealt = dict(zip(book.targets, _dealt(list(book.targets.values()), 0), strict=True))
    library_dealt = library.dealt(0)

    def told(drug: str, targets: Mapping[str, frozenset[str]], structures: Library) -> Evidence:
        found: Evidence = {"structure": book.structure(drug, structures), "profile": {}, "signature": {}}
        if book.alias[drug] in at:
            rows = {d: t for d, t in targets.items() if d in near.index and book.alias[d] != book.alias[drug]}
            found["profile"] = nearest_vote({str(d): float(r) for d, r in near[at[book.alias[drug]]].items()}, rows)
        if drug in signatures.index:
            found["signature"] = vote(signatures, drug, {d: targets[d] for d in plate if d != drug})
        return found

    def every(drugs: Sequence[str]) -> list[Compound]:
        return [Compound(d, book.scaffold(d), book.targets[d], told(d, book.targets, library),
                         told(d, dealt, library_dealt)) for d in drugs]  # fmt: skip

    return every(others), every(plate)


def gdsc_likeness(data_dir: Path) -> pd.DataFrame:
    """drugs x drugs: correlation of residual profiles over cell lines, in GDSC2 where both are there, else in GDSC1."""
    import pandas as pd

    from ..world_model.data.gdsc import load_gdsc
    from ..world_model.targets.profiles import likeness, residual

    wells = load_gdsc(data_dir / "gdsc", data_dir).wells
    obs = wells.obs.assign(value=np.asarray(wells[:, "LN_IC50"].X).ravel())
    obs = obs[~obs["control"]]
    tables = []
    for batch in ("GDSC2", "GDSC1"):
        table = obs[obs["batch"].astype(str) == batch].pivot_table(
            index="context", columns="perturbation", values="value", observed=True
        )
        table = table.loc[:, table.notna().sum() >= 100]
        tables.append(likeness(residual(table.set_axis(list(map(str, table.columns)), axis=1))))
    drugs = sorted({str(d) for t in tables for d in t.index})
    first, second = (pd.DataFrame(t).reindex(index=drugs, columns=drugs) for t in tables)
    return first.where(first.notna(), second)


class _Book:
    """Names, targets and structures of compounds, from the embedded facts first, then from the library."""

    def __init__(self, library: Library, drugs: Sequence[str]) -> None:
        from ..world_model.compounds import facts_for

        self.at = {n.lower(): i for i, n in enumerate(library.names)}
        self.library = library
        facts = {d: facts_for(d) for d in drugs}
        self.words = {d: (d, f.name, *f.aliases) if f.known else (d,) for d, f in facts.items()}
        self.alias = {d: (f.name if f.known else d).lower() for d, f in facts.items()}
        self.targets = {d: frozenset(f.targets) or self._annotated(d) for d, f in facts.items()}

    def row(self, drug: str) -> int | None:
        return next((self.at[w.lower()] for w in self.words[drug] if w.lower() in self.at), None)

    def _annotated(self, drug: str) -> frozenset[str]:
        row = self.row(drug)
        return frozenset() if row is None else self.library.labels["target"][row]

    def scaffold(self, drug: str) -> str:
        row = self.row(drug)
        return drug if row is None else self.library.scaffolds[row]

    def structure(self, drug: str, library: Library) -> dict[str, float]:
        """Votes of the most alike; none where the structure is not known."""
        row = self.row(drug)
        return {} if row is None else library.votes(row, "target", without=self.words[drug])


def _dealt(values: Sequence[frozenset[str]], seed: int) -> list[frozenset[str]]:
    """The values that are not empty, dealt anew among themselves."""
    full = [i for i, v in enumerate(values) if v]
    dealt = list(values)
    for i, j in zip(full, np.random.default_rng(seed).permutation(full), strict=True):
        dealt[i] = values[int(j)]
    return dealt


def figure(name: str, asked: Sequence[Compound], others: Sequence[Compound], kinds: tuple[str, ...]) -> Result:
    """Share of ``asked`` with a known target among the five best; each combination learns its weights without them."""
    folds = _folds([c.group for c in asked])
    hits = {k: [_in_five(c.evidence[k], c.targets) for c in asked] for k in kinds}
    popular = Counter(t for c in (*asked, *others) for t in c.targets)  # itself counted too: the stronger baseline
    hits["popularity"] = [_in_five(popular, c.targets) for c in asked]
    learned: list[tuple[float, ...]] = []
    for together in (t for t in TOGETHER if set(t) <= set(kinds)):
        told, dealt = [False] * len(asked), [False] * len(asked)
        for fold in set(folds):
            rest = [c for c, f in zip(asked, folds, strict=True) if f != fold]
            weights = _learn([*rest, *others], together)
            if together == kinds:
                learned.append(weights.values)
            for i, c in enumerate(asked):
                if folds[i] == fold:
                    told[i] = _in_five(weights.shares(c.evidence), c.targets)
                    dealt[i] = _in_five(weights.shares(c.dealt), c.targets)
        hits["+".join(together)] = told
        if together == kinds:
            hits["all, annotations dealt anew"] = dealt
    best_part = max(kinds, key=lambda k: float(np.mean(hits[k])))
    ours = np.array(hits.pop("+".join(kinds)), dtype=float)
    gains = {k: interval(ours - np.array(hits[k], dtype=float)) for k in (best_part, "popularity",
                                                                        "all, annotations dealt anew")}  # fmt: skip
    shares = {k: float(np.mean(v)) for k, v in hits.items()}
    low, high = interval(ours)
    weights_said = ", ".join(f"{k} {w:.2f}" for k, w in zip(kinds, np.mean(learned, axis=0), strict=True))
    return Result(
        name=name, value=float(ours.mean()), sd=float(np.sqrt(ours.mean() * (1 - ours.mean()) / len(ours))),
        n=len(ours), unit="of compounds",
        baselines={**shares, **{f"{k}, 95% {end}": interval(np.array(hits[k], dtype=float))[i]
                                for k in kinds for i, end in enumerate(("low", "high"))}},
        bar="above popularity and annotations dealt anew (95%), not below its best part",
        passed=min(gains["popularity"][0], gains["all, annotations dealt anew"][0]) > 0
        and ours.mean() >= shares[best_part],
        note=f"95% {low:.2f} to {high:.2f}; "
        + "; ".join(f"over {k} {a:+.2f} to {b:+.2f}" for k, (a, b) in gains.items())
        + f"; mean weights {weights_said}; itself and its copies left out of every vote",
    )  # fmt: skip


def _learn(rows: Sequence[Compound], kinds: tuple[str, ...]) -> Weights:
    from ..world_model.targets.combine import Weights

    return Weights.learn([(c.evidence, c.targets) for c in rows], kinds)


def _folds(groups: Sequence[str]) -> list[int]:
    """Compounds of one scaffold share a fold; at most as many folds as groups."""
    names = sorted(set(groups))
    of = dict(zip(np.random.default_rng(0).permutation(names), np.arange(len(names)) % FOLDS, strict=True))
    return [int(of[g]) for g in groups]


def _in_five(votes: Mapping[str, float], known: Collection[str]) -> bool:
    """Whether a known one is among the five with the highest votes (ties in seeded random order; no vote, no place)."""
    rng = np.random.default_rng(0)
    names = [n for n in sorted(votes) if votes[n] > 0]
    order = sorted(rng.permutation(names), key=lambda n: -votes[str(n)]) if names else []
    return bool(set(known) & {str(n) for n in order[:TOP]})


def interval(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """95%, bootstrap over compounds."""
    draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)

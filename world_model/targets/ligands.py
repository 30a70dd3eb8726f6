"""What compounds of like structure are known to hit: a vote of the nearest in a library of annotated drugs.

A label (target or mechanism) scores the sum of cubed Tanimoto similarities of the K nearest library compounds that
carry it. The score becomes a probability by isotonic regression over the library itself, each compound left out with
all that share its scaffold, so that analogues of one series do not vouch for each other.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..chemistry import fingerprint, tanimoto
from ..errors import BadInput, DataUnavailable
from ..rows import Array

if TYPE_CHECKING:
    from sklearn.isotonic import IsotonicRegression

K, POWER = 5, 3
SAME = 0.95  # from this similarity on, a library compound is the query itself, a salt or a stereoisomer of it
CALIBRATED_ON = 600  # library compounds left out in turn, drawn with a seed
Label = Literal["target", "mechanism"]


@dataclass(frozen=True)
class Ranked:
    """A label with its evidence. probability: calibrated, that this label is right; because: what speaks for it."""

    label: str
    score: float
    probability: float
    because: str


@dataclass(frozen=True)
class Library:
    """Annotated drugs: names, fingerprints (n, bits), scaffolds, and labels of each kind."""

    names: tuple[str, ...]
    bits: Array
    scaffolds: tuple[str, ...]
    labels: dict[Label, tuple[frozenset[str], ...]]

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, Collection[str], Collection[str]]]) -> Library:
        """rows: (name, SMILES, targets, mechanisms). What RDKit cannot read is left out. Raises BadInput when empty."""
        from rdkit import Chem, rdBase
        from rdkit.Chem.Scaffolds import MurckoScaffold

        kept = []
        with rdBase.BlockLogs():
            for name, smiles, targets, mechanisms in rows:
                molecule = Chem.MolFromSmiles(_largest(smiles))
                if molecule is None or molecule.GetNumHeavyAtoms() < 5:
                    continue
                core = MurckoScaffold.MurckoScaffoldSmiles(mol=molecule)  # type: ignore[no-untyped-call]
                kept.append((name, fingerprint(molecule), core or name, frozenset(targets), frozenset(mechanisms)))
        if not kept:
            raise BadInput("The library is empty", why="no compound of it has a structure that can be read")
        names, bits, cores, targets_, mechanisms_ = zip(*kept, strict=True)
        return cls(names, np.stack(bits), cores, {"target": targets_, "mechanism": mechanisms_})

    def rank(self, smiles: str, kind: Label = "mechanism", *, without: Collection[str] = ()) -> list[Ranked]:
        """Labels by score, best first. Compounds of ``without``, and near copies of the query, do not vote.

        Raises BadInput where ``smiles`` cannot be read.
        """
        from rdkit import Chem

        molecule = Chem.MolFromSmiles(_largest(smiles))
        if molecule is None:
            raise BadInput(f"{smiles!r} is not a molecule", why="RDKit cannot read it as SMILES")
        near = tanimoto(fingerprint(molecule)[None], self.bits)[0]
        left_out = {name.lower() for name in without}
        near = np.where([n.lower() in left_out for n in self.names], 0.0, near)
        votes, voters = self._vote(np.where(near >= SAME, 0.0, near), kind)
        chance = self._calibration(kind).predict(list(votes.values())) if votes else []
        told = [
            Ranked(label, score, float(p), "like " + ", ".join(f"{n} ({s:.2f})" for n, s in voters[label][:3]))
            for (label, score), p in zip(votes.items(), chance, strict=True)
        ]
        return sorted(told, key=lambda r: (-r.score, r.label))

    def votes(self, row: int, kind: Label, *, without: Collection[str] = ()) -> dict[str, float]:
        """Label -> score for a compound of the library itself; it, its copies and ``without`` do not vote."""
        near = tanimoto(self.bits[row][None], self.bits)[0]
        left_out = {name.lower() for name in without}
        off = np.array([n.lower() in left_out for n in self.names]) | (near >= SAME)
        return self._vote(np.where(off, 0.0, near), kind)[0]

    def dealt(self, seed: int) -> Library:
        """A control: the same compounds, each kind of label dealt anew over those that carry any."""
        rng = np.random.default_rng(seed)
        labels: dict[Label, tuple[frozenset[str], ...]] = {}
        for kind, given in self.labels.items():
            full = [i for i, held in enumerate(given) if held]
            moved = dict(zip(full, (given[int(i)] for i in rng.permutation(full)), strict=True))
            labels[kind] = tuple(moved.get(i, frozenset()) for i in range(len(given)))
        return replace(self, labels=labels)

    def _vote(self, near: Array, kind: Label) -> tuple[dict[str, float], dict[str, list[tuple[str, float]]]]:
        """Over the K most alike that carry a label of this kind."""
        known = np.array([bool(labels) for labels in self.labels[kind]])
        order = np.argsort(-np.where(known, near, -1.0), kind="stable")[:K]
        votes: dict[str, float] = {}
        voters: dict[str, list[tuple[str, float]]] = {}
        for i in (int(j) for j in order if near[j] > 0):
            for label in self.labels[kind][i]:
                votes[label] = votes.get(label, 0.0) + float(near[i]) ** POWER
                voters.setdefault(label, []).append((self.names[i], float(near[i])))
        return votes, voters

    def left_out(self, kind: Label, most: int, seed: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Index and votes of library compounds, each without all compounds of its scaffold (seeded order)."""
        known = [i for i, labels in enumerate(self.labels[kind]) if labels]
        cores = np.array(self.scaffolds)
        for i in np.random.default_rng(seed).permutation(known)[:most]:
            near = tanimoto(self.bits[i][None], self.bits)[0]
            near = np.where((cores == cores[i]) | (near >= SAME), 0.0, near)
            yield int(i), self._vote(near, kind)[0]

    def _calibration(self, kind: Label) -> IsotonicRegression:
        if kind not in self._curves:
            from sklearn.isotonic import IsotonicRegression

            scores, right = [], []
            for i, votes in self.left_out(kind, CALIBRATED_ON, 0):
                for label, score in votes.items():
                    scores.append(score)
                    right.append(float(label in self.labels[kind][i]))
            self._curves[kind] = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, right)
        return self._curves[kind]

    @cached_property
    def _curves(self) -> dict[Label, IsotonicRegression]:
        return {}


def load_library(folder: Path) -> Library:
    """Drug Repurposing Hub and LINCS compound tables in ``folder``. Raises DataUnavailable where they are not there."""
    return Library.of(annotated(folder))


def annotated(folder: Path) -> list[tuple[str, str, frozenset[str], frozenset[str]]]:
    """(name, SMILES, targets, mechanisms) of every compound of either table with a structure and any annotation."""
    hub = sorted(folder.glob("repurposing_drugs_*.txt")), sorted(folder.glob("repurposing_samples_*.txt"))
    lincs = folder / "lincs_pert_info2.tsv.gz"
    if not (hub[0] and hub[1]) and not lincs.is_file():
        raise DataUnavailable(
            "No library of annotated drugs is on this machine", why=f"looked in {folder}",
            cure="Download the Drug Repurposing Hub tables (drugs and samples) into CYTOCRUX_DATA_DIR/drugs",
        )  # fmt: skip
    smiles: dict[str, str] = {}
    targets: dict[str, set[str]] = {}
    mechanisms: dict[str, set[str]] = {}
    if hub[0] and hub[1]:
        for row in _hub(hub[1][-1]):
            smiles.setdefault(row["pert_iname"], row["smiles"].split(",")[0].strip())
        for row in _hub(hub[0][-1]):
            targets.setdefault(row["pert_iname"], set()).update(t for t in (row["target"] or "").split("|") if t)
            mechanisms.setdefault(row["pert_iname"], set()).update(m for m in (row["moa"] or "").split("|") if m)
    if lincs.is_file():
        with gzip.open(lincs, "rt", encoding="utf-8") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                name = row["pert_iname"]
                smiles.setdefault(name, row["canonical_smiles"])
                targets.setdefault(name, set()).update(t for t in row["t_gn_sym"].split("; ") if t not in ("", "NA"))
                mechanisms.setdefault(name, set()).update(
                    m.strip() for m in row["mergeMOA"].split(";") if m.strip() not in ("", "NA")
                )
    return [
        (name, text.split(" ")[0], frozenset(targets.get(name, ())), frozenset(mechanisms.get(name, ())))
        for name, text in sorted(smiles.items())
        if text and (targets.get(name) or mechanisms.get(name))
    ]


def _hub(table: Path) -> Iterator[Mapping[str, str]]:
    with table.open(encoding="utf-8", errors="replace", newline="") as stream:
        yield from csv.DictReader((line for line in stream if not line.startswith("!")), delimiter="\t")


def _largest(smiles: str) -> str:
    """The longest part of a salt."""
    return max(smiles.split("."), key=len)

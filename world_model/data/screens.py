"""Finished screens for replay: a pool with its question, scores and hits. The published files are sorted by score.

Whoever replays a screen shuffles it first (``Screen.shuffled``): ties broken by the file's order leak the answer.
"""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadInput, DataUnavailable
from ..numeric import Numbers

SCREENS = ("IFNG", "IL2", "Carnevale22_Adenosine", "Scharenberg22", "Sanchez21_down")
BATCH = {"Scharenberg22": 32}  # of the published protocol; 128 for all others
TASKS = {
    "crispr_selection": "c3_crispr_selection_human_cells_v0",
    "depmap_dependency": "c3_depmap_single_line_dependency_v0",
    "drive_dependency": "c3_project_drive_dependency_v0",
    "gdsc_drug_response": "c3_gdsc_drug_response_v0",
}
TASK_BATCH = {"gdsc_drug_response": 32}


@dataclass(frozen=True)
class Screen:
    """names: N members; score: (N,), NaN where the file has none; hit, essential: (N,) bool; batch: a round's size."""

    name: str
    question: str
    names: tuple[str, ...]
    score: Numbers
    hit: Numbers
    essential: Numbers
    batch: int
    rounds: int = 5

    def shuffled(self, seed: int) -> Screen:
        """The same screen in a random order."""
        order = np.random.default_rng(seed).permutation(len(self.names))
        names = tuple(self.names[i] for i in order)
        return Screen(
            self.name, self.question, names, self.score[order], self.hit[order], self.essential[order],
            self.batch, self.rounds,
        )  # fmt: skip


def load_screen(name: str, folder: Path) -> Screen:
    """One screen of BioDiscoveryAgent's set (Roohani et al. 2025), from ``folder``/screens/biodiscoveryagent.

    Raises BadInput for a name not in SCREENS, DataUnavailable where its files are missing.
    """
    if name not in SCREENS:
        raise BadInput(f"No screen {name!r}", cure=f"Use one of: {', '.join(SCREENS)}")
    place = folder / "screens" / "biodiscoveryagent"
    names, score = _scores(place / f"ground_truth_{name}.csv")
    asked = json.loads(_text(place / "task_prompts" / f"{name}.json"))
    essential = set(_text(place / "CEGv2.txt").split())
    return Screen(
        name, f"{asked['Task']}. Measured: {asked['Measurement']}.", names, score,
        _hits(place / f"topmovers_{name}.npy", names), np.array([n in essential for n in names]), BATCH.get(name, 128),
    )  # fmt: skip


def load_task(name: str, folder: Path) -> Screen:
    """One frozen task of PerturbTrace, from ``folder``/screens/perturbtrace: its public brief is the question.

    Raises BadInput for a name not in TASKS, DataUnavailable where its files are missing.
    """
    if name not in TASKS:
        raise BadInput(f"No task {name!r}", cure=f"Use one of: {', '.join(TASKS)}")
    place = folder / "screens" / "perturbtrace" / TASKS[name]
    names, score = _scores(place / "hidden" / "oracle_scores.csv")
    brief = next(line for line in _text(place / "public_task_brief.md").splitlines() if line.startswith("Select "))
    hit = _hits(place / "hidden" / "hit_set.npy", names)
    return Screen(name, brief, names, score, hit, np.zeros(len(names), bool), TASK_BATCH.get(name, 128))


def _scores(path: Path) -> tuple[tuple[str, ...], Numbers]:
    """A name that stands there twice (six do in Scharenberg's) counts once, with its first score."""
    found: dict[str, float] = {}
    for row in list(csv.reader(_text(path).splitlines()))[1:]:
        found.setdefault(row[0], float(row[1]) if row[1] else np.nan)
    return tuple(found), np.array(list(found.values()))


def _hits(path: Path, names: Sequence[str]) -> Numbers:
    if not path.is_file():
        raise _missing(path)
    hits = set(_names(path))
    return np.array([n in hits for n in names])


def _names(path: Path) -> list[str]:
    """The texts of a NumPy file, also of one stored as objects: that is a pickle, and only an array is admitted."""
    with path.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        kind = read(stream)[2]
        if not kind.hasobject:
            stream.seek(0)
            return [str(v) for v in np.load(stream, allow_pickle=False).ravel()]
        return [str(v) for v in _ArrayUnpickler(stream).load().ravel()]


class _ArrayUnpickler(pickle.Unpickler):
    ADMITTED = frozenset({("multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")})

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and (module.split(".")[-1], name) in self.ADMITTED:
            return super().find_class(module, name)
        raise BadInput(f"A hit list asks for {module}.{name}", why="that could run code", cure="Do not use this file")


def _text(path: Path) -> str:
    if not path.is_file():
        raise _missing(path)
    return path.read_text(encoding="utf-8-sig")


def _missing(path: Path) -> DataUnavailable:
    return DataUnavailable(
        f"{path.name} is not in {path.parent}", cure="Set CYTOCRUX_DATA_DIR to a folder that holds the screens"
    )

"""Mechanism classes beside the Drug Repurposing Hub and LINCS: they agree, or the row says why not."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from cytocrux.world_model.compounds import FOLDER

Row = dict[str, str]


def rows(name: str) -> list[Row]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


COMPOUNDS = rows("compounds.csv")
WORDS = {r["mechanism_class"]: [w for w in r["words"].split("|") if w] for r in rows("mechanisms.csv")}
VAGUE = ("other", "other kinase inhibitor")


def bare(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def agree(mechanism: str, theirs: set[str]) -> bool:
    """One of the class's words stands in theirs; a class of leftovers agrees where no class's word does."""
    if mechanism in VAGUE:
        return not any(word in m for words in WORDS.values() for word in words for m in theirs)
    return any(word in m for word in WORDS[mechanism] for m in theirs)


@pytest.fixture(scope="module")
def theirs(kit: Path) -> dict[str, set[str]]:
    """Compound of ours -> what the two tables call its mechanism, in lower case."""
    named: dict[str, set[str]] = defaultdict(set)
    with (kit / "drugs" / "repurposing_drugs_20200324.txt").open(encoding="utf-8", errors="replace") as stream:
        for row in csv.DictReader((line for line in stream if line[0] != "!"), delimiter="\t"):
            named[bare(row["pert_iname"])] |= set((row["moa"] or "").lower().split("|"))
    with gzip.open(kit / "drugs" / "lincs_pert_info2.tsv.gz", "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            for column in ("mergeMOA", "mechanism_of_action"):
                named[bare(row["pert_iname"])] |= {m.strip() for m in row[column].lower().split(";")}
    found = {}
    for row in COMPOUNDS:
        keys = {bare(n) for n in (row["name"], *row["aliases"].split("|"))} - {""}
        found[row["name"]] = set().union(*(named.get(k, set()) for k in keys)) - {"", "na"}
    return found


def test_every_class_says_how_it_was_checked() -> None:
    assert {r["checked"] for r in COMPOUNDS} == {"", "hub", "lincs", "hand", "memory"}
    for r in COMPOUNDS:
        assert (r["checked"] == "") == (r["mechanism_class"] == "unknown"), r["name"]
        assert bool(r["note"]) == (r["checked"] == "hand"), r["name"]


@pytest.mark.kit
def test_classes_agree_with_published_mechanisms_or_say_why_not(theirs: dict[str, set[str]]) -> None:
    known = [r for r in COMPOUNDS if theirs[r["name"]] and r["mechanism_class"] != "unknown"]
    differ = {r["name"] for r in known if not agree(r["mechanism_class"], theirs[r["name"]])}
    assert len(known) > 350 and len(differ) / len(known) < 0.05
    assert differ == {r["name"] for r in COMPOUNDS if r["checked"] == "hand"}
    assert {r["name"] for r in known} - differ == {r["name"] for r in COMPOUNDS if r["checked"] in ("hub", "lincs")}


@pytest.mark.kit
def test_classes_dealt_anew_do_not_agree(theirs: dict[str, set[str]]) -> None:
    known = [r for r in COMPOUNDS if theirs[r["name"]] and r["mechanism_class"] not in ("unknown", *VAGUE)]
    dealt = np.random.default_rng(0).permutation([r["mechanism_class"] for r in known])
    assert np.mean([agree(str(m), theirs[r["name"]]) for m, r in zip(dealt, known, strict=True)]) < 0.1

"""Facts of compounds: names resolve, classes have a pathway, structures are normalised."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from cytocrux.world_model.compounds import complete_from, facts, facts_for, find, normalise
from cytocrux.world_model.errors import BadInput, UnknownName


@pytest.mark.parametrize(
    ("written", "name"),
    [("ABT-199", "Venetoclax"), ("az 628", "AZ628"), ("AZ-628", "AZ628"), ("torin2", "Torin 2"),
     ("17aag", "Tanespimycin"), ("PLX4720", "PLX-4720"), ("adriamycin", "Doxorubicin")],
)  # fmt: skip
def test_names_and_aliases_resolve(written: str, name: str) -> None:
    assert find(written).name == name


def test_an_unknown_name_brings_near_ones_and_no_guess() -> None:
    with pytest.raises(UnknownName, match="Vemurafenib"):
        find("Vemurafinib")
    assert facts_for("Vemurafinib").mechanism_class == "unknown" and not facts_for("Vemurafinib").known


def test_no_two_compounds_share_a_name() -> None:
    def bare(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalnum())

    owners = Counter(key for fact in facts().values() for key in {bare(n) for n in (fact.name, *fact.aliases)})
    assert [key for key, n in owners.items() if n > 1] == []


def test_every_known_compound_has_class_pathway_and_a_place_to_check() -> None:
    for fact in facts().values():
        assert fact.pathway and (not fact.known or fact.source), fact.name
    classes = {fact.mechanism_class for fact in facts().values()}
    assert len(classes) >= 30


def test_anthracyclines_are_marked() -> None:
    tagged = {fact.name for fact in facts().values() if "anthracycline" in fact.tags}
    assert {"Doxorubicin", "Epirubicin", "Daunorubicin"} <= tagged
    assert "Etoposide" not in tagged and "Mitoxantrone" not in tagged


@pytest.mark.kit
def test_most_of_gdsc_has_a_class_and_every_class_agrees_with_itself(kit: Path) -> None:
    tables = [pd.read_parquet(kit / "gdsc" / f"gdsc{i}.parquet", columns=["DRUG_NAME"]) for i in (1, 2)]
    drugs = sorted(set(pd.concat(tables)["DRUG_NAME"]))
    known = [drug for drug in drugs if facts_for(drug).known]
    assert len(known) / len(drugs) > 0.85


@pytest.mark.kit
def test_our_targets_agree_with_the_repurposing_hub(kit: Path) -> None:
    table = kit / "drugs" / "repurposing_drugs_20200324.txt"
    theirs = complete_from(table, known={})
    both = [(ours, theirs[key]) for ours in facts().values() for key in theirs if key.lower() == ours.name.lower()]
    shared = [bool(set(a.targets) & set(b.targets)) for a, b in both if a.targets and b.targets]
    assert len(shared) > 150 and sum(shared) / len(shared) > 0.95


@pytest.mark.kit
def test_the_hub_completes_what_is_unknown_and_keeps_what_is_written(kit: Path) -> None:
    merged = complete_from(kit / "drugs" / "repurposing_drugs_20200324.txt")
    assert len(merged) > 5_000
    assert merged["Trametinib"] == facts()["Trametinib"]
    assert merged["abiraterone"].known and "Repurposing Hub" in merged["abiraterone"].source


def test_another_table_is_not_taken_for_the_hubs(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a\tb\n1\t2\n")
    with pytest.raises(BadInput, match="not a Drug Repurposing Hub table"):
        complete_from(tmp_path / "x.txt")


def test_structures_are_normalised() -> None:
    acid = normalise("CC(=O)Oc1ccccc1C(=O)O")
    assert acid.inchikey == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"
    assert normalise("[Na+].O=C(C)Oc1ccccc1C(=O)[O-]") == acid
    assert normalise(acid.smiles) == acid


@pytest.mark.parametrize("text", ["", "C1CC", "not a molecule", "C" * 10_000 + "("])
def test_what_is_no_molecule_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a molecule"):
        normalise(text)

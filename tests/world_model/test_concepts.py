"""From words to genes: what a question means, which genes that raises, and why."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cytocrux.world_model.atlascache import gene_atlas
from cytocrux.world_model.concepts import concepts, concepts_in, text_prior
from cytocrux.world_model.errors import BadInput, DataUnavailable
from cytocrux.world_model.genepool import GeneAtlas
from cytocrux.world_model.genesets import GeneFacts, gene_sets, plain_name, present_symbol, read_gene_facts

SETS = {
    "GO GO:1 lysosomal transport": ["LA", "LB", "LC", "LD"],
    "KEGG_T_CELL_RECEPTOR_SIGNALING_PATHWAY": ["TA", "TB", "TC"],
    "REACTOME_OLFACTORY_SIGNALING": ["OA", "OB", "OC", "LD"],
    "HALLMARK_MYOGENESIS": ["MA", "MB", "MC"],
    "KEGG_RIBOSOME": ["RA", "RB", "RC"],
    "KEGG_PROTEASOME": ["PA", "PB", "PC", "RC"],
}


@pytest.fixture(scope="module")
def atlas() -> GeneAtlas:
    titles = {g: f"imaginary protein {g.lower()}" for genes in SETS.values() for g in genes}
    edges = (("LA", "LB"), ("LB", "TA"), ("TA", "TB"), ("OA", "OB"), ("MA", "MB"), ("LC", "LD"))
    return GeneAtlas.build(GeneFacts(gene_sets(SETS), titles, edges))


def test_the_vocabulary_is_whole() -> None:
    """Every implied concept exists, every weight lies in (0, 1], every pattern matches no empty text."""
    for concept in concepts().values():
        assert all(0 < w <= 1 for w in concept.implies.values()), concept.name
        assert not concept.triggers.search("") and not concept.sets.search(""), concept.name


@pytest.mark.parametrize(
    ("question", "in_it", "not_in_it"),
    [
        ("genes that regulate the production of Interferon-gamma (IFNG)", {"ifn_gamma", "t_cell", "tcr"}, {"lysosome"}),
        ("lysosomal choline recycling", {"lysosome", "choline", "endosome"}, {"t_cell"}),
        ("tau protein levels in neurons", {"tau", "neuron", "ubiquitin"}, {"ifn_gamma"}),
        ("sensitivity to olaparib, a PARP inhibitor", {"dna_damage"}, {"choline"}),
        ("hedgehog signalling and cilia", {"cilia"}, {"tau"}),
        ("cells that survive ferroptosis", {"ferroptosis", "iron", "redox"}, {"tcr"}),
    ],
)
def test_words_name_concepts(question: str, in_it: set[str], not_in_it: set[str]) -> None:
    found = concepts_in(question).keys()
    assert in_it <= found
    assert not not_in_it & found


def test_implied_concepts_weigh_less() -> None:
    found = concepts_in("interferon gamma")
    assert found["ifn_gamma"] == 1.0 > found["t_cell"] > found["tcr"]


def test_a_word_inside_another_word_is_not_that_word() -> None:
    assert "camp_pka" not in concepts_in("an autumn campaign")
    assert "ampk" not in concepts_in("stampkeeping")


def test_genes_of_the_questions_sets_come_first_with_the_reason(atlas: GeneAtlas) -> None:
    names = ["MA", "LA", "TB", "OA", "LD", "nobody"]
    prior = text_prior("genes of lysosomal transport", names, atlas)
    assert prior.score[1] > prior.score[4] > 0.0  # LD is in an unrelated set as well
    assert prior.score[[0, 3, 5]].tolist() == [0.0, 0.0, 0.0]
    assert prior.why(1) == ("lysosomal transport",) and prior.why(5) == ()


def test_without_a_known_concept_the_bare_words_count(atlas: GeneAtlas) -> None:
    prior = text_prior("olfactory reception", ["OA", "MA"], atlas)
    assert not prior.concepts
    assert prior.score[0] > 0.0 == prior.score[1]


def test_an_unknown_gene_has_no_features(atlas: GeneAtlas) -> None:
    pool = atlas.pool(["LA", "nobody"])
    for block in pool.blocks.values():
        assert np.linalg.norm(block[0]) == pytest.approx(1.0, abs=1e-5)
        assert not block[1].any()
    assert pool.studied[1] == 0.0 < pool.studied[0]


def test_genes_of_one_set_are_alike(atlas: GeneAtlas) -> None:
    x = atlas.pool(["TA", "TB", "MA"]).blocks["sets"]
    assert x[0] @ x[1] > 0.99 > 0.1 > abs(x[0] @ x[2])


@pytest.mark.parametrize(
    ("symbol", "present"),
    [("C1ORF35", "C1orf35"), ("MARCH5", "MARCHF5"), ("SEPT2", "SEPTIN2"), ("PARK2", "PRKN"), ("GNB2L1", "RACK1"),
     ("ERN1.00", "ERN1"), ("TP53", "TP53")],
)  # fmt: skip
def test_earlier_symbols(symbol: str, present: str) -> None:
    assert present_symbol(symbol, {present: 0}) == present
    assert present_symbol(symbol, {"ZZZ": 0}) is None


def test_plain_names_have_no_source() -> None:
    assert plain_name("KEGG_RIBOSOME") == "ribosome"
    assert plain_name("GO GO:0000018 regulation of DNA recombination") == "regulation of dna recombination"


def test_a_broken_set_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable):
        read_gene_facts(tmp_path)
    (tmp_path / "priors").mkdir()
    (tmp_path / "priors" / "h.all.v7.5.1.symbols.gmt").write_text("HALLMARK_X\thttp\n")
    with pytest.raises(BadInput, match="line 1"):
        read_gene_facts(tmp_path)


def test_vocabulary_names_processes_not_screens() -> None:
    """No trigger or set pattern may hold the name of a replayed screen or of its authors."""
    text = " ".join(c.triggers.pattern + c.sets.pattern for c in concepts().values()).lower()
    assert not re.search(r"schmidt|carnevale|scharenberg|sanchez|steinhart|horlbeck|wang|depmap|achilles", text)


def test_the_cached_atlas_is_the_built_one(tmp_path: Path) -> None:
    (tmp_path / "priors").mkdir()
    lines = ["\t".join([name, "http", *genes]) for name, genes in SETS.items()]
    path = tmp_path / "priors" / "h.all.v7.5.1.symbols.gmt"
    path.write_text("\n".join(lines) + "\n")
    built, kept = (gene_atlas(tmp_path, cache=tmp_path / "cache") for _ in range(2))
    (stored,) = (tmp_path / "cache").iterdir()
    assert kept.genes == built.genes and kept.sets.names == built.sets.names
    assert (kept.member != built.member).nnz == 0 and (kept.sets.member != built.sets.member).nnz == 0
    assert all(np.array_equal(kept.blocks[n], built.blocks[n]) for n in built.blocks)
    stored.write_bytes(b"damaged")
    assert gene_atlas(tmp_path, cache=tmp_path / "cache").genes == built.genes
    path.write_text("\n".join(lines[:-1]) + "\n")
    assert gene_atlas(tmp_path, cache=tmp_path / "cache").genes != built.genes
    assert len(list((tmp_path / "cache").iterdir())) == 2

"""Notes of every kind go into the ledger once, are found by their words, and carry page and reference."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cytocrux.knowledge import notes
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.errors import BadInput

BIB = """@comment{ignored}
@article{Flaherty2012,
  author = {Flaherty, Keith T. and Infante, Jeffery R.},
  title = {Combined {BRAF} and {MEK} Inhibition in Melanoma with BRAF V600 Mutations},
  year = 2012, doi = "10.1056/NEJMoa1210093",
  abstract = {Resistance to therapy with BRAF kinase inhibitors is associated with reactivation of the pathway.}
}
"""
PUBMED = """<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>25265492</PMID><Article>
<ArticleTitle>EZH2 mutations in lymphoma</ArticleTitle><Abstract><AbstractText Label="AIM">Y646 is a hot
<i>spot</i>.</AbstractText></Abstract><AuthorList><Author><LastName>Morin</LastName></Author></AuthorList>
<Journal><JournalIssue><PubDate><Year>2010</Year></PubDate></JournalIssue></Journal></Article></MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="doi">10.1038/ng.518</ArticleId></ArticleIdList></PubmedData>
</PubmedArticle></PubmedArticleSet>"""


def pdf(*pages: str, password: str = "") -> bytes:
    """A PDF with one line a page, made by hand."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    writer.add_metadata({"/Title": "Venetoclax in lymphoma", "/Author": "A. Person"})
    for words in pages:
        page = writer.add_blank_page(300, 300)
        font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
        names = DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()})
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): names})}
        )
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({words}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_paper_is_found_and_cited_by_its_page(tmp_path: Path) -> None:
    file = put(tmp_path, "paper.pdf", pdf("BCL2 keeps cells alive.", "Venetoclax binds BCL2 in the groove."))
    with Ledger.open(tmp_path / "w") as ledger:
        assert notes.add(ledger, file).new == 2
        assert notes.add(ledger, file).new == 0
        found = notes.search(ledger, "what binds the groove of BCL2", 2)
        assert found[0].text == "Venetoclax binds BCL2 in the groove."
        assert found[0].citation == "A. Person, Venetoclax in lymphoma, p. 2"
        assert [e.seq for e in ledger.events(kind="note")] == [1, 2] and found[0].entry == 2
        assert ledger.verify().ok


def test_bibtex_and_pubmed_carry_their_reference(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "w") as ledger:
        notes.add(ledger, put(tmp_path, "refs.bib", BIB))
        notes.add(ledger, put(tmp_path, "export.xml", PUBMED))
        melanoma, lymphoma = (e.payload for e in ledger.events(kind="note"))
    assert "Combined BRAF and MEK Inhibition" in melanoma["text"] and "reactivation" in melanoma["text"]
    assert melanoma["reference"]["year"] == "2012" and "doi:10.1056/NEJMoa1210093" in melanoma["citation"]
    assert lymphoma["text"] == "EZH2 mutations in lymphoma Y646 is a hot spot."
    assert (
        lymphoma["citation"] == "Morin, 2010, EZH2 mutations in lymphoma, doi:10.1038/ng.518; pmid:25265492, abstract"
    )


def test_a_long_text_is_cut_between_sentences_and_nothing_is_lost(tmp_path: Path) -> None:
    words = " ".join(f"Sentence number {i} stands here." for i in range(400))
    passages = notes.read(Path("long.txt"), words.encode())
    assert len(passages) > 5 and all(len(p.text) <= notes.LONGEST for p in passages)
    assert " ".join(p.text for p in passages) == words
    assert all(p.text.endswith(".") for p in passages)
    two = notes.read(Path("two.md"), b"First line.\n\n" + b"A second paragraph. " * 60 + b"\n")
    assert two[0].where.startswith("lines 1-")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3000))
def test_any_text_keeps_its_words(text: str) -> None:
    try:
        passages = notes.read(Path("any.txt"), text.encode("utf-8", "surrogatepass"))
    except BadInput:
        return
    got = "".join("".join(p.text.split()) for p in passages)
    assert got == "".join(notes._clean(text).split())


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.docx", b"x", "no kind of note"),
        ("a.txt", b"", "holds no text"),
        ("a.txt", b"\xff\xfe\x00bad", "UTF-8"),
        ("a.bib", b"no entry here", "no BibTeX entry"),
        ("a.xml", b"<a>", "not XML"),
        ("a.xml", b"<a/>", "no PubMed article"),
        ("a.xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "XML entities"),
        ("a.pdf", b"%PDF-1.7 broken", "not a PDF that can be read"),
        ("a.pdf", pdf("text")[:300], "not a PDF that can be read"),
        ("a.pdf", pdf("secret", password="x"), "locked"),
        ("a.pdf", pdf(""), "holds no text"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_nothing_stored(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    with Ledger.open(tmp_path / "w") as ledger:
        with pytest.raises(BadInput, match=why):
            notes.add(ledger, put(tmp_path, name, content))
        with pytest.raises(BadInput, match="cannot be read"):
            notes.add(ledger, tmp_path / "missing.txt")
        assert ledger.head()[0] == 0


def test_unseen_characters_do_not_reach_the_ledger(tmp_path: Path) -> None:
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "approve")
    with Ledger.open(tmp_path / "w") as ledger:
        notes.add(ledger, put(tmp_path, "note.txt", f"Plain\u200b words\u202e here{hidden}.\x1b[31m"))
        assert [e.payload["text"] for e in ledger.events()] == ["Plain words here.[31m"]

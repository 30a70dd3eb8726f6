"""Notes: papers and texts of the researcher's own, in the ledger, found by their words, cited by page.

``add`` splits a file into passages and appends one ``note`` event each, with its citation. Everything in a note is
data: nothing here reads it as an instruction, and no claim changes because of it. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..world_model.errors import BadInput
from .events import Draft
from .ledger import Ledger

LONGEST = 1200  # characters of one passage
LARGEST = 50_000_000  # bytes of one file
MOST_PAGES = 2000


@dataclass(frozen=True)
class Passage:
    """A piece of a source. where: "p. 3", "lines 10-24", "abstract"; reference: author, year, title, doi, pmid."""

    text: str
    where: str
    reference: tuple[tuple[str, str], ...] = ()

    def citation(self, source: str) -> str:
        """As a sentence can carry it: who, when, what, and where in it."""
        known = dict(self.reference)
        named = ", ".join(known[k] for k in ("author", "year", "title") if known.get(k))
        ids = "; ".join(f"{k}:{known[k]}" for k in ("doi", "pmid") if known.get(k))
        return ", ".join(filter(None, (named or source, ids, self.where)))


@dataclass(frozen=True)
class Added:
    """passages: all of the file; new: those that the ledger did not have yet."""

    source: str
    sha256: str
    passages: int
    new: int


def add(ledger: Ledger, path: Path) -> Added:
    """Put a file's passages into the ledger: .txt, .md, .bib, .xml (PubMed), .pdf. The same file twice changes nothing.

    Raises BadInput for a file that is absent, empty, too large, of another kind, damaged, or without text.
    """
    raw = load(path)
    digest = hashlib.sha256(raw).hexdigest()
    passages = read(path, raw)
    drafts = [
        Draft(
            "note",
            {
                "text": p.text,
                "source": path.name,
                "sha256": digest,
                "where": p.where,
                "citation": p.citation(path.name),
                "reference": dict(p.reference),
            },
            key=f"note/{digest[:32]}/{n}",
        )
        for n, p in enumerate(passages)
    ]
    before = ledger.head()[0]
    ledger.append_many(drafts)
    return Added(path.name, digest, len(drafts), ledger.head()[0] - before)


@dataclass(frozen=True)
class Found:
    """A passage that resembles the words asked for. entry: its number in the ledger; score: cosine, 1 = same words."""

    entry: int
    score: float
    text: str
    citation: str
    source: str


def search(ledger: Ledger, words: str, n: int = 5) -> list[Found]:
    """The ``n`` nearest passages, best first. Raises BadInput for an empty question."""
    from .index import Index

    with Index.open(ledger) as index:
        hits = index.search(words, n, kind="note")
    found = []
    for hit in hits:
        said = next(ledger.events(after=hit.seq - 1)).payload
        citation, source = str(said.get("citation", "")), str(said.get("source", ""))
        found.append(Found(hit.seq, hit.score, str(said["text"]), citation, source))
    return found


def read(path: Path, raw: bytes) -> list[Passage]:
    """The passages of a file, in order. Raises BadInput."""
    readers = {".txt": _text, ".md": _text, ".bib": _bibtex, ".xml": _pubmed, ".pdf": _pdf}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        cure = "give one of: " + ", ".join(sorted(readers))
        raise BadInput(f"{path.name} is no kind of note", why=f"it ends in {path.suffix or 'nothing'}", cure=cure)
    found = [p for p in reader(path.name, raw) if p.text]
    if not found:
        raise BadInput(f"{path.name} holds no text", why="a scanned PDF has none", cure="run text recognition first")
    return found


def load(path: Path) -> bytes:
    """The bytes of a file that may be a note. Raises BadInput where it is absent or too large."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise BadInput(f"{path.name} is too large", why=f"{size:,} bytes", cure=f"split it below {LARGEST:,}")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read", why=str(error.strerror), cure="check the path") from None


def _text(name: str, raw: bytes) -> Iterator[Passage]:
    """Paragraphs of a text, several short ones in one passage, with their lines."""
    lines = _decoded(name, raw).splitlines()
    start, held = 1, list[str]()
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip() and (sum(map(len, held)) > LONGEST / 2 or number > len(lines)):
            yield from _pieces(held, f"lines {start}-{number - 1}")
            start, held = number + 1, []
        else:
            held.append(line)


def _bibtex(name: str, raw: bytes) -> Iterator[Passage]:
    """One passage an entry: title, journal, abstract, note."""
    entries = re.split(r"^\s*@(?=\w+\s*[{(])", _decoded(name, raw), flags=re.M)[1:]
    if not entries:
        raise BadInput(f"{name} holds no BibTeX entry", cure="an entry looks like @article{key, title = {...}}")
    for entry in entries:
        kind, _, body = entry.partition("{")
        if kind.strip().lower() in ("comment", "string", "preamble"):
            continue
        key = body.split(",", 1)[0].strip()
        fields = dict(_bibtex_fields(body))
        words = [fields[k] for k in ("title", "journal", "abstract", "note", "keywords") if fields.get(k)]
        reference = tuple((k, fields[k]) for k in ("author", "year", "title", "doi", "pmid") if fields.get(k))
        yield from _pieces(words, f"entry {key[:80]}", reference)


def _bibtex_fields(body: str) -> Iterator[tuple[str, str]]:
    """name -> value of an entry; values in braces (nested ones too), quotes, or bare."""
    for found in re.finditer(r"[,\n]\s*([A-Za-z]+)\s*=\s*", body):
        rest = body[found.end() :]
        if rest[:1] == "{":
            value = _braced(rest)
        elif rest[:1] == '"':
            value = rest[1:].split('"', 1)[0]
        else:
            value = re.split(r"[,}\n]", rest, maxsplit=1)[0]
        yield found.group(1).lower(), re.sub(r"\s+", " ", re.sub(r"[{}]", "", value)).strip()


def _braced(text: str) -> str:
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "{") - (c == "}")
        if depth == 0:
            return text[1:i]
    return text[1:]


def _pubmed(name: str, raw: bytes) -> Iterator[Passage]:
    """One passage an article of a PubMed export: title and abstract, with its PMID and DOI."""
    from xml.etree import ElementTree

    if b"<!ENTITY" in raw:  # entities could unfold without end or name other files; PubMed's exports declare none
        raise BadInput(f"{name} declares XML entities", cure="export it from PubMed anew")
    try:
        root = ElementTree.fromstring(raw)  # noqa: S314  # entities are refused above
    except ElementTree.ParseError as error:
        raise BadInput(f"{name} is not XML", why=str(error)) from None
    articles = list(root.iter("PubmedArticle"))
    if not articles:
        raise BadInput(f"{name} holds no PubMed article", cure="export it from PubMed as XML")
    for article in articles:
        said = {
            "author": _first(article, ".//AuthorList/Author/LastName"),
            "year": _first(article, ".//PubDate/Year"),
            "title": _first(article, ".//ArticleTitle"),
            "doi": _first(article, ".//ArticleIdList/ArticleId[@IdType='doi']"),
            "pmid": _first(article, ".//PMID"),
        }
        abstract = ["".join(node.itertext()) for node in article.iter("AbstractText")]
        reference = tuple((k, v) for k, v in said.items() if v)
        yield from _pieces([said["title"], *abstract], "abstract", reference)


def _first(article: object, path: str) -> str:
    from xml.etree.ElementTree import Element

    node = article.find(path) if isinstance(article, Element) else None
    return "" if node is None else _clean("".join(node.itertext()))


def _pdf(name: str, raw: bytes) -> Iterator[Passage]:
    """The text of each page; titles and authors where the file states them."""
    import io
    import logging

    import pypdf
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # damaged files are reported below, once
    try:
        reader = pypdf.PdfReader(io.BytesIO(raw))
        if reader.is_encrypted and not reader.decrypt(""):
            raise BadInput(f"{name} is locked", cure="save it without a password")
        if len(reader.pages) > MOST_PAGES:
            raise BadInput(f"{name} has more than {MOST_PAGES} pages", cure="split it")
        about = reader.metadata
        stated = {"author": about.author, "title": about.title} if about else {}
        reference = tuple((k, _clean(v)[:300]) for k, v in stated.items() if v)
        for number, page in enumerate(reader.pages, start=1):
            yield from _pieces([page.extract_text()], f"p. {number}", reference)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, IndexError) as error:
        raise BadInput(f"{name} is not a PDF that can be read", why=f"{type(error).__name__}: {error}") from None


def _pieces(parts: Sequence[str], where: str, reference: tuple[tuple[str, str], ...] = ()) -> Iterator[Passage]:
    """Parts of one place joined, and cut between sentences where they are long."""
    text = _clean(" ".join(parts))
    while len(text) > LONGEST:
        places = (text.rfind(mark, LONGEST // 2, LONGEST - 1) for mark in (". ", "。", "; ", " "))
        cut = next((at + 1 for at in places if at > 0), LONGEST)  # the first kind of mark that there is
        yield Passage(text[:cut].strip(), where, reference)
        text = text[cut:].strip()
    if text:
        yield Passage(text, where, reference)


def _decoded(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8 text", cure="save it as UTF-8") from None


def _clean(text: str) -> str:
    """One space between words; nothing that nobody sees (controls, zero-width, direction marks, tags)."""
    text = "".join(c if c.isprintable() or c.isspace() else "" for c in text)
    return re.sub(r"\s+", " ", "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Co", "Cs"))).strip()

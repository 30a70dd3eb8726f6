"""Search over claims, evidence and notes by likeness of words (Chroma). Never the truth: the ledger rebuilds it.

with Index.open(ledger) as index:
    index.search("MEK inhibitors in BRAF mutant lines", 5)
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ..world_model.errors import BadInput, CytocruxError
from .chroma import close, local, locked, renewed, server
from .claims import Claim
from .embedder import HashingEmbedder
from .index_texts import Texts, batches
from .ledger import Ledger

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that resembles the query. score: cosine, 1 = the same words. claim_id: '' where it is of no claim."""

    id: str
    kind: str
    text: str
    score: float
    seq: int
    claim_id: str
    campaign: str


class Index:
    """Open with ``Index.open``; one process at a time holds a local index, a Chroma server serves many."""

    def __init__(self, ledger: Ledger, client: Any, lock: IO[str] | None, folder: Path | None) -> None:
        self._ledger, self._client, self._lock, self._folder = ledger, client, lock, folder
        self._embedder = HashingEmbedder()

    @classmethod
    def open(cls, ledger: Ledger, url: str | None = None) -> Self:
        """The index of a ledger, under ``<workspace>/index``, or on the Chroma server at ``url`` or CHROMA_URL.

        Raises DataUnavailable where another process holds it too long or the server does not answer.
        """
        url = url or os.environ.get("CHROMA_URL")
        if url:
            return cls(ledger, server(url), None, None)
        folder = ledger.workspace / "index"
        folder.mkdir(parents=True, exist_ok=True)
        lock = locked(folder)
        try:
            return cls(ledger, local(folder), lock, folder)
        except BaseException:
            lock.close()
            raise

    def search(self, text: str, n: int = 10, *, kind: str | None = None) -> list[Hit]:
        """The ``n`` nearest texts, best first; ``kind``: 'claim', 'evidence' or a kind of event."""
        if not text.strip() or n < 1:
            raise BadInput("Nothing to search for", cure="Give some words")
        collection = self.sync()
        if collection.count() == 0:
            return []
        found = collection.query(
            query_embeddings=self._embedder([text]),
            n_results=min(n, collection.count()),
            where={"kind": kind} if kind else None,
            include=["documents", "metadatas", "distances"],
        )
        rows = zip(found["ids"][0], found["documents"][0], found["metadatas"][0], found["distances"][0], strict=True)
        return [hit for row in rows if (hit := _hit(*row)).score > 0]

    def near_duplicates(self, claim: Claim, threshold: float = 0.6) -> list[Hit]:
        """Claims in the ledger that ask the same of the same arms in other words; best first.

        Candidates by their words (cosine >= threshold); readout, direction, perturbations and contexts must agree.
        """
        claims = self._claims()
        hits = self.search(f"{claim.sentence} {claim.mechanism}", 50, kind="claim")
        return [
            h
            for h in hits
            if h.score >= threshold and h.claim_id != claim.id and same_question(claim, claims[h.claim_id])
        ]

    def sync(self) -> Any:
        """Index what the ledger has and the index lacks; starts anew where the two do not belong together."""
        try:
            return self._sync()
        except CytocruxError:
            raise
        except Exception:  # a broken index is thrown away, whatever broke it
            return self.rebuild()

    def rebuild(self) -> Any:
        """Throw the index away and make it again from the ledger."""
        if self._folder is not None:
            self._client.close()
            self._client = renewed(self._folder)
        else:
            self._drop()
        return self._sync()

    def close(self) -> None:
        close(self._client, remote=self._folder is None)
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _sync(self) -> Any:
        head, head_hash = self._ledger.head()
        collection = self._client.get_or_create_collection(
            self._name(), embedding_function=self._embedder, configuration={"hnsw": {"space": "cosine"}}
        )
        seen = dict(collection.metadata or {})
        if seen and not self._is_past(int(seen["seq"]), str(seen["hash"])):
            self._drop()
            return self._sync()
        done = int(seen["seq"]) if seen else 0
        if done == head:
            return collection
        texts = Texts(self._claims() if done else {})
        for batch in batches(texts.of(self._ledger.events(after=done)), BATCH):
            ids, documents, metadatas = zip(*batch, strict=True)
            collection.upsert(
                ids=list(ids),
                documents=list(documents),
                metadatas=list(metadatas),
                embeddings=self._embedder(documents),
            )
        collection.modify(metadata={"seq": head, "hash": head_hash})
        return collection

    def _name(self) -> str:
        """One collection a ledger: named after its first entry."""
        first = next(self._ledger.events(), None)
        return f"cytocrux-{first.hash[:16] if first else 'empty'}"

    def _is_past(self, seq: int, hash_: str) -> bool:
        entry = next(self._ledger.events(after=seq - 1), None)
        return entry is not None and (entry.seq, entry.hash) == (seq, hash_)

    def _drop(self) -> None:
        name = self._name()
        if name in [c.name for c in self._client.list_collections()]:
            self._client.delete_collection(name)

    def _claims(self) -> dict[str, Claim]:
        events = self._ledger.events("claim_proposed")
        claims: dict[str, Claim] = {}
        for claim in (Claim.model_validate(e.payload["claim"]) for e in events):
            claims.setdefault(claim.id, claim)
        return claims


def same_question(a: Claim, b: Claim) -> bool:
    """Same readout, direction, perturbations and contexts; thresholds, doses and times may differ."""
    return (a.readout.variable, a.relation, _arms(a)) == (b.readout.variable, b.relation, _arms(b))


def _arms(claim: Claim) -> frozenset[tuple[float, str, tuple[str, ...]]]:
    """(sign of the weight, context, perturbation names) of each arm."""
    terms = claim.contrast.terms
    return frozenset((1.0 if w > 0 else -1.0, a.context, tuple(p.name for p in a.perturbations)) for w, a in terms)


def _hit(id_: str, document: str, about: dict[str, Any], distance: float) -> Hit:
    score = max(-1.0, min(1.0, 1.0 - float(distance)))
    kind, seq, claim_id, campaign = (about[name] for name in ("kind", "seq", "claim_id", "campaign"))
    return Hit(id_, str(kind), document.strip(), score, int(seq), str(claim_id), str(campaign))

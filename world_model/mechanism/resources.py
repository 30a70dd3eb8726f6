"""Published networks, regulons and footprints: where they lie, their licence and citation, and their readers.

Files lie in ``priors/`` under CYTOCRUX_DATA_DIR (or in the cache), by the names below, checked by sha256; none is
shipped. ``load_network("omnipath")`` gives a SignedNetwork; ``load_regulons("collectri")`` a table source, target,
weight for ``activities``. A user's own network is any CSV with columns source, target, sign.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..data.fetch import cache_dir, data_dir, verify
from ..errors import BadInput, DataUnavailable, UnknownName
from ..network import Edge, SignedNetwork
from .signalling import EMBEDDED, collapsed, edges_of, embedded

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "priors"


@dataclass(frozen=True)
class Resource:
    """One published table. kind "network": signed edges; "regulons": source, target, weight."""

    name: str
    kind: Literal["network", "regulons"]
    file: str
    sha256: str
    licence: str
    citation: str
    source: str
    annotation: str = ""  # a second file that names the codes of the first

    def path(self, file: str = "") -> Path:
        """Raises DataUnavailable where the file is not here, Corrupt where it is another one."""
        name = file or self.file
        root = data_dir()
        for folder in (root / FOLDER if root else None, cache_dir() / FOLDER):
            if folder and (folder / name).is_file():
                return verify(folder / name, self.sha256) if name == self.file else folder / name
        raise DataUnavailable(
            f"{self.name} is not on this machine", why=f"{name} is published at {self.source}",
            cure=f"Put {name} into the folder {FOLDER!r} under CYTOCRUX_DATA_DIR, or use --network {EMBEDDED}",
        )  # fmt: skip

    def available(self) -> bool:
        try:
            self.path()
        except DataUnavailable:
            return False
        return True


RESOURCES: dict[str, Resource] = {
    r.name: r
    for r in (
        Resource("omnipath", "network", "omnipath_carnival.tsv",
                 "d41ec9b8ad208c19ab15d6aa4c73c22673452ac0c57cc32f8428602952e3f7e9", "GPL-3 (repository)",
                 "Tuerei 2016, doi:10.1038/nmeth.4077", "github.com/saezlab/transcriptutorial"),
        Resource("signor", "network", "omnipath_signor_pkn.tsv",
                 "7a1c3968dd2b2f8cde9f974661b5094092df7e68c4591b28d04a928396efd4ed", "MIT (repository)",
                 "Lo Surdo 2023, doi:10.1093/nar/gkac883; Tuerei 2016, doi:10.1038/nmeth.4077",
                 "github.com/Lauffenburger-Lab/DrugsANNSignaling", "omnipath_signor_pkn_annotation.tsv"),
        Resource("cosmos", "network", "cosmos_meta_network.tsv.gz",
                 "97385eba13ac217c02afd41ad489f5426f5c924331ce23283391efcedf0777ea", "GPL-3 (repository)",
                 "Dugourd 2021, doi:10.15252/msb.20209730", "github.com/saezlab/cosmosR"),
        Resource("collectri", "regulons", "collectri_human.csv",
                 "4e2fa22d530c6a1169b4814249b1e2cdb8a9bbaae8f2c81359716ba344fa7735", "GPL-3 (upstream repository)",
                 "Mueller-Dott 2023, doi:10.1093/nar/gkad841", "github.com/saezlab/CollecTRI"),
        Resource("dorothea", "regulons", "dorothea_hs_ABCD.tsv.gz",
                 "abf0d40c16ab228b92d909f88b929c0f2ee57cf5d706dc0b6c4b6ce3ca2384e1", "GPL-3",
                 "Garcia-Alonso 2019, doi:10.1101/gr.240663.118", "github.com/saezlab/dorothea"),
        Resource("progeny", "regulons", "progeny_human_top500.tsv.gz",
                 "b190627c6b41b47fc4081f5179ef155f332b7e87317b40092435efafb237306b", "Apache-2.0",
                 "Schubert 2018, doi:10.1038/s41467-017-02391-6", "github.com/saezlab/progeny"),
    )
}  # fmt: skip


def load_network(name: str) -> SignedNetwork:
    """The embedded one, a registered network, or the path of a CSV. Paralogues are merged into one node a family.

    Raises UnknownName, DataUnavailable, Corrupt, or BadInput for a file that is no signed network.
    """
    if name == EMBEDDED:
        return embedded()
    path = Path(name).expanduser()
    if path.is_file():
        return SignedNetwork(path.name, _unique(edges_of(path)))
    if name not in RESOURCES or RESOURCES[name].kind != "network":
        networks = [EMBEDDED, *(r.name for r in RESOURCES.values() if r.kind == "network")]
        raise UnknownName(name, kind="network or file", known=networks)
    found = RESOURCES[name]
    reader = _signor if found.annotation else _triples
    return collapsed(SignedNetwork(name, _unique(reader(found))))


def load_regulons(name: str, *, levels: str = "ABC", top: int = 100) -> pd.DataFrame:
    """Columns source, target, weight, one row a pair. levels: DoRothEA's confidence; top: PROGENy's genes a pathway."""
    import pandas as pd

    if name not in RESOURCES or RESOURCES[name].kind != "regulons":
        raise UnknownName(name, kind="regulons", known=[r.name for r in RESOURCES.values() if r.kind == "regulons"])
    found = RESOURCES[name]
    table = pd.read_csv(found.path(), sep="," if found.file.endswith(".csv") else "\t")
    if name == "dorothea":
        table = table[table["confidence"].isin(list(levels))].rename(columns={"tf": "source", "mor": "weight"})
    if name == "progeny":
        table = table.rename(columns={"pathway": "source", "gene": "target"})
        table = table.sort_values("p.value", kind="stable").groupby("source", sort=True).head(top)
    kept: pd.DataFrame = table[["source", "target", "weight"]].drop_duplicates(["source", "target"])
    return kept.reset_index(drop=True)


def gene_sets(*files: str) -> dict[str, frozenset[str]]:
    """Named sets of genes from GMT files of the ``priors`` folder (name, description, genes; tab-separated)."""
    root = data_dir()
    found: dict[str, frozenset[str]] = {}
    for file in files:
        path = (root / FOLDER if root else cache_dir() / FOLDER) / file
        if not path.is_file():
            raise DataUnavailable(f"The gene sets {file} are not on this machine", cure="Set CYTOCRUX_DATA_DIR")
        with _open(path) as stream:
            for line in stream:
                name, about, *genes = line.rstrip("\n").split("\t")
                key = f"{name} {about}" if name.startswith("GO:") else name
                found[key] = frozenset(g for g in genes if g)
    return found


def _triples(resource: Resource) -> Iterator[Edge]:
    """source, interaction (1 or -1), target."""
    with _open(resource.path()) as stream:
        header = next(stream).rstrip("\n").split("\t")
        if header[:3] != ["source", "interaction", "target"]:
            raise BadInput(f"{resource.file} is not the network it should be", why=f"its header is {header[:3]}")
        for line in stream:
            source, sign, target = line.rstrip("\n").split("\t")[:3]
            if sign in ("1", "-1") and source != target:
                yield _edge(source, target, sign == "1", resource.citation)


def _signor(resource: Resource) -> Iterator[Edge]:
    """UniProt codes with stimulation and inhibition flags; an edge that is both or neither is left out."""
    with _open(resource.path(resource.annotation)) as stream:
        names = {row[0]: row[1] for row in (line.rstrip("\n").split("\t") for line in stream)}
    with _open(resource.path()) as stream:
        next(stream)
        for line in stream:
            source, target, _, up, down, _, references = line.rstrip("\n").split("\t")[:7]
            if up != down and source != target:
                yield _edge(names.get(source, source), names.get(target, target), up == "1", references[:200])


def _edge(source: str, target: str, up: bool, reference: str) -> Edge:
    return Edge(source=source, target=target, sign=1 if up else -1, kind="activates" if up else "inhibits",
                reference=reference)  # fmt: skip


def _unique(edges: Iterator[Edge]) -> tuple[Edge, ...]:
    """One edge a key, the first."""
    return tuple({e.key: e for e in edges}.values())


def _open(path: Path) -> Any:
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8")

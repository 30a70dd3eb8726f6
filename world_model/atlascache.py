"""The gene atlas of a data folder, built once and kept in the cache: 20 s the first time, under one second after.

The key is the content of this code's version and the names, sizes and times of the prior files; another file, another
atlas. A file that cannot be read is built anew.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from .data.fetch import cache_dir
from .genepool import GeneAtlas
from .genesets import EXPRESSION_FILE, GMT_FILES, NAMES_FILE, NETWORK_FILES, GeneSets, read_gene_facts
from .vocabulary import content_hash

VERSION = "1"  # of what a block holds; change it with the features


def gene_atlas(folder: Path, *, cache: Path | None = None) -> GeneAtlas:
    """From the cache, else from the files of ``folder`` (and then cached where the cache can be written)."""
    path = cache_dir(cache) / f"gene-atlas-{_key(folder)}.npz"
    if path.is_file():
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            pass  # damaged: built again below
    atlas = GeneAtlas.build(read_gene_facts(folder))
    try:
        _write(path, atlas)
    except OSError:
        pass  # a read-only cache costs time, nothing else
    return atlas


def _key(folder: Path) -> str:
    names = [*GMT_FILES, *(name for name, _ in NETWORK_FILES), NAMES_FILE]
    files = [*(folder / "priors" / name for name in names), folder / EXPRESSION_FILE]
    seen = [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()]
    return content_hash([VERSION, seen])[:16]


def _write(path: Path, atlas: GeneAtlas) -> None:
    member = atlas.member.tocsr()  # type: ignore[attr-defined]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
        np.savez(
            stream,
            genes=np.array(atlas.genes),
            set_genes=np.array(atlas.sets.genes),
            set_names=np.array(atlas.sets.names),
            set_sizes=atlas.sets.sizes,
            data=member.data,
            indices=member.indices,
            indptr=member.indptr,
            **{f"block_{name}": block for name, block in atlas.blocks.items()},  # type: ignore[arg-type]
        )
    os.replace(stream.name, path)


def _read(path: Path) -> GeneAtlas:
    import scipy.sparse as sp

    with np.load(path, allow_pickle=False) as held:
        genes = tuple(held["genes"].tolist())
        names, sizes = tuple(held["set_names"].tolist()), held["set_sizes"]
        parts = (held["data"], held["indices"], held["indptr"])
        member = sp.csr_matrix(parts, shape=(len(genes), len(names)))
        set_genes = tuple(held["set_genes"].tolist())
        at = {g: i for i, g in enumerate(genes)}
        own = member[np.array([at[g] for g in set_genes], dtype=np.intp)]
        blocks = {n.removeprefix("block_"): held[n] for n in held.files if n.startswith("block_")}
    return GeneAtlas(genes, blocks, member, GeneSets(set_genes, names, sizes, own))

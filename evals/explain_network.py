"""The embedded network beside published tables: how many of its edges they have, with the same sign."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from .results import Result

BAR, DRAWS = 0.75, 20
PART = "embedded_edges_supported"


def parts(*, fast: bool = False, data_dir: Path | None = None) -> dict[str, Callable[[], list[Result]]]:
    """Seconds. The part raises DataUnavailable without the published tables."""
    return {PART: partial(run, fast=fast, data_dir=data_dir)}


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """Of the edges between two genes: the share that a table has with the same sign, beside targets dealt anew."""
    from ..world_model.mechanism.signalling import embedded
    from ..world_model.mechanism.support import count, published, standing

    tables = published()
    edges = embedded().edges
    found = count(edges, *tables)
    genes = [e for e in edges if standing(e, *tables) not in ("process", "site") and ":" not in e.source + e.target]
    rng = np.random.default_rng(0)
    dealt = []
    for _ in range(DRAWS // 4 if fast else DRAWS):
        targets = [genes[i].target for i in rng.permutation(len(genes))]
        moved = (e.model_copy(update={"target": t}) for e, t in zip(genes, targets, strict=True))
        dealt.append(count(moved, *tables))
    n = len(genes)
    supported = (found["same"] + found["both"]) / n
    bare = [word for word in contradicted() if not notes().get(word)]
    shares: dict[str, float | None] = {
        "contradicted": found["opposite"] / n, "contradicted, no reason given": len(bare) / n,
        "tables disagree": found["both"] / n, "in no table": 1 - supported - found["opposite"] / n,
        "targets dealt anew": float(np.mean([d["same"] + d["both"] for d in dealt])) / n,
        "dealt anew, contradicted": float(np.mean([d["opposite"] for d in dealt])) / n,
        "reference not looked up": sum("not looked up" in e.reference for e in edges) / len(edges),
    }  # fmt: skip
    return [
        Result(
            name=PART, value=supported, sd=float(np.sqrt(supported * (1 - supported) / n)), n=n, unit="share",
            baselines=shares, bar=f">= {BAR}, every contradiction with its reason",
            passed=supported >= BAR and not bare,
            note="OmniPath, SIGNOR; for transcription CollecTRI and DoRothEA A-C too; the last share is of all edges",
        )
    ]  # fmt: skip


def contradicted() -> list[str]:
    """Edges that published tables have with the other sign only, as words ("A +> B")."""
    from ..world_model.mechanism.signalling import embedded
    from ..world_model.mechanism.support import published, standing

    tables = published()
    return [e.word for e in embedded().edges if standing(e, *tables) == "opposite"]


def notes() -> dict[str, str]:
    """Edge as a word -> why its sign is kept although tables have the other one."""
    from ..world_model.mechanism.signalling import FACTS

    with (FACTS / "signalling.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {f"{r['source']} {'+>' if r['sign'] == '1' else '-|'} {r['target']}": r["note"] for r in rows}

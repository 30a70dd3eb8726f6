"""From a compound or a signature back to targets, for ``cytocrux explain``: each kind of evidence by itself.

Evidence that is not at hand is named with the reason, never replaced by a guess.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..world_model.errors import BadInput, CytocruxError, DataUnavailable, UnknownName

if TYPE_CHECKING:
    import pandas as pd

MOST, LEVEL, DRAWS = 8, 0.05, 200
FAINT = 0.2  # a best label less probable than this is called weak
SHARED = 100  # genes that a signature must share with the plate
QUERY = "(your signature)"


def of_compound(given: str, data: str = "gdsc", workspace: Path | None = None) -> dict[str, Any]:
    """Mechanism and target by structure and by response profile.

    given: a name or SMILES; workspace: where the user's own data sets are named. Raises UnknownName, with near names,
    for what is neither.
    """
    name, smiles, rows = _resolve(given)
    structure, shapes = _by_structure(name, smiles, rows) if rows else ({"missing": _no_library()}, {})
    profile, acts = _by_profile(name, data, workspace, rows)
    return {
        "compound": name or given, "smiles": smiles, "structure": structure, "profile": profile,
        "targets": _together({"structure": shapes, "profile": acts}),
    }  # fmt: skip


def _together(evidence: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Targets by all evidence at hand, weighed as learned on compounds with known targets."""
    from ..world_model.targets.combine import LEARNED

    shares = LEARNED.shares(evidence)
    if not shares:
        return {"missing": "neither structure nor responses name a target"}
    first = sorted(shares.items(), key=lambda kv: (-kv[1], kv[0]))[:MOST]
    return {
        "weights": dict(zip(LEARNED.kinds, LEARNED.values, strict=True)),
        "ranked": [{"target": t, "share": s, **{k: votes.get(t, 0.0) for k, votes in evidence.items()}}
                   for t, s in first],
    }  # fmt: skip


Rows = list[tuple[str, str, frozenset[str], frozenset[str]]]


def _resolve(given: str) -> tuple[str, str, Rows]:
    """(name or "", SMILES or "", library rows)."""
    from rdkit import Chem, rdBase

    from ..world_model.compounds import facts, facts_for
    from ..world_model.data.fetch import data_dir
    from ..world_model.targets.ligands import annotated

    root = data_dir()
    try:
        rows = annotated(root / "drugs") if root else []
    except DataUnavailable:
        rows = []
    by_name = {n.lower(): (n, s) for n, s, _, _ in rows}
    fact = facts_for(given)
    for word in (given, fact.name, *fact.aliases):
        if word.lower() in by_name:
            found, smiles = by_name[word.lower()]
            return (fact.name if fact.known else found), smiles, rows
    if fact.known:
        return fact.name, "", rows
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(given)
    if molecule is None or not molecule.GetNumAtoms():
        raise UnknownName(given, kind="compound (nor is it SMILES)", known=[*facts(), *(n for n, _, _, _ in rows)])
    return "", given, rows


def _no_library() -> str:
    return "no library of annotated drugs is here (tables of the Drug Repurposing Hub in CYTOCRUX_DATA_DIR/drugs)"


def _by_structure(name: str, smiles: str, rows: Rows) -> tuple[dict[str, Any], dict[str, float]]:
    """What is told, and the votes for targets."""
    from ..world_model.compounds import facts_for
    from ..world_model.targets.ligands import Label, Library

    if not smiles:
        return {"missing": f"no structure of {name} is known here; give its SMILES"}, {}
    library = Library.of(rows)
    without = (name, *facts_for(name).aliases) if name else ()
    told: dict[str, Any] = {}
    kinds: tuple[Label, ...] = ("mechanism", "target")
    found = {kind: library.rank(smiles, kind, without=without) for kind in kinds}
    for kind, ranked in found.items():
        told[kind] = [{"label": r.label, "probability": r.probability, "because": r.because} for r in ranked[:MOST]]
    best = told["mechanism"][0]["probability"] if told["mechanism"] else 0.0
    told["verdict"] = "some of the most alike agree" if best >= FAINT else "nothing alike enough is known"
    return told, {r.label: r.score for r in found["target"]}


def _by_profile(name: str, data: str, workspace: Path | None, rows: Rows) -> tuple[dict[str, Any], dict[str, float]]:
    """Classes by likeness of residual sensitivity across lines; p against random sets, times the number of classes.

    Beside it the votes for targets.
    """
    from ..world_model.compounds import facts_for
    from ..world_model.data.registry import entries, load
    from ..world_model.targets.combine import nearest_vote
    from ..world_model.targets.profiles import alike, rank_classes, residual, response_table

    if not name:
        return {"missing": "a structure without a name has no measured profile"}, {}
    known = entries()
    if data in known and known[data].available() in ("not here", "to be fetched"):
        return {"missing": f"the data set {data} is not here"}, {}
    try:
        dataset = load(data, workspace=workspace)
        by_lower = {p.lower(): p for p in dataset.perturbations}
        drug = next((by_lower[w.lower()] for w in (name, *facts_for(name).aliases) if w.lower() in by_lower), name)
        table, block = response_table(dataset, drug)
        classes = {str(d): facts_for(str(d)).mechanism_class for d in table.columns}
        near = alike(residual(table), drug)
        ranked = rank_classes(near, classes)
    except CytocruxError as error:
        return {"missing": str(error)}, {}
    annotated = {n.lower(): t for n, _, t, _ in rows}
    targets = {d: frozenset(facts_for(d).targets) or annotated.get(d.lower(), frozenset()) for d in classes
               if facts_for(d).name != facts_for(drug).name}  # fmt: skip
    first = ranked[0]
    better = first.p * len(ranked) <= LEVEL
    told = {
        "data": dataset.name, "block": block, "contexts": int(table[drug].notna().sum()),
        "classes": [{"label": c.name, "correlation": c.score, "p": c.p, "nearest": dict(c.nearest)}
                    for c in ranked[:MOST]],
        "verdict": f"{first.name} stands nearer than chance" if better else "no class stands nearer than chance",
    }  # fmt: skip
    return told, nearest_vote({str(d): float(r) for d, r in near.items()}, targets)


def of_signature(path: Path) -> dict[str, Any]:
    """Factors whose regulons moved, and targets of the compounds that change the same genes.

    path: CSV with columns gene and log2fc. Raises BadInput, with the line, where it cannot be used.
    """
    changes = read_signature(path)
    return {"genes": len(changes), "regulons": _regulons(changes), "signatures": _signatures(changes)}


def read_signature(path: Path) -> dict[str, float]:
    """Gene -> log2 fold change; empty cells are left out. Raises BadInput."""
    cure = "Write one gene a line: gene,log2fc"
    try:
        with path.expanduser().open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = {str(c).strip().lower(): c for c in reader.fieldnames or ()}
            if not {"gene", "log2fc"} <= set(columns):
                raise BadInput(f"{path.name} is not a signature", why="it lacks the columns gene and log2fc", cure=cure)
            lines = [((r[columns["gene"]] or "").strip(), (r[columns["log2fc"]] or "").strip()) for r in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read", why=str(error), cure=cure) from error
    changes: dict[str, float] = {}
    for number, (gene, text) in enumerate(lines, start=2):
        if not gene or not text:
            continue
        try:
            value = float(text)
        except ValueError:
            value = math.inf
        if math.isinf(value):
            raise BadInput(f"{path.name}, line {number}: {text!r} is no fold change", cure="Give numbers in log2")
        if gene in changes:
            raise BadInput(f"{path.name}, line {number}: {gene} stands there twice", cure="Average its rows first")
        if not math.isnan(value):
            changes[gene] = value
    if not changes:
        raise BadInput(f"{path.name} holds no fold changes", cure=cure)
    return changes


def _regulons(changes: dict[str, float]) -> dict[str, Any]:
    from ..world_model.mechanism.activities import activities
    from ..world_model.mechanism.resources import load_regulons

    try:
        found = activities(changes, load_regulons("collectri"))
    except CytocruxError as error:
        return {"missing": str(error)}
    rows: list[dict[str, Any]] = [
        {"factor": str(name), "activity": float(r["activity"]), "p": float(r["p"]), "q": float(r["q"])}
        for name, r in found.head(MOST).iterrows()
    ]
    sure = int((found["q"] <= LEVEL).sum())
    return {"factors": rows, "verdict": f"{sure} of {len(found)} hold at a false discovery rate of {LEVEL:.0%}"}


def _signatures(changes: dict[str, float]) -> dict[str, Any]:
    """The A375 plate as library; p: the changes dealt anew over the genes (lenient: genes move together)."""
    import pandas as pd

    from ..world_model.data.fetch import data_dir
    from ..world_model.data.registry import entries
    from ..world_model.targets.signatures import l1000_signatures

    root = data_dir()
    if root is None or entries()["l1000"].available() == "not here":
        return {"missing": "no library of signatures is here (the data set l1000)"}
    plate = l1000_signatures(root / "l1000")
    shared = [g for g in plate.columns if g in changes]
    if len(shared) < SHARED:
        return {"missing": f"{len(shared)} genes are shared with the library of signatures; {SHARED} are needed"}
    mine = pd.DataFrame([[changes[g] for g in shared]], index=[QUERY], columns=shared)
    return _votes(pd.concat([plate[shared], mine]))


def _votes(signatures: pd.DataFrame) -> dict[str, Any]:
    import numpy as np

    from ..world_model.compounds import facts_for
    from ..world_model.targets.signatures import vote

    targets = {str(d): facts_for(str(d)).targets for d in signatures.index if facts_for(str(d)).targets}
    if not targets:
        return {"missing": "no compound of the library of signatures has a known target"}
    votes = vote(signatures, QUERY, targets)
    best = max(votes.values(), default=0.0)
    rng, dealt = np.random.default_rng(0), signatures.copy()
    null = []
    for _ in range(DRAWS):
        dealt.loc[QUERY] = rng.permutation(signatures.loc[QUERY].to_numpy())
        null.append(max(vote(dealt, QUERY, targets).values(), default=0.0))
    p = (1 + sum(v >= best for v in null)) / (DRAWS + 1)
    near = signatures.T.corr()[QUERY].drop(QUERY).sort_values(ascending=False)
    return {
        "targets": [{"target": t, "score": v} for t, v in sorted(votes.items(), key=lambda kv: -kv[1])[:MOST]],
        "nearest": {str(d): float(r) for d, r in near.head(MOST).items()}, "p": p,
        "verdict": "nearer than changes dealt over the genes" if p <= LEVEL else "no target better than chance",
    }  # fmt: skip

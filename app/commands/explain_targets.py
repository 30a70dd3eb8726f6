"""What ``cytocrux explain --compound`` and ``--signature`` print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..console import Progress, emit, say, table


def show_compound(given: str, data: str, workspace: Path | None = None, *, as_json: bool) -> None:
    from ..targets import of_compound

    with Progress(quiet=as_json) as progress:
        progress(f"comparing {given} with annotated drugs, and its responses with those in {data}")
        told = of_compound(given, data, workspace)
    if as_json:
        emit(told)
        return
    say(f"{told['compound']}: {told['smiles'] or 'structure not known here'}")
    structure, profile = told["structure"], told["profile"]
    if not _missing("Structure", structure):
        say(f"Structure: {structure['verdict']} (itself and its copies do not vote).")
        for kind in ("mechanism", "target"):
            rows = [(r["label"], f"{r['probability']:.2f}", r["because"]) for r in structure[kind]]
            table((kind.capitalize(), "Probability", "Because"), rows, wide=("Because",))
    if not _missing("Response profile", profile):
        say(f"Response profile ({profile['block']}, {profile['contexts']} lines): {profile['verdict']}.")
        near = [(c["label"], f"{c['correlation']:.2f}", f"{c['p']:.4f}",
                 ", ".join(f"{d} {v:.2f}" for d, v in c["nearest"].items())) for c in profile["classes"]]  # fmt: skip
        table(("Class", "Correlation", "p", "Nearest"), near, wide=("Nearest",))
    together = told["targets"]
    if not _missing("Targets", together):
        say("Targets by both, weighed as learned on compounds with known targets; shares sum to one over all named:")
        best = [(r["target"], f"{r['share']:.2f}", f"{r['structure']:.2f}", f"{r['profile']:.2f}")
                for r in together["ranked"]]  # fmt: skip
        table(("Target", "Share", "Structure", "Profile"), best)


def show_signature(path: Path, *, as_json: bool) -> None:
    from ..targets import of_signature

    told = of_signature(path)
    if as_json:
        emit(told)
        return
    regulons, near = told["regulons"], told["signatures"]
    if not _missing("Regulons", regulons):
        say(f"Regulons: {regulons['verdict']}.")
        rows = [(r["factor"], f"{r['activity']:+.2f}", f"{r['p']:.3g}", f"{r['q']:.3g}") for r in regulons["factors"]]
        table(("Factor", "Activity", "p", "q"), rows)
    if not _missing("Signatures of compounds", near):
        say(f"Signatures of compounds: {near['verdict']} (p {near['p']:.3f}).")
        say("Nearest: " + ", ".join(f"{d} {r:.2f}" for d, r in near["nearest"].items()))
        table(("Target", "Vote"), [(r["target"], f"{r['score']:.2f}") for r in near["targets"]])


def _missing(name: str, evidence: dict[str, Any]) -> bool:
    if "missing" in evidence:
        say(f"{name}: not at hand: {evidence['missing']}")
        return True
    return False

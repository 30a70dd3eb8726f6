"""``cytocrux explain``: from a measured response to its smallest mechanism, beside chance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Json, Workspace
from .explain_targets import show_compound, show_signature

if TYPE_CHECKING:
    from ...world_model.mechanism.condition import Condition
    from ...world_model.mechanism.explanation import Explanation

GENES_FOR_ACTIVITIES = 200  # from so many genes on, factors are inferred rather than read


def explain(
    perturbation: Annotated[str | None, typer.Option(metavar="NAME", help="A perturbation of the data set.")] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="Cell line or type.")] = None,
    compound: Annotated[
        str | None, typer.Option(metavar="NAME|SMILES", help="Instead: rank what this compound hits.")
    ] = None,
    signature: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Instead: what made these changes (gene,log2fc)?")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Data set or file; default rppa, with --compound gdsc.")
    ] = None,
    network: Annotated[
        str, typer.Option(metavar="embedded|omnipath|signor|cosmos|FILE", help="Signed network to explain with.")
    ] = "embedded",
    dose: Annotated[float | None, typer.Option(metavar="UM", help="Dose; default: the strongest response.")] = None,
    time: Annotated[float | None, typer.Option(metavar="H", help="Time; default: the strongest response.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="NODE", help="Perturbed node, + in front where raised. Repeatable.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="EDGE", help="An edge refuted, as 'A +> B' or 'A -| B'. Repeatable.")
    ] = None,
    longest: Annotated[
        int | None, typer.Option(metavar="N", help="Longest path, in edges; default 10, in large networks 4.", min=1)
    ] = None,
    draws: Annotated[int, typer.Option(metavar="N", help="Draws of each control.", min=19, max=9999)] = 39,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the controls.")] = 0,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write cascade.svg, .png and .json here.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Explain one measured response by the smallest cascade through a signed network, beside its controls.

    An explanation that a random target, dealt-out measurements or a rewired network match as well is not offered.
    Beside it stand what the changed genes share and which perturbations act alike, each with a test of its own.
    With --compound or --signature: from a structure, or from changes of genes, back to targets and mechanisms.
    """
    from ...world_model.data import effects, load
    from ...world_model.mechanism.condition import choose
    from ...world_model.mechanism.explain import explain as mechanistic
    from ...world_model.mechanism.resources import load_network
    from ...world_model.mechanism.signalling import targets_of

    perturbation, context = _one_question(perturbation, context, compound, signature)
    if compound is not None:
        return show_compound(compound, data or "gdsc", workspace, as_json=as_json)
    if signature is not None:
        return show_signature(signature, as_json=as_json)
    data = data or "rppa"
    with Progress(quiet=as_json) as progress:
        graph = load_network(network)
        forbidden = [_edge(word) for word in without or ()]
        progress(f"reading {data}")
        measured = effects(load(data, workspace=workspace))
        chosen = choose(measured, perturbation, context, dose=dose, time_h=time)
        inputs = _inputs(target) if target else targets_of(chosen.perturbation, chosen.kind, graph)
        changes = list(chosen.changes)
        if len(changes) >= GENES_FOR_ACTIVITIES:
            from ...world_model.mechanism.activities import activities, as_changes
            from ...world_model.mechanism.resources import load_regulons

            progress("inferring the activity of transcription factors")
            found = activities({g: d for g, d, _ in changes}, load_regulons("collectri"))
            changes = as_changes(found)
        progress(f"explaining {len(changes)} readouts on {network} ({len(graph.edges):,} edges), then its controls")
        answer = mechanistic(
            graph, inputs, changes, perturbation=chosen.perturbation, context=chosen.context, dose=chosen.dose,
            time_h=chosen.time_h, draws=draws, seed=seed, forbidden=forbidden, longest=longest,
        )  # fmt: skip
        progress("looking for what the changes share, and for responses alike")
        beside = {"semantic": _semantic(chosen), "nearness": _nearness(measured, chosen.perturbation, seed)}
    written = _write(answer, out) if out is not None else []
    if as_json:
        emit({
            "explanation": answer.model_dump(mode="json"),
            **{kind: x if isinstance(x, str) else x.model_dump(mode="json") for kind, x in beside.items()},
            "targets": inputs, "conditions_to_choose_from": chosen.of, "files": [str(p) for p in written],
        })  # fmt: skip
        return
    _show(answer)
    _show_beside(beside)
    for path in written:
        say(f"Written: {path}")


def _one_question(
    perturbation: str | None, context: str | None, compound: str | None, signature: Path | None
) -> tuple[str, str]:
    """Perturbation and context, empty where another question is asked. Raises BadInput unless exactly one is."""
    from ...world_model.errors import BadInput

    response = perturbation is not None or context is not None
    if response + (compound is not None) + (signature is not None) > 1:
        raise BadInput(
            "Two questions at once", cure="Give --perturbation with --context, or --compound, or --signature"
        )
    if compound is None and signature is None and (perturbation is None or context is None):
        lost = "--perturbation" if perturbation is None else "--context"
        raise BadInput(f"Missing option {lost}", cure="Give --perturbation with --context, --compound or --signature")
    return perturbation or "", context or ""


def _edge(word: str) -> tuple[str, str, int]:
    from ...world_model.errors import BadInput
    from ...world_model.network import key_of

    try:
        return key_of(word)
    except ValueError as error:
        raise BadInput(str(error), cure="Write it as 'A +> B' (activates) or 'A -| B' (inhibits)") from error


def _inputs(words: list[str]) -> dict[str, int]:
    """ "+NODE" raises, "NODE" or "-NODE" lowers."""
    return {w.lstrip("+-"): 1 if w.startswith("+") else -1 for w in words}


def _semantic(chosen: Condition) -> Explanation | str:
    """The reason where the gene sets are not on this machine."""
    from ...world_model.errors import DataUnavailable
    from ...world_model.mechanism.semantic import changed_genes, known_sets, semantic

    try:
        sets = known_sets()
    except DataUnavailable as error:
        return str(error)
    changed, measured = changed_genes(chosen.changes)
    return semantic(chosen.perturbation, changed, measured, sets, context=chosen.context)


def _nearness(measured: object, perturbation: str, seed: int) -> Explanation:
    from ...world_model.compounds import facts_for
    from ...world_model.mechanism.nearness import nearness, profiles

    given = profiles(measured)  # type: ignore[arg-type]
    classes = {n: facts_for(n).mechanism_class for n in given.names if facts_for(n).known}
    return nearness(given, perturbation, classes, seed=seed)


def _write(answer: Explanation, out: Path) -> list[Path]:
    from ...world_model.errors import BadInput
    from ...world_model.mechanism import picture

    try:
        out.mkdir(parents=True, exist_ok=True)
        files = [out / "cascade.svg", out / "cascade.png", out / "explanation.json"]
        files[0].write_text(picture.svg(answer), encoding="utf-8")
        picture.png(answer, files[1])
        files[2].write_text(answer.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"Cannot write to {out}", why=str(error), cure="Name a folder that can be written") from error
    return files


def _show(answer: Explanation) -> None:
    from ...world_model.mechanism.picture import headline

    say(headline(answer))
    say(f"{answer.verdict[:1].upper()}{answer.verdict[1:]}.")
    possible = answer.possible or 0.0
    say(f"Score {answer.score:.2f} of {possible:.2f}; solver: {answer.status}, gap {answer.gap or 0:.2%}; "
        f"{answer.solutions} near-optimal cascades.")  # fmt: skip
    say()
    nodes = {n.name: n for n in answer.nodes}
    rows = []
    for e in answer.edges:
        if e.best:
            node = nodes[e.target]
            sign = {1: "up", -1: "down", 0: "—"}[node.predicted]
            seen = "; ".join(f"{r.readout} {r.delta:+.2f}" for r in node.readouts)
            rows.append((e.word, e.kind, f"{e.frequency:.0%}", sign, seen, e.reference))
    if rows:
        table(("Edge", "Kind", "Frequency", "Predicted", "Measured", "Reference"), rows, wide=("Measured", "Reference"))
    if answer.controls:
        table(
            ("Control", "p", "e", "Mean score", "Best", "Draws"),
            [(c.name, c.p, c.e, c.mean, c.most, str(c.n)) for c in answer.controls],
        )
    if answer.unexplained:
        say(f"Changed but not explained: {', '.join(answer.unexplained)}.")


def _show_beside(beside: dict[str, Explanation | str]) -> None:
    """The other two kinds of explanation, each with its own test; a text is the reason why there is none."""
    heads = {"semantic": ("What the changes share", "Set", "Overlap"),
             "nearness": ("Responses alike", "Nearest", "Class and likeness")}  # fmt: skip
    for kind, found in beside.items():
        title, what, why = heads[kind]
        if isinstance(found, str):
            say(f"{title}: not at hand: {found}.")
            continue
        say(f"{title} ({'; '.join(filter(None, (found.kind, found.status)))}): {found.verdict}.")
        if found.offered:
            rows = [(e.target, "—" if kind == "nearness" else "up" if e.sign > 0 else "down", e.reference)
                    for e in found.edges]  # fmt: skip
            table((what, "Direction", why), rows, wide=(what, why))

"""``cytocrux campaign hits``: find the hits of a large pool, round by round, with or without a lab at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Json, Workspace

if TYPE_CHECKING:
    from ...agents.hits.campaign import HitCampaign, Proposal
    from ...agents.hits.files import Measured

SHOWN = 10  # proposals on the screen; the CSV has all


def hits(
    pool: Annotated[Path, typer.Option(metavar="FILE.csv", help="The pool: one gene or compound a line.")],
    question: Annotated[str, typer.Option(metavar="TEXT", help="What a hit should do, in plain words.")],
    oracle: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="A finished screen answers: name, score and hit.")
    ] = None,
    measured: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Everything measured so far: name, score and hit.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="SIZE", help="A score this far from zero is a hit (without a hit column).")
    ] = None,
    side: Annotated[str, typer.Option(metavar="both|up|down", help="On which side of zero hits lie.")] = "both",
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Rounds against the oracle.")] = 5,
    batch: Annotated[int, typer.Option(min=1, max=20_000, help="Members a round.")] = 128,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Replays of each arm, on other seeds.")] = 1,
    kind: Annotated[str, typer.Option(metavar="auto|gene|compound", help="What the pool holds.")] = "auto",
    policy: Annotated[str, typer.Option(metavar="NAME", help="How to choose: ours, thompson, ucb, random, …")] = "ours",
    noise_sd: Annotated[
        float | None, typer.Option(metavar="SD", help="Noise of one score, from replicates: stakes claims.")
    ] = None,
    llm: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A language model may add words of the vocabulary to the question."),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model's name at that endpoint.")] = None,
    seed: Annotated[int, typer.Option(help="Ties are broken by this seed.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the batch, the history and the curves.")] = Path(
        "hits"
    ),
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Find the hits of a pool of thousands.

    Without an oracle: proposes the next batch as a CSV with the reasons; fill in score and hit, give it back with
    --measured (all rounds in one file), repeat. With an oracle: replays all rounds and draws the curves; with its
    --threshold and --noise-sd too, through the lab: claims are registered, the policy "replay" approves (only readings
    that exist already are revealed), the ledger keeps all of it, and the same again resumes.
    """
    from ...agents.hits.campaign import HitCampaign
    from ...agents.hits.files import read_measured, read_pool, write_batch
    from ...world_model.data.fetch import data_dir
    from ...world_model.errors import BadInput, DataUnavailable

    if side not in ("both", "up", "down"):
        raise BadInput(f"--side {side} is none", cure="Use both, up or down")
    if kind not in ("auto", "gene", "compound"):
        raise BadInput(f"--kind {kind} is none", cure="Use auto, gene or compound")
    if noise_sd is not None and threshold is None:
        raise BadInput("Claims need a threshold", cure="Give --threshold with --noise-sd")
    if (llm is None) != (model is None):
        raise BadInput("A language model needs an endpoint and a name", cure="Give --llm with --model")
    if oracle is not None and measured is not None:
        raise BadInput("An oracle and measured results together", cure="Give one of them")
    folder = data_dir()
    if folder is None:
        raise DataUnavailable(
            "No prior knowledge at hand", cure="Set CYTOCRUX_DATA_DIR to a folder with the gene sets under priors/"
        )
    names = read_pool(pool)
    told = None
    if (given := oracle or measured) is not None:
        told = read_measured(given, names, threshold=threshold, side=side)  # type: ignore[arg-type]
    out.mkdir(parents=True, exist_ok=True)
    with Progress(quiet=as_json) as progress:
        asked = question if llm is None else _widened(names, question, llm, model or "", workspace, progress)
        progress("reading what is known of the pool")
        campaign = HitCampaign.begin(
            names, asked, folder, kind=None if kind == "auto" else kind, policy=policy, seed=seed  # type: ignore[arg-type]
        )  # fmt: skip
        if oracle is not None and told is not None and noise_sd is not None and threshold is not None:
            _in_lab(campaign, question, told, (threshold, noise_sd, side), rounds, batch, workspace, progress, as_json)
            return
        if oracle is not None and told is not None:
            _replay(campaign, told, rounds, batch, repeats, out, progress, as_json)
            return
        if told is not None:
            campaign.learn(told.rows, told.score, told.hit)
        progress("choosing the next batch")
        proposals = campaign.propose(batch)
    target = out / "next_batch.csv"
    write_batch(target, proposals)
    ledgered: dict[str, Any] = {}
    if noise_sd is not None and threshold is not None:
        ledgered = _stake(campaign, names, question, proposals, told, (threshold, noise_sd, side), workspace)
    facts = ledgered | {
        "kind": campaign.kind, "pool": len(names), "measured": 0 if told is None else len(told.rows),
        "hits": 0 if told is None else int(told.hit.sum()), "concepts": campaign.concepts,
        "leans_on": campaign.weights(), "batch": str(target),
    }  # fmt: skip
    if as_json:
        emit(facts | {"proposals": [_json(p) for p in proposals]})
        return
    _understood(campaign.concepts)
    table(("Rank", "Name", "Because of the question", "Because of results"),
          [(p.rank, p.name, "; ".join(p.sets), _near(p)) for p in proposals[:SHOWN]],
          wide=("Because of the question", "Because of results"))  # fmt: skip
    if ledgered:
        judged = ", ".join(f"{n} {status}" for status, n in ledgered["judged"].items()) or "none yet"
        say(f"Claims judged: {judged}; staked with this batch: {ledgered['staked']} (cytocrux claims list)")
    say(f"{len(proposals)} to measure next: {target}")
    say("Fill in score and hit, collect all rounds in one file, and give it back with --measured.")


def _replay(
    campaign: HitCampaign, told: Measured, rounds: int, batch: int, repeats: int, out: Path,
    progress: Callable[[str], None], as_json: bool,
) -> None:  # fmt: skip
    import numpy as np

    from ...agents.hits.curves import Played, draw, play
    from ...agents.hits.replay import ARMS

    arms: dict[str, list[Played]] = {}
    for arm in ARMS:
        progress(f"replaying {rounds} rounds of {batch}, arm {arm}")
        arms[arm] = [play(campaign.fresh(s), told, rounds, batch, arm, seed=s) for s in range(repeats)]
    history, picture = out / "history.csv", out / "curves.png"
    arms["true"][0].write(history, campaign.view.features.names)
    draw(picture, arms, batch / len(told.rows))
    share = {arm: np.mean([p.share for p in many], axis=0) for arm, many in arms.items()}
    facts: dict[str, Any] = {
        "kind": campaign.kind, "pool": len(told.rows), "hits": int(told.hit.sum()), "concepts": campaign.concepts,
        "repeats": repeats, "share_found": {arm: [round(float(v), 6) for v in values] for arm, values in share.items()},
        "history": str(history), "curves": str(picture),
    }  # fmt: skip
    if as_json:
        emit(facts)
        return
    _understood(campaign.concepts)
    table(("Round", *(a.replace("_", " ") for a in arms)),
          [(i + 1, *(f"{values[i]:.1%}" for values in share.values())) for i in range(rounds)],
          title="Share of all hits found")  # fmt: skip
    say(f"History: {history}\nCurves: {picture}")


def _in_lab(
    campaign: HitCampaign, question: str, told: Measured, terms: tuple[float, float, str], rounds: int, batch: int,
    workspace: Path, progress: Callable[[str], None], as_json: bool,
) -> None:  # fmt: skip
    """The finished screen as a lab: each round registered, approved by the policy, revealed, judged."""
    from ...agents.hits.loop import run_rounds, statuses
    from ...agents.hits.stakes import Terms, campaign_id
    from ...knowledge.ledger import Ledger
    from ...tools.lab.pool import PoolLab

    names = campaign.view.features.names
    place = campaign_id(names, question)
    scores = {names[int(r)]: float(s) for r, s in zip(told.rows, told.score, strict=True)}
    progress(f"{rounds} rounds of {batch} through the lab")
    with Ledger.open(workspace) as ledger:
        lab = PoolLab(scores, ledger, place)
        found = run_rounds(ledger, campaign, lab, question, Terms(*terms), rounds, batch)  # type: ignore[arg-type]
        judged = statuses(ledger, place)
    every = int(told.hit.sum())
    hits = [int(r.hit.sum()) for r in found]
    if as_json:
        emit({"campaign": place, "kind": campaign.kind, "pool": len(scores), "hits": every, "found": hits,
              "claims": judged, "concepts": campaign.concepts})  # fmt: skip
        return
    _understood(campaign.concepts)
    table(("Round", "Measured", "Hits", "Share of all hits so far"),
          [(i + 1, len(r.names), n, f"{sum(hits[: i + 1]) / max(every, 1):.1%}")
           for i, (r, n) in enumerate(zip(found, hits, strict=True))])  # fmt: skip
    say(f"Claims of {place}: " + ", ".join(f"{n} {status}" for status, n in judged.items()))
    say("The same command again goes on from the ledger (cytocrux claims list).")


def _widened(
    names: Sequence[str], question: str, llm: str, model: str, workspace: Path, progress: Callable[[str], None]
) -> str:
    """The question with the words that the model adds; the decision is in the ledger, and asked for once."""
    from ...agents.hits.stakes import campaign_id
    from ...agents.llm.client import open_client
    from ...agents.minds.asking import Asker, DecisionRecord
    from ...agents.minds.hit_words import widened
    from ...agents.spec import LLMSpec
    from ...knowledge.ledger import Ledger

    place = campaign_id(names, question)
    limits, options = (spec := LLMSpec(url=llm, model=model)).bounds()
    client = open_client(
        llm, spec.models, limits=limits, options=options, outbox=workspace / "llm" / place / "answers"
    )  # fmt: skip
    records: list[DecisionRecord] = []
    asked = widened(question, Asker(client, "builtin", records.append))
    with Ledger.open(workspace) as ledger:
        ledger.append(
            "campaign_started", {"campaign": place, "question": question}, campaign=place, key=f"{place}/start"
        )
        for record in records:
            payload = record.model_dump(mode="json")
            if not any(e.payload == payload for e in ledger.events("mind_decision", campaign=place)):
                ledger.append("mind_decision", payload, campaign=place)
    said = asked.removeprefix(question).strip(" ()")
    why = records[0].reason if records and records[0].fallback else ""
    progress(f"the language model adds: {said or 'nothing'}" + (f" ({why})" if why else ""))
    return asked


def _stake(
    campaign: HitCampaign, names: Sequence[str], question: str, proposals: Sequence[Proposal], told: Measured | None,
    terms: tuple[float, float, str], workspace: Path,
) -> dict[str, Any]:  # fmt: skip
    """Judge the claims whose results came back, then stake those of the new batch."""
    from ...agents.hits.stakes import Terms, campaign_id, settle, stake
    from ...knowledge.ledger import Ledger

    with Ledger.open(workspace) as ledger:
        scores = {} if told is None else {names[r]: float(s) for r, s in zip(told.rows, told.score, strict=True)}
        statuses = settle(ledger, names, question, scores)
        staked = stake(ledger, campaign, question, proposals, Terms(terms[0], terms[1], terms[2]))  # type: ignore[arg-type]
    counts = {s: sum(1 for v in statuses.values() if v == s) for s in sorted(set(statuses.values()))}
    return {"campaign": campaign_id(names, question), "judged": counts, "staked": len(staked)}


def _understood(concepts: dict[str, float]) -> None:
    strongest = sorted(concepts.items(), key=lambda item: -item[1])[:8]
    words = ", ".join(f"{name.replace('_', ' ')} {weight:.2f}" for name, weight in strongest)
    say(f"Understood as: {words}" if words else "The question raises no member of this pool: the first batch is drawn.")


def _near(p: Proposal) -> str:
    return ", ".join(f"{name} {pull:+.3f}" for name, pull in p.neighbours)


def _json(p: Proposal) -> dict[str, Any]:
    return {
        "rank": p.rank, "name": p.name, "expected": None if p.expected != p.expected else p.expected,
        "sets": list(p.sets), "neighbours": {name: pull for name, pull in p.neighbours},
    }  # fmt: skip

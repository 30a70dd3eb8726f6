"""Every sentence of an answer with the ledger entries that support it; a sentence without support is cut.

Nothing here reads the code that wrote the sentence: facts are computed again from the events. A sentence stands where
a claim that it quotes exists and has the status it is given, every number in it is one of the campaign's figures as
printed, and a counted noun ("24 wells") has that very count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from ..knowledge.claims import Claim, Status
from ..knowledge.events import Event
from ..knowledge.status import ClaimState, replay
from ..knowledge.trial import TrialState, on_record

REFUTED: frozenset[Status] = frozenset(("falsified", "conflict", "undermined"))
VERDICTS: dict[str, frozenset[Status]] = {
    "Corroborated": frozenset(("corroborated",)),
    "Refuted": frozenset(("falsified",)),
    "Undermined": frozenset(("undermined",)),
    "In conflict": frozenset(("conflict",)),
}
_QUOTE = re.compile(rf"^({'|'.join(VERDICTS)}): (.+)$", re.S)
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?%?(?![\w])")
_COUNT = re.compile(
    rf"(\d+) (claims?|wells?|compounds?|mechanism classe?s?|experiments?|{'|'.join(get_args(Status))}|of them)\b"
)
_SCALE = "-1..1"  # of the mean score: a scale, no figure
_VERDICT = {"better than": "model", "worse than": "baseline", "not yet told apart": "undecided"}


@dataclass(frozen=True)
class Told:
    """kept: sentence -> numbers of the ledger entries behind it; cut: sentence -> what lacks support."""

    kept: tuple[tuple[str, tuple[int, ...]], ...]
    cut: tuple[tuple[str, str], ...]


@dataclass
class _Facts:
    """The campaign's figures from its ledger. counts: noun -> (count, entries); figures: printed numbers."""

    context: str
    claims: dict[str, ClaimState]
    counts: dict[str, tuple[int, tuple[int, ...]]]
    trial: TrialState
    entries: tuple[int, ...]  # of the evidence: the trial rests on it
    looks: dict[str, tuple[int, ...]] = field(default_factory=dict)


class _Unsupported(Exception):
    """What lacks support."""


def check(answer: Mapping[str, Any], events: Sequence[Event], campaign: str = "") -> Told:
    """The summary of ``answer`` against the ledger. ``campaign``: "" = the last one that set a goal."""
    known = _facts(events, answer, campaign or _last_campaign(events))
    kept, cut = [], []
    for sentence in answer.get("summary", ()):
        try:
            kept.append((sentence, _support(sentence, known)))
        except _Unsupported as why:
            cut.append((sentence, str(why)))
    return Told(tuple(kept), tuple(cut))


def supported(answer: Mapping[str, Any], events: Sequence[Event], campaign: str) -> dict[str, Any]:
    """The answer without its unsupported sentences; ``support``: entries per sentence; ``cut_sentences``: how many."""
    told = check(answer, events, campaign)
    return dict(answer) | {
        "summary": [sentence for sentence, _ in told.kept],
        "support": [list(entries) for _, entries in told.kept],
        "cut_sentences": len(told.cut),
    }


def _support(sentence: str, known: _Facts) -> tuple[int, ...]:
    quoted = _QUOTE.match(sentence)
    if quoted:
        return _quoted_claim(quoted.group(1), quoted.group(2), known)
    if sentence.startswith("Nothing was settled"):
        settled = [c for c in known.claims.values() if c.status == "corroborated" or c.status in REFUTED]
        if settled:
            raise _Unsupported(f"{len(settled)} claims are settled")
        return known.counts["claim"][1] or known.entries or (1,)
    text = sentence.replace(known.context, " ").replace(_SCALE, " ")
    entries: set[int] = set()
    for number, noun in _COUNT.findall(text):
        count, behind = known.counts[_singular(noun)]
        if int(number) != count:
            raise _Unsupported(f"{number} {noun}: the ledger has {count}")
        entries.update(behind)
    rest = _COUNT.sub(" ", text)
    words = [leader for word, leader in _VERDICT.items() if word in rest]
    if words and words != [known.trial.leader]:
        raise _Unsupported(f"the trial's leader is {known.trial.leader}")
    figures = _NUMBER.findall(rest)
    printed = _printed(known.trial)
    for figure in figures:
        if figure not in printed:
            raise _Unsupported(f"no record holds the figure {figure}")
    if figures or words:
        entries.update(known.entries)
    if not entries:
        raise _Unsupported("it rests on no entry")
    return tuple(sorted(entries))


def _quoted_claim(verdict: str, words: str, known: _Facts) -> tuple[int, ...]:
    """Entries of the claim of that sentence and of its evidence, where its status is the one it is given."""
    same = [c for c in known.claims.values() if c.claim.sentence == words]
    if not same:
        raise _Unsupported("no claim of this campaign says so")
    fitting = [c for c in same if c.status in VERDICTS[verdict]]
    if not fitting:
        raise _Unsupported(f"its status is {same[0].status}")
    return tuple(sorted({n for c in fitting for n in (c.seq, *known.looks.get(c.claim.id, ()))}))


def _facts(events: Sequence[Event], answer: Mapping[str, Any], campaign: str) -> _Facts:
    states = replay(events)
    proposed = {
        Claim.model_validate(e.payload["claim"]).id: e.seq
        for e in reversed(events)
        if e.kind == "claim_proposed" and e.campaign == campaign
    }
    mine = {c: states[c] for c in proposed}
    goal: dict[str, Any] = next(
        (e.payload["goal"] for e in events if e.kind == "goal_set" and e.campaign == campaign), {}
    )
    evidence = [e for e in events if e.kind == "evidence_added"]
    revealed = [e for e in events if e.kind == "wells_revealed" and e.campaign == campaign]
    trial, behind = on_record(events, str(goal.get("dataset", "")))
    looks: dict[str, tuple[int, ...]] = {}
    for e in evidence:
        claim_id = str(e.payload["evidence"]["batch"]["claim_id"])
        looks[claim_id] = (*looks.get(claim_id, ()), e.seq)
    panel = [row for row in answer.get("panel", ()) if row.get("claim_id") in mine]
    of_panel = tuple(sorted(proposed[row["claim_id"]] for row in panel))
    held = [row for row in panel if mine[row["claim_id"]].status == "corroborated"]
    counts: dict[str, tuple[int, tuple[int, ...]]] = {
        "claim": (len(mine), tuple(sorted(proposed.values()))),
        "well": (sum(len(e.payload["wells"]) for e in revealed), tuple(e.seq for e in revealed)),
        "compound": (len(panel), of_panel),
        "mechanism class": (len({row.get("mechanism_class") for row in panel}), of_panel),
        "of them": (len(held), of_panel),
        "experiment": (trial.experiments, behind),
    }
    for status in get_args(Status):
        ids = [c for c, state in mine.items() if state.status == status]
        entries = {n for c in ids for n in (proposed[c], *looks.get(c, ()))}
        counts[status] = (len(ids), tuple(sorted(entries)))
    context = str(goal.get("context", {}).get("name", "")) or "\x00"
    return _Facts(context, mine, counts, trial, behind, looks)


def _printed(trial: TrialState) -> set[str]:
    """The trial's figures in the ways a sentence prints them."""
    values = [trial.e_model, trial.e_baseline, *([] if trial.advantage is None else [trial.advantage])]
    return {format(v, spec) for v in values for spec in ("+.2f", ".2f", ".2g", ".3g", "g")}


def _singular(noun: str) -> str:
    if noun.startswith("mechanism class"):
        return "mechanism class"
    return noun if noun in get_args(Status) or noun == "of them" else noun.rstrip("s")


def _last_campaign(events: Sequence[Event]) -> str:
    return next((str(e.campaign) for e in reversed(events) if e.kind == "goal_set"), "")

"""What a ledger must show after a campaign, whatever its mind did."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..knowledge.claims import Claim
from ..knowledge.ledger import Ledger
from ..knowledge.status import ClaimState, replay

if TYPE_CHECKING:
    import anndata

ONCE = ("goal_set", "answer", "campaign_finished")


def duplicate_effects(ledger: Ledger) -> int:
    """Things done twice: runs of one design, wells revealed again, evidence, goals, answers."""
    seen: Counter[tuple[object, ...]] = Counter()
    for event in ledger.events():
        p, where = event.payload, event.campaign
        if event.kind in ONCE:
            seen[(where, event.kind)] += 1
        elif event.kind == "run_submitted":
            seen[(where, "run", p["design_hash"])] += 1
        elif event.kind == "wells_revealed":
            seen.update((where, "well", w) for w in p["wells"])
        elif event.kind == "evidence_added":
            batch = p["evidence"]["batch"]
            seen[("evidence", batch["claim_id"], batch["index"])] += 1
    return sum(n - 1 for n in seen.values())


def wells_over(ledger: Ledger, wells: int) -> int:
    """Campaigns that revealed more wells than their budget."""
    spent: Counter[str | None] = Counter()
    for event in ledger.events(kind="wells_revealed"):
        spent[event.campaign] += len(event.payload["wells"])
    return sum(n > wells for n in spent.values())


def verdicts(one: Ledger, two: Ledger) -> tuple[int, int]:
    """(claims that both tested on the same data, those of them whose status or e-values differ)."""
    first, second = replay(one.events()), replay(two.events())
    shared = differ = 0
    for claim_id in first.keys() & second.keys():
        a, b = first[claim_id], second[claim_id]
        if not a.batches or [x.data_hash for x in a.batches] != [x.data_hash for x in b.batches]:
            continue
        if a.prediction != b.prediction:
            continue
        shared += 1
        differ += _verdict(a) != _verdict(b)
    return shared, differ


def _verdict(state: ClaimState) -> tuple[object, ...]:
    """Status, estimate and e-values; not the ids of the campaign that measured."""
    found = state.evidence
    return (state.status, *((found.estimate, found.se, found.e_for, found.e_against) if found else ()))


def without_words(ledger: Ledger) -> tuple[int, int]:
    """(tested claims, those whose verdict changes once every word of a mind is taken out of them).

    The same wells, the same registered test, but no mechanism, refutation, origin or kind: what a built-in mind that
    says nothing would have tested.
    """
    from ..knowledge.evalues import assess

    tested = differ = 0
    for state in replay(ledger.events()).values():
        if state.evidence is None or state.prediction is None:
            continue
        plain = {"mechanism": "", "refuted_by": "", "origin": "builtin", "kind": "response", "sentence": "x"}
        mute = state.claim.model_copy(update=plain)
        again = assess(mute, state.prediction, state.batches)
        tested += 1
        same = (again.estimate, again.se, again.e_for, again.e_against)
        found = state.evidence
        differ += mute.id != state.claim.id or same != (found.estimate, found.se, found.e_for, found.e_against)
    return tested, differ


def uncited(ledger: Ledger) -> tuple[int, int]:
    """(citations, those whose note is not in the ledger or does not hold the quote)."""
    texts = {e.seq: str(e.payload["text"]) for e in ledger.events(kind="note")}
    cited = [e.payload for e in ledger.events(kind="note_cited")]
    squeezed = {n: "".join(filter(str.isalnum, t)).casefold() for n, t in texts.items()}
    wrong = sum("".join(filter(str.isalnum, c["quote"])).casefold() not in squeezed.get(c["note"], "") for c in cited)
    return len(cited), wrong


def unresolved(ledger: Ledger, wells: anndata.AnnData) -> tuple[int, int]:
    """(names in claims that the data set does not know, claims)."""
    known = {part for p in wells.obs["perturbation"].astype(str).unique() for part in p.split("+")} | {"control"}
    contexts, readouts = set(wells.obs["context"].astype(str)), set(map(str, wells.var_names))
    claims = {c.id: c for e in ledger.events(kind="claim_proposed") if (c := Claim.model_validate(e.payload["claim"]))}
    missing = 0
    for claim in claims.values():
        for arm in claim.contrast.arms:
            missing += arm.context not in contexts
            missing += sum(p.name not in known for p in arm.perturbations)
        missing += claim.readout.variable not in readouts
    return missing, len(claims)


def sentences(ledger: Ledger, answer: dict[str, Any]) -> tuple[int, int, int]:
    """(sentences cut from the answer, sentences in it without support, all sentences in it)."""
    from ..agents.support import check

    told = check(answer, list(ledger.events()))
    return int(answer.get("cut_sentences", 0)), len(told.cut), len(told.kept) + len(told.cut)

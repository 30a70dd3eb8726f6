"""The answer, composed by code from the ledger: every number and verdict is a record's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from .choosing import denies, name_of

if TYPE_CHECKING:
    from ..knowledge.status import ClaimState
    from .session import Session

ORDER = {"corroborated": 0, "testing": 1, "undecided": 1, "registered": 2, "proposed": 3}
REFUTED = ("falsified", "conflict", "undermined")


def compose(session: Session) -> dict[str, Any]:
    """The payload of the answer event: summary sentences, panel or items, exclusions, what found no use."""
    goal = session.goal
    states = session.states()
    mine = [states[c] for c in session.my_claims()]
    panel = goal.intent == "panel"
    standing = sorted(
        (s for s in mine if s.status not in REFUTED), key=lambda s: (ORDER.get(s.status, 9), _rank(s), s.claim.id)
    )
    refuted = [s for s in mine if s.status in REFUTED]
    rows = [_row(session, s) for s in (*standing, *refuted)]
    return {
        "intent": goal.intent,
        "context": goal.context.name,
        "surrogate": goal.surrogate,
        "summary": _summary(session, standing, refuted),
        "panel": [r | {"rank": i + 1} for i, r in enumerate(rows[: len(standing)])] if panel else [],
        "items": rows[len(standing) :] if panel else rows,
        "trial": session.trial().model_dump(mode="json"),
        "excluded": [e.model_dump(mode="json") for e in goal.exclusions],
        "unused_fields": list(session.patient.unused) if session.patient else [],
        "unplaced": list(goal.unplaced),
        "assumptions": [*goal.assumptions, session.study.how],
    }


def _row(session: Session, state: ClaimState) -> dict[str, Any]:
    claim, prediction, evidence = state.claim, state.prediction, state.evidence
    row: dict[str, Any] = {
        "compound": name_of(claim),
        "claim_id": claim.id,
        "sentence": claim.sentence,
        "status": state.status,
        "mechanism_class": _class(session, name_of(claim)),
        "targets": session.targets(name_of(claim)),
        "mechanism": claim.mechanism,
        "refuted_by": claim.refuted_by,
        "source": claim.origin,
        "revises": claim.revises,
        "dose": claim.contrast.arms[0].perturbations[0].dose,
        "time_h": claim.contrast.arms[0].time_h,
        "readout": claim.readout.variable,
        "measured": evidence.estimate if evidence else None,
        "measured_se": evidence.se if evidence else None,
        "e_for": evidence.e_for if evidence else None,
        "e_against": evidence.e_against if evidence else None,
        "wells": sum(len(b.wells) for b in state.batches),
    }
    row |= session.structure(name_of(claim))
    if prediction is not None:
        theory = prediction.theory
        row |= {"predicted": theory.mean, "predicted_sd": theory.sd}
        row["interval"] = [theory.mean - 1.645 * theory.sd, theory.mean + 1.645 * theory.sd]
        if claim.contrast.populations:
            row["percentile"] = _percentile(theory.mean)
            row["percentile_interval"] = [_percentile(v) for v in row["interval"]]
        row["why"] = _why(state)
    return row


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _class(session: Session, name: str) -> str:
    """The compound's mechanism class; a genetic perturbation has none but its kind."""
    return session.classes.get(name, "unknown") if session.goal.kind == "compound" else session.goal.kind


def _percentile(z: float) -> float:
    """Share (0..100) of lines predicted to be at least as sensitive: normal in z."""
    return 100.0 * NormalDist().cdf(z)


def _why(state: ClaimState) -> str:
    """Why the claim stands where it stands, in words with its numbers."""
    claim, prediction, evidence = state.claim, state.prediction, state.evidence
    if prediction is None:
        return "no test is registered yet"
    theory = prediction.theory
    unit = "z" if claim.contrast.populations else claim.readout.unit
    chance = 1 - NormalDist(claim.sign * theory.mean, theory.sd).cdf(claim.sign * claim.delta)
    words = f"predicted {theory.mean:+.2f} (sd {theory.sd:.2f}) {unit}, {chance:.0%} chance of passing {claim.delta:+g}"
    if evidence is None:
        return words + "; not measured yet"
    wells = sum(len(b.wells) for b in state.batches)
    return (
        f"{words}; measured {evidence.estimate:+.2f} (se {evidence.se:.2f}) on {_count(wells, 'well')}: {state.status}"
    )


def _summary(session: Session, standing: Sequence[ClaimState], refuted: Sequence[ClaimState]) -> list[str]:
    goal, counts = session.goal, session.status_counts()
    tally = ", ".join(f"{n} {status}" for status, n in sorted(counts.items())) or "no claim was staked"
    lines = [f"{sum(counts.values())} claims on {goal.context.name}: {tally}; {session.wells_spent()} wells spent."]
    held = [s for s in standing if s.status == "corroborated"]
    if goal.intent == "panel":
        classes = {session.classes.get(name_of(s.claim), "unknown") for s in standing}
        lines.append(
            f"The panel holds {len(standing)} compounds of {len(classes)} mechanism classes; "
            f"{len(held)} of them were corroborated."
        )
    else:
        lines += [f"Corroborated: {s.claim.sentence}" for s in _first_each(held)]
    if standing or refuted:
        said = ", ".join(sources([s.claim.origin for s in (*standing, *refuted)]))
        lines.append(f"{_count(sum(counts.values()), 'claim')} put forward by: {said}.")
    words = {"falsified": "Refuted", "undermined": "Undermined", "conflict": "In conflict"}
    lines += [f"{words[s.status]}: {s.claim.sentence}" for s in refuted]
    trial = session.trial()
    if trial.advantage is not None:
        word = {"model": "better than", "baseline": "worse than", "undecided": "not yet told apart from"}[trial.leader]
        lines.append(
            f"On {_count(trial.experiments, 'experiment')} the theory's predictions were {word} the sceptic's "
            f"(mean score {trial.advantage:+.2f} on -1..1, e {trial.e_model:.2g} for, {trial.e_baseline:.2g} against)."
        )
    if not held and not refuted:
        lines.append("Nothing was settled: the measurements at hand cannot tell yet.")
    return lines


def sources(origins: Sequence[str]) -> list[str]:
    """The kinds of source among claims' origins, in words, most frequent first."""
    told: Counter[str] = Counter()
    for origin in origins:
        for part in origin.split(", ")[:1] if origin.startswith("revision") else origin.split(", "):
            told[_kind_of_source(part)] += 1
    return [word for word, _ in told.most_common()]


def _kind_of_source(part: str) -> str:
    if part.startswith("llm:"):
        return "a language model"
    for head, word in (("analogy to", "analogy"), ("revision of", "a narrower successor of a refuted claim")):
        if part.startswith(head):
            return word
    return "the theory's own predictions" if part == "builtin" else part


def _first_each(states: Sequence[ClaimState]) -> list[ClaimState]:
    """For each perturbation and readout the corroborated claim at the lowest dose, then the earliest time; after these,
    that there is no effect, at the highest dose and the latest time that it was shown for."""
    best: dict[tuple[str, str, bool], ClaimState] = {}
    there = [s for s in states if not denies(s.claim)]
    absent = [s for s in states if denies(s.claim)]
    for state in (*sorted(there, key=_dose_time), *sorted(absent, key=_dose_time, reverse=True)):
        best.setdefault((name_of(state.claim), state.claim.readout.variable, denies(state.claim)), state)
    return list(best.values())


def _dose_time(state: ClaimState) -> tuple[float, float]:
    arm = state.claim.contrast.arms[0]
    return (arm.perturbations[0].dose or 0.0, arm.time_h or 0.0)


def _rank(state: ClaimState) -> float:
    """Smaller is better: the measured effect where there is one, else the predicted, in the claim's direction."""
    if state.evidence is not None:
        return float(-state.claim.sign * state.evidence.estimate)
    return float(-state.claim.sign * state.prediction.theory.mean) if state.prediction else float(np.inf)

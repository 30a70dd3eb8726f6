"""What to test next: stakes from hypotheses, filtered by what the ledger knows, ranked by what wells would teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from ..knowledge.claims import ArmRequest, Belief, Claim, Prediction
from .design import merged
from .goal import Hypothesis, Line
from .hypotheses.leads import line_of
from .joint import outlook
from .prioritise import Bundle, Weighed, bundles, pick
from .revise import revised, revisions
from .staking import CONJECTURE, Stake

if TYPE_CHECKING:
    from ..knowledge.status import ClaimState
    from .session import Session

BUNDLES_PER_CYCLE = 12
MOST_REVISIONS = 12
BET_ON = 0.5  # the least probability, under the theory, that theta lies past the middle of the zone
TURNS = 0.5  # of a later cycle's wells and bundles: kept first for what the sources put forward


def choose(session: Session, hypotheses: Sequence[Hypothesis], cycle: int, wells_left: int) -> list[Bundle]:
    """The bundles of this cycle, within the wells left; empty when nothing is worth testing.

    The first cycle stakes what the theory believes. From the second on, what the sources put forward (hypotheses/) is
    staked at less than even odds too, or its denial where the theory will not have it, and has the first call on half
    of the wells: what the theory believes already is not where it learns most.
    """
    goal, states = session.goal, session.states()
    fresh: list[Stake] = []
    forward: set[Line] = set()
    if session.trial().withdrawn:
        session.say("the theory lost to its sceptic: it stakes no new claims until it predicts better again")
    else:
        bold = cycle > 0 and goal.intent != "panel"  # a panel names what should work, not what might
        if not bold:
            hypotheses = [h.model_copy(update={"conjecture": False}) for h in hypotheses]
        forward = {h.line for h in hypotheses if h.conjecture}
        staked = session.staker().stake(hypotheses)
        narrower = successors(session, states)
        ids = {s.claim.id for s in narrower}
        fresh = [*narrower, *(s for s in staked if s.claim.id not in ids)]
        fresh = [
            s
            for s in fresh
            if s.claim.id not in states
            and believed(s, CONJECTURE if line_of(s.claim) in forward else BET_ON)
            and not _ruled_out(s, session)
        ]
        if any(s.claim.revises for s in fresh):
            session.say(f"{sum(bool(s.claim.revises) for s in fresh)} refuted claims have a narrower successor")
    if goal.intent == "panel":
        fresh = _panel(session, fresh, states)
        fresh = value_boldness(fresh)
    else:
        fresh = _with_free_places(session, hypotheses, fresh, states)
    mine = set(session.my_claims())
    rejected = session.rejected_claims()
    still_open = [states[c] for c in sorted(mine - rejected) if states[c].status in ("registered", "testing")]
    again = [Stake(c.claim, c.prediction) for c in still_open if c.prediction is not None and not c.closed]
    looked = {c: s.batches for c, s in states.items()}
    ranked = bundles([*again, *fresh], session.lab, batches=looked, beliefs=_outlook(session, [*again, *fresh]))
    most = goal.max_items if goal.intent == "panel" else BUNDLES_PER_CYCLE
    of_sources = {s.claim.id for s in fresh if line_of(s.claim) in forward or s.claim.revises}
    first = [b for b in ranked if any(w.stake.claim.id in of_sources for w in b.claims)]
    turns = pick(first, wells=int(TURNS * wells_left), most=int(TURNS * most)) if forward else []
    left = wells_left - sum(r.n for r in merged(turns))
    rest = pick([b for b in ranked if b not in turns], wells=left, most=most - len(turns), paid=turns)
    return [_with_premises(b, session) for b in (*turns, *rest)]


def _outlook(session: Session, stakes: Sequence[Stake]) -> dict[str, Belief]:
    """What the campaign's evidence says of every stake (joint.py)."""
    states = sorted((session.states()[c] for c in session.my_claims()), key=lambda s: s.seq)
    judged = [(s.claim, s.prediction, s.evidence) for s in states if s.prediction and s.evidence]
    return outlook({s.claim.id: (s.claim, s.prediction) for s in stakes}, judged, session.classes)


def _with_free_places(
    session: Session, hypotheses: Sequence[Hypothesis], fresh: Sequence[Stake], states: dict[str, ClaimState]
) -> list[Stake]:
    """The stakes, valued, with those at doses and times of the lab's range that decide more than the measured ones."""
    from .placing import best_places, moved, series

    lab, goal, briefing = session.lab.capabilities(), session.goal, session.briefing()
    doses = () if goal.doses else briefing.doses  # the question's own doses and times are kept to
    times_h = () if goal.times_h else briefing.times_h
    promising = {series(s.claim) for s in fresh if not denies(s.claim)}
    about = {(*key[0], key[1]) for key in promising}
    near = [h for h in hypotheses if (*sorted(h.perturbations), h.readout) in about]
    found = session.staker().stake(moved(lab, doses, times_h, near))
    known = {s.claim.id for s in fresh} | set(states)
    free = [s for s in found if series(s.claim) in promising and s.claim.id not in known and believed(s)]
    valued = value_boldness([*fresh, *(s for s in free if not _ruled_out(s, session))])
    measured, rest = valued[: len(fresh)], valued[len(fresh) :]
    better = best_places(measured, rest)
    if better:
        session.say(f"{len(better)} claims are placed at doses or times that were never measured")
    return [*measured, *better]


def successors(session: Session, states: dict[str, ClaimState]) -> list[Stake]:
    """Stakes of what refuted claims of this campaign leave open: more, later, or less (see revise.py)."""
    mine = [states[c] for c in session.my_claims() if c in states]
    briefing = session.briefing()
    found = revisions(session.goal, mine, briefing.doses, briefing.times_h)[:MOST_REVISIONS]
    staker = session.staker()
    return [s for r in found for s in revised(staker.stake([r.hypothesis]), {0: r})]


def untested(session: Session, hypotheses: Sequence[Hypothesis]) -> list[Stake]:
    """The panel's stakes where no lab can answer: predictions to register and to leave open."""
    states = session.states()
    fresh = [s for s in session.staker().stake(hypotheses) if s.claim.id not in states and believed(s)]
    return _panel(session, fresh, states)


def believed(stake: Stake, at_least: float = BET_ON) -> bool:
    """Whether the theory itself would bet on the claim at these odds: what it thinks false is not staked."""
    claim, theory = stake.claim, stake.prediction.theory
    middle = claim.sign * (claim.delta + claim.delta0) / 2
    return 1 - NormalDist(claim.sign * theory.mean, theory.sd).cdf(middle) >= at_least


def value_boldness(stakes: Sequence[Stake]) -> list[Stake]:
    """A lower dose or an earlier time that suffices says more: value 1 (highest, latest) to 3 (lowest, earliest). That
    there is no effect says more at a higher dose and later, and a quarter as much; what narrows a refuted claim
    says where that one's truth ends: one more."""
    doses = sorted({d for s in stakes for d in [_dose(s)] if d is not None})
    times = sorted({t for s in stakes for t in [_time(s)] if t is not None})
    valued = []
    for stake in stakes:
        ranks = [_rank(doses, _dose(stake)), _rank(times, _time(stake))]
        value = 0.25 * (3.0 - sum(ranks)) if denies(stake.claim) else 1.0 + sum(ranks) + bool(stake.claim.revises)
        valued.append(replace(stake, claim=stake.claim.model_copy(update={"value": value})))
    return valued


def denies(claim: Claim) -> bool:
    """Whether the claim is that there is no effect (it holds at theta = 0)."""
    return claim.sign * claim.delta < 0


def dump(bundle: Bundle) -> dict[str, Any]:
    """A bundle as JSON, for the artefact store."""
    return {
        "claims": [
            {
                "claim": w.stake.claim.model_dump(mode="json"),
                "prediction": w.stake.prediction.model_dump(mode="json"),
                "abstained": w.stake.abstained,
                "e_power": w.e_power,
                "severity": w.severity,
            }
            for w in bundle.claims
        ],
        "requests": [r.model_dump(mode="json") for r in bundle.requests],
        "cost": bundle.cost,
        "priority": bundle.priority,
        "reason": bundle.reason,
    }


def load(raw: dict[str, Any]) -> Bundle:
    """The inverse of ``dump``."""
    claims = tuple(
        Weighed(
            Stake(Claim.model_validate(w["claim"]), Prediction.model_validate(w["prediction"]), w["abstained"]),
            w["e_power"],
            w["severity"],
        )
        for w in raw["claims"]
    )
    requests = tuple(ArmRequest.model_validate(r) for r in raw["requests"])
    return Bundle(claims, requests, raw["cost"], raw["priority"], raw["reason"])


def _panel(session: Session, stakes: Sequence[Stake], states: dict[str, ClaimState]) -> list[Stake]:
    """Stakes for the free places of the panel: those not yet held by a claim that still stands."""
    from .panel import UNKNOWN, Candidate, choose_panel

    mine = [states[c] for c in session.my_claims()]
    standing = [c for c in mine if c.status not in ("falsified", "conflict", "undermined")]
    free = session.goal.max_items - len(standing)
    if free <= 0:
        return []
    by_name = {name_of(s.claim): s for s in stakes}
    tried = {name_of(c.claim) for c in mine}
    candidates = [
        Candidate(
            name=name,
            mechanism_class=session.classes.get(name, UNKNOWN),
            z_mean=s.prediction.theory.mean,
            z_sd=s.prediction.theory.sd,
            noise=s.prediction.noise_sd if s.claim.contrast.populations else 0.0,
            abstain=s.abstained,
        )
        for name, s in by_name.items()
        if name not in tried and not session.excluded(name) and name in session.classes
    ]
    if not candidates:
        return []
    held = [session.classes.get(name_of(c.claim), UNKNOWN) for c in standing]
    least = min(session.goal.min_classes, len({c.mechanism_class for c in candidates} | set(held)))
    items = choose_panel(candidates, n=free, min_classes=max(1, least), held=held)
    return [by_name[i.name] for i in items]


def _ruled_out(stake: Stake, session: Session) -> bool:
    """Whether the goal excludes one of the claim's perturbations, whoever proposed it."""
    if not session.goal.exclusions:
        return False
    return any(session.excluded(p.name) for p in stake.claim.contrast.arms[0].perturbations)


def name_of(claim: Claim) -> str:
    """The compound or genes of a claim's first arm, joined with "+"."""
    return "+".join(p.name for p in claim.contrast.arms[0].perturbations)


def _with_premises(bundle: Bundle, session: Session) -> Bundle:
    """Claims on a readout that follows lean on the primary claim of the same arm; that one comes first."""
    follow = {g.readout.variable for g in session.goal.readouts if g.role == "follow"}
    first = [w for w in bundle.claims if w.stake.claim.readout.variable not in follow]
    rest = [w for w in bundle.claims if w.stake.claim.readout.variable in follow]
    if not first:
        return bundle
    premise = first[0].stake.claim.id
    tied = []
    for weighed in rest:
        claim = weighed.stake.claim
        if not claim.premises:
            claim = claim.model_copy(update={"premises": (premise,)})
        tied.append(replace(weighed, stake=replace(weighed.stake, claim=claim)))
    return replace(bundle, claims=(*first, *tied))


def _dose(stake: Stake) -> float | None:
    perturbations = stake.claim.contrast.arms[0].perturbations
    return perturbations[0].dose if perturbations else None


def _time(stake: Stake) -> float | None:
    return stake.claim.contrast.arms[0].time_h


def _rank(values: Sequence[float], value: float | None) -> float:
    """0 for the largest of the values, 1 for the smallest."""
    if value is None or len(values) < 2:
        return 0.0
    return 1.0 - values.index(value) / (len(values) - 1)

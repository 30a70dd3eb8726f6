"""The steps of the loop. Each reads ids from the state, does one thing, and returns the ids that changed.

Every effect goes through the ledger under a key made of campaign and cycle, so a step that runs twice
(after a crash, or around an interrupt) leaves one trace.
"""

from __future__ import annotations

import time

from ..knowledge.evalues import assess
from ..world_model.errors import NotAllowed
from . import beliefs, choosing
from .analysis import looks
from .design import draft_design, fitting
from .goal import Hypothesis
from .policies import approve
from .reviews import approval_for, decision_on
from .roles.nodes import DebateState, RoleNodes
from .session import Session
from .standin import with_patient


class LoopState(DebateState, total=False):
    """What LangGraph checkpoints: ids and hashes only. verdict: where the last step leads."""

    campaign: str
    hypotheses: str
    picked: str
    run: str


class Nodes(RoleNodes):
    """The steps bound to one session, those of the roles among them."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.started = time.monotonic()

    def understand(self, state: LoopState) -> LoopState:
        s = self.s
        if not any(True for _ in s.ledger.events(kind="goal_set", campaign=s.campaign)):
            goal = s.mind.understand(s.spec.question, s.briefing().model_copy(update={"turn": "start"}))
            goal = with_patient(goal, s.patient, s.dataset)
            s.record("goal_set", {"goal": goal.model_dump(mode="json")}, "goal")
        goal = s.goal
        where = f" (answered by {goal.surrogate})" if goal.surrogate else ""
        s.say(f"understood: {goal.intent} question on {goal.dataset}, in {goal.context.name}{where}")
        return {"cycle": 0}

    def recall(self, state: LoopState) -> LoopState:
        """Take up what the ledger knows of this context and readout, so that nothing settled is tested twice."""
        s, goal = self.s, self.s.goal
        readouts = {g.readout.variable for g in goal.readouts}
        known = [
            c.claim
            for c in s.states().values()
            if c.claim.contrast.arms[0].context == goal.context.name and c.claim.readout.variable in readouts
        ]
        for claim in known:
            s.record("claim_proposed", {"claim": claim.model_dump(mode="json")}, f"claim:{claim.id}")
        if known:
            s.say(f"recalled {len(known)} claims on {goal.context.name} from the ledger")
        return {}

    def hypothesise(self, state: LoopState) -> LoopState:
        """The debate's end: typed hypotheses, each with the result that would refute it."""
        s, cycle = self.s, state.get("cycle", 0)
        proposed = self.settle(state)
        s.say(f"cycle {cycle + 1}: {len(proposed)} hypotheses")
        return {"hypotheses": s.artefacts.put_json([h.model_dump(mode="json") for h in proposed])}

    def prioritise(self, state: LoopState) -> LoopState:
        """Stake the claims most worth breaking; what is chosen is proposed in the ledger."""
        s, cycle = self.s, state.get("cycle", 0)
        hypotheses = [Hypothesis.model_validate(h) for h in s.artefacts.get_json(state["hypotheses"])]
        if not len(s.study.lab):
            for stake in choosing.untested(s, hypotheses):
                s.record("claim_proposed", {"claim": stake.claim.model_dump(mode="json")}, f"claim:{stake.claim.id}")
                payload = {"prediction": stake.prediction.model_dump(mode="json"), "abstained": stake.abstained}
                s.record("prediction_registered", payload, f"prediction:{stake.claim.id}")
                self.cite(state, [stake.claim])
            return {"verdict": "report", "reason": "no measured line stands in for the patient: nothing can be tested"}
        purse = s.purse()
        allowed = purse.allowance()
        chosen = fitting(choosing.choose(s, hypotheses, cycle, allowed.wells), purse, s.spec.seed)
        for bundle in chosen:
            for weighed in bundle.claims:
                claim = weighed.stake.claim
                s.record("claim_proposed", {"claim": claim.model_dump(mode="json")}, f"claim:{claim.id}")
                self.cite(state, [claim])
        if not chosen:
            why = f" ({allowed.because})" if allowed.wells < s.spec.budget.wells else ""
            return {
                "verdict": "report",
                "reason": f"nothing left that is worth testing and that the lab can answer{why}",
            }
        s.say(f"cycle {cycle + 1}: {sum(len(b.claims) for b in chosen)} claims worth breaking in {len(chosen)} bundles")
        s.say(f"cycle {cycle + 1}: {allowed.because}")
        return {"picked": s.artefacts.put_json([choosing.dump(b) for b in chosen]), "verdict": "design"}

    def design(self, state: LoopState) -> LoopState:
        """Register the tests, then propose the experiment that runs them."""
        s, cycle = self.s, state.get("cycle", 0)
        picked = [choosing.load(b) for b in s.artefacts.get_json(state["picked"])]
        registered = s.registered()
        predictions = []
        for bundle in picked:
            for weighed in bundle.claims:
                stake = weighed.stake
                prediction = registered.get(stake.claim.id, stake.prediction)
                if stake.claim.id not in registered:
                    payload = {
                        "prediction": prediction.model_dump(mode="json"),
                        "e_power": weighed.e_power,
                        "severity": weighed.severity,
                        "reason": bundle.reason,
                        "abstained": stake.abstained,
                    }
                    s.record("prediction_registered", payload, f"prediction:{stake.claim.id}")
                predictions.append(prediction.id)
        proposed = draft_design(s.campaign, cycle, s.goal.dataset, picked, predictions, s.spec.seed)
        limit = s.purse().allowance()
        if limit.kind != "wells":
            proposed = proposed.model_copy(update={"rationale": f"{proposed.rationale}; {limit.because}"})
        s.record("experiment_proposed", {"design": proposed.model_dump(mode="json")}, f"design:{cycle}")
        s.artefacts.put_json(proposed.model_dump(mode="json"))
        s.say(f"cycle {cycle + 1}: proposed {proposed.wells} wells in {len(proposed.arms)} arms")
        return {"design": proposed.content_hash(), "verdict": "review"}

    def review(self, state: LoopState) -> LoopState:
        """Wait until a person or the stated policy has decided. No side effect before the interrupt."""
        s = self.s
        decided = decision_on(s.ledger, state["design"])
        if decided is None and s.spec.auto_approve:
            design = s.design(state["design"])
            purse = s.purse()
            left = 0 if purse.refusal(design.arms, design.seed) else purse.allowance().wells
            consent = approve(s.spec.auto_approve, design, s.lab.capabilities(), left)
            if consent is not None:
                payload = {
                    "design_hash": consent.design_hash,
                    "decision": "approve",
                    "by": consent.by,
                    "reason": consent.reason,
                }
                s.record("experiment_decided", payload, f"decided:{consent.design_hash}")
                decided = decision_on(s.ledger, state["design"])
        if decided is None:
            from langgraph.types import interrupt

            interrupt({"design": state["design"], "action": "review"})
            decided = decision_on(s.ledger, state["design"])
        if decided is None:
            raise NotAllowed(
                f"Design {state['design'][:12]} is not decided",
                cure=f"cytocrux review {state['design'][:12]} --approve",
            )
        if decided.decision == "reject":
            s.say(f"design {state['design'][:12]} was rejected by {decided.by}: {decided.reason}")
            return {"verdict": "skip"}
        return {"design": decided.design_hash, "verdict": "execute"}

    def execute(self, state: LoopState) -> LoopState:
        s = self.s
        design = s.design(state["design"])
        approval = approval_for(s.ledger, state["design"])
        if not self._submitted(state["design"]):
            s.purse().require(design)
        run = s.lab.submit(design, f"{s.campaign}/{state['design']}", approval)
        s.say(f"cycle {state.get('cycle', 0) + 1}: {design.wells} wells run")
        return {"run": run}

    def collect(self, state: LoopState) -> LoopState:
        if self.s.lab.poll(state["run"]) != "done":
            raise NotAllowed(f"Run {state['run']} is not done", cure="resume the campaign when the lab has finished")
        return {}

    def analyse(self, state: LoopState) -> LoopState:
        """The looks of each claim of the design; the verdict follows from the ledger, not from here."""
        s = self.s
        result, design = s.lab.collect(state["run"]), s.design(state["design"])
        by_id = {p.id: p for p in s.registered().values()}
        states = s.states()
        for prediction_id in design.predictions:
            prediction = by_id[prediction_id]
            known = states[prediction.claim_id]
            seen = [b for b in known.batches if b.design_hash == result.design_hash]  # before a crash
            before = [*known.batches]
            for batch in looks(known.claim, prediction, result, len(before) - len(seen))[len(seen) :]:
                before.append(batch)
                evidence = assess(known.claim, prediction, before)
                key = f"evidence:{prediction.claim_id}:{batch.index}"
                s.record("evidence_added", {"evidence": evidence.model_dump(mode="json")}, key)
        return {}

    def update(self, state: LoopState) -> LoopState:
        """The theory learns from the wells, and says what it now believes otherwise."""
        s, cycle = self.s, state.get("cycle", 0)
        before, after = s.cell(without_run=state["run"]), s.cell()
        payload = {
            "version": after.version,
            "training_hash": after.training_hash,
            "n_rows": len(s.study.train) + len(s.revealed_rows()),
            "parent": before.version,
        }
        s.record("model_fitted", payload, f"model:{cycle}")
        self._close_spent()
        for change in beliefs.changes(s, before, after):
            s.record("belief_changed", change.model_dump(mode="json"), f"belief:{cycle}:{change.claim_ids[0]}")
        counts = s.status_counts()
        s.say(f"cycle {cycle + 1}: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())))
        return {}

    def decide(self, state: LoopState) -> LoopState:
        s, cycle = self.s, state.get("cycle", 0) + 1
        budget = s.spec.budget
        allowed = s.purse().allowance()
        if allowed.wells <= 0:
            return {"cycle": cycle, "verdict": "report", "reason": allowed.because}
        if cycle >= budget.cycles:
            return {"cycle": cycle, "verdict": "report", "reason": f"{budget.cycles} cycles are done"}
        if time.monotonic() - self.started > budget.hours * 3600:
            return {"cycle": cycle, "verdict": "report", "reason": f"{budget.hours:g} hours are over"}
        return {"cycle": cycle, "verdict": "again"}

    def report(self, state: LoopState) -> LoopState:
        from .answer import compose
        from .support import supported

        s = self.s
        for claim_id in s.my_claims():
            known = s.states()[claim_id]
            if known.status == "testing":
                s.record(
                    "claim_closed",
                    {"claim_id": claim_id, "reason": state.get("reason", "the campaign ended")},
                    f"closed:{claim_id}",
                )
        answer = supported(compose(s), list(s.ledger.events()), s.campaign)
        if answer["cut_sentences"]:
            s.say(f"{answer['cut_sentences']} sentences of the answer were cut: the ledger does not support them")
        s.record("answer", answer, "answer")
        return {"verdict": "report"}

    def _submitted(self, design_hash: str) -> bool:
        """Whether the lab ran this design before a crash: submitting it again spends nothing."""
        events = self.s.ledger.events(kind="run_submitted", campaign=self.s.campaign)
        return any(e.payload["design_hash"] == design_hash for e in events)

    def _close_spent(self) -> None:
        """A claim whose lab has no fresh wells left can go no further: undecided, with that reason."""
        s = self.s
        for claim_id in s.my_claims():
            known = s.states()[claim_id]
            if known.status == "testing" and any(s.lab.available(a) == 0 for a in known.claim.contrast.arms):
                s.record(
                    "claim_closed",
                    {"claim_id": claim_id, "reason": "the lab has no fresh wells of one of its arms"},
                    f"closed:{claim_id}",
                )

"""Everything a campaign works with, rebuilt the same way after a crash: data, split, cell, lab, minds.

Nothing here is state: the ledger says what was staked and revealed, and the cell is refitted from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..knowledge.artefacts import Artefacts
from ..knowledge.claims import Claim, Design, Prediction
from ..knowledge.ledger import Ledger
from ..tools.lab.protocol import LabExecutor
from ..tools.lab.replay import ReplayLab, replaying
from ..world_model.errors import BadInput, Corrupt
from ..world_model.vocabulary import Readout, content_hash
from . import questions, reviews
from .allowance import Purse
from .goal import Goal
from .minds.builtin import BuiltinMind
from .minds.protocol import Briefing, Mind
from .spec import CampaignSpec
from .staking import Staker
from .standin import with_patient
from .study import Study, open_study

if TYPE_CHECKING:
    from ..knowledge.status import ClaimState
    from ..knowledge.trial import TrialState
    from ..tools.lab.simulated import SimulatedLab
    from ..world_model.cell import VirtualCell
    from ..world_model.data.dataset import Dataset
    from .minds.llm import DecisionRecord
    from .patient import Patient

Say = Callable[[str], None]


@dataclass
class Session:
    """One campaign's working set. ``say`` reports progress to whoever watches."""

    campaign: str
    spec: CampaignSpec
    ledger: Ledger
    workspace: Path
    say: Say = lambda _: None
    replay_llm: Path | None = None  # recording that answers in place of the endpoint
    _cells: dict[str, VirtualCell] = field(default_factory=dict)
    _replayed: tuple[int, dict[str, ClaimState]] | None = None

    @cached_property
    def artefacts(self) -> Artefacts:
        return Artefacts(self.workspace / "artefacts")

    @cached_property
    def dataset(self) -> Dataset:
        from ..world_model.data import load

        name = self.spec.data or questions.choose_dataset(self.spec.question, self.spec.patient is not None)
        self.say(f"reading {name}")
        return load(name, workspace=self.workspace)

    @cached_property
    def patient(self) -> Patient | None:
        if self.spec.patient is None:
            return None
        from .patient import parse_patient

        return parse_patient(self.spec.patient, name=self.spec.patient_name)

    def check(self) -> None:
        """Read everything the question needs; raises before anything of the campaign is recorded.

        BadInput for what cannot be used, NotAllowed for what the hazard policy stops.
        """
        from . import hazards

        lab = self._simulated.capabilities() if self._simulated else replaying(self.dataset)
        Purse.of(self.ledger, self.campaign, self.spec.budget, lab).require_one()
        hazards.require_release(hazards.in_text(self.spec.question), self.spec.released)
        hazards.require_release(hazards.in_dataset(self.dataset), self.spec.released)
        briefing = self.briefing()
        if self.spec.llm is not None:
            _ = self.spec.llm.models  # a role that there is not is found before anything is recorded
        else:
            goal = self.builtin.understand(self.spec.question, briefing)
            open_study(self.dataset, with_patient(goal, self.patient, self.dataset), self.spec.seed)

    @cached_property
    def goal(self) -> Goal:
        for event in self.ledger.events(kind="goal_set", campaign=self.campaign):
            return Goal.model_validate(event.payload["goal"])
        raise Corrupt(f"Campaign {self.campaign} has no goal in the ledger", cure="start it again")

    @cached_property
    def study(self) -> Study:
        return open_study(self.dataset, self.goal, self.spec.seed)

    @cached_property
    def classes(self) -> dict[str, str]:
        """Perturbation -> mechanism class, for compounds of a class the facts table names ("other" names none)."""
        from ..world_model.compounds import facts_for

        singles = sorted({part for p in self.dataset.perturbations for part in p.split("+")})
        known = {name: facts_for(name) for name in singles}
        return {name: f.mechanism_class for name, f in known.items() if f.known and f.mechanism_class != "other"}

    @cached_property
    def lab(self) -> LabExecutor:
        """The lab of the spec; without one, the simulated lab where the data are simulated, else the replay lab."""
        if self._simulated:
            return self._simulated
        return ReplayLab(
            self.study.dataset, self.study.lab, self.ledger, self.campaign, seed=self.spec.seed, alias=self.study.alias
        )

    @cached_property
    def _simulated(self) -> SimulatedLab | None:
        """The lab that can run new wells of the simulated cell."""
        wanted, here = self.spec.lab or "", self.dataset.name == "kinetic"
        if wanted == "simulated" and not here:
            raise BadInput(f"No simulated lab runs wells of {self.dataset.name}", cure="take --data kinetic with it")
        if wanted == "replay" or not here:
            return None
        from ..tools.lab.simulated import SimulatedLab

        plate, seed = self.spec.budget.plate, self.spec.seed
        return SimulatedLab(self.dataset, self.ledger, self.campaign, seed=seed, plate=plate)

    @cached_property
    def builtin(self) -> BuiltinMind:
        from .hypotheses.leads import Leads

        return BuiltinMind(Leads(self.cell, self.states))

    @cached_property
    def mind(self) -> Mind:
        if self.spec.llm is None:
            return self.builtin
        from .llm.budget import spent_on_decisions
        from .llm.client import open_client
        from .llm.record import sign_recording
        from .minds.llm import LLMMind

        llm, (limits, options) = self.spec.llm, self.spec.llm.bounds()
        recording = self.workspace / "llm" / self.campaign
        if self.replay_llm is None:
            sign_recording(recording, llm.model_dump(mode="json"))
        client = open_client(
            llm.url,
            llm.models,
            usd=self.spec.budget.usd,
            limits=limits,
            options=options,
            record=None if self.replay_llm else recording,
            replay=self.replay_llm,
            earlier=spent_on_decisions(self.ledger, self.campaign),
            outbox=recording / "answers",
        )
        return LLMMind(client, self.builtin, self._record_decision, brief=llm.brief)

    def _record_decision(self, record: DecisionRecord) -> None:
        known = [e for e in self.ledger.events(kind="mind_decision", campaign=self.campaign)]
        payload = record.model_dump(mode="json")
        if record.turn and any(e.payload == payload for e in known):
            return  # a resumed campaign takes a decision again that it had written down
        self.record("mind_decision", payload, f"mind:{len(known)}")
        if record.fallback:
            self.say(f"the language model could not {record.decision}: {record.reason}; the built-in mind decides")

    def record(self, kind: str, payload: dict[str, Any], key: str) -> None:
        """Append to the ledger under this campaign; the same key twice is one event."""
        self.ledger.append(kind, payload, campaign=self.campaign, key=f"{self.campaign}/{key}")

    def states(self) -> dict[str, ClaimState]:
        """Every claim of the whole ledger with its computed status; replayed again only when the ledger has grown."""
        from ..knowledge.status import KINDS, replay

        head, _ = self.ledger.head()
        if self._replayed is None or self._replayed[0] != head:
            self._replayed = (head, replay(self.ledger.events(KINDS)))
        return self._replayed[1]

    def my_claims(self) -> list[str]:
        """Ids of the claims this campaign staked, in order."""
        events = self.ledger.events(kind="claim_proposed", campaign=self.campaign)
        return list(dict.fromkeys(Claim.model_validate(e.payload["claim"]).id for e in events))

    def revealed_rows(self, *, without_run: str = "") -> np.ndarray:
        """Rows of the data set (of a simulated lab: of its wells) revealed so far by any campaign of this ledger,
        sorted; one run may be left out."""
        if self._simulated:
            found = self._simulated.revealed(without_run=without_run)
            return np.arange(len(found.wells) if found else 0)
        events = self.ledger.events(kind="wells_revealed")
        ids = {w for e in events if e.payload["run_id"] != without_run for w in e.payload["wells"]}
        names = self.study.dataset.wells.obs_names
        return np.array([r for r in self.study.lab if names[r] in ids], dtype=int)

    def trial(self) -> TrialState:
        """The theory against its sceptic on each claim's first experiment on this data set, over the whole ledger."""
        from ..knowledge.trial import on_record

        return on_record(list(self.ledger.events()), self.dataset.name)[0]

    def wells_spent(self) -> int:
        """Wells this campaign has revealed."""
        return sum(len(e.payload["wells"]) for e in self.ledger.events(kind="wells_revealed", campaign=self.campaign))

    def purse(self) -> Purse:
        """The campaign's limits, with what it has spent."""
        return Purse.of(self.ledger, self.campaign, self.spec.budget, self.lab.capabilities())

    def cell(self, *, without_run: str = "") -> VirtualCell:
        """The cell that knows the training wells and every well revealed so far (but those of one run)."""
        rows = self.revealed_rows(without_run=without_run)
        key = content_hash([without_run if self._simulated else "", *(int(r) for r in rows)])
        if key not in self._cells:
            kept = dict(list(self._cells.items())[-1:])
            self._cells = kept | {
                key: self._base_cell.update(self._table(rows, without_run)) if len(rows) else self._base_cell
            }
        return self._cells[key]

    @cached_property
    def _base_cell(self) -> VirtualCell:
        from ..world_model.cell import VirtualCell
        from ..world_model.data.conditions import effects

        study = self.study
        self.say(f"fitting the virtual cell on {len(study.train):,} wells")
        table = effects(study.dataset, study.train)
        features = study.dataset.context_features
        return VirtualCell.fit(table, context_features=features, compound_classes=self.classes, seed=self.spec.seed)

    def _table(self, rows: np.ndarray, without_run: str = "") -> Any:
        """Revealed wells as conditions, under the name the goal gives their context."""
        from dataclasses import replace

        from ..world_model.data.conditions import effects

        if self._simulated:
            found = self._simulated.revealed(without_run=without_run)
            assert found is not None  # there are rows
            return effects(found)
        table = effects(self.study.dataset, rows)
        back = {there: here for here, there in self.study.alias.items()}
        conditions = table.conditions.copy()
        conditions["context"] = [back.get(str(c), str(c)) for c in conditions["context"]]
        return replace(table, conditions=conditions)

    def registered(self) -> dict[str, Prediction]:
        """Claim id -> its registered prediction."""
        found: dict[str, Prediction] = {}
        for event in self.ledger.events(kind="prediction_registered"):
            prediction = Prediction.model_validate(event.payload["prediction"])
            found.setdefault(prediction.claim_id, prediction)
        return found

    def design(self, design_hash: str) -> Design:
        """A proposed or edited design of this campaign. Raises Corrupt where the ledger has none of that hash."""
        found = reviews.designs(self.ledger, self.campaign).get(design_hash)
        if found is None:
            raise Corrupt(f"The ledger has no design {design_hash[:12]}", cure="run `cytocrux claims verify`")
        return found

    def rejected_claims(self) -> set[str]:
        """Claims of designs a person rejected in this campaign: they are not proposed again here."""
        by_prediction = {p.id: c for c, p in self.registered().items()}
        rejected = {
            e.payload["design_hash"]
            for e in self.ledger.events(kind="experiment_decided", campaign=self.campaign)
            if e.payload["decision"] == "reject"
        }
        return {
            by_prediction[p]
            for h, d in reviews.designs(self.ledger, self.campaign).items()
            if h in rejected
            for p in d.predictions
        }

    def excluded(self, compound: str) -> str:
        """Why the goal rules a compound out (by name, class or tag, as "anthracycline"); "" where it does not."""
        from ..world_model.compounds import facts_for

        fact = facts_for(compound)
        words = {w.casefold() for w in (compound, fact.name, fact.mechanism_class, *fact.aliases, *fact.tags)}
        return next((e.because for e in self.goal.exclusions if e.what.casefold() in words), "")

    def targets(self, name: str) -> list[str]:
        """Known targets of a compound, or the genes of a genetic perturbation."""
        from ..world_model.compounds import facts_for

        return list(facts_for(name).targets) if self.goal.kind == "compound" else name.split("+")

    def structure(self, name: str) -> dict[str, str]:
        """Canonical SMILES and InChIKey of a compound (RDKit), where the data set gives a structure; else empty."""
        from ..world_model.compounds import normalise

        smiles = self.dataset.wells.uns.get("smiles", {}).get(name)
        if not smiles:
            return {}
        try:
            found = normalise(str(smiles))
        except BadInput:  # the data set's SMILES is no molecule to RDKit: the row goes without a structure
            return {}
        return {"smiles": found.smiles, "inchikey": found.inchikey}

    def status_counts(self) -> Counter[str]:
        """How many of this campaign's claims have which status."""
        states = self.states()
        return Counter(states[c].status for c in self.my_claims())

    def staker(self) -> Staker:
        return Staker(self.study, self.cell(), self.classes)

    def notes(self) -> tuple[str, ...]:
        """Passages of the researcher's notes that resemble the question, for a mind that can read."""
        if self.spec.llm is None or not any(True for _ in self.ledger.events(kind="note")):
            return ()
        from ..knowledge.notes import search

        hits = search(self.ledger, self.spec.question, 6)
        return tuple(f"[entry {h.entry}] {h.citation}: {h.text}" for h in hits)

    def briefing(self, settled: Iterable[str] = (), notes: Iterable[str] = ()) -> Briefing:
        """What a mind may know. Scores of the data set stand among the readouts."""
        from ..world_model.data import scores

        wells, info = self.dataset.wells, self.dataset.info
        measured = [
            Readout(modality=m, variable=str(v), unit=u)
            for v, m, u in zip(wells.var_names, wells.var["modality"], wells.var["unit"], strict=True)
        ]
        treated = wells.obs[~wells.obs["control"].astype(bool)]
        contexts = self.dataset.contexts
        return Briefing(
            dataset=self.dataset.name,
            dataset_description=info.description,
            contexts=contexts,
            perturbations=self.dataset.perturbations,
            classes=self.classes,
            kinds=tuple(treated["kind"].astype(str).value_counts().index),
            readouts=(*measured, *scores(self.dataset).values()),
            doses=tuple(sorted(float(d) for d in treated["dose"].dropna().unique())),
            times_h=tuple(sorted(float(t) for t in treated["time_h"].dropna().unique())),
            patient=self.patient.context if self.patient else None,
            patient_fields=self.patient.fields if self.patient else (),
            settled=tuple(settled),
            notes=tuple(notes),
        )

"""The simulated lab: a hidden kinetic cell on real plate layouts, revealed only against an approval, each run once.

Any compound, dose and time within range, alone or together. Readings follow from the run's id and the well's place
(see ``world_model/data/kinetic.py``), so nothing is kept beside the ledger: a resumed run reads what it would have
read, and the reveal in the ledger carries the readings' hash. The cell's truth stays in here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...knowledge.claims import Approval, Design
from ...world_model.data.kinetic import Bench, bench
from ...world_model.errors import CytocruxError, NotAllowed
from ...world_model.kinetic import LONGEST_H
from ...world_model.vocabulary import Arm, content_hash
from .plates import lay_out
from .protocol import Capabilities, Problem, RawResult, RunState, Well
from .records import approved, result, revealed, runnable, submitted

if TYPE_CHECKING:
    import pandas as pd

    from ...knowledge.ledger import Ledger
    from ...world_model.data.dataset import Dataset

ENDLESS = 10_000  # fresh wells of any arm
LEAST_DOSE, MOST_DOSE = 1e-4, 100.0  # uM
LEAST_H = 0.25
USD_PER_WELL, USD_PER_PLATE = 1.0, 10.0  # play money, so that a budget of it can be tried


class SimulatedLab:
    """Wells of the kinetic cell behind ``dataset`` (a data set named "kinetic"), for one campaign.

    plate: wells of a plate (96, 384, 1536); None = the smallest that holds the design.
    """

    def __init__(
        self, dataset: Dataset, ledger: Ledger, campaign: str, *, seed: int = 0, plate: int | None = None
    ) -> None:
        self._bench: Bench = bench(int(dataset.wells.uns["seed"]))
        self._wells, self._info = dataset.wells, dataset.info
        self._ledger, self._campaign, self._seed, self._plate = ledger, campaign, seed, plate

    def capabilities(self) -> Capabilities:
        modalities = tuple(sorted(set(self._wells.var["modality"].astype(str))))
        return Capabilities(
            name="simulated",
            dataset=self._info.dataset,
            modalities=modalities,
            usd_per_well=USD_PER_WELL,
            usd_per_plate=USD_PER_PLATE,
            doses=(LEAST_DOSE, MOST_DOSE),
            times_h=(LEAST_H, LONGEST_H),
        )

    def available(self, arm: Arm) -> int:
        """Endless for what the cell and the liquid handler can do, else 0."""
        return 0 if self._trouble(arm) else ENDLESS

    def validate(self, design: Design) -> list[Problem]:
        problems = []
        for request in design.arms:
            trouble = self._trouble(request.arm)
            if trouble:
                problems.append(Problem(what=f"{request.arm.label()}: {trouble}", cure="change or drop this arm"))
        return problems

    def submit(self, design: Design, key: str, approval: Approval) -> str:
        """Run the wells. The same key returns the same run. Raises NotAllowed without this design's approval."""
        design_hash = approved(design, approval)
        run_id = "S" + content_hash([self._campaign, key])[:12]
        if self._event("wells_revealed", run_id) is not None:
            return run_id
        runnable(self.validate(design))
        submitted(self._ledger, self._campaign, run_id, design, key)
        revealed(self._ledger, self._campaign, run_id, design_hash, self._measured(run_id, design))
        return run_id

    def poll(self, run_id: str) -> RunState:
        return "done" if self._event("wells_revealed", run_id) is not None else "failed"

    def collect(self, run_id: str) -> RawResult:
        reveal, submitted = self._event("wells_revealed", run_id), self._event("run_submitted", run_id)
        if reveal is None or submitted is None:
            raise NotAllowed(f"Run {run_id} has revealed nothing", cure="submit its design first")
        wells = self._measured(run_id, Design.model_validate(submitted["design"]))
        return result(run_id, reveal, wells, "simulated cell")

    def runs(self) -> list[str]:
        """Every run of this data set's cell in the ledger, of any campaign, in order."""
        return [
            e.payload["run_id"] for e in self._ledger.events(kind="wells_revealed") if e.payload["run_id"][0] == "S"
        ]

    def revealed(self, *, without_run: str = "") -> Dataset | None:
        """What any campaign of this ledger has measured, as a data set to learn from; None before the first well."""
        parts = [self._rows(run) for run in self.runs() if run != without_run]
        if not parts:
            return None
        import pandas as pd

        from ...world_model.data.dataset import Dataset, build_wells
        from ...world_model.data.report import DataReport

        obs = pd.concat([p[0] for p in parts])
        values = np.concatenate([p[1] for p in parts])
        return Dataset(
            self._info.dataset, build_wells(obs, values, self._wells.var.copy(), self._info), DataReport("", ())
        )

    def _rows(self, run_id: str) -> tuple[pd.DataFrame, np.ndarray]:
        import pandas as pd

        from ...world_model.data.arms import doses_label
        from ...world_model.data.dataset import CONTROL, combined_name

        submitted = self._event("run_submitted", run_id)
        assert submitted is not None
        arms = {r.arm.key(): r.arm for r in Design.model_validate(submitted["design"]).arms}
        wells = self.collect(run_id).wells
        rows = []
        for well in wells:
            arm = arms[well.arm_key]
            doses = [p.dose for p in arm.perturbations]
            rows.append(
                {
                    "perturbation": combined_name(tuple(p.name for p in arm.perturbations)),
                    "kind": arm.perturbations[0].kind if arm.perturbations else CONTROL,
                    "dose": doses[0] if doses and doses[0] is not None else np.nan,
                    "doses": doses_label(doses) if len(doses) > 1 else "",
                    "time_h": np.nan if arm.time_h is None else arm.time_h,
                    "context": arm.context,
                    "control": arm.is_control,
                    "batch": well.block,
                    "replicate": "1",
                }
            )
        nodes = [str(v) for v in self._wells.var_names]
        values = np.array([[w.values.get(n, np.nan) for n in nodes] for w in wells])
        return pd.DataFrame(rows, index=pd.Index([w.id for w in wells])), values

    def _measured(self, run_id: str, design: Design) -> list[Well]:
        layout = lay_out(design.arms, wells=self._plate, seed=design.seed)
        plates = [f"{run_id}-P{p.plate}" for p in layout.places]
        ids = [f"{run_id}/{p.name}" for p in layout.places]
        values = self._bench.measure([p.arm for p in layout.places], ids, plates, [p.outer for p in layout.places])
        nodes = self._bench.cell.nodes
        return [
            Well(
                id=well,
                arm_key=place.arm.key(),
                block=plate,
                values={n: float(v) for n, v in zip(nodes, row, strict=True) if np.isfinite(v)},
            )
            for well, place, plate, row in zip(ids, layout.places, plates, values, strict=True)
        ]

    def _trouble(self, arm: Arm) -> str:
        """Why the lab cannot run an arm; "" where it can."""
        for p in arm.perturbations:
            if p.dose is not None and not LEAST_DOSE <= p.dose <= MOST_DOSE:
                return f"{p.dose:g} uM is outside {LEAST_DOSE:g} to {MOST_DOSE:g} uM"
        try:
            self._bench.cell.check(arm)
        except CytocruxError as error:
            return str(error)
        return ""

    def _event(self, kind: str, run_id: str) -> dict | None:  # type: ignore[type-arg]
        for event in self._ledger.events(kind=kind):
            if event.payload["run_id"] == run_id:
                return dict(event.payload)
        return None

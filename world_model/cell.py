"""VirtualCell: one fit, predict and update for genes, pairs, compounds, doses, times and contexts.

A fitted cell is immutable; ``update`` returns the next version, which remembers its parent and the hash of every row
it has learned from. Two engines do the work: ``ConditionCell`` (anything) and ``PanelCell`` (a matrix of contexts x
single perturbations without controls: drug screens over cell lines).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .answer import Answer
from .conditioncell import ConditionCell
from .errors import BadInput, UnknownName
from .neural.engine import NeuralEngine
from .panel import PanelEngine
from .prediction import CellPrediction
from .rows import Array, Rows, tidy
from .similarity import similarity_tables
from .uncertainty import noise_worth
from .vocabulary import Query, Response, content_hash

if TYPE_CHECKING:
    from anndata import AnnData

    from .data.conditions import ConditionTable
    from .network import SignedNetwork
    from .store import Engine
    from .vocabulary import Context, Readout

PANEL_CONTEXTS = 20  # from this many contexts on, a matrix without dose and time is served by the panel engine


@dataclass(frozen=True)
class VirtualCell:
    """A fitted theory of the cell. ``version`` names it; ``manifest``: sha256 of every training row, sorted."""

    version: str
    parent: str | None
    training_hash: str
    manifest: tuple[str, ...]
    rows: Rows
    engine: Engine
    seed: int

    @classmethod
    def fit(
        cls,
        table: ConditionTable,
        *,
        context_features: Mapping[str, pd.DataFrame] | None = None,
        compound_classes: Mapping[str, str] | None = None,
        perturbation_features: Mapping[str, pd.DataFrame | SignedNetwork] | None = None,
        neural: bool = False,
        seed: int = 0,
        device: str = "cpu",
    ) -> VirtualCell:
        """Learn from the conditions of ``table``; the engine follows from their shape.

        context_features: "expression" | "mutation" | "cnv" | … -> contexts x variables (missing contexts allowed).
        compound_classes: perturbation -> mechanism class.
        perturbation_features: your own knowledge of perturbations, each with a learned weight: name -> an embedding
        (perturbations x features), a graph (square symmetric frame with zero diagonal, or a ``SignedNetwork``) or a
        similarity (square symmetric, positive diagonal). A new perturbation that one of them lacks falls back on the
        others, and ``base`` says so. For a screen of compounds over lines ``chemistry.compound_features`` makes them;
        a matrix of other perturbations with features is served by the condition engine.
        neural: also try a neural ensemble beside the process (condition engine; minutes), which speaks only where
        conditions held out of the training data say that it helps.
        Raises BadInput when nothing is measured or features cannot be used.
        """
        rows, features, classes = Rows.of(table), dict(context_features or {}), dict(compound_classes or {})
        engine: Engine
        compounds = set(rows.conditions["kind"]) <= {"compound"}
        if is_matrix(rows) and (compounds or not perturbation_features):
            engine = PanelEngine.fit(rows, features, classes, similarity_tables(perturbation_features or {}))
        else:
            engine = ConditionCell.fit(rows, features, classes, perturbation_features, seed=seed, device=device)
            engine = NeuralEngine.fit(engine) if neural else engine
        return cls._sealed(rows, engine, seed, rows.hashes(), parent=None)

    @classmethod
    def _sealed(cls, rows: Rows, engine: Engine, seed: int, hashes: Iterable[str], parent: str | None) -> VirtualCell:
        manifest = tuple(sorted(hashes))
        training_hash = content_hash(list(manifest))
        named: list[Any] = [training_hash, type(engine).__name__, seed, parent]
        if not isinstance(engine, PanelEngine) and parent is None:
            named += engine.priors.hashes()
        version = "M" + content_hash(named)[:12]
        return cls(version, parent, training_hash, manifest, rows, engine, seed)

    @property
    def readouts(self) -> tuple[str, ...]:
        return self.rows.readouts

    @property
    def noise_factor(self) -> float:
        """What the standard errors of the training table were found to be worth as variances (1 = as stated).

        Below one where part of a standard error is common to many conditions (their control) or overstated; the
        interval of a condition's measured mean is hypot(epistemic, sqrt(noise_factor) se).
        """
        return self.engine.noise_factor

    @property
    def noise_worth(self) -> Array:
        """(r,) the same readout by readout, less where the standard errors were overstated for one of them."""
        return noise_worth(self.rows, self.noise_factor)

    @property
    def wells(self) -> frozenset[str]:
        """Ids of all wells this version has learned from."""
        return frozenset(w for row in self.rows.wells for w in row)

    def predict(self, conditions: pd.DataFrame, *, context: Context | None = None) -> CellPrediction:
        """Predict every row of ``conditions`` (context, perturbation; kind, dose, time_h, batch where they apply).

        context: describes a context by name that the training features do not know (a patient); any of its
        expression and mutation values may be missing. Raises BadInput for a malformed table.
        """
        asked = tidy(conditions)
        if not len(asked):
            raise BadInput("There is nothing to predict", why="the table of conditions has no rows")
        return self._told(asked, context, single=False)

    def chance_below(self, conditions: pd.DataFrame, z: float, *, context: Context | None = None) -> Array:
        """(n, r) probability that one reading lies at or below ``z`` sd of its perturbation over the contexts.

        Where many contexts were measured this is learned from how they lie around ``z`` itself; elsewhere it is that
        of the normal belief, NaN without a reference. Raises BadInput for a malformed table.
        """
        from scipy.special import ndtr

        asked = tidy(conditions)
        mean, sd, noise = self._told(asked, context, single=False).z()
        chance: Array = np.asarray(ndtr((z - mean) / np.hypot(sd, noise)))
        if isinstance(self.engine, PanelEngine):
            learned = self.engine.chance_below(asked, z, context)
            chance = np.where(np.isfinite(learned), learned, chance)
        return chance

    def _told(self, asked: pd.DataFrame, context: Context | None, single: bool) -> CellPrediction:
        if isinstance(self.engine, PanelEngine):
            answer: Answer = self.engine.answer(asked, context)
        else:
            answer = self.engine.answer(asked, context, single=single)
        centre, spread = self.engine.reference(asked)
        abstain = np.array([bool(r) for r in answer.reason])
        return CellPrediction(
            asked, self.readouts, answer.mean, answer.epistemic, answer.aleatoric, answer.in_domain, answer.base,
            abstain, answer.reason, centre, spread,
        )  # fmt: skip

    def screen(
        self, conditions: pd.DataFrame | Iterable[pd.DataFrame], *, block: int = 1024, single: bool = True,
        context: Context | None = None,
    ) -> Iterator[CellPrediction]:  # fmt: skip
        """Predict any number of conditions, ``block`` at a time: memory does not grow with their number.

        conditions: one table, or tables as they come (``grid`` makes all combinations without holding them).
        single: in single precision (the condition engine). Raises BadInput for a malformed table.
        """
        tables = [conditions] if isinstance(conditions, pd.DataFrame) else conditions
        for table in tables:
            for start in range(0, len(table), block):
                yield self._told(tidy(table.iloc[start : start + block]), context, single)

    def cells(self, conditions: pd.DataFrame, control: AnnData, n: int, *, seed: int = 0) -> AnnData:
        """n single cells of every row of ``conditions``: the control cells of its context, moved as predicted.

        control: cells x readouts on the scale of training; obs columns ``context`` and ``control``, where there are
        any, say which cells are meant. The result's obs hold the condition and the control cell each came from.
        Equal for equal ``seed``. Raises UnknownName for a readout ``control`` lacks, BadInput for too few cells.
        """
        from .cells import predicted_cells

        return predicted_cells(self.predict(conditions), self.readouts, self.version, control, n, seed)

    def respond(self, query: Query, *, context: Context | None = None) -> list[Response]:
        """One response per readout of the query; a score is the mean of its weighted members.

        Members' errors are taken as fully dependent (the widest a mean of them can be). Raises UnknownName for a
        readout that was not measured in training.
        """
        told = self.predict(arm_conditions(query), context=context)
        return [self._response(readout, told) for readout in query.readouts]

    def _response(self, readout: Readout, told: CellPrediction) -> Response:
        members = readout.members or ((readout.variable, 1.0),)
        for name, _ in members:
            if name not in self.readouts:
                raise UnknownName(name, kind="readout", known=self.readouts)
        at = [self.readouts.index(name) for name, _ in members]
        weight = np.array([w for _, w in members]) / len(members)
        mean, unknown = float(told.mean[0, at] @ weight), bool(~np.isfinite(told.mean[0, at]).all())
        return Response(
            readout=readout,
            mean=0.0 if unknown else mean,
            epistemic=0.0 if unknown else float(told.epistemic[0, at] @ np.abs(weight)),
            aleatoric=float(np.nan_to_num(told.aleatoric[0, at]) @ np.abs(weight)),
            in_domain=float(told.in_domain[0]),
            base=told.base[0],
            abstain=bool(told.abstain[0]) or unknown,
            reason="this readout was never measured there" if unknown else told.reason[0],
        )

    def update(self, table: ConditionTable) -> VirtualCell:
        """The next version, with new wells (also of contexts or perturbations unseen so far).

        Raises BadInput for wells it has already learned from, or readouts it was not fitted on.
        """
        rows = self.rows.plus(Rows.of(table))
        new = rows.take(range(len(self.rows), len(rows)))
        hashes = (*self.manifest, *new.hashes())
        return self._sealed(rows, self.engine.update(new), self.seed, hashes, self.version)

    def save(self, folder: Path) -> None:
        """Write the cell as safetensors and JSON (no pickle)."""
        from .store import Identity, save

        identity = Identity(self.version, self.parent, self.training_hash, self.manifest, self.seed)
        save(folder, identity, self.rows, self.engine)

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> VirtualCell:
        """Read what ``save`` wrote. Raises DataUnavailable or Corrupt."""
        from .store import load

        told, rows, engine = load(folder, device=device)
        return cls(told.version, told.parent, told.training_hash, told.manifest, rows, engine, told.seed)


def is_matrix(rows: Rows) -> bool:
    """Many contexts x single perturbations, each at one dose and time only."""
    table = rows.conditions
    singles = not table["perturbation"].str.contains("+", regex=False).any()
    one_dose = table["dose"].nunique(dropna=False) == 1 and table["time_h"].nunique(dropna=False) == 1
    return bool(singles and one_dose and table["context"].nunique() >= PANEL_CONTEXTS)


def arm_conditions(query: Query) -> pd.DataFrame:
    """The one-row table of conditions of a query's arm."""
    arm = query.arm
    doses = [p.dose for p in arm.perturbations if p.dose is not None]
    return pd.DataFrame(
        {
            "context": [arm.context],
            "perturbation": ["+".join(p.name for p in arm.perturbations) or "control"],
            "kind": [arm.perturbations[0].kind if arm.perturbations else "control"],
            "dose": [doses[0] if doses else np.nan],
            "time_h": [np.nan if arm.time_h is None else arm.time_h],
        }
    )

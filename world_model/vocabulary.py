"""The words of the cell: perturbation, context, readout, arm, contrast, query, response.

Default units: dose uM, time h, expression log2 fold change against the matched control,
viability ln(IC50 in uM). All types are frozen; equal content means equal hash.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

PerturbationKind = Literal[
    "knockout", "knockdown", "activation", "overexpression", "compound",
    "ligand", "antibody", "stimulus", "infection",
]  # fmt: skip
Modality = Literal["transcriptome", "proteome", "phosphoproteome", "morphology", "secretome", "viability", "score"]


class Frozen(BaseModel):
    """Immutable value with a content hash; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def content_hash(self) -> str:
        """sha256 (hex) of the canonical JSON: sorted keys, no spaces."""
        return content_hash(self.model_dump(mode="json"))


def content_hash(payload: Any) -> str:
    """sha256 (hex) of ``payload`` as canonical JSON."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Perturbation(Frozen):
    """One intervention. ``name`` is the HGNC symbol or the compound's name in its data set."""

    kind: PerturbationKind
    name: str = Field(min_length=1, max_length=200)
    dose: float | None = Field(default=None, ge=0)
    unit: str = "uM"
    start_h: float = Field(default=0.0, ge=0)

    def label(self) -> str:
        return self.name if self.dose is None else f"{self.name} {self.dose:g} {self.unit}"


class Context(Frozen):
    """The cell before perturbation. Every feature but the name may be missing.

    expression: z-score over reference contexts by gene; mutations: gene -> 1/0;
    extrinsic: medium, co-treatment, niche as free key/value text.
    """

    name: str = Field(min_length=1, max_length=200)
    tissue: str | None = None
    expression: dict[str, float] = Field(default_factory=dict)
    mutations: dict[str, int] = Field(default_factory=dict)
    extrinsic: dict[str, str] = Field(default_factory=dict)


class Readout(Frozen):
    """What is measured. A score averages its members (each with weight +1 or -1)."""

    modality: Modality
    variable: str
    unit: str = "log2FC"
    members: tuple[tuple[str, float], ...] = ()


class Arm(Frozen):
    """Wells treated alike: a context by name, perturbations (none = matched control), a time."""

    context: str
    perturbations: tuple[Perturbation, ...] = ()
    time_h: float | None = Field(default=None, ge=0)

    @field_validator("perturbations")
    @classmethod
    def _sorted(cls, value: tuple[Perturbation, ...]) -> tuple[Perturbation, ...]:
        return tuple(sorted(value, key=lambda p: (p.name, p.kind, p.dose or 0.0)))

    @property
    def is_control(self) -> bool:
        return not self.perturbations

    def label(self) -> str:
        what = " + ".join(p.label() for p in self.perturbations) or "control"
        when = "" if self.time_h is None else f" at {self.time_h:g} h"
        return f"{what}{when} in {self.context}"

    def key(self) -> str:
        """Short stable id of the arm."""
        return self.content_hash()[:12]


class Population(Frozen):
    """Reference distribution over other contexts: readings of this block become (x - mean) / sd."""

    mean: float
    sd: float = Field(gt=0)
    n: int = Field(ge=2)
    block: str = ""  # the screen or plate it was taken on; "" = any


class Contrast(Frozen):
    """theta = sum of weight x mean(arm); treated minus control is ((+1, t), (-1, c)).

    Synergy beyond additivity is +1 AB, -1 A, -1 B, +1 control. With ``populations`` (one for each block)
    the readings are standardised against other contexts first, and a single arm is enough.
    """

    terms: tuple[tuple[float, Arm], ...] = Field(min_length=1)
    populations: tuple[Population, ...] = ()

    @model_validator(mode="after")
    def _has_reference(self) -> Contrast:
        if not self.populations and not math.isclose(sum(w for w, _ in self.terms), 0.0, abs_tol=1e-9):
            raise ValueError("a contrast without a reference population needs weights that sum to zero (a control)")
        return self

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(arm for _, arm in self.terms)

    def standardise(self, value: float, block: str) -> float | None:
        """The reading as it enters the contrast; None when its block has no reference population."""
        if not self.populations:
            return value
        for reference in self.populations:
            if reference.block in ("", block):
                return (value - reference.mean) / reference.sd
        return None


class Query(Frozen):
    """A question to the cell: the relative change of ``readouts`` in ``arm`` against its control."""

    arm: Arm
    readouts: tuple[Readout, ...] = Field(min_length=1)


class Response(Frozen):
    """The cell's answer for one readout, in the readout's unit, relative to the matched control.

    epistemic: sd of the mean that more data would shrink; aleatoric: well-to-well sd;
    in_domain: 0 (far from training data) .. 1.
    """

    readout: Readout
    mean: float
    epistemic: float = Field(ge=0)
    aleatoric: float = Field(ge=0)
    in_domain: float = Field(ge=0, le=1)
    base: str
    abstain: bool = False
    reason: str = ""

    def samples(self, n: int, seed: int = 0) -> list[float]:
        """n draws of a future well's relative change (normal, both variances)."""
        import numpy as np

        sd = math.hypot(self.epistemic, self.aleatoric)
        return [float(v) for v in np.random.default_rng(seed).normal(self.mean, sd, n)]

"""What the scientist stakes: claims, registered predictions, experiments, evidence.

A claim says theta >= delta (relation "ge") or theta <= delta (relation "le"); its denial says
theta <= delta0 (or >= delta0); between delta0 and delta lies the indifference zone.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..world_model.vocabulary import Arm, Contrast, Frozen, Readout

ClaimKind = Literal["response", "mechanism", "efficacy", "selectivity", "synergy", "similarity", "biomarker"]
Relation = Literal["ge", "le"]
Status = Literal[
    "proposed", "registered", "testing", "falsified", "corroborated", "undecided", "conflict", "undermined"
]
ANALYSIS_VERSION = "1"


class Claim(Frozen):
    """A falsifiable sentence with its formal content. ``id`` is the hash of the formal content."""

    sentence: str = Field(min_length=1, max_length=1000)
    kind: ClaimKind
    readout: Readout
    contrast: Contrast
    relation: Relation
    delta: float
    delta0: float
    premises: tuple[str, ...] = ()
    revises: str | None = None  # the falsified claim this one narrows
    mechanism: str = Field(default="", max_length=2000)
    refuted_by: str = Field(default="", max_length=1000)
    origin: str = "builtin"
    value: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _zone(self) -> Claim:
        if self.sign * (self.delta - self.delta0) <= 0:
            raise ValueError("the denial's boundary delta0 must lie on the other side of delta")
        return self

    @property
    def sign(self) -> int:
        """+1 for 'ge', -1 for 'le': multiply theta, delta, delta0 by it to read every claim as 'ge'."""
        return 1 if self.relation == "ge" else -1

    @property
    def id(self) -> str:
        formal = self.model_dump(mode="json", include={"readout", "contrast", "relation", "delta", "delta0"})
        from ..world_model.vocabulary import content_hash

        return "C" + content_hash(formal)[:12]


class Belief(Frozen):
    """A normal belief about theta (claim's units)."""

    mean: float
    sd: float = Field(gt=0)


class Prediction(Frozen):
    """The registered test of a claim, immutable, in the ledger before any of its data.

    variance "pooled": sigma unknown, estimated from the wells (t form); "known": noise_sd is the
    standard deviation of one well's reading (claim's units), from earlier replicates.
    noise_sd under "pooled" only scales the priors; it must come from earlier data too.
    """

    claim_id: str
    theory: Belief  # the cell's predictive distribution of theta: what E_for bets on
    sceptic: Belief  # the strongest simple baseline's: what E_against bets on
    variance: Literal["pooled", "known"]
    noise_sd: float = Field(gt=0)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    max_wells: int = Field(ge=1)  # per arm; past it the claim is undecided
    model_version: str
    training_hash: str
    analysis_version: str = ANALYSIS_VERSION

    @property
    def id(self) -> str:
        return "P" + self.content_hash()[:12]


class ArmRequest(Frozen):
    """n fresh wells of one arm."""

    arm: Arm
    n: int = Field(ge=1)


class Design(Frozen):
    """A proposed experiment. Approval is bound to ``content_hash()``."""

    campaign: str
    cycle: int
    dataset: str
    arms: tuple[ArmRequest, ...] = Field(min_length=1)
    predictions: tuple[str, ...] = Field(min_length=1)  # prediction ids it tests
    cost: float = Field(ge=0)  # wells
    seed: int = 0
    rationale: str = ""

    @property
    def wells(self) -> int:
        return sum(a.n for a in self.arms)


class Approval(Frozen):
    """A person's or a stated policy's consent to exactly one design."""

    design_hash: str
    by: str
    reason: str = ""


class ArmSummary(Frozen):
    """Sufficient statistics of one arm in one batch. ssd = sum of squared deviations from the mean."""

    arm_key: str
    n: int = Field(ge=1)
    mean: float
    ssd: float = Field(ge=0)


class Batch(Frozen):
    """One look at the data for one claim. ``comparable`` batches share units, instrument and variance."""

    claim_id: str
    prediction_id: str
    design_hash: str
    index: int = Field(ge=0)
    arms: tuple[ArmSummary, ...] = Field(min_length=1)
    wells: tuple[str, ...] = Field(min_length=1)  # ids of the wells used, each new to this claim
    data_hash: str


class Evidence(Frozen):
    """What all batches of a claim up to and including ``batch`` say; a pure function of them."""

    batch: Batch
    estimate: float  # theta, claim's units, cumulative
    se: float = Field(ge=0)
    df: float | None  # None where the variance is known
    e_for: float = Field(ge=0)
    e_against: float = Field(ge=0)
    p_for: float = Field(ge=0, le=1)
    p_against: float = Field(ge=0, le=1)
    ci_low: float | None  # 1 - alpha confidence sequence; None = not yet bounded
    ci_high: float | None

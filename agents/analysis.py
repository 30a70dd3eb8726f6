"""From revealed wells to one look per claim: arm summaries only, no verdict is taken here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..knowledge.claims import ArmSummary, Batch, Claim, Prediction
from ..tools.lab.protocol import RawResult, Well
from ..world_model.vocabulary import content_hash


def look(claim: Claim, prediction: Prediction, result: RawResult, index: int) -> Batch | None:
    """The claim's batch from this run's wells, or None where one of its arms has no usable reading."""
    arms, used = [], []
    for arm in claim.contrast.arms:
        readings = [(w, _reading(claim, w)) for w in result.wells if w.arm_key == arm.key()]
        kept = [(w, x) for w, x in readings if x is not None]
        if not kept:
            return None
        values = np.array([x for _, x in kept], dtype=float)
        mean = float(values.mean())
        arms.append(ArmSummary(arm_key=arm.key(), n=len(values), mean=mean, ssd=float(((values - mean) ** 2).sum())))
        used += [w.id for w, _ in kept]
    return Batch(
        claim_id=claim.id,
        prediction_id=prediction.id,
        design_hash=result.design_hash,
        index=index,
        arms=tuple(arms),
        wells=tuple(used),
        data_hash=content_hash([result.data_hash, claim.id, used]),
    )


def readings(claim: Claim, wells: Sequence[Well]) -> dict[str, list[float]]:
    """Arm key -> the readings as they enter the contrast (for plots)."""
    found: dict[str, list[float]] = {}
    for well in wells:
        value = _reading(claim, well)
        if value is not None:
            found.setdefault(well.arm_key, []).append(value)
    return found


def _reading(claim: Claim, well: Well) -> float | None:
    raw = well.values.get(claim.readout.variable)
    return None if raw is None else claim.contrast.standardise(raw, well.block)

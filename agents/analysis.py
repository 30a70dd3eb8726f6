"""From revealed wells to looks at a claim: arm summaries only, no verdict is taken here.

One batch for each block (plate, lane): what a block adds to all its arms alike cancels in its contrast. Wells of a
block that lacks an arm say nothing about the contrast within it and are not used. Where no block holds every arm, or
readings are standardised against a population, the run is one batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..knowledge.claims import ArmSummary, Batch, Claim, Prediction
from ..tools.lab.protocol import RawResult, Well
from ..world_model.vocabulary import content_hash


def looks(claim: Claim, prediction: Prediction, result: RawResult, index: int) -> list[Batch]:
    """The claim's batches from this run's wells, numbered from ``index``; none where an arm has no usable reading."""
    arms = {arm.key() for arm in claim.contrast.arms}
    usable = [w for w in result.wells if w.arm_key in arms and _reading(claim, w) is not None]
    blocks = [] if claim.contrast.populations else _whole_blocks(usable, arms)
    if not blocks and {w.arm_key for w in usable} == arms:
        blocks = [usable]
    return [_batch(claim, prediction, result, wells, index + i) for i, wells in enumerate(blocks)]


def _whole_blocks(wells: Sequence[Well], arms: set[str]) -> list[list[Well]]:
    """Wells by block, in the order of the blocks' names; only blocks with every arm."""
    found: dict[str, list[Well]] = {}
    for well in wells:
        found.setdefault(well.block, []).append(well)
    return [found[name] for name in sorted(found) if {w.arm_key for w in found[name]} == arms]


def _batch(claim: Claim, prediction: Prediction, result: RawResult, wells: Iterable[Well], index: int) -> Batch:
    arms: dict[str, list[float]] = {arm.key(): [] for arm in claim.contrast.arms}
    used = []
    for well in wells:
        value = _reading(claim, well)
        if value is not None:
            arms[well.arm_key].append(value)
            used.append(well.id)
    return Batch(
        claim_id=claim.id,
        prediction_id=prediction.id,
        design_hash=result.design_hash,
        index=index,
        arms=tuple(_summary(key, np.array(values)) for key, values in arms.items()),
        wells=tuple(used),
        data_hash=content_hash([result.data_hash, claim.id, used]),
    )


def _summary(key: str, values: np.ndarray) -> ArmSummary:
    mean = float(values.mean())
    return ArmSummary(arm_key=key, n=len(values), mean=mean, ssd=float(((values - mean) ** 2).sum()))


def _reading(claim: Claim, well: Well) -> float | None:
    raw = well.values.get(claim.readout.variable)
    return None if raw is None else claim.contrast.standardise(raw, well.block)

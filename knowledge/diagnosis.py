"""Which fault most likely made a claim's evidence contradict itself."""

from __future__ import annotations

import math

from .claims import Batch, Claim, Prediction


def likely_fault(claim: Claim, batches: list[Batch], prediction: Prediction | None) -> str:
    """One sentence naming a swap, a batch, or the variance model, with the figures that point at it."""
    contrasts = [(b.index, x, v) for b in batches if (got := batch_contrast(claim, b)) for x, v in [got]]
    ratio = noise_ratio(batches, prediction) if prediction else None
    if len(contrasts) >= 2:
        index, gap, mirrored = _odd_one(contrasts)
        if mirrored:
            return f"batch {index} mirrors the others; its arms may be swapped"
        if gap > 3.0:
            return f"batch {index} lies {gap:.1f} standard errors from the others; suspect its plate or scanner"
    if ratio is not None and not 0.5 < ratio < 2.0:
        return f"wells spread {ratio:.1f} times as much as the registered test assumes; suspect the variance model"
    return "no batch stands out; suspect the variance model or blocks that are not independent"


def batch_contrast(claim: Claim, batch: Batch) -> tuple[float, float] | None:
    """(theta estimated from one batch, its variance), or None where an arm is missing or the variance unknown."""
    arms = {arm.arm_key: arm for arm in batch.arms}
    found = [(w, arms.get(arm.key())) for w, arm in claim.contrast.terms]
    df = sum(arm.n - 1 for arm in batch.arms)
    if any(arm is None for _, arm in found) or df < 1:
        return None
    sigma2 = sum(arm.ssd for arm in batch.arms) / df
    theta = sum(w * arm.mean for w, arm in found if arm)
    return theta, sigma2 * sum(w * w / arm.n for w, arm in found if arm)


def noise_ratio(batches: list[Batch], prediction: Prediction) -> float | None:
    """Observed sd of one well within arm and batch, over the registered noise_sd; None without replicates."""
    df = sum(arm.n - 1 for b in batches for arm in b.arms)
    if df < 1:
        return None
    return math.sqrt(sum(arm.ssd for b in batches for arm in b.arms) / df) / prediction.noise_sd


def _odd_one(contrasts: list[tuple[int, float, float]]) -> tuple[int, float, bool]:
    """Batch farthest from the mean of the others: (index, gap in standard errors, is it their mirror image)."""
    floor = max(v for _, _, v in contrasts) * 0.1 or 1e-12  # few wells can look too sure of themselves
    best = (contrasts[0][0], 0.0, False)
    for index, x, v in contrasts:
        others = [(y, max(u, floor)) for i, y, u in contrasts if i != index]
        weight = sum(1 / u for _, u in others)
        mean = sum(y / u for y, u in others) / weight
        gap = abs(x - mean) / math.sqrt(max(v, floor) + 1 / weight)
        if gap > best[1]:
            mirrored = gap > 3.0 and abs(x + mean) < 0.5 * abs(mean)
            best = (index, gap, mirrored)
    return best

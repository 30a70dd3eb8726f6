"""A finished screen replayed round by round: the policy asks, the oracle answers for what was asked and nothing else.

Arms: "true" (as it was), "permuted" (each round's outcomes shuffled among the members measured in it), "no_feedback"
(no outcome is told). A policy that learns loses what it gained when its feedback is permuted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...world_model.data.screens import Screen
from ...world_model.genepool import PoolFeatures
from ...world_model.numeric import Numbers
from .policies import POLICIES
from .view import HitView

Arm = Literal["true", "permuted", "no_feedback"]
ARMS: tuple[Arm, ...] = ("true", "permuted", "no_feedback")


@dataclass(frozen=True)
class Replay:
    """share, share_nonessential: (rounds,) of all hits found after each round; seconds: (rounds,) of
    processor time to propose each (one core; what else the machine does is not in it)."""

    screen: str
    policy: str
    arm: Arm
    seed: int
    share: Numbers
    share_nonessential: Numbers
    seconds: Numbers


def replay(
    screen: Screen, features: PoolFeatures, prior: Numbers | None, *, policy: str, arm: Arm = "true", seed: int = 0
) -> Replay:
    """Run one campaign. features, prior: rows as in ``screen``; everything is shuffled here by ``seed``.

    Without feedback the policy ranks once; later rounds go on down its ranking.
    """
    rng = np.random.default_rng([seed, 1])
    order = np.random.default_rng(seed).permutation(len(screen.names))
    score, hit, essential = screen.score[order], screen.hit[order], screen.essential[order]
    view = HitView.fresh(features.take(order), None if prior is None else prior[order])
    chooser = POLICIES[policy]()
    done = np.zeros(len(order), bool)
    found, found_ne, seconds = [], [], []
    for _ in range(screen.rounds):
        start = time.process_time()
        rows = chooser.propose(replace(view, shut=done.copy()), screen.batch, rng)
        seconds.append(time.process_time() - start)
        if len(set(rows.tolist())) != len(rows) or done[rows].any():
            raise ValueError(f"policy {policy} asked for a member twice")
        done[rows] = True
        found.append(float((hit & done).sum() / hit.sum()))
        found_ne.append(float((hit & done & ~essential).sum() / (hit & ~essential).sum()))
        told = rng.permutation(rows) if arm == "permuted" else rows
        if arm != "no_feedback":
            view = view.with_results(rows, score[told], hit[told])
    return Replay(screen.name, policy, arm, seed, np.array(found), np.array(found_ne), np.array(seconds))

"""A campaign against an oracle file, and its curve beside those of permuted and of no feedback."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...world_model.errors import BadInput
from ...world_model.numeric import Numbers
from .campaign import HitCampaign
from .files import Measured
from .replay import Arm

COLOUR = {"true": "#0072b2", "permuted": "#d55e00", "no_feedback": "#999999"}  # Okabe and Ito
LABEL = {"true": "with feedback", "permuted": "outcomes permuted", "no_feedback": "no feedback"}


@dataclass(frozen=True)
class Played:
    """share: (rounds,) of all hits found after each round; rounds: the rows measured in each, with score and hit."""

    share: Numbers
    rounds: tuple[tuple[Numbers, Numbers, Numbers], ...]

    def write(self, path: Path, names: Sequence[str]) -> None:
        """One line a member measured: round, name, score, hit."""
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["round", "name", "score", "hit"])
            for number, (rows, score, hit) in enumerate(self.rounds, 1):
                for row, value, mark in zip(rows, score, hit, strict=True):
                    writer.writerow([number, names[int(row)], repr(float(value)), int(mark)])


def play(campaign: HitCampaign, oracle: Measured, rounds: int, batch: int, arm: Arm = "true", seed: int = 0) -> Played:
    """Let a fresh campaign find the oracle's hits. Only members the oracle knows are asked for.

    Raises BadInput where the oracle has no hit at all.
    """
    if not oracle.hit.any():
        raise BadInput("The oracle has no hit", cure="Mark hits with 1, or lower --threshold")
    n, rng = campaign.view.n, np.random.default_rng(seed)
    score, hit, known = np.zeros(n), np.zeros(n), np.zeros(n, bool)
    score[oracle.rows], hit[oracle.rows], known[oracle.rows] = oracle.score, oracle.hit, True
    done, share, history = np.zeros(n, bool), [], []
    for _ in range(rounds):
        left = known & ~done
        if left.any():
            rows = campaign.choose(batch, among=left)
            done[rows] = True
            told = rng.permutation(rows) if arm == "permuted" else rows
            if arm != "no_feedback":
                campaign.learn(rows, score[told], hit[told])
            history.append((rows, score[rows], hit[rows]))
        share.append(float(hit[done].sum() / hit.sum()))
    return Played(np.array(share), tuple(history))


def draw(path: Path, arms: Mapping[str, Sequence[Played]], chance: float) -> None:
    """Rounds against the share of hits found, as PNG: mean over repeats, band from the least to the most.

    chance: share of the pool measured a round.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        rounds = np.arange(1 + max(len(p.share) for many in arms.values() for p in many))
        axes.plot(rounds, 100 * np.minimum(rounds * chance, 1.0), color="black", ls=":", lw=1, label="chance")
        for name, many in arms.items():
            y = 100 * np.array([np.concatenate([[0.0], p.share]) for p in many])
            axes.plot(rounds, y.mean(axis=0), color=COLOUR[name], marker="o", ms=3.5, lw=1.6, label=LABEL[name])
            axes.fill_between(rounds, y.min(axis=0), y.max(axis=0), color=COLOUR[name], alpha=0.18, lw=0)
        axes.set(xlabel="round", ylabel="hits found, % of all", ylim=(0, None), xticks=rounds)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(path, dpi=150)

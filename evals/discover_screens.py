"""Closed-loop hit finding on five published genome-wide screens, beside every published agent and baseline.

Protocol of BioDiscoveryAgent (Roohani et al., ICLR 2025): 5 rounds of 128 genes (32 for Scharenberg), hit ratio = hits
found / all hits; non-essential: CEGv2 genes out of both. The pool is shuffled by seed, ties are broken at random. What
is known beforehand: the question's text, gene sets, networks, names, expression over cell lines; no screen of any kind.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..agents.hits.policies import POLICIES
from ..agents.hits.replay import Arm, Replay, replay
from ..world_model.atlascache import gene_atlas
from ..world_model.concepts import text_prior
from ..world_model.data.fetch import data_dir as known_data_dir
from ..world_model.data.screens import SCREENS, Screen, load_screen
from ..world_model.errors import DataUnavailable
from ..world_model.genepool import PoolFeatures
from ..world_model.numeric import Numbers
from .results import Result

COLUMNS = {"IFNG": "ifng", "IL2": "il2", "Carnevale22_Adenosine": "carnev", "Scharenberg22": "scharen",
           "Sanchez21_down": "sanchez"}  # fmt: skip
PUBLISHED = Path("screens") / "published_biodiscoveryagent_table1.csv"
BAYESIAN = ("Soft Uncertain", "Top Uncertain", "Margin Sample", "Coreset", "Badge", "K-Means (E)", "K-Means (D)",
            "DiscoBax")  # fmt: skip
AGENT = "BDA Claude 3.5 Sonnet"
BAR_ALL, BAR_NE, BAR_SECONDS = 0.15, 0.14, 10.0
SEEDS, FAST_SEEDS = 10, 2  # seeds 0.. are reported; development used seeds from 100 on
SPREAD = "our choices are the same for every seed but for ties: this spread is that of the other arm"
TIED = (
    "the same surrogate for all; on development pools (random 80 % of each, seeds from 100) ours, the chance of a hit, "
    "and the posterior mean find alike: what lies between them here is chance, mostly Scharenberg's 53 hits"
)
OTHER_SEEDS = 2  # of the other acquisition rules


@dataclass(frozen=True)
class Prepared:
    """A screen with its pool's features and the question's prior, (N,) each in the screen's order."""

    screen: Screen
    features: PoolFeatures
    prior: Numbers


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """All figures. About 20 minutes on two cores; ``fast`` 4."""
    folder = data_dir or known_data_dir()
    if folder is None:
        raise DataUnavailable("The screens are not here", cure="Set CYTOCRUX_DATA_DIR to a folder that holds screens/")
    prepared = prepare(folder)
    seeds = range(FAST_SEEDS if fast else SEEDS)
    arms: dict[Arm, dict[str, list[Replay]]] = {
        arm: {name: [_play(p, "ours", arm, s) for s in seeds] for name, p in prepared.items()}
        for arm in ("true", "permuted", "no_feedback")
    }
    table = read_published(folder / PUBLISHED)
    figures = [f for name in prepared for f in screen_figures(name, arms, table)]
    figures += mean_figures(arms, table)
    figures += _policies(prepared, range(1 if fast else OTHER_SEEDS), arms["true"])
    figures.append(_constant(prepared, seeds))
    figures.append(_seconds(arms["true"]))
    return figures


def prepare(folder: Path) -> dict[str, Prepared]:
    """Every screen with what is known of its genes before any of them is measured."""
    atlas = gene_atlas(folder)
    found = {}
    for name in SCREENS:
        screen = load_screen(name, folder)
        prior = text_prior(screen.question, screen.names, atlas).score
        found[name] = Prepared(screen, atlas.pool(screen.names), prior)
    return found


def read_published(path: Path) -> dict[str, dict[str, float]]:
    """Method -> column ("ifng_all", "ifng_ne", …) -> hit ratio after round 5."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {row.pop("method"): {k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)}


def _play(p: Prepared, policy: str, arm: Arm, seed: int) -> Replay:
    return replay(p.screen, p.features, p.prior, policy=policy, arm=arm, seed=seed)


def screen_figures(
    name: str, arms: dict[Arm, dict[str, list[Replay]]], table: dict[str, dict[str, float]]
) -> list[Result]:
    """``bda_<screen>_all`` and ``_nonessential``; the bar is the best Bayesian-optimisation row on at least one."""
    column = COLUMNS[name]
    values = {side: last([getattr(r, field) for r in arms["true"][name]]) for side, field in SIDES.items()}
    best = {side: max(table[m][f"{column}_{SHORT[side]}"] for m in BAYESIAN) for side in SIDES}
    above = any(values[side].mean() >= best[side] for side in SIDES)
    out = []
    for side, field in SIDES.items():
        short = SHORT[side]
        rounds = np.mean([getattr(r, field) for r in arms["true"][name]], axis=0)
        baselines: dict[str, float | None] = {
            arm: float(last([getattr(r, field) for r in arms[arm][name]]).mean()) for arm in ("permuted", "no_feedback")
        }
        baselines |= {"best published BO": best[side], AGENT: table[AGENT][f"{column}_{short}"]}
        baselines |= {f"round {i}": float(v) for i, v in enumerate(rounds, 1)}
        baselines |= {m: row[f"{column}_{short}"] for m, row in table.items() if m != AGENT}
        out.append(
            Result(
                name=f"bda_{name}_{side}", value=float(values[side].mean()), sd=float(values[side].std()),
                n=len(values[side]), unit="hit ratio", baselines=baselines,
                bar=f">= the best published BO row ({best[side]:.3f}) on this column or the other", passed=above,
            )
        )  # fmt: skip
    return out


SIDES = {"all": "share", "nonessential": "share_nonessential"}
SHORT = {"all": "all", "nonessential": "ne"}


def last(curves: Sequence[Numbers]) -> Numbers:
    """(seeds,) the value after the last round."""
    return np.array([c[-1] for c in curves])


def mean_figures(arms: dict[Arm, dict[str, list[Replay]]], table: dict[str, dict[str, float]]) -> list[Result]:
    """Means over the screens of each seed, and what true feedback adds to permuted feedback."""
    out, by_seed = [], {}
    for side, field in SIDES.items():
        for arm in arms:
            by_seed[arm] = np.mean([last([getattr(r, field) for r in runs]) for runs in arms[arm].values()], axis=0)
        bar = BAR_ALL if side == "all" else BAR_NE
        value = by_seed["true"]
        baselines: dict[str, float | None] = {
            "permuted": float(by_seed["permuted"].mean()), "no_feedback": float(by_seed["no_feedback"].mean())
        }  # fmt: skip
        published = {m: np.mean([row[f"{c}_{SHORT[side]}"] for c in COLUMNS.values()]) for m, row in table.items()}
        baselines |= {m: float(v) for m, v in sorted(published.items(), key=lambda item: -item[1])}
        out.append(
            Result(
                name=f"bda_mean_{side}", value=float(value.mean()), sd=float(value.std()), n=len(value),
                unit="hit ratio", baselines=baselines, bar=f">= {bar}", passed=bool(value.mean() >= bar),
            )
        )  # fmt: skip
        for arm in ("permuted", "no_feedback"):
            gain = by_seed["true"] - by_seed[arm]
            low, high = interval(gain)
            suffix = "" if side == "all" else "_nonessential"
            judged = arm == "permuted"
            out.append(
                Result(
                    name=f"bda_true_minus_{arm}{suffix}", value=float(gain.mean()), sd=float(gain.std(ddof=1)),
                    n=len(gain), unit="hit ratio", baselines={"95% low": low, "95% high": high},
                    bar="95% interval above 0" if judged else "", passed=low > 0 if judged else None, note=SPREAD,
                )
            )  # fmt: skip
    return out


def interval(gain: Numbers) -> tuple[float, float]:
    """95% t interval of the mean over seeds."""
    from scipy.stats import t

    half = float(t.ppf(0.975, len(gain) - 1)) * float(gain.std(ddof=1)) / len(gain) ** 0.5
    return float(gain.mean()) - half, float(gain.mean()) + half


def _policies(prepared: dict[str, Prepared], seeds: range, ours: dict[str, list[Replay]]) -> list[Result]:
    """The other acquisition rules on the same features, model and question."""
    means: dict[str, float | None] = {}
    means_ne: dict[str, float | None] = {}
    for policy in (p for p in POLICIES if p != "ours"):
        runs = [_play(p, policy, "true", s) for p in prepared.values() for s in seeds]
        means[policy] = float(np.mean([r.share[-1] for r in runs]))
        means_ne[policy] = float(np.mean([r.share_nonessential[-1] for r in runs]))
    out = []
    for side, field, others in (("all", "share", means), ("nonessential", "share_nonessential", means_ne)):
        value = np.array([getattr(r, field)[-1] for runs in ours.values() for r in runs])
        out.append(
            Result(
                name=f"bda_policies_{side}", value=float(value.mean()), n=len(seeds), unit="mean hit ratio",
                baselines=others, note=TIED,
            )
        )  # fmt: skip
    return out


def _constant(prepared: dict[str, Prepared], seeds: range) -> Result:
    """A policy that scores every gene alike must find what chance finds: nothing leaks through the file's order."""
    from ..agents.hits.policies import best
    from ..agents.hits.view import HitView

    ratios = []
    for p in prepared.values():
        expected = p.screen.batch * p.screen.rounds / len(p.screen.names)
        for seed in range(max(len(seeds), SEEDS)):
            shuffled = p.screen.shuffled(seed)
            view = HitView.fresh(PoolFeatures(shuffled.names, {}, np.zeros(len(shuffled.names))))
            rows = best(np.zeros(view.n), view, p.screen.batch * p.screen.rounds, np.random.default_rng(seed))
            ratios.append(float(shuffled.hit[rows].mean() / shuffled.hit.mean()))
            assert expected > 0
    value, error = float(np.mean(ratios)), float(np.std(ratios) / len(ratios) ** 0.5)
    return Result(
        name="bda_constant_policy", value=value, sd=error, n=len(ratios), unit="x random", bar="within 3 se of 1",
        passed=abs(value - 1.0) <= 3.0 * error,
    )  # fmt: skip


def _seconds(runs: dict[str, list[Replay]]) -> Result:
    seconds = np.concatenate([r.seconds for many in runs.values() for r in many])
    return Result(
        name="seconds_per_round", value=float(seconds.max()), n=len(seconds), unit="processor seconds (slowest round)",
        baselines={"mean": float(seconds.mean())}, bar=f"< {BAR_SECONDS:g}", passed=bool(seconds.max() < BAR_SECONDS),
    )  # fmt: skip

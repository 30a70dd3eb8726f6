"""Splits of perturbed genes by biology, the same for the cell, the baselines and the peers.

One split answers two questions at once: pairs of genes whose singles were both measured, and genes never perturbed in
training at all. Nothing with a held-out gene, and no pair that is asked about, is among the training conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..world_model.rows import parts

HELD = 5  # unseen singles a split; of the 18 measured


@dataclass(frozen=True)
class GeneSplit:
    """Perturbations by name. pairs: both singles are in ``train``; unseen: singles whose gene no training name has."""

    seed: int
    train: tuple[str, ...]
    pairs: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def asked(self) -> tuple[str, ...]:
        return self.pairs + self.unseen


def gene_split(perturbations: Sequence[str], seed: int, held: int = HELD) -> GeneSplit:
    """Hold out ``held`` singles at random, all pairs with one of them, and every pair with both singles measured."""
    names = sorted(set(perturbations))
    singles = [n for n in names if len(parts(n)) == 1]
    order = np.random.default_rng(seed).permutation(len(singles))
    unseen = tuple(sorted(singles[i] for i in order[:held]))
    known = [n for n in names if not set(parts(n)) & set(unseen)]
    pairs = tuple(n for n in known if len(parts(n)) > 1 and all(p in singles for p in parts(n)))
    return GeneSplit(seed, tuple(n for n in known if n not in pairs), pairs, unseen)

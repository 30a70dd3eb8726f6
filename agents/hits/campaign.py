"""A hit campaign: a question, a pool, rounds of proposals with their reasons, and what came back.

with measured results in hand, one call after another:
    campaign = HitCampaign.begin(names, "genes that regulate interferon gamma production", folder)
    batch = campaign.propose(128)            # [Proposal(rank=1, name="ZAP70", expected=0.31, sets=(…), …), …]
    campaign.learn(rows, score, hit)         # then propose again
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ...world_model.atlascache import gene_atlas
from ...world_model.compoundpool import compound_pool, target_prior
from ...world_model.concepts import TextPrior, concepts_in, text_prior
from ...world_model.errors import BadInput, NotAllowed
from ...world_model.numeric import Numbers
from .policies import POLICIES, Acquisition
from .view import HitView

Kind = Literal["gene", "compound"]
GENES = 0.5  # share of a pool's names that must be gene symbols to take it for genes
GENERIC = frozenset(concepts_in("viability"))  # a growth readout says nothing of which target a compound should have


@dataclass(frozen=True)
class Proposal:
    """expected: posterior mean of the target (0 no effect … 1 a strong hit). sets: gene sets of the question the member
    lies in; neighbours: measured members whose outcome raised it, with how much."""

    rank: int
    name: str
    expected: float
    sets: tuple[str, ...]
    neighbours: tuple[tuple[str, float], ...]


class HitCampaign:
    """State of one campaign. Deterministic for a seed and the same results in the same order."""

    def __init__(self, view: HitView, kind: Kind, prior: TextPrior | None, policy: str, seed: int) -> None:
        if policy not in POLICIES:
            raise BadInput(f"Unknown policy {policy!r}", cure=f"Use one of: {', '.join(POLICIES)}")
        self.view, self.kind, self.prior = view, kind, prior
        self._name, self._seed = policy, seed
        self._policy, self._rng = POLICIES[policy](), np.random.default_rng(seed)

    def fresh(self, seed: int | None = None) -> HitCampaign:
        """The same campaign with nothing measured, on another seed where one is given."""
        empty = np.zeros(0)
        view = replace(self.view, measured=np.zeros(0, np.intp), score=empty, hit=empty)
        return HitCampaign(view, self.kind, self.prior, self._name, self._seed if seed is None else seed)

    @classmethod
    def begin(
        cls, names: Sequence[str], question: str, folder: Path, *, kind: Kind | None = None, policy: str = "ours",
        seed: int = 0,
    ) -> HitCampaign:  # fmt: skip
        """From the data folder's prior knowledge. kind: taken from the names where it is not given.

        Raises DataUnavailable without gene sets, BadInput for an empty question.
        """
        if not question.strip():
            raise BadInput("A campaign needs a question", cure="Say what a hit should do, in plain words")
        atlas = gene_atlas(folder)
        if kind is None:
            kind = "gene" if float((atlas.rows_of(names) >= 0).mean()) >= GENES else "compound"
        if kind == "gene":
            prior = text_prior(question, names, atlas)
            return cls(HitView.fresh(atlas.pool(names), prior.score), kind, prior, policy, seed)
        score = np.zeros(len(names))
        if not concepts_in(question).keys() <= GENERIC:
            genes = text_prior(question, atlas.genes, atlas).score
            score = target_prior(names, dict(zip(atlas.genes, genes.tolist(), strict=True)), folder)
        return cls(HitView.fresh(compound_pool(names, folder, atlas), score), kind, None, policy, seed)

    def propose(self, n: int, *, among: Numbers | None = None) -> list[Proposal]:
        """The next n members, best first, each with its reasons; among: as in ``choose``. Raises NotAllowed where none
        is left."""
        if n < 1:
            raise BadInput(f"A batch of {n} is none", cure="Ask for one or more")
        if not self.view.open.any():
            raise NotAllowed("The whole pool was measured", cure="There is nothing left to propose")
        rows = self.choose(n, among=among)
        return [self._proposal(rank, int(row)) for rank, row in enumerate(rows, 1)]

    def choose(self, n: int, *, among: Numbers | None = None) -> Numbers:
        """Rows of the next n members; among: (N,) bool, members that can be measured at all."""
        view = self.view if among is None else replace(self.view, shut=~among)
        return self._policy.propose(view, n, self._rng)

    def learn(self, rows: Numbers, score: Numbers, hit: Numbers) -> None:
        """Take one round's results in. Raises BadInput for a member measured before."""
        self.view = self.view.with_results(rows, score, hit)

    def row_of(self, name: str) -> int:
        return self.view.features.names.index(name)

    @property
    def concepts(self) -> dict[str, float]:
        """What the question was understood to be about, with weights."""
        return dict(self.prior.concepts) if self.prior is not None else {}

    def weights(self) -> dict[str, float]:
        """What the last round learned to lean on: share of each kind of knowledge, and of noise."""
        surrogate = self._policy.surrogate if isinstance(self._policy, Acquisition) else None
        return surrogate.mix.weights() if surrogate is not None else {}

    def _proposal(self, rank: int, row: int) -> Proposal:
        sets = self.prior.why(row) if self.prior is not None else ()
        near: tuple[tuple[str, float], ...] = ()
        expected = float("nan")
        if isinstance(self._policy, Acquisition) and self._policy.surrogate is not None:
            near = self._policy.surrogate.neighbours(self.view, row)
            last = self._policy.surrogate.last
            expected = float(last.mean[row]) if last is not None else expected
        return Proposal(rank, self.view.features.names[row], expected, sets, near)

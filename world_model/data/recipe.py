"""What the columns of a table do not say themselves: other names for them, and facts that hold for every row.

A recipe belongs to a published data set (``published.py``) or to the user's own file (``cytocrux data add --set
kind=knockdown --rename stim=perturbation``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from .columns import SYNONYMS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SETTABLE = ("kind", "context", "time_h", "time_unit", "dose_unit", "batch", "replicate", "scale", "modality")


@dataclass(frozen=True)
class Recipe:
    """rename: their column -> ours. constants: our column -> the text of every row that has none. names: a
    perturbation as written there -> as we write it ("stim" -> "IFNB1", "ctrl" -> "control"). strip: a pattern taken
    off perturbations (guide ids). leave_out: perturbations whose rows are not used (cells without a guide). cells: the
    rows are single cells (None = looked at)."""

    rename: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    strip: str = ""
    leave_out: tuple[str, ...] = ()
    cells: bool | None = None

    def stated(self, what: str) -> str:
        """The scale or modality this recipe states; "" = none."""
        return self.constants.get(what, "")

    def renamed(self, columns: list[str]) -> dict[str, str]:
        """Their column -> ours, for those present. Raises BadInput for one that is not there."""
        for theirs in self.rename:
            if theirs not in columns:
                raise BadInput(
                    f"There is no column {theirs!r} to be read as {self.rename[theirs]!r}",
                    why=f"the columns are {', '.join(columns[:12])}", cure="Correct the name",
                )  # fmt: skip
        return dict(self.rename)

    def labels(self, raw: pd.DataFrame) -> pd.DataFrame:
        """``raw`` (texts) with our names for its columns and every constant that it lacks."""
        chosen = self.renamed([str(c) for c in raw.columns])
        shadowed = [c for c in raw.columns if c in chosen.values() and c not in chosen]
        out = raw.drop(columns=shadowed).rename(columns=chosen)
        for ours, value in self.constants.items():
            if ours not in ("scale", "modality"):
                out[ours] = value
        if (self.names or self.strip) and "perturbation" in out:
            once = {str(text): self._name(str(text)) for text in out["perturbation"].unique()}
            out["perturbation"] = out["perturbation"].astype(str).map(once)
        return out

    def kept(self, labels: pd.DataFrame) -> NDArray[np.bool_]:
        """(rows,) False where the perturbation is one that is left out."""
        if not self.leave_out or "perturbation" not in labels:
            return np.ones(len(labels), dtype=bool)
        return ~labels["perturbation"].astype(str).isin(self.leave_out).to_numpy()

    def _name(self, text: str) -> str:
        plain = re.sub(self.strip, "", text) if self.strip else text
        return self.names.get(plain, plain)


def parse(settings: list[str], renames: list[str]) -> Recipe:
    """From the texts of the command line: "kind=knockdown", "stim=perturbation".

    Raises BadInput for a text of another form or a column that is not ours.
    """
    constants, rename = {}, {}
    for text in settings:
        ours, _, value = (part.strip() for part in text.partition("="))
        if ours not in SETTABLE or not value:
            raise BadInput(f"{text!r} sets nothing", cure=f"Write COLUMN=VALUE with one of {', '.join(SETTABLE)}")
        constants[ours] = value
    for text in renames:
        theirs, _, ours = (part.strip() for part in text.partition("="))
        if ours not in SYNONYMS or not theirs:
            raise BadInput(f"{text!r} renames nothing", cure=f"Write THEIRS=OURS with one of {', '.join(SYNONYMS)}")
        rename[theirs] = ours
    return Recipe(rename=rename, constants=constants)

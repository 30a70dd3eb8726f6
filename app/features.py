"""What a user tells the cell of perturbations beforehand (``--know``): priors by name, or a table of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..world_model.errors import BadInput, DataUnavailable

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.data.dataset import Dataset
    from ..world_model.network import SignedNetwork

COMPOUNDS = "compounds"


def perturbation_features(wanted: Sequence[str], dataset: Dataset) -> dict[str, pd.DataFrame | SignedNetwork]:
    """name -> features, for ``VirtualCell.fit``. wanted: "GO", "pathways", "regulons", "network" (files of
    CYTOCRUX_DATA_DIR/priors), "compounds" (structure, targets, mechanism), or "NAME=FILE".

    Raises BadInput for a word that is none of these or a table that cannot be used, DataUnavailable for absent files.
    """
    from ..world_model.chemistry import compound_features
    from ..world_model.data.fetch import data_dir
    from ..world_model.genepriors import FILES, gene_priors

    found: dict[str, pd.DataFrame | SignedNetwork] = {}
    by_word = {name.lower(): name for name in FILES}
    for text in wanted:
        name, given, file = (part.strip() for part in text.partition("="))
        if given:
            found[name] = read_features(Path(file))
        elif name.lower() == COMPOUNDS:
            singles = {p for n in dataset.perturbations for p in n.split("+")}
            found |= compound_features(singles, dataset.wells.uns.get("smiles"))
        elif name.lower() in by_word:
            root = data_dir()
            if root is None:
                raise DataUnavailable(
                    f"The prior {name!r} is not on this machine", why="CYTOCRUX_DATA_DIR is not set",
                    cure="Set it to a folder with priors/, or give your own: --know NAME=FILE",
                )  # fmt: skip
            found |= gene_priors(root / "priors", [by_word[name.lower()]])
        else:
            known = ", ".join([*FILES, COMPOUNDS])
            raise BadInput(f"Nothing is known under {name!r}", cure=f"Use one of {known}, or NAME=FILE")
    return found


def read_features(path: Path) -> pd.DataFrame:
    """A table with perturbations in its first column: an embedding, or a square similarity or graph.

    Raises DataUnavailable where there is none, BadInput where it is no table of numbers.
    """
    import pandas as pd

    from ..world_model.data.texts import read_table

    if not path.is_file():
        raise DataUnavailable(f"There is no file {path}", cure="Check the path")
    raw = read_table(path)
    if raw.shape[1] < 2:
        raise BadInput(
            f"{path.name} has one column only", cure="Write names in the first column, numbers in the others"
        )
    numbers: pd.DataFrame = raw.iloc[:, 1:].apply(pd.to_numeric, errors="coerce")
    if numbers.isna().to_numpy().any():
        row, column = (int(v[0]) for v in numbers.isna().to_numpy().nonzero())
        raise BadInput(
            f"{path.name}, row {row + 1}: {raw.iloc[row, column + 1]!r} is not a number", cure="Correct the cell"
        )
    names = raw.iloc[:, 0].astype(str).str.strip()
    if names.duplicated().any():
        raise BadInput(f"{path.name}: {names[names.duplicated()].iloc[0]!r} stands there twice", cure="Keep one row")
    numbers.index = pd.Index(names.to_numpy())
    return numbers

"""``cytocrux eval predict``: how well the cell predicts, and whether it knows what it does not know."""

from __future__ import annotations

from pathlib import Path

from . import (
    predict_cells,
    predict_drugs,
    predict_gdsc,
    predict_genes,
    predict_l1000,
    predict_rppa,
    predict_scale,
    predict_update,
)
from .results import Result


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """All figures (about ten minutes on one core; fast: about two). Raises DataUnavailable without the data."""
    return [
        *predict_rppa.run(fast=fast, data_dir=data_dir),
        *predict_gdsc.run(fast=fast, data_dir=data_dir),
        *predict_drugs.run(fast=fast, data_dir=data_dir),
        *predict_l1000.run(fast=fast, data_dir=data_dir),
        *predict_genes.run(fast=fast, data_dir=data_dir),
        *predict_cells.run(fast=fast, data_dir=data_dir),
        *predict_update.run(fast=fast),
        *predict_scale.run(fast=fast),
    ]

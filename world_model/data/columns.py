"""The names that other people's tables give to our columns, and the units they write doses and times in."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from ..vocabulary import PerturbationKind

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# ours -> theirs (scPerturb, pertpy, LINCS, plate readers), most specific first; compared in lower case
SYNONYMS: dict[str, tuple[str, ...]] = {
    "perturbation": ("perturbation", "condition", "compound", "drug", "drug_name", "treatment", "perturbation_name",
                     "perturbagen", "pert_iname", "product_name", "guide_target", "target_gene", "gene_target",
                     "guide_identity", "gene"),
    "parts": ("nperts",),
    "kind": ("kind", "perturbation_kind", "perturbation_type", "pert_type", "perturbation_modality"),
    "dose": ("dose", "dose_value", "dose_val", "concentration", "conc", "pert_dose", "dose_um", "dose_nm", "dosage"),
    "dose_unit": ("dose_unit", "dose_units", "conc_unit", "concentration_unit", "pert_dose_unit"),
    "time_h": ("time_h", "time", "timepoint", "time_point", "hours", "time_hours", "pert_time"),
    "time_unit": ("time_unit", "timepoint_unit", "time_point_unit", "pert_time_unit"),
    "context": ("context", "cell_line", "cellline", "cell_name", "cell_line_name", "cell_type", "celltype", "cell_id",
                "cell_iname", "line", "cell"),
    "control": ("control", "is_control", "is_ctrl", "ctrl", "is_vehicle"),
    "batch": ("batch", "plate", "plate_id", "batch_id", "lane", "gem_group", "gemgroup", "det_plate", "scanner"),
    "replicate": ("replicate", "rep", "replicate_id", "biological_replicate", "bio_replicate", "donor"),
    "well": ("well_id", "well", "sample_id", "sample", "id"),
    "readout": ("readout", "variable", "marker", "analyte", "protein", "gene"),
    "value": ("value", "reading", "measurement", "signal", "intensity", "expression"),
    "scale": ("scale", "value_scale"),
    "modality": ("modality",),
}  # fmt: skip

CONTROL_NAMES = frozenset(
    ("control", "ctrl", "dmso", "vehicle", "untreated", "unperturbed", "non-targeting", "nontargeting",
     "non_targeting", "non-targeting control", "nt", "ntc", "negctrl", "negcon", "scramble", "scrambled", "dmso_tf",
     "mock", "none", "water", "pbs", "medium", "unstimulated", "unstim", "resting")
)  # fmt: skip
KINDS: dict[str, PerturbationKind] = {
    "compound": "compound", "drug": "compound", "chemical": "compound", "small molecule": "compound",
    "small_molecule": "compound", "trt_cp": "compound", "trt_poscon": "compound",
    "crispra": "activation", "activation": "activation",
    "crispri": "knockdown", "knockdown": "knockdown", "sirna": "knockdown", "shrna": "knockdown", "rnai": "knockdown",
    "trt_sh": "knockdown", "crispr": "knockout", "crispr-cas9": "knockout", "crisprko": "knockout",
    "knockout": "knockout", "ko": "knockout", "trt_xpr": "knockout", "overexpression": "overexpression",
    "oe": "overexpression", "trt_oe": "overexpression", "ligand": "ligand", "cytokine": "ligand", "cytokines": "ligand",
    "trt_lig": "ligand", "antibody": "antibody", "stimulus": "stimulus", "stimulation": "stimulus",
    "infection": "infection", "virus": "infection",
}  # fmt: skip
TO_UM = {"um": 1.0, "µm": 1.0, "μm": 1.0, "micromolar": 1.0, "nm": 1e-3, "nanomolar": 1e-3, "pm": 1e-6,
         "picomolar": 1e-6, "mm": 1e3, "millimolar": 1e3, "m": 1e6, "molar": 1e6}  # fmt: skip
TO_H = {"h": 1.0, "hr": 1.0, "hrs": 1.0, "hour": 1.0, "hours": 1.0, "min": 1 / 60, "mins": 1 / 60,
        "minute": 1 / 60, "minutes": 1 / 60, "m": 1 / 60, "s": 1 / 3600, "sec": 1 / 3600, "seconds": 1 / 3600,
        "d": 24.0, "day": 24.0, "days": 24.0}  # fmt: skip
QUANTITY = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s].*)?$")
MISSING = frozenset(("", "na", "nan", "n/a", "null", "-666", "none"))


def recognise(names: list[str]) -> dict[str, str]:
    """ours -> theirs, for the columns found. The first synonym in the list wins, one column serves once."""
    lowered: dict[str, str] = {}
    for name in names:
        lowered.setdefault(name.strip().lower().replace(" ", "_"), name)
    found: dict[str, str] = {}
    for ours, theirs in SYNONYMS.items():
        for word in theirs:
            if word in lowered and lowered[word] not in found.values():
                found[ours] = lowered[word]
                break
    return found


def quantities(
    values: pd.Series[str], units: pd.Series[str] | None, factors: dict[str, float], what: str, default: str
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """Numbers in the default unit, and how many were converted from which unit.

    A cell may carry its own unit ("10 nM"), else ``units`` says it, else it is the default. Missing = NaN.
    Raises BadInput, naming row and cell, for text, a negative or infinite number, or an unknown unit.
    """
    out = np.full(len(values), np.nan)
    converted: dict[str, int] = {}
    cells = values.astype(str).tolist()
    stated = [""] * len(cells) if units is None else units.astype(str).tolist()
    seen: dict[tuple[str, str], tuple[float, str]] = {}
    for row, pair in enumerate(zip(cells, stated, strict=True)):
        if pair not in seen:
            seen[pair] = _quantity(*pair, factors, what, default, row)
        out[row], unit = seen[pair]
        if unit and factors[unit.lower()] != 1.0:
            converted[unit] = converted.get(unit, 0) + 1
    return out, converted


def _quantity(
    cell: str, stated: str, factors: dict[str, float], what: str, default: str, row: int
) -> tuple[float, str]:
    if cell.strip().lower() in MISSING:
        return math.nan, ""
    match = QUANTITY.match(cell)
    if not match:
        raise BadInput(f"Row {row + 1}: {cell!r} is not a {what}", cure=f"Write a number, in {default}")
    number = float(match[1])
    unit = (match[2] or "").strip() or ("" if stated.strip().lower() in MISSING else stated.strip())
    if not math.isfinite(number) or number < 0:
        raise BadInput(f"Row {row + 1}: the {what} {cell!r} is negative or infinite", cure="Correct the row")
    if unit and unit.lower() not in factors:
        raise BadInput(
            f"Row {row + 1}: the {what} is in {unit!r}, a unit that cannot be converted",
            why="conversion would need facts the table does not hold" if what == "dose" else "",
            cure=f"Give the {what} in {default} ({', '.join(sorted(factors))} are understood)",
        )
    return number * factors.get(unit.lower(), 1.0), unit

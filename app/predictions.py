"""The cell's answers as a table, AnnData or JSON.

``lower90`` … ``upper90`` holds the condition's true change with 90 % (mean -+ 1.645 epistemic); one single well
scatters around it with sd ``aleatoric`` more.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..world_model.errors import BadInput
from ..world_model.uncertainty import Z90

if TYPE_CHECKING:
    import anndata
    import pandas as pd

    from ..world_model.prediction import CellPrediction

SUFFIXES = (".csv", ".tsv", ".parquet", ".h5ad")
MEANING = (
    "mean: relative change against the matched control (the reading itself where the data have no controls); "
    "epistemic: sd of that mean; aleatoric: sd of one well; lower90/upper90: mean -+ 1.645 epistemic; "
    "in_domain: 0 (far from the training data) .. 1; abstain: do not use, reason says why"
)


def layers(told: CellPrediction) -> dict[str, np.ndarray[Any, Any]]:
    """mean, epistemic, aleatoric, lower90, upper90: (n, r) each."""
    half = Z90 * told.epistemic
    return {
        "mean": told.mean, "epistemic": told.epistemic, "aleatoric": told.aleatoric,
        "lower90": told.mean - half, "upper90": told.mean + half,
    }  # fmt: skip


def as_table(told: CellPrediction, units: list[str], keep: list[int] | None = None) -> pd.DataFrame:
    """Tidy: one row per condition and readout (``keep``: numbers of the readouts wanted, default all)."""
    import pandas as pd

    at = list(range(len(told.readouts))) if keep is None else keep
    n, r = len(told.conditions), len(at)
    wide = told.conditions.assign(
        in_domain=told.in_domain, base=told.base, abstain=told.abstain, reason=told.reason
    ).loc[np.repeat(np.arange(n), r)]
    values = {name: block[:, at].ravel() for name, block in layers(told).items()}
    before = ["context", "perturbation", "kind", "dose", "time_h", "batch"]
    named = {"readout": np.tile([told.readouts[j] for j in at], n), "unit": np.tile([units[j] for j in at], n)}
    frame = wide.reset_index(drop=True)
    return pd.concat(
        [frame[before], pd.DataFrame({**named, **values}), frame[["in_domain", "base", "abstain", "reason"]]], axis=1
    )


def as_anndata(told: CellPrediction, units: list[str], version: str) -> anndata.AnnData:
    """obs: the conditions with in_domain, base, abstain and reason; X = the mean; one layer per quantity."""
    import anndata
    import pandas as pd

    obs = told.conditions.assign(in_domain=told.in_domain, base=told.base, abstain=told.abstain, reason=told.reason)
    obs.index = pd.Index([str(i) for i in range(len(obs))])
    var = pd.DataFrame({"unit": units}, index=pd.Index(list(told.readouts)))
    uns = {"cytocrux_prediction": {"model": version, "meaning": MEANING}}
    return anndata.AnnData(X=told.mean.copy(), obs=obs, var=var, uns=uns, layers=layers(told))


def write(told: CellPrediction, units: list[str], version: str, path: Path, keep: list[int]) -> None:
    """Write by the suffix of ``path``. Raises BadInput where it is none of ours or cannot be written."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"{path.name} has no suffix that can be written", cure=f"Use one of {', '.join(SUFFIXES)}")
    try:
        if suffix == ".h5ad":
            as_anndata(told, units, version)[:, keep].copy().write_h5ad(path)
        elif suffix == ".parquet":
            as_table(told, units, keep).to_parquet(path)
        else:
            as_table(told, units, keep).to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    except OSError as error:
        raise BadInput(f"{path} cannot be written", why=str(error), cure="Choose another place") from error


def as_json(told: CellPrediction, units: list[str], keep: list[int]) -> list[dict[str, Any]]:
    """One object per condition, with one per readout in it; None = not known."""
    numbers = layers(told)
    out = []
    for i, row in enumerate(told.conditions.to_dict("records")):
        values = [
            {"readout": told.readouts[j], "unit": units[j], **{k: number(v[i, j]) for k, v in numbers.items()}}
            for j in keep
        ]
        out.append(
            {
                **{str(k): number(v) if isinstance(v, float) else v for k, v in row.items()},
                "in_domain": number(told.in_domain[i]), "base": told.base[i],
                "abstain": bool(told.abstain[i]), "reason": told.reason[i], "readouts": values,
            }
        )  # fmt: skip
    return out


def number(value: float) -> float | None:
    """A float that JSON can hold; NaN becomes None."""
    return float(value) if np.isfinite(value) else None

"""Checks that make a table fit to learn from: scale, controls, replicates, duplicates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from .conditions import CONDITION
from .report import Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SCALES = {
    "log2": "log2", "log": "log2", "log2fc": "log2", "ln": "ln", "log1p": "log1p", "ln_ic50": "ln_ic50",
    "linear": "linear", "raw": "linear", "counts": "counts", "as given": "as given",
}  # fmt: skip
# already relative to the plate's controls: no control wells are needed
RELATIVE = re.compile(r"^(ln_?)?(ic50|gr50|ec50|gi50)(_um)?$|^auc$|^aac$|^viability$", re.IGNORECASE)
LINEAR_MAX, LINEAR_SPREAD, LOG_MAX = 50.0, 8.0, 25.0
COUNT_READOUTS = 20  # whole numbers of fewer readouts are intensities rather than sequencing counts


def is_relative(readouts: list[str]) -> bool:
    """Whether every readout is a summary that already has its control in it (IC50, AUC, viability)."""
    return all(RELATIVE.match(name) for name in readouts)


def looks_linear(values: NDArray[np.float64]) -> bool:
    """Positive, reaching past 50, and with a long tail: intensities or counts, not logarithms."""
    known = values[np.isfinite(values)]
    positive = known[known > 0]
    if len(positive) < 3 or known.min() < 0 or known.max() <= LINEAR_MAX:
        return False
    return bool(np.quantile(positive, 0.99) / np.median(positive) > LINEAR_SPREAD or np.median(positive) > LINEAR_MAX)


def to_additive(
    X: NDArray[np.float64], readouts: list[str], batch: pd.Series[str], stated: str
) -> tuple[NDArray[np.float64], str, list[Note]]:
    """X on an additive scale, the scale's name, and what was done. Raises BadInput for a log/linear mix-up."""
    scale = SCALES.get(stated.strip().lower(), "") if stated else ""
    if stated and not scale:
        raise BadInput(f"Unknown scale {stated!r}", cure=f"Scales are {', '.join(sorted(SCALES))}")
    if np.isinf(X).any():
        raise BadInput("The table holds infinite readings", why="the logarithm of zero?", cure="Leave such cells empty")
    ic50 = [i for i, name in enumerate(readouts) if RELATIVE.match(name)]
    if ic50:
        return _relative(X, readouts, scale)
    linear = looks_linear(X)
    if not scale or scale == "linear":
        _refuse_mixed(X, batch)
    if scale in ("log2", "ln", "log1p") and linear:
        raise BadInput(
            f"The readings are said to be {scale} but look linear", why=f"they reach {np.nanmax(X):,.0f}",
            cure="Say scale 'linear', and they are transformed here",
        )  # fmt: skip
    if scale in ("linear", "counts") and np.nanmin(X) < 0:
        raise BadInput(
            f"The readings are said to be {scale} but some are negative", why="a linear reading cannot be",
            cure="Say scale 'log2' if they are logarithms",
        )  # fmt: skip
    if scale == "counts" or (not scale and linear and len(readouts) >= COUNT_READOUTS and _whole(X)):
        total = np.nansum(X, axis=1, keepdims=True)
        note = Note("changed", X.size, "readings", "counts to ln(1 + counts per 10,000)")
        return np.log1p(X / np.where(total > 0, total, 1.0) * 1e4), "log1p", [note]
    if scale == "linear" or (not scale and linear):
        zeros = int((X <= 0).sum())
        notes = [Note("changed", X.size, "readings", "linear to log2" if scale else "they look linear; log2 taken")]
        if zeros:
            notes.append(Note("dropped", zeros, "readings", "zero has no logarithm; taken as not measured"))
        return np.log2(np.where(X > 0, X, np.nan)), "log2", notes
    if not scale:
        return X, "as given", [Note("warning", X.size, "readings", "scale not stated; taken as already logarithmic")]
    return X, scale, []


def _relative(X: NDArray[np.float64], readouts: list[str], scale: str) -> tuple[NDArray[np.float64], str, list[Note]]:
    X, notes = X.copy(), []
    for column, name in enumerate(readouts):
        if re.match(r"^(ic50|gr50|ec50|gi50)", name, re.IGNORECASE) and scale != "ln_ic50":
            values = X[:, column]
            if np.nanmin(values) <= 0:
                raise BadInput(
                    f"{name} holds zero or negative values", why="a concentration in uM is positive",
                    cure="If these are logarithms, name the column LN_IC50",
                )  # fmt: skip
            X[:, column] = np.log(values)
            notes.append(Note("changed", len(values), f"readings of {name}", "uM to ln uM"))
    return X, "ln_ic50", notes


def _refuse_mixed(X: NDArray[np.float64], batch: pd.Series[str]) -> None:
    """One batch linear and another logarithmic: no single transformation can be right."""
    kinds: dict[bool, str] = {}
    for name in sorted(set(batch)):
        part = X[(batch == name).to_numpy()]
        known = part[np.isfinite(part)]
        if len(known) < 3:
            continue
        linear = looks_linear(part)
        if linear or known.max() <= LOG_MAX:
            kinds.setdefault(linear, name)
    if len(kinds) == 2:
        raise BadInput(
            f"Batch {kinds[True]!r} looks linear and batch {kinds[False]!r} logarithmic",
            why="readings of different scales cannot be compared", cure="Bring all batches to one scale",
        )  # fmt: skip


def _whole(X: NDArray[np.float64]) -> bool:
    known = X[np.isfinite(X)]
    return bool(np.all(known == np.round(known)) and np.mean(known == 0) > 0.05)


def number_replicates(obs: pd.DataFrame) -> pd.Series[str]:
    """The replicate labels; numbered within condition and batch where the table gave none.

    Raises BadInput where the table's own labels repeat: the same well twice.
    """
    keys = [*CONDITION, "batch"] + (["doses"] if "doses" in obs else [])
    if "well" in obs and obs["well"].duplicated().any():
        # the same position on another plate is another well
        double = obs[[*keys, "well"]].duplicated()
        if double.any():
            raise BadInput(
                f"The well {obs.loc[double, 'well'].iloc[0]!r} stands in the table twice", cure="Keep one of the rows"
            )
    if not obs["given_replicate"].all() or obs["replicate"].str.strip().eq("").all():
        counted = obs.groupby(keys, dropna=False, sort=False).cumcount() + 1
        return counted.astype(str)
    keys_and_label = obs[[*keys, "replicate"]]
    double = keys_and_label.duplicated()
    if double.any() and "well" not in obs:
        row = obs[double].iloc[0]
        raise BadInput(
            f"The well {row['perturbation']} in {row['context']}, replicate {row['replicate']}, stands there twice",
            why="two rows have the same condition, batch and replicate", cure="Number the replicates, or keep one row",
        )  # fmt: skip
    if double.any():
        extra = obs.groupby([*keys, "replicate"], dropna=False, sort=False).cumcount()
        return obs["replicate"].where(extra == 0, obs["replicate"] + "." + (extra + 1).astype(str))
    return obs["replicate"].astype(str)


def check_controls(obs: pd.DataFrame) -> list[Note]:
    """Every treated well needs a control of its context, batch and time. Raises BadInput naming the first without."""
    control = obs[obs["control"]]
    treated = obs[~obs["control"]]
    if not len(treated):
        raise BadInput("The table holds controls only", cure="Add the treated wells")
    if not len(control):
        raise BadInput(
            "There is not one control well", why="a change can only be seen against a matched control",
            cure="Mark control rows with the perturbation 'control' (or DMSO, vehicle), or add a column is_control",
        )  # fmt: skip
    for keys, words in (
        (["context"], "context {context}"),
        (["context", "time_h"], "context {context} at {time_h:g} h"),
        (["context", "time_h", "batch"], "context {context}, batch {batch}"),
    ):
        have = set(map(tuple, control[keys].fillna(-1.0).to_numpy().tolist()))
        lacking = treated[[tuple(k) not in have for k in treated[keys].fillna(-1.0).to_numpy().tolist()]]
        if len(lacking):
            where = words.format(**{key: lacking.iloc[0][key] for key in keys})
            raise BadInput(
                f"{len(lacking)} treated wells have no matching control: {where}",
                why="a control must share context, time and batch with the wells it is compared with",
                cure="Add controls there, leave those wells out, or drop the column if it does not separate blocks",
            )
    lonely = sorted(set(control["context"]) - set(treated["context"]))
    return [Note("warning", len(lonely), "contexts with controls only", ", ".join(lonely))] if lonely else []


def check_replicates(obs: pd.DataFrame) -> list[Note]:
    """Notes conditions with one well. Raises BadInput where no condition at all has two."""
    keys = list(CONDITION) + (["doses"] if "doses" in obs else [])
    sizes = obs.groupby(keys, dropna=False, sort=False).size()
    single = int((sizes == 1).sum())
    if single == len(sizes):
        raise BadInput(
            "Every condition has one replicate only", why="without two wells alike nobody can tell effect from noise",
            cure="Add replicate wells (three or more are better), of the control at least",
        )  # fmt: skip
    if single:
        return [Note("warning", single, "conditions with one replicate", "their noise is taken from the others")]
    return []

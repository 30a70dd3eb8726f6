"""From the labels a user's table carries to our obs columns; every assumption becomes a note."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from ..compounds import facts_for
from ..errors import BadInput
from .columns import CONTROL_NAMES, KINDS, MISSING, TO_H, TO_UM, quantities, recognise
from .dataset import CONTROL, combined_name
from .guard import refuse_active
from .report import Note

if TYPE_CHECKING:
    import pandas as pd

TRUE = frozenset(("true", "1", "1.0", "yes", "y", "t"))
PACKED = re.compile(r"^\[\('(.+)', ([0-9.eE+-]+), '([^']+)'\)\]$")  # one drug with its dose, as Tahoe writes it
NEGATIVE = re.compile(r"^(neg(ative)?_?ctrl|ctrl|control|non-?targeting)\d*$", re.IGNORECASE)
FALSE = frozenset(("false", "0", "0.0", "no", "n", "f", ""))


def to_obs(raw: pd.DataFrame) -> tuple[pd.DataFrame, list[Note]]:
    """Our obs columns (without X) from ``raw``, a table of texts; extra columns are left out.

    Adds the column ``given_replicate`` (bool): whether the table itself told replicates apart.
    Raises BadInput, naming row, column and cell.
    """
    import pandas as pd

    raw = unpacked(raw)
    found = recognise(list(raw.columns))
    if "perturbation" not in found:
        raise BadInput(
            "The table has no column that says what was done to each well",
            why=f"its columns are {', '.join(list(raw.columns)[:12])}",
            cure="Name one 'perturbation' (or compound, drug, condition)",
        )
    for ours, theirs in found.items():
        refuse_active(raw[theirs].unique(), f"The column {ours!r}" if ours == theirs else f"The column {theirs!r}")
    notes = [_columns_note(found, list(raw.columns))]
    obs = pd.DataFrame(index=raw.index)
    obs["control"], names = _controls(raw, found)
    obs["perturbation"] = names
    obs["dose"], obs["doses"] = _doses(raw, found, names, notes)
    obs.loc[obs["control"], "dose"] = np.nan
    obs["time_h"] = _times(raw, found, notes)
    obs["context"] = _text(raw, found, "context", "unnamed cells", notes)
    _refuse_blank(obs["context"], "context")
    obs["batch"] = _text(raw, found, "batch", "1", notes)
    obs["kind"] = _kinds(raw, found, obs, notes)
    _refuse_doseless(obs)
    obs["given_replicate"] = "replicate" in found
    obs["replicate"] = raw[found["replicate"]].astype(str) if "replicate" in found else ""
    if "well" in found:
        obs["well"] = raw[found["well"]].astype(str)
    if not obs["doses"].str.contains("+", regex=False).any():
        del obs["doses"]
    return obs, notes


def _columns_note(found: dict[str, str], names: list[str]) -> Note:
    read = ", ".join(o if o == t else f"{t} as {o}" for o, t in found.items())
    return Note("used", len(found), "label columns", read)


def _controls(raw: pd.DataFrame, found: dict[str, str]) -> tuple[pd.Series[bool], pd.Series[str]]:
    import pandas as pd

    texts = raw[found["perturbation"]].astype(str)
    if "control" in found:
        words = raw[found["control"]].astype(str).str.strip().str.lower()
        odd = ~words.isin(TRUE | FALSE)
        if odd.any():
            raise BadInput(f"Row {_row(odd)}: {words[odd].iloc[0]!r} in the control column is neither yes nor no")
        control = words.isin(TRUE)
    else:
        control = texts.str.strip().str.lower().isin(CONTROL_NAMES)
    blank = texts.str.strip().str.lower().isin(MISSING - {"none"}) & ~control
    if blank.any():
        raise BadInput(
            f"Row {_row(blank)} does not say what was done to the well", why="its perturbation is empty",
            cure="Write the name, or 'control'",
        )  # fmt: skip
    parts = raw[found["parts"]].astype(str) if "parts" in found else pd.Series("", index=raw.index)
    once = {pair: _name(split_pair(*pair)) for pair in set(zip(texts, parts, strict=True))}
    names = pd.Series(
        [CONTROL if c else once[t, n] for t, n, c in zip(texts, parts, control, strict=True)], index=raw.index
    )
    return control | (names == CONTROL), names


def unpacked(raw: pd.DataFrame) -> pd.DataFrame:
    """With the labels that published tables pack into one cell taken apart.

    Norman's guide identities ("KLF1_NegCtrl0__KLF1_NegCtrl0" is KLF1) and Tahoe's name with dose
    ("[('Trametinib', 0.05, 'uM')]").
    """
    out = raw
    for column in raw.columns:
        lowered = str(column).strip().lower()
        if lowered == "guide_identity":
            once = {t: guide_name(t) for t in raw[column].astype(str).unique()}
            out = out.assign(**{column: raw[column].astype(str).map(once)})
        elif lowered == "drugname_drugconc":
            once_packed = {t: PACKED.match(t) for t in raw[column].astype(str).unique()}
            if all(once_packed.values()):
                parts = [once_packed[t] for t in raw[column].astype(str)]
                out = out.drop(columns=[column, *(c for c in ("drug",) if c in out)]).assign(
                    drug=[m[1] for m in parts if m], dose=[m[2] for m in parts if m],
                    dose_unit=[m[3] for m in parts if m],
                )  # fmt: skip
    return out


def guide_name(text: str) -> str:
    """ "CEBPE_KLF1__CEBPE_KLF1" -> "CEBPE+KLF1"; negative-control guides are left out, two of them are the control."""
    genes = [part for part in text.partition("__")[0].split("_") if not NEGATIVE.match(part)]
    return "+".join(genes) or CONTROL


def split_pair(text: str, parts: str) -> str:
    """ "KLF1_CEBPE" with nperts 2 -> "KLF1+CEBPE" (scPerturb joins by "_"); anything else as it is."""
    pieces = text.split("_")
    return "+".join(pieces) if parts.strip() in ("2", "2.0") and len(pieces) == 2 and all(pieces) else text


def _name(text: str) -> str:
    """Parts of a combination sorted; "KLF1+ctrl" is KLF1 alone."""
    parts = [part.strip() for part in text.split("+")]
    return combined_name([p for p in parts if p and p.lower() not in CONTROL_NAMES])


def _doses(
    raw: pd.DataFrame, found: dict[str, str], names: pd.Series[str], notes: list[Note]
) -> tuple[pd.Series[float], pd.Series[str]]:
    """Dose of single perturbations, and the "a+b" label of combinations."""
    import pandas as pd

    if "dose" not in found:
        return pd.Series(np.nan, index=raw.index), pd.Series("", index=raw.index)
    column = found["dose"]
    cells = raw[column].astype(str)
    if column.lower() == "dose_val" and set("".join(cells.unique())) <= set("1+. 0"):
        notes.append(Note("dropped", len(raw), "labels 'dose_val'", "1 or 1+1 counts perturbations, it is no dose"))
        return pd.Series(np.nan, index=raw.index), pd.Series("", index=raw.index)
    split = cells.str.contains(r"\d\s*\+\s*[\d.]", regex=True)
    units = raw[found["dose_unit"]] if "dose_unit" in found else None
    if units is None and column.lower().endswith("_nm"):
        units = pd.Series("nM", index=raw.index)
    single, converted = quantities(cells.where(~split, ""), units, TO_UM, "dose", "uM")
    for unit, count in sorted(converted.items()):
        notes.append(Note("changed", count, "doses", f"{unit} to uM"))
    label = [""] * len(raw)
    for row in np.flatnonzero(split.to_numpy()).tolist():
        parts = pd.Series(cells.iloc[row].split("+"))
        stated = None if units is None else pd.Series([units.iloc[row]] * len(parts))
        numbers, _ = quantities(parts, stated, TO_UM, "dose", "uM")
        if len(numbers) != names.iloc[row].count("+") + 1:
            raise BadInput(f"Row {row + 1}: {len(numbers)} doses for {names.iloc[row]!r}")
        label[row] = "+".join(f"{v:g}" for v in numbers)
    return pd.Series(single, index=raw.index), pd.Series(label, index=raw.index)


def _times(raw: pd.DataFrame, found: dict[str, str], notes: list[Note]) -> pd.Series[float]:
    import pandas as pd

    if "time_h" not in found:
        return pd.Series(np.nan, index=raw.index)
    units = raw[found["time_unit"]] if "time_unit" in found else None
    hours, converted = quantities(raw[found["time_h"]], units, TO_H, "time", "h")
    for unit, count in sorted(converted.items()):
        notes.append(Note("changed", count, "times", f"{unit} to h"))
    return pd.Series(hours, index=raw.index)


def _text(raw: pd.DataFrame, found: dict[str, str], ours: str, default: str, notes: list[Note]) -> pd.Series[str]:
    import pandas as pd

    if ours in found:
        return raw[found[ours]].astype(str).str.strip()
    if ours == "context":
        notes.append(Note("warning", len(raw), "wells of one context", "no column says which cells they are"))
    return pd.Series(default, index=raw.index)


def _kinds(raw: pd.DataFrame, found: dict[str, str], obs: pd.DataFrame, notes: list[Note]) -> pd.Series[str]:
    import pandas as pd

    control = obs["control"]
    if "kind" in found:
        words = raw[found["kind"]].astype(str).str.strip().str.lower()
        unknown = ~words.isin(list(KINDS)) & ~control
        if unknown.any():
            raise BadInput(
                f"Row {_row(unknown)}: unknown kind of perturbation {words[unknown].iloc[0]!r}",
                cure="Kinds are " + ", ".join(sorted(set(KINDS.values()))),
            )
        kinds = [CONTROL if c else KINDS[w] for w, c in zip(words, control, strict=True)]
        return pd.Series(kinds, index=obs.index)
    treated = sorted(set(obs.loc[~control, "perturbation"]))
    chemical = bool(obs["dose"].notna().any()) or all(facts_for(n).source for n in treated)
    if not chemical:
        raise BadInput(
            "The table does not say what kind of perturbation it holds", why="there are no doses to tell compounds by",
            cure="Add a column 'kind' with compound, knockout, knockdown, activation, overexpression, ligand, …",
        )  # fmt: skip
    notes.append(Note("warning", len(treated), "perturbations taken for compounds", "no column says their kind"))
    return pd.Series([CONTROL if c else "compound" for c in control], index=obs.index)


def _refuse_doseless(obs: pd.DataFrame) -> None:
    """A compound well without a dose in a table that has doses is an omission, not a choice."""
    single = ~obs["control"] & (obs["kind"] == "compound") & (obs["doses"] == "")
    missing = single & obs["dose"].isna()
    if missing.any() and (single & obs["dose"].notna()).any():
        raise BadInput(
            f"Row {_row(missing)}: {obs.loc[missing, 'perturbation'].iloc[0]} has no dose",
            why="other wells of the table have one", cure="Fill in the dose",
        )  # fmt: skip


def _refuse_blank(values: pd.Series[str], what: str) -> None:
    blank = values.str.lower().isin(MISSING)
    if blank.any():
        raise BadInput(f"Row {_row(blank)} has no {what}", cure="Fill in the cell")


def _row(mask: pd.Series[bool]) -> int:
    return int(np.flatnonzero(mask.to_numpy())[0]) + 1


def safe_stem(name: str) -> str:
    """A data set's name from a file's: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^\w.-]+", "_", name)[:80] or "data"

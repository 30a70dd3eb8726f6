"""What a user asks the cell: a table of conditions, or one condition in words, with its names resolved.

A table has one row per condition: context and perturbation, and where they apply kind, dose (with its unit), time
and batch; the names of other people's tables are understood (``columns.py``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..compounds import facts_for
from ..errors import BadInput, DataUnavailable, UnknownName
from .columns import CONTROL_NAMES, KINDS, MISSING, TO_H, TO_UM, quantities, recognise
from .dataset import CONTROL, combined_name
from .guard import refuse_active

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMED = 5


@dataclass(frozen=True)
class Asked:
    """conditions: context, perturbation, kind, dose (uM), time_h, batch, one row each. notes: what was understood."""

    conditions: pd.DataFrame
    notes: tuple[str, ...]


def read_conditions(path: Path) -> pd.DataFrame:
    """A table of conditions from .csv, .tsv, .parquet or the obs of an .h5ad, every cell a text.

    Raises DataUnavailable where there is no file, BadInput where it cannot be read.
    """
    from .texts import as_texts, read_table

    if not path.is_file():
        raise DataUnavailable(f"There is no file {path}", cure="Check the path")
    if path.suffix.lower() != ".h5ad":
        return read_table(path)
    import anndata

    try:
        data = anndata.read_h5ad(path, backed="r")
    except (OSError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"{path.name} cannot be opened as AnnData", why=str(error).split("\n")[0][:200]) from error
    try:
        return as_texts(data.obs.astype(object)).drop_duplicates(ignore_index=True)
    finally:
        data.file.close()


def to_conditions(raw: pd.DataFrame) -> pd.DataFrame:
    """Condition columns from ``raw`` (every cell a text), in uM and h.

    Controls are left out: their change is zero by definition. Raises BadInput, naming row and cell.
    """
    import pandas as pd

    found = recognise([str(c) for c in raw.columns])
    for needed in ("context", "perturbation"):
        if needed not in found:
            raise BadInput(
                f"The table of conditions has no column {needed!r}", why=f"its columns are {', '.join(map(str, raw))}",
                cure="Give context (the cells) and perturbation, and dose and time where they apply",
            )  # fmt: skip
    for theirs in found.values():
        refuse_active(raw[theirs].unique(), f"The column {theirs!r}")
    texts = {ours: raw[theirs].astype(str).str.strip() for ours, theirs in found.items()}
    for needed in ("context", "perturbation"):
        blank = texts[needed].str.lower().isin(MISSING - {"none"})
        if blank.any():
            raise BadInput(f"Row {int(blank.to_numpy().argmax()) + 1} has no {needed}", cure="Fill in the cell")
    out = pd.DataFrame({"context": texts["context"], "perturbation": texts["perturbation"].map(_name)})
    out["kind"] = texts["kind"].str.lower().map(_kind) if "kind" in texts else ""
    for ours, unit, factors in (("dose", "dose_unit", TO_UM), ("time_h", "time_unit", TO_H)):
        if ours in texts:
            units = texts.get(unit)
            if units is None and found[ours].lower().endswith("_nm"):
                units = pd.Series("nM", index=raw.index)
            out[ours], _ = quantities(texts[ours], units, factors, ours.removesuffix("_h"), _default(ours))
        else:
            out[ours] = float("nan")
    out["batch"] = texts["batch"] if "batch" in texts else ""
    out = out[out["perturbation"] != CONTROL].reset_index(drop=True)
    if not len(out):
        raise BadInput("There is nothing to predict", why="the table holds no treated condition")
    return out


def resolve(
    conditions: pd.DataFrame, known: pd.DataFrame, *, allow_new: bool = False, contexts_too: Iterable[str] = (),
    priors: Iterable[str] = (),
) -> Asked:  # fmt: skip
    """The names brought to those of the training conditions ``known``; kind filled in from there where it is open.

    Case, spaces and hyphens are forgiven, and so is a compound's other name. A context nobody has seen is kept, and
    noted with the names near it. Raises BadInput with near names for a perturbation that was never measured and of
    which nothing is known, unless ``allow_new``. contexts_too: spellings of contexts that other data hold.
    priors: perturbations of which the cell's prior features know something.
    """
    notes: list[str] = []
    out = conditions.copy()
    contexts = sorted(set(known["context"].astype(str)))
    singles = sorted({part for name in known["perturbation"].astype(str) for part in name.split("+")})
    of_context = _resolved(out["context"].unique(), contexts)
    elsewhere = sorted(set(contexts_too) - set(contexts))
    for name, hit in of_context.items():
        if hit is None:
            of_context[name] = _resolved([name], elsewhere)[name]
            near = nearest(name, contexts)
            meant = f"; did you mean {', '.join(near)}?" if near else ""
            notes.append(f"{name} was never seen in training: it is answered as a new context{meant}")
    parts = sorted({part for name in out["perturbation"] for part in str(name).split("+")})
    of_part = _resolved(parts, singles)
    told_of = sorted(set(priors) - set(singles))
    for name, spelled in _resolved([p for p, hit in of_part.items() if hit is None], told_of).items():
        of_part[name] = spelled
    measured = set(singles)
    unknown = [p for p, hit in of_part.items() if hit is None and not facts_for(p).source]
    if unknown and not allow_new:
        raise _unknown(unknown, [*singles, *told_of])
    new = [p for p, hit in of_part.items() if hit not in measured]
    if new:
        notes.append(f"never measured in training: {', '.join(new[:MOST_NAMED])}{_rest(new)}")
    changed = {a: b for a, b in (of_context | of_part).items() if b is not None and a != b}
    if changed:
        shown = [f"{a} as {b}" for a, b in changed.items()]
        notes.append(f"names understood: {', '.join(shown[:MOST_NAMED])}{_rest(shown)}")
    out["context"] = [of_context[c] or c for c in out["context"]]
    out["perturbation"] = [
        combined_name([of_part[p] or _canonical(p) for p in str(name).split("+")]) for name in out["perturbation"]
    ]
    kinds = dict(zip(known["perturbation"].astype(str), known["kind"].astype(str), strict=True))
    common = known["kind"].mode()
    plain = str(common.iloc[0]) if len(common) else ""
    out["kind"] = [k or kinds.get(p, plain) for k, p in zip(out["kind"], out["perturbation"], strict=True)]
    return Asked(out, tuple(notes))


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Known names that look like ``name``, the nearest first, whatever the case."""
    lowered = {k.lower(): k for k in known}
    return [lowered[m] for m in difflib.get_close_matches(name.lower(), lowered, n=n, cutoff=0.6)]


def _resolved(names: Iterable[str], known: list[str]) -> dict[str, str | None]:
    """Each name's spelling among ``known``; None where there is none (or two)."""
    exact, bare = set(known), dict[str, list[str]]()
    for name in known:
        bare.setdefault(_bare(name), []).append(name)
    found: dict[str, str | None] = {}
    for name in map(str, names):
        same = [name] if name in exact else bare.get(_bare(name), []) or bare.get(_bare(_canonical(name)), [])
        found[name] = same[0] if len(same) == 1 else None
    return found


def _canonical(name: str) -> str:
    facts = facts_for(name)
    return facts.name if facts.source else name


def _unknown(names: list[str], known: list[str]) -> BadInput:
    if len(names) == 1:
        plain = UnknownName(names[0], kind="perturbation", known=known)
        return BadInput(
            plain.what, why="it was never measured, and nothing is known of it here",
            cure=f"{plain.cure}; to have it answered from what is common to all, add --allow-new",
        )  # fmt: skip
    told = [f"{name} ({', '.join(nearest(name, known)) or 'none'})" for name in names[:MOST_NAMED]]
    return BadInput(
        f"{len(names)} perturbations were never measured, and nothing is known of them here",
        why=f"with the nearest known names: {'; '.join(told)}{_rest(names)}",
        cure="Correct the names, or add --allow-new to have them answered from what is common to all",
    )


def _rest(names: list[str]) -> str:
    return f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _name(text: str) -> str:
    parts = [part.strip() for part in text.split("+")]
    return combined_name([p for p in parts if p and p.lower() not in CONTROL_NAMES])


def _kind(word: str) -> str:
    if word in MISSING:
        return ""
    if word not in KINDS:
        raise BadInput(
            f"Unknown kind of perturbation {word!r}", cure=f"Kinds are {', '.join(sorted(set(KINDS.values())))}"
        )
    return KINDS[word]


def _default(column: str) -> str:
    return "uM" if column == "dose" else "h"

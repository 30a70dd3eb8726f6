"""Reads the table of one patient: field, value, unit; clinical values, mutations and expression in any order.

    field,value,unit
    LVEF,48,%
    mutation:EZH2,Y646N,
    expression:BCL2,1.8,z
    surrogate_line,KARPAS-422,

Every row is kept. What found no use is named in ``Patient.unused``; nothing in a cell is ever an instruction.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from ..world_model.errors import BadInput
from ..world_model.vocabulary import Context, Frozen
from .goal import Exclusion
from .patient_fields import FieldSpec, find_field, plain_field, plain_unit
from .patient_rules import EQUIVALENT, RULES, contraindications, creatinine_clearance, ruled_out
from .patient_table import Row, read_rows, table_text

MISSING = frozenset(
    {"", "-", "na", "n/a", "nan", "none", "unknown", "not done", "not tested", "未知", "未测", "未查", "不详"}
)
YES = frozenset(
    {"yes", "y", "true", "positive", "pos", "+", "++", "+++", "1", "deficient", "present", "是", "有", "阳性", "缺乏"}
)
NO = frozenset({"no", "n", "false", "negative", "neg", "-", "0", "normal", "absent", "否", "无", "阴性", "正常"})
WILD = NO | {"wt", "wild type", "wild-type", "wildtype", "野生型", "未突变"}
Z_UNITS = frozenset({"", "z", "zscore", "z-score", "sd", "z值"})
MAX_Z = 20.0

_NUMBER = re.compile(r"^(<=?|>=?|≤|≥)?\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(.*)$")
_GENE = r"[A-Za-z][A-Za-z0-9.\-]{0,24}"
_MUTATION = re.compile(rf"^(?:mutation|mut|突变)\s*[:：]\s*({_GENE})$|^({_GENE})\s*(?:mutation|mut|突变)$", re.I)
_EXPRESSION = re.compile(
    rf"^(?:expression|expr|表达)\s*[:：]\s*({_GENE})$|^({_GENE})\s*(?:expression|表达|表达量)$", re.I
)
_NAME = re.compile(r"^[\w][\w .,/+\-'()（）、]{0,79}$")  # a line, compound or class as a cell may name it
_EXTRINSIC = ("diagnosis", "stage", "sex")
_NOTHING = re.compile(r"^(?:no|none|nil|nkda|no known .*|无.*|否)$", re.I)
_CHECKED = (
    {rule.field for rule in RULES}
    | set(EQUIVALENT)
    | {"anthracycline_limit", "heart_radiotherapy", "egfr", "creatinine", "weight", "age"}
)


class Patient(Frozen):
    """A patient as the loop sees one. fields: every row as given; unused: names of the rows without a use."""

    context: Context
    surrogate: str | None = None
    disease: str | None = None
    exclusions: tuple[Exclusion, ...] = ()
    fields: tuple[tuple[str, str, str], ...] = ()
    used: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Draft:
    """What the rows have said so far."""

    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    named: list[tuple[str, str]] = field(default_factory=list)  # (field key, compound or class)
    mutations: dict[str, int] = field(default_factory=dict)
    expression: dict[str, float] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_patient(path: str | Path) -> Patient:
    """Reads a CSV or TSV file. Raises BadInput, with the line, for anything that cannot be used safely."""
    return parse_patient(table_text(Path(path)), name=Path(path).name)


def parse_patient(text: str, name: str = "the patient table") -> Patient:
    """The same from text already in hand; ``name`` is what error messages call the table."""
    table = read_rows(text, name)
    draft = _Draft(notes=list(table.notes))
    seen: dict[str, tuple[Row, object]] = {}
    for row in table.rows:
        _take(row, draft, seen)
    _fill_creatinine_clearance(draft)
    exclusions, cautions = contraindications(draft.numbers)
    exclusions += tuple(Exclusion(what=what, because=f"{key} named in the patient table") for key, what in draft.named)
    disease = draft.texts.get("diagnosis")
    extrinsic: dict[str, str] = {k: draft.texts[k] for k in _EXTRINSIC if k in draft.texts}
    return Patient(
        context=Context(
            name="patient",
            tissue=draft.texts.get("tissue") or _tissue(disease),
            expression=draft.expression,
            mutations=draft.mutations,
            extrinsic=extrinsic,
        ),
        surrogate=draft.texts.get("surrogate"),
        disease=disease,
        exclusions=exclusions,
        fields=tuple((r.field, r.value, r.unit) for r in table.rows),
        used=tuple(draft.used),
        unused=tuple(draft.unused),
        notes=(*draft.notes, *cautions),
    )


def recognised(fields: tuple[tuple[str, str, str], ...]) -> tuple[tuple[str, str, str], ...]:
    """The clinical rows that this reader knows. Only these may go to a language model: no names, no free text."""
    return tuple(f for f in fields if (spec := find_field(f[0])) is not None and spec.key != "surrogate")


def _take(row: Row, draft: _Draft, seen: dict[str, tuple[Row, object]]) -> None:
    """Place one row; a field that comes twice must say the same."""
    if _plain(row.value) in MISSING and not (row.value == "-" and _is_flag(row)):
        draft.unused.append(row.field)
        draft.notes.append(f"Line {row.line}: {row.field} has no value.")
        return
    if match := _MUTATION.match(row.field):
        gene = _gene(match)
        _once(f"mutation of {gene}", row, _mutation(row), seen)
        draft.mutations[gene] = _mutation(row)
        draft.used.append(row.field)
    elif match := _EXPRESSION.match(row.field):
        gene = _gene(match)
        _once(f"expression of {gene}", row, _z_score(row), seen)
        draft.expression[gene] = _z_score(row)
        draft.used.append(row.field)
    elif spec := find_field(row.field):
        _take_known(row, spec, draft, seen)
    else:
        _once(f"field {plain_field(row.field)}", row, (row.value, row.unit), seen)
        draft.unused.append(row.field)


def _take_known(row: Row, spec: FieldSpec, draft: _Draft, seen: dict[str, tuple[Row, object]]) -> None:
    if spec.kind == "number":
        number = _number(row, spec, draft.notes)
        _once(spec.key, row, number, seen)
        draft.numbers[spec.key] = number
    elif spec.kind == "flag":
        flag = _flag(row)
        _once(spec.key, row, flag, seen)
        draft.numbers[spec.key] = float(flag)
    elif not _NAME.match(row.value):  # text that is no plain name stays data without a use
        draft.unused.append(row.field)
        draft.notes.append(f"Line {row.line}: the value of {row.field} is not a plain name and is not used.")
        return
    elif spec.kind == "names":
        if not _NOTHING.match(row.value):
            what, known = ruled_out(row.value)
            draft.named.append((row.field, what))
            if not known:
                draft.notes.append(f"Line {row.line}: no compound or class here is called {row.value!r}.")
    else:
        _once(spec.key, row, row.value, seen)
        draft.texts[spec.key] = row.value
    acts = spec.kind in ("text", "names") or spec.key in _CHECKED
    (draft.used if acts else draft.unused).append(row.field)


def _once(what: str, row: Row, value: object, seen: dict[str, tuple[Row, object]]) -> None:
    first = seen.setdefault(what, (row, value))
    if first[1] != value:
        raise BadInput(
            f"The table gives {what} twice with different values",
            why=f"line {first[0].line} says {first[0].value!r}, line {row.line} says {row.value!r}",
            cure="keep the row that is right",
        )


def _gene(match: re.Match[str]) -> str:
    """The symbol in upper case, but for the lower-case "orf" of open reading frames (C10orf10)."""
    symbol = (match.group(1) or match.group(2)).upper()
    return re.sub(r"^(C(?:\d+|X|Y))ORF(\d+)$", r"\1orf\2", symbol)


def _mutation(row: Row) -> int:
    return 0 if _plain(row.value) in WILD else 1


def _z_score(row: Row) -> float:
    if plain_unit(row.unit) not in Z_UNITS:
        raise BadInput(
            f"Line {row.line}: {row.field} is in {row.unit!r}",
            why="expression is read as z-scores against reference samples",
            cure="give (value - mean) / sd over a reference panel, with unit z",
        )
    match = _NUMBER.match(row.value)
    if not match or match.group(1) or match.group(3):
        raise _unparsable(row)
    value = float(match.group(2))
    if not math.isfinite(value) or abs(value) > MAX_Z:
        raise BadInput(
            f"Line {row.line}: {row.field} = {row.value} is no z-score",
            why=f"z-scores lie within ±{MAX_Z:g}; this looks like a raw intensity or a count",
            cure="give (value - mean) / sd over a reference panel",
        )
    return value


def _number(row: Row, spec: FieldSpec, notes: list[str]) -> float:
    """The reading in the field's default unit."""
    match = _NUMBER.match(row.value)
    if not match:
        raise _unparsable(row)
    bound, digits, tail = match.groups()
    if tail and row.unit:
        raise _unparsable(row)
    value = float(digits) * _factor(row, spec, tail or row.unit, notes)
    if not spec.low <= value <= spec.high:
        raise BadInput(
            f"Line {row.line}: {row.field} = {row.value} {row.unit}".rstrip(),
            why=f"outside the plausible range {spec.low:g} to {spec.high:g} {spec.unit}".rstrip(),
            cure="check the value and its unit",
        )
    if bound:
        notes.append(f"Line {row.line}: {row.field} is given as a bound ({row.value}) and read as just beyond it.")
        strictly = -math.inf if bound.startswith("<") else math.inf
        value = value if bound in ("<=", ">=", "≤", "≥") else math.nextafter(value, strictly)
    return value


def _factor(row: Row, spec: FieldSpec, unit: str, notes: list[str]) -> float:
    plain = plain_unit(unit)
    if plain in spec.units:
        return spec.units[plain]
    factors = set(spec.units.values())
    if not plain and len(factors) <= 1:
        if spec.units:
            notes.append(f"Line {row.line}: {row.field} has no unit; read as {spec.unit}.")
        return 1.0
    what = f"has the unit {unit!r}" if plain else "has no unit"
    raise BadInput(
        f"Line {row.line}: {row.field} {what}", cure=f"give it in {spec.unit or 'plain numbers, without a unit'}"
    )


def _flag(row: Row) -> bool:
    word = _plain(row.value)
    if word in YES:
        return True
    if word in NO:
        return False
    raise BadInput(
        f"Line {row.line}: {row.field} = {row.value!r} is neither yes nor no",
        cure="write yes, no, positive or negative",
    )


def _unparsable(row: Row) -> BadInput:
    return BadInput(
        f"Line {row.line}: {row.field} = {row.value!r} is not a number",
        cure="write digits with a decimal point and no thousands separator, and the unit in the unit column",
    )


def _is_flag(row: Row) -> bool:
    spec = find_field(row.field)
    return spec is not None and spec.kind == "flag"


def _fill_creatinine_clearance(draft: _Draft) -> None:
    """Where the clearance is not given: from age, sex, weight and creatinine, or else the eGFR stands in."""
    numbers, sex = draft.numbers, _plain(draft.texts.get("sex", ""))
    if "creatinine_clearance" in numbers:
        return
    if sex and {"age", "weight", "creatinine"} <= set(numbers) and numbers["creatinine"] > 0:
        female = sex in ("female", "f", "woman", "女", "女性")
        value = creatinine_clearance(numbers["age"], numbers["weight"], numbers["creatinine"], female)
        how = "computed from age, sex, weight and creatinine (Cockcroft-Gault)"
    elif "egfr" in numbers:
        value, how = numbers["egfr"], "taken from the eGFR"
    else:
        return
    numbers["creatinine_clearance"] = value
    draft.notes.append(f"Creatinine clearance {value:.0f} mL/min {how}.")


def _tissue(disease: str | None) -> str | None:
    text = (disease or "").lower()
    return (
        "lymphoid"
        if any(w in text for w in ("lymphoma", "dlbcl", "leukemia", "leukaemia", "淋巴瘤", "白血病"))
        else None
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().split())

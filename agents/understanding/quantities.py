"""Numbers with their units: doses, times, budgets, how many are wanted. English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .text import FLAGS

WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "sixteen": 16, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100,
    "a": 1, "an": 1, "single": 1, "a single": 1, "half": 0.5,
    "dozen": 12, "a dozen": 12, "a couple of": 2, "half a": 0.5,
}  # fmt: skip
DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "半": 0.5,
}
N = (
    r"(?:(?<![A-Za-z0-9.])(?<![A-Za-z]-)\d[\d,]*(?:\.\d+)?(?:\s*[kK](?![A-Za-z]))?|\b(?:a single|"
    r"a couple of|a dozen|half a|one|two|three|four|five|six|seven|"
    r"eight|nine|ten|eleven|twelve|fifteen|sixteen|twenty|thirty|fifty|single|dozen)\b|"
    r"[零〇一二两三四五六七八九十百千万半]+)"
)
ONE = rf"(?:{N}|\b(?:an?|half an?)\b)"
SEP = r"\s*(?:,\s*and|,|/|;|and|or|to|through|up to|-|~|&|\+|、|,|和|与|及|或|到|至|and\s+up\s+to)\s*"
DOSE_UNITS = {
    "pm": 1e-6, "nm": 1e-3, "um": 1.0, "μm": 1.0, "mm": 1e3, "m": 1e6,
    "nanomolar": 1e-3, "micromolar": 1.0, "millimolar": 1e3,
    "picomolar": 1e-6, "nmol/l": 1e-3, "umol/l": 1.0, "μmol/l": 1.0, "mmol/l": 1e3,
    "纳摩尔": 1e-3, "微摩尔": 1.0, "毫摩尔": 1e3,
    "皮摩尔": 1e-6, "纳摩": 1e-3, "微摩": 1.0, "毫摩": 1e3, "纳摩尔每升": 1e-3, "微摩尔每升": 1.0, "micro molar": 1.0,
}  # fmt: skip
DOSE_UNIT = (
    r"(?:nanomolar|micromolar|millimolar|picomolar|nmol/L|[uμ]mol/L|mmol/L|nM|[uUμ]M|mM|pM|微摩尔每升|纳摩尔每升|"
    r"纳摩尔?|微摩尔?|毫摩尔?|皮摩尔?)"
    r"(?![A-Za-z0-9])"
)
TIME_UNITS = {
    "s": 1 / 3600, "sec": 1 / 3600, "second": 1 / 3600, "min": 1 / 60, "minute": 1 / 60,
    "h": 1.0, "hr": 1.0, "hour": 1.0,
    "d": 24.0, "day": 24.0, "week": 168.0, "wk": 168.0, "秒": 1 / 3600, "分钟": 1 / 60, "小时": 1.0,
    "天": 24.0, "日": 24.0,
    "周": 168.0, "星期": 168.0, "个小时": 1.0, "个星期": 168.0, "钟头": 1.0, "个月": 720.0, "month": 720.0,
}  # fmt: skip
TIME_UNIT = (
    r"(?:(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|months?|h|d|s)(?![A-Za-z0-9])"
    r"|个小时|小时|分钟|钟头|秒|天|个星期|星期|周|个月)"
)
CAMPAIGN = re.compile(
    r"within|budget|deadline|we have|i have|we only have|have only|in total|turnaround|at most|"
    r"no more than|max|finish|done|deliver|results in"
    r"|under|less than|预算|以内|之内|内完成|内|期限|最多|不超过|截止",
    FLAGS,
)
EXPOSURE = re.compile(r"\b(?:for|after|at|over|of|by|post|every|during|first|until)\s*$|处理|培养|后|孵育|第$", FLAGS)
INSTRUMENT = re.compile(
    r"instrument|robot|machine|microscope|imager|scanner|sequencer|reader|cytometer|仪器|机时|机器|"
    r"显微镜|上机|测序仪",
    FLAGS,
)


@dataclass
class Quantities:
    """What numbers of the question say; spans: stretches of text that are used up."""

    doses_uM: list[float] = field(default_factory=list)
    times_h: list[float] = field(default_factory=list)
    budget: dict[str, float] = field(default_factory=dict)
    max_items: int | None = None
    min_classes: int | None = None
    spans: list[tuple[int, int]] = field(default_factory=list)


def number(text: str) -> float:
    """ "1,000", "1.5k", "two", "三百八十四" as a number. Raises ValueError for anything else."""
    plain = text.strip().lower()
    if plain in WORDS:
        return float(WORDS[plain])
    if re.fullmatch(r"\d[\d,]*(?:\.\d+)?(?:\s*k)?", plain):
        scale = 1000.0 if plain.endswith("k") else 1.0
        return float(plain.rstrip("k").strip().replace(",", "")) * scale
    return chinese_number(plain)


def chinese_number(text: str) -> float:
    """Chinese numerals up to the ten-thousands. Raises ValueError for other characters."""
    total, section, digit = 0.0, 0.0, 0.0
    for char in text:
        if char in DIGITS:
            digit = DIGITS[char]
        elif char in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            digit = 0.0
        elif char == "万":
            total += (section + digit) * 10_000
            section, digit = 0.0, 0.0
        else:
            raise ValueError(f"not a number: {text!r}")
    return total + section + digit


def read(text: str) -> Quantities:
    """All quantities of a normalised question. Plates and wells first: their numbers are no doses or counts."""
    found = Quantities()
    _plates(text, found)
    _money(text, found)
    _series(text, DOSE_UNIT, DOSE_UNITS, found.doses_uM, found, skip=lambda b, e, u: False)
    _times(text, found)
    _classes(text, found)
    _items(text, found)
    return found


def _open(found: Quantities, begin: int, end: int) -> bool:
    return all(end <= b or begin >= e for b, e in found.spans)


def _plates(text: str, found: Quantities) -> None:
    size = r"(?<!\d)(?P<size>6|12|24|48|96|384|1536)"
    patterns = (
        rf"(?P<n>{ONE})(?:\s*(?:x|×|块|个|张)\s*|\s+(?:\w+\s+)?){size}[- ]?(?:well|孔)(?:\s*plates?|板)",
        rf"{size}\s*孔板\s*(?P<n>{N})\s*[块个张]",
        rf"(?P<n>{ONE})\s*plates?\s*(?:of|with|x|×|,|\()?\s*{size}[- ]?wells?",
        rf"(?P<n>{N})\s*(?:块|个|张)\s*{size}\s*孔板?",
        rf"(?P<n>{ONE})\s*plates? of {size}\b",
        rf"{size}[- ]?(?:well|孔)(?:\s*plates?|板)",
        rf"(?P<n>{N})\s*(?:plates?\b|块板|个板|块孔板)",
    )
    for pattern in patterns:
        for match in re.finditer(pattern, text, FLAGS):
            if not _open(found, *match.span()):
                continue
            groups = match.groupdict()
            if groups.get("n"):
                found.budget.setdefault("plates", number(groups["n"]))
            if groups.get("size"):
                found.budget.setdefault("plate_size", float(groups["size"]))
            found.spans.append(match.span())
    for match in re.finditer(rf"(?P<n>{N})\s*(?:assay |test |treated |total )?(?:wells?\b|个?孔(?!板))", text, FLAGS):
        if _open(found, *match.span()):
            found.budget.setdefault("wells", number(match["n"]))
            found.spans.append(match.span())


def _money(text: str, found: Quantities) -> None:
    pattern = rf"(?:US\s?\$|\$|USD\s*)\s*(?P<a>{N})|(?P<b>{N})\s*(?:US dollars?|dollars?|USD|\$|bucks|美元|美金|刀)"
    for match in re.finditer(pattern, text, FLAGS):
        if _open(found, *match.span()):
            found.budget.setdefault("usd", number(match["a"] or match["b"]))
            found.spans.append(match.span())


def _series(
    text: str,
    unit: str,
    units: dict[str, float],
    into: list[float],
    found: Quantities,
    skip: Callable[[int, int, str], bool],
) -> None:
    """Lists and ranges that end in a unit: "0.1-1 uM", "1, 5 and 10 h", "1 nM to 10 uM"."""
    pattern = re.compile(rf"(?P<list>{ONE}(?:\s*(?:-fold)?{SEP}{N})*)\s*-?(?P<unit>{unit})", FLAGS)
    for match in pattern.finditer(text):
        if not _open(found, *match.span()) or skip(match.start(), match.end(), match["unit"]):
            continue
        scale = units.get(match["unit"].lower()) or units[match["unit"].lower().rstrip("s")]
        values = [number(v) * scale for v in re.findall(ONE, match["list"], FLAGS)]
        into += [v for v in values if not any(abs(v - o) <= 1e-9 + 1e-6 * abs(v) for o in into)]
        found.spans.append(match.span())


def _times(text: str, found: Quantities) -> None:
    def campaign(begin: int, end: int, unit: str) -> bool:
        low = unit.lower()
        before, after = text[max(0, begin - 22) : begin], text[end : end + 14]
        near = re.split(r"[,;。，；]", before)[-1]
        value = number(re.findall(ONE, text[begin:end], FLAGS)[-1])
        days = {"d": 1, "day": 1, "week": 7, "wk": 7, "month": 30, "天": 1, "周": 7, "星期": 7, "个星期": 7, "个月": 30}
        stem = low.rstrip("s") if low not in ("s",) else low
        if re.fullmatch(r"hours?|hrs?|h|小时|个小时", low):
            if INSTRUMENT.search(before[-16:] + text[end : end + 18]):
                found.budget.setdefault("hours", value)
                found.spans.append((begin, end))
                return True
            return False
        if stem not in days:
            return False
        if re.match(r"\s*[- ]?old|岁", after):
            return True
        long = days[stem] >= 7
        told = bool(
            CAMPAIGN.search(before)
            or re.match(r"\s*(?:以内|之内|内|max|budget|deadline|campaign|turnaround|total|预算)", after, FLAGS)
        )
        money = bool(
            re.search(r"USD|dollar|\$|美元|plate|wells|孔", before[-18:] + text[end : end + 22], FLAGS)
        ) and not EXPOSURE.search(near)
        if told or ((money or long) and not EXPOSURE.search(near)):
            found.budget.setdefault("days", value * days[stem])
            found.spans.append((begin, end))
            return True
        return False

    _series(text, TIME_UNIT, TIME_UNITS, found.times_h, found, skip=campaign)
    if re.search(r"\bovernight\b|过夜", text, FLAGS):
        found.times_h.append(16.0)


CLASS_NOUN = (
    r"(?:(?:mechanistically )?(?:distinct |different |separate )?(?:mechanistic |mechanism |MoA |drug |"
    r"target |compound )?(?:classes|class|mechanisms?(?: of action)?|MoAs?|modes of action|families|"
    r"targets classes))"
)


def _classes(text: str, found: Quantities) -> None:
    patterns = (
        rf"(?P<n>{N})\s*(?:or more |\+ )?{CLASS_NOUN}\b",
        rf"(?P<n>{N})\s*[种类个]?\s*(?:以上)?\s*(?:不同的?)?\s*(?:类|种)?\s*(?:作用)?(?:机制|机理)",
        rf"(?P<n>{N})\s*类(?!似)",
    )
    for pattern in patterns:
        for match in re.finditer(pattern, text, FLAGS):
            if _open(found, *match.span()) and found.min_classes is None:
                found.min_classes = round(number(match["n"]))
                found.spans.append(match.span())


THINGS = (
    r"(?:drug pairs?|gene pairs?|pairs?|combos?|combinations?|drugs?|compounds?|cpds?|molecules?|"
    r"inhibitors?|agents?|medicines?|genes?|targets?|"
    r"candidates?|hits?|markers?|biomarkers?|knockouts?|perturbations?|ORFs?|TFs?|regulators?|kinases?|"
    r"features?|mutations?|"
    r"transcription factors?|treatments?|therap(?:y|ies)|small molecules?|options|lines|host factors?|"
    r"probes?|picks?|items?|guides?)"
)
BACKGROUND = re.compile(r"library|libraries|rounds?|文库|化合物库|轮|pool of|out of", FLAGS)


def _items(text: str, found: Quantities) -> None:
    patterns = (
        rf"\b(?:top|best|first)[- ](?P<n>{N})(?!\s*(?:%|{DOSE_UNIT}|{TIME_UNIT}))",
        rf"(?:panel|list|set|batch|shortlist)\s+of\s+(?P<n>{N})\b",
        rf"(?P<n>{N})[\s-]*(?:\w+[\s-]+){{0,2}}?{THINGS}\b",
        rf"(?P<n>{N})\s*[- ](?:drug|compound|gene|member|agent)\s+panel",
        rf"(?:at most|up to|no more than|max(?:imum)?(?: of)?|not more than)\s+(?P<n>{N})\b",
        rf"(?:最多|至多|不超过|前|选出?|挑选?|推荐|给出?|列出|筛选?出?)\s*(?P<n>{N})\s*(?:种|个|款|对)",
        rf"(?P<n>{N})\s*(?:种|个|款|对)\s*(?:最[^,。]{{0,6}}的?)?(?:[^,。，\d]{{0,8}})?(?:药物?|化合物|"
        rf"小分子|基因|组合|靶点|标志物|"
        rf"候选|抑制剂|药对|激酶)",
        rf"(?:前|top\s*)(?P<n>{N})(?:名|位)?",
    )
    for pattern in patterns:
        for match in re.finditer(pattern, text, FLAGS):
            if not _open(found, *match.span()) or found.max_items is not None:
                continue
            around = (
                text[max(0, match.start() - 22) : match.start()]
                + "|"
                + match[0]
                + "|"
                + text[match.end() : match.end() + 14]
            )
            if BACKGROUND.search(
                re.split(r"[,;.。，；]", around.split("|")[0])[-1]
                + match[0]
                + re.split(r"[,;.。，；]", around.split("|")[-1])[0]
            ):
                continue
            value = number(match["n"])
            if value >= 1 and value == int(value) and not re.search(r"combination of\s*$", around.split("|")[0], FLAGS):
                found.max_items = int(value)
                found.spans.append(match.span("n"))

"""What found no place: compounds nobody knows, and clauses of which nothing was understood."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .link import Mention
from .text import CJK, FLAGS

CODE = re.compile(r"(?<![A-Za-z0-9-])(?=[A-Za-z-]*\d)(?:[A-Z]{1,6}-?\d{2,7}[A-Za-z]?|[A-Z]{2,5}-\d+)(?![A-Za-z0-9-])")
NOT_CODES = re.compile(
    r"^(?:[STY]\d{2,4}|V600\w?|[A-Z]\d{2,4}[A-Z*]|G1|S1|Q\d|R0|MoA|LVEF|ECOG\d?|T\d\w?|N\d|M\d|CD\d+\w?|"
    r"H\d+K\d+|IC50|EC50|GI50|LD50|PM2|24H|L1000|CO2|PO2|O2|FDA|RNA\d?|COVID-19|IV|III|II|DM1|Q10)$",
    FLAGS,
)
PLAIN = frozenset(
    "a an the and or of in on at to for from by with without is are was were be been do does did how "
    "what which who whose why when where "
    "that this these those it its we our i you your my me us they them their he she his her as but if "
    "than then so not no yes can could "
    "should would will may might must has have had only about around approximately please also still "
    "just any some all each every both "
    "between among over under after before during per versus vs via up down more most less least very "
    "much many few other another same "
    "different new best top give show tell find list name rank choose pick want need like use using used "
    "test try tested worth remain "
    "remaining approved available candidates line lines cell cells patient patients woman man year years "
    "old stage grade level levels "
    "strong strongly weak high low dose doses time times course response responses effect effects change "
    "changes changed changing "
    "happens happen does go goes through way help compare comparison against measure measured readout "
    "readouts screen round rounds "
    "primary normal healthy human hours budget plates plate wells assay assays first second third likely "
    "predicted predict expected "
    "distinct mechanistically clinical laboratory parameters table attached given treated treatment "
    "treat therapy".split()
)
ODD = re.compile(
    r"\b(?:moon|astrolog|horoscope|homeopath|feng|zodiac|prayer|crystal|mice|mouse|rats?\b|zebrafish|"
    r"dogs?\b|xenograft|in vivo|monkeys?|pigs?\b|million cells|cells left|only .{0,20}cells|µg|ug of|"
    r"mg of|ml of|vials?|aliquots?|freezer|"
    r"microgravity|space station|lunar|solstice|weekend|night shift|zero gravity|altitude|ambient|frozen|"
    r"biopsy|core needle|incubator|music|colou?r|smell|dilutions|tides?|birthday|spaceflight|magnetic)|"
    r"满月|月圆|子午流注|风水|中医|八字|星座|小鼠|大鼠|斑马鱼|体内|万个?细胞|毫克|毫升|针灸|农历|黄道|太空|失重|磁场|活检|裸鼠|移植瘤|养生|节气",
    FLAGS,
)
MOST = 3


def unplaced(text: str, found: Sequence[Mention], spans: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Codes that no list knows, then clauses with odd conditions, then clauses of which nothing was placed."""
    told: list[str] = []
    for match in CODE.finditer(text):
        if NOT_CODES.match(match[0]) or _taken(match.start(), match.end(), found, spans):
            continue
        told.append(match[0])
    for begin, clause in _clauses(text):
        end = begin + len(clause)
        if ODD.search(clause):
            told.append(clause.strip())
        elif not _touched(begin, end, found, spans) and _content(clause) >= 2 and len(told) < MOST:
            told.append(clause.strip())
    return tuple(dict.fromkeys(told))[: MOST + 1]


def _clauses(text: str) -> list[tuple[int, str]]:
    out, begin = [], 0
    for match in [
        *re.finditer(r"[,;:.!?。，；：！？()]\s|[,;!?。，；！？、()]|\s-\s|\b(?:so|and|but|which)\b", text),
        None,
    ]:
        end = match.start() if match else len(text)
        if text[begin:end].strip():
            out.append((begin, text[begin:end]))
        begin = match.end() if match else end
    return out


def _taken(begin: int, end: int, found: Sequence[Mention], spans: Sequence[tuple[int, int]]) -> bool:
    return any(begin < m.end and m.begin < end for m in found) or any(begin < e and b < end for b, e in spans)


def _touched(begin: int, end: int, found: Sequence[Mention], spans: Sequence[tuple[int, int]]) -> bool:
    return _taken(begin, end, found, spans)


def _content(clause: str) -> int:
    words = [w for w in re.findall(r"[A-Za-z][A-Za-z'-]+", clause) if w.lower() not in PLAIN]
    return len(words) + len(CJK.findall(clause)) // 3

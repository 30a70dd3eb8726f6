"""Finding names in a question: the longest first, each stretch of text once, typing errors forgiven in long names."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from .lexicon import Lexicon, Name, lexicon
from .text import Squeezed, squeeze

PHOSPHO_SITE = r"(?:\s*\(?p?[STY]\d{2,4}(?:\s*/\s*p?[STY]?\d{2,4})*\)?)?"
ACTS = (
    r"inhibitors?|inhibition|blockers?|blockade|antagonists?|agonists?|degraders?|activators?|antibod(?:y|ies)|"
    r"targeting agents?|抑制剂|拮抗剂|激动剂|激活剂|阻断剂|降解剂|抗体|单抗"
)
ACT_NAMES = {
    "inhibition": "inhibitor", "blockade": "blocker", "抑制剂": "inhibitor", "拮抗剂": "antagonist",
    "激动剂": "agonist", "激活剂": "activator", "阻断剂": "blocker", "降解剂": "degrader", "抗体": "antibody",
    "单抗": "antibody", "antibodies": "antibody", "targeting agent": "inhibitor", "targeting agents": "inhibitor",
}  # fmt: skip
NOT_TARGETS = frozenset(
    "an a the of or and no any which what other most selective potent new two both these some more all not known "
    "strong specific small irreversible allosteric covalent competitive reversible approved best different several "
    "chemical standard novel effective clinical molecule compound drug without with for are is to except avoid "
    "excluding exclude than from add does do one either using".split()
)
TYPO_MIN, TYPO_TWO = 7, 11  # letters from which one, two typing errors are forgiven


@dataclass(frozen=True)
class Mention:
    """A stretch ``begin:end`` of the normalised text and what it may name. kind "class", "phospho", … once decided."""

    begin: int
    end: int
    text: str
    names: tuple[Name, ...]

    def of(self, kind: str) -> Name | None:
        return next((n for n in self.names if n.kind == kind), None)

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(n.kind for n in self.names)


def mentions(text: str) -> list[Mention]:
    """Names in the normalised ``text``, in its order, none overlapping: classes and phosphoproteins, then the rest."""
    found = [*class_mentions(text)]
    found += _free(phospho_mentions(text), found)
    found += _free(_exact(squeeze(text), lexicon()), found)
    found += _free(_typos(text, lexicon()), found)
    return sorted(found, key=lambda m: m.begin)


def _free(more: list[Mention], taken: list[Mention]) -> list[Mention]:
    """Those of ``more`` that overlap nothing taken or, among themselves, nothing longer."""
    kept: list[Mention] = []
    for mention in sorted(more, key=lambda m: (m.begin - m.end, m.begin)):
        if all(mention.end <= t.begin or mention.begin >= t.end for t in [*taken, *kept]):
            kept.append(mention)
    return kept


def _exact(s: Squeezed, names: Lexicon) -> list[Mention]:
    found = []
    ends = sorted(s.ends)
    for start in sorted(s.starts):
        if start >= len(s.flat):
            continue
        for end in (e for e in ends if start < e <= start + names.longest + 1):
            flat = s.flat[start:end]
            entries = names.find(flat)
            if not entries:
                continue
            begin, stop = s.at[start], s.at[end - 1] + 1
            typed = s.text[begin:stop]
            if re.search(r"[,;:!?，。]\s|\. ", typed) or not names.written(flat, typed):
                continue
            found.append(Mention(begin, stop, typed, entries))
    return found


def class_mentions(text: str) -> list[Mention]:
    """ "MEK inhibitor", "RAF or MEK inhibitors", "MEK抑制剂": one mention for every class, sharing the last word."""
    word = r"[A-Za-z0-9][A-Za-z0-9/+-]*"
    join = r"\s*(?:,|/|&|\bor\b|\band\b|或者|或|和|与|、)\s*"
    pattern = re.compile(
        rf"(?P<targets>{word}(?:[- "
        rf"]family)?(?:{join}{word})*)[\s-]*(?P<act>\b(?:{ACTS})|(?:{ACTS}))(?![A-Za-z])",
        re.IGNORECASE,
    )
    found = []
    for match in pattern.finditer(text):
        act = ACT_NAMES.get(match["act"].lower(), match["act"].lower().rstrip("s"))
        place = match.start("targets")
        for target in re.split(join, match["targets"]):
            if (
                not target
                or target.lower() in NOT_TARGETS
                or (target.islower() and len(target) > 3 and not _a_class(target, act))
            ):
                place = text.find(target, place) + len(target) if target else place
                continue
            begin = text.find(target, place)
            place = begin + len(target)
            last = target == re.split(join, match["targets"])[-1]
            stop = match.end("act") if last else place
            name = f"{target} {act}"
            found.append(Mention(begin, stop, text[begin:stop], (Name("class", _tidy(name)),)))
    return found


def _a_class(target: str, act: str) -> bool:
    return any(n.kind == "class" for n in lexicon().find("".join(c for c in f"{target}{act}" if c.isalnum())))


def _tidy(name: str) -> str:
    """A class in the lexicon's own words where it has them."""
    known = [n for n in lexicon().find("".join(c for c in name.casefold() if c.isalnum())) if n.kind == "class"]
    return known[0].name if known else name


@cache
def _phospho_pattern() -> re.Pattern[str]:
    spelled = sorted({s for row in _proteins().values() for s in row}, key=len, reverse=True)
    protein = "|".join(re.escape(s) for s in spelled)
    return re.compile(
        rf"(?<![A-Za-z0-9])(?:(?:p-|p|phospho-?\s?|phosphorylated\s|"
        rf"磷酸化的?\s?)(?P<a>{protein}){PHOSPHO_SITE}(?![A-Za-z0-9])"
        rf"|(?P<b>{protein})\s*\(?(?:p?[STY]\d{{2,4}}(?:\s*/\s*p?[STY]?\d{{2,4}})*)\)?(?![A-Za-z0-9])(?:\s*phosphorylation)?"
        rf"|(?P<c>{protein})(?:\s+p[STY]\d{{2,4}})?(?:'s)?(?:\s+(?:signal(?:l)?ing\s+)?phosphorylation|的?磷酸化)"
        rf"|phosphorylation\s+of\s+(?:the\s+)?(?P<d>{protein})(?![A-Za-z0-9]))",
        re.IGNORECASE,
    )  # fmt: skip


@cache
def _proteins() -> dict[str, tuple[str, ...]]:
    from .lexicon import FOLDER, _rows

    return {
        row["name"]: (row["name"], *(a for a in row["also"].split("|") if a)) for row in _rows(FOLDER / "proteins.csv")
    }


def phospho_mentions(text: str) -> list[Mention]:
    """Readouts without their site: "p-ERK", "phospho-Akt", "Erk1/2 T202/Y204", "ERK phosphorylation", "磷酸化"."""
    spelled = {s.casefold(): name for name, row in _proteins().items() for s in row}
    found = []
    for match in _phospho_pattern().finditer(text):
        protein = next(g for g in match.groups() if g)
        if match.lastgroup == "a" and match["a"] and re.match(r"p(?!-)", match[0]) and not _capital(match["a"]):
            continue
        name = Name("readout", f"p{spelled[protein.casefold()]}", "phosphoproteome")
        found.append(Mention(match.start(), match.end(), match[0], (name,)))
    return found


def _capital(protein: str) -> bool:
    """After a bare p the protein begins with a capital, so that "plate" is not p + "late"."""
    return protein[:1].isupper() or protein[:1].isdigit()


def _typos(text: str, names: Lexicon) -> list[Mention]:
    """Long Latin words one or two edits from a compound, disease, line or class."""
    found = []
    for match in re.finditer(r"[A-Za-z][A-Za-z0-9-]{5,}", text):
        word = "".join(c for c in match[0].casefold() if c.isalnum())
        if len(word) < TYPO_MIN or names.find(word) or word in COMMON or word.rstrip("s") in COMMON:
            continue
        best = _nearest(word)
        if best:
            found.append(Mention(match.start(), match.end(), match[0], tuple(replace(n) for n in names.find(best))))
    return found


@cache
def _long_names() -> dict[str, list[str]]:
    wanted = {"compound", "disease", "class", "treatment"}
    by_letter: dict[str, list[str]] = {}
    for flat, entries in lexicon().entries.items():
        if len(flat) >= TYPO_MIN and flat.isascii() and any(n.kind in wanted for n in entries):
            by_letter.setdefault(flat[0], []).append(flat)
    return by_letter


def _nearest(word: str) -> str:
    """The one name within the edits forgiven for its length that shares the first letter; "" where none or several."""
    allowed = 2 if len(word) >= TYPO_TWO else 1
    scored = [
        (edits(word, flat, allowed), flat)
        for flat in _long_names().get(word[0], ())
        if abs(len(flat) - len(word)) <= allowed
    ]
    near = sorted((d, f) for d, f in scored if d <= allowed)
    if not near or (len(near) > 1 and near[0][0] == near[1][0]):
        return ""
    return near[0][1]


def edits(a: str, b: str, most: int) -> int:
    """Edit distance with swaps of neighbours (Damerau 1964, restricted); ``most`` + 1 stands for "more"."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        if min(new) > most:
            return most + 1
        before, row = row, new
    return min(row[-1], most + 1)


COMMON = frozenset(
    "response responses sensitive sensitivity resistance resistant treatment treated treatments "
    "therapeutic therapies "
    "patients patient cancers compound compounds molecule molecules inhibitor inhibitors mechanism mechanisms "
    "concentration concentrations expression expressed activation activated stimulation stimulated induction induced "
    "knockout knockouts knockdown knockdowns overexpression overexpressed combination combinations proliferation "
    "apoptosis viability phosphorylation transcription signalling signaling pathway pathways candidate candidates "
    "mutation mutations mutant progression progressed relapsed refractory approved distinct different predicted "
    "strongest selective selectively screening regulate regulates regulators regulator regulation "
    "production secretion "
    "infection infected baseline therapy between against without healthy receptor receptors hormone "
    "positive negative "
    "metastatic surface synergistic synergy additive antagonist antagonise antagonize experiment experiments "
    "measure measured measurement remaining suggest recommend propose identify determine whether through "
    "cellular".split()
)

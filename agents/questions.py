"""Reading a question without a language model: data set, intent, entities and directions, in English or Chinese.

Words are matched against what the data set holds (contexts, perturbations, classes, readouts); what found no
use is handed back, so that nobody believes it was understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from ..world_model.vocabulary import Readout
from .goal import Intent

PANEL_WORDS = ("panel", "compounds", "drugs", "medicines", "therap", "treat", "化合物", "药物", "治疗")
PAIR_WORDS = (
    "pair",
    "pairs",
    "sum",
    "synerg",
    "combination",
    "combinations",
    "epistasis",
    "additive",
    "组合",
    "协同",
    "配对",
    "之和",
)
SCREEN_WORDS = {
    "gdsc": ("patient", "sensitiv", "cell line", "compound", "患者", "敏感"),
    "rppa": ("raf", "mek", "erk", "braf", "phospho", "melanoma", "s6", "磷酸化", "黑色素瘤"),
    "norman": ("crispra", "k562", "erythroid", "perturb-seq", "红系", "红细胞"),
}
UP_WORDS = (
    "push",
    "raise",
    "increase",
    "induce",
    "activate",
    "towards",
    "toward",
    "elevate",
    "up-regulate",
    "升高",
    "激活",
    "诱导",
    "推向",
    "上调",
)
DOWN_WORDS = (
    "shut",
    "inhibit",
    "lower",
    "reduce",
    "suppress",
    "decrease",
    "block",
    "silence",
    "down-regulate",
    "降低",
    "抑制",
    "关闭",
    "下调",
    "阻断",
)
FOLLOW_WORDS = ("follow", "also", "too", "as well", "follows", "随之", "跟随", "也")
STOP_WORDS = frozenset(
    "a an and are as at be by can could do does each find for from give have how i in is it its me more most need of "
    "on or our please propose should tell that the their them there these this those to under we what when where "
    "which who whose will with work working would you predicted given table dose doses time times any than if "
    "against does most best both between mechanistically distinct clinical laboratory parameters stage "
    "signalling signaling down up suggest recommend list name rank pick choose select identify show tell cells "
    "cell".split()
)  # fmt: skip


def choose_dataset(question: str, has_patient: bool) -> str:
    """The built-in data set whose subject the question names most often; a patient table means drug response."""
    if has_patient:
        return "gdsc"
    text = question.lower()
    scores = {name: sum(text.count(w) for w in words) for name, words in SCREEN_WORDS.items()}
    best = max(scores, key=lambda k: scores[k])
    return best if scores[best] else "gdsc"


def intent_of(question: str, *, viability: bool, has_pairs: bool) -> Intent:
    """panel on viability data; interaction where pairs are asked for and measured; else response."""
    text = question.lower()
    if viability:
        return "panel"
    if has_pairs and any(w in text for w in PAIR_WORDS):
        return "interaction"
    return "response"


def mentioned(question: str, names: Iterable[str]) -> list[str]:
    """Names that stand in the question, in its order; compared by letters and digits, whole words only."""
    squeezed, starts = _squeeze(question)
    found = []
    for name in names:
        wanted, _ = _squeeze(name)
        if len(wanted) < 2:
            continue
        for match in re.finditer(re.escape(wanted), squeezed):
            if match.start() in starts and (match.end() in starts or match.end() == len(squeezed)):
                found.append((match.start(), -len(wanted), name))
                break
    return [name for _, _, name in sorted(found)]


def readouts_in(question: str, readouts: Sequence[Readout]) -> list[tuple[Readout, Literal["primary", "follow"]]]:
    """Readouts named in the question; the ones in a clause with "follow" or "also" follow the others."""
    clauses = re.split(r"[,;?，；？。]", question)
    found: dict[str, tuple[Readout, Literal["primary", "follow"]]] = {}
    for clause in clauses:
        words = {w.lower() for w in re.findall(r"[A-Za-z0-9]+", clause)}
        follows = any(w in clause.lower() for w in FOLLOW_WORDS)
        taken: set[str] = set()
        for readout in readouts:
            word = next((w for w in sorted(handles(readout)) if w in words), None)
            if word and word not in taken and readout.variable not in found:
                taken.add(word)
                found[readout.variable] = (readout, "follow" if follows and found else "primary")
    return list(found.values())


def handles(readout: Readout) -> set[str]:
    """Words that name a readout: "pERK(T202/Y204)" answers to perk and erk, "ERK signalling" to erk."""
    stem = readout.variable.split(":")[-1].split("(")[0].lower()
    stem = stem.removeprefix("total ").strip()
    bare = re.sub(r"^p-?", "", stem) if re.match(r"p-?[a-z]", stem) and stem not in ("p27", "p38") else stem
    words = (stem, bare, stem.split()[0] if stem.split() else stem)
    compact = {re.sub(r"[^a-z0-9]", "", w) for w in words}
    return {w for w in compact if len(w) > 1}


def without_classes(question: str) -> str:
    """The question without phrases such as "RAF or MEK inhibitor", whose words name compounds, not readouts."""
    word, join = r"[A-Za-z0-9-]+", r"\s*(?:,|/|\bor\b|\band\b|或|和)\s*"
    return re.sub(rf"{word}(?:{join}{word})*\s*(?:inhibitors?|抑制剂)", " ", question)


def direction_in(question: str) -> Literal["up", "down"] | None:
    """The direction asked for, by the first word that says one; None where no word does."""
    text = question.lower()
    hits = [(text.find(w), "up") for w in UP_WORDS if w in text] + [
        (text.find(w), "down") for w in DOWN_WORDS if w in text
    ]
    return min(hits)[1] if hits else None  # type: ignore[return-value]


def leftover(question: str, used: Iterable[str]) -> tuple[str, ...]:
    """Content words (Latin script) that matched nothing: shown to the user as not understood."""
    names = list(used)
    flat = " ".join(names).lower()
    known = {re.sub(r"[^a-z0-9]", "", w) for w in re.split(r"[^a-z0-9]+", flat)}
    known |= {re.sub(r"[^a-z0-9]", "", n.lower()) for n in names}
    vocabulary = (
        *PANEL_WORDS,
        *PAIR_WORDS,
        *UP_WORDS,
        *DOWN_WORDS,
        *FOLLOW_WORDS,
        *(w for ws in SCREEN_WORDS.values() for w in ws),
    )
    words = re.findall(r"[A-Za-z][A-Za-z0-9-]{2,}", question)
    kept = []
    for word in words:
        low = word.lower()
        if low in STOP_WORDS or low in known or any(low.startswith(v) for v in vocabulary if v.isascii()):
            continue
        if low.rstrip("s") in known or low.replace("-", "") in known or known.issuperset(low.split("-")):
            continue
        kept.append(word)
    return tuple(dict.fromkeys(kept))


def without_use(question: str, used: Sequence[str], phrases: Sequence[str]) -> tuple[str, ...]:
    """Words and phrases without a use. ``phrases``: what the slots could not place; one that holds a used name, or
    none of the words left over here, was placed by the data set's own names. Longer than 60 characters: its words."""
    words = leftover(question, used)
    known = {_squeeze(u)[0] for u in used if len(u) > 1}
    told = []
    for phrase in phrases:
        flat = _squeeze(phrase)[0]
        latin = phrase.isascii()
        if len(phrase) > 60 or any(u and u in flat for u in known):
            continue
        if not latin or any(w in phrase for w in words):
            told.append(phrase)
    rest = [w for w in words if not any(w in p for p in told)]
    return tuple(dict.fromkeys([*rest, *told]))


def count_in(question: str) -> int | None:
    """A wanted number of items, as in "propose 6 compounds" or "提出 6 种"."""
    match = re.search(r"\b(\d{1,2})\s+(?:\w+\s+){0,3}(?:compounds|drugs|items)|(\d{1,2})\s*[种个]", question)
    return int(next(g for g in match.groups() if g)) if match else None


def _squeeze(text: str) -> tuple[str, set[int]]:
    """Letters and digits only, lower case, and the positions in it where a word of the text begins."""
    out: list[str] = []
    starts: set[int] = set()
    fresh = True
    for char in text.lower():
        if char.isalnum():
            if fresh or ord(char) > 0x2E80 or (out and ord(out[-1]) > 0x2E80):
                starts.add(len(out))
            out.append(char)
            fresh = False
        else:
            fresh = True
    starts.add(len(out))
    return "".join(out), starts

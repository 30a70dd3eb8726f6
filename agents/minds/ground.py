"""Words of a language model that may stand in a record: no number, no verdict, no name that nobody knows.

A sentence that breaks one of these rules is cut, and counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from ...prompts.render import clean

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")
_CJK = "\u2e80-\u9fff\uac00-\ud7ff"  # no spaces between words: each run of other letters is a word of its own
_TOKEN = re.compile(rf"[^\W_{_CJK}](?:[^\W{_CJK}]|[/+.\-])*")
_COMMON = frozenset(
    "DNA RNA mRNA ATP ADP GTP GDP ROS UV PCR IC50 LN_IC50 G1 G2 G0 B-cell T-cell CRISPRa CRISPRi".split()
)
_DRUG = re.compile(
    r"^[a-z]{4,}(?:nib|mab|parib|ciclib|lisib|zomib|platin|rubicin|taxel|nostat|limus|clax|metinib)$", re.I
)
_NUMBER_WORDS = re.compile(
    r"\b(?:half|twice|double|triple|(?:one|two|three|four|five|six|seven|eight|nine|ten|hundred|thousand)(?:fold|-fold)?|percent)\b"
    r"|百分之|[一二三四五六七八九十百千万]+倍",
    re.I,
)
_CODE = re.compile(r"[<>{}=|`$\\\\]|://")
_VERDICT = re.compile(
    r"prove[nds]?\b|confirm|corroborat|falsif|refut|significan|approv|authori[sz]|certain|guarantee|validated|budget"
    r"|证实|证明|显著|批准|推翻|预算",
    re.I,
)


@dataclass
class Refusals:
    """What is turned down on the way from a reply to a decision. cut: sentences."""

    notes: list[str] = field(default_factory=list)
    cut: int = 0

    def note(self, text: object) -> None:
        """Keeps the first 50 notes, bounded and clean."""
        if len(self.notes) < 50:
            self.notes.append(clean(str(text))[:300])


def keep_grounded(text: str, known: Callable[[str], bool], phrases: re.Pattern[str]) -> tuple[str, int]:
    """(the sentences that may stay, how many were cut).

    known: does a token name something in the vocabulary? phrases: matches known names of several words.
    """
    sentences = [s.strip() for s in _SENTENCE.split(clean(text)) if s.strip()]
    kept = [s for s in sentences if _may_stay(s, known, phrases)]
    return " ".join(kept), len(sentences) - len(kept)


def _may_stay(sentence: str, known: Callable[[str], bool], phrases: re.Pattern[str]) -> bool:
    sentence = phrases.sub(" ", sentence)
    if any(rule.search(sentence) for rule in (_VERDICT, _NUMBER_WORDS, _CODE)):
        return False
    tokens = [t.strip(".-/+") for t in _TOKEN.findall(sentence)]
    return all(t in _COMMON or known(t) for t in tokens if _needs_name(t))


def _needs_name(token: str) -> bool:
    """True for what looks like a number, a gene, a line or a drug rather than a word."""
    if any(unicodedata.category(c).startswith("N") for c in token):
        return True
    if any(c.isupper() for c in token[1:]):
        return True
    if not token.isascii() and any(c.isascii() and c.isalpha() for c in token):
        return True  # scripts mixed within one word: a look-alike
    return bool(_DRUG.match(token))

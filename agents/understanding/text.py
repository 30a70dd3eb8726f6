"""A question's text in a form that names can be found in: letters and digits only, with the word boundaries kept."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

GREEK = str.maketrans({"ß": "β"})
FLAGS = re.IGNORECASE | re.ASCII  # ASCII: a Chinese character ends a Latin word
CJK = re.compile(r"[㐀-鿿]")


def normalise(text: str) -> str:
    """NFKC (full-width signs and the two micro signs become one), dashes and quotes made plain."""
    plain = unicodedata.normalize("NFKC", text).translate(GREEK)
    return re.sub(r"[‐‑‒–—−]", "-", plain).replace("’", "'").replace("“", '"').replace("”", '"')


@dataclass(frozen=True)
class Squeezed:
    """text: the normalised text; flat: its letters and digits, case-folded; at[i]: where flat[i] stands in ``text``;
    starts, ends: positions in ``flat`` where a word begins or has ended."""

    text: str
    flat: str
    at: tuple[int, ...]
    starts: frozenset[int]
    ends: frozenset[int]


def squeeze(text: str) -> Squeezed:
    """Each Chinese character is a word of its own; Latin letters, Greek letters and digits run together."""
    flat: list[str] = []
    at: list[int] = []
    starts, ends = set(), set()
    inside = False
    for i, char in enumerate(text):
        if not char.isalnum():
            if inside:
                ends.add(len(flat))
            inside = False
            continue
        wide = bool(CJK.match(char))
        if wide or not inside or CJK.match(text[i - 1]):
            starts.add(len(flat))
            ends.add(len(flat))
        for part in char.casefold():
            flat.append(part)
            at.append(i)
        inside = True
    ends.add(len(flat))
    return Squeezed(text, "".join(flat), tuple(at), frozenset(starts), frozenset(ends))


def key(name: str) -> str:
    """What two spellings of a name have in common: its letters and digits, case-folded."""
    return "".join(c for c in normalise(name).casefold() if c.isalnum())

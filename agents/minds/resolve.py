"""Names from outside, resolved against what a briefing knows, or refused with the nearest names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache

from ...world_model.errors import UnknownName
from ...world_model.vocabulary import Readout
from .. import questions
from .protocol import Briefing

_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "κ": "kappa", "λ": "lambda",
          "μ": "mu", "σ": "sigma", "τ": "tau", "ω": "omega"}  # fmt: skip

_SENTENCE = re.compile(
    r"[:;.!?] |[<>{}\n]|(?:\S+\s+){5}|approv|prove[nd]|ignore", re.I
)  # a data set can name a line so


@lru_cache(maxsize=65536)  # the same long lists come with every decision
def plain(name: str) -> str:
    """A name for comparison: letters and digits only, no case, Greek letters spelled out."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(_GREEK.get(c, c) for c in text if c.isalnum())


class Names:
    """Known names of one kind. Looks alike is not enough: a letter of another script matches nothing."""

    def __init__(self, known: Iterable[str], kind: str, aliases: Mapping[str, str] | None = None) -> None:
        """aliases: further spellings -> known name; a known name always wins over an alias."""
        self.known = tuple(dict.fromkeys(known))
        self.kind = kind
        self._exact = set(self.known)
        self._by_letter: dict[str, list[str]] = {}
        for name in self.known:
            self._by_letter.setdefault(name[:1].lower(), []).append(name)
        self._by_plain: dict[str, set[str]] = {}
        for name in self.known:
            self._by_plain.setdefault(plain(name), set()).add(name)
        for alias, name in (aliases or {}).items():
            if name in self._exact:
                self._by_plain.setdefault(plain(alias), {name})

    def find(self, text: str) -> str:
        """The known name that ``text`` means. Raises UnknownName (with near names) where none or several fit."""
        if text in self._exact:
            return text
        found = self._by_plain.get(plain(text), set())
        if len(found) == 1:
            return next(iter(found))
        raise UnknownName(text[:80], kind=self.kind, known=found or self.near(text))

    def near(self, text: str) -> Sequence[str]:
        """Where near names are looked for: all of a short list; of a long one, same first letter, like length."""
        if len(self.known) <= 100:
            return self.known
        return [n for n in self._by_letter.get(text[:1].lower(), ()) if abs(len(n) - len(text)) <= 3]

    def __contains__(self, text: str) -> bool:
        return text in self._exact or len(self._by_plain.get(plain(text), ())) == 1


class Vocabulary:
    """The names that one decision may use."""

    def __init__(self, briefing: Briefing, more_genes: Names | None = None) -> None:
        """more_genes: symbols beyond those of the data set and the patient (built once, it may be long)."""
        self._briefing = briefing
        self._more_genes = more_genes or Names((), "gene")

    @cached_property
    def contexts(self) -> Names:
        return Names(self._briefing.contexts, "context")

    @cached_property
    def perturbations(self) -> Names:
        """Single perturbations; a measured pair "A+B" contributes A and B."""
        return Names((part for p in self._briefing.perturbations for part in p.split("+")), "perturbation")

    @cached_property
    def combinations(self) -> frozenset[frozenset[str]]:
        """The sets of perturbations that were measured together."""
        return frozenset(frozenset(p.split("+")) for p in self._briefing.perturbations if "+" in p)

    @cached_property
    def classes(self) -> Names:
        known = dict.fromkeys(c for c in self._briefing.classes.values() if c != "unknown")
        return Names(known, "mechanism class", {f"{c}s": c for c in known})

    @cached_property
    def readouts(self) -> Names:
        return readout_names(self._briefing.readouts)

    @cached_property
    def genes(self) -> Names:
        """Genes and proteins known from the patient and the readouts."""
        patient = self._briefing.patient
        own = [*patient.mutations, *patient.expression] if patient else []
        measured = [m for r in self._briefing.readouts for m, _ in r.members]
        return Names([*own, *measured], "gene")

    def entity(self, text: str) -> str:
        """A name of any kind that a mechanism may speak of. Raises UnknownName, for a name that is a sentence too."""
        for names in (*self.tokens, self.classes):
            if text in names and not _SENTENCE.search(found := names.find(text)):
                return found
        near = [n for names in self.tokens for n in names.near(text)]
        raise UnknownName(text[:80], kind="gene, compound or readout", known=near)

    @cached_property
    def phrases(self) -> re.Pattern[str]:
        """Matches the known names that are more than one word of letters and digits."""
        names = (
            n for kind in (self.perturbations, self.readouts, self.contexts) for n in kind.known if not n.isalnum()
        )
        return re.compile("|".join(re.escape(n) for n in sorted(names, key=len, reverse=True)) or r"(?!)", re.I)

    @property
    def tokens(self) -> tuple[Names, ...]:
        """The kinds of names that one word of a sentence may be."""
        return (self.perturbations, self.readouts, self.genes, self._more_genes, self.contexts)

    def members(self, text: str) -> tuple[str, ...]:
        """Perturbations behind a name: itself, or all of a mechanism class. Raises UnknownName."""
        if text in self.perturbations:
            return (self.perturbations.find(text),)
        if text in self.classes:
            wanted = self.classes.find(text)
            return tuple(p for p, c in self._briefing.classes.items() if c == wanted and p in self.perturbations)
        raise UnknownName(
            text[:80], kind="perturbation or class", known=[*self.perturbations.known, *self.classes.known]
        )

    def readout(self, text: str) -> Readout:
        name = self.readouts.find(text)
        return next(r for r in self._briefing.readouts if r.variable == name)


def readout_names(readouts: Sequence[Readout]) -> Names:
    """Readouts by variable and by the short spellings that mean exactly one of them."""
    return Names((r.variable for r in readouts), "readout", _handles(readouts))


def shortlist(names: Iterable[str], text: str, most: int) -> list[str]:
    """At most ``most`` names, those whose letters stand in ``text`` first; order kept otherwise."""
    everything = list(dict.fromkeys(names))
    if len(everything) <= most:
        return everything
    squeezed = plain(text)
    named = [n for n in everything if len(plain(n)) > 1 and plain(n) in squeezed]
    return list(dict.fromkeys([*named, *everything]))[:most]


def _handles(readouts: Iterable[Readout]) -> dict[str, str]:
    """Short spellings that mean exactly one readout: "pERK" for "pERK(T202/Y204)"."""
    found: dict[str, set[str]] = {}
    for readout in readouts:
        for word in questions.handles(readout):
            found.setdefault(word, set()).add(readout.variable)
        if readout.modality == "viability":
            for word in ("viability", "sensitivity", "response", "ic50"):
                found.setdefault(word, set()).add(readout.variable)
    return {word: next(iter(names)) for word, names in found.items() if len(names) == 1}

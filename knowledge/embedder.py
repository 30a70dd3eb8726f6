"""Text to vectors without a model: words, pairs of words and pieces of words, hashed into a fixed space.

Finds shared words, inflections and names (TP53, pERK, 细胞), not synonyms. Feature hashing as in Weinberger et al.
2009 (ICML): v[h(f) mod D] += sign(f) w(f), then unit length; cosine is the overlap of weighted features.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

DIMENSIONS = 1024
WORD = re.compile(r"[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+")  # a Chinese character is a word
COMMON = frozenset(
    "a an and are as at be by do does for from has have in is it its more not of on or than that the this to was were "
    "which with will would".split()
)
PIECE = 4  # letters in a piece of a word


class HashingEmbedder:
    """Chroma's embedding function, and usable alone: ``embed(texts)`` has shape (texts, dimensions), unit rows."""

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        self.dimensions = dimensions

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for feature, weight in features(text).items():
                slot, sign = _place(feature, self.dimensions)
                row[slot] += sign * weight
            length = float(np.linalg.norm(row))
            if length > 0:
                row /= length
            else:
                row[0] = 1.0  # no words at all; cosine needs some direction
        return rows

    def __call__(self, input: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        return list(self.embed(input))

    def embed_query(self, input: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        return list(self.embed(input))

    @staticmethod
    def name() -> str:
        return "cytocrux_hashing"

    def get_config(self) -> dict[str, Any]:
        return {"dimensions": self.dimensions}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> HashingEmbedder:
        return HashingEmbedder(int(config["dimensions"]))

    def default_space(self) -> str:
        return "cosine"

    def supported_spaces(self) -> list[str]:
        return ["cosine", "l2", "ip"]

    def is_legacy(self) -> bool:
        return False

    @staticmethod
    def validate_config(config: dict[str, Any]) -> None:
        """Any number of dimensions will do."""

    def validate_config_update(self, old_config: dict[str, Any], new_config: dict[str, Any]) -> None:
        """Nothing to check: another size makes another collection."""


def features(text: str) -> dict[str, float]:
    """Weighted features: words 1 (common ones 0.1), neighbours 0.5, pieces of four letters together 0.5 a word."""
    words = WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    counts = Counter[str]()
    weights: dict[str, float] = {}
    for i, word in enumerate(words):
        counts[f"w {word}"] += 1
        weights[f"w {word}"] = 0.1 if word in COMMON else 1.0
        if i and not (word in COMMON and words[i - 1] in COMMON):
            pair = f"p {words[i - 1]} {word}"
            counts[pair] += 1
            weights[pair] = 0.5
        if word in COMMON or len(word) < PIECE:
            continue
        padded = f"<{word}>"
        pieces = [padded[k : k + PIECE] for k in range(len(padded) - PIECE + 1)]
        for piece in pieces:
            counts[f"g {piece}"] += 1
            weights[f"g {piece}"] = 0.5 / len(pieces) ** 0.5
    return {f: weights[f] * (1.0 + np.log(n)) for f, n in counts.items()}


def _place(feature: str, dimensions: int) -> tuple[int, float]:
    number = int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    return (number >> 1) % dimensions, 1.0 if number & 1 else -1.0

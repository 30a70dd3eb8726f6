"""Prompts are text files: a Jinja2 template with a system and a user block, nothing undefined, outside text fenced.

Outside text (a question, a table, a paper, earlier claims) enters only through the filter ``data``: between two
lines that carry the hash of what they enclose. Whoever writes the text cannot write its own hash into it, so no
text can end its block and speak as the prompt.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

MAX_DATA = 20_000  # characters of one block


@dataclass(frozen=True)
class Prompt:
    """system and user: the two messages; version: hash of the template; hash: of both messages (sha256, hex)."""

    name: str
    system: str
    user: str
    version: str
    hash: str


def render(name: str, **values: Any) -> Prompt:
    """Fills prompts/NAME.md.j2. A variable that is missing raises jinja2.UndefinedError."""
    template = _environment().get_template(f"{name}.md.j2")
    blocks = {
        block: "".join(template.blocks[block](template.new_context(values))).strip() for block in ("system", "user")
    }
    text = "\n\n".join(blocks[b] for b in ("system", "user"))
    return Prompt(name, blocks["system"], blocks["user"], version(name), hashlib.sha256(text.encode()).hexdigest())


def version(name: str) -> str:
    """First 12 hex digits of the sha256 of a template's source."""
    return hashlib.sha256(source(name).encode()).hexdigest()[:12]


@cache
def source(name: str) -> str:
    """The text of prompts/NAME.md.j2."""
    return resources.files(__package__).joinpath(f"{name}.md.j2").read_text(encoding="utf-8")


def data(value: object, label: str = "data") -> str:
    """``value`` as a delimited block: clean, bounded, between lines that carry its hash; a short word for nothing."""
    text = clean(value if isinstance(value, str) else "\n".join(str(v) for v in _items(value)))
    if not text:
        return f"({label}: none)"
    if len(text) > MAX_DATA:
        text = text[:MAX_DATA] + "\n[cut here]"
    tag = hashlib.sha256(f"{label}\n{text}".encode()).hexdigest()[:32]
    return f"<<<{label} {tag}\n{text}\n{label} {tag}>>>"


def clean(text: str) -> str:
    """Text without characters that nobody sees: controls, zero-width, direction marks, tags, private use."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.replace("\n", "").isprintable():  # the common case, and quick
        return text
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Cn"))


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return [f"{k}: {v}" for k, v in value.items()]
    return list(value) if isinstance(value, list | tuple) else [value]


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    loader = jinja2.FunctionLoader(lambda name: source(name.removesuffix(".md.j2")))
    env = jinja2.Environment(  # noqa: S701  # prompts are plain text, never a page
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    env.filters["data"] = data
    return env

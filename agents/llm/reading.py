"""What an endpoint sent back, read with suspicion: any field may be missing or of the wrong type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .failure import LLMFailure

_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.S)
_FENCE = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.S)


@dataclass(frozen=True)
class Reading:
    """content: the answer's text; finish: why it ended; tokens: as reported, 0 where not."""

    content: str
    finish: str
    tokens_in: int = 0
    tokens_out: int = 0
    refusal: str = ""

    def charge(self, most_in: int) -> tuple[int, int]:
        """Tokens in and out to book: as reported, else an upper bound from the bytes."""
        return self.tokens_in or most_in, self.tokens_out or len(self.content.encode())

    def checked(self) -> Reading:
        """Itself. Raises LLMFailure where the model refused, or said nothing."""
        if self.refusal or self.finish == "content_filter":
            raise LLMFailure("refused", self.refusal[:200] or "stopped by the endpoint's content filter")
        if not self.finish:
            raise LLMFailure("cut", "the answer has no end (no finish_reason)")
        if not self.content.strip():
            raise LLMFailure("empty", f"the answer is empty (finish_reason {self.finish!r})")
        return self

    def json_text(self) -> str:
        """The JSON in the answer, without thoughts and code fences. Raises ValueError where it was cut off."""
        if self.finish == "length":
            raise ValueError("cut off at the output limit")
        text = _THOUGHT.sub("", self.content).strip()
        fenced = _FENCE.match(text)
        return fenced.group(1) if fenced else text


def read_reply(reply: Any) -> Reading:
    """From a ChatCompletion. Raises LLMFailure("empty") where there is no choice in it."""
    choices = getattr(reply, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise LLMFailure("empty", "the answer holds no choice")
    message = getattr(choices[0], "message", None)
    usage = getattr(reply, "usage", None)
    return Reading(
        content=_text(getattr(message, "content", None)),
        finish=_text(getattr(choices[0], "finish_reason", None)),
        tokens_in=_count(getattr(usage, "prompt_tokens", None)),
        tokens_out=_count(getattr(usage, "completion_tokens", None)),
        refusal=_text(getattr(message, "refusal", None)),
    )


def read_stream(chunks: Iterable[Any], max_tokens: int, stopped: Callable[[], bool] = lambda: False) -> Reading:
    """From a stream of chunks; stops reading where the endpoint goes on past the limit it was given.

    Raises LLMFailure("cancelled") where ``stopped`` says so between two chunks.
    """
    parts: list[str] = []
    finish, refusal, tokens_in, tokens_out = "", "", 0, 0
    for chunk in chunks:
        if stopped():
            raise LLMFailure("cancelled", "the campaign was stopped while the answer came in")
        usage = getattr(chunk, "usage", None)
        tokens_in = _count(getattr(usage, "prompt_tokens", None)) or tokens_in
        tokens_out = _count(getattr(usage, "completion_tokens", None)) or tokens_out
        choices = getattr(chunk, "choices", None)
        if not isinstance(choices, list) or not choices:
            continue
        delta = getattr(choices[0], "delta", None)
        parts.append(_text(getattr(delta, "content", None)))
        refusal += _text(getattr(delta, "refusal", None))
        finish = _text(getattr(choices[0], "finish_reason", None)) or finish
        if len(parts) > max_tokens + 64:
            finish = "length"
            break
    return Reading("".join(parts), finish, tokens_in, tokens_out, refusal)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0

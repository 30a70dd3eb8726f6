"""What can go wrong with a language model. The mind that asked falls back; nothing here ends a campaign."""

from __future__ import annotations

from typing import Literal

from ...world_model.errors import Corrupt, CytocruxError

FailureKind = Literal[
    "connection",  # nothing listens, or the line broke before an answer
    "timeout",  # no whole answer in time
    "rate_limit",  # 429 after all retries
    "server",  # 5xx after all retries
    "refused",  # the endpoint or the model says no (bad key, unknown model, content filter)
    "cut",  # the answer stops in the middle or is endless
    "empty",  # an answer without content
    "invalid",  # not the JSON asked for, even after one repair
    "budget",  # the budget does not allow the call
    "cancelled",
]


class LLMFailure(CytocruxError):
    """The model gave no usable answer. Says what was spent in trying."""

    def __init__(
        self, kind: FailureKind, why: str, *, tokens_in: int = 0, tokens_out: int = 0, attempts: int = 0
    ) -> None:
        self.kind: FailureKind = kind
        self.tokens_in, self.tokens_out, self.attempts = tokens_in, tokens_out, attempts
        super().__init__(f"The language model gave no usable answer ({kind})", why=why)


class UnknownRequest(Corrupt):
    """A replay met a request that was never recorded: the run differs from the recorded one."""

"""The one retry layer, and what each error of the endpoint means."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import tenacity

from .failure import LLMFailure

if TYPE_CHECKING:
    import openai


def retrying(attempts: int, wait_s: float, cancelled: threading.Event) -> tenacity.Retrying:
    """Tries again after 429, 5xx, timeouts and broken lines, with growing random pauses or the server's own.

    A pause longer than ``wait_s`` that the server asks for ends the tries: the built-in mind is faster.
    """
    pause = tenacity.wait_random_exponential(multiplier=0.5, max=wait_s)

    def wait(state: tenacity.RetryCallState) -> float:
        asked = asked_pause(_error(state))
        return pause(state) if asked is None else asked

    def again(error: BaseException) -> bool:
        return _transient(error) and not cancelled.is_set() and (asked_pause(error) or 0.0) <= wait_s

    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(attempts),
        wait=wait,
        retry=tenacity.retry_if_exception(again),
        sleep=tenacity.sleep_using_event(cancelled),
        reraise=True,
    )


def classify(error: openai.OpenAIError) -> LLMFailure:
    """The failure behind an error of the SDK."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return LLMFailure("timeout", "no whole answer in time")
    if isinstance(error, openai.APIConnectionError):
        return LLMFailure("connection" if unused(error) else "cut", type(error.__cause__ or error).__name__)
    if isinstance(error, openai.RateLimitError):
        return LLMFailure("rate_limit", "the endpoint asks to slow down (429)")
    if isinstance(error, openai.InternalServerError):
        return LLMFailure("server", f"the endpoint answers {error.status_code}")
    if isinstance(error, openai.APIStatusError):
        return LLMFailure("refused", f"the endpoint answers {error.status_code}")
    return LLMFailure("server", f"the endpoint reports an error in its answer ({type(error).__name__})")


def unused(error: BaseException) -> bool:
    """True where the model cannot have worked: nobody answered the call, or the endpoint turned it down."""
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return True
    return isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def asked_pause(error: BaseException | None) -> float | None:
    """Seconds that the server asks to wait (Retry-After: seconds or a date), or None."""
    import openai

    if not isinstance(error, openai.APIStatusError):
        return None
    text = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _transient(error: BaseException) -> bool:
    import openai

    if isinstance(error, openai.RateLimitError):
        return error.code != "insufficient_quota"
    return isinstance(error, openai.APIConnectionError | openai.InternalServerError)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None

"""The one way to a language model: ask for JSON of a given shape, get it or an LLMFailure that says why.

One retry layer (tenacity; the SDK's own is off), one repair round for invalid JSON, a budget checked before every
request. Works with any OpenAI-compatible endpoint: one that refuses a parameter is asked again without it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, Field, ValidationError

from ...world_model.errors import BadInput, CytocruxError
from ...world_model.vocabulary import Frozen
from .budget import Limits, Meter, Price, Spent, most_tokens
from .dialects import DIALECTS, parameters
from .failure import LLMFailure
from .outbox import Kept, Outbox, name_of
from .pace import Pace
from .reading import Reading, read_reply, read_stream
from .retry import classify, retrying, unused

if TYPE_CHECKING:
    import httpx2
    import openai

T = TypeVar("T", bound=BaseModel)
Message = dict[str, str]
BYTES_A_TOKEN = 3  # of English text, cautiously: what a request counts against tokens per minute


class Options(Frozen):
    """timeout_s: for one whole answer; attempts: tries of one request; wait_s: longest pause between two tries.

    requests_per_minute, tokens_per_minute: kept by waiting before a request; None = as fast as it answers.
    """

    timeout_s: float = Field(default=120.0, gt=0)
    attempts: int = Field(default=4, ge=1, le=20)
    wait_s: float = Field(default=30.0, ge=0)
    max_tokens: int = Field(default=4096, ge=16)
    stream: bool = False
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A valid answer and what it took to get it (all tries together)."""

    value: T
    model: str
    tokens_in: int
    tokens_out: int
    attempts: int


@dataclass(frozen=True)
class Form:
    """The JSON that an answer must be: a name and a JSON schema."""

    name: str
    schema: dict[str, Any]


@dataclass
class _Tally:
    tokens_in: int = 0
    tokens_out: int = 0
    attempts: int = 0

    def failure(self, why: LLMFailure) -> LLMFailure:
        return LLMFailure(
            why.kind, why.why, tokens_in=self.tokens_in, tokens_out=self.tokens_out, attempts=self.attempts
        )


@dataclass
class LLMClient:
    """``models``: one name, or role -> name (with "default"). ``transport``: tests, recording, replay plug in here.

    ``outbox``: keeps valid answers to questions that have a key, so that a resumed campaign does not ask again.
    """

    base_url: str
    models: str | Mapping[str, str]
    meter: Meter
    options: Options = field(default_factory=Options)
    transport: httpx2.BaseTransport | None = None
    outbox: Outbox | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    _dialect: int = 0
    _sdk: openai.OpenAI | None = None

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise BadInput(f"{self.base_url!r} is no model endpoint", cure="give a URL, as in http://127.0.0.1:8080/v1")
        self._pace = Pace(self.options.requests_per_minute, self.options.tokens_per_minute)
        for model in {self.models} if isinstance(self.models, str) else set(self.models.values()):
            self.meter.require_price(model)

    @property
    def name(self) -> str:
        """The default model's, or the first one's."""
        if isinstance(self.models, str):
            return self.models
        return self.models.get("default") or next(iter(self.models.values()))

    def model_for(self, role: str) -> str:
        """The model that answers for a role. Raises BadInput where neither it nor "default" is set."""
        if isinstance(self.models, str):
            return self.models
        name = self.models.get(role) or self.models.get("default")
        if name is None:
            raise BadInput(f"No model is set for the role {role!r}", cure='add it, or one under "default"')
        return name

    def cancel(self) -> None:
        """No further request is sent, a pause ends, an answer that is coming in is left at its next piece.

        A request that the endpoint has not begun to answer runs to its timeout.
        """
        self.cancelled.set()

    def ask(
        self,
        role: str,
        system: str,
        user: str,
        shape: type[T],
        repair: Callable[[str], str],
        *,
        schema: dict[str, Any] | None = None,
        key: str = "",
    ) -> Answer[T]:
        """A value of ``shape``. ``repair``: from what is wrong to what is said after an invalid answer (once).

        schema: what the endpoint is told to keep to (narrower than the shape's own); key: names the decision, so that
        its answer is asked for once, whatever happens. Raises LLMFailure with what was spent; UnknownRequest where a
        replay lacks the request.
        """
        messages: list[Message] = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        model, form = self.model_for(role), Form(shape.__name__, schema or shape.model_json_schema())
        kept = name_of(key, model, messages, form.schema) if self.outbox else ""
        if (earlier := self._earlier(kept, shape)) is not None:
            return earlier
        tally = _Tally()
        try:
            text = self._complete(model, messages, form, tally)
            try:
                value = shape.model_validate_json(text.json_text())
            except ValueError as first:
                said = {"role": "assistant", "content": text.content[:4000] or "(nothing)"}
                fix = {"role": "user", "content": repair(_problem(first, text))}
                text = self._complete(model, [*messages, said, fix], form, tally)
                try:
                    value = shape.model_validate_json(text.json_text())
                except ValueError as second:
                    raise LLMFailure("cut" if text.finish == "length" else "invalid", _problem(second, text)) from None
        except LLMFailure as failure:
            raise tally.failure(failure) from None
        if self.outbox and kept:
            self.outbox.keep(kept, Kept(text.json_text(), model, tally.tokens_in, tally.tokens_out, tally.attempts))
        return Answer(value, model, tally.tokens_in, tally.tokens_out, tally.attempts)

    def _earlier(self, name: str, shape: type[T]) -> Answer[T] | None:
        """The answer to the same request of the same decision, given before a crash; its cost is booked."""
        kept = self.outbox.find(name) if self.outbox and name else None
        if kept is None:
            return None
        try:
            value = shape.model_validate_json(kept.text)
        except ValueError:
            return None
        self.meter.book(kept.model, kept.attempts, kept.tokens_in, kept.tokens_out)
        return Answer(value, kept.model, kept.tokens_in, kept.tokens_out, kept.attempts)

    def _complete(self, model: str, messages: list[Message], form: Form, tally: _Tally) -> Reading:
        """One answer as text; steps to a plainer dialect where the endpoint rejects the request as malformed."""
        import openai

        while True:
            asked = self._dialect
            try:
                return retrying(self.options.attempts, self.options.wait_s, self.cancelled)(
                    self._once, model, messages, form, tally, asked
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if error.code == "context_length_exceeded" or asked + 1 >= len(DIALECTS):
                    raise LLMFailure("refused", str(error.message)[:300]) from None
                self._dialect = max(self._dialect, asked + 1)
            except openai.OpenAIError as error:
                raise classify(error) from None

    def _once(self, model: str, messages: list[Message], form: Form, tally: _Tally, dialect: int) -> Reading:
        """One request. Settles the budget whatever happens."""
        import openai

        extra = parameters(DIALECTS[dialect], form.name, form.schema, self.options.max_tokens)
        bound = most_tokens([*(m["content"] for m in messages), str(extra.get("response_format", ""))])
        self._pace.wait(bound // BYTES_A_TOKEN + self.options.max_tokens, self.cancelled)
        if self.cancelled.is_set():
            raise LLMFailure("cancelled", "the campaign was stopped")
        held = self.meter.reserve(model, bound, self.options.max_tokens)
        tally.attempts += 1
        used = (bound, self.options.max_tokens)  # an unknown end is charged in full
        try:
            reading = self._send(model, messages, extra)
            used = reading.charge(bound)
        except openai.OpenAIError as error:
            if (cause := _ours(error)) is not None:
                raise cause from None
            used = (0, 0) if unused(error) else used
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LLMFailure("invalid", f"the endpoint's answer cannot be read ({type(error).__name__})") from None
        finally:
            self.meter.settle(held, *used)
            tally.tokens_in += used[0]
            tally.tokens_out += used[1]
        return reading.checked()

    def _send(self, model: str, messages: list[Message], extra: dict[str, Any]) -> Reading:
        sdk: Any = self._open()
        if not self.options.stream:
            return read_reply(sdk.chat.completions.create(model=model, messages=messages, **extra))
        options = {"stream": True, "stream_options": {"include_usage": True}}
        with sdk.chat.completions.create(model=model, messages=messages, **extra, **options) as stream:
            return read_stream(stream, self.options.max_tokens, self.cancelled.is_set)

    def _open(self) -> openai.OpenAI:
        if self._sdk is None:
            import httpx2
            import openai

            from .transport import BoundedTransport, network_transport

            timeout = self.options.timeout_s
            transport = self.transport or BoundedTransport(
                network_transport(self.base_url), timeout, stopped=self.cancelled.is_set
            )
            headers = {"accept-encoding": "identity"}  # recordings keep readable text
            self._sdk = openai.OpenAI(
                base_url=self.base_url,
                api_key=api_key(),
                max_retries=0,
                timeout=timeout,
                http_client=httpx2.Client(transport=transport, headers=headers, timeout=timeout),
            )
        return self._sdk


def open_client(
    url: str,
    model: str | Mapping[str, str],
    *,
    usd: float | None = None,
    limits: Limits | None = None,
    prices: Mapping[str, Price] | None = None,
    options: Options | None = None,
    record: Path | None = None,
    replay: Path | None = None,
    earlier: Spent | None = None,
    outbox: Path | None = None,
) -> LLMClient:
    """A client for an endpoint. usd: money limit (needs a price; a model on this machine costs nothing).

    prices: model -> price; else CYTOCRUX_LLM_PRICE="in,out" (US dollars per million tokens) holds for every model.
    record / replay: folder of the recording; earlier: what the same campaign spent before it was resumed;
    outbox: folder of answers that are not asked for again.

    Raises BadInput for a bad URL, price, or a limit that cannot be kept.
    """
    options = options or Options()
    limits = limits or Limits()
    if usd is not None:
        limits = limits.model_copy(update={"usd": usd})
    names = [model] if isinstance(model, str) else list(model.values())
    known = dict(prices or {})
    default = _price_from_environment() or (Price(tokens_in=0, tokens_out=0) if _local(url) else None)
    if default is not None:
        known = {name: default for name in names} | known
    stop = threading.Event()
    transport = _transport(url, options, record, replay, stop)
    meter = Meter(limits, known, earlier)
    return LLMClient(url, model, meter, options, transport, Outbox(outbox) if outbox else None, stop)


def api_key() -> str:
    """The key from OPENAI_API_KEY; local servers take any."""
    return os.environ.get("OPENAI_API_KEY") or "none"


def _transport(
    url: str, options: Options, record: Path | None, replay: Path | None, stop: threading.Event
) -> httpx2.BaseTransport | None:
    if record is None and replay is None:
        return None
    from .record import RecordTransport, ReplayTransport
    from .transport import BoundedTransport, network_transport

    if replay is not None:
        return ReplayTransport(replay)
    inner = BoundedTransport(network_transport(url), options.timeout_s, stopped=stop.is_set)
    return inner if record is None else RecordTransport(inner, record, secrets=(api_key(),))


def _price_from_environment() -> Price | None:
    text = os.environ.get("CYTOCRUX_LLM_PRICE")
    if not text:
        return None
    try:
        tokens_in, tokens_out = (float(part) for part in text.split(","))
        return Price(tokens_in=tokens_in, tokens_out=tokens_out)
    except (ValueError, ValidationError):
        cure = "write two numbers, US dollars per million tokens in and out, as in 0.15,0.60"
        raise BadInput(f"CYTOCRUX_LLM_PRICE={text!r} is no price", cure=cure) from None


def _local(url: str) -> bool:
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _ours(error: BaseException) -> CytocruxError | None:
    """An error of this package that the SDK has wrapped (a replay without the request)."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, CytocruxError):
            return seen
        seen = seen.__cause__
    return None


def _problem(error: ValueError, reading: Reading) -> str:
    """What is wrong with an answer, in a few lines and without its content."""
    if reading.finish == "length":
        return "The answer reached the output limit before it ended. Be much shorter."
    if isinstance(error, ValidationError):
        parts = error.errors(include_url=False, include_input=False, include_context=False)[:6]
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg'][:120]}" for e in parts)
    return str(error)[:200]

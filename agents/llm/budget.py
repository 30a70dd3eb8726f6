"""Hard limits on what a language model may cost: checked before every call, settled after it.

Before a call the most that it can cost is set aside: a token is at least one byte, so the bytes of the prompt bound
its tokens from above; the output is bounded by the limit sent along. So no call can carry the sum over the limit,
as long as the endpoint keeps to that limit; one that does not is charged in full and the next call is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from ...world_model.errors import BadInput
from ...world_model.vocabulary import Frozen
from .failure import LLMFailure

if TYPE_CHECKING:
    from ...knowledge.ledger import Ledger


class Price(Frozen):
    """US dollars per million tokens."""

    tokens_in: float = Field(ge=0)
    tokens_out: float = Field(ge=0)

    def usd(self, tokens_in: int, tokens_out: int) -> float:
        return (self.tokens_in * tokens_in + self.tokens_out * tokens_out) / 1e6


class Limits(Frozen):
    """None = no limit. calls counts every HTTP request, retries included."""

    calls: int | None = Field(default=200, ge=0)
    tokens: int | None = Field(default=2_000_000, ge=0)
    usd: float | None = Field(default=None, ge=0)


@dataclass(frozen=True)
class Spent:
    """What has gone so far. reserved_*: set aside for calls in flight."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0


@dataclass(frozen=True)
class Reservation:
    """The most one call can cost."""

    model: str
    tokens_in: int
    tokens_out: int
    usd: float


class Meter:
    """Counts spending against limits; safe to share between threads."""

    def __init__(self, limits: Limits, prices: Mapping[str, Price] | None = None, spent: Spent | None = None) -> None:
        """``spent``: what an earlier part of the same campaign has used."""
        self.limits = limits
        self.prices = dict(prices or {})
        self._spent = spent or Spent()
        self._held: list[Reservation] = []
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spent:
        return self._spent

    def require_price(self, model: str) -> None:
        """Raises BadInput where a money limit is set and the model has no price: it could not be kept."""
        if self.limits.usd is not None and model not in self.prices:
            raise BadInput(
                f"No price is known for the model {model!r}",
                why="a limit in money can only be kept with a price",
                cure="give its price per million tokens (0 for a local model), or drop the money limit",
            )

    def reserve(self, model: str, tokens_in: int, tokens_out: int) -> Reservation:
        """Sets the most that a call can cost aside. Raises LLMFailure("budget") where that breaks a limit."""
        price = self.prices.get(model)
        usd = price.usd(tokens_in, tokens_out) if price else 0.0
        with self._lock:
            held_tokens = sum(r.tokens_in + r.tokens_out for r in self._held)
            held_usd = sum(r.usd for r in self._held)
            calls = self._spent.calls + len(self._held) + 1
            tokens = self._spent.tokens_in + self._spent.tokens_out + held_tokens + tokens_in + tokens_out
            money = self._spent.usd + held_usd + usd
            for name, value, limit in (
                ("calls", calls, self.limits.calls),
                ("tokens", tokens, self.limits.tokens),
                ("US dollars", money, self.limits.usd),
            ):
                if limit is not None and value > limit:
                    raise LLMFailure(
                        "budget", f"this call could bring the {name} to {value:.6g}, the limit is {limit:.6g}"
                    )
            reservation = Reservation(model, tokens_in, tokens_out, usd)
            self._held.append(reservation)
        return reservation

    def settle(self, held: Reservation, tokens_in: int, tokens_out: int) -> None:
        """Replaces a reservation by what the call really used."""
        price = self.prices.get(held.model)
        usd = price.usd(tokens_in, tokens_out) if price else 0.0
        with self._lock:
            self._held.remove(held)
            old = self._spent
            self._spent = Spent(old.calls + 1, old.tokens_in + tokens_in, old.tokens_out + tokens_out, old.usd + usd)

    def book(self, model: str, calls: int, tokens_in: int, tokens_out: int) -> None:
        """Adds what an earlier part of the campaign spent and could not write down."""
        price = self.prices.get(model)
        usd = price.usd(tokens_in, tokens_out) if price else 0.0
        with self._lock:
            old = self._spent
            self._spent = Spent(
                old.calls + calls, old.tokens_in + tokens_in, old.tokens_out + tokens_out, old.usd + usd
            )


def spent_on_decisions(ledger: Ledger, campaign: str) -> Spent:
    """What a campaign's decisions have used so far (calls and tokens), from its ledger."""
    decisions = [e.payload for e in ledger.events(kind="mind_decision", campaign=campaign)]
    return Spent(
        calls=sum(d["attempts"] for d in decisions),
        tokens_in=sum(d["tokens_in"] for d in decisions),
        tokens_out=sum(d["tokens_out"] for d in decisions),
    )


def most_tokens(texts: list[str]) -> int:
    """An upper bound on the tokens of some messages: their UTF-8 bytes and 16 each for the chat template."""
    return sum(len(t.encode()) + 16 for t in texts)

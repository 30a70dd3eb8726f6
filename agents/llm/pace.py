"""How fast an endpoint may be asked: requests and tokens of the last minute, kept below the limits by waiting."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0


class Pace:
    """A sliding window of one minute. None = no limit. Safe to share between threads."""

    def __init__(
        self,
        requests: int | None = None,
        tokens: int | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[threading.Event, float], object] = lambda cancelled, seconds: cancelled.wait(seconds),
    ) -> None:
        self._requests, self._tokens = requests, tokens
        self._clock, self._pause = clock, pause
        self._sent: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def wait(self, tokens: int, cancelled: threading.Event) -> float:
        """Returns when a request of ``tokens`` (an estimate) may go, or at once when cancelled; seconds waited.

        A request larger than the whole limit goes alone, when nothing else was sent for a minute.
        """
        waited = 0.0
        while not cancelled.is_set():
            with self._lock:
                delay = self._delay(tokens)
                if delay <= 0:
                    self._sent.append((self._clock(), tokens))
                    break
            self._pause(cancelled, delay)
            waited += delay
        return waited

    def _delay(self, tokens: int) -> float:
        """Seconds until the window has room."""
        now = self._clock()
        while self._sent and self._sent[0][0] <= now - WINDOW_S:
            self._sent.popleft()
        used = sum(n for _, n in self._sent)
        full = self._requests is not None and len(self._sent) >= self._requests
        full = full or (self._tokens is not None and bool(self._sent) and used + tokens > self._tokens)
        return self._sent[0][0] + WINDOW_S - now if full else 0.0

"""Below the HTTP client: a whole answer in bounded time and size, or an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.request import getproxies, proxy_bypass

import httpx2

MAX_BYTES = 8_000_000


class BoundedTransport(httpx2.BaseTransport):
    """Ends an answer that drips for longer than ``seconds`` in all, exceeds ``max_bytes``, or is no longer wanted."""

    def __init__(
        self,
        inner: httpx2.BaseTransport,
        seconds: float,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._inner, self._seconds, self._max_bytes, self._clock = inner, seconds, max_bytes, clock
        self._stopped = stopped

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        end = self._clock() + self._seconds
        response = self._inner.handle_request(request)
        stream = response.stream
        if not isinstance(stream, httpx2.SyncByteStream):
            raise httpx2.ReadError("the answer cannot be read as a stream")
        bounded = _Bounded(stream, request, end, self._max_bytes, self._clock, self._stopped)
        return httpx2.Response(response.status_code, headers=response.headers, stream=bounded)

    def close(self) -> None:
        self._inner.close()


class _Bounded(httpx2.SyncByteStream):
    def __init__(
        self,
        inner: httpx2.SyncByteStream,
        request: httpx2.Request,
        end: float,
        max_bytes: int,
        clock: Callable[[], float],
        stopped: Callable[[], bool],
    ) -> None:
        self._inner, self._request, self._end, self._max, self._clock = inner, request, end, max_bytes, clock
        self._stopped = stopped

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._inner:
            size += len(chunk)
            if size > self._max:
                raise httpx2.ReadError(f"the answer exceeds {self._max} bytes", request=self._request)
            if self._clock() > self._end:
                raise httpx2.ReadTimeout("the answer took too long in all", request=self._request)
            if self._stopped():
                raise httpx2.ReadError("the answer is no longer wanted", request=self._request)
            yield chunk

    def close(self) -> None:
        self._inner.close()


def network_transport(base_url: str) -> httpx2.BaseTransport:
    """The network, through the proxy that the environment names for this host, if any."""
    url = httpx2.URL(base_url)
    proxy = None if proxy_bypass(url.host) else getproxies().get(url.scheme)
    # calls are rare and long: no connection is kept open between them, so none is left behind
    return httpx2.HTTPTransport(proxy=proxy, limits=httpx2.Limits(max_keepalive_connections=0))

"""Lines to other systems: kept open, for a call costs less than a connection, and judged like every way out.

The rules are ``engine.kit.outward``'s: the name is looked up once for each new connection and every address behind it
judged, the connection goes to one of those very addresses, nothing is redirected, no proxy is asked, and an answer has
an end in bytes and in time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import httpcore
import httpx

from engine.kit import outward
from engine.kit.outward import Outward, Target

MOST_BYTES: Final = 16 * 1024 * 1024
_KEPT_SECONDS: Final = 20.0
_TRIED: Final = 3
_OF_THE_LINE: Final = frozenset({b"content-encoding", b"transfer-encoding", b"content-length"})
"""Headers about how a body came, which is over."""


class AnswerTooLarge(httpx.RemoteProtocolError):
    """More than anybody reads: the rest is left where it is."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """Where the call of this moment goes, and until when it has to be back."""

    target: Target
    ends: float

    def left(self) -> float:
        """Seconds, more than none. Raises ``httpcore.ReadTimeout`` when it is over."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


_errand: ContextVar[_Errand] = ContextVar("errand")


class GuardedTransport(httpx.HTTPTransport):
    """Shared by all threads and connections of a process; who we are is said by each request alone."""

    def __init__(self, way: Outward, *, loopback: bool, most_bytes: int = MOST_BYTES) -> None:
        self._loopback, self._most = loopback, most_bytes
        self._pool = httpcore.ConnectionPool(
            ssl_context=way.trust or outward.public_authorities(),
            max_connections=64,
            max_keepalive_connections=16,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=_Judging(way, loopback=loopback),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer. Raises httpx's transport errors, ``AddressRefused`` and ``AnswerTooLarge``."""
        target = outward.parse(str(request.url), loopback=self._loopback)
        seconds = float(request.extensions.get("timeout", {}).get("read") or outward.SECONDS)
        token = _errand.set(_Errand(target, time.monotonic() + seconds))
        try:
            answer = super().handle_request(request)
            try:
                return _whole(answer, self._read(answer))
            finally:
                answer.close()
        finally:
            _errand.reset(token)

    def _read(self, answer: httpx.Response) -> bytes:
        found = bytearray()
        for piece in answer.iter_raw():
            found += piece
            if len(found) > self._most:
                raise AnswerTooLarge("The answer is larger than it may be.")
        return bytes(found)


def _whole(answer: httpx.Response, body: bytes) -> httpx.Response:
    """The answer with its body as it was sent: nothing is unpacked, we ask for nothing packed."""
    headers = [pair for pair in answer.headers.raw if pair[0].lower() not in _OF_THE_LINE]
    return httpx.Response(answer.status_code, headers=headers, content=body)


@lru_cache(maxsize=8)
def guarded(way: Outward, *, loopback: bool) -> GuardedTransport:
    """The lines of this process."""
    return GuardedTransport(way, loopback=loopback)


class _Judging(httpcore.NetworkBackend):
    """Connects to addresses that were judged, whatever name is asked for."""

    def __init__(self, way: Outward, *, loopback: bool) -> None:
        self._way, self._loopback, self._lines = way, loopback, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 (the target's, which is judged)
        port: int,
        timeout: float | None = None,  # noqa: ARG002 (one clock for all)
        local_address: str | None = None,  # noqa: ARG002 (the protocol of httpcore)
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 (the protocol of httpcore)
    ) -> httpcore.NetworkStream:
        errand = _errand.get()
        try:
            known = self._way.addresses(errand.target, seconds=errand.left(), loopback=self._loopback)
        except outward.TooSlow as error:
            raise httpcore.ConnectTimeout from error
        except outward.Unreachable as error:
            raise httpcore.ConnectError from error
        tried = known[:_TRIED]
        for more, address in zip(reversed(range(len(tried))), tried, strict=True):
            try:
                return _Line(self._lines.connect_tcp(str(address), port, errand.left() / (more + 1)))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        raise httpcore.ConnectError


class _Line(httpcore.NetworkStream):
    """A connection whose every step ends when the time of the call that uses it is over, however little comes."""

    def __init__(self, line: httpcore.NetworkStream) -> None:
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 (one clock for all)
        return self._line.read(max_bytes, _errand.get().left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 (one clock for all)
        self._line.write(buffer, _errand.get().left())

    def close(self) -> None:
        self._line.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Line:  # noqa: ARG002 (one clock for all)
        try:
            return _Line(self._line.start_tls(ssl_context, server_hostname, _errand.get().left()))
        except (OSError, ValueError) as error:
            raise httpcore.ConnectError from error

    def get_extra_info(self, info: str) -> Any:
        return self._line.get_extra_info(info)

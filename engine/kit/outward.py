"""The one way out to an address that a merchant, a platform or a caller named.

Nothing of theirs is believed: https only, the name is looked up once and every address behind it judged, the
connection goes to one of those very addresses (a second look-up could say something else), certificates are checked
against the name, nothing is redirected, no proxy of the environment is asked, and an answer has an end in bytes and
in time. ``loopback`` opens this machine's own addresses, and plain http to them: for demo shops.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import httpcore

from engine.kit.errors import DomainError, Kind

USER_AGENT: Final = "iCommerce/1"
SECONDS: Final = 10.0
MOST_BYTES: Final = 65_536
PORTS: Final = frozenset({443, 8443})
_URL_LIMIT: Final = 2_000
_TRIED: Final = 3
_FIRST_OWN_PORT: Final = 1024
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")
_PATH: Final = frozenset(chr(code) for code in range(0x21, 0x7F)) - set('\\"<>^`{|}')
_PORT: Final = {"https": 443, "http": 80}
_CLOSED: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind carriers
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata at a public address
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays to IPv6
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_OPEN_6: Final = IPv6Network("2000::/3")
"""All of IPv6 that is public; what carries an IPv4 address inside lies elsewhere or is named below."""
_CLOSED_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # tunnels (Teredo) and other protocols' own
        "2001:db8::/32",  # examples
        "2002::/16",  # IPv4 inside (6to4)
        "3fff::/20",  # examples
    )
)
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""Name and port → the addresses behind the name. Raises ``OSError``."""


class OutwardError(DomainError):
    """A call that came to nothing. The message never names more than the host, and nothing of what it answered."""

    code = "outward_failed"
    kind = Kind.UNAVAILABLE
    retryable: ClassVar[bool] = True


class AddressRefused(OutwardError):
    """An address that is not called: its form, its port, or where it leads."""

    code = "address_refused"
    kind = Kind.INVALID
    retryable = False


class Unreachable(OutwardError):
    """No such name, nobody there, a certificate that does not fit, or an answer that is not HTTP."""

    code = "unreachable"


class TooSlow(OutwardError):
    code = "too_slow"


class AnswerTooLarge(OutwardError):
    code = "answer_too_large"


@dataclass(frozen=True, slots=True)
class Target:
    """An address in parts, well formed; where its name leads is judged when it is called."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORT[self.scheme] else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are in lower case; the body is as it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def parse(url: str, *, loopback: bool = False) -> Target:
    """The parts of an address that may be called. Raises ``AddressRefused`` for any other, without looking it up."""
    if len(url) > _URL_LIMIT or not set(url) <= _PATH:
        raise AddressRefused("An address is plain ASCII, without blanks, and at most 2,000 characters long.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise AddressRefused("This is not an address.") from None
    if parts.scheme not in ({"https", "http"} if loopback else {"https"}):
        raise AddressRefused("An address begins with https://.")
    if parts.username is not None or parts.password is not None or parts.fragment or "#" in url:
        raise AddressRefused("An address names no user, no password and no fragment.")
    port = _PORT[parts.scheme] if port is None else port
    if not _is_host(host):
        raise AddressRefused("The host of an address is a full name, or an IP address in its usual spelling.")
    if port not in PORTS and not (loopback and port >= _FIRST_OWN_PORT):
        raise AddressRefused("The port of an address is 443 or 8443.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def judge(addresses: Iterable[str], *, loopback: bool, scheme: str) -> list[Address]:
    """The addresses behind a name, all of them fit to be called. Raises ``AddressRefused`` when one is not: a name that
    also leads inside is not trusted to lead outside.
    """
    found = [ip_address(address) for address in dict.fromkeys(addresses)]
    own = [address for address in found if _is_own(address)]
    if loopback and own and len(own) == len(found):
        return found
    if not found or scheme != "https" or not all(is_public(address) for address in found):
        raise AddressRefused("This address does not lead to the public internet.")
    return found


def is_public(address: Address) -> bool:
    """Whether it is an address of the open internet and carries no other one inside."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED)
    return address in _OPEN_6 and not any(address in network for network in _CLOSED_6) and not address.scope_id


def look_up(host: str, port: int) -> list[str]:
    """The addresses the system's resolver knows, without a zone."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True)
class Outward:
    """Calls other people's addresses. Cheap to share between threads; each call has a connection of its own."""

    resolve: Resolve = look_up
    trust: ssl.SSLContext | None = None
    """Whose certificates are believed; by default the public authorities'."""

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
        most_bytes: int = MOST_BYTES,
        loopback: bool = False,
    ) -> Answer:
        """The answer, whatever its status; a redirect is an answer too and is not followed. With ``most_bytes=0`` its
        body is left where it is.

        ``seconds`` are for everything from the look-up to the last byte. Raises ``AddressRefused``, ``Unreachable``,
        ``TooSlow`` and ``AnswerTooLarge``; a call that ended in one of the last two may have been heard.
        """
        target = parse(url, loopback=loopback)
        clock = _Clock(seconds)
        known = self._judged(target, clock, loopback=loopback)
        sent = _headers(target, headers or {})
        pool = httpcore.ConnectionPool(
            ssl_context=self.trust or public_authorities(),
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=_Pinned(known, clock),
        )
        try:
            with pool, pool.stream(method, _url(target), headers=sent, content=body) as answer:
                return Answer(answer.status, _read_headers(answer.headers), _read(answer, most_bytes))
        except httpcore.TimeoutException as error:
            raise TooSlow(f"{target.host} took too long.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            raise Unreachable(f"{target.host} cannot be reached.") from error

    def addresses(self, target: Target, *, seconds: float, loopback: bool = False) -> list[Address]:
        """The addresses behind a target's name, for who keeps a connection to one of them open. Raises as ``call``."""
        return self._judged(target, _Clock(seconds), loopback=loopback)

    def _judged(self, target: Target, clock: _Clock, *, loopback: bool) -> list[Address]:
        return judge(self._resolved(target, clock), loopback=loopback, scheme=target.scheme)

    def _resolved(self, target: Target, clock: _Clock) -> Sequence[str]:
        """What the resolver says, in time: it has none of its own."""
        if _literal(target.host):
            return [target.host]
        found: list[Sequence[str]] = []

        def ask() -> None:
            try:
                found.append(self.resolve(target.host, target.port))
            except (OSError, UnicodeError):
                found.append(())

        asking = threading.Thread(target=ask, name="look-up", daemon=True)
        asking.start()
        asking.join(clock.left())
        if not found:
            raise TooSlow(f"The name {target.host} took too long to look up.")
        if not found[0]:
            raise Unreachable(f"There is no {target.host}.")
        return found[0]


class _Clock:
    """The time one whole call has."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than none. Raises ``httpcore.ReadTimeout`` when it is over."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


class _Pinned(httpcore.NetworkBackend):
    """Connects to addresses that were judged, whatever name is asked for."""

    def __init__(self, addresses: Sequence[Address], clock: _Clock) -> None:
        self._addresses, self._clock = addresses, clock

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 (the name was looked up before, once)
        port: int,
        timeout: float | None = None,  # noqa: ARG002 (one clock for all)
        local_address: str | None = None,  # noqa: ARG002 (the protocol of httpcore)
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 (the protocol of httpcore)
    ) -> httpcore.NetworkStream:
        tried = self._addresses[:_TRIED]
        for more, address in zip(reversed(range(len(tried))), tried, strict=True):
            try:
                line = socket.create_connection((str(address), port), self._clock.left() / (more + 1))
            except OSError:
                continue
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Timed(line, self._clock)
        self._clock.left()
        raise httpcore.ConnectError


class _Timed(httpcore.NetworkStream):
    """A connection whose every step ends when the call's time is over, however little comes at a time."""

    def __init__(self, line: socket.socket, clock: _Clock) -> None:
        self._line, self._clock = line, clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 (one clock for all)
        self._line.settimeout(self._clock.left())
        try:
            return self._line.recv(max_bytes)
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        except OSError:
            raise httpcore.ReadError from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 (one clock for all)
        left = memoryview(buffer)
        try:
            while left:
                self._line.settimeout(self._clock.left())
                left = left[self._line.send(left) :]
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except OSError:
            raise httpcore.WriteError from None

    def close(self) -> None:
        self._line.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 (one clock for all)
    ) -> httpcore.NetworkStream:
        try:
            self._line.settimeout(self._clock.left())
            return _Timed(ssl_context.wrap_socket(self._line, server_hostname=server_hostname), self._clock)
        except TimeoutError:
            self.close()
            raise httpcore.ConnectTimeout from None
        except (OSError, ValueError):
            self.close()
            raise httpcore.ConnectError from None

    def get_extra_info(self, info: str) -> Any:
        return self._line if info == "socket" else None


def _url(target: Target) -> httpcore.URL:
    return httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )


def _headers(target: Target, more: Mapping[str, str]) -> list[tuple[str, str]]:
    own = {"Host": target.authority, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}
    return list((own | dict(more)).items())


def _read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _read(answer: httpcore.Response, most_bytes: int) -> bytes:
    body = bytearray()
    if not most_bytes:
        return b""
    for piece in answer.iter_stream():
        body += piece
        if len(body) > most_bytes:
            raise AnswerTooLarge("The answer is larger than it may be.")
    return bytes(body)


def _is_host(host: str) -> bool:
    """A name of at least two labels (or ``localhost``), or an IP address as it is usually written."""
    if literal := _literal(host):
        return str(literal) == host
    labels = host.split(".")
    if not set(host) <= _NAME or len(host) > 253 or not all(0 < len(label) <= 63 for label in labels):
        return False
    if any(label.startswith("-") or label.endswith("-") for label in labels):
        return False
    return host == "localhost" or (len(labels) > 1 and labels[-1][0].isalpha())


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_own(address: Address) -> bool:
    """Whether it is this machine, under its own name: not as another kind of address in disguise."""
    return address in IPv4Network("127.0.0.0/8") if isinstance(address, IPv4Address) else address == IPv6Address("::1")


@cache
def public_authorities() -> ssl.SSLContext:
    """Made once: loading the authorities costs some tens of milliseconds."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context

"""How one system is spoken to: how it knows us, how it says no, and what it tells of its limits.

The plain dialect is HTTP's own. A connector has one of its own where its system differs; ``DIALECTS`` says where.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

from engine.kit import clock
from engine.sync.errors import (
    AuthExpired,
    Conflict,
    FieldFault,
    RateLimited,
    Rejected,
    SyncError,
    Transient,
    UnknownOutcome,
)
from engine.sync.limits import Feedback
from engine.sync.models import Connection, System
from engine.sync.secrets import Credentials
from engine.sync.wire import Outgoing, Reply

if TYPE_CHECKING:
    from engine.sync.client import VendorClient

_ASK_LATER: Final = frozenset({425, 429})
_STALE: Final = frozenset({409, 412})
_DEFAULT_WAIT: Final = 2.0
_LONGEST_WAIT: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that reads and changes nothing, to see whether a connection works."""

    method: str
    path: str
    json: Any = None
    cost: int = 1


class Dialect:
    """One system's ways. Cheap; it keeps nothing between requests but what it may derive of secrets, in memory."""

    key_header: ClassVar[str | None] = None
    """The header in which the system takes an idempotency key."""
    probe: ClassVar[Probe | None] = None
    """What a test of the connection asks; without one it cannot be tested."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def authorize(self, client: VendorClient, credentials: Credentials, request: Outgoing) -> Mapping[str, str]:  # noqa: ARG002 (what systems differ in)
        """Headers that say who we are. It may ask the system first (``client.request(…, anonymous=True)``)."""
        return {}

    def denied(self, credentials: Credentials) -> bool:  # noqa: ARG002 (what systems differ in)
        """A 401 came for these: forget what was derived of them. ``True``: it is worth another try with the same."""
        return False

    def address(self, request: Outgoing, credentials: Credentials) -> str:  # noqa: ARG002 (what systems differ in)
        """The path that is called, where the one that is written down is not it: for a path that is a secret."""
        return request.path

    def feedback(self, reply: Reply) -> Feedback:
        """What an answer tells of limits."""
        return Feedback(retry_after=retry_after(reply) if reply.status in {*_ASK_LATER, 503} else None)

    def refused(self, request: Outgoing, reply: Reply) -> SyncError | None:
        """What an answer means; ``None`` where it went well. Override it for what HTTP does not say, and ask this
        afterwards.
        """
        status = reply.status
        error: SyncError | None = None
        if status == 401:
            error = AuthExpired("The system does not take our secrets.", answer=status)
        elif status in _ASK_LATER:
            wait = retry_after(reply)
            later = _DEFAULT_WAIT if wait is None else wait
            error = RateLimited("Too much was asked.", retry_after=later, answer=status)
        elif status in _STALE:
            error = Conflict("It has changed meanwhile.", answer=status)
        elif status == 503:
            error = Transient("The system is not there just now.", answer=status)
        elif status == 408 or status >= 500:
            error = unsure(request, "The system had trouble.", answer=status)
        elif not reply.ok:
            error = Rejected(self.said(reply) or "The system refused.", fields=self.faults(reply), answer=status)
        return error

    def said(self, reply: Reply) -> str:
        """The system's own words about what it refused; they are masked before anybody sees them."""
        for name in ("message", "error_message", "error_description", "title", "detail", "error"):
            if isinstance(reply.data, dict) and isinstance(reply.data.get(name), str) and reply.data[name]:
                return str(reply.data[name])
        return ""

    def faults(self, reply: Reply) -> tuple[FieldFault, ...]:  # noqa: ARG002 (what systems differ in)
        """The fields that it refused."""
        return ()


def unsure(request: Outgoing, words: str, *, answer: int | None = None) -> SyncError:
    """Nobody knows whether it was done: harmless where it may be sent again."""
    kind = Transient if request.repeatable else UnknownOutcome
    return kind(words, answer=answer)


def retry_after(reply: Reply) -> float | None:
    """Seconds that an answer asks us to wait, a day at most: a number, or a moment (RFC 9110, 10.2.3)."""
    said = reply.headers.get("retry-after", "").strip()
    if not said or len(said) > 40:
        return None
    try:
        return min(max(0.0, float(said) if said[0].isdigit() else _until(said)), _LONGEST_WAIT)
    except (ValueError, TypeError):
        return None


def _until(said: str) -> float:
    moment = parsedate_to_datetime(said)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - clock.now()).total_seconds()


def basic(user: str, password: str) -> dict[str, str]:
    """HTTP Basic (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class TokenDialect(Dialect):
    """A token in a header of the system's own."""

    header: ClassVar[str]
    field: ClassVar[str] = "access_token"

    def authorize(self, client: VendorClient, credentials: Credentials, request: Outgoing) -> Mapping[str, str]:  # noqa: ARG002 (says the same in every request)
        return {self.header: credentials[self.field]}


class BasicDialect(Dialect):
    """A user among the settings, or the first secret, and a password."""

    user: ClassVar[str]
    password: ClassVar[str]

    def authorize(self, client: VendorClient, credentials: Credentials, request: Outgoing) -> Mapping[str, str]:  # noqa: ARG002 (says the same in every request)
        known: Mapping[str, Any] = {**self.connection.settings, **credentials}
        return basic(str(known.get(self.user, "")), credentials[self.password])


class SlackDialect(Dialect):
    """An incoming webhook: its path is its only secret, and nothing can be asked of it without being said."""

    def address(self, request: Outgoing, credentials: Credentials) -> str:  # noqa: ARG002 (one address for everything)
        return "/" + credentials["webhook_path"].lstrip("/")

    def refused(self, request: Outgoing, reply: Reply) -> SyncError | None:
        """An address that is not known, or whose secret is another by now, is what 401 is elsewhere."""
        if reply.status in {403, 404, 410}:
            return AuthExpired("The channel does not take messages at this address.", answer=reply.status)
        return super().refused(request, reply)


DIALECTS: Final[dict[System, str]] = {
    System.SHOPIFY: "engine.sync.connectors.shopify.dialect:ShopifyDialect",
    System.NETSUITE: "engine.sync.connectors.netsuite.dialect:NetSuiteDialect",
    System.SLACK: "engine.sync.dialects:SlackDialect",
    System.DCL: "engine.sync.connectors.dcl.dialect:DclDialect",
    System.WOOCOMMERCE: "engine.sync.connectors.woocommerce.dialect:WooCommerceDialect",
}
"""System → ``module:class``, imported when it is first spoken to. A connector has one line here; without one a system
is spoken to in plain HTTP and knows nobody.
"""


def dialect_of(connection: Connection) -> Dialect:
    """The dialect of a connection's system."""
    place = DIALECTS.get(System(connection.system))
    if place is None:
        return Dialect(connection)
    module, _, name = place.partition(":")
    kind: type[Dialect] = getattr(import_module(module), name)
    return kind(connection)

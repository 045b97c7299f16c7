"""How NetSuite is spoken to: who we are, how it says no, and what counts against its limit.

Settings of a connection: ``account`` (``1234567`` or ``1234567_SB1``), ``client_id`` and ``certificate_id``. Its base
address ends in ``/services/rest``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlencode

from engine.kit import clock
from engine.sync.connectors.netsuite import signing, tokens
from engine.sync.connectors.netsuite.records import job_known
from engine.sync.dialects import Dialect, Probe, retry_after
from engine.sync.errors import AuthExpired, Conflict, FieldFault, RateLimited, SyncError
from engine.sync.models import Connection
from engine.sync.secrets import Credentials
from engine.sync.wire import Outgoing, Reply

if TYPE_CHECKING:
    from engine.sync.client import VendorClient

TBA: Final = ("consumer_key", "consumer_secret", "token_id", "token_secret")
_CROWDED: Final = frozenset({"CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED"})
_CHANGED: Final = frozenset({"RCRD_HAS_BEEN_CHANGED"})
_WAIT: Final = 1.0
"""Seconds after which there may be room: requests at once end soon, and none says when."""
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class NetSuiteDialect(Dialect):
    """SuiteTalk REST."""

    key_header: ClassVar[str | None] = "X-NetSuite-idempotency-key"
    probe: ClassVar[Probe | None] = Probe("GET", "/system/v1/governanceLimits")

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._used = ""

    def authorize(self, client: VendorClient, credentials: Credentials, request: Outgoing) -> Mapping[str, str]:
        """Machine to machine where there is a private key, else a signed request. Raises ``AuthExpired``."""
        if "private_key" in credentials:
            self._used = ""
            self._used = tokens.BEARERS.get(self._key(credentials), lambda: self._ask(client, credentials))
            return {"Authorization": f"Bearer {self._used}"}
        if all(name in credentials for name in TBA):
            return {"Authorization": self._signed(credentials, request)}
        raise AuthExpired("This connection has neither a private key nor the four values of a token.")

    def denied(self, credentials: Credentials) -> bool:
        """A bearer may have been taken back before its time: another is asked for, once. A signature is what it is."""
        if "private_key" not in credentials or not self._used:
            return False
        used, self._used = self._used, ""
        tokens.BEARERS.forget(self._key(credentials), used)
        return True

    def refused(self, request: Outgoing, reply: Reply) -> SyncError | None:
        if request.path == tokens.PATH and reply.status in {400, 401, 403}:
            return AuthExpired("The system gives no token for this certificate.", answer=reply.status)
        codes = {str(one.get("o:errorCode", "")) for one in details(reply)}
        if not reply.ok and codes & _CROWDED:
            wait = retry_after(reply)
            return RateLimited(
                "Too many requests at once.", retry_after=_WAIT if wait is None else wait, answer=reply.status
            )
        if known := job_known(request, reply, codes):
            return known
        if not reply.ok and codes & _CHANGED:
            return Conflict("The record has changed meanwhile.", answer=reply.status)
        return super().refused(request, reply)

    def said(self, reply: Reply) -> str:
        words = [str(one["detail"]) for one in details(reply) if one.get("detail")]
        return " ".join(words) or super().said(reply)

    def faults(self, reply: Reply) -> tuple[FieldFault, ...]:
        named = (one for one in details(reply) if one.get("o:errorPath"))
        return tuple(FieldFault(str(one["o:errorPath"]), str(one.get("detail", ""))) for one in named)

    def _ask(self, client: VendorClient, credentials: Credentials) -> tokens.Bearer:
        settings, at = self.connection.settings, clock.now()
        form = {
            "grant_type": tokens.GRANT,
            "client_assertion_type": tokens.ASSERTION,
            "client_assertion": tokens.assertion(
                client_id=str(settings.get("client_id", "")),
                certificate_id=str(settings.get("certificate_id", "")),
                private_key=credentials["private_key"],
                audience=f"{self.connection.base_url}{tokens.PATH}",
                at=at,
            ),
        }
        content = urlencode(form).encode()
        reply = client.request(
            "POST", tokens.PATH, content=content, headers=_FORM, anonymous=True, reads=True, repeatable=True
        )
        return tokens.read_bearer(reply.data, at=at)

    def _key(self, credentials: Credentials) -> bytes:
        """The same for the same credentials of the same connection, and for nothing else."""
        row, settings = self.connection, self.connection.settings
        parts = (row.tenant_id, row.id, row.base_url, settings.get("client_id"), settings.get("certificate_id"))
        said = "\0".join((*map(str, parts), credentials["private_key"]))
        return hashlib.sha256(said.encode()).digest()

    def _signed(self, credentials: Credentials, request: Outgoing) -> str:
        return signing.header(
            account=str(self.connection.settings.get("account", "")),
            keys=credentials,
            method=request.method,
            url=f"{self.connection.base_url}/{request.path.lstrip('/')}",
            params={name: str(value) for name, value in request.params.items()},
            at=clock.now(),
        )


def details(reply: Reply) -> Iterator[Mapping[str, Any]]:
    """The errors of an answer (``o:errorDetails``)."""
    told = reply.data.get("o:errorDetails") if isinstance(reply.data, dict) else None
    for one in told if isinstance(told, list) else ():
        if isinstance(one, dict):
            yield one

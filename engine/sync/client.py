"""The one way to talk to a connected system.

A request asks for leave (the connection's state, its limit, its breaker) in a short transaction, leaves outside of any,
and what came of it is noted in another. The caller's own transaction is not part of it: there had better be none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

import httpx
import orjson
import structlog
from sqlalchemy.orm import Session

from engine.kit import clock, tracing
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.runtime import Runtime
from engine.sync import breaker, connections, journal, limits, observed
from engine.sync.connections import Standing
from engine.sync.dialects import Dialect, dialect_of
from engine.sync.errors import AuthExpired, ConnectionPaused, RateLimited, Rejected, SyncError
from engine.sync.exchange import exchange, meaning
from engine.sync.limits import Taken, Wait
from engine.sync.masking import Mask
from engine.sync.models import BreakerState, CallMode, Connection, ConnectionStatus
from engine.sync.recording import Recorder
from engine.sync.secrets import Credentials, Secrets, secrets_of
from engine.sync.transport import guarded
from engine.sync.wire import READS, Outgoing, Reply

log = structlog.get_logger(__name__)
SECONDS: Final = 30.0
"""What a system has for its whole answer."""
PATIENCE: Final = 5.0
"""Seconds that a client waits for room by itself."""
_MARGIN: Final = timedelta(seconds=30)
"""What a lease outlasts the call by."""
_KNOWN_FOR: Final = timedelta(seconds=10)
"""How long a client goes by the secrets that it has read."""
_PAUSED_WAIT: Final = 60.0
_NOT_THERE: Final = 404
_SAID: Final = 65_536
"""What is looked at of content that is no document."""
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class _Leave:
    """What a request needs to leave."""

    connection: Connection
    permit: Taken
    call: int
    probes: bool
    loopback: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """What a client goes by."""

    dialect: Dialect
    secrets: Secrets
    mask: Mask
    at: datetime


class _Run(TypedDict):
    """Whose call it is, for the journal."""

    workflow_id: str
    trace_id: str


class VendorClient:
    """Talks to one connection for one run. Cheap to make; the lines are the process's.

    ``patience`` is how many seconds it waits for room by itself before it says ``RateLimited``. ``transport`` stands
    in for the network (a sandbox, a cassette); ``shadow`` takes what would be sent. ``seconds`` is what the system has
    for an answer where a request says nothing else. ``resting`` lets it talk to a
    connection that is paused or refused: to test it.
    """

    def __init__(
        self,
        runtime: Runtime,
        tenant_id: str,
        connection: Connection | str,
        *,
        dialect: Dialect | None = None,
        transport: httpx.BaseTransport | None = None,
        shadow: Recorder | None = None,
        workflow_id: str = "",
        trace_id: str = "",
        patience: float = PATIENCE,
        sleep: Sleep = time.sleep,
        resting: bool = False,
        seconds: float = SECONDS,
    ) -> None:
        self.tenant_id = tenant_id
        self.connection_id = connection if isinstance(connection, str) else connection.id
        self._runtime, self._dialect, self._transport, self._shadow = runtime, dialect, transport, shadow
        self._run: _Run = {"workflow_id": workflow_id, "trace_id": trace_id or tracing.current()}
        self._patience, self._sleep, self._resting = patience, sleep, resting
        self._seconds = seconds
        self._known: _Known | None = None

    def __repr__(self) -> str:
        return f"VendorClient({self.connection_id})"

    @property
    def in_shadow(self) -> bool:
        """Whether nothing that writes leaves: what it is answered with was made up."""
        return self._shadow is not None

    def rest(self, seconds: float) -> None:
        """Wait as this client waits for room."""
        self._sleep(seconds)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        cost: int = 1,
        idempotency_key: str | None = None,
        reads: bool | None = None,
        repeatable: bool | None = None,
        anonymous: bool = False,
        seconds: float | None = None,
        in_full: bool = False,
    ) -> Reply:
        """The system's good answer; anything else is raised as what it means (``engine.sync.errors``).

        ``reads``: it changes nothing there (by itself only of GET and HEAD; a GraphQL or SuiteQL query says so).
        ``repeatable``: it is done once however often it is sent (by itself of what reads or has a key). ``anonymous``
        goes without credentials, to ask for some. ``in_full``: its answer says nothing of people, and the journal
        keeps all of it.
        """
        reads = method in READS if reads is None else reads
        request = Outgoing(
            method=method,
            path=path,
            params=params or {},
            said=json if content is None else content[:_SAID].decode("utf-8", "replace"),
            body=(orjson.dumps(json) if json is not None else b"") if content is None else content,
            headers=headers or {},
            reads=reads,
            repeatable=(reads or idempotency_key is not None) if repeatable is None else repeatable,
            cost=cost,
            idempotency_key=idempotency_key or "",
            in_full=in_full,
        )
        if self._shadow is not None and not anonymous and (reply := self._recorded(self._shadow, request)):
            return reply
        try:
            with self._time():
                return self._send(request, anonymous=anonymous, seconds=seconds or self._seconds)
        except SyncError as error:
            error.connection_id = self.connection_id
            raise

    def _time(self) -> AbstractContextManager[None]:
        """A shadow has a clock of its own; the system that it asks, and its limits, have everybody's."""
        return clock.shared() if self.in_shadow and self._transport is None else nullcontext()

    def _send(self, request: Outgoing, *, anonymous: bool, seconds: float) -> Reply:
        """With the secrets that are known and, when they have been replaced since, with the new ones."""
        while True:
            known = self._read()
            try:
                return self._in_turn(request, known, anonymous=anonymous, seconds=seconds)
            except AuthExpired:
                if anonymous or self._expired(known.secrets):
                    raise
                self._known = None

    @property
    def _system(self) -> str:
        """Whom it talks to, once that is known."""
        return str(self._known.dialect.connection.system) if self._known else ""

    def _in_turn(self, request: Outgoing, known: _Known, *, anonymous: bool, seconds: float) -> Reply:
        """Each set of credentials until one is taken: a 401 has done nothing."""
        if anonymous:
            return self._once(request, known, Credentials({}), seconds)
        turns = known.secrets.sets()
        for credentials in turns[:-1]:
            try:
                return self._twice(request, known, credentials, seconds)
            except AuthExpired:
                continue
        return self._twice(request, known, turns[-1], seconds)

    def _twice(self, request: Outgoing, known: _Known, credentials: Credentials, seconds: float) -> Reply:
        """Again where what was derived of the credentials may have been the fault."""
        try:
            return self._once(request, known, credentials, seconds)
        except AuthExpired:
            if not known.dialect.denied(credentials):
                raise
        return self._once(request, known, credentials, seconds)

    def _once(self, request: Outgoing, known: _Known, credentials: Credentials, seconds: float) -> Reply:
        headers = known.dialect.authorize(self, credentials, request) if credentials else {}
        leave = self._leave(request, known.mask, seconds)
        line = self._transport or guarded(self._runtime.outward, loopback=leave.loopback)
        fault_point("sync_before_call")
        started, reply, error = time.monotonic(), None, None
        system = str(leave.connection.system)
        try:
            with tracing.span(f"{request.method} {system}", self._run["trace_id"], system=system) as traceparent:
                sent = {**headers, "traceparent": traceparent} if traceparent else headers
                reply = exchange(line, leave.connection, known.dialect, request, credentials, sent, seconds=seconds)
            error = meaning(known.dialect, request, reply, known.mask)
        except SyncError as failed:
            error = failed
        fault_point("sync_after_call")
        took = time.monotonic() - started
        observed.called(system, error.code if error else "ok", took)
        self._note(leave, known, request, reply, error, timedelta(seconds=took))
        if error is not None:
            raise error
        assert reply is not None
        return reply

    def _read(self) -> _Known:
        now = clock.now()
        if self._known is None or now - self._known.at > _KNOWN_FOR:
            with self._runtime.unit_of_work(self.tenant_id) as session:
                connection = self._look(session).connection
                secrets = secrets_of(session, self._runtime, connection)
            dialect = self._dialect or (self._known.dialect if self._known else dialect_of(connection))
            dialect.connection = connection
            self._known = _Known(dialect, secrets, Mask(secrets.values_in_use()), now)
        return self._known

    def _look(self, session: Session) -> Standing:
        """How the connection stands, where it may be called now. Raises ``AuthExpired``, ``ConnectionPaused``."""
        seen = connections.standing(session, self.tenant_id, self.connection_id)
        status = seen.connection.status
        resting = self._resting and status != ConnectionStatus.CLOSED
        if status == ConnectionStatus.AUTH_EXPIRED and not resting:
            raise AuthExpired("This connection waits for new secrets.")
        if status != ConnectionStatus.ACTIVE and not resting:
            raise ConnectionPaused(f"This connection is {status}.", retry_after=_PAUSED_WAIT)
        if seen.held:
            raise ConnectionPaused("This shop is held after a restore.", retry_after=_PAUSED_WAIT)
        return seen

    def _leave(self, request: Outgoing, mask: Mask, seconds: float) -> _Leave:
        """Leave to call, waited for as long as patience lasts. Raises ``NotNow`` and its kinds."""
        waited = 0.0
        while isinstance(found := self._ask(request, mask, seconds), Wait):
            observed.waited(self._system, found.seconds)
            if waited + found.seconds > self._patience:
                raise RateLimited("There is no room for this request now.", retry_after=found.seconds)
            self._sleep(found.seconds)
            waited += found.seconds
        return found

    def _ask(self, request: Outgoing, mask: Mask, seconds: float) -> _Leave | Wait:
        """What does not get through leaves nothing behind: the transaction is taken back."""
        lease, permit_id = timedelta(seconds=seconds) + _MARGIN, new_id("permit")
        ids = {"tenant_id": self.tenant_id, "connection_id": self.connection_id}
        with self._runtime.unit_of_work(self.tenant_id, keyed=True) as session:
            seen = self._look(session)
            permit = limits.take(session, **ids, permit_id=permit_id, cost=request.cost, lease=lease)
            if isinstance(permit, Wait):
                return permit
            probes = seen.breaker != BreakerState.CLOSED and breaker.allow(
                session, **ids, permit_id=permit_id, lease=lease
            )
            call = journal.begin(session, seen.connection, request, mask, **self._run)
            loopback = self._runtime.demo and seen.demo
            return _Leave(seen.connection, permit, call, probes, loopback)

    def _note(
        self,
        leave: _Leave,
        known: _Known,
        request: Outgoing,
        reply: Reply | None,
        error: SyncError | None,
        took: timedelta,
    ) -> None:
        """What came of it: the permit is posted, the journal has its answer, the breaker hears of it."""
        ids = {"tenant_id": self.tenant_id, "connection_id": self.connection_id}
        with self._runtime.unit_of_work(self.tenant_id, keyed=True) as session:
            limits.end(session, leave.permit, known.dialect.feedback(reply) if reply else None)
            journal.finish(
                session, self.tenant_id, leave.call, reply, error, known.mask, took=took, in_full=request.in_full
            )
            opened = breaker.note(session, **ids, permit_id=leave.permit.id, probes=leave.probes, error=error)
        if error is not None:
            facts = {"answer": error.answer, "why": error.code, "opened": opened}
            log.info(_words(request, error), **ids, **facts, workflow_id=self._run["workflow_id"])

    def _recorded(self, shadow: Recorder, request: Outgoing) -> Reply | None:
        """What the shadow answers; it means what it would of the system. Whatever it is, nothing that writes leaves."""
        reply = shadow.answer(request)
        if reply is None and not request.reads:
            reply = Reply.of({})
        if reply is None:
            return None
        with self._runtime.unit_of_work(self.tenant_id) as session:
            connection = connections.get(session, self.tenant_id, self.connection_id)
            mask = Mask(secrets_of(session, self._runtime, connection).values_in_use())
            error = meaning(self._dialect or dialect_of(connection), request, reply, mask)
            call = journal.begin(session, connection, request, mask, mode=CallMode.SHADOW, **self._run)
            journal.finish(session, self.tenant_id, call, reply, error, mask, took=timedelta())
        if error is not None:
            error.connection_id = self.connection_id
            raise error
        return reply

    def _expired(self, tried: Secrets) -> bool:
        """Whether the connection rests now; not where it has been given other secrets since."""
        with self._runtime.unit_of_work(self.tenant_id) as session:
            return connections.expire_auth(session, self._runtime, self.tenant_id, self.connection_id, tried=tried)


def _words(request: Outgoing, error: SyncError) -> str:
    """What the log calls it: that something is not there is an answer to who looks for it."""
    looked = request.reads and isinstance(error, Rejected) and error.answer == _NOT_THERE
    return "nothing there" if looked else "call failed"

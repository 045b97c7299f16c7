"""A request's work is done once, whatever dies, and its answer is given again.

In two trips where nothing is unusual (``at_once``), in one transaction (``once``), or over several with a point at
which the next request with the key takes it up (``staged``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import orjson
from psycopg.errors import UniqueViolation
from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.protocols.acp import versions
from app.protocols.acp.errors import Fault, fault_of
from app.protocols.acp.kernel import Asked, Body, Reply, dumps, plain
from engine.agentic.quick import Unusual
from engine.kit import idempotency
from engine.kit.direct import Ask, Refused
from engine.kit.errors import DomainError, Unavailable
from engine.kit.idempotency import IdempotencyConflict, Stored

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Point:
    """Where work that spans transactions can be taken up again; JSON that names rows, never a secret."""

    facts: Body


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An answer for now: nobody knows yet how it ends. It is not kept; the next request goes on from the point."""

    body: Body


@dataclass(frozen=True, slots=True)
class Known:
    """An answer that is kept already: it was written with the work (``with_work``)."""

    body: Body


GoOn = Callable[[Body], Known | Callable[[Session], Body | Unfinished]]
"""From a point to what is to be answered, which is kept or is drawn in the transaction that keeps it."""


def at_once(asked: Asked, draw: Callable[[], tuple[Body, Sequence[Ask]]], *, status: int = 200) -> Reply | None:
    """Read in one trip, write in another, and keep the answer with that. ``None`` where anything is unusual: nothing
    has happened then, and ``once`` does it and tells why.
    """
    try:
        body, asks = draw()
        answer = _stored(status, body)
        kept = idempotency.kept_with(asked.tenant_id, asked.claim, answer)  # first, as everywhere: others wait for it
        asked.runtime.store.ask(asked.tenant_id, kept, *asks)
    except _UNUSUAL:
        return None
    return _reply(asked, answer)


_UNUSUAL: Final = (Unusual, Refused, UniqueViolation, DomainError, ValidationError)


def once(
    asked: Asked,
    work: Callable[[Session], Body | Point],
    *,
    status: int = 200,
    go_on: GoOn | None = None,
) -> Reply:
    """Do ``work`` and keep its answer in the same transaction. A repeat gets the kept answer; a refusal that would be
    one again is kept too, and nothing of its work. Work that somebody else has to be asked about before it can be
    answered gives a ``Point``, from which ``go_on`` comes to the answer as in ``staged``.
    """
    asked.prove()
    try:
        with asked.runtime.unit_of_work(asked.tenant_id) as session:
            found = _begun(asked, session, lambda: work(session), status)
    except IdempotencyConflict:
        raise
    except Exception as error:  # noqa: BLE001 (what is not a lasting refusal is raised again)
        return _keep_refusal(asked, error)
    return _ended(asked, found, go_on, status)


def staged(
    asked: Asked,
    look: Callable[[], Seen],
    begin: Callable[[Session, Seen], Point | Body],
    go_on: GoOn,
    *,
    quick: Callable[[], Body] | None = None,
    status: int = 200,
) -> Reply:
    """Work that spans transactions, done once. ``look`` asks the world and changes nothing; ``begin`` commits with the
    key either the answer or a point, from which ``go_on`` comes to the answer: now, or at the next request with
    the key when this one died. While one is at it, others are told ``InFlight``. ``quick`` may come to a point at once.
    """
    found: Stored | Reply | Body | None
    if quick is not None and (point := _begun_at_once(quick)) is not None:
        return _finish(asked, point, go_on, status)
    asked.prove()
    try:
        found = None
        if not idempotency.is_new(asked.runtime.store, asked.tenant_id, asked.claim):
            with asked.runtime.unit_of_work(asked.tenant_id) as session:
                found = idempotency.seen(session, asked.tenant_id, asked.claim)
        if found is None:
            looked = look()
            with asked.runtime.unit_of_work(asked.tenant_id) as session:
                found = _begun(asked, session, lambda: begin(session, looked), status)
    except IdempotencyConflict:
        raise
    except Exception as error:  # noqa: BLE001 (what is not a lasting refusal is raised again)
        return _keep_refusal(asked, error)
    return _ended(asked, found, go_on, status)


def _begun(asked: Asked, session: Session, begin: Callable[[], Point | Body], status: int) -> Stored | Reply | Body:
    """What is kept under the key, else the first commit's answer, else the point to go on from."""
    found = idempotency.claim_staged(session, asked.tenant_id, asked.claim)
    if found is not None:
        return found
    begun = begin()
    if isinstance(begun, Point):
        idempotency.keep_point(session, asked.tenant_id, asked.claim, begun.facts)
        return begun.facts
    answer = _stored(status, begun)
    idempotency.store(session, asked.tenant_id, asked.claim, answer)
    return _reply(asked, answer)


def _ended(
    asked: Asked,
    found: Stored | Reply | Body,
    go_on: GoOn | None,
    status: int,
) -> Reply:
    if isinstance(found, Reply):
        return found
    if isinstance(found, Stored):
        return _again(asked, found)
    assert go_on is not None, "work that ends in a point says how to go on"
    return _finish(asked, found, go_on, status)


def _begun_at_once(quick: Callable[[], Body]) -> Body | None:
    """The facts of a point that is committed; ``None`` where anything is unusual, and nothing has happened."""
    try:
        return quick()
    except Unavailable:  # nobody is asked twice who did not answer
        raise
    except _UNUSUAL:
        return None


def _finish(asked: Asked, facts: Body, go_on: GoOn, status: int) -> Reply:
    """From the point to the answer. What went wrong for now leaves the point to the next request."""
    tenant_id, claim = asked.tenant_id, asked.claim
    try:
        ending = go_on(facts)
        if isinstance(ending, Known):
            return _reply(asked, _stored(status, ending.body))
        with asked.runtime.unit_of_work(tenant_id) as session:
            done = ending(session)
            if isinstance(done, Unfinished):
                idempotency.let_go(session, tenant_id, claim)
                return plain(asked, done.body, status=status, headers={"Retry-After": "2"})
            return _reply(asked, idempotency.store_once(session, tenant_id, claim, _stored(status, done)))
    except Exception as error:
        fault = fault_of(error)
        if not _lasting(fault):
            _let_go(asked)
            raise
        answer = Stored(fault.status, orjson.dumps(asked.speak(fault)))
    with asked.runtime.unit_of_work(tenant_id) as session:
        kept = idempotency.store_once(session, tenant_id, claim, answer)
    return _reply(asked, kept)


def with_work(asked: Asked, body: Body, *, status: int = 200) -> Ask:
    """Keeps the answer of work that began with a point, in the work's last transaction; it fails (``Refused``) where
    somebody who took the work over has kept one.
    """
    return idempotency.finish_with(asked.tenant_id, asked.claim, _stored(status, body))


def _let_go(asked: Asked) -> None:
    with asked.runtime.unit_of_work(asked.tenant_id) as session:
        idempotency.let_go(session, asked.tenant_id, asked.claim)


def _keep_refusal(asked: Asked, error: Exception) -> Reply:
    """The work was rolled back; the refusal stays with the key, unless it was only for now."""
    fault = fault_of(error)
    if not _lasting(fault):
        raise error
    answer = Stored(fault.status, orjson.dumps(asked.speak(fault)))
    with asked.runtime.unit_of_work(asked.tenant_id) as session:
        kept = idempotency.claim(session, asked.tenant_id, asked.claim)
        if kept is not None:  # an equal request was faster
            return _again(asked, kept)
        idempotency.store(session, asked.tenant_id, asked.claim, answer)
    return _reply(asked, answer, fault.headers)


def _lasting(fault: Fault) -> bool:
    return fault.lasting and fault.status < 500


def _stored(status: int, body: Body) -> Stored:
    """An answer as it is kept: in the newest version, whichever was asked for."""
    return Stored(status, orjson.dumps(body))


def _again(asked: Asked, kept: Stored) -> Reply:
    return _reply(asked, kept, {"Idempotent-Replayed": "true"})


def _reply(asked: Asked, kept: Stored, headers: Mapping[str, str] | None = None) -> Reply:
    """What is kept, in the version that is asked for now. An error reads the same in both."""
    allow = {"Allow": "GET"} if kept.status == 405 else {}
    same = kept.status >= 400 or asked.version == versions.NEWEST
    body = kept.body if same else dumps(asked, orjson.loads(kept.body))
    return Reply(kept.status, body, {**allow, **(headers or {})})

"""What systems tell us, stored once before anything is done about it. A webhook is answered when it is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, defer

from engine.kit import clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import new_id
from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor
from engine.sync.states import DELIVERY
from engine.sync.work_models import Delivery, DeliveryStatus

LEASE: Final = timedelta(minutes=5)
MAX_ATTEMPTS: Final = 8
MOST_BYTES: Final = 2 * 1024 * 1024
_LONGEST_WAIT: Final = timedelta(hours=1)
_KEPT_HEADERS: Final = 30
_NOT_KEPT: Final = ("authorization", "cookie", "secret", "token", "signature", "hmac", "api-key")


def receive(
    session: Session,
    *,
    tenant_id: str,
    source: str,
    delivery_id: str,
    topic: str,
    body: bytes,
    headers: Mapping[str, str],
    connection_id: str | None = None,
) -> tuple[Delivery, bool]:
    """The delivery, and whether it is new; whoever tells it again gets the first one. Its signature was checked by the
    caller. Raises ``InvalidInput`` for one without an id, or larger than anybody reads.
    """
    if not 0 < len(delivery_id) <= 200:
        raise InvalidInput("A delivery has an id of at most 200 characters.", param="delivery_id")
    if len(body) > MOST_BYTES:
        raise InvalidInput("A delivery has at most 2 MB.", param="body")
    made = insert(Delivery).values(
        tenant_id=tenant_id,
        id=new_id("delivery"),
        source=source,
        delivery_id=delivery_id,
        connection_id=connection_id,
        topic=topic[:120],
        headers=_kept(headers),
        body=body,
        digest=hashlib.sha256(body).hexdigest(),
        status=DeliveryStatus.WAITING,
        attempts=0,
        error="",
        received_at=clock.now(),
        available_at=clock.now(),
    )
    new = session.scalar(made.on_conflict_do_nothing().returning(Delivery.id))
    query = select(Delivery).where(
        Delivery.tenant_id == tenant_id, Delivery.source == source, Delivery.delivery_id == delivery_id
    )
    return session.scalars(query).one(), new is not None


def claim(session: Session, tenant_id: str, *, source: str | None = None, limit: int = 50) -> list[Delivery]:
    """Deliveries to be worked now, in the order in which they came, for ``LEASE``: commit, then work, then ``done`` or
    ``failed``. Whoever dies over one leaves it to the next; one over which ``MAX_ATTEMPTS`` have died is dead itself.
    """
    now = clock.now()
    query = select(Delivery).where(
        Delivery.tenant_id == tenant_id, Delivery.status == DeliveryStatus.WAITING, Delivery.available_at <= now
    )
    if source is not None:
        query = query.where(Delivery.source == source)
    query = query.order_by(Delivery.available_at, Delivery.id).limit(limit).with_for_update(skip_locked=True)
    rows = list(session.scalars(query.execution_options(populate_existing=True)))
    for row in rows:
        if row.attempts >= MAX_ATTEMPTS:
            row.status, row.error = DELIVERY.check(row.status, DeliveryStatus.DEAD), "never_finished"
            continue
        row.attempts += 1
        row.available_at = now + LEASE
    return [row for row in rows if row.status == DeliveryStatus.WAITING]


def done(session: Session, tenant_id: str, delivery_id: str) -> None:
    """It was worked; done already is well."""
    row = get(session, tenant_id, delivery_id, lock=True)
    if row.status == DeliveryStatus.WAITING:
        row.status = DELIVERY.check(row.status, DeliveryStatus.DONE)
        row.done_at, row.error = clock.now(), ""


def failed(session: Session, tenant_id: str, delivery_id: str, *, error: str) -> Delivery:
    """It comes again later, ever later; after ``MAX_ATTEMPTS`` a person looks at it. ``error`` is a code."""
    row = get(session, tenant_id, delivery_id, lock=True)
    if row.status != DeliveryStatus.WAITING:
        return row
    row.error = error[:80]
    if row.attempts >= MAX_ATTEMPTS:
        row.status = DELIVERY.check(row.status, DeliveryStatus.DEAD)
    else:
        row.available_at = clock.now() + min(_LONGEST_WAIT, timedelta(seconds=2**row.attempts))
    return row


def revive(session: Session, tenant_id: str, delivery_id: str) -> Delivery:
    """Work a dead one once more. Raises ``NotFound``, ``IllegalTransition``, ``InvalidInput`` where its body is gone
    for good.
    """
    row = get(session, tenant_id, delivery_id, lock=True)
    row.status = DELIVERY.check(row.status, DeliveryStatus.WAITING)
    if not row.body:
        raise InvalidInput("What this delivery said was erased.", param="delivery_id")
    row.attempts, row.available_at = 0, clock.now()
    return row


def get(session: Session, tenant_id: str, delivery_id: str, *, lock: bool = False) -> Delivery:
    """Raises ``NotFound``."""
    row = session.get(Delivery, (tenant_id, delivery_id), with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound("There is no such delivery.")
    return row


def listed(
    session: Session,
    tenant_id: str,
    *,
    status: DeliveryStatus | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Delivery]:
    """What came in, newest first, without the bodies."""
    wanted: list[ColumnElement[bool]] = [Delivery.tenant_id == tenant_id]
    if status is not None:
        wanted.append(Delivery.status == status)
    if cursor:
        at, row_id = decode_cursor(cursor, size=2)
        wanted.append(tuple_(Delivery.received_at, Delivery.id) < (cursor_moment(at), str(row_id)))
    query = select(Delivery).options(defer(Delivery.body), defer(Delivery.headers)).where(*wanted)
    rows = list(session.scalars(query.order_by(Delivery.received_at.desc(), Delivery.id.desc()).limit(limit + 1)))
    if len(rows) <= limit:
        return Page(rows)
    last = rows[limit - 1]
    return Page(rows[:limit], encode_cursor([last.received_at.isoformat(), last.id]))


def waiting(session: Session, tenant_id: str) -> int:
    """How many are still to be worked."""
    query = select(func.count()).select_from(Delivery)
    return session.scalar(query.where(Delivery.tenant_id == tenant_id, Delivery.status == DeliveryStatus.WAITING)) or 0


def forget_old(session: Session, tenant_id: str, *, keep: timedelta) -> None:
    """Drop what came longer ago than ``keep`` and waits for nobody."""
    session.execute(
        delete(Delivery).where(
            Delivery.tenant_id == tenant_id,
            Delivery.received_at < clock.now() - keep,
            Delivery.status != DeliveryStatus.WAITING,
        )
    )


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without what proves who sent them."""
    plain = {
        name.lower(): value[:500]
        for name, value in headers.items()
        if not any(word in name.lower() for word in _NOT_KEPT)
    }
    return dict(sorted(plain.items())[:_KEPT_HEADERS])

"""What happened, told to who must know, in the transaction in which it happened.

One row per event and consumer. Consumers claim undelivered rows (they never follow a cursor: ids are given out
before commit, so a cursor would skip rows that commit late). Delivery is at least once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import BigInteger, Identity, Index, String, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, object_session
from sqlalchemy.orm.attributes import set_committed_value

from engine.kit import clock, holds, tracing
from engine.kit.gathering import put
from engine.kit.tenancy import TenantRow

log = structlog.get_logger(__name__)
CONSUMERS: Final[Mapping[str, tuple[str, ...]]] = {
    "catalog.product_changed": ("search",),
    "catalog.price_changed": ("search",),
    "order.paid": ("acp", "agentic", "conversation", "customers", "mail", "pipeline"),
    "payment.failed": ("conversation",),
    "checkout.changed": ("conversation",),
    "order.shipped": ("acp", "conversation", "mail"),
    "order.delivered": ("acp", "conversation", "customers", "mail", "warranties"),
    "shipment.exception": ("acp", "conversation"),
    "shipment.moved": ("conversation",),
    "digital.revoked": ("acp",),
    "order.held": ("acp",),
    "order.resumed": ("acp",),
    "order.canceled": ("acp", "conversation", "customers", "mail", "pipeline", "promotions"),
    "order.closed": ("acp",),
    "order.changed": ("acp", "conversation", "customers", "mail", "pipeline"),
    "order.change_failed": ("conversation", "mail"),
    "order.allocated": ("acp", "mail"),
    "payment.captured": (),
    "payment.capture_failed": (),
    "payment.voided": (),
    "payment.authorization_expired": (),
    "refund.succeeded": ("acp", "conversation", "customers", "mail", "warranties"),
    "refund.failed": ("acp", "conversation"),
    "approval.requested": (),
    "approval.decided": ("conversation",),
    "customer.code_requested": ("mail",),
    "customer.verified": ("agentic",),
    "staff.code_requested": ("mail",),
    "staff.invited": ("mail",),
    "gift_card.issued": ("mail",),
    "invoice.issued": (),
    "credit_note.issued": (),
    "order.replaced": ("acp", "conversation", "pipeline"),
    "return.requested": ("acp", "conversation"),
    "return.approved": ("acp", "conversation"),
    "return.label_ready": ("acp", "conversation", "mail"),
    "return.received": ("acp", "conversation"),
    "return.refunded": ("acp", "conversation", "warranties"),
    "return.declined": ("acp", "conversation"),
    "return.closed": ("acp", "conversation", "warranties"),
    "return.changed": ("conversation",),
    "claim.changed": ("conversation",),
    "claim.submitted": ("conversation",),
    "claim.asked": ("conversation", "mail"),
    "claim.approved": ("conversation", "mail"),
    "claim.denied": ("conversation", "mail"),
    "claim.received": ("conversation",),
    "claim.resolved": ("conversation",),
    "claim.closed": ("conversation",),
    "dispute.opened": ("acp",),
    "dispute.won": ("acp",),
    "dispute.lost": ("acp", "customers"),
}
"""Topic → who is told. A topic without a consumer is not written."""
INTERNAL: Final = frozenset({"agentic", "search", "conversation", "customers", "promotions", "warranties"})
"""Consumers whose work stays in the house. Any other is outward: after a restore its rows wait until the tenant's books
are reconciled (``engine.kit.holds``).
"""
MAX_ATTEMPTS: Final = 20
_CLOSE: Final = text("UPDATE app.outbox SET delivered_at = :now WHERE tenant_id = :tenant AND id = ANY(:ids)")


class OutboxRow(TenantRow):
    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, autoincrement=True)
    consumer: Mapped[str] = mapped_column(String(40))
    topic: Mapped[str] = mapped_column(String(80))
    subject_id: Mapped[str] = mapped_column(String(40))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    available_at: Mapped[datetime] = mapped_column(default=clock.now)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_outbox_waiting",
            "tenant_id",
            "consumer",
            "available_at",
            postgresql_where=text("delivered_at IS NULL"),
        ),
    )


def emit(
    session: Session,
    tenant_id: str,
    topic: str,
    subject_id: str,
    payload: dict[str, Any] | None = None,
    *,
    after: timedelta = timedelta(),
) -> None:
    """Tell the consumers of ``topic`` about ``subject_id``, not before ``after`` has passed.

    Unknown topics raise ``KeyError``: name them above. The trace that is worked at goes with it (``tracing.told``).
    """
    at = clock.now() + after
    told: dict[str, Any] = {"tenant_id": tenant_id, "topic": topic, "subject_id": subject_id}
    told["payload"] = tracing.carried(payload or {})
    rows = [told | {"consumer": consumer, "available_at": at} for consumer in CONSUMERS[topic]]
    if rows:
        put(session, OutboxRow, rows, alone=True)


def emit_all(session: Session, tenant_id: str, topic: str, told: Mapping[str, dict[str, Any]]) -> None:
    """The same of many subjects (each with its payload) in one statement."""
    rows = [
        {"tenant_id": tenant_id, "consumer": consumer, "topic": topic, "subject_id": subject_id}
        | {"payload": tracing.carried(payload)}
        for subject_id, payload in told.items()
        for consumer in CONSUMERS[topic]
    ]
    if rows:
        put(session, OutboxRow, rows, alone=True)


def claim_batch(session: Session, tenant_id: str, consumer: str, *, limit: int = 100) -> list[OutboxRow]:
    """Undelivered rows for ``consumer``, locked for this transaction; rows another worker holds are skipped.

    None for an outward consumer while a restore of the tenant is not reconciled.
    """
    if consumer not in INTERNAL and holds.held(session, tenant_id):
        return []
    rows = session.scalars(
        select(OutboxRow)
        .where(
            OutboxRow.tenant_id == tenant_id,
            OutboxRow.consumer == consumer,
            OutboxRow.delivered_at.is_(None),
            OutboxRow.available_at <= clock.now(),
        )
        .order_by(OutboxRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(rows)


def deliver(
    session: Session,
    rows: Sequence[OutboxRow],
    work: Callable[[OutboxRow], None],
    failed: str,
    *,
    together: Callable[[Sequence[OutboxRow]], None] | None = None,
) -> None:
    """Do what each row asks for; what fails waits and comes again, and takes nothing of the others with it: all are
    done in one savepoint (by ``together`` where there is a cheaper way to do many), and each in one of its own when
    that fails. ``failed`` is the log's word for one that did.
    """
    if not rows:
        return
    try:
        with session.begin_nested():
            if together is not None:
                together(rows)
            else:
                for row in rows:
                    work(row)
    except Exception:  # noqa: BLE001 (which of them it was is found out, and told, one by one)
        _one_by_one(session, rows, work, failed)
    else:
        mark_delivered(list(rows))


def _one_by_one(session: Session, rows: Sequence[OutboxRow], work: Callable[[OutboxRow], None], failed: str) -> None:
    for row in rows:
        try:
            with session.begin_nested():
                work(row)
        except Exception as error:
            log.exception(failed, topic=row.topic, tenant=row.tenant_id)
            mark_failed(session, row.tenant_id, row.id, type(error).__name__)
        else:
            mark_delivered([row])


def mark_delivered(rows: list[OutboxRow]) -> None:
    """Close rows of one shop whose work is part of this transaction (or was idempotent and has happened)."""
    if rows and (session := object_session(rows[0])):
        moment = clock.now()
        session.execute(_CLOSE, {"tenant": rows[0].tenant_id, "ids": [row.id for row in rows], "now": moment})
        for row in rows:
            set_committed_value(row, "delivered_at", moment)


def mark_failed(session: Session, tenant_id: str, row_id: int, error: str) -> None:
    """Put a row back with exponential backoff (1 s … 10 min); after ``MAX_ATTEMPTS`` it waits for an operator."""
    row = session.get_one(OutboxRow, (tenant_id, row_id))
    row.attempts += 1
    row.last_error = error[:500]
    wait = min(600, 2 ** min(row.attempts, 10))
    far = timedelta(days=3650)
    row.available_at = clock.now() + (far if row.attempts >= MAX_ATTEMPTS else timedelta(seconds=wait))


def waiting(session: Session, tenant_id: str, consumer: str) -> int:
    """How many rows are still to be delivered to ``consumer``."""
    return (
        session.scalar(
            select(func.count())
            .select_from(OutboxRow)
            .where(
                OutboxRow.tenant_id == tenant_id,
                OutboxRow.consumer == consumer,
                OutboxRow.delivered_at.is_(None),
            )
        )
        or 0
    )

"""A letter of an order sent once more, word for word, to where it went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from engine.kit import audit, limits
from engine.kit.errors import Conflict, NotFound
from engine.kit.ids import new_id
from engine.mail.models import Mail, MailStatus
from engine.orders.models import Order
from engine.payments.models import Refund
from engine.returns.models import Return

_COPIES_AN_HOUR: Final = 5
_WORDS: Final = (
    "topic", "template", "subject_id", "customer_id", "to_address", "from_name", "from_address", "reply_to", "subject",
    "text", "html",
)  # fmt: skip


class CannotSendAgain(Conflict):
    """It holds a code, was erased, or never had an address that can be."""

    code = "cannot_send_again"


def sendable(session: Session, order: Order) -> Sequence[Mail]:
    """The newest letter of each kind that was written about an order, its refunds and returns, newest first."""
    newest = (
        select(Mail)
        .where(Mail.tenant_id == order.tenant_id, _about(order), ~Mail.secret, Mail.erased_at.is_(None))
        .where(Mail.status != MailStatus.FAILED)
        .order_by(Mail.created_at.desc(), Mail.id.desc())
        .limit(50)
    )
    found: dict[tuple[str, str], Mail] = {}
    for row in session.scalars(newest):
        found.setdefault((row.template, row.subject_id), row)
    return list(found.values())


def of_order(session: Session, order: Order, mail_id: str) -> Mail:
    """A letter of this order that can go out again. Raises ``NotFound``, ``CannotSendAgain``."""
    row = session.scalars(
        select(Mail).where(Mail.tenant_id == order.tenant_id, Mail.id == mail_id, _about(order))
    ).first()
    if row is None:
        raise NotFound("There is no such letter of this order.")
    if row.secret or row.erased_at is not None or row.status == MailStatus.FAILED:
        raise CannotSendAgain("This letter cannot be sent again.")
    return row


def send(session: Session, order: Order, mail_id: str, *, actor: str) -> Mail:
    """Queue a copy. Raises ``NotFound``, ``CannotSendAgain``, ``RateLimited`` for many."""
    row = of_order(session, order, mail_id)
    bucket = f"letter-again:{order.tenant_id}|{order.id}"
    limits.hit(session, bucket, limit=_COPIES_AN_HOUR, window=timedelta(hours=1))
    made = new_id("mail")
    copy = Mail(
        tenant_id=row.tenant_id,
        id=made,
        key=f"again|{made}",
        status=MailStatus.QUEUED,
        **{name: getattr(row, name) for name in _WORDS},
    )
    session.add(copy)
    facts = {"letter": row.id, "template": row.template, "order": order.id}
    audit.record(session, order.tenant_id, actor=actor, action="mail.sent_again", subject=copy.id, facts=facts)
    session.flush()
    return copy


def _about(order: Order) -> ColumnElement[bool]:
    refunds = select(Refund.id).where(Refund.tenant_id == order.tenant_id, Refund.order_id == order.id)
    returns = select(Return.id).where(Return.tenant_id == order.tenant_id, Return.order_id == order.id)
    return or_(Mail.subject_id == order.id, Mail.subject_id.in_(refunds), Mail.subject_id.in_(returns))

"""Reading payments, refunds, disputes and the inbox: newest first, page by page, for the shop's people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Identity
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.payments.models import Alert, Capture, Dispute, Payment, Refund
from engine.payments.schemas import AlertView, CaptureView, DisputeView, PaymentView, RefundView
from engine.payments.tally import standing_of

M = TypeVar("M", Payment, Refund, Dispute, Alert)


def payments(
    session: Session,
    identity: Identity,
    *,
    filters: Mapping[str, str | None],
    limit: int = 20,
    cursor: str | None = None,
) -> Page[PaymentView]:
    """Filters: status, order_id, gateway."""
    page = _page(session, identity, Payment, filters=filters, limit=limit, cursor=cursor)
    return Page(_payments(session, identity.tenant_id, page.items), page.next_cursor)


def payment(session: Session, identity: Identity, payment_id: str) -> PaymentView:
    """One payment with its captures. Raises ``NotFound``."""
    _require_staff(identity)
    found = session.get(Payment, (identity.tenant_id, payment_id))
    if found is None:
        raise NotFound("There is no such payment.")
    return _payments(session, identity.tenant_id, [found])[0]


def refunds(
    session: Session,
    identity: Identity,
    *,
    filters: Mapping[str, str | None],
    limit: int = 20,
    cursor: str | None = None,
) -> Page[RefundView]:
    """Filters: status, order_id, payment_id."""
    page = _page(session, identity, Refund, filters=filters, limit=limit, cursor=cursor)
    return Page([RefundView.of(row) for row in page.items], page.next_cursor)


def disputes(
    session: Session,
    identity: Identity,
    *,
    filters: Mapping[str, str | None],
    limit: int = 20,
    cursor: str | None = None,
) -> Page[DisputeView]:
    """Filters: status, order_id, payment_id."""
    page = _page(session, identity, Dispute, filters=filters, limit=limit, cursor=cursor)
    return Page([DisputeView.of(row) for row in page.items], page.next_cursor)


def alerts(
    session: Session,
    identity: Identity,
    *,
    filters: Mapping[str, str | None],
    open_only: bool | None = None,
    limit: int = 20,
    cursor: str | None = None,
) -> Page[AlertView]:
    """Filters: kind, subject; ``open_only`` true for open items, false for closed ones."""
    more = [] if open_only is None else [Alert.resolved_at.is_(None) == open_only]
    page = _page(session, identity, Alert, filters=filters, limit=limit, cursor=cursor, more=more)
    return Page([AlertView.of(row) for row in page.items], page.next_cursor)


def _page(
    session: Session,
    identity: Identity,
    model: type[M],
    *,
    filters: Mapping[str, str | None],
    limit: int,
    cursor: str | None,
    more: Sequence[Any] = (),
) -> Page[M]:
    """Ids grow with time, so the primary key is the order."""
    _require_staff(identity)
    query = select(model).where(model.tenant_id == identity.tenant_id, *more)
    for name, wanted in filters.items():
        if wanted is not None:
            query = query.where(getattr(model, name) == wanted)
    if cursor:
        query = query.where(model.id < str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query.order_by(model.id.desc()).limit(limit + 1)).all()
    following = encode_cursor([rows[limit - 1].id]) if len(rows) > limit else None
    return Page(rows[:limit], following)


def _payments(session: Session, tenant_id: str, rows: Sequence[Payment]) -> list[PaymentView]:
    ids = [row.id for row in rows]
    tallies = standing_of(session, tenant_id, ids)
    found = session.scalars(
        select(Capture).where(Capture.tenant_id == tenant_id, Capture.payment_id.in_(ids)).order_by(Capture.id)
    )
    captures: dict[str, list[CaptureView]] = defaultdict(list)
    for capture in found:
        captures[capture.payment_id].append(CaptureView.of(capture))
    return [PaymentView.of(row, tallies[row.id], captures[row.id]) for row in rows]


def _require_staff(identity: Identity) -> None:
    if not identity.is_staff:
        raise Forbidden("Only the shop's people may see this.")

"""Money of an order that went back, or is on its way: how much, why, since when, and where to in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout.models import CheckoutSession
from engine.customers.models import PaymentMethod
from engine.kit.identity import Identity
from engine.kit.views import Price, View
from engine.orders import queries
from engine.orders.changes import methods
from engine.orders.changes.views import effect_of
from engine.orders.models import OrderChange
from engine.payments.models import Payment, Refund
from engine.payments.stored_value_models import StoredValueAccount

T = TypeVar("T", Payment, CheckoutSession, OrderChange, StoredValueAccount, PaymentMethod)


class GivenBackView(View):
    amount: Price
    status: str
    """pending, succeeded or failed."""
    reason: str
    to: str
    """``Visa •••• 4242``, ``Gift card •••• 1234`` or ``Store credit``."""
    asked_at: datetime
    done_at: datetime | None


def of_order(session: Session, identity: Identity, wanted: str) -> list[GivenBackView]:
    """Of one of the identity's own orders, oldest first. Raises ``NotFound``."""
    order = queries.find_own(session, identity, wanted)
    rows = session.scalars(
        select(Refund)
        .where(Refund.tenant_id == order.tenant_id, Refund.order_id == order.id)
        .order_by(Refund.created_at, Refund.id)
    ).all()
    if not rows:
        return []
    cards = _cards(session, order.tenant_id, {row.payment_id for row in rows})
    named = _accounts(session, order.tenant_id, {row.stored_value_id for row in rows if row.stored_value_id})
    named |= _saved(session, order.tenant_id, {row.payment_method_id for row in rows if row.payment_method_id})
    return [_view(row, cards, named) for row in rows]


def _view(row: Refund, cards: Mapping[str, str], named: Mapping[str, str]) -> GivenBackView:
    other = row.stored_value_id or row.payment_method_id
    to = named.get(other, "Another way to pay") if other else cards[row.payment_id]
    return GivenBackView(
        amount=Price(amount=row.amount, currency=row.currency),
        status=str(row.status),
        reason=queries.refund_words(row.reason),
        to=to,
        asked_at=row.created_at,
        done_at=row.settled_at,
    )


def _cards(session: Session, tenant_id: str, payment_ids: set[str]) -> dict[str, str]:
    """Payment → what paid, in words."""
    payments = _rows(session, Payment, tenant_id, payment_ids)
    sessions = _rows(session, CheckoutSession, tenant_id, {one.session_id for one in payments if one.session_id})
    changes = _rows(session, OrderChange, tenant_id, {one.change_id for one in payments if one.change_id})
    said = {one.id: (one.payment_method or {}).get("label") for one in sessions}
    said |= {one.id: method.label for one in changes if (method := effect_of(one).method)}
    return {one.id: str(said.get(one.change_id or one.session_id or "") or "The way it was paid") for one in payments}


def _accounts(session: Session, tenant_id: str, account_ids: set[str]) -> dict[str, str]:
    return {one.id: methods.label(one) for one in _rows(session, StoredValueAccount, tenant_id, account_ids)}


def _saved(session: Session, tenant_id: str, method_ids: set[str]) -> dict[str, str]:
    return {one.id: methods.label_of(one) for one in _rows(session, PaymentMethod, tenant_id, method_ids)}


def _rows(session: Session, model: type[T], tenant_id: str, ids: set[str]) -> Sequence[T]:
    if not ids:
        return []
    return session.scalars(select(model).where(model.tenant_id == tenant_id, model.id.in_(ids))).all()

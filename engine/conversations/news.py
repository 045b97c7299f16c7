"""What happens to an order after it was paid, in plain words for its shopper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.conversations.models import Thread
from engine.customers.models import PaymentMethod, Shopper
from engine.fulfillment.carriers import DIGITAL
from engine.kit.money import format_minor
from engine.kit.outbox import OutboxRow
from engine.orders.changes.methods import label_of
from engine.orders.changes.views import effect_of
from engine.orders.models import ChangeKind, ChangeStatus, Order, OrderChange, OrderLine, OrderStatus, Shipment
from engine.payments.models import Payment, Refund
from engine.payments.stored_value_models import StoredValueAccount, StoredValueKind
from engine.warranties.news import TOPICS as CLAIMS

_ENDED: Final = (ChangeStatus.REFUSED, ChangeStatus.FAILED)
_EXCEPTIONS: Final = {
    "exception": "Something is in the way of a parcel of order {number} ({tracking}). The shop has been told.",
    "lost": "A parcel of order {number} ({tracking}) is lost. The shop will send it again or give the money back.",
    "returned": "A parcel of order {number} ({tracking}) came back to the sender. The shop will be in touch.",
}


def order_of(session: Session, row: OutboxRow) -> Order | None:
    """The placed order that a row is about, or that its return or claim is of."""
    order = session.get(Order, (row.tenant_id, row.payload.get("order_id") or row.subject_id))
    return order if order is not None and order.placed_at is not None else None


def thread_of(session: Session, order: Order) -> Thread | None:
    """Where its shopper hears of an order: where it was bought, else the youngest conversation of whoever bought it."""
    bought_in = session.get(Thread, (order.tenant_id, order.thread_id)) if order.thread_id else None
    if bought_in is not None:
        return bought_in
    theirs = Thread.owner_id == order.owner_id
    if order.customer_id is not None:
        same = select(Shopper.id).where(Shopper.tenant_id == order.tenant_id, Shopper.customer_id == order.customer_id)
        theirs = or_(theirs, Thread.owner_id.in_(same))
    query = select(Thread).where(Thread.tenant_id == order.tenant_id, theirs)
    return session.scalars(query.order_by(Thread.created_at.desc(), Thread.id.desc()).limit(1)).first()


def words(session: Session, row: OutboxRow, order: Order) -> str:
    """What is said; empty for what is nothing to the shopper, or said by another row."""
    teller = TELLERS.get(row.topic)
    return teller(session, order, row.payload) if teller else ""


def _shipped(session: Session, order: Order, told: Mapping[str, Any]) -> str:
    parcel = session.get_one(Shipment, (order.tenant_id, told["shipment_id"]))
    return f"On its way: {_goods(session, order, parcel)} of order {order.number}, with {_tracking(parcel)}."


def _delivered(session: Session, order: Order, told: Mapping[str, Any]) -> str:
    parcel = session.get_one(Shipment, (order.tenant_id, told["shipment_id"]))
    if parcel.carrier == DIGITAL:
        goods = _goods(session, order, parcel)
        return f"{goods} of order {order.number} is yours: we have mailed you how to get at it."
    return f"Delivered: {_goods(session, order, parcel)} of order {order.number}."


def _exception(session: Session, order: Order, told: Mapping[str, Any]) -> str:
    if "shipment_id" not in told:
        return _short(order, told)
    parcel = session.get_one(Shipment, (order.tenant_id, told["shipment_id"]))
    pattern = _EXCEPTIONS.get(told["status"], "")
    return pattern.format(number=order.number, tracking=_tracking(parcel))


def _short(order: Order, told: Mapping[str, Any]) -> str:
    """Units that were not on the shelf; those found elsewhere are nothing to the shopper."""
    units = int(told.get("waiting", 0))
    if not units:
        return ""
    what = "1 item" if units == 1 else f"{units} items"
    return f"{what} of order {order.number} could not be found in the warehouse, and will ship when there is new stock."


def _canceled(_session: Session, order: Order, _told: Mapping[str, Any]) -> str:
    return f"Order {order.number} is canceled."


def _changed(session: Session, order: Order, told: Mapping[str, Any]) -> str:
    change = session.get_one(OrderChange, (order.tenant_id, told["change_id"]))
    if change.status in _ENDED:
        return f"Order {order.number} was not changed. {change.message or ''}".strip()
    if change.kind == ChangeKind.CANCEL and order.status == OrderStatus.CANCELED:
        return ""  # ``order.canceled`` says it
    late = [one for one in effect_of(change).added if one.notice]
    return " ".join([f"Order {order.number}: {change.message}", *(one.notice for one in late)])


def _refunded(session: Session, order: Order, told: Mapping[str, Any]) -> str:
    refund = session.get_one(Refund, (order.tenant_id, told["refund_id"]))
    amount = format_minor(refund.amount, refund.currency)
    days = "" if refund.stored_value_id else " Banks take some days to show it."
    return f"{amount} of order {order.number} went back to {_target(session, refund)}.{days}"


def _refund_failed(session: Session, order: Order, told: Mapping[str, Any]) -> str:
    refund = session.get_one(Refund, (order.tenant_id, told["refund_id"]))
    amount = format_minor(refund.amount, refund.currency)
    return f"The refund of {amount} for order {order.number} did not arrive. The shop has been told and will settle it."


def _replaced(session: Session, order: Order, told: Mapping[str, Any]) -> str:
    first = session.get(Order, (order.tenant_id, told["replaces_order_id"]))
    return f"Order {order.number} is being sent to make up for order {first.number if first else ''}. It costs nothing."


def _return(_session: Session, _order: Order, told: Mapping[str, Any]) -> str:
    """The words as they were when it happened."""
    return str(told["words"])


def _target(session: Session, refund: Refund) -> str:
    if refund.payment_method_id is not None:
        saved = session.get(PaymentMethod, (refund.tenant_id, refund.payment_method_id))
        return label_of(saved) if saved else "another of your ways to pay"
    if refund.stored_value_id is None:
        payment = session.get_one(Payment, (refund.tenant_id, refund.payment_id))
        return str(payment.method.get("label") or "the way it was paid")
    account = session.get_one(StoredValueAccount, (refund.tenant_id, refund.stored_value_id))
    return f"gift card •••• {account.last4}" if account.kind == StoredValueKind.GIFT_CARD else "your store credit"


def _goods(session: Session, order: Order, parcel: Shipment) -> str:
    query = select(OrderLine).where(OrderLine.tenant_id == order.tenant_id, OrderLine.order_id == order.id)
    titles = {line.id: line.title for line in session.scalars(query)}
    return ", ".join(f"{one['quantity']} x {titles[one['order_line_id']]}" for one in parcel.lines)


def _tracking(parcel: Shipment) -> str:
    return f"{parcel.carrier} {parcel.tracking_number}"


def _nothing(_session: Session, _order: Order, _told: Mapping[str, Any]) -> str:
    """Nothing to say: what is shown of it is renewed."""
    return ""


TELLERS: Final[Mapping[str, Callable[[Session, Order, Mapping[str, Any]], str]]] = {
    "order.shipped": _shipped,
    "order.delivered": _delivered,
    "shipment.exception": _exception,
    "order.canceled": _canceled,
    "order.changed": _changed,
    "order.change_failed": _changed,
    "refund.succeeded": _refunded,
    "refund.failed": _refund_failed,
    "order.replaced": _replaced,
    "return.requested": _return,
    "return.approved": _return,
    "return.label_ready": _return,
    "return.received": _return,
    "return.refunded": _return,
    "return.declined": _return,
    "return.closed": _return,
    **dict.fromkeys(CLAIMS, _return),
    **dict.fromkeys(("shipment.moved", "return.changed", "claim.changed"), _nothing),
}

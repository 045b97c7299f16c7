"""The answer of a warehouse or partner that has the goods of a change in hand."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.fulfillment import requests
from engine.inventory import service as inventory
from engine.kit import audit, clock, outbox
from engine.orders import service
from engine.orders.changes import write
from engine.orders.changes.hold import go_on, still
from engine.orders.changes.rules import RETURN_PATH
from engine.orders.changes.views import effect_of
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.orders.states import CHANGE
from engine.payments import voids
from engine.payments.models import Payment, PaymentStatus

WAITING: Final = "The warehouse has it in hand and is asked to give it back. Money moves once it agrees."
_LAPSED: Final = "The warehouse agreed too late: what was set aside for it has lapsed. Nothing was changed or charged."
_SET_ASIDE: Final = (PaymentStatus.AUTHORIZED, PaymentStatus.VOIDED, PaymentStatus.EXPIRED)


def answered(session: Session, tenant_id: str, change_id: str, accepted: bool) -> None:
    """Apply the change that was waited for, or end it with the way that is left. Its refunds are written here, within
    the limits of the day when it was asked for, and carried out by the payments' own job. A change that waits no longer
    stays as it is.

    The goods that were agreed to come back are no longer released when this is called.
    """
    seen = session.get_one(OrderChange, (tenant_id, change_id))
    order = service.lock(session, tenant_id, seen.order_id)
    change = session.get_one(OrderChange, (tenant_id, change_id), with_for_update=True, populate_existing=True)
    if change.status != ChangeStatus.REQUESTED:
        return
    payment = _held(session, change)
    go_on(session, order, change)
    if not accepted:
        _refuse(session, order, change, payment, "The warehouse could not stop it. " + RETURN_PATH)
    elif payment is not None and payment.status != PaymentStatus.AUTHORIZED:
        _refuse(session, order, change, payment, _LAPSED)
    else:
        write.apply(session, order, change, payment_id=payment.id if payment else None, word=change.id)


def ask(session: Session, order: Order, change: OrderChange) -> bool:
    """Ask whoever has the goods; whether the answer is still to come, with the order kept still meanwhile."""
    told = requests.request_cancel(
        session,
        order.tenant_id,
        order_id=order.id,
        change_id=change.id,
        lines={one.line_id: one.at_partner for one in effect_of(change).ended if one.at_partner},
        actor=change.approved_by or change.requested_by,
    )
    if not told.waiting:
        return False
    change.status = CHANGE.check(change.status, ChangeStatus.REQUESTED)
    change.message = WAITING
    still(session, order, change, "A warehouse is asked to give goods back.")
    return True


def _held(session: Session, change: OrderChange) -> Payment | None:
    """The payment that sets the charge of the change aside, locked."""
    query = select(Payment).where(
        Payment.tenant_id == change.tenant_id, Payment.change_id == change.id, Payment.status.in_(_SET_ASIDE)
    )
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).first()


def _refuse(session: Session, order: Order, change: OrderChange, payment: Payment | None, words: str) -> None:
    if payment is not None:
        inventory.release(session, order.tenant_id, payment.id)
        if payment.status == PaymentStatus.AUTHORIZED and payment.void_requested_at is None:
            voids.request(session, order.tenant_id, payment_id=payment.id)
    change.status = CHANGE.check(change.status, ChangeStatus.REFUSED)
    change.decided_at = clock.now()
    change.message = words
    service.touch(order)
    facts = {"change": change.id, "kind": str(change.kind)}
    audit.record(session, order.tenant_id, actor="system", action="order.change_refused", subject=order.id, facts=facts)
    payload = {"change_id": change.id, "kind": str(change.kind), "thread_id": order.thread_id}
    outbox.emit(session, order.tenant_id, "order.changed", order.id, payload)

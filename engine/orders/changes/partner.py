"""The answer of a warehouse or partner that has the goods of a change in hand."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.kit import audit, clock, outbox
from engine.orders import service
from engine.orders.changes import write
from engine.orders.changes.hold import go_on
from engine.orders.changes.rules import RETURN_PATH
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.orders.states import CHANGE


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
    go_on(session, order, change)
    if accepted:
        write.apply(session, order, change, word=change.id)
    else:
        _refuse(session, order, change)


def _refuse(session: Session, order: Order, change: OrderChange) -> None:
    change.status = CHANGE.check(change.status, ChangeStatus.REFUSED)
    change.decided_at = clock.now()
    change.message = "The warehouse could not stop it. " + RETURN_PATH
    service.touch(order)
    facts = {"change": change.id, "kind": str(change.kind)}
    audit.record(session, order.tenant_id, actor="system", action="order.change_refused", subject=order.id, facts=facts)
    payload = {"change_id": change.id, "kind": str(change.kind), "thread_id": order.thread_id}
    outbox.emit(session, order.tenant_id, "order.changed", order.id, payload)

"""How an order is locked, held, closed and adjusted; and what becomes of one whose payment came to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, cast

from sqlalchemy import update
from sqlalchemy.orm import Session

from engine.kit import audit, clock, outbox
from engine.kit.errors import NotFound
from engine.kit.gathering import Rows, fetch, put
from engine.kit.ids import new_id
from engine.orders.models import AdjustmentKind, Order, OrderAdjustment, OrderLine, OrderStatus
from engine.orders.rates import Piece, fitted
from engine.orders.states import ORDER
from engine.orders.status import is_canceled, is_done
from engine.payments.alerts import REVIEW_NEEDED, resolve_alert

LOCKED: Final = Rows(Order, "r.tenant_id = %(tenant)s AND r.id = %(order)s", lock=True)
"""The order's row, to be locked beside other rows."""
_LINES: Final = Rows(OrderLine, "r.tenant_id = %(tenant)s AND r.order_id = %(order)s", order="r.id", lock=True)


def lock(session: Session, tenant_id: str, order_id: str) -> Order:
    """The order's row, locked and as it is now: the first lock of whatever changes an order or its lines.

    Raises ``NotFound``.
    """
    (found,) = fetch(session, (LOCKED, {"tenant": tenant_id, "order": order_id}))
    if not found:
        raise NotFound("There is no such order.")
    return cast("Order", found[0])


def lines_of(session: Session, order: Order) -> list[OrderLine]:
    """The order's lines as they are now, locked, in their order of locking. The caller holds the order's lock."""
    (rows,) = fetch(session, (_LINES, {"tenant": order.tenant_id, "order": order.id}))
    return rows


def touch(order: Order) -> None:
    """Whatever was quoted on the order before is out of date from now on."""
    order.updated_at = clock.now()
    order.version += 1


def hold(session: Session, order: Order, *, reason: str, actor: str) -> None:
    """Stop an open order: nothing more of it is released until ``resume``. Raises ``IllegalTransition``."""
    order.status = ORDER.check(order.status, OrderStatus.ON_HOLD)
    order.hold_reason = reason
    touch(order)
    facts = {"reason": reason}
    audit.record(session, order.tenant_id, actor=actor, action="order.held", subject=order.id, facts=facts)
    outbox.emit(session, order.tenant_id, "order.held", order.id, facts)


def resume(session: Session, order: Order, *, actor: str) -> None:
    """Let a held order go on; one whose units have all come to their end meanwhile ends now.

    Raises ``IllegalTransition``.
    """
    order.status = ORDER.check(order.status, OrderStatus.OPEN)
    order.hold_reason = None
    resolve_alert(session, order.tenant_id, REVIEW_NEEDED, order.id)
    touch(order)
    audit.record(session, order.tenant_id, actor=actor, action="order.resumed", subject=order.id)
    outbox.emit(session, order.tenant_id, "order.resumed", order.id)
    end_if_done(session, order, lines_of(session, order), actor=actor)


def end_if_done(session: Session, order: Order, lines: Sequence[OrderLine], *, actor: str = "system") -> None:
    """Bring an order to its end when its units have come to theirs: canceled when none was kept, closed when every
    kept one has arrived. To be called after anything that cancels or delivers units, under the order's lock.
    """
    if order.status not in {OrderStatus.OPEN, OrderStatus.ON_HOLD} or not is_done(lines):
        return
    now = clock.now()
    if is_canceled(lines):
        order.status = ORDER.check(order.status, OrderStatus.CANCELED)
        order.canceled_at = now
    else:
        order.status = ORDER.check(order.status, OrderStatus.CLOSED)
        order.closed_at = now
    if order.hold_reason is not None:
        resolve_alert(session, order.tenant_id, REVIEW_NEEDED, order.id)
    order.hold_reason = None
    touch(order)
    action = f"order.{order.status}"
    audit.record(session, order.tenant_id, actor=actor, action=action, subject=order.id)
    outbox.emit(session, order.tenant_id, action, order.id)


def adjust(
    session: Session,
    order: Order,
    *,
    kind: AdjustmentKind,
    amount: int,
    tax: int,
    change_id: str | None = None,
    refund_id: str | None = None,
    return_id: str | None = None,
    claim_id: str | None = None,
    rates: Iterable[Piece] = (),
) -> None:
    """What is due for the order moves by ``amount`` (tax included; negative is in the shopper's favor). Every refund
    or charge of an order that is no payment of its total rests on one of these; ``rates`` are those of what it is
    about.
    """
    row = {
        "tenant_id": order.tenant_id,
        "id": new_id("adjustment"),
        "order_id": order.id,
        "kind": kind,
        "amount": amount,
        "tax": tax,
        "rates": [one.told() for one in fitted(rates, amount - tax, tax)],
        "change_id": change_id,
        "refund_id": refund_id,
        "return_id": return_id,
        "claim_id": claim_id,
        "at": clock.now(),
    }
    put(session, OrderAdjustment, [row])


def abandon(session: Session, tenant_id: str, order_id: str) -> None:
    """The payment came to nothing: the order never was."""
    order = session.get_one(Order, (tenant_id, order_id), with_for_update=True)
    order.status = ORDER.check(order.status, OrderStatus.CANCELED)
    order.updated_at = clock.now()
    order.version += 1
    session.execute(
        update(OrderLine).where(OrderLine.tenant_id == tenant_id, OrderLine.order_id == order_id).values(allocated=0)
    )

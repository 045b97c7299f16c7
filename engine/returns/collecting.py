"""The difference of an exchange that is paid once the old goods are here: taken by itself, then everything is settled.

Its shopper agreed to it with the exchange: the amount, and the way to pay. What cannot be taken stays owed: the return
names its problem, staff are told, and no goods go out.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout.models import Consent
from engine.kit import audit, clock
from engine.kit.errors import DomainError
from engine.kit.faults import fault_point
from engine.orders.changes import charge, settle
from engine.orders.changes.effect import Method
from engine.orders.models import Order, OrderChange
from engine.payments.models import Payment
from engine.returns import exchanging, settling
from engine.returns.deciding import locked
from engine.returns.models import Return
from engine.returns.states import ENDED
from engine.returns.taken import lines_of
from engine.runtime import Runtime

_BATCH: Final = 50


def collect_due(runtime: Runtime, tenant_id: str) -> int:
    """Take what is due for exchanges whose old goods are here; of how many."""
    with runtime.unit_of_work(tenant_id) as session:
        ids = session.scalars(
            select(Return.id)
            .where(
                Return.tenant_id == tenant_id,
                Return.to_charge > 0,
                Return.problem.is_(None),
                Return.status.not_in(sorted(ENDED)),
                Return.received_at.is_not(None) | Return.scanned_at.is_not(None),
            )
            .order_by(Return.id)
            .limit(_BATCH)
        ).all()
    return sum(collect(runtime, tenant_id, return_id) for return_id in ids)


def collect(runtime: Runtime, tenant_id: str, return_id: str) -> bool:
    """Take what is due for one exchange, if its old goods are here and nothing is in the way; whether it was tried."""
    try:
        with runtime.unit_of_work(tenant_id) as session:
            begun = _begin(session, runtime, tenant_id, return_id)
            fault_point("before_t1_commit")
    except DomainError as refused:
        with runtime.unit_of_work(tenant_id) as session:
            _, order, _, row = locked(session, tenant_id, return_id)
            settling.blocked(session, order, row, refused)
        return False
    fault_point("after_t1_commit")
    if begun is None:
        return False
    payment, token = begun
    settle.settle_change(runtime, tenant_id, payment.id, charge.take(runtime, payment, token))
    return True


def _begin(session: Session, runtime: Runtime, tenant_id: str, return_id: str) -> tuple[Payment, str] | None:
    card, order, change, row = locked(session, tenant_id, return_id)
    due = settling.left_to_settle(row, lines_of(session, row))
    if row.status in ENDED or not row.to_charge or card is None or not any(due.values()):
        return None
    if _is_under_way(session, change):
        return None
    exchanging.check_undisputed(session, order, row)
    payment = _payment(session, runtime, order, change, row, card)
    return payment, charge.token_of(runtime, card)


def _payment(
    session: Session, runtime: Runtime, order: Order, change: OrderChange, row: Return, card: Consent
) -> Payment:
    assert row.pays_with is not None
    method = Method.model_validate(row.pays_with)
    payment = charge.payment_of(runtime, order, change, card, method, amount=row.to_charge)
    session.add(payment)
    session.flush()
    charge.hold_value(session, order, payment)
    card.payment_id = payment.id
    facts = {"amount": payment.amount, "currency": payment.currency, "consent": card.id, "return": row.id}
    audit.record(session, order.tenant_id, actor="system", action="payment.started", subject=payment.id, facts=facts)
    row.version += 1
    order.updated_at = clock.now()
    return payment


def _is_under_way(session: Session, change: OrderChange) -> bool:
    unsettled = sorted(settle.UNSETTLED)
    query = select(Payment.id).where(
        Payment.tenant_id == change.tenant_id, Payment.change_id == change.id, Payment.status.in_(unsettled)
    )
    return session.scalar(query.limit(1)) is not None

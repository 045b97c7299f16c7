"""The difference of an exchange that is paid once the old goods are here: taken by itself, then everything is settled.

Its shopper agreed to it with the exchange: the amount, and the way to pay. What cannot be taken stays owed: the return
names its problem, staff are told, and no goods go out.
"""

from __future__ import annotations

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
from engine.returns.deciding import each, locked
from engine.returns.models import Return
from engine.returns.states import ENDED
from engine.returns.taken import lines_of
from engine.runtime import Runtime


def collect_due(runtime: Runtime, tenant_id: str) -> int:
    """Take what is due for exchanges whose old goods are here; of how many."""
    came = Return.received_at.is_not(None) | Return.scanned_at.is_not(None)
    due = (Return.to_charge > 0) & Return.problem.is_(None) & Return.status.not_in(sorted(ENDED)) & came
    return each(runtime, tenant_id, due, collect)


def collect(runtime: Runtime, tenant_id: str, return_id: str) -> bool:
    """Take what is due for one exchange, if its old goods are here and nothing is in the way; whether it was tried.
    What needs nobody's word over a network is taken and settled in one transaction.
    """
    with runtime.unit_of_work(tenant_id) as session:
        card, order, change, row = locked(session, tenant_id, return_id)
        if card is None or not _is_due(session, row):
            return False
        try:
            with session.begin_nested():
                exchanging.check_undisputed(session, order, row)
                payment = _payment(session, runtime, order, change, row, card)
        except DomainError as refused:
            session.expire_all()
            settling.blocked(session, order, row, refused)
            return False
        token, left = charge.token_of(runtime, card), None
        if charge.is_here(payment):
            left = settle.settle_here(session, tenant_id, payment.id, charge.take(runtime, payment, token))
        fault_point("before_t1_commit")
    fault_point("after_t1_commit")
    if left is None:
        settle.settle_change(runtime, tenant_id, payment.id, charge.take(runtime, payment, token))
    else:
        settle.carry_out(runtime, tenant_id, left)
    return True


def _is_due(session: Session, row: Return) -> bool:
    if row.status in ENDED or not row.to_charge or row.problem is not None:
        return False
    due = settling.left_to_settle(row, lines_of(session, row))
    return any(due.values()) and not settle.is_under_way(session, row.tenant_id, row.change_id)


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

"""What follows once the difference of an exchange was taken, or could not be, when its old goods were here."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.kit.errors import DomainError
from engine.orders import service as orders
from engine.orders.models import AdjustmentKind, Order, OrderChange
from engine.orders.rates import weighed
from engine.payments.models import Payment
from engine.returns import rates, settling
from engine.returns.opening import of_change
from engine.returns.parcel import settle_due
from engine.returns.taken import lines_of


def took(session: Session, order: Order, change: OrderChange, payment: Payment) -> tuple[str, ...]:
    """The difference was taken: it is due and paid now, and the exchange is settled; the refunds to carry out."""
    row = of_change(session, change)
    assert row is not None
    amount, tax = row.to_charge, row.to_charge_tax
    assert payment.amount == amount
    row.to_charge, row.to_charge_tax = 0, 0
    row.charge, row.charge_tax, row.collected = row.charge + amount, row.charge_tax + tax, amount
    of_new = weighed(amount - tax, tax, rates.of_exchange(lines_of(session, row)))
    kind = AdjustmentKind.RETURN
    orders.adjust(session, order, kind=kind, amount=amount, tax=tax, return_id=row.id, rates=of_new)
    orders.touch(order)
    session.flush()
    return settle_due(session, order, row, actor="system")


def failed(session: Session, order: Order, change: OrderChange, refused: DomainError) -> None:
    """It could not be taken."""
    row = of_change(session, change)
    assert row is not None
    settling.blocked(session, order, row, refused)

"""The rows that a return's money leaves: refunds, what is due, the journal, and the step that caused them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.kit import audit, clock
from engine.kit.ids import new_id
from engine.orders import queries
from engine.orders import service as orders
from engine.orders.models import AdjustmentKind, Order
from engine.orders.money import OrderMoney
from engine.orders.rates import Piece
from engine.payments import refunds
from engine.payments.models import Refund
from engine.returns.models import Return, ReturnEvent, ReturnLine, ReturnStep


@dataclass(frozen=True, slots=True)
class Owed:
    """What some units give back; ``tax`` is part of ``amount``, ``fee`` is kept and in neither."""

    amount: int = 0
    tax: int = 0
    fee: int = 0

    def __add__(self, other: Owed) -> Owed:
        return Owed(self.amount + other.amount, self.tax + other.tax, self.fee + other.fee)


def money_of(session: Session, order: Order) -> OrderMoney:
    session.flush()
    return queries.parts_of(session, order.tenant_id, [order.id])[order.id].money(order)


def bounded(money: OrderMoney, owed: Owed) -> Owed:
    """No more than is left of what was paid; what the bank took for good went back by that."""
    amount = min(owed.amount, max(0, min(money.due, money.settled - money.lost)))
    return Owed(amount, min(owed.tax, amount, max(0, money.due_tax)), owed.fee)


def give_back(
    session: Session, order: Order, row: Return, owed: Owed, *, actor: str, word: str | None, unearned: int = 0
) -> list[Refund]:
    if not owed.amount:
        return []
    return refunds.request(
        session,
        order.tenant_id,
        order_id=order.id,
        amount=owed.amount,
        tax=owed.tax,
        unearned=unearned,
        reason=f"return:{row.number}",
        destination=row.refund_to,
        account_id=row.refund_account,
        requested_by=actor,
        change_id=row.change_id if row.keep else None,
        approved=word,
        return_id=row.id,
    )


def adjust(
    session: Session,
    order: Order,
    row: Return,
    amount: int,
    tax: int,
    made: Sequence[Refund],
    *,
    change_id: str | None = None,
    kind: AdjustmentKind = AdjustmentKind.RETURN,
    rates: Iterable[Piece] = (),
) -> None:
    refund_id = made[0].id if len(made) == 1 else None
    orders.adjust(
        session,
        order,
        kind=kind,
        amount=amount,
        tax=tax,
        change_id=change_id,
        refund_id=refund_id,
        return_id=row.id,
        rates=rates,
    )


def post_fee(session: Session, order: Order, step: ReturnEvent, fee: int) -> None:
    """Of what came back, what the shop keeps is earned."""
    finance.post(
        session,
        order.tenant_id,
        kind=postings.Kind.RETURN_FEE,
        subject=step.id,
        currency=order.currency,
        amounts=postings.return_fee(fee),
        order_id=order.id,
    )


def post_undone(session: Session, order: Order, step: ReturnEvent, amount: int, *, lost: int) -> None:
    """What was charged for goods that never leave, and went back before: it is owed no more."""
    by_bank = min(amount, lost)
    finance.post(
        session,
        order.tenant_id,
        kind=postings.Kind.EXCHANGE_UNDONE,
        subject=step.id,
        currency=order.currency,
        amounts=postings.exchange_undone(by_bank, amount - by_bank),
        order_id=order.id,
    )


def record(
    session: Session, row: Return, step: ReturnStep, units: Mapping[ReturnLine, int], owed: Owed, actor: str
) -> ReturnEvent:
    event = ReturnEvent(
        tenant_id=row.tenant_id,
        id=new_id("return_event"),
        return_id=row.id,
        step=step,
        lines=[{"return_line_id": line.id, "quantity": count} for line, count in units.items()],
        amount=owed.amount,
        tax=owed.tax,
        actor=actor,
        at=clock.now(),
    )
    session.add(event)
    facts = {"amount": owed.amount, "units": sum(units.values())}
    audit.record(session, row.tenant_id, actor=actor, action=f"return.{step}", subject=row.id, facts=facts)
    session.flush()
    return event

"""Exchanging goods that are here: the new line joins the order, paid by what came back."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.inventory import service as inventory
from engine.kit import clock
from engine.orders import service as orders
from engine.orders.changes.effect import Added
from engine.orders.models import AdjustmentKind, Order, OrderLine, OrderStatus
from engine.orders.money import OrderMoney
from engine.orders.rates import weighed
from engine.orders.states import ORDER
from engine.payments.errors import RefundBlockedByDispute
from engine.payments.models import Refund
from engine.returns import goods, money, news, rates
from engine.returns.models import Return, ReturnKind, ReturnLine, ReturnStep
from engine.returns.taken import lines_of


def exchange(
    session: Session, order: Order, row: Return, lines: Sequence[ReturnLine], *, actor: str, word: str | None
) -> list[Refund]:
    """The new goods are the order's, which goes on; what they cost less goes back. The refunds to carry out.

    Raises ``RefundBlockedByDispute``: what the bank took back pays for no new goods.
    """
    check_undisputed(session, order, row)
    tax = max(0, min(row.credit_tax - row.replacement_tax, row.refund))
    standing = money.money_of(session, order)
    owed = money.bounded(standing, money.Owed(row.refund, tax, row.fee))
    step = money.record(session, row, ReturnStep.EXCHANGED, {line: line.quantity for line in lines}, owed, actor)
    made = money.give_back(session, order, row, owed, actor=actor, word=word)
    withheld = row.refund - owed.amount
    back = row.credit - row.fee - withheld
    old, new = rates.of_returned(session, order, {line: line.quantity for line in lines}), rates.of_exchange(lines)
    charged = weighed(-(row.charge - row.charge_tax), -row.charge_tax, new)
    _add_lines(session, order, row, lines)
    money.adjust(session, order, row, row.replacement, row.replacement_tax, [], kind=AdjustmentKind.ITEMS, rates=new)
    money.adjust(
        session, order, row, -back - row.charge, -row.credit_tax - row.charge_tax, made, rates=[*old, *charged]
    )
    _post(session, order, row, step.id, owed, withheld)
    money.post_fee(session, order, step, row.fee)
    row.given += owed.amount
    _reopen(session, order)
    news.tell(session, order, row, "return.refunded", amount=owed.amount)
    return made


def check_undisputed(session: Session, order: Order, row: Return) -> None:
    """Raises ``RefundBlockedByDispute`` for an exchange of what the card's bank has taken back, or may."""
    if row.kind == ReturnKind.EXCHANGE and money.money_of(session, order).disputed:
        raise RefundBlockedByDispute("The card's bank has taken money of this order back: nothing goes out for it.")


def undo(session: Session, order: Order, row: Return, lines: Sequence[ReturnLine], *, actor: str) -> list[Refund]:
    """The exchange comes to nothing: its goods are free, and what was charged for it goes back."""
    made = give_charge_back(session, order, row, actor=actor)
    goods.let_go(session, row, lines)
    return made


def give_charge_back(session: Session, order: Order, row: Return, *, actor: str) -> list[Refund]:
    """What was charged for an exchange that comes to nothing, but for what went back before: by the card's bank for
    good, or as goodwill. Money is locked before stock: call it before what frees its goods.
    """
    if not row.charge:
        return []
    standing = money.money_of(session, order)
    owed = charge_owed(standing, row)
    step = money.record(session, row, ReturnStep.UNDONE, {}, owed, actor)
    net = owed.amount - owed.tax
    made = money.give_back(session, order, row, owed, actor=actor, word=row.change_id, unearned=net)
    new = weighed(-net, -owed.tax, rates.of_exchange(lines_of(session, row)))
    money.adjust(session, order, row, -owed.amount, -owed.tax, made, rates=new)
    money.post_undone(session, order, step, row.charge - row.charge_tax - net, lost=standing.lost)
    row.given += owed.amount
    orders.touch(order)
    return made


def charge_owed(standing: OrderMoney, row: Return) -> money.Owed:
    """What of the charge of an exchange goes back when it comes to nothing."""
    amount = min(row.charge, max(0, standing.settled - standing.lost))
    return money.Owed(amount, min(row.charge_tax, amount))


def _add_lines(session: Session, order: Order, row: Return, lines: Sequence[ReturnLine]) -> None:
    bought = orders.lines_of(session, order)
    _lock_stock(session, row, bought, lines)
    position = max(line.position for line in bought)
    for place, line in enumerate((one for one in lines if one.exchange), start=1):
        assert line.exchange is not None
        told = dict(line.exchange)
        new_id, one = told.pop("line_id"), Added.model_validate(told)
        new = OrderLine(
            tenant_id=order.tenant_id,
            id=new_id,
            order_id=order.id,
            position=position + place,
            ordered=one.quantity,
            return_id=row.id,
            change_id=row.change_id,
            **one.model_dump(exclude={"quantity", "later", "promised_on", "backorder", "notice"}),
        )
        session.add(new)
        session.flush()
        goods.promise(session, order, new, row.id)
    session.flush()


def _lock_stock(session: Session, row: Return, bought: Sequence[OrderLine], lines: Sequence[ReturnLine]) -> None:
    """What goes out and what came back: an inspection puts the one on its shelf in the transaction that promises the
    other, and stock is locked in one order.
    """
    of_line = {line.id: line.variant_id for line in bought}
    new = {line.exchange["variant_id"] for line in lines if line.exchange}
    old = {line.component_variant_id or of_line[line.order_line_id] for line in lines}
    inventory.lock_stock(session, row.tenant_id, new | old)


def _post(session: Session, order: Order, row: Return, subject: str, owed: money.Owed, withheld: int) -> None:
    """What came back pays for what goes out: returned sales become a deposit, and the tax follows."""
    net, new_net = row.credit - row.credit_tax, row.replacement - row.replacement_tax
    tax = row.replacement_tax - row.charge_tax - (row.credit_tax - owed.tax)
    returned = net - row.fee - withheld - (owed.amount - owed.tax)
    row.moved_tax += tax
    finance.post(
        session,
        order.tenant_id,
        kind=postings.Kind.EXCHANGE,
        subject=subject,
        currency=order.currency,
        amounts=postings.exchange(returned, new_net - (row.charge - row.charge_tax), tax),
        order_id=order.id,
    )


def _reopen(session: Session, order: Order) -> None:
    """There is something to send again."""
    orders.touch(order)
    if order.status == OrderStatus.CLOSED:
        order.status = ORDER.check(order.status, OrderStatus.OPEN)
        order.closed_at = None
    order.updated_at = clock.now()
    session.flush()

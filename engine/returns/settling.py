"""The money of goods that came back: refunds unit by unit, exchanges all at once, and what of it the books are told.

The caller holds the locks of the order and of the return. What a refund refuses leaves goods and rows as they are;
the return says what is in its way, and staff are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy.orm import Session

from engine.kit.errors import DomainError
from engine.orders import service as orders
from engine.orders.models import Order, OrderChange, OrderLine
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.models import Refund
from engine.returns import exchanging, money, news, rates
from engine.returns.models import Return, ReturnKind, ReturnLine, ReturnStatus, ReturnStep
from engine.returns.money import Owed
from engine.returns.states import finish
from engine.returns.taken import lines_of, parts_of, taken_before
from engine.returns.worth import some_of, whole_units

log = structlog.get_logger(__name__)
BLOCKED: Final = "return_refund_blocked"
"""Kind of the inbox item; its subject is the return."""


def owed_for(line: ReturnLine, units: int) -> Owed:
    """What ``units`` more of a line give back; all of them together are what was quoted."""
    net = line.goods - line.discount + line.shipping - line.fee - line.withheld + line.withheld_tax
    tax = line.tax + line.shipping_tax - line.withheld_tax
    parts = [some_of(amount, line.quantity, line.settled, units) for amount in (net, tax, line.fee)]
    return Owed(parts[0] + parts[1], parts[1], parts[2])


def settle_kept(session: Session, order: Order, row: Return, *, word: str | None) -> tuple[str, ...]:
    """Money for goods that need not come back, at once; its refund belongs to the change that agreed to it.

    Raises what refunds refuse.
    """
    lines = lines_of(session, row)
    made = _give(session, order, row, {line: line.quantity for line in lines}, actor=row.requested_by, word=word)
    finish(row, ReturnStatus.CLOSED, "Please keep the goods.")
    news.tell(session, order, row, "return.closed")
    return tuple(one.id for one in made)


def settle(
    session: Session,
    order: Order,
    row: Return,
    units: Mapping[ReturnLine, int],
    *,
    actor: str,
    word: str | None,
    strict: bool = False,
) -> tuple[str, ...]:
    """Give back what these units stand for, or exchange them; the refunds to carry out. What cannot be given now stays
    owed: the return names its problem, and staff are told; ``strict`` raises what refunds refuse instead.
    """
    due = {line: count for line, count in units.items() if count}
    if not due or row.to_charge:  # what is to be taken first is taken by ``collecting``
        return ()
    try:
        with session.begin_nested():
            made = _settle(session, order, row, due, actor=actor, word=word)
            session.flush()
    except DomainError as refused:
        if strict:
            raise
        session.expire_all()
        blocked(session, order, row, refused)
        return ()
    row.problem = None
    resolve_alert(session, row.tenant_id, BLOCKED, row.id)
    return tuple(one.id for one in made)


def word_of(session: Session, row: Return) -> str | None:
    """What lifts the limits of its refunds: the approval, or the shopper's own consent."""
    change = session.get_one(OrderChange, (row.tenant_id, row.change_id))
    return row.approval_id or change.consent_id


def left_to_settle(row: Return, lines: Sequence[ReturnLine]) -> dict[ReturnLine, int]:
    """Units whose money is due by what has come so far, and did not go back yet."""
    if row.kind == ReturnKind.EXCHANGE:
        whole = all(_ripe(row, line) == line.quantity for line in lines)
        return {line: line.quantity - line.settled for line in lines} if whole else {}
    return {line: max(0, _ripe(row, line) - line.settled) for line in lines}


def close_if_done(session: Session, order: Order, row: Return) -> None:
    """End a return of which everything came, was looked at, and was settled."""
    lines = lines_of(session, row)
    done = all(
        line.quantity == line.received == line.inspected and line.settled + line.rejected >= line.quantity
        for line in lines
    )
    if done and row.status == ReturnStatus.INSPECTED and row.problem is None and not row.to_charge:
        if row.kind == ReturnKind.EXCHANGE and any(line.rejected for line in lines):
            return  # somebody decides what becomes of the exchange
        finish(row, ReturnStatus.CLOSED, "Everything is here and settled.")
        news.tell(session, order, row, "return.closed")


def due_now(row: Return, lines: Sequence[ReturnLine]) -> int:
    """The money that is due by what has come so far, and did not go back yet."""
    units = left_to_settle(row, lines)
    if row.kind == ReturnKind.EXCHANGE:
        return row.refund if any(units.values()) else 0
    return sum(owed_for(line, count).amount for line, count in units.items())


def _ripe(row: Return, line: ReturnLine) -> int:
    match row.refund_at:
        case "inspected":
            return line.inspected - line.rejected
        case "in_transit" if row.scanned_at is not None:
            return line.quantity - line.rejected
        case _:
            return max(line.settled, line.received - line.rejected)


def _settle(
    session: Session, order: Order, row: Return, due: Mapping[ReturnLine, int], *, actor: str, word: str | None
) -> list[Refund]:
    if row.kind == ReturnKind.EXCHANGE:
        made = exchanging.exchange(session, order, row, list(due), actor=actor, word=word)
        _count(session, order, due)
        return made
    return _give(session, order, row, due, actor=actor, word=word)


def _give(
    session: Session, order: Order, row: Return, due: Mapping[ReturnLine, int], *, actor: str, word: str | None
) -> list[Refund]:
    owed = money.bounded(
        money.money_of(session, order), sum((owed_for(line, units) for line, units in due.items()), Owed())
    )
    step = money.record(session, row, ReturnStep.SETTLED, due, owed, actor)
    made = money.give_back(session, order, row, owed, actor=actor, word=word)
    change_id = row.change_id if row.keep else None
    back = rates.of_returned(session, order, due)
    money.adjust(session, order, row, -owed.amount, -owed.tax, made, change_id=change_id, rates=back)
    money.post_fee(session, order, step, owed.fee)
    row.given += owed.amount
    _count(session, order, due)
    orders.touch(order)
    news.tell(session, order, row, "return.refunded", amount=owed.amount)
    return made


def _count(session: Session, order: Order, due: Mapping[ReturnLine, int]) -> None:
    """The units are back: of a bundle, those of which every part is."""
    for line, units in due.items():
        line.settled += units
    session.flush()
    back = settled_units(session, order)
    for bought in orders.lines_of(session, order):
        bought.returned = back.get(bought.id, bought.returned)
    session.flush()


def settled_units(session: Session, order: Order) -> dict[str, int]:
    """Order line → units of which everything was settled."""
    lines: dict[str, OrderLine] = {line.id: line for line in orders.lines_of(session, order)}
    done = taken_before(session, order.tenant_id, order.id, settled=True)
    return {line_id: whole_units(parts_of(session, lines[line_id]), taken) for line_id, taken in done.lines.items()}


def blocked(session: Session, order: Order, row: Return, refused: DomainError) -> None:
    """What is due for a return cannot be done: it names its problem, and staff are told."""
    log.warning("return not refunded", return_id=row.id, code=refused.code)
    row.problem = refused.code
    words = f"Return {row.number} of order {order.number} is here, and cannot be settled: {refused.message}"
    raise_alert(session, row.tenant_id, BLOCKED, row.id, words, facts={"order": order.id, "code": refused.code})

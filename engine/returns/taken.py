"""What of an order has come back, or is agreed to: by line, in units and money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.kit.gathering import Rows, Wanted, fetch
from engine.orders.models import Order, OrderLine
from engine.orders.replacements import REPLACED, counted, replaced
from engine.orders.shares import NOTHING, Worth
from engine.returns.models import Return, ReturnKind, ReturnLine, ReturnStatus
from engine.returns.states import ENDED, GIVEN_UP
from engine.returns.worth import Part, Taken, some_of
from engine.warranties.spoken import SPOKEN, read

_STANDS: Final = f"""r.tenant_id = %(tenant_id)s AND r.order_id = %(order_id)s
  AND r.status NOT IN ({", ".join(f"'{status.value}'" for status in sorted(GIVEN_UP))})"""
_RETURNS: Final = Rows(Return, _STANDS, order="r.id")
_LINES: Final = Rows(
    ReturnLine,
    f"""r.tenant_id = %(tenant_id)s AND r.return_id = ANY(ARRAY(SELECT r.id FROM app.returns r WHERE {_STANDS}))""",  # noqa: S608 (our own words)
    order="r.return_id, r.position",
)


@dataclass(slots=True)
class Before:
    """Everything of one order that other returns have taken, or are to take."""

    lines: dict[str, Taken] = field(default_factory=dict)
    shipping: Worth = NOTHING
    """``goods`` is the fee, ``tax`` its tax."""
    shipping_net: dict[str, int] = field(default_factory=dict)
    """Reason → what goods that came back for money were paid, without tax."""
    exchanged_net: int = 0
    """What goods that came back for others were paid, without tax: those others stand in their place."""
    outstanding: int = 0
    """What open returns are still to give back."""
    outstanding_tax: int = 0
    count: int = 0
    """Returns that were not given up."""
    kept: int = 0
    """What was given back for goods that stayed with the shopper."""
    unseen: int = 0
    """What returns that nobody of the shop looked at count for."""

    def of(self, line_id: str) -> Taken:
        return self.lines.get(line_id, Taken())


def taken_before(
    session: Session, tenant_id: str, order_id: str, *, settled: bool = False, but: str | None = None
) -> Before:
    """What the order's returns stand for, those left out that came to nothing, what warranties did for its units
    (that of the warranty ``but`` left out), and what was sent once more for them; ``settled``: only units whose money
    went back.
    """
    return taken_with(session, tenant_id, order_id, settled=settled, but=but)[0]


def taken_with(
    session: Session, tenant_id: str, order_id: str, *wanted: Wanted, settled: bool = False, but: str | None = None
) -> tuple[Before, list[list[Any]]]:
    """The same, and in the same trip what else is ``wanted``."""
    found = Before()
    known = {"tenant_id": tenant_id, "order_id": order_id, "but": but}
    own = ((one, known) for one in (_RETURNS, _LINES, SPOKEN, REPLACED))
    every, lines, spoken, again, *more = fetch(session, *own, *wanted)
    of_id = {row.id: row for row in every}
    rows = [(of_id[line.return_id], line) for line in lines]
    for row, line in rows:
        _add(found, row, line, settled=settled)
    for one in read(spoken):
        taken = found.of(one.line_id).plus(one.refunded, one.part, one.worth)
        found.lines[one.line_id] = taken if settled else taken.without(one.gone, one.part)
    if not settled:
        _leave_replaced(session, tenant_id, counted(again), found)
    opened = {row.id: row for row, _ in rows if row.status not in ENDED}
    kept = {row.id: row for row, _ in rows}.values()
    found.count = len(kept)
    found.kept = sum(row.credit for row in kept if row.keep)
    unseen = [row for row in kept if row.approved_by is None and row.status != ReturnStatus.REQUESTED]
    found.unseen = sum(row.credit for row in unseen)
    found.outstanding = sum(row.credit - row.fee for row in opened.values()) - _settled(rows)
    found.outstanding_tax = sum(row.credit_tax for row in opened.values())
    return found, more


def unanswered(session: Session, order: Order, lines: Sequence[OrderLine]) -> dict[str, int]:
    """Line → how many of its units left and were not made up for: they did not come back and are not to, no warranty
    made them good, and they were not sent once more. Below nothing: units that did not leave, or are with the shop
    again, were sent once more all the same.
    """
    again = replaced(session, order.tenant_id, order.id)
    taken = taken_before(session, order.tenant_id, order.id)
    return {line.id: _unanswered(line, taken.of(line.id), again[line.id]) for line in lines}


def _unanswered(line: OrderLine, taken: Taken, again: int) -> int:
    """``taken`` leaves out what was sent again for units that never arrived: they cannot come back."""
    arrived = max(0, again - (line.shipped - line.delivered))
    return line.shipped - max(line.returned, taken.whole) - taken.gone - (again - arrived)


def lines_of(session: Session, row: Return) -> list[ReturnLine]:
    """The return's lines, locked, in their order."""
    found = session.scalars(
        select(ReturnLine)
        .where(ReturnLine.tenant_id == row.tenant_id, ReturnLine.return_id == row.id)
        .order_by(ReturnLine.position)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(found)


def parts_of(session: Session, line: OrderLine) -> list[Part]:
    """The parts of a bundle with their list prices: those of the purchase, or where it kept none today's."""
    if not line.components:
        return []
    ids = [row["variant_id"] for row in line.components]
    rows = session.execute(
        select(Variant.id, Variant.price).where(Variant.tenant_id == line.tenant_id, Variant.id.in_(ids))
    )
    today = {row.id: row.price for row in rows}
    return [
        Part(row["variant_id"], row["quantity"], row.get("price", today.get(row["variant_id"], 0)), row.get("share", 0))
        for row in line.components
    ]


def keep_prices(line: OrderLine, parts: Sequence[Part]) -> None:
    """From the first part that comes back on, a bundle is split by the same prices."""
    prices = {one.variant_id: one.price for one in parts}
    kept = [{"price": prices[row["variant_id"]]} | row for row in line.components]
    if kept != line.components:
        line.components = kept


def _add(found: Before, row: Return, line: ReturnLine, *, settled: bool) -> None:
    done = line.settled + line.rejected
    units = done if row.status == ReturnStatus.CLOSED else line.quantity
    if settled:
        units = line.settled
    given = Worth(*(some_of(amount, line.quantity, 0, units) for amount in (line.goods, line.discount, line.tax)))
    before = found.of(line.order_line_id)
    found.lines[line.order_line_id] = before.plus(units, line.component_variant_id, given, at=row.created_at)
    fee, tax = (some_of(amount, line.quantity, 0, units) for amount in (line.shipping, line.shipping_tax))
    found.shipping += Worth(fee, 0, tax)
    if row.kind == ReturnKind.EXCHANGE:
        gone = (some_of(amount, line.quantity, 0, line.settled) for amount in (line.goods, line.discount))
        found.exchanged_net += next(gone) - next(gone)
        return
    found.shipping_net[line.reason] = found.shipping_net.get(line.reason, 0) + given.net


def _leave_replaced(session: Session, tenant_id: str, again: Mapping[str, int], found: Before) -> None:
    """Units that were sent once more do not come back for money; those that never arrived are the first of them."""
    for line_id, units in again.items():
        line = session.get_one(OrderLine, (tenant_id, line_id))
        arrived = max(0, units - (line.shipped - line.delivered))
        found.lines[line_id] = found.of(line_id).without(arrived, None)


def _settled(rows: Sequence[tuple[Return, ReturnLine]]) -> int:
    """Of what open returns stand for, what went back already."""
    return sum({row.id: row.given for row, _ in rows if row.status not in ENDED}.values())

"""At which tax rates goods that came back were sold, and those that take their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from engine.orders import service as orders
from engine.orders.changes.effect import Added
from engine.orders.documents.paper import RateBook
from engine.orders.models import Order
from engine.orders.rates import Piece, added_up
from engine.returns.models import ReturnLine
from engine.returns.worth import some_of


def of_returned(session: Session, order: Order, units: Mapping[ReturnLine, int]) -> list[Piece]:
    """What ``units`` more of the lines give back: the goods at the rate of their own line, the shipping at its own."""
    bought = {line.id: line for line in orders.lines_of(session, order)}
    book = RateBook.of(session, order, list(bought.values()))
    found = []
    for line, count in units.items():
        net = line.goods - line.discount - line.fee - line.withheld + line.withheld_tax
        own = (_some(line, net, count), _some(line, line.tax - line.withheld_tax, count))
        fee = (_some(line, line.shipping, count), _some(line, line.shipping_tax, count))
        found += [-Piece(book.of_line(bought[line.order_line_id]), *own), -Piece(book.of_shipping(order), *fee)]
    return added_up(found)


def of_added(added: Iterable[Added]) -> list[Piece]:
    """What the new lines cost."""
    return added_up(
        Piece(sum(int(part["rate_ppm"]) for part in one.taxes), one.total - one.tax, one.tax) for one in added
    )


def of_exchange(lines: Iterable[ReturnLine]) -> list[Piece]:
    """What the lines' replacements cost."""
    told = [{key: value for key, value in line.exchange.items() if key != "line_id"} for line in lines if line.exchange]
    return of_added(Added.model_validate(one) for one in told)


def _some(line: ReturnLine, amount: int, units: int) -> int:
    return some_of(amount, line.quantity, line.settled, units)

"""Computed statuses, in Python and in the database's words, and the filters that rest on them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, text, update

from engine.checkout.complete import complete
from engine.kit import clock
from engine.kit.errors import InvalidInput
from engine.kit.identity import Actor, Identity, Scope
from engine.orders import queries
from engine.orders.filters import OrderFilter
from engine.orders.models import AdjustmentKind, Order, OrderAdjustment, OrderLine
from engine.orders.money import OrderMoney
from engine.orders.status import FulfillmentState, PaymentState, fulfillment_status, payment_status
from engine.payments.models import Dispute, Refund
from tests.shop import Shop

F, P = FulfillmentState, PaymentState
NOTHING = {"canceled": 0, "allocated": 0, "released": 0, "shipped": 0, "delivered": 0, "returned": 0}
LIVES = [
    ([{"allocated": 2}], F.UNFULFILLED),
    ([{"allocated": 1}], F.BACKORDERED),
    ([{"canceled": 2}], F.CANCELED),
    ([{"canceled": 1, "allocated": 1}], F.UNFULFILLED),
    ([{"allocated": 2, "released": 1}], F.PROCESSING),
    ([{"allocated": 1, "released": 1}], F.PROCESSING),
    ([{"allocated": 2, "released": 2, "shipped": 1}], F.PARTIALLY_SHIPPED),
    ([{"allocated": 1, "canceled": 1, "released": 1, "shipped": 1}], F.SHIPPED),
    ([{"allocated": 2, "released": 2, "shipped": 2}], F.SHIPPED),
    ([{"allocated": 2, "released": 2, "shipped": 2, "delivered": 1}], F.PARTIALLY_DELIVERED),
    ([{"allocated": 2, "released": 2, "shipped": 2, "delivered": 2}], F.DELIVERED),
    ([{"allocated": 2, "released": 2, "shipped": 2, "delivered": 2, "returned": 1}], F.PARTIALLY_RETURNED),
    ([{"allocated": 2, "released": 2, "shipped": 2, "delivered": 2, "returned": 2}], F.RETURNED),
    ([{"allocated": 2, "released": 2, "shipped": 2, "delivered": 2}, {"allocated": 2}], F.PARTIALLY_SHIPPED),
]
"""Quantities of each line of two units, and what they come to."""
ARRIVED = {"allocated": 2, "released": 2, "shipped": 2, "delivered": 2}
EXCHANGES = [
    ([ARRIVED | {"returned": 2}, ARRIVED], F.EXCHANGED),
    ([ARRIVED | {"returned": 2}, {"allocated": 2}], F.PARTIALLY_SHIPPED),
    ([ARRIVED | {"returned": 2}, ARRIVED | {"returned": 1}], F.PARTIALLY_RETURNED),
]
"""The second line takes the place of the first."""


def lines(rows: list[dict[str, int]], *, exchange: bool = False) -> list[OrderLine]:
    found = [OrderLine(id=f"oli_{i}", ordered=2, **(NOTHING | row)) for i, row in enumerate(rows)]
    if exchange:
        found[1].replaces_line_id = "oli_0"
    return found


@pytest.mark.parametrize(("rows", "status"), LIVES)
def test_fulfillment_status(rows: list[dict[str, int]], status: FulfillmentState) -> None:
    assert fulfillment_status(lines(rows)) == status


@pytest.mark.parametrize(("rows", "status"), EXCHANGES)
def test_an_exchange_is_no_return(rows: list[dict[str, int]], status: FulfillmentState) -> None:
    assert fulfillment_status(lines(rows, exchange=True)) == status


@pytest.mark.parametrize(
    ("money", "status"),
    [
        (OrderMoney(), P.UNPAID),
        (OrderMoney(held=100), P.AUTHORIZED),
        (OrderMoney(captured=40, held=60, paid=True), P.AUTHORIZED),
        (OrderMoney(captured=100, paid=True), P.PAID),
        (OrderMoney(paid=True), P.PAID),
        (OrderMoney(captured=100, refunding=40, paid=True), P.PAID),
        (OrderMoney(captured=100, refunded=40, paid=True), P.PARTIALLY_REFUNDED),
        (OrderMoney(captured=100, refunded=100, paid=True), P.REFUNDED),
        (OrderMoney(captured=200, swapped=100, paid=True), P.PAID),
        (OrderMoney(captured=200, swapped=100, refunded=100, paid=True), P.REFUNDED),
        (OrderMoney(captured=100, refunded=40, disputed=60, paid=True), P.DISPUTED),
    ],
)
def test_payment_status(money: OrderMoney, status: PaymentState) -> None:
    assert payment_status(money) == status


def staff(shop: Shop) -> Identity:
    return Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))


def bought(shop: Shop, *skus: str) -> str:
    """A paid order of two of each; returns its id."""
    buyer = shop.shopper()
    for sku in skus[1:]:
        shop.fill(buyer, sku, 2)
    done = complete(shop.runtime, buyer, shop.approved(buyer, skus[0], 2))
    assert done.order is not None
    return done.order.id


def found(shop: Shop, **wanted: object) -> list[str]:
    with shop.uow() as session:
        page = queries.own_orders(session, staff(shop), wanted=OrderFilter(**wanted))  # type: ignore[arg-type]
        return [order.id for order in page.items]


def test_the_database_computes_fulfillment_as_python_does(shop: Shop) -> None:
    for sku in ("A", "B"):
        shop.add(sku)
    one, two = bought(shop, "A"), bought(shop, "A", "B")
    for rows, status in LIVES + EXCHANGES:
        order_id, exchange = (one if len(rows) == 1 else two), (rows, status) in EXCHANGES
        with shop.uow() as session:
            kept = session.query(OrderLine).filter_by(order_id=order_id).order_by(OrderLine.position).all()
            for line, row in zip(kept, rows, strict=True):
                values = NOTHING | row | {"replaces_line_id": None}
                session.execute(update(OrderLine).where(OrderLine.id == line.id).values(values))
            if exchange:
                kept[1].replaces_line_id = kept[0].id
        assert order_id in found(shop, fulfillment_status=status), (rows, status)
        with shop.uow() as session:
            assert queries.order_by_id(session, shop.tenant.id, order_id).fulfillment_status == status


def test_the_database_computes_payment_as_python_does(shop: Shop) -> None:
    shop.add("A", price=1000)
    order_id = bought(shop, "A")

    def both(status: str) -> None:
        assert found(shop, payment_status=status) == [order_id]
        with shop.uow() as session:
            assert queries.order_by_id(session, shop.tenant.id, order_id).payment_status == status

    both("paid")
    with shop.uow() as session:
        payment_id = session.execute(text("SELECT id FROM app.payments")).scalar_one()
        base = {"tenant_id": shop.tenant.id, "payment_id": payment_id, "order_id": order_id}
        session.add(Refund(id="rfd_1", amount=300, currency="USD", reason="x", status="succeeded", **base))
    both("partially_refunded")
    with shop.uow() as session:
        session.add(
            OrderAdjustment(
                tenant_id=shop.tenant.id, id="adj_1", order_id=order_id, kind=AdjustmentKind.PAYMENT_METHOD,
                amount=0, tax=0, refund_id="rfd_1",
            )
        )  # fmt: skip
    both("paid")
    with shop.uow() as session:
        session.execute(text("UPDATE app.payments SET status = 'authorized'"))
        session.execute(text("UPDATE app.captures SET status = 'failed'"))
    both("authorized")
    with shop.uow() as session:
        session.execute(text("UPDATE app.payments SET status = 'captured'"))
        lost = {"gateway": "sandbox", "amount": 100, "fee": 0, "currency": "USD", "reason": "x", "status": "lost"}
        session.add(Dispute(id="dp_1", gateway_dispute_id="du_1", opened_at=clock.now(), **lost, **base))
    both("disputed")
    with shop.uow() as session:
        session.execute(text("UPDATE app.disputes SET status = 'won'"))
    with shop.uow() as session:
        session.execute(text("UPDATE app.payments SET status = 'voided'"))
    both("unpaid")


def test_filters_narrow_and_page(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 50})
    orders = [bought(shop, "A") for _ in range(4)]
    with shop.uow() as session:
        last = session.get_one(Order, (shop.tenant.id, orders[-1]))
        number, owner, placed = last.number, last.owner_id, last.placed_at
        last.status = "on_hold"
    assert placed is not None
    assert found(shop, status="on_hold") == [orders[-1]]
    assert found(shop, q=f"#{number.lower()}") == [orders[-1]]
    assert found(shop, q="ADA@example.com") == orders[::-1]
    assert found(shop, q="nobody@example.com") == []
    assert found(shop, customer=owner) == [orders[-1]]
    assert found(shop, placed_from=placed) == [orders[-1]]
    assert found(shop, placed_to=placed) == orders[-2::-1]
    assert found(shop, placed_from=clock.now() + timedelta(hours=1)) == []
    with shop.uow() as session:
        wanted = OrderFilter(q="ada@example.com", payment_status="paid")
        first = queries.own_orders(session, staff(shop), limit=3, wanted=wanted)
        rest = queries.own_orders(session, staff(shop), limit=3, cursor=first.next_cursor, wanted=wanted)
    assert [o.id for o in (*first.items, *rest.items)] == orders[::-1]
    assert rest.next_cursor is None
    for bad in ({"status": "pending"}, {"payment_status": "lost"}, {"fulfillment_status": "gone"}):
        with pytest.raises(InvalidInput):
            found(shop, **bad)
    with pytest.raises(InvalidInput, match="time zone"):
        found(shop, placed_from=clock.now().replace(tzinfo=None))


def test_a_page_costs_the_same_number_of_statements_whatever_its_length(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 50})
    counts = []
    for _ in range(2):
        for _ in range(3):
            bought(shop, "A")
        seen: list[str] = []
        listen = lambda *args: seen.append(args[2])  # noqa: E731, B023
        event.listen(shop.runtime.store.engine, "before_cursor_execute", listen)
        with shop.uow() as session:
            queries.own_orders(session, staff(shop), limit=100)
        event.remove(shop.runtime.store.engine, "before_cursor_execute", listen)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 12

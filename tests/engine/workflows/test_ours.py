"""Our own engine as a storefront: what it tells of an order, and parcels that a partner sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.fulfillment.policies import FulfillmentPolicy
from engine.fulfillment.shipments import accept
from engine.kit import clock
from engine.runtime import Runtime
from engine.sync.canonical import OURS, Parcel, ParcelItem, Parcels
from engine.sync.connectors import NotSupported
from engine.sync.errors import Rejected
from engine.sync.recording import Recording
from engine.workflows import ours
from tests.engine.fulfillment.conftest import Warehouse
from tests.engine.orders.desk import buy
from tests.shop import Shop


@pytest.fixture
def house(shop: Shop) -> Warehouse:
    made = Warehouse(shop)
    made.policy(FulfillmentPolicy, partners={"EAST": "dcl"})
    shop.add("A", price=5000, stock={"EAST": 10})
    shop.add("B", price=1999, stock={"EAST": 10})
    return made


def shipment(number: str, *parcels: tuple[str, dict[str, int]]) -> Parcels:
    return Parcels(
        source="dcl",
        account="20001",
        source_id="s1",
        order_ref=number,
        parcels=tuple(
            Parcel(
                ref=f"C-{tracking}",
                tracking_number=tracking,
                carrier="UPS",
                service="Ground",
                items=tuple(ParcelItem(sku=sku, quantity=units) for sku, units in items.items()),
            )
            for tracking, items in parcels
        ),
        shipped_at=clock.now(),
    )


def front(runtime: Runtime, house: Warehouse) -> ours.Ours:
    return ours.storefront(runtime, house.tenant_id)


def test_an_order_of_ours_adds_up_in_canonical_words(runtime: Runtime, house: Warehouse) -> None:
    order_id = house.buy(A=3, B=1)
    row, told = house.order(order_id), front(runtime, house).order(order_id)

    assert (told.source, told.account, told.source_id) == (OURS, house.shop.tenant.slug, order_id)
    assert (told.source_ref, told.currency, told.total, told.tax) == (row.number, "USD", row.total, row.tax)
    assert [(line.sku, line.quantity, line.unit_price) for line in told.lines] == [("A", 3, 5000), ("B", 1, 1999)]
    assert sum(one.price for one in told.shipping) == row.shipping
    assert [(one.amount, one.gateway) for one in told.payments] == [(row.total, "sandbox")]
    assert told.ship_to is not None
    assert (told.ship_to.line_one, told.ship_to.country) == (row.ship_to["line_one"], "US")


def test_orders_since_a_moment_are_those_that_changed_since(runtime: Runtime, house: Warehouse) -> None:
    first = house.buy(A=1)
    since = clock.now()
    second = house.buy(A=1)
    asked = front(runtime, house)
    assert [one.source_id for one in asked.orders_since(since)] == [second]
    assert {one.source_id for one in asked.orders_since(since - timedelta(hours=1))} == {first, second}


def test_an_order_that_was_never_placed_is_none(runtime: Runtime, house: Warehouse) -> None:
    with pytest.raises(Rejected):
        front(runtime, house).order("ord_none")


def test_each_parcel_is_a_shipment_once(runtime: Runtime, house: Warehouse) -> None:
    order_id = house.buy(A=3, B=1)
    house.release(order_id)
    number = house.order(order_id).number
    left = shipment(number, ("1Z1", {"A": 2}), ("1Z2", {"A": 1, "B": 1}))

    first = front(runtime, house).ship(order_id, left)
    second = front(runtime, house).ship(order_id, left)

    assert second == first
    assert [(one.carrier, one.tracking_number, one.service) for one in house.shipments(order_id)] == [
        ("UPS", "1Z1", "Ground"),
        ("UPS", "1Z2", "Ground"),
    ]
    assert [line.shipped for line in house.lines(order_id).values()] == [3, 1]
    assert house.broken() == []


def test_more_than_is_left_is_refused_and_nothing_is_shipped(runtime: Runtime, house: Warehouse) -> None:
    order_id = house.buy(A=1)
    house.release(order_id)
    with pytest.raises(Rejected, match="1 more left the warehouse"):
        front(runtime, house).ship(order_id, shipment(house.order(order_id).number, ("1Z1", {"A": 2})))
    assert house.shipments(order_id) == []


def test_what_no_partner_has_nobody_else_ships(runtime: Runtime, house: Warehouse) -> None:
    order_id = house.buy(A=1)
    with pytest.raises(Rejected, match="0 pieces of work"):
        front(runtime, house).ship(order_id, shipment(house.order(order_id).number, ("1Z1", {"A": 1})))


def test_in_the_shadow_nothing_is_shipped(runtime: Runtime, house: Warehouse) -> None:
    order_id = house.buy(A=1)
    house.release(order_id)
    shadow = ours.storefront(runtime, house.tenant_id, shadow=Recording())
    assert shadow.ship(order_id, shipment(house.order(order_id).number, ("1Z1", {"A": 1}))) == []
    assert house.shipments(order_id) == []


def test_goods_that_left_answer_a_cancel_with_no(runtime: Runtime, house: Warehouse) -> None:
    desk = buy(house.shop, "A", 2)
    [work_id] = house.release(desk.order_id)
    with house.shop.uow() as session:
        accept(session, house.tenant_id, work_id)
    desk.do("cancel", reason="other")
    assert house.work(work_id).status == "cancel_requested"

    left = shipment(house.order(desk.order_id).number, ("1Z1", {"A": 2}))
    front(runtime, house).ship(desk.order_id, left)

    order = desk.look()
    assert (house.work(work_id).status, order.status, order.changes[0].status) == ("shipped", "open", "refused")
    assert house.broken() == []


def test_it_does_nothing_that_a_platform_alone_does(runtime: Runtime, house: Warehouse) -> None:
    with pytest.raises(NotSupported):
        front(runtime, house).native_bundles()


def test_cartons_under_one_number_are_packages_of_one_shipment(runtime: Runtime, house: Warehouse) -> None:
    order_id = house.buy(A=3, B=1)
    (work_id,) = house.release(order_id)
    both = shipment("x", ("1Z-ALL", {"A": 1, "B": 1}), ("1Z-ALL", {"A": 2}))
    made = front(runtime, house).ship(order_id, both)

    (sent,) = house.shipments(order_id)
    assert (made, sent.tracking_number, house.work(work_id).status) == ([sent.id], "1Z-ALL", "shipped")
    units = [sum(int(item["quantity"]) for item in box["items"]) for box in sent.packages]
    assert units == [2, 2]
    assert front(runtime, house).ship(order_id, both) == made
    assert house.broken() == []

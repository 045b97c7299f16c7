"""From a paid order to parcels on their way: stock, order and books move together, once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from engine.fulfillment import release, shares
from engine.fulfillment.errors import (
    NothingToRelease,
    NothingToShip,
    NotReleasable,
    StaleVersion,
    TrackingNumberTaken,
)
from engine.fulfillment.policies import FulfillmentPolicy, RoutingPolicy
from engine.fulfillment.release import release_due
from engine.fulfillment.shipments import Handover, Package, accept, ship, ship_now
from engine.inventory.models import MovementKind, StockMovement
from engine.kit import clock, faults
from engine.kit.errors import InvalidInput, NotFound
from engine.orders.models import Order, OrderStatus, Shipment, ShipmentStatus
from engine.runtime import Runtime
from tests.engine.checkout.test_complete import Killed, die_at
from tests.engine.fulfillment.conftest import Warehouse

Placed = Callable[[], tuple[str, list[str]]]


def shipped_in(warehouse: Warehouse, fulfillment_id: str, **kwargs: Any) -> Shipment:
    return warehouse.shipment(ship_now(warehouse.shop.runtime, warehouse.tenant_id, fulfillment_id, **kwargs))


def test_an_order_is_handed_to_the_places_its_units_are_reserved_at(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    lines = warehouse.lines(order_id)
    given = {
        (place, line.order_line_id): line.quantity
        for one in works
        for line in warehouse.work_lines(one)
        for place in [warehouse.work(one).location_id]
    }
    east, west = warehouse.shop.locations["EAST"], warehouse.shop.locations["WEST"]
    assert given == {(east, lines["A"].id): 3, (west, lines["B"].id): 1}
    assert [warehouse.work(one).status for one in works] == ["released", "released"]
    assert [(line.released, line.shipped) for line in lines.values()] == [(3, 0), (1, 0)]
    assert warehouse.work(works[0]).routing["words"]
    with pytest.raises(NothingToRelease):
        warehouse.release(order_id)
    assert warehouse.broken() == []


def test_a_better_place_takes_over_at_release(warehouse: Warehouse) -> None:
    warehouse.shop.add("A", stock={"EAST": 5})
    order_id = warehouse.buy(A=2)
    from tests.shop import Allocation, receive

    with warehouse.shop.uow() as session:
        units = [Allocation(warehouse.shop.variants["A"], warehouse.shop.locations["WEST"], 4)]
        receive(session, warehouse.tenant_id, units, kind=MovementKind.RECEIPT, subject="test")
    [work_id] = warehouse.release(order_id)
    assert warehouse.work(work_id).location_id == warehouse.shop.locations["WEST"]
    assert warehouse.work(work_id).routing["moved"] is True
    assert warehouse.broken() == []


def test_routing_leaves_units_where_they_are_when_the_policy_says_so(warehouse: Warehouse) -> None:
    warehouse.policy(RoutingPolicy, reroute_at_release=False)
    warehouse.shop.add("A", stock={"EAST": 5, "WEST": 5})
    order_id = warehouse.buy(A=2)
    with warehouse.shop.uow() as session:
        session.get_one(Order, (warehouse.tenant_id, order_id)).ship_to = {"country": "US", "state": "OH"}
    [work_id] = warehouse.release(order_id)
    assert warehouse.work(work_id).location_id == warehouse.shop.locations["WEST"]
    assert warehouse.work(work_id).routing["moved"] is False


def test_a_held_order_is_neither_released_nor_shipped(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    with warehouse.shop.uow() as session:
        session.get_one(Order, (warehouse.tenant_id, order_id)).status = OrderStatus.ON_HOLD
    for attempt in (lambda: warehouse.release(order_id), lambda: shipped_in(warehouse, works[0])):
        with pytest.raises(NotReleasable):
            attempt()
    assert warehouse.shipments(order_id) == []
    assert all(line.shipped == 0 for line in warehouse.lines(order_id).values())


def test_parcels_earn_what_they_hold_and_the_first_one_the_shipping(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    before = warehouse.books()
    by_size = sorted(works, key=lambda one: -warehouse.work_lines(one)[0].quantity)
    line = warehouse.lines(order_id)["A"]
    shipped_in(warehouse, by_size[0], packages=[Package({line.id: 2}, weight_g=1_250)])
    assert warehouse.work(by_size[0]).status == "partially_shipped"
    gained = {k: v - before.get(k, 0) for k, v in warehouse.books().items() if v != before.get(k, 0)}
    assert gained == {
        "customer_deposits": 10_595,
        "revenue": -10_000,
        "shipping_revenue": -595,
        "cogs": 5_000,
        "inventory": -5_000,
    }
    shipped_in(warehouse, by_size[0])
    shipped_in(warehouse, by_size[1])
    assert [warehouse.work(one).status for one in works] == ["shipped", "shipped"]
    assert [line.shipped for line in warehouse.lines(order_id).values()] == [3, 1]
    books = warehouse.books()
    assert "customer_deposits" not in books
    assert (books["revenue"], books["shipping_revenue"]) == (-16_999, -595)
    assert warehouse.broken() == []


def test_the_parcel_knows_its_boxes_and_the_shelf_is_lighter(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    work_id = next(one for one in works if warehouse.work_lines(one)[0].quantity == 3)
    line = warehouse.lines(order_id)["A"]
    made = shipped_in(warehouse, work_id, packages=[Package({line.id: 2}), Package({line.id: 1}, weight_g=777)])
    assert made.packages == [
        {"weight_g": 1000, "items": [{"order_line_id": line.id, "quantity": 2}]},
        {"weight_g": 777, "items": [{"order_line_id": line.id, "quantity": 1}]},
    ]
    assert made.lines == [{"order_line_id": line.id, "quantity": 3}]
    assert (made.status, made.carrier, made.service) == (ShipmentStatus.LABEL_CREATED, "Sandbox Post", "Standard")
    assert made.label_cost == 840
    with warehouse.shop.uow() as session:
        promised = session.get_one(Order, (warehouse.shop.tenant.id, order_id)).fulfillment["latest"]
        assert made.expected_on is not None
        assert made.expected_on.isoformat() == promised
        moved = session.execute(
            select(StockMovement.location_id, func.sum(StockMovement.on_hand_delta))
            .where(StockMovement.kind == MovementKind.SHIP, StockMovement.subject == made.id)
            .group_by(StockMovement.location_id)
        ).all()
    assert [tuple(row) for row in moved] == [(warehouse.shop.locations["EAST"], -3)]


def test_what_is_not_there_does_not_ship_and_nothing_changes(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    work_id = next(one for one in works if warehouse.work_lines(one)[0].quantity == 3)
    lines = warehouse.lines(order_id)
    tries: list[tuple[type[Exception], dict[str, Any]]] = [
        (NothingToShip, {"packages": [Package({lines["A"].id: 4})]}),
        (NothingToShip, {"packages": [Package({lines["B"].id: 1})]}),
        (NothingToShip, {"packages": [Package({"oli_nobody": 1})]}),
        (NothingToShip, {"packages": []}),
        (InvalidInput, {"packages": [Package({})]}),
        (InvalidInput, {"packages": [Package({lines["A"].id: 0})]}),
        (InvalidInput, {"handover": Handover(carrier="UPS")}),
        (StaleVersion, {"version": 7}),
    ]
    before = warehouse.books()
    for error, kwargs in tries:
        with pytest.raises(error), warehouse.shop.uow() as session:
            ship(session, warehouse.tenant_id, work_id, **kwargs)
    with pytest.raises(NotFound), warehouse.shop.uow() as session:
        ship(session, warehouse.tenant_id, "ful_nobody")
    assert warehouse.shipments(order_id) == []
    assert warehouse.books() == before
    assert warehouse.lines(order_id)["A"].shipped == 0


def test_a_partner_brings_its_own_carrier_and_number_once(warehouse: Warehouse, placed: Placed) -> None:
    warehouse.policy(FulfillmentPolicy, partners={"EAST": "Acme 3PL"})
    _, works = placed()
    first, second = sorted(works, key=lambda one: warehouse.work(one).partner)
    assert [warehouse.work(one).partner for one in (first, second)] == ["Acme 3PL", "own"]
    with warehouse.shop.uow() as session:
        accept(session, warehouse.tenant_id, first)
    assert warehouse.work(first).status == "accepted"
    handover = Handover(carrier="UPS", tracking_number="1Z999", service="Ground", label_cost=731)
    made = shipped_in(warehouse, first, handover=handover)
    assert (made.status, made.carrier, made.tracking_number, made.label_cost) == ("shipped", "UPS", "1Z999", 731)
    with pytest.raises(TrackingNumberTaken):
        shipped_in(warehouse, second, handover=handover)
    assert warehouse.work(second).status == "released"


def test_ten_at_once_ship_the_same_work_once(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    work_id = next(one for one in works if warehouse.work_lines(one)[0].quantity == 3)

    def attempt(_: int) -> str:
        try:
            return ship_now(warehouse.shop.runtime, warehouse.tenant_id, work_id)
        except NothingToShip:
            return "nothing left"

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(attempt, range(10)))
    assert answers.count("nothing left") == 9
    assert [one.id for one in warehouse.shipments(order_id)] == [a for a in answers if a != "nothing left"]
    assert warehouse.lines(order_id)["A"].shipped == 3
    assert warehouse.broken() == []


def test_ten_at_once_release_an_order_once(warehouse: Warehouse) -> None:
    warehouse.shop.add("A")
    order_id = warehouse.buy(A=2)

    def attempt(_: int) -> list[str]:
        try:
            return warehouse.release(order_id)
        except NothingToRelease:
            return []

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(attempt, range(10)))
    assert sorted(map(len, answers)) == [0] * 9 + [1]
    assert warehouse.lines(order_id)["A"].released == 2
    assert warehouse.broken() == []


@pytest.mark.parametrize(("point", "sent"), [("before_ship_commit", False), ("after_ship_commit", True)])
def test_a_crash_while_shipping_ships_all_or_nothing(
    warehouse: Warehouse, placed: Placed, point: str, sent: bool
) -> None:
    order_id, works = placed()
    die_at(point)
    with pytest.raises(Killed):
        ship_now(warehouse.shop.runtime, warehouse.tenant_id, works[0])
    faults.set_hook(None)
    assert len(warehouse.shipments(order_id)) == int(sent)
    assert warehouse.broken() == []
    if sent:
        with pytest.raises(NothingToShip):
            ship_now(warehouse.shop.runtime, warehouse.tenant_id, works[0])
    else:
        ship_now(warehouse.shop.runtime, warehouse.tenant_id, works[0])
    assert len(warehouse.shipments(order_id)) == 1
    assert warehouse.broken() == []


def test_orders_are_released_by_themselves_when_their_time_has_come(warehouse: Warehouse) -> None:
    warehouse.shop.add("A")
    order_id = warehouse.buy(A=1)
    runtime = warehouse.shop.runtime
    with clock.shifted(timedelta(hours=1)):
        assert release_due(runtime, warehouse.tenant_id) == 0
    warehouse.policy(FulfillmentPolicy, auto_release=True, release_after_minutes=30)
    assert release_due(runtime, warehouse.tenant_id) == 0
    with clock.shifted(timedelta(minutes=31)):
        assert release_due(runtime, warehouse.tenant_id) == 1
        assert release_due(runtime, warehouse.tenant_id) == 0
    assert warehouse.lines(order_id)["A"].released == 1


def test_orders_that_cannot_go_stand_in_nobodys_way(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.shop.add("A")
    stuck, order_id = warehouse.buy(A=1), warehouse.buy(A=1)
    warehouse.policy(FulfillmentPolicy, auto_release=True, release_after_minutes=0)
    monkeypatch.setattr(release, "_BATCH", 1)
    release_now = release.release_now

    def refuse(runtime: Runtime, tenant_id: str, wanted: str) -> list[str]:
        if wanted == stuck:
            raise NotReleasable("Never.")
        return release_now(runtime, tenant_id, wanted)

    monkeypatch.setattr(release, "release_now", refuse)
    with clock.shifted(timedelta(minutes=1)):
        assert release_due(warehouse.shop.runtime, warehouse.tenant_id) == 1
    assert warehouse.lines(order_id)["A"].released == 1


class Line:
    """The part of an order line that shares look at."""

    def __init__(self, unit_price: int, ordered: int, discount: int, tax: int, *, tax_included: bool = False) -> None:
        self.tax_included = tax_included
        self.unit_price, self.ordered, self.discount, self.tax = unit_price, ordered, discount, tax
        self.unit_cost = unit_price // 2
        self.released = self.shipped = 0
        self.digital = False


@st.composite
def parcelled(draw: st.DrawFn) -> tuple[list[Line], list[tuple[int, int]]]:
    """Lines of an order, and the parcels (line, units) they leave in."""
    lines, parcels = [], []
    for number in range(draw(st.integers(1, 4))):
        price, ordered = draw(st.integers(0, 10_000)), draw(st.integers(1, 9))
        discount, included = draw(st.integers(0, price * ordered)), draw(st.booleans())
        most = price * ordered - discount if included else 5_000
        line = Line(price, ordered, discount, draw(st.integers(0, most)), tax_included=included)
        lines.append(line)
        left = ordered
        while left:
            part = draw(st.integers(1, left))
            parcels.append((number, part))
            left -= part
    return lines, draw(st.permutations(parcels))


@given(parcelled())
def test_all_parcels_together_make_the_order_exactly(order: tuple[list[Line], list[tuple[int, int]]]) -> None:
    lines, parcels = order
    goods = discount = cost = owed = 0
    for number, units in parcels:
        before, owed_before = shares.shipped(lines), shares.released(lines, shipping=595, shipping_tax=59)
        lines[number].shipped += units
        lines[number].released += units
        gained = shares.shipped(lines) - before
        assert min(gained.goods, gained.cost, gained.discount) >= 0
        assert gained.discount <= gained.goods
        goods, discount, cost = goods + gained.goods, discount + gained.discount, cost + gained.cost
        owed += shares.released(lines, shipping=595, shipping_tax=59).amount - owed_before.amount
    assert goods == sum(line.unit_price * line.ordered - line.tax * line.tax_included for line in lines)
    assert discount == sum(line.discount for line in lines)
    assert cost == sum(line.unit_cost * line.ordered for line in lines)
    assert owed == goods - discount + sum(line.tax for line in lines) + 595 + 59

"""A shopper who fetches the order: no address, the card says where, three round trips; short there, it waits."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.checks import check_tenant
from engine.db import Store
from engine.fulfillment import exceptions, release, shipments, tracking
from engine.inventory.models import Location, Reservation, ReservationStatus, StockLevel
from engine.kit.identity import Identity
from engine.orders.allocation import fill_backorders
from engine.orders.models import Order, OrderLine
from tests.engine.mail.post import of
from tests.shop import Shop


def fetches(shop: Shop, quantity: int = 1) -> tuple[Identity, str]:
    """A shopper who has chosen to fetch A at the store, and how that way is called."""
    with shop.uow() as session:
        row = session.get_one(Location, (shop.tenant.id, shop.locations["STORE"]))
        row.line_one, row.city, row.postal_code = "1 Market Sq", "Seattle", "98101"
        row.pickup = {"ready_after_hours": 2}
    buyer, way = shop.shopper(), f"pickup_{shop.locations['STORE']}"
    shop.fill(buyer, "A", quantity)
    with shop.uow() as session:
        details = service.Details(email="ada@example.com", name="Ada Buyer", fulfillment_option_id=way)
        view = service.update(session, buyer, details)
    assert (view.missing, view.problems) == ([], [])
    return buyer, way


def test_the_card_says_where_and_until_when(shop: Shop) -> None:
    shop.add("A", stock={"STORE": 3})
    buyer, way = fetches(shop)
    card = shop.card(buyer).checkout
    assert (card.ship_to.name, card.ship_to.line_one, card.ship_to.city) == ("Ada Buyer", "1 Market Sq", "Seattle")
    assert (card.fulfillment.id, card.fulfillment.title) == (way, "Pick up at Store")
    assert card.fulfillment.place is not None
    assert card.fulfillment.ready_by < card.fulfillment.pickup_by
    assert [row.amount for row in card.totals if row.type in {"fulfillment", "tax", "total"}] == [0, 500, 5500]


def test_it_is_three_round_trips_and_the_order_goes_to_the_place(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("A", stock={"EAST": 5, "STORE": 3})
    buyer, _ = fetches(shop, 2)
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    calls: list[str] = []
    asking = Store.asking
    with monkeypatch.context() as patch:
        patch.setattr(Store, "asking", lambda self, *asks: (calls.append("ask"), asking(self, *asks))[1])
        assert complete(shop.runtime, buyer, card.id).result == Result.PAID
    assert calls == ["ask"] * 3
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
    assert order.ship_to is not None
    assert (order.ship_to["line_one"], order.ship_to["state"]) == ("1 Market Sq", "WA")
    assert order.fulfillment["place"]["location_id"] == shop.locations["STORE"]


def test_a_card_for_another_place_is_not_that_card(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5, "STORE": 3})
    buyer, _ = fetches(shop)
    first = shop.card(buyer)
    shop.approve(buyer, first.id)
    with shop.uow() as session:
        row = session.get_one(Location, (shop.tenant.id, shop.locations["STORE"]))
        row.line_one = "99 Other St"
    assert complete(shop.runtime, buyer, first.id).result == Result.CHANGED


def test_what_is_short_at_the_place_is_not_sent_from_elsewhere(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5, "STORE": 3})
    buyer, _ = fetches(shop)
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    assert complete(shop.runtime, buyer, card.id).result == Result.PAID
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
        line = session.scalars(select(OrderLine)).one()
        (work,) = release.release(session, shop.tenant.id, order.id)
        done: Any = exceptions.short_pick(session, shop.tenant.id, work.id, short={line.id: 1})
    assert (list(done.rerouted), dict(done.backordered)) == ([], {line.id: 1})


def test_what_was_short_waits_for_stock_of_its_own_place(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5, "STORE": 1})
    buyer, _ = fetches(shop)
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    assert complete(shop.runtime, buyer, card.id).result == Result.PAID
    with shop.uow() as session:
        order, line = session.scalars(select(Order)).one(), session.scalars(select(OrderLine)).one()
        (work,) = release.release(session, shop.tenant.id, order.id)
        exceptions.short_pick(session, shop.tenant.id, work.id, short={line.id: 1})

    def lies_at() -> list[tuple[str, int]]:
        fill_backorders(shop.runtime, shop.tenant.id)
        with shop.uow() as session:
            held = select(Reservation.location_id, Reservation.quantity).where(
                Reservation.order_line_id == line.id, Reservation.status == ReservationStatus.COMMITTED
            )
            names = {place: code for code, place in shop.locations.items()}
            return [(names[place], quantity) for place, quantity in session.execute(held)]

    def have(units: int) -> None:
        with shop.uow() as session:
            key = (shop.tenant.id, shop.variants["A"], shop.locations["STORE"])
            session.get_one(StockLevel, key).on_hand = units

    have(0)
    assert lies_at() == []
    have(1)
    assert lies_at() == [("STORE", 1)]


def test_the_buyer_hears_that_it_is_ready_and_that_it_was_picked_up(shop: Shop) -> None:
    shop.add("A", stock={"STORE": 3})
    buyer, _ = fetches(shop)
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    assert complete(shop.runtime, buyer, card.id).result == Result.PAID
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
        (work,) = release.release(session, shop.tenant.id, order.id)
        parcel = shipments.ship(session, shop.tenant.id, work.id)
        assert (parcel.carrier, parcel.label_cost) == ("Pickup", 0)
    (ready,) = of(shop, "order_shipped")
    assert ready.subject == f"Ready for pickup: your order {order.number}"
    assert f"Pickup code: {parcel.tracking_number}" in ready.text
    assert "It waits at Store, 1 Market Sq, Seattle, WA, 98101." in ready.text
    with shop.uow() as session:
        tracking.picked_up(session, shop.tenant.id, parcel.id, taken=True, actor="test")
    (fetched,) = of(shop, "order_delivered")
    assert fetched.subject == f"Picked up: your order {order.number}"
    assert "Carrier" not in fetched.text
    checks = check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug)
    assert [check for check in checks if not check.ok] == []

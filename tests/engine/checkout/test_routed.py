"""Where a sale's units are reserved: by the shop's rules, with the reasons; and parts that several lines want."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.checkout.errors import CheckoutIncomplete
from engine.checkout.schemas import CheckoutView
from engine.fulfillment import release
from engine.fulfillment.policies import RoutingPolicy
from engine.inventory.models import Backorder, Location, Reservation
from engine.kit.identity import Identity
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from tests.engine.checkout.test_complete import assert_clean
from tests.engine.inventory.stocked import bundle, levels, set_variant
from tests.shop import Shop


def policy(shop: Shop, **values: Any) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), RoutingPolicy, values)


def site(shop: Shop, code: str, **values: Any) -> None:
    with shop.uow() as session:
        row = session.get_one(Location, (shop.tenant.id, shop.locations[code]))
        for name, value in values.items():
            setattr(row, name, value)


def buy(shop: Shop, **wanted: int) -> str:
    """The id of an order of these."""
    buyer = shop.shopper()
    for sku, quantity in wanted.items():
        shop.ready(buyer, sku, quantity)
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    done = complete(shop.runtime, buyer, card.id)
    assert done.result == Result.PAID
    assert done.order is not None
    return done.order.id


def look(shop: Shop, buyer: Identity) -> CheckoutView:
    with shop.uow() as session:
        return service.start(session, buyer)


def reserved(shop: Shop, order_id: str) -> dict[tuple[str, str], int]:
    """(sku, place) → units."""
    skus = {variant: sku for sku, variant in shop.variants.items()}
    places = {location: code for code, location in shop.locations.items()}
    with shop.uow() as session:
        rows = session.scalars(select(Reservation).where(Reservation.tenant_id == shop.tenant.id)).all()
    return {(skus[row.variant_id], places[row.location_id]): row.quantity for row in rows}


def test_the_near_place_is_taken_from_and_the_order_says_why(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 9, "WEST": 9})
    order_id = buy(shop, A=2)
    assert reserved(shop, order_id) == {("A", "WEST"): 2}
    with shop.uow() as session:
        routing = session.get_one(Order, (shop.tenant.id, order_id)).routing
        told = release.explain(session, shop.tenant.id, order_id)
    assert routing is not None
    assert routing["words"][0].startswith("WEST sends 2: about 100 km (no coordinates), 1 day")
    assert routing["destination"] == {"country": "US", "region": "WA", "promised_days": 5}
    assert [(row["stage"], row["routing"] == routing) for row in told] == [("sale", True), ("now", True)]
    release.release_now(shop.runtime, shop.tenant.id, order_id)
    with shop.uow() as session:
        after = release.explain(session, shop.tenant.id, order_id)
    assert [(row["stage"], row["location_id"]) for row in after] == [
        ("sale", None),
        ("release", shop.locations["WEST"]),
    ]
    assert_clean(shop)


def test_the_shops_weights_decide(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 9, "WEST": 9})
    policy(shop, preferred=["EAST"], preference=100_000)
    assert reserved(shop, buy(shop, A=1)) == {("A", "EAST"): 1}


def test_one_parcel_where_it_can_be_one(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 9, "WEST": 9})
    shop.add("B", stock={"EAST": 9})
    assert reserved(shop, buy(shop, A=1, B=1)) == {("A", "EAST"): 1, ("B", "EAST"): 1}


def test_a_place_that_may_not_send_it_does_not_and_the_checkout_says_so_before_the_card(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1, "WEST": 9}, restrictions=["ground_only"])
    site(shop, "WEST", cannot_ship=["ground_only"])
    assert reserved(shop, buy(shop, A=1)) == {("A", "EAST"): 1}
    buyer = shop.shopper()
    shop.ready(buyer, "A", 1)
    assert look(shop, buyer).problems == [
        "Thing A cannot be delivered like this: No place that may ship it has enough of it."
    ]
    with pytest.raises(CheckoutIncomplete):
        shop.card(buyer)


def test_a_shop_that_never_splits_says_so_before_the_card(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 2, "WEST": 1})
    policy(shop, split_allowed=False)
    buyer = shop.shopper()
    shop.ready(buyer, "A", 3)
    assert look(shop, buyer).problems == ["Thing A cannot be delivered like this: It cannot be sent in one parcel."]
    assert reserved(shop, buy(shop, A=2)) == {("A", "EAST"): 2}


def kit(shop: Shop, *, a: int, b: int = 9) -> None:
    """A, B, and a set of two A and one B; all in EAST."""
    shop.add("A", price=1000, stock={"EAST": a})
    shop.add("B", price=1000, stock={"EAST": b})
    bundle(shop, "SET", {"A": 2, "B": 1})


def test_a_bundle_beside_its_own_parts_beyond_stock_is_said_before_the_card(shop: Shop) -> None:
    kit(shop, a=3)
    buyer = shop.shopper()
    shop.ready(buyer, "SET", 1)
    shop.ready(buyer, "A", 2)
    view = look(shop, buyer)
    assert view.problems == [
        "Thing A is made of the same parts as something else in this order: only 1 are left of it then."
    ]
    assert view.status == "not_ready_for_payment"
    with pytest.raises(CheckoutIncomplete):
        shop.card(buyer)
    assert levels(shop, "A") == {"EAST": (3, 0)}


def test_a_bundle_beside_its_own_parts_takes_all_there_is(shop: Shop) -> None:
    kit(shop, a=3)
    order_id = buy(shop, SET=1, A=1)
    assert levels(shop, "A") == {"EAST": (3, 3)}
    assert levels(shop, "B") == {"EAST": (9, 1)}
    assert order_id
    assert_clean(shop)


def test_the_bundle_leaves_its_part_to_be_taken_elsewhere(shop: Shop) -> None:
    """A is nearer in WEST; the set is whole in EAST alone and takes all A there."""
    shop.add("A", price=1000, stock={"EAST": 2, "WEST": 1})
    shop.add("B", price=1000, stock={"EAST": 1})
    bundle(shop, "SET", {"A": 2, "B": 1})
    buy(shop, A=1, SET=1)
    assert levels(shop, "A") == {"EAST": (2, 2), "WEST": (1, 1)}
    assert_clean(shop)


def test_what_may_wait_waits_for_the_part_that_the_bundle_takes(shop: Shop) -> None:
    kit(shop, a=3)
    set_variant(shop, "A", stock_policy="backorder")
    buyer = shop.shopper()
    shop.ready(buyer, "SET", 1)
    shop.ready(buyer, "A", 2)
    notices = [line.notice for line in look(shop, buyer).lines]
    assert notices[0] == ""
    assert notices[1].startswith("Thing A is on backorder: 1 of 2 is expected")
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    done = complete(shop.runtime, buyer, card.id)
    assert done.result == Result.PAID
    assert levels(shop, "A") == {"EAST": (3, 3)}
    with shop.uow() as session:
        waiting = session.scalars(select(Backorder).where(Backorder.tenant_id == shop.tenant.id)).one()
    assert (waiting.variant_id, waiting.quantity) == (shop.variants["A"], 1)
    assert_clean(shop)

"""A discount that does not divide: whatever way an order ends, no cent of it stays between two accounts."""

from __future__ import annotations

from itertools import permutations

import pytest

from engine.carts import service as carts
from engine.carts.models import Discount
from engine.checkout import service
from engine.checkout.complete import complete
from engine.fulfillment import release, shipments
from engine.kit.ids import new_id
from tests.engine.orders.desk import Desk, broken, sibling
from tests.shop import ADDRESS, Shop


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Three of A for 33.33, 1.00 off."""
    shop.add("A", price=3333)
    sibling(shop, "A", "A2", price=3331)
    with shop.uow() as session:
        session.add(
            Discount(
                tenant_id=shop.tenant.id, id=new_id("discount"), code="ODD", title="Odd", amount_off=100, minimum=0
            )
        )
    buyer = shop.shopper()
    shop.fill(buyer, "A", 3)
    with shop.uow() as session:
        carts.set_discount_code(session, buyer, "ODD")
    done = complete(shop.runtime, buyer, _approved(shop, buyer))
    assert done.order is not None
    assert sum(line.discount for line in done.order.lines) == 100
    return Desk(shop, buyer, done.order.id)


def _approved(shop: Shop, buyer) -> str:
    with shop.uow() as session:
        service.update(session, buyer, service.Details(email="ada@example.com", **ADDRESS))
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    return consent.id


def cancel_one(desk: Desk) -> None:
    line = next(one for one in desk.look().lines if one.ordered - one.canceled - one.shipped > 0)
    desk.do("cancel", reason="other", lines=[{"line_id": line.id, "quantity": 1}])


def swap_one(desk: Desk) -> None:
    variants = desk.shop.variants
    desk.do("items", swaps=[{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 1}])


def ship_one(desk: Desk) -> None:
    """One unit of what is left goes; the rest stays with the warehouse."""
    tenant_id, runtime = desk.shop.tenant.id, desk.shop.runtime
    (fulfillment_id,) = release.release_now(runtime, tenant_id, desk.order_id)
    line = next(one for one in desk.look().lines if one.released > one.shipped)
    packages = [shipments.Package({line.id: 1}, None)]
    with desk.shop.uow() as session:
        shipments.ship(session, tenant_id, fulfillment_id, packages=packages)


def ship_rest(desk: Desk) -> None:
    tenant_id, runtime = desk.shop.tenant.id, desk.shop.runtime
    for fulfillment_id in release.release_now(runtime, tenant_id, desk.order_id):
        shipments.ship_now(runtime, tenant_id, fulfillment_id)


@pytest.mark.parametrize(
    "steps",
    [
        *permutations((cancel_one, swap_one)),
        (cancel_one,),
        (cancel_one, cancel_one),
        (swap_one, swap_one, cancel_one),
        (),
    ],
)
def test_an_order_with_an_odd_discount_ends_without_a_cent_left(desk: Desk, steps) -> None:
    for step in steps:
        step(desk)
        assert broken(desk.shop) == []
    ship_rest(desk)
    assert broken(desk.shop) == []
    left, lines = desk.balances(), desk.look().lines
    assert "customer_deposits" not in left
    assert -left["tax_payable"] == 60 + sum(one.tax * (one.ordered - one.canceled) // one.ordered for one in lines)

"""Selling bundles, items nobody counts, and units that are not there yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.carts.errors import NotAvailable
from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.checkout.errors import CheckoutIncomplete
from engine.checkout.settlement import settle
from engine.inventory.models import Backorder, Reservation, StockLevel
from engine.kit import clock
from engine.kit.identity import Identity
from engine.orders.models import OrderLine
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import Payment
from tests.engine.checkout.test_complete import assert_clean, captured
from tests.engine.inventory.stocked import bundle, levels, set_variant
from tests.shop import Shop


def day(days: int) -> str:
    found = clock.now().date() + timedelta(days=days)
    return f"{found:%B} {found.day}, {found.year}"


def lines(shop: Shop) -> list[OrderLine]:
    with shop.uow() as session:
        return list(session.scalars(select(OrderLine).where(OrderLine.tenant_id == shop.tenant.id)))


def backorders(shop: Shop) -> list[tuple[int, str, str]]:
    with shop.uow() as session:
        rows = session.scalars(select(Backorder).where(Backorder.tenant_id == shop.tenant.id).order_by(Backorder.id))
        return [(row.waiting, row.kind, row.status) for row in rows]


def buy(shop: Shop, sku: str, quantity: int = 1, **more: Any) -> tuple[Identity, Any]:
    buyer = shop.shopper()
    return buyer, complete(shop.runtime, buyer, shop.approved(buyer, sku, quantity, **more))


def test_a_bundle_takes_its_parts_and_the_line_keeps_them(shop: Shop) -> None:
    mug, tea = shop.add("MUG", stock={"EAST": 9}), shop.add("TEA", stock={"EAST": 4, "WEST": 4})
    bundle(shop, "SET", {"MUG": 2, "TEA": 1})
    _, done = buy(shop, "SET", 3)
    assert done.result == Result.PAID
    assert levels(shop, "MUG") == {"EAST": (9, 6)}
    assert levels(shop, "TEA") == {"EAST": (4, 3), "WEST": (4, 0)}
    (line,) = lines(shop)
    assert (line.ordered, line.allocated) == (3, 3)
    expected = sorted(
        [{"variant_id": mug, "quantity": 2}, {"variant_id": tea, "quantity": 1}], key=lambda p: str(p["variant_id"])
    )
    told = [{"variant_id": one["variant_id"], "quantity": one["quantity"]} for one in line.components]
    assert told == expected
    assert sum(one["share"] for one in line.components) == line.unit_price
    assert_clean(shop)


def test_an_item_nobody_counts_is_always_there(shop: Shop) -> None:
    shop.add("GIFTWRAP", stock={})
    set_variant(shop, "GIFTWRAP", stock_policy="untracked")
    _, done = buy(shop, "GIFTWRAP", 40)
    assert done.result == Result.PAID
    assert levels(shop, "GIFTWRAP") == {}
    with shop.uow() as session:
        held = session.scalars(select(Reservation).where(Reservation.tenant_id == shop.tenant.id)).all()
        assert [(row.quantity, row.tracked, row.status) for row in held] == [(40, False, "committed")]
    assert lines(shop)[0].components == []
    assert_clean(shop)


def test_units_that_are_not_there_are_said_bound_and_written_down(shop: Shop) -> None:
    shop.add("A", price=5000, stock={"EAST": 2})
    set_variant(shop, "A", stock_policy="backorder", lead_days=10)
    buyer = shop.shopper()
    shop.ready(buyer, "A", 5)
    words = f"Thing A is on backorder: 3 of 5 are expected to ship by {day(10)}."
    with shop.uow() as session:
        view = service.current(session, buyer)
        assert view.problems == []
        assert [line.notice for line in view.lines] == [words]
    card = shop.card(buyer)
    assert [line.notice for line in card.checkout.lines] == [words]
    shop.approve(buyer, card.id)
    done = complete(shop.runtime, buyer, card.id)
    assert done.result == Result.PAID
    assert levels(shop, "A") == {"EAST": (2, 2)}
    assert backorders(shop) == [(3, "backorder", "waiting")]
    (line,) = lines(shop)
    assert (line.ordered, line.allocated) == (5, 2)
    assert done.order.fulfillment_status == "backordered"
    assert_clean(shop)


@pytest.mark.parametrize("change", ["later", "less", "denied"])
def test_another_promise_needs_a_new_card(shop: Shop, change: str) -> None:
    shop.add("A", stock={"EAST": 2})
    set_variant(shop, "A", stock_policy="backorder", lead_days=10)
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", 3)
    if change == "less":
        with shop.uow() as session:
            session.execute(update(StockLevel).where(StockLevel.tenant_id == shop.tenant.id).values(safety_stock=1))
    else:
        set_variant(shop, "A", **({"lead_days": 11} if change == "later" else {"stock_policy": "deny"}))
    assert complete(shop.runtime, buyer, consent_id).result == Result.CHANGED
    assert captured(shop) == {}
    assert (backorders(shop), levels(shop, "A")) == ([], {"EAST": (2, 0)})
    if change == "denied":
        with pytest.raises(CheckoutIncomplete, match="Only 2 of Thing A"):
            shop.card(buyer)
    else:
        assert shop.card(buyer).id != consent_id


def test_a_pre_order_waits_for_its_day_though_it_is_there(shop: Shop) -> None:
    shop.add("NEW", stock={"EAST": 5})
    set_variant(shop, "NEW", stock_policy="preorder", available_on=clock.now().date() + timedelta(days=30))
    _, done = buy(shop, "NEW", 2)
    assert done.result == Result.PAID
    assert levels(shop, "NEW") == {"EAST": (5, 0)}
    assert backorders(shop) == [(2, "preorder", "waiting")]
    assert_clean(shop)


def test_a_bundle_waits_as_a_whole(shop: Shop) -> None:
    mug = shop.add("MUG", stock={"EAST": 1})
    set_of_mugs = bundle(shop, "SET", {"MUG": 2}, stock_policy="backorder")
    _, done = buy(shop, "SET", 2)
    assert done.result == Result.PAID
    with shop.uow() as session:
        (row,) = session.scalars(select(Backorder).where(Backorder.tenant_id == shop.tenant.id))
        assert (row.variant_id, row.quantity) == (set_of_mugs, 2)
        assert row.components == [{"variant_id": mug, "quantity": 2, "tracked": True}]
    (part,) = lines(shop)[0].components
    assert (part["variant_id"], part["quantity"], part["share"]) == (mug, 2, lines(shop)[0].unit_price)
    assert_clean(shop)


def test_a_failed_payment_waits_for_nothing(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1})
    set_variant(shop, "A", stock_policy="backorder", backorder_limit=2)
    _, done = buy(shop, "A", 3, card="card_test_declined")
    assert done.result == Result.DECLINED
    assert levels(shop, "A") == {"EAST": (1, 0)}
    assert backorders(shop) == [(0, "backorder", "canceled")]
    assert_clean(shop)
    assert buy(shop, "A", 3)[1].result == Result.PAID
    assert_clean(shop)


@pytest.mark.usefixtures("still_clock")
def test_an_unknown_payment_keeps_its_place_in_the_queue(shop: Shop) -> None:
    shop.add("A", stock={})
    set_variant(shop, "A", stock_policy="backorder", backorder_limit=1)
    _, done = buy(shop, "A", 1, card="card_test_late")
    assert done.result == Result.UNKNOWN
    assert backorders(shop) == [(1, "backorder", "held")]
    other = shop.shopper()
    with pytest.raises(NotAvailable):
        shop.approved(other, "A")
    with shop.uow() as session:
        payment_id = session.scalars(select(Payment.id).where(Payment.tenant_id == shop.tenant.id)).one()
    settle(shop.runtime, shop.tenant.id, payment_id, Charge(payment_id, ChargeStatus.DECLINED))
    assert backorders(shop) == [(0, "backorder", "canceled")]
    assert_clean(shop)


def test_twelve_buyers_for_the_last_three_that_may_wait(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1})
    set_variant(shop, "A", stock_policy="backorder", backorder_limit=3)
    buyers = [shop.shopper() for _ in range(12)]
    consents = [shop.approved(buyer, "A") for buyer in buyers]
    with ThreadPoolExecutor(12) as pool:
        ends = list(pool.map(lambda pair: complete(shop.runtime, *pair), zip(buyers, consents, strict=True)))
    first = [end.result for end in ends].count(Result.PAID)
    assert first == 1  # the others had agreed to a unit that ships now
    late = [(buyer, shop.card(buyer).id) for buyer, end in zip(buyers, ends, strict=True) if end.result != Result.PAID]
    for buyer, consent_id in late:
        shop.approve(buyer, consent_id)
    with ThreadPoolExecutor(12) as pool:
        results = [end.result for end in pool.map(lambda pair: complete(shop.runtime, *pair), late)]
    assert results.count(Result.PAID) == 3
    assert sum(waiting for waiting, _, _ in backorders(shop)) == 3
    assert levels(shop, "A") == {"EAST": (1, 1)}
    assert_clean(shop)

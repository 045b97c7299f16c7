"""Swaps to what is not there yet and of bundles; money back to an account that was named; money set aside elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.finance import service as finance
from engine.fulfillment.release import release_now
from engine.inventory.models import Backorder, BundleComponent, MovementKind
from engine.inventory.service import Allocation, receive
from engine.orders.allocation import fill_backorders
from engine.orders.errors import ChangeRefused, InsufficientBalance, ItemUnavailable, MethodNotOwned, SameMethod
from engine.orders.models import OrderLine
from engine.payments import stored_value
from engine.payments.models import Payment
from engine.payments.stored_value_models import StoredValueKind
from tests.engine.inventory.stocked import levels, set_variant
from tests.engine.orders.desk import Desk, broken, buy, held, rule, sibling, stock
from tests.engine.orders.test_faults import Unplugged, pull, recover
from tests.engine.orders.test_tenders import balance, gift_card
from tests.shop import Shop

PRICED = 11655
"""2 x $50.00, $5.95 shipping, 10 % tax on both."""


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Two of A for 50.00; A2 costs 60.00, A3 40.00 and A5 as much as A, with one left that may be sold ahead."""
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000, units=1)
    sibling(shop, "A", "A3", price=4000)
    sibling(shop, "A", "A5", price=5000, units=1)
    for sku in ("A2", "A5"):
        set_variant(shop, sku, stock_policy="backorder", backorder_limit=5)
    return buy(shop, "A", 2)


def swap(desk: Desk, to: str, quantity: int = 2, **more: Any) -> Any:
    variants = desk.shop.variants
    return desk.ask(
        "items", swaps=[{"variant_id": variants["A"], "to_variant_id": variants[to], "quantity": quantity}], **more
    )


def waiting(shop: Shop) -> list[tuple[str, int, str]]:
    """(sku, units, status) of every backorder."""
    skus = {variant: sku for sku, variant in shop.variants.items()}
    with shop.uow() as session:
        return [(skus[row.variant_id], row.waiting, row.status) for row in session.scalars(select(Backorder))]


def payments(desk: Desk) -> list[tuple[str, int, str]]:
    with desk.shop.uow() as session:
        rows = session.scalars(select(Payment).order_by(Payment.created_at))
        return [(row.method["label"], row.amount, row.status) for row in rows]


@pytest.mark.parametrize(("to", "charge"), [("A5", 0), ("A2", 2200)])
def test_a_swap_to_what_comes_later_says_so_and_waits(desk: Desk, to: str, charge: int) -> None:
    change = swap(desk, to)
    [added] = change.added
    assert added.notice.startswith("Thing A is on backorder: 1 of 2 is expected to ship by ")
    assert change.charge.amount == charge
    done = desk.agree(change)
    assert done.status == "applied"
    order = desk.look()
    assert [(x.sku, x.ordered, x.canceled, x.allocated) for x in order.lines] == [("A", 2, 2, 0), (to, 2, 0, 1)]
    assert order.fulfillment_status == "backordered"
    assert (stock(desk.shop, "A"), stock(desk.shop, to)) == ((10, 0), (1, 1))
    assert waiting(desk.shop) == [(to, 1, "waiting")]
    assert broken(desk.shop) == []
    with desk.shop.uow() as session:
        here = [Allocation(desk.shop.variants[to], desk.shop.locations["EAST"], 1)]
        receive(session, desk.shop.tenant.id, here, kind=MovementKind.RECEIPT, subject="test")
    fill_backorders(desk.shop.runtime, desk.shop.tenant.id)
    assert desk.line(to).allocated == 2
    assert held(desk.shop) == PRICED + charge
    assert broken(desk.shop) == []


def test_more_than_may_wait_is_not_available(desk: Desk) -> None:
    set_variant(desk.shop, "A5", backorder_limit=0)
    before = desk.rows()
    with pytest.raises(ItemUnavailable):
        swap(desk, "A5")
    assert desk.rows() == before


def test_a_charge_that_dies_leaves_nobody_waiting(desk: Desk) -> None:
    change = swap(desk, "A2")
    pull("after_t1_commit")
    with pytest.raises(Unplugged):
        desk.agree(change)
    assert waiting(desk.shop) == [("A2", 1, "held")]
    recover(desk)
    assert waiting(desk.shop) == [("A2", 1, "waiting")]
    assert broken(desk.shop) == []


def test_a_swap_to_a_bundle_remembers_its_parts(desk: Desk) -> None:
    shop = desk.shop
    shop.add("P", price=100, stock={"EAST": 5})
    shop.add("Q", price=100, stock={"EAST": 5})
    sibling(shop, "A", "KIT", price=5000, units=0)
    with shop.uow() as session:
        for part, quantity in (("P", 2), ("Q", 1)):
            session.add(
                BundleComponent(
                    tenant_id=shop.tenant.id,
                    bundle_variant_id=shop.variants["KIT"],
                    component_variant_id=shop.variants[part],
                    quantity=quantity,
                )
            )
    assert desk.agree(swap(desk, "KIT")).status == "applied"
    with shop.uow() as session:
        line = session.scalars(select(OrderLine).where(OrderLine.sku == "KIT")).one()
    parts = {part["variant_id"]: part["quantity"] for part in line.components}
    assert parts == {shop.variants["P"]: 2, shop.variants["Q"]: 1}
    assert (levels(shop, "P"), levels(shop, "Q")) == ({"EAST": (5, 4)}, {"EAST": (5, 2)})
    assert broken(shop) == []


def test_two_swaps_that_want_the_same_part_are_seen_together(desk: Desk) -> None:
    shop = desk.shop
    shop.add("P", price=100, stock={"EAST": 3})
    for sku in ("KIT1", "KIT2"):
        sibling(shop, "A", sku, price=5000, units=0)
        with shop.uow() as session:
            session.add(
                BundleComponent(
                    tenant_id=shop.tenant.id,
                    bundle_variant_id=shop.variants[sku],
                    component_variant_id=shop.variants["P"],
                    quantity=2,
                )
            )
    wanted = [{"variant_id": shop.variants["A"], "to_variant_id": shop.variants[sku]} for sku in ("KIT1", "KIT2")]
    with pytest.raises(ItemUnavailable):
        desk.ask("items", swaps=wanted)
    assert desk.ask("items", swaps=wanted[:1]).status == "quoted"


def test_a_cheaper_swap_goes_back_to_the_gift_card_that_was_named(desk: Desk) -> None:
    card = gift_card(desk, 100)
    change = swap(desk, "A3", refund_to=card)
    assert (change.refund.amount, change.refund_to) == (2200, "account")
    assert change.refund_label.startswith("Gift card •••• ")
    assert desk.agree(change).status == "applied"
    assert (balance(desk, card), held(desk.shop)) == (2300, PRICED)
    with desk.shop.uow() as session:
        sums = finance.balances(session, desk.shop.tenant.id)
    assert (sums["gift_card_liability"], sums["customer_deposits"]) == (-2300, -8595)
    assert broken(desk.shop) == []


def test_a_cancel_goes_back_to_the_store_credit_that_was_named(desk: Desk) -> None:
    with desk.shop.uow() as session:
        issued = stored_value.issue(
            session, desk.shop.tenant.id, secret_key=desk.shop.runtime.secret_key, kind=StoredValueKind.STORE_CREDIT,
            amount=1, currency="USD", owner_id=desk.buyer.id, actor="key_staff",
        )  # fmt: skip
    assert desk.do("cancel", reason="other", refund_to=issued.account.id).status == "applied"
    assert (balance(desk, issued.account.id), held(desk.shop)) == (1 + PRICED, PRICED)
    assert desk.look().payment_status == "refunded"
    assert broken(desk.shop) == []


def test_only_ones_own_good_account_in_the_orders_currency_is_refunded_to(desk: Desk) -> None:
    before = desk.rows()
    strangers = gift_card(desk, 100, owner="shp_somebody")
    blocked = gift_card(desk, 100)
    with desk.shop.uow() as session:
        stored_value.block(session, desk.shop.tenant.id, blocked, actor="key_staff")
        euros = stored_value.issue(
            session, desk.shop.tenant.id, secret_key=desk.shop.runtime.secret_key, kind=StoredValueKind.GIFT_CARD,
            amount=100, currency="EUR", owner_id=desk.buyer.id, actor="key_staff",
        ).account.id  # fmt: skip
    for account in (strangers, blocked, euros, "sva_00000000000000000000000000"):
        with pytest.raises(MethodNotOwned):
            swap(desk, "A3", refund_to=account)
    rule(desk.shop, refund_to=["original"])
    with pytest.raises(ChangeRefused):
        swap(desk, "A3", refund_to=gift_card(desk, 100))
    assert desk.rows() == before


@pytest.fixture
def waits(shop: Shop) -> Desk:
    """Two of A of which one is there: 116.55 are only set aside."""
    shop.add("A", price=5000, stock={"EAST": 1})
    set_variant(shop, "A", stock_policy="backorder")
    found = buy(shop, "A", 2)
    assert payments(found) == [("Test Visa •••• 4242", PRICED, "authorized")]
    return found


def test_money_that_is_set_aside_is_set_aside_on_the_new_method_first(waits: Desk) -> None:
    card = gift_card(waits, PRICED)
    change = waits.ask("payment_method", payment_method_ref=card)
    assert (change.charge.amount, change.set_aside.amount, change.refund.amount) == (0, PRICED, 0)
    assert waits.agree(change).status == "applied"
    assert [(amount, status) for _, amount, status in payments(waits)] == [(PRICED, "voided"), (PRICED, "authorized")]
    assert (balance(waits, card), waits.look().payment_status, held(waits.shop)) == (0, "authorized", 0)
    assert broken(waits.shop) == []
    with waits.shop.uow() as session:
        here = [Allocation(waits.shop.variants["A"], waits.shop.locations["EAST"], 1)]
        receive(session, waits.shop.tenant.id, here, kind=MovementKind.RECEIPT, subject="test")
    fill_backorders(waits.shop.runtime, waits.shop.tenant.id)
    release_now(waits.shop.runtime, waits.shop.tenant.id, waits.order_id)
    assert [status for _, _, status in payments(waits)] == ["voided", "captured"]
    assert (waits.look().payment_status, held(waits.shop)) == ("paid", 0)
    assert broken(waits.shop) == []


@pytest.mark.parametrize("point", ["after_t1_commit", "before_capture", "after_capture", "before_t2_commit"])
def test_another_card_that_holds_the_money_survives_a_crash_anywhere(waits: Desk, point: str) -> None:
    rule(waits.shop, payment_change_requires_other_method=False)
    change = waits.ask("payment_method", payment_method_ref="test_visa")
    pull(point)
    with pytest.raises(Unplugged):
        waits.agree(change)
    recover(waits)
    assert [status for _, _, status in payments(waits)] == ["voided", "authorized"]
    assert (held(waits.shop), waits.look().payment_status) == (0, "authorized")
    assert broken(waits.shop) == []


def test_the_way_to_pay_stays_when_the_new_one_is_refused(waits: Desk) -> None:
    before = waits.rows()
    with pytest.raises(InsufficientBalance):
        waits.ask("payment_method", payment_method_ref=gift_card(waits, PRICED - 1))
    with pytest.raises(SameMethod):
        waits.ask("payment_method", payment_method_ref="test_visa")
    assert waits.rows() == before
    card = gift_card(waits, PRICED)
    change = waits.ask("payment_method", payment_method_ref=card)
    with waits.shop.uow() as session:
        stored_value.block(session, waits.shop.tenant.id, card, actor="key_staff")
    with pytest.raises(MethodNotOwned):
        waits.agree(change)
    assert payments(waits) == [("Test Visa •••• 4242", PRICED, "authorized")]
    assert broken(waits.shop) == []

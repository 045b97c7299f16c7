"""The difference of a change goes by the way to pay that its shopper names: a card, PayPal, a gift card."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from engine.conversations.news import TELLERS
from engine.finance.reconciliation import reconcile
from engine.kit import faults
from engine.kit.errors import DomainError
from engine.mail.facts import paid_back_to
from engine.orders import given_back
from engine.orders.documents import receipts
from engine.orders.models import Order
from engine.payments import inbox
from engine.payments.gateway import Move, MoveStatus
from engine.payments.gateways.manual import ManualGateway
from engine.payments.models import Alert, Payment, Refund
from tests.engine.orders.desk import broken, buy, rule, sibling
from tests.engine.orders.stored import Known, known
from tests.shop import Shop

ALL = ["original", "store_credit", "account", "method"]
THERE = {
    "name": "Ada Buyer",
    "line_one": "9 Oak Ave",
    "line_two": "",
    "city": "Columbus",
    "state": "OH",
    "postal_code": "43004",
    "country": "US",
}


@pytest.fixture
def desk(shop: Shop) -> Known:
    shop.add("TENT", price=10_000)
    shop.add("LAMP", price=2_000)
    sibling(shop, "TENT", "TENT-L", price=13_000)
    sibling(shop, "LAMP", "LAMP-S", price=1_200)
    rule(shop, refund_to=ALL)
    return known(buy(shop, "TENT", 1, "LAMP"))


def swap(shop: Shop, old: str, new: str, units: int = 1) -> dict[str, Any]:
    return {"variant_id": shop.variants[old], "to_variant_id": shop.variants[new], "quantity": units}


def items(desk: Known, way: str, *pairs: tuple[str, str]) -> dict[str, Any]:
    swaps = [swap(desk.shop, old, new) for old, new in pairs]
    return {"swaps": swaps, "payment_method_ref": way, "refund_to": way}


def test_a_dearer_item_is_charged_to_paypal_and_each_line_keeps_its_own_price(desk: Known) -> None:
    paid = desk.look().total.amount
    done = desk.do("items", **items(desk, desk.paypal, ("TENT", "TENT-L"), ("LAMP", "LAMP-S")))
    difference = 2_200 + 220  # 10 % tax
    assert (done.status, done.difference.amount, done.charge.amount) == ("applied", difference, difference)
    assert done.payment_method is not None
    assert done.payment_method.label == "PayPal"
    kept = {one.sku: one.unit_price.amount for one in desk.look().lines if one.ordered > one.canceled}
    assert kept == {"TENT-L": 13_000, "LAMP-S": 1_200}
    assert desk.paid() == [(None, paid), (desk.paypal, difference)]
    assert desk.given() == []
    assert broken(desk.shop) == []


def test_a_cheaper_item_pays_another_card_of_theirs(desk: Known) -> None:
    done = desk.do("items", **items(desk, desk.card, ("LAMP", "LAMP-S")))
    assert (done.status, done.refund.amount, done.refund_to, done.refund_label) == (
        "applied",
        880,
        "method",
        "Visa •••• 1881",
    )
    assert desk.given() == [("method", desk.card, 880, "succeeded")]
    assert broken(desk.shop) == []


def test_a_cheaper_item_fills_a_gift_card_at_once_and_says_what_is_on_it_then(desk: Known) -> None:
    asked = desk.ask("items", **items(desk, desk.gift, ("LAMP", "LAMP-S")))
    assert asked.purse is not None
    assert (asked.purse.before.amount, asked.purse.after.amount) == (10_000, 10_880)
    assert desk.balance() == 10_000
    desk.agree(asked)
    assert desk.balance() == 10_880
    assert desk.given() == [("account", desk.gift, 880, "succeeded")]
    assert broken(desk.shop) == []


def test_a_dearer_item_empties_a_gift_card(desk: Known) -> None:
    asked = desk.ask("items", **items(desk, desk.gift, ("TENT", "TENT-L")))
    assert asked.purse is not None
    assert (asked.purse.before.amount, asked.purse.after.amount) == (10_000, 6_700)
    desk.agree(asked)
    assert desk.balance() == 6_700
    assert desk.paid()[-1] == (desk.gift, 3_300)
    assert broken(desk.shop) == []


def test_the_same_price_moves_nothing_and_still_takes_a_way_of_theirs_alone(desk: Known) -> None:
    sibling(desk.shop, "LAMP", "LAMP-R", price=2_000)
    done = desk.do("items", **items(desk, desk.card, ("LAMP", "LAMP-R")))
    assert (done.status, done.charge.amount, done.refund.amount) == ("applied", 0, 0)
    assert (len(desk.paid()), desk.given()) == (1, [])
    assert broken(desk.shop) == []


REFUSED: list[tuple[str, tuple[tuple[str, str], ...], str]] = [
    ("count_mismatch", (("TENT", "TENT-L"), ("TENT", "TENT-L")), "paypal"),
    ("count_mismatch", (("TENT", "TENT"), ("TENT", "TENT-L")), "paypal"),
    ("same_item", (("TENT", "TENT"),), "paypal"),
    ("same_item", (("TENT", "TENT"), ("LAMP", "TENT-L")), "paypal"),
    ("wrong_product", (("LAMP", "TENT-L"), ("TENT", "TENT")), "paypal"),
    ("not_owned_method", (("TENT", "TENT-L"),), "pm_0000000000000000"),
    ("not_owned_method", (("LAMP", "LAMP-S"),), "pm_0000000000000000"),
    ("not_owned_method", (("TENT", "TENT-L"),), "sva_0000000000000000"),
]


@pytest.mark.parametrize(("code", "pairs", "way"), REFUSED)
def test_what_is_wrong_first_is_said_and_nothing_changes(
    desk: Known, code: str, pairs: tuple[tuple[str, str], ...], way: str
) -> None:
    before = desk.rows()
    with pytest.raises(DomainError) as refused:
        desk.ask("items", **items(desk, getattr(desk, way, way), *pairs))
    assert refused.value.code == code
    assert (desk.rows(), desk.balance()) == (before, 10_000)


def test_a_gift_card_with_too_little_pays_nothing(shop: Shop) -> None:
    shop.add("TENT", price=10_000)
    sibling(shop, "TENT", "TENT-L", price=20_000)
    rule(shop, refund_to=ALL)
    desk = known(buy(shop, "TENT"), gift=10_999)
    before = desk.rows()
    with pytest.raises(DomainError) as refused:
        desk.ask("items", **items(desk, desk.gift, ("TENT", "TENT-L")))
    assert refused.value.code == "insufficient_balance"
    assert (desk.rows(), desk.balance()) == (before, 10_999)


def test_another_card_gets_nothing_where_the_shop_does_not_refund_that_way(desk: Known) -> None:
    rule(desk.shop, refund_to=["original", "account"])
    before = desk.rows()
    with pytest.raises(DomainError) as refused:
        desk.ask("items", **items(desk, desk.card, ("LAMP", "LAMP-S")))
    assert refused.value.code == "change_refused"
    assert desk.rows() == before


def test_a_payment_moves_to_paypal_and_a_cancel_gives_back_to_that_alone(desk: Known) -> None:
    paid = desk.look().total.amount
    desk.do("payment_method", payment_method_ref=desk.paypal)
    assert desk.paid() == [(None, paid), (desk.paypal, paid)]
    assert desk.given() == [("original", None, paid, "succeeded")]
    with pytest.raises(DomainError) as refused:
        desk.ask("payment_method", payment_method_ref=desk.card)
    assert refused.value.code == "wrong_status"
    desk.do("cancel", reason="ordered_by_mistake")
    assert desk.given() == [("original", None, paid, "succeeded"), ("original", None, paid, "succeeded")]
    assert desk.look().status == "canceled"
    assert broken(desk.shop) == []


def test_the_way_that_pays_is_the_original_by_its_own_name_and_no_other_way(desk: Known) -> None:
    desk.do("payment_method", payment_method_ref=desk.paypal)
    same = desk.ask("items", **items(desk, desk.paypal, ("LAMP", "LAMP-S")))
    assert (same.refund_to, same.refund_label) == ("original", "")
    with pytest.raises(DomainError) as refused:
        desk.ask("payment_method", payment_method_ref=desk.paypal)
    assert refused.value.code in {"same_method", "wrong_status"}


def test_a_gift_card_pays_the_whole_or_nothing(shop: Shop) -> None:
    shop.add("TENT", price=2_000)
    desk = known(buy(shop, "TENT"), gift=2_000)
    with pytest.raises(DomainError) as refused:
        desk.ask("payment_method", payment_method_ref=desk.gift)
    assert refused.value.code == "insufficient_balance"
    assert (desk.balance(), len(desk.paid())) == (2_000, 1)


def test_once_items_were_changed_only_what_the_shop_lists_may_be(desk: Known) -> None:
    rule(desk.shop, items_changes_per_order=1, allow_after_item_change=["address"], address_keeps_prices=True)
    desk.do("items", **items(desk, desk.paypal, ("LAMP", "LAMP-S")))
    before = desk.rows()
    for kind, wanted in (
        ("cancel", {"reason": "ordered_by_mistake"}),
        ("payment_method", {"payment_method_ref": desk.card}),
        ("items", items(desk, desk.card, ("TENT", "TENT-L"))),
    ):
        with pytest.raises(DomainError) as refused:
            desk.ask(kind, **wanted)
        assert (refused.value.code, desk.rows()) == ("already_changed", before)
    due = desk.look().due.amount
    desk.do("address", ship_to=THERE)
    now = desk.look()
    assert now.ship_to is not None
    assert (now.ship_to.line_one, now.ship_to.state, now.due.amount) == ("9 Oak Ave", "OH", due)
    assert broken(desk.shop) == []


def test_what_goes_to_another_card_is_told_and_reconciled_as_that(desk: Known, shop: Shop) -> None:
    desk.do("items", **items(desk, desk.card, ("LAMP", "LAMP-S")))
    with shop.uow() as session:
        order = session.get_one(Order, (shop.tenant.id, desk.order_id))
        refund = session.scalars(select(Refund)).one()
        payment = session.get_one(Payment, (shop.tenant.id, refund.payment_id))
        told = receipts.receipt(session, order)["paid"][-1]
        report = reconcile(session, shop.tenant.id)
        said = TELLERS["refund.succeeded"](session, order, {"refund_id": refund.id})
        [back] = given_back.of_order(session, desk.buyer, desk.order_id)
    assert (told["text"], told["amount"]) == ("Given back to another way to pay", -880)
    assert paid_back_to(payment, refund) == "the other way to pay that you chose"
    assert said == f"$8.80 of order {order.number} went back to Visa •••• 1881. Banks take some days to show it."
    assert (back.to, back.amount.amount) == ("Visa •••• 1881", 880)
    assert [one.unexplained for one in report.clearing] == [0]
    assert [one.waiting for one in report.gateways if one.gateway == "manual"] == [-880]


def test_what_another_card_refused_is_given_to_it_again(
    desk: Known, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ManualGateway, "credit", lambda _, *__, key, **___: Move(key, MoveStatus.FAILED))
        desk.do("items", **items(desk, desk.card, ("LAMP", "LAMP-S")))
    with shop.uow() as session:
        alert_id = session.scalars(select(Alert.id).where(Alert.kind == "refund_failed")).one()
    inbox.act(shop.runtime, desk.staff, alert_id)
    assert desk.given() == [("method", desk.card, 880, "failed"), ("method", desk.card, 880, "succeeded")]
    assert broken(shop) == []


@pytest.mark.parametrize("way", ["paypal", "gift"])
@pytest.mark.parametrize("point", ["before_t1_commit", "before_capture", "after_capture", "after_t1_commit"])
def test_who_dies_at_a_yes_that_waits_for_nobody_leaves_all_of_it_or_nothing(
    desk: Known, shop: Shop, point: str, way: str
) -> None:
    asked = desk.ask("items", **items(desk, getattr(desk, way), ("TENT", "TENT-L")))

    def hook(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    faults.set_hook(hook)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            desk.agree(asked)
    finally:
        faults.set_hook(None)
    assert broken(shop) == []
    with ThreadPoolExecutor(3) as pool:
        assert {one.status for one in pool.map(lambda _: desk.agree(asked), range(3))} == {"applied"}
    assert desk.paid()[1:] == [(getattr(desk, way), 3_300)]
    assert desk.balance() == 10_000 - (3_300 if way == "gift" else 0)
    assert broken(shop) == []

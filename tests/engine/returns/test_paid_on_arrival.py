"""An exchange whose difference is paid once the old goods are here: agreed to now, taken then, to the cent."""

from __future__ import annotations

from typing import Any

import pytest

from engine.kit.errors import DomainError
from engine.orders.models import OrderStatus
from engine.payments import refunds, stored_value
from engine.returns import collecting
from engine.returns.models import ReturnKind, ReturnStatus
from tests.engine.orders.desk import broken, buy, sibling
from tests.engine.orders.stored import Known, known
from tests.engine.returns.coming import deliver, inspect, receive, rule, the_return
from tests.shop import Shop

WAYS = ["original", "account", "method"]


@pytest.fixture
def desk(shop: Shop) -> Known:
    shop.add("TENT", price=10_000)
    shop.add("LAMP", price=2_000)
    sibling(shop, "TENT", "TENT-L", price=13_000)
    sibling(shop, "LAMP", "LAMP-S", price=1_200)
    desk = known(buy(shop, "TENT", 1, "LAMP"))
    deliver(desk)
    rule(
        shop,
        exchange_charge_at="received",
        exchange_refund_to=WAYS,
        refund_to=["original", "account"],
        returns_per_order=1,
        window_days=None,
    )
    return desk


def back(desk: Known, way: str, *pairs: tuple[str, str | None]) -> dict[str, Any]:
    lines = [
        {"variant_id": desk.shop.variants[old], "reason": "other"}
        | ({"exchange_variant_id": desk.shop.variants[new]} if new else {})
        for old, new in pairs
    ]
    return {"lines": lines, "payment_method_ref": way, "refund_to": way}


def test_a_dearer_exchange_takes_nothing_until_the_old_goods_are_here(desk: Known) -> None:
    asked = desk.ask("return", **back(desk, desk.paypal, ("TENT", "TENT-L"), ("LAMP", "LAMP-S")))
    difference = 2_200 + 220
    assert asked.terms is not None
    assert asked.terms.to_charge is not None
    assert (asked.charge.amount, asked.terms.to_charge.amount) == (0, difference)
    done = desk.agree(asked)
    row = the_return(desk)
    assert (done.status, row.kind, row.to_charge, row.charge, len(desk.paid())) == (
        "applied",
        ReturnKind.EXCHANGE,
        difference,
        0,
        1,
    )
    assert broken(desk.shop) == []
    due = desk.look().due.amount
    receive(desk, row)
    assert (len(desk.paid()), the_return(desk).to_charge) == (1, difference)
    assert broken(desk.shop) == []
    assert collecting.collect_due(desk.shop.runtime, desk.shop.tenant.id) == 1
    row = the_return(desk)
    assert (row.to_charge, row.charge, row.collected) == (0, difference, difference)
    assert desk.paid()[-1] == (desk.paypal, difference)
    now = desk.look()
    assert (now.due.amount, now.status) == (due + difference, OrderStatus.OPEN)
    assert {one.sku for one in now.lines if one.ordered > one.returned} == {"TENT-L", "LAMP-S"}
    assert broken(desk.shop) == []
    assert collecting.collect_due(desk.shop.runtime, desk.shop.tenant.id) == 0


def test_a_card_that_a_gateway_holds_pays_then_by_the_token_of_the_yes(desk: Known) -> None:
    desk.do("return", **(back(desk, "test_visa", ("TENT", "TENT-L")) | {"refund_to": "original"}))
    receive(desk, the_return(desk))
    assert collecting.collect_due(desk.shop.runtime, desk.shop.tenant.id) == 1
    assert desk.paid()[-1] == (None, 3_300)
    assert broken(desk.shop) == []


def test_a_gift_card_must_be_enough_at_the_yes_and_when_it_pays(desk: Known) -> None:
    desk.do("return", **back(desk, desk.gift, ("TENT", "TENT-L")))
    assert desk.balance() == 10_000
    receive(desk, the_return(desk))
    assert collecting.collect_due(desk.shop.runtime, desk.shop.tenant.id) == 1
    assert (desk.balance(), desk.paid()[-1]) == (6_700, (desk.gift, 3_300))
    assert broken(desk.shop) == []


def test_what_cannot_be_taken_stays_owed_and_nothing_goes_out(desk: Known, shop: Shop) -> None:
    desk.do("return", **back(desk, desk.gift, ("TENT", "TENT-L")))
    with shop.uow() as session:
        stored_value.block(session, shop.tenant.id, desk.gift, actor="test")
    receive(desk, the_return(desk))
    assert collecting.collect_due(shop.runtime, shop.tenant.id) == 0
    row = the_return(desk)
    assert (row.problem, row.to_charge, desk.balance()) == ("stored_value_short", 3_300, 10_000)
    assert [one.sku for one in desk.look().lines if one.sku == "TENT-L"] == []
    assert broken(shop) == []


def test_a_cheaper_exchange_gives_the_difference_to_the_way_named_when_it_is_here(desk: Known) -> None:
    desk.do("return", **back(desk, desk.card, ("LAMP", "LAMP-S")))
    assert desk.given() == []
    row = the_return(desk)
    receive(desk, row)
    refunds.finish_pending(desk.shop.runtime, desk.shop.tenant.id)
    assert [one[:3] for one in desk.given()] == [("method", desk.card, 880)]
    inspect(desk, row)
    assert the_return(desk).status == ReturnStatus.CLOSED
    assert broken(desk.shop) == []


REFUSED: list[tuple[str, str, tuple[tuple[str, str | None], ...]]] = [
    ("too_many_units", "paypal", (("TENT", "TENT-L"), ("TENT", "TENT-L"))),
    ("wrong_product", "paypal", (("LAMP", "TENT-L"),)),
    ("not_owned_method", "pm_00000000000000000000000000", (("TENT", "TENT-L"),)),
    ("not_owned_method", "pm_00000000000000000000000000", (("LAMP", None), ("LAMP", None))),
    ("change_refused", "paypal", (("LAMP", None),)),
    ("change_refused", "paypal", (("LAMP", None), ("LAMP", None))),
    ("too_many_units", "gift", (("LAMP", None), ("LAMP", None))),
]


@pytest.mark.parametrize(("code", "way", "pairs"), REFUSED)
def test_what_is_wrong_first_is_said_and_nothing_changes(
    desk: Known, code: str, way: str, pairs: tuple[tuple[str, str | None], ...]
) -> None:
    before = desk.rows()
    with pytest.raises(DomainError) as refused:
        desk.ask("return", **back(desk, getattr(desk, way, way), *pairs))
    assert (refused.value.code, desk.rows()) == (code, before)


def test_a_gift_card_with_too_little_exchanges_nothing(shop: Shop) -> None:
    shop.add("TENT", price=10_000)
    sibling(shop, "TENT", "TENT-L", price=20_000)
    desk = known(buy(shop, "TENT"), gift=10_999)
    deliver(desk)
    rule(shop, exchange_charge_at="received", exchange_refund_to=WAYS)
    before = desk.rows()
    with pytest.raises(DomainError) as refused:
        desk.ask("return", **back(desk, desk.gift, ("TENT", "TENT-L")))
    assert (refused.value.code, desk.rows(), desk.balance()) == ("insufficient_balance", before, 10_999)


def test_the_same_item_may_come_instead_and_one_request_is_all(desk: Known) -> None:
    done = desk.do("return", **back(desk, desk.paypal, ("TENT", "TENT")))
    assert (done.status, done.charge.amount, the_return(desk).kind) == ("applied", 0, ReturnKind.EXCHANGE)
    before = desk.rows()
    with pytest.raises(DomainError) as refused:
        desk.ask("return", **back(desk, desk.gift, ("LAMP", None)))
    assert (refused.value.code, desk.rows()) == ("returned_before", before)
    assert broken(desk.shop) == []


def test_nothing_comes_back_of_what_has_not_arrived(shop: Shop) -> None:
    shop.add("TENT")
    desk = known(buy(shop, "TENT"))
    with pytest.raises(DomainError) as refused:
        desk.ask("return", lines=[{"variant_id": "var_00000000000000000000000000", "reason": "other"}])
    assert refused.value.code == "not_delivered"


def test_the_way_it_was_paid_is_a_way_of_return_by_its_own_name(shop: Shop) -> None:
    shop.add("TENT", price=10_000)
    desk = known(buy(shop, "TENT"))
    desk.do("payment_method", payment_method_ref=desk.card)
    deliver(desk)
    rule(shop, refund_to=["original", "account"])
    done = desk.do("return", **back(desk, desk.card, ("TENT", None)))
    assert (done.status, done.refund_to, desk.given()[-1][1]) == ("applied", "original", None)
    with pytest.raises(DomainError):
        desk.ask("return", **back(desk, desk.paypal, ("TENT", None)))
    receive(desk, the_return(desk))
    assert desk.given()[-1][:3] == ("original", None, 11_000)
    assert broken(shop) == []

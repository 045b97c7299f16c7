"""What keeps a model from the usual mistakes: variants by constraint, ways by reference, refusals that help, a list."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from engine.catalog.models import Variant
from engine.catalog.policy import CatalogPolicy
from engine.checkout import new_address
from engine.checkout.models import Consent, ConsentStatus
from engine.conversations import asking
from engine.conversations.deciding import Press
from engine.customers import finding
from engine.kit.errors import DomainError, NotFound
from icommerce_agents.briefing import read_briefing
from tests.engine.orders.desk import broken, buy, limit, rule, sibling
from tests.engine.orders.stored import Known, known
from tests.shop import Shop
from tests.tools.talk import Talk
from tools import arithmetic
from tools.spec import ToolContext


@pytest.fixture
def desk(shop: Shop) -> Known:
    shop.add("TENT", price=10_000)
    sibling(shop, "TENT", "BLUE-L", price=12_000)
    sibling(shop, "TENT", "BLUE-S", price=9_000)
    sibling(shop, "TENT", "RED-L", price=11_000)
    with shop.uow() as session:
        for sku, options in (
            ("TENT", {"color": "red", "size": "S"}),
            ("BLUE-L", {"color": "blue", "size": "L"}),
            ("BLUE-S", {"color": "blue", "size": "S"}),
            ("RED-L", {"color": "red", "size": "L"}),
        ):
            session.execute(update(Variant).where(Variant.id == shop.variants[sku]).values(options=options))
    return known(buy(shop, "TENT"))


@pytest.fixture
def talk(desk: Known) -> Talk:
    return Talk(desk.shop, desk.buyer)


def unsold(shop: Shop, sku: str) -> None:
    with shop.uow() as session:
        session.execute(update(Variant).where(Variant.id == shop.variants[sku]).values(sellable=False))


def skus(shop: Shop, told: dict[str, Any]) -> list[str]:
    names = {one: sku for sku, one in shop.variants.items()}
    return [names[one["variant_id"]] for one in told["variants"]]


def test_variants_that_meet_every_constraint_come_with_what_they_cost_more(desk: Known, talk: Talk) -> None:
    tent = desk.shop.variants["TENT"]
    told = talk.ok("find_variants", product_id=tent, options={"Color": "BLUE"}, like=tent)
    assert (told["count"], skus(desk.shop, told)) == (1, ["BLUE-S"])
    assert told["variants"][0] == {
        "variant_id": desk.shop.variants["BLUE-S"],
        "options": {"color": "blue", "size": "S"},
        "price": "$90.00",
        "available": 10,
        "changes": {"color": "blue"},
        "costs_more_by": "-$10.00",
    }
    both = talk.ok("find_variants", product_id=tent, options={"color": "blue"})
    assert skus(desk.shop, both) == ["BLUE-S", "BLUE-L"]


def test_variants_that_cannot_be_had_come_last_and_are_counted_apart(desk: Known, talk: Talk) -> None:
    limit(desk, CatalogPolicy, names_unavailable_variants=True)
    unsold(desk.shop, "BLUE-S")
    tent = desk.shop.variants["TENT"]
    told = talk.ok("find_variants", product_id=tent)
    assert (told["count"], told["available"], skus(desk.shop, told)[-1]) == (4, 3, "BLUE-S")
    assert skus(desk.shop, talk.ok("find_variants", product_id=tent, options={"color": "blue"}, available=True)) == [
        "BLUE-L"
    ]
    assert len(talk.ok("get_product", product_id=desk.shop.variants["BLUE-S"])["variants"]) == 4
    limit(desk, CatalogPolicy, names_unavailable_variants=False)
    assert len(talk.ok("get_product", product_id=tent)["variants"]) == 3
    assert talk.refused("get_product", product_id=desk.shop.variants["BLUE-S"])[0] == "not_found"


def test_an_option_that_the_product_has_not_is_told_with_those_it_has(desk: Known, talk: Talk) -> None:
    code, words = talk.refused("find_variants", product_id=desk.shop.variants["TENT"], options={"color": "green"})
    assert (code, words) == ("invalid_request", "Thing TENT has no color 'green'; it has: blue, red.")


def test_the_profile_has_every_way_to_pay_with_what_is_on_it(desk: Known, talk: Talk) -> None:
    told = talk.ok("get_profile")
    assert (told["given_name"], told["default_address"]["line_one"], told["orders"]) == (
        "Ada",
        "12 Pine St",
        [desk.look().number],
    )
    ways = {one["ref"]: one for one in told["payment_methods"]}
    assert ways[desk.paypal] == {"ref": desk.paypal, "kind": "wallet", "label": "PayPal", "wallet": "paypal"}
    assert ways[desk.gift]["balance"] == "$100.00"
    [purse] = talk.ok("list_payment_methods")["gift_cards_and_credit"]
    assert (purse["ref"], purse["balance"]) == (desk.gift, "$100.00")
    assert talk.ok("quote_payment_change", order=desk.look().number, payment_method_ref=desk.paypal)["pays_with"] == (
        "PayPal"
    )


def test_an_order_says_what_can_be_asked_for_and_by_which_reasons(desk: Known, talk: Talk) -> None:
    rule(
        desk.shop,
        cancel_reasons=[{"code": "moved", "text": "Moved away"}],
        items_changes_per_order=1,
        allow_after_item_change=["address"],
    )
    told = talk.ok("get_order", order=desk.look().number)
    assert told["can"] == ["quote_cancel", "quote_address_change", "quote_payment_change", "quote_item_change"]
    assert told["cancel_reasons"] == {"moved": "Moved away"}
    desk.do("items", swaps=[{"variant_id": desk.shop.variants["TENT"], "to_variant_id": desk.shop.variants["RED-L"]}])
    assert talk.ok("get_order", order=desk.look().number)["can"] == ["quote_address_change"]


def test_a_refusal_says_what_helps_on_and_what_is_allowed(desk: Known, talk: Talk) -> None:
    rule(desk.shop, cancel_reasons=[{"code": "moved", "text": "Moved away"}])
    number = talk.ok("get_order", order=desk.look().number)["number"]
    answer = talk.call("quote_cancel", order=number, reason="bored")
    assert answer["error"] == {
        "code": "invalid_reason",
        "message": "The reason must be one of: moved.",
        "allowed": ["moved"],
    }
    line = talk.ok("get_order", order=number)["lines"][0]
    swap = {"line_id": line["line_id"], "to_variant_id": line["variant_id"]}
    answer = talk.call("quote_item_change", order=number, swaps=[swap])
    assert (answer["error"]["code"], answer["error"]["next"]) == ("same_item", ["find_variants"])


def test_a_default_address_changes_by_a_press_on_its_card_and_orders_keep_theirs(desk: Known, talk: Talk) -> None:
    given = {"name": "Ada Buyer", "line_one": "9 Oak Ave", "city": "Austin", "state": "Texas", "postal_code": "78701"}
    talk.ok("quote_default_address", **given)
    first = talk.card["messageId"]
    talk.ok("quote_default_address", **(given | {"line_one": "10 Oak Ave"}))
    card = talk.card["messageId"]
    assert talk.ok("get_profile")["default_address"]["line_one"] == "12 Pine St"
    with desk.shop.uow() as session:
        assert session.get_one(Consent, (desk.shop.tenant.id, first)).status == ConsentStatus.SUPERSEDED
    press = Press(desk.buyer, approved=True, channel="chat", thread_id=talk.thread_id)
    with desk.shop.uow() as session:
        assert asking.decide(session, desk.buyer, card, press).first
    kept = new_address.carry_out(desk.shop.runtime, desk.buyer, card)
    assert (kept.line_one, kept.state, kept.is_default) == ("10 Oak Ave", "TX", True)
    assert new_address.carry_out(desk.shop.runtime, desk.buyer, card) == kept
    ship_to = desk.look().ship_to
    assert ship_to is not None
    assert ship_to.line_one == "12 Pine St"
    assert talk.refused("quote_default_address", **(given | {"line_one": "10 Oak Ave"}))[0] == "nothing_to_change"
    with pytest.raises(DomainError):
        new_address.carry_out(desk.shop.runtime, desk.buyer, first)
    assert broken(desk.shop) == []


def test_who_somebody_is_is_found_by_e_mail_and_by_name_and_place(desk: Known) -> None:
    tenant_id = desk.shop.tenant.id
    with desk.shop.uow() as session:
        assert finding.by_email(session, tenant_id, " aDa@Example.COM").id == desk.buyer.customer_id
        there = {"given_name": "ADA", "family_name": "buyer"}
        assert finding.by_name(session, tenant_id, **there, postal_code="97204").id == desk.buyer.customer_id
        for wrong in (
            there | {"postal_code": "97205"},
            {"given_name": "Ada Buyer", "family_name": "", "postal_code": "97204"},
            {"given_name": "Buyer", "family_name": "Ada", "postal_code": "97204"},
        ):
            with pytest.raises(NotFound):
                finding.by_name(session, tenant_id, **wrong)
        with pytest.raises(NotFound):
            finding.by_email(session, tenant_id, "eve@example.com")


def test_what_was_asked_for_is_kept_and_told_before_each_turn(desk: Known, talk: Talk) -> None:
    wanted = [{"text": "cancel  the tent"}, {"text": "new address 4111 1111 1111 1111", "status": "done"}]
    told = talk.ok("note_requests", requests=wanted)
    assert (told["open"], told["requests"][0]) == (1, {"number": 1, "text": "cancel the tent", "status": "open"})
    assert "4111" not in str(told)
    context = ToolContext(desk.shop.runtime, desk.buyer, talk.thread_id, "run_1")
    assert "open_requests: 1. cancel the tent (open)" in read_briefing(context).lines
    talk.ok("note_requests", requests=[{"text": "cancel the tent", "status": "refused"}])
    assert not any(line.startswith("open_requests") for line in read_briefing(context).lines)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2*3", "7.00"),
        ("(1200.50 - 46.66) / 3", "384.61"),
        ("-(2.5) * 2", "-5.00"),
        ("0.1+0.2", "0.30"),
        ("2.675*100", "267.50"),
        ("1/3", "0.33"),
    ],
)
def test_sums_are_exact(text: str, value: str) -> None:
    assert arithmetic.rounded(arithmetic.evaluate(text)) == value


@pytest.mark.parametrize("text", ["", "2**99999999", "1//2", "1/0", "__import__('os')", "1 2", "(1", "1e9", "(" * 200])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(arithmetic.InvalidExpression):
        arithmetic.evaluate(text)

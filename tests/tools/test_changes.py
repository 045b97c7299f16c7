"""Changes of an order as an agent may ask for them: a quote and a card, and nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.checkout.models import Consent, ConsentStatus
from engine.conversations import asking
from engine.kit.ids import new_id
from engine.orders.changes.schemas import ChangeView
from tests.engine.orders.desk import Desk, buy, rule, sibling
from tests.engine.returns.coming import deliver
from tests.shop import Shop
from tests.tools.talk import Talk

NEW = {
    "name": "Ada Buyer",
    "line_one": "9 Oak Ave",
    "city": "Columbus",
    "state": "Ohio",
    "postal_code": "43004",
    "country": "US",
}


@pytest.fixture
def desk(shop: Shop) -> Desk:
    shop.add("TENT", price=10000)
    shop.add("LAMP", price=2000)
    return buy(shop, "TENT", 2, "LAMP")


@pytest.fixture
def talk(desk: Desk) -> Talk:
    return Talk(desk.shop, desk.buyer)


def test_an_order_in_full_has_the_ids_that_a_change_names(desk: Desk, talk: Talk) -> None:
    told = talk.ok("get_order", order=desk.look().number.lower())
    tent, lamp = desk.line("TENT"), desk.line("LAMP")
    assert (
        told["lines"]
        == [
            {
                "line_id": tent.id,
                "product_id": tent.product_id,
                "variant_id": tent.variant_id,
                "title": "Thing TENT",
                "options": {},
                "quantity": 2,
                "unit_price": "$100.00",
            },
            {
                "line_id": lamp.id,
                "product_id": lamp.product_id,
                "variant_id": lamp.variant_id,
                "title": "Thing LAMP",
                "options": {},
                "quantity": 1,
                "unit_price": "$20.00",
            },
        ]
        or told["lines"][0]["title"] == "Thing LAMP"
    )
    assert (told["total"], told["shipping"], told["ship_to"]["line_one"]) == ("$248.55", "Standard", "12 Pine St")
    assert [word for word in ("sku", "cost", "margin") if word in str(told)] == []


def test_canceling_is_quoted_on_a_card_and_nothing_is_canceled(desk: Desk, talk: Talk) -> None:
    before = desk.rows()
    told = talk.ok("quote_cancel", order=desk.look().number, reason="no_longer_needed")
    assert (told["kind"], told["refund"], told["refund_to"]) == ("cancel", "$248.55", "original")
    assert [(one["title"], one["quantity"]) for one in told["ends"]] in (
        [("Thing TENT", 2), ("Thing LAMP", 1)],
        [("Thing LAMP", 1), ("Thing TENT", 2)],
    )
    assert told["order_total_after"] == "$0.00"
    assert (told["card"], "Nothing has been changed" in told["note"]) == ("shown", True)
    assert desk.rows() == before
    with desk.shop.uow() as session:
        consent = session.scalars(select(Consent).where(Consent.id == talk.card["content"]["id"])).one()
        assert (consent.status, consent.thread_id, consent.owner_id) == (
            ConsentStatus.OPEN,
            talk.thread_id,
            desk.buyer.id,
        )
    assert (talk.card["activityType"], talk.card["messageId"]) == ("change", consent.id)
    assert talk.card["content"]["change"]["refund"]["amount"] == 24855


def test_the_newest_quote_is_the_one_that_may_be_agreed_to(desk: Desk, talk: Talk) -> None:
    talk.ok("quote_cancel", order=desk.look().number, reason="other")
    first = talk.card["messageId"]
    talk.ok("quote_cancel", order=desk.look().number, reason="found_cheaper")
    with desk.shop.uow() as session:
        (card,) = asking.open_cards(session, desk.buyer, talk.thread_id)
    assert (card.id, card.reason) == (talk.card["messageId"], "order_change")
    assert card.id != first
    assert desk.agree(ChangeView.model_validate(card.shown["change"])).status == "applied"
    assert talk.ok("get_order", order=desk.order_id)["status"] == "canceled"


def test_units_of_a_line_are_named_only_after_they_were_read(desk: Desk, talk: Talk) -> None:
    lamp = {"line_id": desk.line("LAMP").id, "quantity": 1}
    code, words = talk.refused("quote_cancel", order=desk.order_id, lines=[lamp])
    assert (code, desk.order_id in words, lamp["line_id"] in words) == ("unknown_reference", True, True)
    talk.ok("get_order", order=desk.look().number)
    told = talk.ok("quote_cancel", order=desk.order_id, lines=[lamp])
    assert (told["refund"], told["order_total_after"]) == ("$22.00", "$226.55")


def test_a_reason_that_is_none_names_those_there_are(desk: Desk, talk: Talk) -> None:
    code, words = talk.refused("quote_cancel", order=desk.look().number, reason="bored")
    assert (code, "no_longer_needed, ordered_by_mistake" in words) == ("invalid_reason", True)


def test_another_address_is_quoted(desk: Desk, talk: Talk) -> None:
    told = talk.ok("quote_address_change", order=desk.look().number, **NEW)
    assert (told["ship_to"]["state"], told["shipping"]) == ("OH", "Standard")
    assert (told["refund"], told["order_total_after"]) == ("$22.60", "$225.95")
    code, words = talk.refused("quote_address_change", order=desk.look().number, **(NEW | {"state": ""}))
    assert (code, words) == ("address_incomplete", "Still needed: state.")


def test_paying_another_way_takes_one_of_the_shoppers_own(desk: Desk, talk: Talk) -> None:
    code, words = talk.refused("quote_payment_change", order=desk.look().number, payment_method_ref="test_visa")
    assert (code, words) == ("same_method", "The order is paid with that already. Choose another way to pay.")
    strange = new_id("payment_method")
    assert talk.refused("quote_payment_change", order=desk.look().number, payment_method_ref=strange)[0] == (
        "unknown_reference"
    )
    rule(desk.shop, payment_change_requires_other_method=False)
    told = talk.ok("quote_payment_change", order=desk.look().number, payment_method_ref="test_visa")
    assert (told["charge"], told["refund"], told["pays_with"]) == ("$248.55", "$248.55", "Test Visa •••• 4242")


def test_swapping_says_what_it_costs(desk: Desk, talk: Talk) -> None:
    sibling(desk.shop, "LAMP", "LAMP-XL", price=3000)
    line = talk.ok("get_order", order=desk.look().number)["lines"]
    lamp = next(one for one in line if one["title"] == "Thing LAMP")
    other = next(v for v in talk.ok("get_product", product_id=lamp["product_id"])["variants"] if v["options"])
    swap = {"line_id": lamp["line_id"], "to_variant_id": other["id"]}
    told = talk.ok("quote_item_change", order=desk.look().number, swaps=[swap])
    assert (told["charge"], told["pays_with"]) == ("$11.00", "Test Visa •••• 4242")
    assert [(one["options"], one["total"]) for one in told["comes"]] == [({"kind": "LAMP-XL"}, "$33.00")]
    assert talk.card["content"]["change"]["charge"]["amount"] == 1100


def test_what_has_shipped_is_sent_back_instead(desk: Desk, talk: Talk) -> None:
    deliver(desk)
    code, words = talk.refused("quote_cancel", order=desk.look().number)
    assert (code, words) == (
        "wrong_status",
        "This order is closed; it can no longer be canceled. Ask get_return_options whether it can be sent back.",
    )
    assert talk.shown == []


def test_nobody_elses_order_is_there(desk: Desk) -> None:
    stranger = Talk(desk.shop, desk.shop.shopper())
    before = desk.rows()
    for name in ("get_order", "track_order", "get_refunds", "get_return_options", "quote_cancel", "reorder"):
        assert stranger.refused(name, order=desk.look().number) == (
            "not_found",
            "There is no such order among yours.",
        )
    assert desk.rows() == before


def test_staff_see_what_it_would_do_and_no_card_is_shown_in_their_conversation(desk: Desk) -> None:
    talk = Talk(desk.shop, desk.staff)
    told = talk.ok("quote_cancel", order=desk.look().number)
    assert (told["refund"], "card" in told, talk.shown) == ("$248.55", False, [])
    with desk.shop.uow() as session:
        assert session.scalars(select(Consent.id).where(Consent.thread_id == talk.thread_id)).all() == []

"""What a shopping model may look up and put in the cart: availability, recommendations, offers, addresses, reorders."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.carts.models import Discount
from engine.catalog.models import Product, Variant
from engine.checkout import service
from engine.checkout.complete import complete
from engine.conversations import references
from engine.customers import book
from engine.customers.models import EmailCode
from engine.inventory.models import Location
from engine.kit import clock
from engine.kit.ids import new_id
from engine.support.models import Case
from tests.engine.customers.people import known
from tests.engine.orders.desk import buy, sibling
from tests.shop import ADDRESS, Shop
from tests.tools.talk import Talk, statements

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""


@pytest.fixture
def talk(shop: Shop) -> Talk:
    shop.add("TENT", price=10000, stock={"EAST": 3})
    return Talk(shop, shop.shopper())


def at(moment: datetime) -> Any:
    return clock.shifted(moment - clock.now())


def test_availability_for_a_postal_code_says_ways_prices_and_days(shop: Shop, talk: Talk, still_clock: None) -> None:
    with at(NOON):
        told = talk.ok("check_availability", item_id=shop.variants["TENT"], postal_code="98101")
    assert (told["in_stock"], told["to"], told["if_ordered_by"]) == (3, "WA 98101 US", "2026-03-04 14:00 UTC")
    assert told["ways"] == [
        {"title": "Standard", "price": "$5.95", "arrives": "2026-03-09 to 2026-03-11"},
        {"title": "Overnight", "price": "$25.00", "arrives": "2026-03-05"},
    ]
    assert talk.card["activityType"] == "availability"
    shown = talk.card["content"]
    assert (shown["holds_until"], shown["ways"][1]["latest"]) == ("2026-03-04T14:00:00+00:00", "2026-03-05")


def test_after_the_cut_off_it_leaves_a_day_later(shop: Shop, talk: Talk, still_clock: None) -> None:
    with at(NOON.replace(hour=15)):
        told = talk.ok("check_availability", item_id=shop.variants["TENT"], postal_code="98101")
    assert (told["if_ordered_by"], told["ways"][1]["arrives"]) == ("2026-03-05 14:00 UTC", "2026-03-06")


def test_more_than_there_is_says_so(shop: Shop, talk: Talk) -> None:
    told = talk.ok("check_availability", item_id=shop.variants["TENT"], quantity=4, postal_code="98101")
    assert told["problems"] == ["Only 3 of Thing TENT can be delivered."]
    with shop.uow() as session:
        session.execute(update(Variant).values(stock_policy="backorder", lead_days=7))
    told = talk.ok("check_availability", item_id=shop.variants["TENT"], quantity=4, postal_code="98101")
    assert "problems" not in told
    assert told["notices"][0].startswith("Thing TENT is on backorder: 1 of 4 is expected to ship by")


def test_without_a_place_it_asks_for_one_and_then_knows_the_checkouts(shop: Shop, talk: Talk) -> None:
    product = talk.ok("check_availability", item_id=shop.variants["TENT"])
    assert (product["ways"], product["note"]) == ([], "Ask for the postal code to say when it would arrive.")
    shop.fill(talk.who, "TENT")
    talk.ok("update_checkout", **{k: v for k, v in ADDRESS.items() if k != "name"}, name="Ada Buyer")
    assert talk.ok("check_availability", item_id=shop.variants["TENT"])["to"] == "WA 97204 US"
    assert talk.refused("check_availability", item_id=shop.variants["TENT"], postal_code="9")[0] == "address_incomplete"


def test_a_product_is_checked_by_its_cheapest_variant_of_which_there_is_enough(shop: Shop, talk: Talk) -> None:
    sibling(shop, "TENT", "TENT-XL", price=9000, units=2)
    with shop.uow() as session:
        product = session.scalars(select(Product.id)).one()
    assert talk.ok("check_availability", item_id=product, quantity=2)["variant_id"] == shop.variants["TENT-XL"]
    told = talk.ok("check_availability", item_id=product, quantity=3)
    assert told["variant_id"] == shop.variants["TENT"]
    assert told["other_variants"] == [{"id": shop.variants["TENT-XL"], "options": {"kind": "TENT-XL"}, "available": 2}]


def test_a_place_we_do_not_ship_to_is_said(shop: Shop, talk: Talk) -> None:
    told = talk.ok("check_availability", item_id=shop.variants["TENT"], postal_code="10115", country="Germany")
    assert (told["ways"], told["problems"]) == ([], ["We do not ship this order to that address."])


def test_what_has_no_parcel_is_there_at_once(shop: Shop, talk: Talk) -> None:
    with shop.uow() as session:
        digital = {"access_url": "https://files.example/{access}"}
        session.execute(update(Variant).values(digital=digital, stock_policy="untracked"))
    told = talk.ok("check_availability", item_id=shop.variants["TENT"])
    assert told["ways"] == [{"title": "Delivered by e-mail at once", "price": "$0.00", "arrives": "at once, by e-mail"}]
    assert ("note" in told, "problems" in told) == (False, False)


def test_what_two_bought_together_goes_with_it_and_one_persons_basket_is_private(shop: Shop) -> None:
    for sku, category, price in (("TENT", "tents", 10000), ("PEG", "pegs", 500), ("TARP", "tents", 12000)):
        shop.add(sku, price=price, category=category)
    buy(shop, "TENT", 1, "PEG")
    talk = Talk(shop, shop.shopper())
    told = talk.ok("recommend_products", item_id=shop.variants["TENT"])
    assert (told["for"], told["goes_with"]) == ("Thing TENT", [])
    assert [one["title"] for one in told["alternatives"]] == ["Thing TARP"]
    with shop.uow() as session:
        session.execute(update(Product).where(Product.title == "Thing PEG").values(rating=45))
    other = shop.shopper()
    shop.fill(other, "PEG")
    _buys(shop, other, "bob@example.com")
    told = talk.ok("recommend_products", item_id=shop.variants["TENT"])
    assert [one["title"] for one in told["goes_with"]] == ["Thing PEG"]
    assert [one["title"] for one in talk.card["content"]["items"]] == ["Thing PEG", "Thing TARP"]


def _buys(shop: Shop, who: Any, email: str) -> None:
    """A tent, with whatever is in the cart."""
    shop.fill(who, "TENT")
    with shop.uow() as session:
        service.update(session, who, service.Details(email=email, **ADDRESS))
    card = shop.card(who)
    shop.approve(who, card.id)
    complete(shop.runtime, who, card.id)


def test_favorites_of_a_category_are_those_sold_and_liked(shop: Shop) -> None:
    for sku, category in (("TENT", "tents"), ("TARP", "tents"), ("PEG", "pegs"), ("NONE", "tents")):
        shop.add(sku, category=category, stock={} if sku == "NONE" else None)
    buy(shop, "TARP")
    talk = Talk(shop, shop.shopper())
    told = talk.ok("recommend_products", category="tent")
    assert [one["title"] for one in told["items"]] == ["Thing TARP", "Thing TENT"]
    assert talk.ok("recommend_products", category="boats")["items"] == []
    assert len(talk.ok("recommend_products", limit=2)["items"]) == 2


def test_offers_are_those_that_apply_by_themselves(shop: Shop, talk: Talk) -> None:
    with shop.uow() as session:
        for code, title, more in (
            (None, "Spring", {"percent_off": 10, "minimum": 5000, "category": "tents"}),
            (None, "Free ride", {"kind": "free_shipping"}),
            (None, "Used up", {"percent_off": 5, "usage_limit": 1, "used": 1}),
            ("SECRET", "For friends", {"percent_off": 50}),
        ):
            session.add(Discount(tenant_id=shop.tenant.id, id=new_id("discount"), code=code, title=title, **more))
    told = talk.ok("list_discounts")
    assert [(one["title"], one["terms"]) for one in told["items"]] == [
        ("Spring", "10% off tents, from $50.00"),
        ("Free ride", "free shipping"),
    ]
    assert "SECRET" not in str(told)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"amount_off": 500}, "$5.00 off"),
        ({"percent_off": 10, "first_order_only": True}, "10% off, first order only"),
        (
            {"percent_off": 10, "rules": {"collections": ["sale"], "minimum_quantity": 2}},
            "10% off some products, from 2 units",
        ),
        ({"kind": "buy_get", "rules": {"buy": 2, "get": 1}, "category": "tents"}, "buy 2, get 1 free on tents"),
        ({"kind": "buy_get", "rules": {"buy": 1, "get": 1, "get_percent": 50}}, "buy 1, get 1 50% off"),
        ({"kind": "free_shipping", "rules": {"shipping_up_to": 600}}, "free shipping where it costs up to $6.00"),
    ],
)
def test_what_an_offer_gives_is_said(shop: Shop, talk: Talk, more: dict[str, Any], words: str) -> None:
    with shop.uow() as session:
        session.add(Discount(tenant_id=shop.tenant.id, id=new_id("discount"), title="Offer", **more))
    assert [one["terms"] for one in talk.ok("list_discounts")["items"]] == [words]


def test_looking_up_takes_as_many_statements_in_a_larger_shop(shop: Shop) -> None:
    asked = []
    for batch in range(2):
        for number in range(4):
            shop.add(f"TENT-{batch}{number}", category="tents", price=1000 + number)
        buy(shop, f"TENT-{batch}0", 1, *[f"TENT-{batch}{number}" for number in range(1, 4)])
        talk = Talk(shop, shop.shopper())
        item = {"item_id": shop.variants[f"TENT-{batch}0"]}
        asked.append(
            [
                _count(shop, talk, "recommend_products", **item),
                _count(shop, talk, "recommend_products", category="tents"),
                _count(shop, talk, "check_availability", **item, postal_code="98101"),
                _count(shop, talk, "list_discounts"),
            ]
        )
    assert asked[0] == asked[1]
    assert max(asked[0]) <= MOST_STATEMENTS


MOST_STATEMENTS = 16
"""Of one lookup, with what the adapter writes down."""


def _count(shop: Shop, talk: Talk, tool: str, /, **given: Any) -> int:
    with statements(shop) as said:
        talk.ok(tool, **given)
    return len(said)


def test_addresses_are_the_signed_in_shoppers(shop: Shop, talk: Talk) -> None:
    assert talk.refused("list_addresses") == (
        "email_not_verified",
        "The shopper is not signed in: ask for the address, or offer send_sign_in_code.",
    )
    ada = Talk(shop, known(shop))
    with shop.uow() as session:
        kept = book.add_address(session, ada.who, ADDRESS, default=True).id
    assert ada.refused("use_address", address_ref=kept)[0] == "unknown_reference"
    assert ada.ok("list_addresses")["items"][0] | {"ref": ""} == ADDRESS | {
        "ref": "",
        "line_two": "",
        "is_default": True,
    }
    assert ada.refused("use_address", address_ref=kept)[0] == "cart_empty"
    shop.fill(ada.who, "TENT")
    assert ada.ok("use_address", address_ref=kept)["ship_to"]["line_one"] == "12 Pine St"


def test_a_foreign_address_is_none(shop: Shop, talk: Talk) -> None:
    ada, eve = known(shop), known(shop, "eve@example.com")
    with shop.uow() as session:
        kept = book.add_address(session, ada, ADDRESS, default=True).id
    spy = Talk(shop, eve)
    shop.fill(eve, "TENT")
    with shop.uow() as session:
        references.record(session, shop.tenant.id, spy.thread_id, [kept])
    assert spy.refused("use_address", address_ref=kept) == ("not_found", "There is no such address.")


def test_a_code_is_sent_without_a_word_on_who_is_known(shop: Shop, talk: Talk) -> None:
    known(shop, "ada@example.com")
    first = talk.ok("send_sign_in_code", email="ada@example.com")
    assert talk.card["activityType"] == "sign_in"
    other = Talk(shop, shop.shopper())
    assert other.ok("send_sign_in_code", email="nobody@example.com") == first
    with shop.uow() as session:
        assert {row.email for row in session.scalars(select(EmailCode).where(EmailCode.used_at.is_(None)))} == {
            "ada@example.com",
            "nobody@example.com",
        }
    assert talk.refused("send_sign_in_code", email="ada")[0] == "contact_invalid"
    for _ in range(2):
        talk.call("send_sign_in_code", email="ada@example.com")
    assert talk.refused("send_sign_in_code", email="ada@example.com")[0] == "cap_reached"
    signed_in = Talk(shop, known(shop, "eve@example.com"))
    assert signed_in.ok("send_sign_in_code", email="x@example.com")["signed_in"] is True


def test_an_order_is_put_in_the_cart_again_as_far_as_it_can_be_had(shop: Shop) -> None:
    for sku in ("TENT", "LAMP", "ROPE"):
        shop.add(sku, price=1000, stock={"EAST": 3})
    desk = buy(shop, "TENT", 2, "LAMP", "ROPE")
    with shop.uow() as session:
        session.execute(update(Product).where(Product.title == "Thing ROPE").values(status="archived"))
    talk = Talk(shop, desk.buyer)
    told = talk.ok("reorder", order=desk.look().number)
    assert sorted((one["title"], one["quantity"]) for one in told["added"]) == [("Thing LAMP", 1), ("Thing TENT", 1)]
    assert told["left_out"] == [{"title": "Thing ROPE", "why": "It is not sold any more."}]
    assert (told["total"], told["item_count"]) == ("$20.00", 2)
    again = talk.ok("reorder", order=desk.look().number)
    assert {one["title"]: one["why"] for one in again["left_out"]}["Thing TENT"] == "It is sold out."
    assert again["item_count"] == 3


def test_reordering_many_lines_takes_no_more_statements(shop: Shop) -> None:
    skus = [f"THING-{number}" for number in range(6)]
    for sku in skus:
        shop.add(sku, price=1000)
    few, many = buy(shop, skus[0]), buy(shop, skus[0], 1, *skus[1:])
    said = []
    for desk in (few, many):
        talk, number = Talk(shop, desk.buyer), desk.look().number
        with statements(shop) as sent:
            talk.ok("reorder", order=number)
        said.append(len(sent))
    assert said[0] == said[1]


def test_a_complaint_is_a_case_and_the_agents_go_on(shop: Shop) -> None:
    shop.add("TENT")
    desk = buy(shop, "TENT")
    talk = Talk(shop, desk.buyer)
    told = talk.ok("complain", text="It smells. My card is 4242 4242 4242 4242.", order=desk.look().number)
    with shop.uow() as session:
        case = session.scalars(select(Case)).one()
    assert (case.number, case.reason, case.order_id, case.assignee) == (
        told["reference"],
        "complaint",
        desk.order_id,
        None,
    )
    assert "4242 4242" not in case.summary
    assert talk.card["activityType"] == "complaint"
    again = talk.ok("complain", text="And it is torn.")
    assert again["reference"] == told["reference"]
    assert talk.refused("complain", text="Third.")[0] == "cap_reached"
    assert Talk(shop, shop.shopper()).refused("complain", text="Mine.", order=desk.look().number)[0] == "not_found"


def test_the_places_of_a_shop_are_not_told(shop: Shop, talk: Talk) -> None:
    with shop.uow() as session:
        codes = set(session.scalars(select(Location.name)))
    told = str(talk.ok("check_availability", item_id=shop.variants["TENT"], postal_code="98101")) + str(talk.shown)
    assert not [code for code in codes if code in told]

"""An agent's items go different ways: selected item by item or asked for in groups; priced, taxed, reserved each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from engine.checks import check_tenant
from engine.digital.delivering import deliver_due
from engine.fulfillment import release, shipments, tracking
from engine.inventory.models import Reservation
from engine.orders.models import Order, OrderLine
from tests.app.acp.conftest import ADDRESS, Checkout, total
from tests.app.acp.conftest import codes as said
from tests.app.acp.test_pickup import offer_pickup
from tests.engine.digital.goods import add_digital
from tests.shop import Shop


def goods(shop: Shop) -> str:
    """A lamp that is sent, a chair that the store has, a book without a parcel; the way to fetch."""
    shop.add("LAMP", price=5000, stock={"EAST": 5})
    shop.add("CHAIR", price=8000, stock={"EAST": 5, "STORE": 2})
    add_digital(shop, "BOOK", price=2000, digital={"access_url": "https://read.example/{order}?key={access}"})
    return offer_pickup(shop, price=300)


def select_ways(buying: Checkout, session: dict[str, Any], *wanted: tuple[str, str, list[str]]) -> Any:
    rows = [{"type": kind, "option_id": way, "item_ids": ids} for kind, way, ids in wanted]
    return buying.update(session, {"selected_fulfillment_options": rows})


def line_ids(session: dict[str, Any]) -> list[str]:
    return [one["id"] for one in session["line_items"]]


def checked(shop: Shop) -> list[Any]:
    return [one for one in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not one.ok]


def test_each_item_goes_the_way_that_was_selected_for_it(buying: Checkout, shop: Shop) -> None:
    way = goods(shop)
    session = buying.opened("LAMP", "CHAIR", "BOOK")
    lamp, chair, book = line_ids(session)
    answer = select_ways(buying, session, ("pickup", way, [chair]), ("shipping", "overnight", [lamp]))
    assert answer.status_code == 200, answer.text
    session = answer.json()
    assert (session["status"], said(session)) == ("ready_for_payment", [])
    assert session["selected_fulfillment_options"] == [
        {"type": "shipping", "option_id": "overnight", "item_ids": [lamp]},
        {"type": "pickup", "option_id": way, "item_ids": [chair]},
        {"type": "digital", "option_id": "digital", "item_ids": [book]},
    ]
    fee = next(row for row in session["totals"] if row["type"] == "fulfillment")
    assert (fee["amount"], fee["display_text"]) == (2800, "Shipping: Overnight, Pick up at Store")
    assert total(session) == 15000 + 2800 + 1780, "10 % of everything: store and buyer are both in WA"


def test_who_fetches_one_item_fetches_no_other(buying: Checkout, shop: Shop) -> None:
    """Whether or not the place has all of it: the rest is sent as it would be by itself."""
    way = goods(shop)
    shop.add("STOOL", price=4000, stock={"EAST": 5, "STORE": 2})
    for other in ("LAMP", "STOOL"):
        session = buying.opened(other, "CHAIR")
        first, chair = line_ids(session)
        answer = select_ways(buying, session, ("pickup", way, [chair]))
        assert answer.status_code == 200, answer.text
        assert [(one["option_id"], one["item_ids"]) for one in answer.json()["selected_fulfillment_options"]] == [
            ("standard", [first]),
            (way, [chair]),
        ]
        done = buying.complete(session, buying.token(answer.json())).json()
        assert done["selected_fulfillment_options"] == answer.json()["selected_fulfillment_options"]
    assert checked(shop) == []


def test_taxes_are_those_of_the_place_that_each_goes_to(buying: Checkout, shop: Shop) -> None:
    way = goods(shop)
    home = {"address": ADDRESS | {"state": "OR"}}
    session = buying.opened("LAMP", "CHAIR", fulfillment_details=home)
    assert total(session) == 13000 + 595
    _, chair = line_ids(session)
    session = select_ways(buying, session, ("pickup", way, [chair]), ("shipping", "standard", [])).json()
    tax = [row["amount"] for row in session["totals"] if row["type"] == "tax"]
    assert (tax, total(session)) == ([830], 13000 + 595 + 300 + 830), "10 % of the chair and of its fee, in WA"


def test_paid_reserved_sent_fetched_and_delivered_each_by_itself(buying: Checkout, shop: Shop) -> None:
    way = goods(shop)
    session = buying.opened("LAMP", "CHAIR", "BOOK")
    lamp, chair, _ = line_ids(session)
    session = select_ways(buying, session, ("shipping", "standard", [lamp]), ("pickup", way, [chair])).json()
    done = buying.complete(session, buying.token(session)).json()
    assert done["status"] == "completed", done
    assert done["selected_fulfillment_options"] == session["selected_fulfillment_options"]
    order_id = done["order"]["id"]
    deliver_due(shop.runtime, shop.tenant.id)
    with shop.uow() as s:
        order = s.get_one(Order, (shop.tenant.id, order_id))
        lines = {line.sku: line for line in s.scalars(select(OrderLine).where(OrderLine.order_id == order_id))}
        held = {row.variant_id: row.location_id for row in s.scalars(select(Reservation))}
        assert (order.fulfillment["id"], order.ship_to and order.ship_to["line_one"]) == ("standard", "12 Pine St")
        assert lines["CHAIR"].way is not None
        assert (lines["CHAIR"].way["id"], lines["LAMP"].way, lines["BOOK"].digital) == (way, None, True)
        assert held[shop.variants["CHAIR"]] == shop.locations["STORE"]
        assert held[shop.variants["LAMP"]] == shop.locations["EAST"]
        works = release.release(s, shop.tenant.id, order_id)
        assert {one.location_id: (one.way or {}).get("id") for one in works} == {
            shop.locations["EAST"]: None,
            shop.locations["STORE"]: way,
        }
        by_place = {one.location_id: one.id for one in works}
    told = {one["type"]: one for one in buying.agent.get(f"/orders/{order_id}").json()["fulfillments"]}
    assert (told["pickup"]["destination"]["line_one"], told["shipping"]["destination"]["line_one"]) == (
        "1 Market Sq",
        "12 Pine St",
    )
    with shop.uow() as s:
        sent = shipments.ship(s, shop.tenant.id, by_place[shop.locations["EAST"]])
        waits = shipments.ship(s, shop.tenant.id, by_place[shop.locations["STORE"]])
        assert (sent.carrier, waits.carrier, waits.label_cost) == ("Sandbox Post", "Pickup", 0)
        waits_id = waits.id
    with shop.uow() as s:
        tracking.picked_up(s, shop.tenant.id, waits_id, taken=True, actor="test")
    parcels = {one["type"]: one["status"] for one in buying.agent.get(f"/orders/{order_id}").json()["fulfillments"]}
    assert parcels == {"digital": "delivered", "shipping": "processing", "pickup": "delivered"}
    assert checked(shop) == []


def test_groups_ask_for_kinds_of_ways(buying: Checkout, shop: Shop) -> None:
    way = goods(shop)
    session = buying.opened("LAMP", "CHAIR", "BOOK")
    lamp, chair, book = line_ids(session)
    groups = [
        {"id": "g1", "item_ids": [lamp], "destination_type": "shipping"},
        {"id": "g2", "item_ids": [chair], "destination_type": "pickup", "location_id": shop.locations["STORE"]},
        {"id": "g3", "item_ids": [book], "destination_type": "digital"},
    ]
    session = buying.update(session, {"fulfillment_groups": groups}).json()
    assert (session["status"], said(session)) == ("ready_for_payment", [])
    assert [(one["option_id"], one["item_ids"]) for one in session["selected_fulfillment_options"]] == [
        ("standard", [lamp]),
        (way, [chair]),
        ("digital", [book]),
    ]
    assert session["fulfillment_groups"] == groups


def test_a_group_that_no_place_has_is_told(buying: Checkout, shop: Shop) -> None:
    goods(shop)
    session = buying.opened("LAMP", "CHAIR")
    lamp, _ = line_ids(session)
    groups = [{"id": "g1", "item_ids": [lamp], "destination_type": "pickup"}]
    session = buying.update(session, {"fulfillment_groups": groups}).json()
    assert said(session) == ["unsupported"]
    assert [one["param"] for one in session["messages"] if one["type"] == "error"] == ["$.fulfillment_groups[0]"]


def test_two_ways_of_one_item_are_refused_and_nothing_changes(buying: Checkout, shop: Shop) -> None:
    way = goods(shop)
    session = buying.opened("LAMP", "CHAIR")
    _, chair = line_ids(session)
    before = session["selected_fulfillment_options"]
    for wanted in (
        [("shipping", "standard", [chair]), ("pickup", way, [chair])],
        [("shipping", "standard", []), ("pickup", way, [])],
        [("pickup", way, line_ids(session))],
        [("pickup", "pickup_loc_nowhere", [chair])],
    ):
        answer = select_ways(buying, session, *wanted)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), wanted
    assert buying.get(session)["selected_fulfillment_options"] == before


def test_what_is_fetched_and_gone_meanwhile_stops_the_purchase(buying: Checkout, shop: Shop) -> None:
    way = goods(shop)
    session = buying.opened("LAMP", "CHAIR")
    _, chair = line_ids(session)
    session = select_ways(buying, session, ("shipping", "standard", []), ("pickup", way, [chair])).json()
    other = buying.opened("CHAIR", units=2)
    other = select_ways(buying, other, ("pickup", way, [])).json()
    assert buying.complete(other, buying.token(other)).json()["status"] == "completed"
    later = buying.get(session)
    assert later["status"] == "not_ready_for_payment"


def test_an_item_that_leaves_takes_its_way_along(buying: Checkout, shop: Shop) -> None:
    way = goods(shop)
    session = buying.opened("LAMP", "CHAIR")
    _, chair = line_ids(session)
    session = select_ways(buying, session, ("shipping", "standard", []), ("pickup", way, [chair])).json()
    session = buying.update(session, {"line_items": [{"id": shop.variants["LAMP"]}]}).json()
    assert [one["option_id"] for one in session["selected_fulfillment_options"]] == ["standard"]
    assert total(session) == 5000 + 595 + 560

"""An agent buys what has no parcel: no address, nothing for the way, delivered at once, told with what opens it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.checks import check_tenant
from engine.digital import access, codes
from engine.digital.delivering import deliver_due
from engine.digital.models import CodeStatus, DigitalCode, DigitalDelivery
from engine.kit.identity import Actor, Identity
from engine.orders.models import Order, OrderLine, OrderStatus
from tests.app.acp.conftest import ADDRESS, Checkout, total
from tests.app.acp.conftest import codes as said
from tests.engine.digital.goods import add_digital, staff
from tests.shop import Shop

BOOK = {"access_url": "https://read.example/{order}/{sku}?key={access}", "days": 365}


def ways(session: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["type"], one["id"]) for one in session["fulfillment_options"]]


def test_all_digital_needs_no_address_and_costs_nothing_to_send(buying: Checkout, shop: Shop) -> None:
    add_digital(shop, "BOOK", price=2000, digital=BOOK)
    session = buying.opened("BOOK", fulfillment_details={})
    assert (session["status"], said(session)) == ("ready_for_payment", [])
    assert session["fulfillment_options"] == [
        {
            "type": "digital",
            "id": "digital",
            "title": "Delivered by e-mail at once",
            "totals": [{"type": "total", "display_text": "Delivered by e-mail at once", "amount": 0}],
        }
    ]
    (way,) = session["selected_fulfillment_options"]
    assert (way["type"], way["option_id"], way["item_ids"]) == ("digital", "digital", [session["line_items"][0]["id"]])
    assert total(session) == 2000, "nothing is known of where: the shop's own country, and no state"
    moved = buying.update(session, {"fulfillment_details": {"address": ADDRESS}}).json()
    assert total(moved) == 2200, "10 % where the buyer lives"


def test_an_email_is_needed(buying: Checkout, shop: Shop) -> None:
    add_digital(shop, "BOOK", digital=BOOK)
    session = buying.agent.post("/checkout_sessions", buying.wish("BOOK")).json()
    assert [one["param"] for one in session["messages"]] == ["$.buyer.email"]


def test_it_is_delivered_at_once_and_the_order_is_complete(buying: Checkout, shop: Shop) -> None:
    add_digital(shop, "BOOK", price=2000, digital=BOOK)
    session = buying.opened("BOOK", units=2, fulfillment_details={})
    order_id = buying.complete(session, buying.token(session)).json()["order"]["id"]
    (waits,) = buying.agent.get(f"/orders/{order_id}").json()["fulfillments"]
    assert (waits["type"], waits["status"]) == ("digital", "pending")
    assert deliver_due(shop.runtime, shop.tenant.id) == 1
    assert deliver_due(shop.runtime, shop.tenant.id) == 0
    order = buying.agent.get(f"/orders/{order_id}").json()
    (given,) = order["fulfillments"]
    assert (order["status"], given["type"], given["status"]) == ("completed", "digital", "delivered")
    assert [one["type"] for one in given["events"]] == ["processing", "delivered"]
    told = given["digital_delivery"]
    with shop.uow() as s:
        row = s.scalars(select(DigitalDelivery)).one()
        assert s.get_one(Order, (shop.tenant.id, order_id)).status == OrderStatus.CLOSED
        key = told["access_url"].partition("key=")[2]
        found = access.granted(s, shop.runtime.secret_key, shop.tenant.id, key)
    assert told["access_url"].startswith(f"https://read.example/{order['order_number']}/BOOK?key={row.id}-")
    assert (found.good, found.sku, found.quantity, found.order_id) == (True, "BOOK", 2, order_id)
    assert given["line_items"][0]["quantity"] == 2
    assert "license_key" not in told
    checks = check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug)
    assert [check for check in checks if not check.ok] == []


def test_each_unit_has_a_code_of_its_own_and_no_more_are_sold_than_there_are(buying: Checkout, shop: Shop) -> None:
    add_digital(shop, "KEY", price=3000, digital={"codes": True}, codes=["AAAA-1", "BBBB-2", "CCCC-3"])
    short = buying.opened("KEY", units=4, fulfillment_details={})
    assert "quantity_exceeded" in said(short)
    session = buying.opened("KEY", units=2, fulfillment_details={})
    order_id = buying.complete(session, buying.token(session)).json()["order"]["id"]
    assert deliver_due(shop.runtime, shop.tenant.id) == 1
    given = buying.agent.get(f"/orders/{order_id}").json()["fulfillments"]
    keys = {one["digital_delivery"]["license_key"] for one in given}
    assert (len(keys), keys < {"AAAA-1", "BBBB-2", "CCCC-3"}) == (2, True)
    assert [one["line_items"][0]["quantity"] for one in given] == [1, 1]
    assert len({one["id"] for one in given}) == 2
    left = buying.opened("KEY", fulfillment_details={})["line_items"][0]
    assert left["available_quantity"] == 1
    checks = check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug)
    assert [check for check in checks if not check.ok] == []


def test_with_a_parcel_beside_it_each_goes_its_way(buying: Checkout, shop: Shop) -> None:
    add_digital(shop, "BOOK", price=2000, digital=BOOK)
    shop.add("LAMP", price=5000, stock={"EAST": 5})
    session = buying.opened("BOOK", "LAMP")
    assert ways(session) == [("shipping", "standard"), ("shipping", "overnight"), ("digital", "digital")]
    book, lamp = (one["id"] for one in session["line_items"])
    assert session["selected_fulfillment_options"] == [
        {"type": "shipping", "option_id": "standard", "item_ids": [lamp]},
        {"type": "digital", "option_id": "digital", "item_ids": [book]},
    ]
    assert total(session) == 7000 + 595 + 760, "10 % of goods and of the parcel"
    done = buying.complete(session, buying.token(session)).json()
    order_id = done["order"]["id"]
    assert {(one["type"], one["status"]) for one in done["order"]["fulfillments"]} == {
        ("shipping", "pending"),
        ("digital", "pending"),
    }
    assert done["selected_fulfillment_options"] == session["selected_fulfillment_options"]
    assert deliver_due(shop.runtime, shop.tenant.id) == 1
    with shop.uow() as s:
        lines = {line.sku: line for line in s.scalars(select(OrderLine).where(OrderLine.order_id == order_id))}
    assert (lines["BOOK"].delivered, lines["LAMP"].released) == (1, 0)
    checks = check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug)
    assert [check for check in checks if not check.ok] == []


def test_digital_cannot_be_selected_for_a_parcel(buying: Checkout, shop: Shop) -> None:
    add_digital(shop, "BOOK", digital=BOOK)
    shop.add("LAMP", stock={"EAST": 5})
    session = buying.opened("BOOK", "LAMP")
    wanted = [{"type": "digital", "option_id": "digital", "item_ids": [session["line_items"][1]["id"]]}]
    answer = buying.update(session, {"selected_fulfillment_options": wanted})
    assert (answer.status_code, answer.json()["param"]) == (400, "$.selected_fulfillment_options[0].option_id")
    assert buying.get(session) == session | {"messages": buying.get(session)["messages"]}


def test_what_was_revoked_opens_nothing_and_is_told(buying: Checkout, shop: Shop) -> None:
    add_digital(shop, "KEY", digital={"codes": True}, codes=["AAAA-1"])
    session = buying.opened("KEY", fulfillment_details={})
    order_id = buying.complete(session, buying.token(session)).json()["order"]["id"]
    deliver_due(shop.runtime, shop.tenant.id)
    with shop.uow() as s:
        delivery = s.scalars(select(DigitalDelivery)).one()
        for _ in range(2):
            access.revoke(s, staff(shop), delivery.id, reason="charged back")
        assert s.scalars(select(DigitalCode.status)).one() == CodeStatus.REVOKED
        assert codes.pool(s, shop.tenant.id, shop.variants["KEY"]).revoked == 1
    (given,) = buying.agent.get(f"/orders/{order_id}").json()["fulfillments"]
    assert (given["status"], "digital_delivery" in given) == ("canceled", False)
    assert "AAAA-1" not in buying.agent.last.text


def test_a_shopper_revokes_nothing(shop: Shop) -> None:
    from engine.kit.errors import Forbidden

    shopper = Identity(tenant_id=shop.tenant.id, id="shp_x", actor=Actor.SHOPPER)
    with shop.uow() as s, pytest.raises(Forbidden):
        access.revoke(s, shopper, "dgd_x", reason="x")

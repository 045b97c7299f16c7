"""An agent's buyer fetches the order at the shop's own place: offered, chosen, paid, set aside, picked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from engine.fulfillment import release, shipments, tracking
from engine.inventory.models import Location, Reservation, StockLevel
from engine.kit.errors import InvalidInput
from engine.kit.state_machine import IllegalTransition
from engine.orders.models import Order, OrderLine, OrderStatus
from engine.shipping.pickup import Pickup
from tests.app.acp.conftest import ADDRESS, BUYER, Checkout, codes, total
from tests.shop import Shop

PLACE = {"line_one": "1 Market Sq", "city": "Seattle", "postal_code": "98101"}


def offer_pickup(shop: Shop, code: str = "STORE", **terms: Any) -> str:
    """Make a location one where orders are fetched; the id of that way."""
    with shop.uow() as session:
        row = session.get_one(Location, (shop.tenant.id, shop.locations[code]))
        row.line_one, row.city, row.postal_code = PLACE["line_one"], PLACE["city"], PLACE["postal_code"]
        row.pickup = {"kind": "in_store", "ready_after_hours": 2, "kept_for_days": 7, "price": 0} | terms
    return f"pickup_{shop.locations[code]}"


def chosen(option_id: str) -> list[dict[str, Any]]:
    return [{"type": "pickup", "option_id": option_id, "item_ids": []}]


def fetching(buying: Checkout, way: str, **more: Any) -> dict[str, Any]:
    """A session whose order is to be fetched."""
    session = buying.opened("LAMP", **more)
    return dict(buying.update(session, {"selected_fulfillment_options": chosen(way)}).json())


def ways(session: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in session["fulfillment_options"]}


def test_it_is_offered_with_its_place_where_all_of_the_order_lies(buying: Checkout, shop: Shop) -> None:
    shop.add("LAMP", stock={"EAST": 5, "STORE": 2})
    way = offer_pickup(shop, price=250, instructions="Ring twice", phone="+1 206 555 0100")
    told = ways(buying.opened("LAMP"))[way]
    assert (told["type"], told["title"], told["pickup_type"]) == ("pickup", "Pick up at Store", "in_store")
    assert told["totals"] == [{"type": "total", "display_text": "Pick up at Store", "amount": 250}]
    assert told["location"] == {
        "name": "Store",
        "address": {"name": "Store", "country": "US", "state": "WA"} | PLACE,
        "phone": "+1 206 555 0100",
        "instructions": "Ring twice",
    }
    assert told["ready_by"] < told["pickup_by"]
    assert way not in ways(buying.opened("LAMP", units=3)), "the store has not all of it"


def test_opening_hours_are_told_with_the_way(buying: Checkout, shop: Shop) -> None:
    shop.add("LAMP", stock={"STORE": 2})
    week = {day: ["09:00-12:30", "14:00-18:00"] for day in ("mon", "tue", "wed", "thu")} | {"sat": ["10:00-14:00"]}
    way = offer_pickup(shop, hours=week)
    told = ways(buying.opened("LAMP"))[way]
    assert told["description"] == "Open Mon-Thu 09:00-12:30 and 14:00-18:00, Sat 10:00-14:00."
    offer_pickup(shop)
    assert "description" not in ways(buying.opened("LAMP"))[way]
    session = fetching(buying, way, buyer=BUYER)
    assert buying.complete(session, buying.token(session)).json()["status"] == "completed"


@pytest.mark.parametrize(
    "hours",
    [
        {"mon": ["18:00-09:00"]},
        {"mon": ["9-18"]},
        {"mon": ["09:00-25:00"]},
        {"monday": ["09:00-18:00"]},
        {"mon": "09:00-18:00"},
        {"mon": ["09:00-18:00"] * 5},
    ],
)
def test_hours_that_cannot_be_are_refused(hours: Any) -> None:
    with pytest.raises(ValidationError):
        Pickup.model_validate({"hours": hours})


def test_what_is_sent_stays_the_choice_until_another_is_made(buying: Checkout, shop: Shop) -> None:
    shop.add("LAMP", stock={"EAST": 5, "STORE": 2})
    offer_pickup(shop)
    (selected,) = buying.opened("LAMP")["selected_fulfillment_options"]
    assert selected["option_id"] == "standard"


def test_no_address_is_needed_and_the_taxes_are_those_of_the_place(buying: Checkout, shop: Shop) -> None:
    shop.add("LAMP", price=5000, stock={"STORE": 2})
    way = offer_pickup(shop)
    session = buying.opened("LAMP", fulfillment_details={})
    assert "missing" in codes(session)
    session = buying.update(session, {"selected_fulfillment_options": chosen(way)}).json()
    assert (session["status"], codes(session)) == ("ready_for_payment", [])
    assert total(session) == 5500, "10 % in WA, nothing for fetching it"
    elsewhere = {"address": ADDRESS | {"state": "OR"}}
    session = buying.update(session, {"fulfillment_details": elsewhere}).json()
    assert total(session) == 5500, "where the buyer lives is no matter"


def test_the_order_waits_at_the_place_and_is_picked_up(buying: Checkout, shop: Shop) -> None:
    variant = shop.add("LAMP", price=5000, stock={"EAST": 5, "STORE": 2})
    way = offer_pickup(shop)
    session = fetching(buying, way, units=2, fulfillment_details={})
    assert [one["option_id"] for one in session["selected_fulfillment_options"]] == [way]
    done = buying.complete(session, buying.token(session)).json()
    assert done["status"] == "completed"
    order_id = done["order"]["id"]
    (pending,) = done["order"]["fulfillments"]
    assert (pending["type"], pending["destination"]["line_one"]) == ("pickup", "1 Market Sq")
    with shop.uow() as s:
        held = s.scalars(select(Reservation).where(Reservation.tenant_id == shop.tenant.id)).all()
        assert [(one.variant_id, one.location_id, one.quantity) for one in held] == [
            (variant, shop.locations["STORE"], 2)
        ]
        (work,) = release.release(s, shop.tenant.id, order_id)
        assert work.location_id == shop.locations["STORE"]
    assert parcels(buying, order_id)[0]["status"] == "processing"
    with shop.uow() as s:
        parcel_id = shipments.ship(s, shop.tenant.id, work.id).id
    (ready,) = parcels(buying, order_id)
    assert (ready["type"], ready["status"]) == ("pickup", "ready_for_pickup")
    assert [one["type"] for one in ready["events"]] == ["ready_for_pickup"]
    assert not {"carrier", "tracking_number"} & set(ready)
    for _ in range(2):  # a second time changes nothing
        with shop.uow() as s:
            tracking.picked_up(s, shop.tenant.id, parcel_id, taken=True, actor="test")
    (fetched,) = parcels(buying, order_id)
    assert (fetched["status"], [one["type"] for one in fetched["events"]]) == (
        "delivered",
        ["ready_for_pickup", "delivered"],
    )
    with shop.uow() as s, pytest.raises(IllegalTransition):
        tracking.picked_up(s, shop.tenant.id, parcel_id, taken=False, actor="test")


def test_what_nobody_fetches_is_back_on_the_shelf_and_the_order_is_on_hold(buying: Checkout, shop: Shop) -> None:
    variant = shop.add("LAMP", stock={"STORE": 2})
    way = offer_pickup(shop)
    order_id, parcel_id = ready(buying, shop, way)
    with shop.uow() as s:
        tracking.picked_up(s, shop.tenant.id, parcel_id, taken=False, actor="test")
        assert s.get_one(Order, (shop.tenant.id, order_id)).status == OrderStatus.ON_HOLD
        line = s.scalars(select(OrderLine).where(OrderLine.order_id == order_id)).one()
        assert (line.allocated, line.released, line.shipped) == (1, 0, 0)
        level = s.scalars(select(StockLevel).where(StockLevel.variant_id == variant)).one()
        assert (level.location_id, level.on_hand, level.reserved) == (shop.locations["STORE"], 2, 1)


def test_no_carrier_takes_it_and_no_address_takes_its_place(buying: Checkout, shop: Shop) -> None:
    shop.add("LAMP", stock={"STORE": 2})
    way = offer_pickup(shop)
    session = fetching(buying, way)
    order_id = buying.complete(session, buying.token(session)).json()["order"]["id"]
    with shop.uow() as s:
        (work,) = release.release(s, shop.tenant.id, order_id)
    with shop.uow() as s, pytest.raises(InvalidInput):
        shipments.ship(s, shop.tenant.id, work.id, handover=shipments.Handover(carrier="UPS", tracking_number="1Z1"))


def test_stock_that_goes_while_it_is_thought_about_is_told_and_nothing_else_is_bought(
    buying: Checkout, shop: Shop
) -> None:
    shop.add("LAMP", stock={"EAST": 5, "STORE": 1})
    way = offer_pickup(shop)
    session = fetching(buying, way)
    ready(buying, shop, way)
    later = buying.get(session)
    assert later["status"] == "not_ready_for_payment"
    assert "selected_fulfillment_options" not in later
    refused = buying.complete(session, buying.token(session))
    assert refused.json()["status"] == "not_ready_for_payment"
    again = [{"type": "shipping", "option_id": "standard", "item_ids": []}]
    assert buying.update(session, {"selected_fulfillment_options": again}).json()["status"] == "ready_for_payment"


def test_an_item_that_may_not_be_sent_is_fetched(buying: Checkout, shop: Shop) -> None:
    shop.add("LAMP", stock={"STORE": 2})
    way = offer_pickup(shop)
    session = buying.opened("LAMP")
    assert codes(session) == ["out_of_stock"]
    session = buying.update(session, {"selected_fulfillment_options": chosen(way)}).json()
    assert codes(session) == []


def test_staff_set_the_terms_and_say_that_it_was_picked_up(
    buying: Checkout, shop: Shop, make_key: Callable[..., str]
) -> None:
    shop.add("LAMP", stock={"STORE": 2})
    http, key = buying.agent.http, make_key(shop.tenant, "staff")
    terms = {"line_one": "1 Market Sq", "pickup": {"kind": "curbside", "ready_after_hours": 24, "price": 100}}

    def post(path: str, body: Any, number: str) -> Any:
        return http.post(path, json=body, headers={"Authorization": key, "Idempotency-Key": number})

    answer = post("/v1/staff/inventory/locations/STORE/pickup", terms, "a1")
    assert answer.status_code == 200, answer.text
    assert answer.json()["pickup"]["kept_for_days"] == 7
    way = f"pickup_{shop.locations['STORE']}"
    assert ways(buying.opened("LAMP"))[way]["pickup_type"] == "curbside"
    _, parcel_id = ready(buying, shop, way)
    answer = post(f"/v1/staff/shipments/{parcel_id}/picked_up", {}, "a2")
    assert (answer.status_code, answer.json()["status"]) == (200, "delivered")
    assert post("/v1/staff/inventory/locations/STORE/pickup", {"pickup": None}, "a3").status_code == 200
    assert way not in ways(buying.opened("LAMP"))
    assert post("/v1/staff/inventory/locations/NONE/pickup", {"pickup": None}, "a4").status_code == 404


def ready(buying: Checkout, shop: Shop, way: str) -> tuple[str, str]:
    """An order that waits to be fetched, and its parcel."""
    session = fetching(buying, way)
    order_id = buying.complete(session, buying.token(session)).json()["order"]["id"]
    with shop.uow() as s:
        (work,) = release.release(s, shop.tenant.id, order_id)
        return order_id, shipments.ship(s, shop.tenant.id, work.id).id


def parcels(buying: Checkout, order_id: str) -> list[dict[str, Any]]:
    return list(buying.agent.get(f"/orders/{order_id}").json()["fulfillments"])


def errors(session: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in session["messages"] if one["type"] == "error"]


def group(kind: str, *item_ids: str, **more: Any) -> dict[str, Any]:
    return {"id": f"fg_{kind}", "item_ids": list(item_ids), "destination_type": kind} | more


def test_a_group_that_is_fetched_chooses_the_place(buying: Checkout, shop: Shop) -> None:
    variant = shop.add("LAMP", stock={"EAST": 5, "STORE": 2, "WEST": 2})
    offer_pickup(shop, "WEST")
    way = offer_pickup(shop)
    there = group("pickup", variant, location_id=shop.locations["STORE"])
    session = buying.opened("LAMP", fulfillment_groups=[there])
    assert (session["status"], session["selected_fulfillment_options"][0]["option_id"]) == ("ready_for_payment", way)
    assert session["fulfillment_groups"] == [there]
    session = buying.update(session, {"fulfillment_groups": [group("shipping", variant)]}).json()
    assert (session["status"], session["selected_fulfillment_options"][0]["option_id"]) == (
        "ready_for_payment",
        "standard",
    )


def test_groups_that_one_way_does_not_carry_are_told_by_their_place(buying: Checkout, shop: Shop) -> None:
    variant = shop.add("LAMP", stock={"EAST": 5, "STORE": 2})
    way = offer_pickup(shop)
    session = buying.opened("LAMP", fulfillment_groups=[group("pickup", variant), group("digital", variant)])
    assert session["selected_fulfillment_options"][0]["option_id"] == way
    (told,) = errors(session)
    assert (told["type"], told["code"], told["param"]) == ("error", "unsupported", "$.fulfillment_groups[1]")
    assert session["status"] == "not_ready_for_payment"
    elsewhere = group("pickup", variant, location_id=shop.locations["EAST"])
    session = buying.update(session, {"fulfillment_groups": [elsewhere]}).json()
    assert [one["param"] for one in errors(session)] == ["$.fulfillment_groups[0]"]
    assert buying.update(session, {"fulfillment_groups": []}).json()["status"] == "ready_for_payment"

"""An order in every state is the protocol's Order, and says the truth of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select

from engine.agentic import order_shape
from engine.agentic.session_models import AgentSession
from engine.fulfillment import release, shipments, tracking
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.models import Fulfillment
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.orders import goodwill, replacements, service
from engine.orders.models import Order, ShipmentStatus
from engine.payments import refunds
from engine.payments.models import Dispute, Payment
from tests.app.acp.official import no_nulls, valid
from tests.engine.agentic.platform_orders import ORIGIN, buy_as, platform, shaped
from tests.engine.inventory.stocked import bundle, set_variant
from tests.engine.orders.desk import Desk, sibling
from tests.engine.orders.test_tenders import gift_card
from tests.engine.returns.coming import arrive, deliver, inspect, pay, receive, send_back, the_return
from tests.shop import Shop


def look(desk: Desk) -> dict[str, Any]:
    """The order, held to the official schema and to the rules that it states in words."""
    body = shaped(desk)
    valid("Order", body)
    no_nulls(body)
    for line in body["line_items"]:
        units = line["quantity"]
        assert line["status"] == order_shape.line_status(units["current"], units["fulfilled"])
        assert 0 <= units["fulfilled"] <= units["current"] <= units["ordered"]
    known = {line["id"] for line in body["line_items"]}
    for part in [*body["fulfillments"], *body["adjustments"]]:
        assert {one["id"] for one in part.get("line_items", [])} <= known
    moved = [one for one in body["adjustments"] if one["type"] in {"refund", "credit"}]
    done = sum(one["amount"] for one in moved if one["status"] == "completed")
    assert totals(body).get("amount_refunded", 0) == done
    return body


def totals(body: dict[str, Any]) -> dict[str, int]:
    found = {row["type"]: row["amount"] for row in body["totals"]}
    assert len(found) == len(body["totals"])
    return found


def units(body: dict[str, Any]) -> list[tuple[int, int, int, str]]:
    return [
        (*(line["quantity"][part] for part in ("ordered", "current", "fulfilled")), line["status"])
        for line in body["line_items"]
    ]


def adjusted(body: dict[str, Any]) -> list[tuple[str, str, int]]:
    """By kind: what happened in one moment has no order."""
    return sorted((one["type"], one["status"], one["amount"]) for one in body["adjustments"])


def of_kind(body: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [one for one in body["adjustments"] if one["type"] == kind]
    return dict(found)


def parcels(body: dict[str, Any]) -> list[tuple[str, list[int]]]:
    return [(one["status"], sorted(line["quantity"] for line in one["line_items"])) for one in body["fulfillments"]]


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Two of A for 50.00, one of B for 20.00: 138.55 paid."""
    shop.add("A", price=5000)
    shop.add("B", price=2000)
    return buy_as(shop, platform(shop), "A", 2, "B")


def test_a_plain_order(desk: Desk) -> None:
    with desk.shop.uow() as session:
        tenant = session.get_one(Tenant, desk.shop.tenant.id)
        tenant.settings = tenant.settings | {"support_email": "help@shop.example", "support_hours": "9 to 5"}
        order = session.get_one(Order, (tenant.id, desk.order_id))
        session.add(AgentSession(tenant_id=tenant.id, session_id=order.session_id, order_notes="Ring twice", said={}))
    body = look(desk)

    assert body["type"] == "order"
    assert (body["id"], body["checkout_session_id"]) == (desk.order_id, order.session_id)
    assert body["permalink_url"] == f"{ORIGIN}/order/{order.number}?shop={desk.shop.tenant.slug}"
    assert (body["order_number"], body["status"]) == (order.number, "confirmed")
    assert body["support"] == {"email": "help@shop.example", "hours": "9 to 5"}
    assert body["confirmation"] == {
        "confirmation_number": order.number,
        "confirmation_email_sent": False,
        "order_notes": "Ring twice",
    }
    assert totals(body) == {
        "items_base_amount": 12000, "subtotal": 12000, "fulfillment": 595, "tax": 1260, "total": 13855,
    }  # fmt: skip
    assert sorted(units(body)) == [(1, 1, 0, "processing"), (2, 2, 0, "processing")]
    assert [(one["status"], one["description"]) for one in body["fulfillments"]] == [("pending", "To be sent")]
    assert body["adjustments"] == []
    first, last = order.fulfillment["earliest"], order.fulfillment["latest"]
    assert body["estimated_delivery"] == {"earliest": f"{first}T00:00:00Z", "latest": f"{last}T23:59:59Z"}


def test_a_shops_own_host_is_where_its_pages_are(desk: Desk) -> None:
    host = f"{desk.shop.tenant.slug}.example"
    with desk.shop.runtime.store.without_tenant() as session:
        session.get_one(Tenant, desk.shop.tenant.id).host = host

    assert look(desk)["permalink_url"] == f"https://{host}/order/{desk.look().number}"


def test_a_split_order_on_its_way(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 2})
    shop.add("B", stock={"WEST": 3})
    desk = buy_as(shop, platform(shop), "A", 2, "B")
    release.release_now(shop.runtime, shop.tenant.id, desk.order_id)
    body = look(desk)
    assert (body["status"], parcels(body)) == ("processing", [("processing", [1, 2])])

    with shop.uow() as session:
        first, second = session.scalars(select(Fulfillment.id).order_by(Fulfillment.id)).all()
        sent = shipments.ship(session, shop.tenant.id, first).id
    body = look(desk)
    assert (body["status"], [one[0] for one in parcels(body)]) == ("processing", ["processing", "processing"])
    assert body["fulfillments"][0]["id"] == sent
    assert body["fulfillments"][0]["destination"]["city"] == "Portland"

    with shop.uow() as session:
        shipments.ship(session, shop.tenant.id, second)
    arrive(desk, sent)
    body = look(desk)
    assert (body["status"], {one[0] for one in parcels(body)}) == ("shipped", {"delivered", "processing"})
    parcel = next(one for one in body["fulfillments"] if one["id"] == sent)
    assert parcel["events"][-1]["type"] == "delivered"
    assert parcel["tracking_number"].startswith("SP")
    assert {row[3] for row in units(body)} == {"fulfilled"}
    arrive(desk, next(one["id"] for one in body["fulfillments"] if one["id"] != sent))
    body = look(desk)
    assert body["status"] == "completed"
    assert "estimated_delivery" not in body


@pytest.mark.parametrize(
    ("sign", "status", "last"),
    [
        (ShipmentStatus.IN_TRANSIT, "in_transit", "in_transit"),
        (ShipmentStatus.OUT_FOR_DELIVERY, "out_for_delivery", "out_for_delivery"),
        (ShipmentStatus.EXCEPTION, "in_transit", "failed_attempt"),
        (ShipmentStatus.LOST, "failed", "undeliverable"),
        (ShipmentStatus.RETURNED, "failed", "returned_to_sender"),
    ],
)
def test_what_carriers_tell(desk: Desk, sign: ShipmentStatus, status: str, last: str) -> None:
    tenant_id = desk.shop.tenant.id
    release.release_now(desk.shop.runtime, tenant_id, desk.order_id)
    with desk.shop.uow() as session:
        (work,) = session.scalars(select(Fulfillment.id)).all()
        sent = shipments.ship(session, tenant_id, work).id
        told = [TrackingEvent(new_id("shipment"), clock.now(), sign, "Words")]
        tracking.apply(session, tenant_id, sent, told)
    (parcel,) = look(desk)["fulfillments"][:1]

    assert (parcel["status"], parcel["events"][-1]["type"], parcel["description"]) == (status, last, "Words")


def test_some_and_then_all_of_it_is_canceled_after_the_money_came(desk: Desk) -> None:
    line = desk.line("A")
    desk.do("cancel", lines=[{"line_id": line.id, "quantity": 1}], reason="ordered_by_mistake")
    refund_all(desk)
    body = look(desk)
    assert adjusted(body) == [("cancellation", "completed", 5500), ("refund", "completed", 5500)]
    assert of_kind(body, "cancellation")["line_items"] == [{"id": line.id, "quantity": 1}]
    assert of_kind(body, "cancellation")["reason"] == "ordered_by_mistake"
    assert (totals(body)["total"], totals(body)["amount_refunded"]) == (13855, 5500)
    assert sorted(units(body)) == [(1, 1, 0, "processing"), (2, 1, 0, "processing")]

    desk.do("cancel", reason="other")
    refund_all(desk)
    body = look(desk)
    assert (body["status"], body["fulfillments"]) == ("canceled", [])
    assert totals(body)["amount_refunded"] == 13855
    assert {row[3] for row in units(body)} == {"removed"}


def test_canceled_before_any_money_was_taken(shop: Shop) -> None:
    shop.add("A", stock={})
    set_variant(shop, "A", stock_policy="backorder", lead_days=10)
    desk = buy_as(shop, platform(shop), "A")
    body = look(desk)
    assert (body["status"], body["fulfillments"][0]["description"]) == ("confirmed", "Waits for stock")
    desk.do("cancel", reason="other")
    body = look(desk)

    assert body["status"] == "canceled"
    assert adjusted(body) == [("cancellation", "completed", 6155)]
    assert "amount_refunded" not in totals(body)


def test_goods_that_come_back(desk: Desk) -> None:
    deliver(desk)
    send_back(desk, ("A", 1))
    row = the_return(desk)
    body = look(desk)
    assert adjusted(body) == [("return", "pending", row.refund)]
    assert body["adjustments"][0]["line_items"] == [{"id": desk.line("A").id, "quantity": 1}]
    assert body["adjustments"][0]["reason"] == "changed_mind"

    receive(desk, row)
    inspect(desk, row)
    body = look(desk)
    assert adjusted(body) == [("refund", "completed", row.refund), ("return", "completed", row.refund)]
    assert sorted(units(body)) == [(1, 1, 1, "fulfilled"), (2, 1, 1, "fulfilled")]
    assert body["status"] == "completed"


def test_goods_that_are_exchanged(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=3000)
    desk = buy_as(shop, platform(shop), "A", 2)
    deliver(desk)
    send_back(desk, {"sku": "A", "quantity": 1, "exchange": "A2"})
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    body = look(desk)

    assert adjusted(body) == [("exchange", "completed", 2200), ("refund", "completed", 2200)]
    assert units(body) == [(2, 1, 1, "fulfilled"), (1, 1, 0, "processing")]
    assert body["status"] == "processing" if desk.line("A2").released else "confirmed"


def test_a_part_of_a_bundle_comes_back(shop: Shop) -> None:
    shop.add("X", price=3000)
    shop.add("Y", price=1000)
    bundle(shop, "SET", {"X": 1, "Y": 2}, price=4001)
    desk = buy_as(shop, platform(shop), "SET", 2)
    assert units(look(desk)) == [(2, 2, 0, "processing")]
    deliver(desk)
    send_back(desk, {"sku": "SET", "part": "Y", "quantity": 3})
    body = look(desk)

    assert body["adjustments"][0]["line_items"] == [{"id": desk.line("SET").id, "quantity": 1}]


def test_money_back_for_nothing_but_a_scratch(desk: Desk) -> None:
    with desk.shop.uow() as session:
        given = goodwill.give(
            session,
            desk.shop.tenant.id,
            order_id=desk.order_id,
            amount=300,
            reason="A scratch",
            requested_by="key_staff",
        )
        ids = tuple(row.id for row in given)
    assert [one[:2] for one in adjusted(look(desk))] == [("price_adjustment", "completed"), ("refund", "pending")]
    pay(desk, ids)
    body = look(desk)

    assert adjusted(body) == [("price_adjustment", "completed", 300), ("refund", "completed", 300)]
    assert of_kind(body, "refund")["description"] == "A scratch"


def test_a_refund_to_store_credit_is_a_credit(desk: Desk) -> None:
    with desk.shop.uow() as session:
        given = goodwill.give(
            session,
            desk.shop.tenant.id,
            order_id=desk.order_id,
            amount=300,
            reason="Sorry",
            requested_by="key_staff",
            destination="store_credit",
        )
        ids = tuple(row.id for row in given)
    pay(desk, ids)

    assert ("credit", "completed", 300) in adjusted(look(desk))


@pytest.mark.parametrize(
    ("status", "told"),
    [("needs_response", "pending"), ("under_review", "pending"), ("won", "failed"), ("lost", "completed")],
)
def test_a_dispute(desk: Desk, status: str, told: str) -> None:
    with desk.shop.uow() as session:
        payment = session.scalars(select(Payment).where(Payment.order_id == desk.order_id)).one()
        session.add(
            Dispute(
                tenant_id=desk.shop.tenant.id, id=new_id("dispute"), payment_id=payment.id, order_id=desk.order_id,
                gateway="sandbox", gateway_dispute_id="gd_1", amount=13855, fee=1500, currency="USD",
                reason="fraudulent", status=status, opened_at=clock.now(), updated_at=clock.now(),
            )
        )  # fmt: skip
    body = look(desk)

    assert adjusted(body) == [("dispute", told, 13855)]
    assert body["adjustments"][0]["reason"] == "fraudulent"
    assert totals(body)["total"] == 13855


def test_a_swap_that_a_gift_card_pays(shop: Shop) -> None:
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000)
    desk = buy_as(shop, platform(shop), "A", 2)
    account, variants = gift_card(desk, 3000), shop.variants
    swaps = [{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 2}]
    desk.do("items", swaps=swaps, payment_method_ref=account)
    body = look(desk)

    assert adjusted(body) == [("price_adjustment", "completed", -2200)]
    assert units(body) == [(2, 0, 0, "removed"), (2, 2, 0, "processing")]
    assert totals(body)["total"] == 11655


def test_a_held_order_waits_for_a_person(desk: Desk) -> None:
    with desk.shop.uow() as session:
        service.hold(session, service.lock(session, desk.shop.tenant.id, desk.order_id), reason="?", actor="key_staff")

    assert look(desk)["status"] == "manual_review"


def test_a_replacement_names_the_first_orders_checkout(desk: Desk) -> None:
    with desk.shop.uow() as session:
        first = session.get_one(Order, (desk.shop.tenant.id, desk.order_id))
        made = replacements.create(
            session,
            desk.shop.tenant.id,
            origin={"kind": "replacement", "order_id": desk.order_id},
            lines=[replacements.ReplacementLine(desk.shop.variants["A"], 1)],
            actor="key_staff",
        )
    body = look(Desk(desk.shop, desk.buyer, made.id))

    assert body["checkout_session_id"] == first.session_id
    assert totals(body)["total"] == 0


def test_tax_within_the_prices_adds_nothing(shop: Shop) -> None:
    shop.add("A", price=5000)
    desk = buy_as(shop, platform(shop), "A")
    with shop.uow() as session:
        order = session.get_one(Order, (shop.tenant.id, desk.order_id))
        order.totals = [
            row | ({"included": True, "display_text": "Tax included: VAT"} if row["type"] == "tax" else {})
            for row in order.totals
        ]
    body = look(desk)

    assert "tax" not in totals(body)
    assert body["totals"][-1]["description"] == "Tax included: VAT: $5.60"


def test_an_erased_buyers_address_is_left_out(desk: Desk) -> None:
    deliver(desk)
    with desk.shop.uow() as session:
        order = session.get_one(Order, (desk.shop.tenant.id, desk.order_id))
        order.ship_to = {"name": "", "line_one": "", "city": "", "postal_code": "", "state": "WA", "country": "US"}

    assert all("destination" not in one for one in look(desk)["fulfillments"])


def test_a_page_of_orders_costs_no_more_statements_than_one(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 100})
    buyer = platform(shop)
    desks = [buy_as(shop, buyer, "A", 2) for _ in range(4)]
    for one in desks[:2]:
        deliver(one)
        send_back(one, ("A", 1))
    asked: list[str] = []
    engine = shop.runtime.store.engine

    def count(*args: Any) -> None:
        asked.append(args[2])

    def statements(of: list[Desk]) -> int:
        asked.clear()
        with shop.uow() as session:
            tenant = session.get_one(Tenant, shop.tenant.id)
            orders = session.scalars(select(Order).where(Order.id.in_([one.order_id for one in of]))).all()
            found = order_shape.of_orders(session, tenant, orders, web_origin=ORIGIN)
        assert len(found) == len(of)
        return len(asked)

    event.listen(engine, "before_cursor_execute", count)
    try:
        assert statements(desks) == statements(desks[:1])
    finally:
        event.remove(engine, "before_cursor_execute", count)


def refund_all(desk: Desk) -> None:
    refunds.finish_pending(desk.shop.runtime, desk.shop.tenant.id)

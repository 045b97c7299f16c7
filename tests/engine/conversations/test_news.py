"""What happens to an order after it was paid is told to its shopper, once, in plain words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.checkout.complete import complete
from engine.conversations import deliver, events, followed, log, service
from engine.conversations.models import Event, Thread
from engine.fulfillment import release, shipments, tracking
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.models import Fulfillment
from engine.jobs import tell_conversations
from engine.kit import clock, outbox
from engine.kit.identity import Identity
from engine.kit.outbox import OutboxRow
from engine.orders import queries
from engine.orders.models import Order, Shipment, ShipmentStatus
from engine.payments import refunds
from tests.engine.orders.desk import Desk, sibling
from tests.shop import Shop


@pytest.fixture
def shopper(shop: Shop) -> Identity:
    return shop.shopper()


@pytest.fixture
def thread(shop: Shop, shopper: Identity) -> Thread:
    with shop.uow() as session:
        return service.create_thread(session, shopper)


@pytest.fixture
def desk(shop: Shop, shopper: Identity, thread: Thread) -> Desk:
    """Two of A for 50.00, bought outside the conversation."""
    shop.add("A", price=5000)
    sibling(shop, "A", "A3", price=4000)
    done = complete(shop.runtime, shopper, shop.approved(shopper, "A", 2))
    assert done.order is not None
    return Desk(shop, shopper, done.order.id)


def said(shop: Shop, shopper: Identity, thread: Thread) -> list[str]:
    """What was told so far, after everything that waits has been delivered."""
    with clock.shifted(timedelta(minutes=1)):
        tell_conversations(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        messages = service.snapshot(session, shopper, thread.id).messages
    assert {message.name for message in messages} <= {"Order updates"}
    return [message.content for message in messages]


def ship(desk: Desk) -> str:
    release.release_now(desk.shop.runtime, desk.shop.tenant.id, desk.order_id)
    with desk.shop.uow() as session:
        work = session.scalars(select(Fulfillment.id)).one()
        shipments.ship(session, desk.shop.tenant.id, work)
        return session.scalars(select(Shipment.id)).one()


def test_a_parcel_is_told_when_it_leaves_and_when_it_arrives(desk: Desk, thread: Thread) -> None:
    shop = desk.shop
    parcel_id = ship(desk)
    with shop.uow() as session:
        parcel = session.get_one(Shipment, (shop.tenant.id, parcel_id))
        number = session.get_one(Order, (shop.tenant.id, desk.order_id)).number
    left = f"On its way: 2 x Thing A of order {number}, with {parcel.carrier} {parcel.tracking_number}."
    assert said(shop, desk.buyer, thread) == [left]
    with shop.uow() as session:
        sign = TrackingEvent("1", clock.now(), ShipmentStatus.DELIVERED, "At the door")
        tracking.apply(session, shop.tenant.id, parcel_id, [sign])
    assert said(shop, desk.buyer, thread) == [left, f"Delivered: 2 x Thing A of order {number}."]


def test_a_cancel_is_told_once_and_its_money_too(desk: Desk, thread: Thread) -> None:
    desk.do("cancel", reason="other")
    number = desk.look().number
    told = said(desk.shop, desk.buyer, thread)
    assert sorted(told) == [
        f"$116.55 of order {number} went back to Test Visa •••• 4242. Banks take some days to show it.",
        f"Order {number} is canceled.",
    ]


def test_a_swap_and_its_refund_to_store_credit_are_told(desk: Desk, thread: Thread) -> None:
    swaps = [{"variant_id": desk.shop.variants["A"], "to_variant_id": desk.shop.variants["A3"], "quantity": 1}]
    desk.do("items", swaps=swaps, refund_to="store_credit")
    number = desk.look().number
    assert sorted(said(desk.shop, desk.buyer, thread)) == [
        f"$11.00 of order {number} went back to your store credit.",
        f"Order {number}: The items were changed.",
    ]


def test_a_row_that_comes_twice_is_told_once(desk: Desk, thread: Thread) -> None:
    desk.do("cancel", reason="other")
    first = said(desk.shop, desk.buyer, thread)
    with desk.shop.uow() as session:
        session.execute(update(OutboxRow).values(delivered_at=None))
    assert said(desk.shop, desk.buyer, thread) == first


def test_it_is_told_where_the_order_was_bought(desk: Desk, thread: Thread) -> None:
    with desk.shop.uow() as session:
        later = service.create_thread(session, desk.buyer)
    with desk.shop.uow() as session:
        session.get_one(Order, (desk.shop.tenant.id, desk.order_id)).thread_id = thread.id
    desk.do("cancel", reason="other")
    assert len(said(desk.shop, desk.buyer, thread)) == 2
    assert said(desk.shop, desk.buyer, later) == []


def test_a_refund_that_failed_is_told_without_its_reasons(desk: Desk, thread: Thread) -> None:
    with desk.shop.uow() as session:
        asked = refunds.request(
            session, desk.shop.tenant.id, order_id=desk.order_id, amount=1000, tax=0, unearned=0, reason="goodwill",
            requested_by="key_staff",
        )  # fmt: skip
    with desk.shop.uow() as session:
        payload = {"refund_id": asked[0].id, "payment_id": asked[0].payment_id, "code": "account_closed", "late": True}
        outbox.emit(session, desk.shop.tenant.id, "refund.failed", desk.order_id, payload)
    number = desk.look().number
    assert said(desk.shop, desk.buyer, thread) == [
        f"The refund of $10.00 for order {number} did not arrive. The shop has been told and will settle it."
    ]


def test_an_order_without_any_conversation_is_nothing_to_tell(shop: Shop) -> None:
    buyer = shop.shopper()
    shop.add("A", price=5000)
    done = complete(shop.runtime, buyer, shop.approved(buyer, "A"))
    assert done.order is not None
    Desk(shop, buyer, done.order.id).do("cancel", reason="other")
    with clock.shifted(timedelta(minutes=1)):
        tell_conversations(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        assert session.scalars(select(Event.seq)).all() == []
        assert outbox.claim_batch(session, shop.tenant.id, deliver.CONSUMER) == []


def shown(shop: Shop, shopper: Identity, thread: Thread, kind: str) -> list[dict[str, Any]]:
    with clock.shifted(timedelta(minutes=1)):
        tell_conversations(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        messages = service.snapshot(session, shopper, thread.id).messages
    return [message.data for message in messages if message.activity_type == kind and message.data]


def test_the_newest_card_of_an_order_follows_its_parcels(desk: Desk, thread: Thread) -> None:
    shop, shopper = desk.shop, desk.buyer
    with shop.uow() as session:
        order = queries.own_order(session, shopper, desk.order_id)
        data = followed.order_card(session, shopper, order)
        for message_id in ("ord-old", "ord-new"):
            log.append(session, shop.tenant.id, thread.id, None, [events.activity(message_id, followed.ORDER, data)])
    parcel = ship(desk)
    old, new = shown(shop, shopper, thread, followed.ORDER)
    assert (old["shipments"], [one["status"] for one in new["shipments"]]) == ([], ["label_created"])
    assert (new["shipments"][0]["expected_on"] is not None, new["returns"]) == (True, [])
    with shop.uow() as session:
        before = session.get_one(Thread, (shop.tenant.id, thread.id)).last_event
        sign = TrackingEvent("s1", clock.now(), ShipmentStatus.IN_TRANSIT, "At the depot")
        tracking.apply(session, shop.tenant.id, parcel, [sign])
        tracking.apply(session, shop.tenant.id, parcel, [sign])
    _, new = shown(shop, shopper, thread, followed.ORDER)
    assert new["shipments"][0]["events"][-1]["text"] == "At the depot"
    with shop.uow() as session:
        assert session.get_one(Thread, (shop.tenant.id, thread.id)).last_event == before + 1

"""Signs of a parcel: taken once, in any order, from whom they come; and what follows from each."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.fulfillment import carriers, tracking
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.shipments import Handover, ship_now
from engine.fulfillment.states import FULFILLMENT, SHIPMENT
from engine.kit import clock
from engine.kit.errors import InvalidInput, NotFound, Unauthenticated
from engine.orders.models import Shipment, ShipmentStatus
from tests.engine.fulfillment.conftest import Warehouse

Placed = Callable[[], tuple[str, list[str]]]
S = ShipmentStatus


def sent(warehouse: Warehouse, works: list[str], **kwargs: Any) -> list[str]:
    return [ship_now(warehouse.shop.runtime, warehouse.tenant_id, one, **kwargs) for one in works]


def tell(warehouse: Warehouse, shipment_id: str, *events: TrackingEvent) -> Shipment:
    with warehouse.shop.uow() as session:
        return tracking.apply(session, warehouse.tenant_id, shipment_id, events)


def sign(status: ShipmentStatus, hours: int = 1, name: str = "") -> TrackingEvent:
    return TrackingEvent(name or f"e-{status}-{hours}", clock.now() + timedelta(hours=hours), status, status.value)


def test_check_characters_follow_the_standard() -> None:
    assert carriers.check_character("A12425GABC1234002") == "M"  # the GRid example of ISO 7064, MOD 37,36


@given(st.text(min_size=1, max_size=30), st.integers(0, 14), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_wrong_character_in_a_tracking_number_is_found(shipment_id: str, place: int, other: str) -> None:
    number = carriers.tracking_number(shipment_id)
    assert carriers.valid_number(number)
    changed = number[:place] + other + number[place + 1 :]
    assert carriers.valid_number(changed) == (changed == number)


def test_the_journey_is_the_same_whenever_it_is_asked() -> None:
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    option = {"min_days": 3, "max_days": 5}
    told = carriers.journey("SP1", shipped_at=at, option=option, ship_to={})
    assert told == carriers.journey("SP1", shipped_at=at, option=option, ship_to=None)
    assert [event.status for event in told] == [S.SHIPPED, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED]
    assert timedelta(days=3) <= told[-1].at - at <= timedelta(days=5)
    ends = {
        words: carriers.journey("SP1", shipped_at=at, option=option, ship_to={"line_two": f"Sandbox: {words}"})[
            -1
        ].status
        for words in ("exception", "lost", "returned")
    }
    assert ends == {"exception": S.DELIVERED, "lost": S.LOST, "returned": S.RETURNED}


def test_polling_follows_the_clock_and_delivery_closes_the_order(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    sent(warehouse, works)
    runtime, tenant_id = warehouse.shop.runtime, warehouse.tenant_id
    assert tracking.poll_carriers(runtime, tenant_id) == 0
    seen = []
    for hours in (5, 15, 24 * 6):
        with clock.shifted(timedelta(hours=hours)):
            tracking.poll_carriers(runtime, tenant_id)
            tracking.poll_carriers(runtime, tenant_id)
        seen.append({one.status for one in warehouse.shipments(order_id)})
    assert seen == [{S.SHIPPED}, {S.IN_TRANSIT}, {S.DELIVERED}]
    assert [(line.delivered, line.shipped) for line in warehouse.lines(order_id).values()] == [(3, 3), (1, 1)]
    assert warehouse.order(order_id).status == "closed"
    assert warehouse.order(order_id).closed_at is not None
    assert all(len(one.events) == 5 and one.delivered_at for one in warehouse.shipments(order_id))
    assert warehouse.broken() == []


def test_an_order_stays_open_until_its_last_parcel_has_arrived(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    first, second = sent(warehouse, works)
    tell(warehouse, first, sign(S.DELIVERED))
    assert warehouse.order(order_id).status == "open"
    tell(warehouse, second, sign(S.DELIVERED))
    assert warehouse.order(order_id).status == "closed"


@pytest.mark.parametrize("order", [(4, 3, 2, 1, 0), (2, 4, 0, 3, 1), (1, 0, 4, 2, 3)])
def test_signs_in_any_order_and_any_number_end_the_same(
    warehouse: Warehouse, placed: Placed, order: tuple[int, ...]
) -> None:
    _, works = placed()
    shipment_id = sent(warehouse, works)[0]
    told = [sign(S.SHIPPED, 1), sign(S.IN_TRANSIT, 2), sign(S.EXCEPTION, 3), sign(S.OUT_FOR_DELIVERY, 4)]
    told.append(sign(S.DELIVERED, 5))
    line = next(iter(warehouse.shipment(shipment_id).lines))
    for event in (*(told[place] for place in order), *told):
        tell(warehouse, shipment_id, event)
    after = warehouse.shipment(shipment_id)
    assert after.status == S.DELIVERED
    assert [row["status"] for row in after.events[1:]] == [event.status.value for event in told]
    with warehouse.shop.uow() as session:
        from engine.orders.models import OrderLine

        found = session.get_one(OrderLine, (warehouse.tenant_id, line["order_line_id"]))
    assert found.delivered == line["quantity"]
    assert warehouse.alerts() == []
    assert warehouse.broken() == []


def test_what_only_we_say_is_not_taken_from_a_carrier(warehouse: Warehouse, placed: Placed) -> None:
    _, works = placed()
    shipment_id = sent(warehouse, works)[0]
    before = warehouse.shipment(shipment_id).events
    tell(warehouse, shipment_id, sign(S.LABEL_CREATED))
    assert warehouse.shipment(shipment_id).events == before


def body_of(warehouse: Warehouse, number: str, **more: Any) -> bytes:
    told = {
        "id": "evt-1",
        "account": warehouse.tenant_id,
        "tracking_number": number,
        "status": "in_transit",
        "at": clock.now().isoformat(),
        "text": "Left Columbus",
    }
    return json.dumps(told | more).encode()


def signed(warehouse: Warehouse, carrier: str, body: bytes, **more: Any) -> dict[str, str]:
    key = tracking.webhook_key(warehouse.shop.runtime.secret_key, warehouse.tenant_id, carrier)
    return tracking.sign(key, body, **({"message_id": "msg_1", "at": clock.now()} | more))


def test_a_signed_webhook_moves_the_parcel_once(warehouse: Warehouse, placed: Placed) -> None:
    _, works = placed()
    [shipment_id] = sent(warehouse, works[:1], handover=Handover(carrier="Acme Lines", tracking_number="1Z1"))
    body = body_of(warehouse, "1Z1")
    headers = signed(warehouse, "acme-lines", body)
    for _ in range(2):
        tracking.receive_webhook(warehouse.shop.runtime, "acme-lines", body, headers)
    after = warehouse.shipment(shipment_id)
    assert after.status == S.IN_TRANSIT
    assert [row["text"] for row in after.events] == ["Handed to the carrier", "Left Columbus"]


def test_what_is_not_signed_right_changes_nothing(warehouse: Warehouse, placed: Placed) -> None:
    _, works = placed()
    [shipment_id] = sent(warehouse, works[:1], handover=Handover(carrier="Acme Lines", tracking_number="1Z1"))
    body = body_of(warehouse, "1Z1")
    good = signed(warehouse, "acme-lines", body)
    stale = signed(warehouse, "acme-lines", body, at=clock.now() - timedelta(minutes=6))
    tries: list[tuple[bytes, str, dict[str, str], type[Exception]]] = [
        (body_of(warehouse, "1Z1", text="x"), "acme-lines", good, Unauthenticated),
        (body, "acme-lines", good | {"webhook-id": "msg_2"}, Unauthenticated),
        (body, "acme-lines", good | {"webhook-timestamp": "now"}, Unauthenticated),
        (body, "acme-lines", good | {"webhook-signature": "v1,%%%"}, Unauthenticated),
        (body, "acme-lines", {}, Unauthenticated),
        (body, "acme-lines", stale, Unauthenticated),
        (body, "other", good, Unauthenticated),
        (body, "other", signed(warehouse, "other", body), NotFound),
        (b"[]", "acme-lines", good, InvalidInput),
        (b"not json", "acme-lines", good, InvalidInput),
    ]
    runtime = warehouse.shop.runtime
    for content, carrier, headers, error in tries:
        with pytest.raises(error):
            tracking.receive_webhook(runtime, carrier, content, headers)
    stranger = body_of(warehouse, "1Z1", account="tnt_nobody")
    with pytest.raises(Unauthenticated):
        tracking.receive_webhook(runtime, "acme-lines", stranger, signed(warehouse, "acme-lines", stranger))
    assert warehouse.shipment(shipment_id).status == S.SHIPPED


@pytest.mark.parametrize("machine", [FULFILLMENT, SHIPMENT])
def test_every_move_is_allowed_or_refused_by_the_table(machine: Any) -> None:
    from engine.kit.state_machine import IllegalTransition

    for old in machine.table:
        for new in machine.table:
            if new in machine.table[old]:
                assert machine.check(old, new) == new
            else:
                with pytest.raises(IllegalTransition):
                    machine.check(old, new)

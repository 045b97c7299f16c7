"""A unit on its way in and back: the carrier is asked about both, as about every return."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from engine.fulfillment import carriers, tracking
from engine.fulfillment.carriers import TrackingEvent
from engine.jobs import poll_parcels
from engine.kit import clock
from engine.kit.ids import new_id
from engine.orders.models import ShipmentStatus
from engine.payments.models import Alert
from engine.warranties import parcels, resolving, watch
from engine.warranties.errors import WrongClaimStep
from engine.warranties.locks import hold
from engine.warranties.models import ClaimStatus
from tests.engine.orders.desk import Desk, broken
from tests.engine.warranties.fault import REFUND, REPAIR, delivered, grant, look, receive
from tests.shop import Shop

DAYS = timedelta(days=8)


def send(desk: Desk, claim_id: str) -> None:
    with desk.shop.uow() as session:
        parcels.handed_in(session, desk.shop.tenant.id, claim_id, actor=desk.buyer.id)


def told(events: list[dict[str, str]]) -> list[str]:
    return [one["status"] for one in events]


def test_a_unit_that_was_handed_in_is_followed_and_runs_out_no_more(shop: Shop) -> None:
    desk = delivered(shop)
    claim = grant(desk, REPAIR)
    assert poll_parcels(shop.runtime, shop.tenant.id) == 0
    send(desk, claim.id)
    send(desk, claim.id)

    with clock.shifted(DAYS):
        assert poll_parcels(shop.runtime, shop.tenant.id) == 1
        seen = look(desk, claim.id)
        assert poll_parcels(shop.runtime, shop.tenant.id) == 1
    assert told(seen.events) == ["shipped", "in_transit", "out_for_delivery", "delivered"]
    assert look(desk, claim.id).events == seen.events
    with clock.shifted(timedelta(days=60)):
        watch.watch_claims(shop.runtime, shop.tenant.id)
    assert (look(desk, claim.id).answer_by, look(desk, claim.id).status) == (None, ClaimStatus.APPROVED)
    assert receive(desk, claim.id).status == ClaimStatus.REPAIRING
    assert poll_parcels(shop.runtime, shop.tenant.id) == 0


def test_units_that_wait_to_be_taken_in_keep_no_other_from_being_followed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = delivered(shop, 2)
    first, second = grant(desk, REPAIR), grant(desk, REPAIR, place=1)
    for one in (first, second):
        send(desk, one.id)
    monkeypatch.setattr(parcels, "_BATCH", 1)
    with clock.shifted(DAYS):
        assert poll_parcels(shop.runtime, shop.tenant.id) == 2
    assert told(look(desk, second.id).events)[-1] == "delivered"


def test_a_repaired_unit_is_followed_home(shop: Shop) -> None:
    desk = delivered(shop)
    claim = grant(desk, REPAIR)
    receive(desk, claim.id)
    with shop.uow() as session:
        resolving.send_back(session, shop.tenant.id, claim.id, actor="key_staff")

    with clock.shifted(DAYS):
        assert poll_parcels(shop.runtime, shop.tenant.id) == 1
        assert poll_parcels(shop.runtime, shop.tenant.id) == 0
    home = look(desk, claim.id)
    assert (home.back_at is not None, told(home.back_events)[-1], home.status) == (True, "delivered", "closed")
    assert broken(shop) == []


@pytest.mark.parametrize("end", [ShipmentStatus.LOST, ShipmentStatus.RETURNED])
def test_a_repaired_unit_that_does_not_come_home_is_told(shop: Shop, end: ShipmentStatus) -> None:
    desk = delivered(shop)
    claim = grant(desk, REPAIR)
    receive(desk, claim.id)
    with shop.uow() as session:
        resolving.send_back(session, shop.tenant.id, claim.id, actor="key_staff")
    sign = TrackingEvent("x-1", clock.now(), end, "Gone")
    with shop.uow() as session:
        parcels.take_back_signs(hold(session, shop.tenant.id, claim.id), [sign], actor="carrier:x")
    with shop.uow() as session:
        assert [row.subject for row in session.query(Alert).filter_by(kind=parcels.LOST)] == [claim.id]
    assert poll_parcels(shop.runtime, shop.tenant.id) == 0


def test_nothing_is_handed_in_that_is_not_to_be_sent(shop: Shop) -> None:
    desk = delivered(shop)
    claim = grant(desk, REFUND)
    with pytest.raises(WrongClaimStep):
        send(desk, claim.id)
    assert look(desk, claim.id).sent_at is None


def test_a_carriers_own_word_finds_the_claim(shop: Shop) -> None:
    desk = delivered(shop)
    claim = grant(desk, REPAIR)
    carrier, at = carriers.slug(carriers.SANDBOX), clock.now()
    body = {
        "id": new_id("shipment"),
        "account": shop.tenant.id,
        "tracking_number": claim.tracking_number,
        "status": "in_transit",
        "text": "On its way",
        "at": at.isoformat(),
    }
    raw = json.dumps(body).encode()
    key = tracking.webhook_key(shop.runtime.secret_key, shop.tenant.id, carrier)
    tracking.receive_webhook(shop.runtime, carrier, raw, signed(key, raw, at))
    seen = look(desk, claim.id)
    assert (told(seen.events), seen.sent_at is not None, seen.answer_by) == (["in_transit"], True, None)


def signed(key: bytes, body: bytes, at: datetime) -> dict[str, str]:
    return dict(tracking.sign(key, body, message_id="msg_1", at=at))

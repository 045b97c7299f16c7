"""Webhooks: stored once, applied in any order, kept until they can be."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from engine.kit import clock
from engine.kit.errors import Forbidden, NotFound, Unauthenticated
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.payments import gateway_events, inbox
from engine.payments.gateway import EventKind
from engine.payments.models import StoredGatewayEvent
from tests.engine.payments.paying import Till

pytestmark = pytest.mark.usefixtures("still_clock")


def stored(till: Till) -> list[StoredGatewayEvent]:
    with till.shop.uow() as session:
        return session.query(StoredGatewayEvent).all()


def stranger(till: Till, **fields: object) -> tuple[bytes, dict[str, str]]:
    """A webhook about a capture that we never asked for."""
    about = {"id": "ca_1", "key": new_id("capture"), "status": "succeeded", "amount": 5, "currency": "USD",
             "failure_code": None}  # fmt: skip
    body = {"id": "evt_1", "kind": "capture", "merchant": till.tenant_id, "payment_id": "pay_1", "about": about,
            "occurred_at": clock.now().isoformat()}  # fmt: skip
    return till.gateway.sign(body | fields)


def test_the_same_webhook_is_stored_and_applied_once(till: Till) -> None:
    _, payment_id = till.sale()
    till.gateway.open_dispute(payment_id, merchant=till.tenant_id)
    [sent] = till.sent()
    for _ in range(3):
        till.hear([sent])
    [one] = stored(till)
    assert (one.kind, one.applied_at is not None, one.attempts) == ("dispute", True, 0)
    till.assert_clean()


def test_every_kind_comes_back_out_of_the_store_as_it_went_in(till: Till) -> None:
    order_id, payment_id = till.sale("card_test_refund_late")
    till.refunded(order_id, 100)
    till.gateway.open_dispute(payment_id, merchant=till.tenant_id, amount=50)
    with clock.shifted(timedelta(seconds=10)):
        read = [till.gateway.parse_webhook(body, headers) for body, headers in till.sent()]
    assert {event.kind for event in read} == {EventKind.REFUND, EventKind.DISPUTE}
    for event in read:
        body = json.loads(json.dumps(gateway_events.to_body(event)))
        assert gateway_events.from_body(body) == event


def test_what_is_about_nothing_of_ours_waits_and_then_asks_a_person(till: Till) -> None:
    till.hear([stranger(till)])
    [one] = stored(till)
    assert (one.applied_at, one.attempts, one.error) == (None, 1, "it is about nothing of ours")
    for hour in range(1, 13):
        with clock.shifted(timedelta(hours=hour)):
            till.recover()
    [one] = stored(till)
    assert one.attempts == gateway_events.MAX_ATTEMPTS
    assert till.open_alerts() == [("gateway_event_stuck", one.id)]
    inbox.act(till.runtime, till.staff, till.alert_id("gateway_event_stuck"))
    assert till.open_alerts() == []


def test_a_forged_webhook_or_an_unknown_merchant_leaves_nothing(till: Till) -> None:
    body, headers = stranger(till)
    with pytest.raises(Unauthenticated):
        till.hear([(body.replace(b"5", b"6"), headers)])
    with pytest.raises(NotFound):
        till.hear([stranger(till, merchant="tnt_nobody")])
    assert stored(till) == []


def test_only_staff_act_on_the_inbox(till: Till) -> None:
    with till.shop.uow() as session:
        inbox.raise_alert(session, till.tenant_id, "stray_capture", "pay_1", "Look.")
    shopper = Identity(till.tenant_id, Actor.SHOPPER, "shp_1")
    with pytest.raises(Forbidden):
        inbox.act(till.runtime, shopper, till.alert_id("stray_capture"))
    with pytest.raises(NotFound):
        inbox.act(till.runtime, till.staff, "alr_none")
    assert till.open_alerts() == [("stray_capture", "pay_1")]
    assert inbox.act(till.runtime, till.staff, till.alert_id("stray_capture")).resolved_at is not None

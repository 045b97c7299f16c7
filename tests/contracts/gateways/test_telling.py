"""Webhooks: only what the gateway signed, only while it is fresh, and any number of times in any order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.kit import clock
from engine.kit.errors import Unauthenticated
from engine.payments.gateway import EventKind
from tests.contracts.gateways.bench import Bench, Webhook


def disputed(bench: Bench) -> tuple[str, Webhook]:
    """A dispute's id and the webhook that tells of it."""
    payment_id = bench.paid()
    bench.hands.webhooks()
    dispute_id = bench.hands.open_dispute(payment_id)
    (sent,) = bench.hands.webhooks()
    return dispute_id, sent


def test_a_webhook_tells_whose_it_is_and_when(bench: Bench) -> None:
    dispute_id, (body, headers) = disputed(bench)
    event = bench.gateway.parse_webhook(body, headers)
    assert (event.kind, event.merchant) == (EventKind.DISPUTE, bench.merchant)
    assert event.dispute is not None
    assert event.dispute.gateway_id == dispute_id
    assert (event.charge, event.move) == (None, None)
    assert abs(event.occurred_at - clock.now()) < timedelta(minutes=1)


def test_the_same_webhook_reads_the_same_again(bench: Bench) -> None:
    _, (body, headers) = disputed(bench)
    assert bench.gateway.parse_webhook(body, headers) == bench.gateway.parse_webhook(body, headers)


def test_a_changed_body_is_refused(bench: Bench) -> None:
    _, (body, headers) = disputed(bench)
    with pytest.raises(Unauthenticated):
        bench.gateway.parse_webhook(body.replace(b"5000", b"9999"), headers)


@pytest.mark.parametrize("signature", ["", "t=1,v1=00", "nonsense", "t=now,v1=é"])
def test_a_wrong_signature_is_refused(bench: Bench, signature: str) -> None:
    _, (body, headers) = disputed(bench)
    name = next(key for key in headers if key.endswith("signature"))
    with pytest.raises(Unauthenticated):
        bench.gateway.parse_webhook(body, headers | {name: signature})
    with pytest.raises(Unauthenticated):
        bench.gateway.parse_webhook(body, {key: value for key, value in headers.items() if key != name})


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff\xfe", b"null"])
def test_what_is_no_event_is_refused(bench: Bench, body: bytes) -> None:
    _, (_, headers) = disputed(bench)
    with pytest.raises(Unauthenticated):
        bench.gateway.parse_webhook(body, headers)


def test_a_stale_webhook_is_refused(bench: Bench) -> None:
    _, (body, headers) = disputed(bench)
    with clock.shifted(timedelta(minutes=6)), pytest.raises(Unauthenticated):
        bench.gateway.parse_webhook(body, headers)


def test_events_out_of_order_each_tell_their_own_moment(bench: Bench) -> None:
    payment_id = bench.paid()
    bench.hands.webhooks()
    dispute_id = bench.hands.open_dispute(payment_id)
    bench.hands.close_dispute(dispute_id, won=True)
    opened, closed = bench.hands.webhooks()
    later, earlier = (bench.gateway.parse_webhook(*sent) for sent in (closed, opened))
    assert later.dispute is not None
    assert earlier.dispute is not None
    assert (earlier.dispute.status, later.dispute.status) == ("needs_response", "won")
    assert later.id != earlier.id

"""What recovery settled shows in the conversation, once, whoever is first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.checkout.complete import complete
from engine.checkout.models import CheckoutSession, Consent
from engine.conversations import asking, deliver, log, service
from engine.conversations.models import Event, Thread
from engine.kit import clock, outbox
from engine.kit.identity import Identity
from tests.shop import Shop


@pytest.fixture
def shopper(shop: Shop) -> Identity:
    return shop.shopper()


@pytest.fixture
def thread(shop: Shop, shopper: Identity) -> Thread:
    with shop.uow() as session:
        return service.create_thread(session, shopper)


def _consent(shop: Shop, shopper: Identity, thread: Thread, *, card: str = "card_test_visa") -> str:
    shop.add("LAMP")
    shop.ready(shopper, "LAMP", card=card)
    shown = shop.card(shopper)
    with shop.uow() as session:
        row = session.get_one(Consent, (shop.tenant.id, shown.id))
        row.thread_id = thread.id
        session.get_one(CheckoutSession, (shop.tenant.id, row.session_id)).thread_id = thread.id
        log.append(session, shop.tenant.id, thread.id, None, asking.resolved(asking.of_payment(shown)))
    shop.approve(shopper, shown.id)
    return shown.id


def _deliver(shop: Shop) -> None:
    """A minute later: the outbox leaves the conversation that pays the time to tell its shopper itself."""
    with clock.shifted(timedelta(minutes=1)), shop.uow() as session:
        rows = outbox.claim_batch(session, shop.tenant.id, deliver.CONSUMER)
        for row in rows:
            deliver.deliver(session, shop.runtime, row)


def _shown(shop: Shop, shopper: Identity, thread: Thread) -> dict[str, dict[str, Any]]:
    with shop.uow() as session:
        messages = service.snapshot(session, shopper, thread.id).messages
        return {message.activity_type or "": message.data or {} for message in messages}


def _events(shop: Shop) -> int:
    with shop.uow() as session:
        return len(session.scalars(select(Event.seq)).all())


def test_a_payment_settled_elsewhere_gets_its_receipt_once(shop: Shop, shopper: Identity, thread: Thread) -> None:
    consent = _consent(shop, shopper, thread)
    done = complete(shop.runtime, shopper, consent)
    assert done.order is not None
    _deliver(shop)
    shown = _shown(shop, shopper, thread)
    assert shown["confirmation"]["status"] == "claimed"
    assert shown["receipt"]["number"] == done.order.number
    assert shown["receipt"]["payment_method"]["last4"] == "4242"
    before = _events(shop)
    _deliver(shop)
    assert _events(shop) == before


def test_a_failed_payment_is_told(shop: Shop, shopper: Identity, thread: Thread) -> None:
    consent = _consent(shop, shopper, thread, card="card_test_declined")
    complete(shop.runtime, shopper, consent)
    _deliver(shop)
    shown = _shown(shop, shopper, thread)
    assert shown["payment_problem"]["code"] == "card_declined"
    assert "receipt" not in shown


def test_a_replaced_card_is_told(shop: Shop, shopper: Identity, thread: Thread) -> None:
    shop.add("LAMP")
    shop.ready(shopper, "LAMP")
    card = shop.card(shopper)
    with shop.uow() as session:
        session.get_one(Consent, (shop.tenant.id, card.id)).thread_id = thread.id
        log.append(session, shop.tenant.id, thread.id, None, asking.resolved(asking.of_payment(card)))
    shop.add("OTHER")
    shop.ready(shopper, "OTHER")
    _deliver(shop)
    assert _shown(shop, shopper, thread)["confirmation"]["status"] == "superseded"


def test_what_has_no_conversation_is_nothing_to_tell(shop: Shop, shopper: Identity) -> None:
    consent = shop.approved(shopper, shop.add("LAMP") and "LAMP")
    complete(shop.runtime, shopper, consent)
    _deliver(shop)
    assert _events(shop) == 0

"""Who hears of offers: whoever proved the e-mail, never whoever an agent typed it for."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.checkout.paid import LIVE_RUN
from engine.customers import consents
from engine.customers.models import ConsentTopic, ContactConsent
from engine.jobs import tell_agentic, tell_customers
from engine.kit import clock
from tests.app.acp.conftest import Checkout
from tests.engine.customers.people import known
from tests.shop import Shop


def said(shop: Shop) -> list[tuple[str, bool, str]]:
    """Everything anybody is known to have said, oldest first."""
    with shop.uow() as db:
        rows = db.scalars(select(ContactConsent).order_by(ContactConsent.id))
        return [(row.channel, row.granted, row.source) for row in rows]


def buy(buying: Checkout, *, opted_in: bool) -> None:
    session = buying.opened("TENT")
    consent = [{"channel": "email", "opted_in": opted_in}]
    paid = buying.complete(session, buying.token(session), marketing_consents=consent)
    assert paid.json()["status"] == "completed"
    tell(buying.shop)


def tell(shop: Shop) -> None:
    with clock.shifted(LIVE_RUN):
        tell_customers(shop.runtime, shop.tenant.id)
        tell_agentic(shop.runtime, shop.tenant.id)
        tell_agentic(shop.runtime, shop.tenant.id)


@pytest.mark.parametrize("opted_in", [True, False])
def test_a_typed_address_changes_nothing_for_its_owner(buying: Checkout, shop: Shop, opted_in: bool) -> None:
    shop.add("TENT")
    owner = known(shop)
    with shop.uow() as db:
        topic = ConsentTopic.MARKETING
        consents.say(db, owner, topic=topic, channel="email", granted=not opted_in, text_version="web-1")
    buy(buying, opted_in=opted_in)

    assert said(shop) == [("email", not opted_in, "web")]
    known(shop)
    tell(shop)
    assert said(shop) == [("email", not opted_in, "web")]


def test_what_was_said_with_an_order_counts_once_its_buyer_is_proven(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    buy(buying, opted_in=True)
    assert said(shop) == []
    known(shop, "somebody@example.com")
    tell(shop)
    assert said(shop) == []
    known(shop)
    tell(shop)
    assert said(shop) == [("email", True, "acp")]

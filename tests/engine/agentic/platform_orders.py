"""Orders that a platform's agents placed, for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.agentic import keys, order_shape, receivers
from engine.agentic.models import AgentPlatform
from engine.agentic.webhook_models import EventNaming
from engine.checkout.complete import complete
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.tenancy import ApiKey, Tenant
from engine.orders.models import Order
from tests.engine.orders.desk import Desk
from tests.shop import Shop

ORIGIN = "https://shop.example"


def platform(shop: Shop, name: str = "Agent Co") -> Identity:
    """A platform with a key, as it buys."""
    with shop.uow() as session:
        made = keys.create(session, shop.tenant.id, scopes=["acp"], actor="test", platform=name)
        session.flush()
        key = session.get_one(ApiKey, made.id)
        return Identity(
            shop.tenant.id,
            Actor.API_KEY,
            key.platform_id or "",
            scopes=frozenset({Scope.ACP}),
            key_id=key.id,
            platform_id=key.platform_id,
        )


def hears(shop: Shop, buyer: Identity, url: str, *, naming: EventNaming | None = None) -> str | None:
    """Give a platform its webhook; answers the secret the first time."""
    with shop.uow() as session:
        row = session.get_one(AgentPlatform, (shop.tenant.id, buyer.id))
        return receivers.set_webhook(session, shop.runtime, row, url, naming=naming, actor="test")


def buy_as(shop: Shop, buyer: Identity, sku: str, quantity: int = 1, *more: str, card: str = "card_test_visa") -> Desk:
    """A paid order of a platform: ``quantity`` of one item and one each of the others."""
    shopper = shop.shopper()
    for one in more:
        shop.fill(shopper, one)
    consent_id = shop.approved(shopper, sku, quantity, card=card)
    _hand_over(shop, consent_id, buyer)
    done = complete(shop.runtime, replace(shopper, id=buyer.id), consent_id)
    assert done.order is not None, done
    return Desk(shop, replace(shopper, id=buyer.id), done.order.id)


def _hand_over(shop: Shop, consent_id: str, buyer: Identity) -> None:
    """What a shopper prepared becomes the platform's."""
    from engine.checkout.models import CheckoutSession, Consent

    with shop.uow() as session:
        consent = session.get_one(Consent, (shop.tenant.id, consent_id))
        consent.owner_id = buyer.id
        session.get_one(CheckoutSession, (shop.tenant.id, consent.session_id)).owner_id = buyer.id


def shaped(desk: Desk) -> dict[str, Any]:
    """The order as the protocol shows it."""
    with desk.shop.uow() as session:
        tenant = session.get_one(Tenant, desk.shop.tenant.id)
        order = session.get_one(Order, (tenant.id, desk.order_id))
        (body,) = order_shape.of_orders(session, tenant, [order], web_origin=ORIGIN)
    return body

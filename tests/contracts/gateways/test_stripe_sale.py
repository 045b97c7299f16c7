"""A whole purchase on Stripe's gateway: the money path does not know which gateway it is on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.checkout.complete import Result, complete
from engine.checkout.service import lock_session, running_session_id
from engine.checks import check_tenant
from engine.runtime import Runtime
from tests.contracts.gateways.bench import StripeHands
from tests.shop import Shop, open_shop


@pytest.fixture
def shop(runtime: Runtime, tenant, stripe: StripeHands) -> Shop:
    return open_shop(replace(runtime, gateways={**runtime.gateways, "stripe": stripe.gateway}), tenant)


def approved(shop: Shop, identity, card: str) -> str:
    """A payment card approved for a checkout that pays with this Stripe card."""
    shop.ready(identity, "A")
    with shop.uow() as session:
        checkout = lock_session(session, shop.tenant.id, running_session_id(session, identity) or "")
        checkout.payment_method = dict(checkout.payment_method or {}) | {"gateway": "stripe", "ref": card}
    consent = shop.card(identity)
    shop.approve(identity, consent.id)
    return consent.id


@pytest.mark.parametrize("behavior", ["pays", "capture_lost"])
def test_a_purchase_is_paid_and_the_books_agree(shop: Shop, stripe: StripeHands, behavior: str) -> None:
    shop.add("A", price=5000)
    buyer = shop.shopper()

    done = complete(shop.runtime, buyer, approved(shop, buyer, stripe.card(behavior)))

    assert done.result == Result.PAID
    assert done.order is not None
    (standing,) = stripe.gateway.standings(merchant=shop.tenant.id).values()
    assert standing.captured == done.order.total.amount
    results = check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug)
    assert [r for r in results if not r.ok] == []
    looked_at = {r.name: r.looked_at for r in results}
    assert looked_at["a delegated token pays once and within its allowance"] == 1


def test_a_decline_leaves_the_checkout_payable(shop: Shop, stripe: StripeHands) -> None:
    shop.add("A", price=5000)
    buyer = shop.shopper()

    declined = complete(shop.runtime, buyer, approved(shop, buyer, stripe.card("insufficient_funds")))
    assert (declined.result, declined.code) == (Result.DECLINED, "insufficient_funds")
    assert stripe.gateway.standings(merchant=shop.tenant.id) == {}
    assert complete(shop.runtime, buyer, approved(shop, buyer, stripe.card("pays"))).result == Result.PAID

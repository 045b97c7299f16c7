"""A shop's own webhook address: whose it is, is said by the address and by nobody else."""

from __future__ import annotations

from dataclasses import replace

from engine.db import Addresses
from engine.payments.gateways.stripe.gateway import MERCHANT_HEADER
from tests.conftest import MakeTenant
from tests.contracts.gateways.bench import stripe_hands
from tests.contracts.gateways.stripe_double import StripeDouble


def test_the_address_names_the_shop_and_a_header_does_not(
    site, open_browser, addresses: Addresses, tenant, make_tenant: MakeTenant
) -> None:
    double = StripeDouble()
    hands = stripe_hands(site.runtime.store, addresses, double, tenant.id)
    site.opened = replace(site.runtime, gateways={**site.runtime.gateways, "stripe": hands.gateway})
    hands.ledger.tell("customer.created", {"id": "cus_1", "object": "customer", "metadata": {}})
    body, headers = hands.webhooks()[0]
    headers.pop(MERCHANT_HEADER)
    http, other = open_browser().http, make_tenant()

    def send(path: str, **more: str) -> int:
        return http.post(path, content=body, headers={**headers, **more}).status_code

    known = {MERCHANT_HEADER: tenant.id}
    assert send(f"/webhooks/stripe/{other.slug}", **known) == 401
    assert send("/webhooks/stripe", **known) == 401
    assert send(f"/webhooks/stripe/{tenant.slug}", **{"stripe-signature": "t=1,v1=00"}) == 401
    assert send("/webhooks/stripe/no-such-shop") == 404
    assert send(f"/webhooks/nobody/{tenant.slug}") == 404
    assert send(f"/webhooks/stripe/{tenant.slug}") == 204
    double.close()

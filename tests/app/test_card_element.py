"""Stripe's own card form on a page of ours: served only where the shop's account offers it, open to Stripe alone."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from engine.checkout import service
from engine.customers import service as customers
from engine.kit.identity import Identity
from engine.kit.tenancy import BrowserSession, hash_secret
from engine.payments.gateways import accounts
from engine.payments.gateways.grants import Grant, issue_grant
from engine.payments.gateways.models import AccountMode
from engine.payments.gateways.stripe.gateway import StripeGateway
from tests.app.conftest import Browser
from tests.shop import ADDRESS, Shop

SECRET, PUBLISHABLE = "sk_test_very_secret", "pk_test_for_pages"


@pytest.fixture
def shop_with_stripe(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    gateway = StripeGateway(shop.runtime.store, shop.runtime.secret_key)
    monkeypatch.setitem(shop.runtime.gateways, "stripe", gateway)  # type: ignore[arg-type]
    return shop


def account(shop: Shop, **change: Any) -> None:
    known = accounts.Change(mode=AccountMode.TEST, secret_key=SECRET, webhook_secret="whsec_hidden", **change)
    with shop.uow() as session:
        accounts.put(session, shop.runtime.secret_key, shop.tenant.id, "stripe", known, actor="test")


@pytest.fixture
def buyer(browser: Browser, shop_with_stripe: Shop) -> Identity:
    shop = shop_with_stripe
    shop.add("TENT", stock={"EAST": 3})
    browser.start(shop.tenant)
    with shop.runtime.store.without_tenant() as session:
        shopper_id = session.get_one(BrowserSession, hash_secret(browser.http.cookies["ic_session"])).shopper_id
    with shop.uow() as session:
        identity = customers.shopper(session, shop.tenant.id, shopper_id)
    assert identity
    shop.fill(identity, "TENT")
    with shop.uow() as session:
        service.update(session, identity, service.Details(email="ada@example.com", **ADDRESS))
    return identity


def grant_for(shop: Shop) -> str:
    return issue_grant(shop.runtime.secret_key, Grant(shop.tenant.id, "cs_any"))


def test_with_a_publishable_key_the_element_is_offered_and_served(
    browser: Browser, buyer: Identity, shop_with_stripe: Shop, gateway_pages: TestClient
) -> None:
    account(shop_with_stripe, publishable_key=PUBLISHABLE)

    told = browser.get("/v1/checkout/card-entry").json()

    assert (told["gateway"], told["kind"]) == ("stripe", "element")
    assert told["url"].startswith("http://127.0.0.1:9999/card-element/stripe?grant=")
    assert PUBLISHABLE not in json.dumps(told)
    page = gateway_pages.get(told["url"])
    assert page.status_code == 200
    config = json.loads(unescape(re.search(r'data-config="([^"]*)"', page.text).group(1)))  # type: ignore[union-attr]
    assert config.pop("words")["use"] == "Use this card"
    assert config == {
        "parent_origin": "http://127.0.0.1:8000", "publishable_key": PUBLISHABLE, "currency": "USD", "keeps": False,
    }  # fmt: skip
    assert '<script defer src="https://js.stripe.com/v3/">' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert SECRET not in page.text
    assert "whsec" not in page.text


def test_its_policy_lets_in_stripe_and_nobody_else(
    browser: Browser, buyer: Identity, shop_with_stripe: Shop, gateway_pages: TestClient
) -> None:
    account(shop_with_stripe, publishable_key=PUBLISHABLE)
    page = gateway_pages.get(browser.get("/v1/checkout/card-entry").json()["url"])
    parts = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))

    assert parts["script-src"] == "'self' https://js.stripe.com https://*.js.stripe.com"
    assert parts["frame-src"] == "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com"
    assert parts["connect-src"] == "'self' https://api.stripe.com"
    assert parts["frame-ancestors"] == "http://127.0.0.1:8000"
    assert parts["default-src"] == "'self'"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert 'payment=(self "https://js.stripe.com"' in page.headers["permissions-policy"]


def test_no_other_page_lets_stripe_in(
    browser: Browser, buyer: Identity, shop_with_stripe: Shop, gateway_pages: TestClient
) -> None:
    account(shop_with_stripe, publishable_key=PUBLISHABLE)
    grant = parse_qs(urlsplit(browser.get("/v1/checkout/card-entry").json()["url"]).query)["grant"][0]
    others = [
        browser.http.get("/"),
        browser.http.get("/healthz"),
        gateway_pages.get("/healthz"),
        gateway_pages.get("/card-entry", params={"grant": grant}),
    ]
    for page in others:
        assert page.status_code == 200
        assert "stripe.com" not in page.headers["content-security-policy"] + page.text
        assert "stripe.com" not in page.headers["permissions-policy"]


def test_a_demo_shop_without_the_key_keeps_its_imaginary_money(
    browser: Browser, buyer: Identity, shop_with_stripe: Shop, gateway_pages: TestClient
) -> None:
    account(shop_with_stripe)

    assert browser.get("/v1/checkout/card-entry").json()["gateway"] == "sandbox"
    page = gateway_pages.get("/card-element/stripe", params={"grant": grant_for(shop_with_stripe)})
    assert (page.status_code, page.json()["code"]) == (503, "card_entry_unavailable")
    assert "publishable key" in page.json()["detail"]
    assert "_test_" not in page.text
    assert "stripe.com" not in page.headers["content-security-policy"]


@pytest.mark.parametrize("gateway", ["sandbox", "nobody"])
def test_other_gateways_have_no_element(shop_with_stripe: Shop, gateway_pages: TestClient, gateway: str) -> None:
    page = gateway_pages.get(f"/card-element/{gateway}", params={"grant": grant_for(shop_with_stripe)})
    assert page.status_code == 404


def test_without_an_account_or_leave_nothing_is_served(shop_with_stripe: Shop, gateway_pages: TestClient) -> None:
    page = gateway_pages.get("/card-element/stripe", params={"grant": grant_for(shop_with_stripe)})
    assert (page.status_code, page.json()["code"]) == (503, "gateway_not_configured")
    account(shop_with_stripe, publishable_key=PUBLISHABLE)
    assert gateway_pages.get("/card-element/stripe", params={"grant": "x.y"}).status_code == 401
    page = gateway_pages.get(
        "/card-element/stripe", params={"grant": grant_for(shop_with_stripe), "origin": "https://evil.example"}
    )
    assert "evil.example" not in page.text + page.headers["content-security-policy"]

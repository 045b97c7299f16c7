"""A card is entered on the payment page, used at the door with the wish to keep it, and found among one's own."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from engine import jobs
from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.customers import service as customers
from engine.kit.identity import Identity
from engine.kit.tenancy import BrowserSession, hash_secret
from tests.app.conftest import Browser
from tests.app.test_customers import sign_in
from tests.shop import ADDRESS, Shop

CARD = {"number": "4242 4242 4242 4242", "exp_month": 12, "exp_year": 2040, "cvc": "123", "name": "Ada"}


def who(browser: Browser, shop: Shop) -> Identity:
    with shop.runtime.store.without_tenant() as session:
        shopper_id = session.get_one(BrowserSession, hash_secret(browser.http.cookies["ic_session"])).shopper_id
    with shop.uow() as session:
        identity = customers.shopper(session, shop.tenant.id, shopper_id)
    assert identity
    return identity


def begin(shop: Shop, identity: Identity) -> None:
    shop.add("TENT", stock={"EAST": 3})
    shop.fill(identity, "TENT")
    with shop.uow() as session:
        service.update(session, identity, service.Details(email="ada@example.com", **ADDRESS))


def enter(browser: Browser, pages: TestClient) -> tuple[str, dict[str, Any]]:
    """The card's token, and what the page was told."""
    url = browser.get("/v1/checkout/card-entry").json()["url"]
    page = pages.get(url)
    config = json.loads(unescape(re.search(r'data-config="([^"]*)"', page.text).group(1)))  # type: ignore[union-attr]
    assert "Keep it for my next purchase" in page.text
    grant = parse_qs(urlsplit(url).query)["grant"][0]
    answer = pages.post("/card-entry", json=CARD | {"session": grant})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"]), config


def test_a_known_shopper_keeps_a_card(browser: Browser, shop: Shop, gateway_pages: TestClient) -> None:
    sign_in(browser, shop)
    ada = who(browser, shop)
    begin(shop, ada)
    token, config = enter(browser, gateway_pages)
    assert config["keeps"] is True

    answer = browser.post("/v1/checkout/card", {"card_token": token, "save": True})

    assert answer.status_code == 200, answer.text
    assert answer.json()["payment_method"] == {
        "brand": "visa", "last4": "4242", "label": "Visa •••• 4242, kept for your next purchase", "keep": True,
    }  # fmt: skip
    assert browser.post("/v1/checkout/card", {"card_token": token, "save": True}).json() == answer.json()
    card = shop.card(ada)
    shop.approve(ada, card.id)
    assert complete(shop.runtime, ada, card.id).result == Result.PAID
    assert browser.get("/v1/me/payment_methods").json() == {"items": []}
    jobs.keep_house(shop.runtime, shop.tenant.id, minutely=True)
    [kept] = browser.get("/v1/me/payment_methods").json()["items"]
    assert (kept["last4"], kept["exp_year"], kept["label"]) == ("4242", 2040, "Visa •••• 4242")


def test_a_guest_is_offered_no_keeping_and_refused_it(browser: Browser, shop: Shop, gateway_pages: TestClient) -> None:
    browser.start(shop.tenant)
    begin(shop, who(browser, shop))
    token, config = enter(browser, gateway_pages)
    assert config["keeps"] is False

    answer = browser.post("/v1/checkout/card", {"card_token": token, "save": True})

    assert (answer.status_code, answer.json()["code"]) == (401, "email_not_verified")
    assert browser.post("/v1/checkout/card", {"card_token": token}).status_code == 200


@pytest.mark.parametrize("body", [{}, {"card_token": ""}, {"card_token": "card_x", "keep": True}])
def test_a_card_that_is_none_is_refused(browser: Browser, shop: Shop, body: dict[str, Any]) -> None:
    browser.start(shop.tenant)
    assert browser.post("/v1/checkout/card", body).status_code in {400, 422}

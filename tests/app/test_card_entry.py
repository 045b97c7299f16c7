"""Card entry on the gateway's own origin: a number goes in, a token comes out, and nothing else of it anywhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from app.origins import known_origin
from engine.checkout import service
from engine.customers import service as customers
from engine.kit.tenancy import BrowserSession, hash_secret
from tests.app.conftest import Browser
from tests.conftest import settings_for
from tests.shop import ADDRESS, Shop

NUMBER = "4242424242424242"
CARD = {"number": NUMBER, "exp_month": 12, "exp_year": 2030, "cvc": "737", "name": "Ada Buyer"}


@pytest.fixture
def checkout(browser: Browser, shop: Shop) -> str:
    """A running checkout of the browser's shopper; returns its id."""
    shop.add("TENT", stock={"EAST": 3})
    browser.start(shop.tenant)
    token = browser.http.cookies["ic_session"]
    with shop.runtime.store.without_tenant() as session:
        shopper_id = session.get_one(BrowserSession, hash_secret(token)).shopper_id
    with shop.uow() as session:
        identity = customers.shopper(session, shop.tenant.id, shopper_id)
    assert identity
    shop.fill(identity, "TENT")
    with shop.uow() as session:
        return service.update(session, identity, service.Details(email="ada@example.com", **ADDRESS)).id


@pytest.fixture
def grant(browser: Browser, checkout: str) -> str:
    url = browser.get("/v1/checkout/card-entry").json()["url"]
    return parse_qs(urlsplit(url).query)["grant"][0]


def test_the_form_is_on_the_gateways_origin_and_framed_by_ours_alone(
    browser: Browser, checkout: str, gateway_pages: TestClient
) -> None:
    url = browser.get("/v1/checkout/card-entry").json()["url"]

    assert url.startswith("http://127.0.0.1:9999/card-entry?")
    page = gateway_pages.get(url)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors http://127.0.0.1:8000;" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    config = json.loads(unescape(re.search(r'data-config="([^"]*)"', page.text).group(1)))
    assert config["parent_origin"] == "http://127.0.0.1:8000"
    assert NUMBER in {card["number"] for card in config["test_cards"]}


def test_a_foreign_origin_is_never_told(browser: Browser, grant: str, gateway_pages: TestClient) -> None:
    page = gateway_pages.get("/card-entry", params={"grant": grant, "origin": "https://evil.example"})

    assert "evil.example" not in page.text + page.headers["content-security-policy"]


def test_a_card_becomes_a_token(grant: str, gateway_pages: TestClient, capfd) -> None:
    answer = gateway_pages.post("/card-entry", json=CARD | {"session": grant})

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"token", "kind", "brand", "last4", "label"}
    assert (body["kind"], body["brand"], body["last4"]) == ("card", "visa", "4242")
    assert body["label"] == "Visa •••• 4242"
    assert body["token"].startswith("card_")
    assert "access-control-allow-origin" not in answer.headers
    logged = "".join(capfd.readouterr())
    assert NUMBER not in logged
    assert "cvc" not in logged
    assert grant not in logged


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"number": "4242424242424241"}, "number"),
        ({"number": "x" * 41}, "number"),
        ({"number": None}, "number"),
        ({"exp_month": 13}, "exp_month"),
        ({"exp_year": 2020}, "exp_month"),
        ({"exp_year": 9999}, "exp_year"),
        ({"exp_month": NUMBER + "x"}, "exp_month"),
        ({"exp_month": True}, "exp_month"),
        ({"cvc": "73"}, "cvc"),
        ({"cvc": "73799999999"}, "cvc"),
    ],
)
def test_a_refused_card_names_the_part_and_echoes_nothing(
    grant: str, gateway_pages: TestClient, change: dict[str, object], param: str
) -> None:
    answer = gateway_pages.post("/card-entry", json=CARD | {"session": grant} | change)

    assert (answer.status_code, answer.json()["param"]) == (400, param)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "424242" not in answer.text
    assert "737" not in answer.json()["detail"]


def test_cards_cannot_be_tried_without_end(grant: str, gateway_pages: TestClient) -> None:
    answers = [gateway_pages.post("/card-entry", json=CARD | {"session": grant, "cvc": "1"}) for _ in range(41)]

    assert {answer.status_code for answer in answers} == {400, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize("body", [{NUMBER: 1}, [NUMBER], NUMBER, {"session": NUMBER}])
def test_nonsense_is_not_echoed_either(gateway_pages: TestClient, body: object) -> None:
    answer = gateway_pages.post("/card-entry", json=body)

    assert answer.status_code == 400
    assert NUMBER not in answer.text


@pytest.mark.parametrize("bad", ["", "x", "x.y", "eyJ.abc"])
def test_a_forged_grant_opens_nothing(gateway_pages: TestClient, bad: str) -> None:
    assert gateway_pages.get("/card-entry", params={"grant": bad}).status_code == 401
    assert gateway_pages.post("/card-entry", json=CARD | {"session": bad}).status_code == 401


def test_without_a_checkout_there_is_no_form(browser: Browser, shop: Shop) -> None:
    browser.start(shop.tenant)

    assert 400 <= browser.get("/v1/checkout/card-entry").status_code < 500


def test_a_shop_that_is_no_demo_takes_no_cards_here(browser: Browser, make_tenant) -> None:
    browser.start(make_tenant(demo=False))

    assert browser.get("/v1/checkout/card-entry").status_code == 404


def test_the_bank_asks_and_hears(shop: Shop, gateway_pages: TestClient) -> None:
    shop.add("TENT", stock={"EAST": 3})
    buyer = shop.shopper()
    from engine.checkout.complete import Result, complete

    asked = complete(shop.runtime, buyer, shop.approved(buyer, "TENT", card="card_test_3ds"))
    assert asked.result == Result.CHALLENGE
    path = urlsplit(asked.challenge_url).path

    page = gateway_pages.get(path)
    assert "Approve this payment of $" in page.text
    assert gateway_pages.post(path, data={"approve": "no"}).status_code == 200
    assert "Approve this payment" in gateway_pages.get(path).text
    done = gateway_pages.post(path, data={"approve": "yes"})
    assert "Approved" in done.text
    assert gateway_pages.get("/challenge/chl_00000000000000000000000000").status_code == 404


def test_a_webhook_needs_its_signature(browser: Browser, shop: Shop) -> None:
    answer = browser.http.post("/webhooks/sandbox", content=b"{}", headers={"sandbox-signature": "0" * 64})

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert browser.http.post("/webhooks/other", content=b"{}").status_code == 404


@pytest.mark.usefixtures("still_clock")
def test_a_late_capture_settles_by_webhook_and_the_second_telling_changes_nothing(browser: Browser, shop: Shop) -> None:
    from datetime import timedelta

    from engine.checkout.complete import Result, complete
    from engine.checkout.models import Consent
    from engine.kit import clock
    from engine.payments.models import Payment

    shop.add("TENT", stock={"EAST": 3})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "TENT", card="card_test_late")
    assert complete(shop.runtime, buyer, consent_id).result == Result.UNKNOWN
    gateway = shop.runtime.gateways["sandbox"]
    with clock.shifted(timedelta(seconds=10)):
        [sent] = gateway.due_webhooks(merchant=shop.tenant.id)
        answers = [
            browser.http.post("/webhooks/sandbox", content=sent.body, headers=dict(sent.headers)) for _ in range(2)
        ]

    assert [answer.status_code for answer in answers] == [204, 204]
    with shop.uow() as session:
        card = session.get_one(Consent, (shop.tenant.id, consent_id))
        assert session.get_one(Payment, (shop.tenant.id, card.payment_id)).status == "captured"


@pytest.mark.parametrize("wanted", ["http://[", "http://[::x]:8000", "http://10.0.0.1:99999999", "\x00"])
def test_an_origin_that_is_none_is_nobodys(wanted: str, tmp_path: Path) -> None:
    settings = replace(settings_for(tmp_path), host="0.0.0.0")  # noqa: S104 (nothing is bound)
    assert known_origin(settings, None, wanted) is None
    assert known_origin(settings, None, f"http://10.0.0.1:{settings.port}") == f"http://10.0.0.1:{settings.port}"

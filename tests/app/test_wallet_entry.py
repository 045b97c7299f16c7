"""A card out of the Demo Wallet: from the button on the payment page to a receipt, a saved method and a refund."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.customers import service as customers
from engine.customers.models import Customer, PaymentMethod
from engine.customers.schemas import SavedMethodView
from engine.kit.errors import InvalidInput
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.tenancy import BrowserSession, hash_secret
from engine.payments.gateways.sandbox.cards import TEST_WALLETS
from engine.payments.models import Payment, Refund
from engine.payments.refunds import execute, request
from tests.app.conftest import Browser
from tests.shop import ADDRESS, Shop

PASS = {
    "network_token": "4895370012003478",
    "exp_month": 12,
    "exp_year": 2030,
    "cryptogram": base64.b64encode(bytes(range(20))).decode(),
    "eci": "05",
    "last4": "4242",
}
LABEL = "Demo Wallet · Visa ending 4242"


@pytest.fixture
def buyer(browser: Browser, shop: Shop) -> Identity:
    """The browser's shopper, with a checkout that lacks nothing but a way to pay."""
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


@pytest.fixture
def grant(browser: Browser, buyer: Identity) -> str:
    url = browser.get("/v1/checkout/card-entry").json()["url"]
    return parse_qs(urlsplit(url).query)["grant"][0]


def hand_over(pages: TestClient, grant: str, **change: Any) -> str:
    answer = pages.post("/wallet-entry", json=PASS | {"session": grant} | change)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def test_the_page_offers_the_wallets_passes(browser: Browser, buyer: Identity, gateway_pages: TestClient) -> None:
    told = browser.get("/v1/checkout/card-entry").json()
    assert (told["gateway"], told["kind"], told["wallets"]) == ("sandbox", "page", ["demo_wallet"])
    page = gateway_pages.get(told["url"])
    config = json.loads(unescape(re.search(r'data-config="([^"]*)"', page.text).group(1)))  # type: ignore[union-attr]
    assert [one["network_token"] for one in config["passes"]] == [one.number for one in TEST_WALLETS]
    assert config["passes"][0]["last4"] == "4242"


def test_a_pass_becomes_a_token_and_the_number_is_nowhere(
    grant: str, gateway_pages: TestClient, shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = gateway_pages.post("/wallet-entry", json=PASS | {"session": grant})

    assert answer.json() == {
        "token": answer.json()["token"], "kind": "wallet", "brand": "visa", "last4": "4242", "label": LABEL,
    }  # fmt: skip
    said = capfd.readouterr()
    for secret in (PASS["network_token"], PASS["cryptogram"]):
        assert str(secret) not in answer.text + said.out + said.err


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"network_token": "4895370012003479"}, "network_token"),
        ({"exp_year": 2020}, "exp_month"),
        ({"cryptogram": "bm90IHR3ZW50eQ=="}, "cryptogram"),
        ({"cryptogram": "not base64 at all ***"}, "cryptogram"),
        ({"eci": "01"}, "eci"),
        ({"last4": "42"}, "last4"),
        ({"last4": "four"}, "last4"),
    ],
)
def test_a_bad_pass_names_its_part_and_echoes_nothing(
    grant: str, gateway_pages: TestClient, change: dict[str, Any], param: str
) -> None:
    answer = gateway_pages.post("/wallet-entry", json=PASS | {"session": grant} | change)

    assert (answer.status_code, answer.json()["param"]) == (400, param)
    assert not any(str(value) in answer.json()["detail"] for value in change.values())
    assert "48953700" not in answer.text


def test_a_wallet_pays_is_on_the_card_and_the_receipt_and_gets_its_money_back(
    shop: Shop, buyer: Identity, grant: str, gateway_pages: TestClient, browser: Browser
) -> None:
    token = hand_over(gateway_pages, grant)
    view = service.use_card(shop.runtime, buyer, token)
    assert view.payment_method is not None
    assert (view.payment_method.brand, view.payment_method.last4, view.payment_method.label) == ("visa", "4242", LABEL)

    card = shop.card(buyer)
    assert card.checkout.payment_method is not None
    assert card.checkout.payment_method.label == LABEL
    shop.approve(buyer, card.id)
    done = complete(shop.runtime, buyer, card.id)
    assert done.result == Result.PAID
    with shop.uow() as session:
        order_id = session.scalars(select(Payment.order_id)).one()

    receipt = browser.http.get(f"/v1/orders/{order_id}/receipt")
    assert (receipt.status_code, LABEL in unescape(receipt.text)) == (200, True)
    with shop.uow() as session:
        back = request(
            session, shop.tenant.id, order_id=order_id, amount=500, tax=0, unearned=500, reason="wallet",
            requested_by="test",
        )  # fmt: skip
        refund_id = back[0].id
    execute(shop.runtime, shop.tenant.id, refund_id)
    with shop.uow() as session:
        row = session.get_one(Refund, (shop.tenant.id, refund_id))
        payment = session.get_one(Payment, (shop.tenant.id, row.payment_id))
        assert (row.status, row.amount, row.destination, payment.method["label"]) == (
            "succeeded", 500, "original", LABEL,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ("wallet_test_refused", "wallet_refused"),
        ("wallet_test_unproven", "cryptogram_invalid"),
        ("wallet_test_suspended", "wallet_suspended"),
    ],
)
def test_a_wallet_is_declined_in_words_of_its_own(
    shop: Shop, buyer: Identity, grant: str, gateway_pages: TestClient, ref: str, code: str
) -> None:
    known = next(one for one in TEST_WALLETS if one.ref == ref)
    token = hand_over(gateway_pages, grant, network_token=known.number, last4=known.last4)
    service.use_card(shop.runtime, buyer, token)
    card = shop.card(buyer)
    shop.approve(buyer, card.id)

    done = complete(shop.runtime, buyer, card.id)

    assert (done.result, done.code) == (Result.DECLINED, code)
    assert "wallet" in done.message
    with shop.uow() as session:
        assert session.scalars(select(Payment.status)).all() == ["failed"]
    assert shop.runtime.gateways["sandbox"].standings(merchant=shop.tenant.id) == {}


def test_a_saved_wallet_is_shown_as_one_and_pays(shop: Shop) -> None:
    shop.add("TENT", stock={"EAST": 3})
    with shop.uow() as session:
        person = Customer(tenant_id=shop.tenant.id, id=new_id("customer"), email="ada@example.com", name="Ada Buyer")
        session.add(person)
        session.flush()
        buyer = replace(shop.shopper(), customer_id=person.id)
        session.add(
            PaymentMethod(
                tenant_id=shop.tenant.id, id=new_id("payment_method"), customer_id=person.id, kind="wallet",
                wallet="demo_wallet", gateway="sandbox", gateway_ref="wallet_test_visa", brand="visa", last4="4242",
                exp_month=1, exp_year=2040,
            )
        )  # fmt: skip
    with shop.uow() as session:
        [saved, _] = service.payment_methods(session, buyer)
        view = SavedMethodView.of(session.scalars(select(PaymentMethod)).one())
    assert (saved.kind, saved.label) == ("wallet", LABEL)
    assert (view.kind, view.label) == ("wallet", LABEL)
    shop.fill(buyer, "TENT")
    with shop.uow() as session:
        details = service.Details(email="ada@example.com", payment_method_ref=saved.ref, **ADDRESS)
        service.update(session, buyer, details)
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    assert complete(shop.runtime, buyer, card.id).result == Result.PAID
    with shop.uow() as session:
        assert session.scalars(select(Payment.method)).one()["label"] == LABEL


def test_a_test_card_or_anothers_was_not_entered_here(
    shop: Shop, buyer: Identity, grant: str, gateway_pages: TestClient
) -> None:
    other = shop.shopper()
    shop.fill(other, "TENT")
    with shop.uow() as session:
        service.update(session, other, service.Details(email="bo@example.com", **ADDRESS))
    token = hand_over(gateway_pages, grant)
    for who, ref in ((other, token), (buyer, "wallet_test_visa"), (buyer, "card_test_visa"), (buyer, "card_none")):
        with pytest.raises(InvalidInput):
            service.use_card(shop.runtime, who, ref)

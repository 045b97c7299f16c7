"""Gift cards and store credit on the running checkout, over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.checkout import service
from engine.customers import service as customers
from engine.kit.identity import Identity
from engine.kit.tenancy import BrowserSession, hash_secret
from engine.payments import stored_value
from engine.payments.stored_value_models import StoredValueKind
from tests.app.conftest import Browser
from tests.shop import ADDRESS, Shop

PATH = "/v1/checkout/tenders"


def checking_out(browser: Browser, shop: Shop) -> Identity:
    """A browser whose shopper checks out one thing of $50.00."""
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


def issue(shop: Shop, kind: StoredValueKind, owner: Identity | None = None) -> str:
    with shop.uow() as session:
        issued = stored_value.issue(
            session, shop.tenant.id, secret_key=shop.runtime.secret_key, kind=kind, amount=1000, currency="USD",
            owner_id=owner.id if owner else None, actor="key_staff",
        )  # fmt: skip
    return issued.code or ""


def drop(browser: Browser, key: str) -> dict[str, object]:
    return browser.http.delete(PATH, headers={"Idempotency-Key": key}).json()


def test_a_gift_card_and_own_credit_lower_what_is_due(browser: Browser, shop: Shop) -> None:
    shop.add("TENT")
    me = checking_out(browser, shop)
    code = issue(shop, StoredValueKind.GIFT_CARD)
    issue(shop, StoredValueKind.STORE_CREDIT, me)
    first = browser.post(PATH, {"code": code}, key="one")
    assert first.status_code == 200, first.text
    assert (first.json()["total"]["amount"], first.json()["due"]["amount"]) == (6155, 5155)
    assert code not in first.text
    again = browser.post(PATH, {"code": code}, key="one")
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    both = browser.post(PATH, {})
    assert [one["amount"] for one in both.json()["tenders"]] == [1000, 1000]
    assert both.json()["due"]["amount"] == 4155
    assert drop(browser, "two")["tenders"] == []


def test_a_whole_shop_is_not_guessed_at_by_many(
    open_browser: Callable[[], Browser], shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_value, "_MISSES_PER_HOUR", 3)
    shop.add("TENT")
    code = issue(shop, StoredValueKind.GIFT_CARD)
    first, second = open_browser(), open_browser()
    for browser in (first, second):
        checking_out(browser, shop)
    assert [first.post(PATH, {"code": f"GUESS{number}"}).status_code for number in range(3)] == [404] * 3
    assert second.post(PATH, {"code": code}).status_code == 429


def test_codes_are_not_guessed_and_credit_is_ones_own(open_browser: Callable[[], Browser], shop: Shop) -> None:
    shop.add("TENT")
    one, other = open_browser(), open_browser()
    issue(shop, StoredValueKind.STORE_CREDIT, checking_out(one, shop))
    checking_out(other, shop)
    assert other.post(PATH, {}).status_code == 404
    answers = [other.post(PATH, {"code": f"GUESS{number}"}).status_code for number in range(11)]
    assert answers == [404] * 10 + [429]
    assert other.http.delete(PATH).status_code == 400
    idle = open_browser()
    idle.start(shop.tenant)
    assert (idle.post(PATH, {}).status_code, idle.post(PATH, {"code": "x"}).status_code) == (404, 400)

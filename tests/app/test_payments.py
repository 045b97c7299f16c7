"""``/v1/payments`` and its neighbours: for staff alone, filtered, paged, and each write once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from engine.kit import clock
from engine.kit.ids import new_id
from engine.payments import inbox, stored_value
from engine.payments.models import Dispute, Payment, Refund
from engine.payments.stored_value_models import StoredValueAccount
from tests.app.conftest import Browser, counted
from tests.engine.payments.paying import TOTAL, Till
from tests.shop import Shop


@pytest.fixture
def till(shop: Shop) -> Till:
    return Till(shop)


@pytest.fixture
def staff(till: Till, make_key: Callable[..., str]) -> dict[str, str]:
    return {"Authorization": make_key(till.shop.tenant, "staff")}


@pytest.fixture
def admin(till: Till, make_key: Callable[..., str]) -> dict[str, str]:
    return {"Authorization": make_key(till.shop.tenant, "staff", "admin")}


@pytest.mark.parametrize("path", ["payments", "refunds", "disputes", "alerts", "payments/pay_1"])
def test_nobody_but_staff_reads(browser: Browser, till: Till, path: str) -> None:
    assert browser.get(f"/v1/{path}").status_code == 401
    browser.start(till.shop.tenant)
    assert browser.get(f"/v1/{path}").status_code == 403


def test_payments_show_where_they_stand(browser: Browser, till: Till, staff: dict[str, str]) -> None:
    order_id, payment_id = till.sale()
    other_order, _ = till.sale()
    till.refunded(order_id, 1000)
    page = browser.get("/v1/payments?limit=1", **staff).json()
    assert [item["order_id"] for item in page["items"]] == [other_order]
    [mine] = browser.get(f"/v1/payments?limit=1&cursor={page['next_cursor']}", **staff).json()["items"]
    usd = lambda amount: {"amount": amount, "currency": "USD"}  # noqa: E731 (a local shorthand)
    assert (mine["id"], mine["status"], mine["tender"]) == (payment_id, "captured", "card")
    assert (mine["captured"], mine["refunded"], mine["refundable"]) == (usd(TOTAL), usd(1000), usd(TOTAL - 1000))
    assert [capture["amount"] for capture in mine["captures"]] == [usd(TOTAL)]
    assert browser.get(f"/v1/payments/{payment_id}", **staff).json() == mine
    assert browser.get(f"/v1/payments?order_id={order_id}", **staff).json()["items"] == [mine]
    assert browser.get("/v1/payments?status=failed", **staff).json()["items"] == []
    [refund] = browser.get(f"/v1/refunds?payment_id={payment_id}", **staff).json()["items"]
    assert (refund["status"], refund["amount"]) == ("succeeded", usd(1000))


def test_another_shops_money_is_not_there(
    browser: Browser, till: Till, make_tenant: Callable[..., object], make_key: Callable[..., str]
) -> None:
    _, payment_id = till.sale()
    other = {"Authorization": make_key(make_tenant(), "staff")}
    assert browser.get("/v1/payments", **other).json()["items"] == []
    assert browser.get(f"/v1/payments/{payment_id}", **other).status_code == 404


@pytest.mark.usefixtures("still_clock")
def test_an_item_is_acted_on_once(browser: Browser, till: Till, staff: dict[str, str]) -> None:
    order_id, _ = till.sale("card_test_refund_refused")
    till.refunded(order_id, 1000)
    with clock.shifted(timedelta(minutes=1)):
        till.hear(till.sent())
    [item] = browser.get("/v1/alerts?open=true", **staff).json()["items"]
    assert (item["kind"], item["action"]) == ("refund_failed", "refund_again")
    path = f"/v1/staff/alerts/{item['id']}/act"
    first = browser.post(path, key="once", **staff)
    again = browser.post(path, key="once", **staff)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert browser.post(path, **staff).json()["code"] == "alert_closed"
    assert counted(till.shop, Refund) == 2
    assert browser.get("/v1/alerts?open=true", **staff).json()["items"] == []
    assert browser.get("/v1/alerts?open=false", **staff).json()["items"] == [first.json()]


def test_a_shopper_acts_on_nothing(browser: Browser, till: Till) -> None:
    with till.shop.uow() as session:
        inbox.raise_alert(session, till.tenant_id, "stray_capture", "pay_1", "Look.")
    browser.start(till.shop.tenant)
    assert browser.post(f"/v1/staff/alerts/{till.alert_id('stray_capture')}/act").status_code == 403
    assert till.open_alerts() == [("stray_capture", "pay_1")]


def test_evidence_is_written_and_sent_once(browser: Browser, till: Till, staff: dict[str, str]) -> None:
    _, payment_id = till.sale()
    till.gateway.open_dispute(payment_id, merchant=till.tenant_id)
    till.hear(till.sent())
    [dispute] = browser.get("/v1/disputes?status=needs_response", **staff).json()["items"]
    path = f"/v1/staff/disputes/{dispute['id']}/evidence"
    for wrong in ({}, {"evidence": {}}, {"evidence": {"Bad Name": "x"}}, {"evidence": {"text": ""}}):
        assert browser.post(path, wrong, **staff).status_code in {400, 422}
    body = {"evidence": {"uncategorized_text": "It was delivered."}}
    assert browser.post(path, body, **staff).status_code == 200
    [after] = browser.get("/v1/disputes", **staff).json()["items"]
    assert (after["status"], after["evidence"]) == ("under_review", body["evidence"])
    assert browser.post(path, body, **staff).json()["code"] == "evidence_too_late"
    assert browser.post(f"/v1/staff/disputes/{new_id('dispute')}/evidence", body, **staff).status_code == 404
    assert counted(till.shop, Dispute) == 1


def test_a_gift_cards_code_is_told_once(
    browser: Browser, till: Till, admin: dict[str, str], staff: dict[str, str]
) -> None:
    body = {"amount": 2500}
    assert browser.post("/v1/staff/gift-cards", body, **staff).status_code == 403
    for wrong in ({"amount": 0}, {"amount": 2500, "expires_at": "2020-01-01T00:00:00Z"}, {"amount": "5"}):
        assert browser.post("/v1/staff/gift-cards", wrong, **admin).status_code in {400, 422}
    assert counted(till.shop, StoredValueAccount) == 0
    first = browser.post("/v1/staff/gift-cards", body, key="card", **admin)
    again = browser.post("/v1/staff/gift-cards", body, key="card", **admin)
    assert (first.status_code, again.status_code) == (201, 201)
    made = first.json()
    assert again.json() == made | {"code": None}
    found = stored_value.find_by_code(till.runtime, till.shop.shopper(), made["code"])
    assert (found.id, found.balance, found.last4) == (made["id"], 2500, made["code"][-4:])
    assert counted(till.shop, StoredValueAccount) == 1
    assert counted(till.shop, Payment) == 0

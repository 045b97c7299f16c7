"""Letters for the shop's people, the demo's outbox page, and an order's papers over HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.mail import _LETTER_POLICY
from app.site import Site
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.mail import sending, service
from engine.mail.models import Mail
from engine.orders.invoice_models import Invoice
from engine.orders.seller import SellerPolicy
from tests.app.conftest import Browser, counted, paid_order
from tests.engine.mail.post import letters
from tests.shop import Shop


def put(shop: Shop, key: str = "a", *, secret: bool = False) -> str:
    with shop.uow() as session:
        made = service.write(
            session, shop.tenant.id, template="email_code", to="ada@example.com",
            data={"code": "481516", "minutes": 10}, key=key, secret=secret,
        )  # fmt: skip
    assert made is not None
    return made


@pytest.fixture
def staff(shop: Shop, make_key: Callable[..., str]) -> str:
    return make_key(shop.tenant, "staff")


def test_staff_see_letters_but_no_code(shop: Shop, browser: Browser, staff: str) -> None:
    plain, secret = put(shop), put(shop, "b", secret=True)
    page = browser.get("/v1/staff/mails?limit=1", authorization=staff).json()
    assert [row["id"] for row in page["items"]] == [secret]
    rest = browser.get(f"/v1/staff/mails?limit=1&cursor={page['next_cursor']}", authorization=staff).json()
    assert [row["id"] for row in rest["items"]] == [plain]
    assert rest["next_cursor"] is None
    assert browser.get("/v1/staff/mails?q=nobody@example.com", authorization=staff).json()["items"] == []

    shown = browser.get(f"/v1/staff/mails/{plain}", authorization=staff).json()
    assert "481516" in shown["text"]
    assert (shown["status"], shown["hidden"]) == ("queued", False)
    hidden = browser.get(f"/v1/staff/mails/{secret}", authorization=staff)
    assert "481516" not in hidden.text
    assert hidden.json()["hidden"]


def test_only_staff_see_letters(shop: Shop, browser: Browser) -> None:
    made = put(shop)
    browser.start(shop.tenant)
    assert browser.get("/v1/staff/mails").status_code == 403
    assert browser.get(f"/v1/staff/mails/{made}").status_code == 403


def test_a_failed_letter_is_tried_again_once(shop: Shop, browser: Browser, staff: str) -> None:
    made = put(shop)
    refused = browser.post(f"/v1/staff/mails/{made}/retry", authorization=staff)
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_transition")
    with shop.uow() as session:
        row = session.get_one(Mail, (shop.tenant.id, made))
        row.status, row.error = "failed", "recipient refused: 550"
    answer = browser.post(f"/v1/staff/mails/{made}/retry", authorization=staff)
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (200, "queued", "")


def test_the_outbox_shows_the_demo_shops_letters_in_a_frame_that_may_do_nothing(shop: Shop, browser: Browser) -> None:
    made = put(shop, secret=True)
    sending.send_mail(shop.runtime, shop.tenant.id)
    page = browser.get("/outbox")
    assert page.status_code == 200
    assert f'sandbox="" loading="lazy" src="/outbox/{shop.tenant.slug}/{made}"' in page.text
    assert "ada@example.com" in page.text
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    assert "script-src 'self'" in page.headers["content-security-policy"]

    letter = browser.get(f"/outbox/{shop.tenant.slug}/{made}")
    assert "481516" in letter.text
    assert letter.headers["content-security-policy"] == _LETTER_POLICY
    assert "sandbox" in _LETTER_POLICY
    assert letters(shop)[0].channel == "outbox"


def test_the_outbox_shows_no_real_shop_and_is_nowhere_but_in_a_demo(shop: Shop, browser: Browser, site: Site) -> None:
    made = put(shop)
    with shop.uow() as session:
        session.get_one(Tenant, shop.tenant.id).demo = False
    assert made not in browser.get("/outbox").text
    assert browser.get(f"/outbox/{shop.tenant.slug}/{made}").status_code == 404
    with shop.uow() as session:
        session.get_one(Tenant, shop.tenant.id).demo = True
    site.opened = dataclasses.replace(shop.runtime, demo=False)
    assert browser.get("/outbox").status_code == 404
    assert browser.get(f"/outbox/{shop.tenant.slug}/{made}").status_code == 404
    assert browser.get("/readyz").json() == {"status": "ready", "mail": "not_set"}


def sold(shop: Shop) -> str:
    shop.add("A", price=5000)
    with shop.uow() as session:
        said: dict[str, Any] = {"legal_name": "Shop Ltd", "address": ("1 Road",)}
        change_policy(session.get_one(Tenant, shop.tenant.id), SellerPolicy, said)
    return paid_order(shop, "A")


def test_papers_over_http(shop: Shop, browser: Browser, staff: str) -> None:
    order_id = sold(shop)
    receipt = browser.get(f"/v1/orders/{order_id}/receipt", authorization=staff)
    assert (receipt.status_code, receipt.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>Receipt</h1>" in receipt.text
    assert "style-src 'sha256-" in receipt.headers["content-security-policy"]
    assert counted(shop, Invoice) == 0
    for _ in range(2):
        printed = browser.get(f"/v1/orders/{order_id}/invoice?format=pdf", authorization=staff)
        assert (printed.status_code, printed.headers["content-type"]) == (200, "application/pdf")
        assert printed.content.startswith(b"%PDF-")
    assert counted(shop, Invoice) == 1
    (row,) = browser.get(f"/v1/orders/{order_id}/documents", authorization=staff).json()["items"]
    assert (row["kind"], row["total"]) == ("invoice", {"amount": 6155, "currency": "USD"})
    again = browser.get(f"/v1/orders/{order_id}/documents/{row['id']}", authorization=staff)
    assert row["number"] in again.text
    assert browser.get("/v1/invoices?kind=invoice", authorization=staff).json()["items"] == [row]
    assert browser.get("/v1/invoices?kind=credit_note", authorization=staff).json()["items"] == []
    assert browser.get(f"/v1/orders/{order_id}/invoice?format=doc", authorization=staff).status_code == 400


def test_nobody_elses_papers(shop: Shop, browser: Browser) -> None:
    order_id = sold(shop)
    browser.start(shop.tenant)
    for path in ("receipt", "invoice", "documents", "documents/inv_x"):
        assert browser.get(f"/v1/orders/{order_id}/{path}").status_code == 404
    with shop.uow() as session:
        assert session.scalars(select(Invoice)).all() == []
    assert browser.get("/v1/invoices").status_code == 403

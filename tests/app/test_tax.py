"""Rates, certificates and tax previews over HTTP, and a certificate that frees a sale."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.checkout import service
from engine.customers.models import Customer, Shopper
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.ids import new_id
from engine.shipping.models import ShippingZone
from engine.tax.models import FilingKind, FilingStatus, TaxExemption, TaxFiling, TaxRate
from tests.app.conftest import Browser, counted
from tests.engine.orders.desk import buy
from tests.shop import Shop

CITY = {
    "country": "US", "region": "WA", "level": "city", "city": "Seattle", "name": "Seattle", "rate_ppm": 38_500,
    "thresholds": {"clothing": {"amounts": {"USD": 5000}, "taxes": "excess"}}, "valid_from": "2026-01-01",
}  # fmt: skip
PLACE = {"country": "US", "state": "WA", "city": "Seattle", "postal_code": "98101"}


@pytest.fixture
def key(shop: Shop, make_key) -> str:
    return str(make_key(shop.tenant, "staff"))


def put(browser: Browser, key: str, *rates: dict, idempotency: str = "r-1"):
    headers = {"Idempotency-Key": idempotency, "Authorization": key}
    return browser.http.put("/v1/staff/tax/rates", json={"rates": list(rates)}, headers=headers)


def test_set_preview_and_end_a_rate(browser: Browser, shop: Shop, key: str) -> None:
    made = put(browser, key, CITY).json()["items"][0]
    again = put(browser, key, CITY | {"rate_ppm": 40_000}, idempotency="r-2").json()["items"][0]
    assert (again["id"], again["rate_ppm"], counted(shop, TaxRate)) == (made["id"], 40_000, 2)

    asked = PLACE | {"shipping": 500, "items": [{"unit_price": 10000}, {"unit_price": 8000, "category": "clothing"}]}
    told = browser.post("/v1/tax/quote", body=asked, authorization=key).json()
    # 100.00 x (10 + 4) %; clothing 80.00 x 10 % + 30.00 x 4 %; shipping 5.00 x 10 %
    assert [line["tax"] for line in told["lines"]] == [1400, 800 + 120]
    assert (told["shipping_tax"], told["tax"], told["total"]) == (50, 2370, 20870)
    assert [row["amount"] for row in told["taxes"]] == [1850, 520]

    yesterday = (clock.now().date() - timedelta(days=1)).isoformat()
    ended = browser.post(f"/v1/staff/tax/rates/{made['id']}/end", body={"last_day": yesterday}, authorization=key)
    assert ended.json()["valid_to"] == yesterday
    after = browser.post("/v1/tax/quote", body=asked, authorization=key).json()
    assert [line["tax"] for line in after["lines"]] == [1000, 800]
    over = browser.post(f"/v1/staff/tax/rates/{made['id']}/end", body={"last_day": yesterday}, authorization=key)
    assert (over.status_code, over.json()["code"]) == (409, "tax_rate_over")
    page = browser.get("/v1/tax/rates?country=US&limit=1", authorization=key).json()
    rest = browser.get(f"/v1/tax/rates?cursor={page['next_cursor']}", authorization=key).json()
    assert {page["items"][0]["name"], rest["items"][0]["name"]} == {"WA tax", "Seattle"}
    with shop.uow() as session:
        actions = session.scalars(select(AuditRow.action).where(AuditRow.subject == made["id"])).all()
    assert sorted(actions) == ["tax_rate.ended", "tax_rate.set", "tax_rate.set"]


def test_what_cannot_be_changes_nothing(browser: Browser, shop: Shop, key: str) -> None:
    for bad in ({"rate_ppm": -1}, {"rate_ppm": 1.5}, {"level": "moon"}, {"valid_to": "2025-12-31"}, {"extra": 1}):
        answer = put(browser, key, CITY, CITY | {"name": "Other"} | bad)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert counted(shop, TaxRate) == 1


def test_a_certificate_frees_its_customer_once_it_is_verified(browser: Browser, shop: Shop, key: str) -> None:
    shop.add("A")
    buyer, customer_id = shop.shopper(), new_id("customer")
    with shop.uow() as session:
        session.add(Customer(tenant_id=shop.tenant.id, id=customer_id, email="ada@school.example", name="Ada"))
        session.flush()
        session.get_one(Shopper, (shop.tenant.id, buyer.id)).customer_id = customer_id
    shop.ready(buyer, "A")

    def tax() -> tuple[int, str]:
        with shop.uow() as session:
            row = next(one for one in service.current(session, buyer).totals if one.type == "tax")
        return row.amount, row.display_text

    assert tax() == (560, "Tax: WA tax")
    given = {"customer_id": customer_id, "kind": "nonprofit", "country": "US", "region": "WA", "certificate": "NP-1"}
    made = browser.post("/v1/staff/tax/exemptions", body=given | {"valid_from": "2026-01-01"}, authorization=key).json()
    assert (made["status"], tax()[0]) == ("pending", 560)
    path = f"/v1/staff/tax/exemptions/{made['id']}/decide"
    assert browser.post(path, body={"status": "verified"}, authorization=key).json()["status"] == "verified"
    assert tax() == (0, "Tax: exempt (nonprofit)")
    assert browser.post(path, body={"status": "rejected"}, authorization=key).status_code == 409
    assert browser.post(path, body={"status": "revoked"}, authorization=key).json()["status"] == "revoked"
    assert tax()[0] == 560
    listed = browser.get(f"/v1/tax/exemptions?customer={customer_id}&status=revoked", authorization=key).json()
    assert [row["id"] for row in listed["items"]] == [made["id"]]
    assert counted(shop, TaxExemption) == 1


def test_zones_and_restrictions_are_shown(browser: Browser, shop: Shop, key: str) -> None:
    zones = browser.get("/v1/shipping/zones", authorization=key).json()["items"]
    assert [(zone["name"], len(zone["rates"])) for zone in zones] == [("US", 2)]
    way = {"code": "ca", "title": "To Canada", "carrier": "Post", "price": 900, "min_days": 5, "max_days": 9,
           "surcharges": [{"title": "Far", "amount": 300, "regions": ["YT"]}]}  # fmt: skip
    zone = {"name": "Canada", "countries": ["CA"], "rates": [way]}
    made = browser.post("/v1/staff/shipping/zones", body=zone, authorization=key)
    assert (made.status_code, made.json()["rates"][0]["surcharges"][0]["amount"]) == (201, 300)
    headers = {"Idempotency-Key": "z-1", "Authorization": key}
    path = f"/v1/staff/shipping/zones/{made.json()['id']}"
    assert browser.http.put(path, json=zone | {"name": "North"}, headers=headers).json()["name"] == "North"
    bad = browser.post("/v1/staff/shipping/zones", body=zone | {"rates": [way | {"price": -1}]}, authorization=key)
    assert bad.status_code == 400
    assert counted(shop, ShippingZone) == 2
    told = browser.get("/v1/restrictions", authorization=key).json()
    assert {"lithium_by_air", "california_65"} <= {rule["code"] for rule in told["rules"]}
    assert told["embargoed"] == ["CU", "IR", "KP", "SY"]


def test_what_a_tax_engine_was_told_is_read_by_status_kind_and_order(browser: Browser, shop: Shop, key: str) -> None:
    shop.add("A")
    first, second = buy(shop, "A"), buy(shop, "A")
    with shop.uow() as session:
        rows = (
            (first.order_id, FilingKind.SALE, first.order_id, 1100, FilingStatus.FILED, "tx_1"),
            (first.order_id, FilingKind.REVERSAL, "adj_1", -100, FilingStatus.PENDING, None),
            (second.order_id, FilingKind.SALE, second.order_id, 1100, FilingStatus.FAILED, None),
        )
        for number, (order_id, kind, subject, amount, status, told) in enumerate(rows):
            session.add(
                TaxFiling(
                    tenant_id=shop.tenant.id,
                    id=f"txf_{number}",
                    order_id=order_id,
                    kind=kind,
                    subject_id=subject,
                    amount=amount,
                    status=status,
                    transaction_id=told,
                )
            )

    def amounts(query: str) -> list[int]:
        answer = browser.get(f"/v1/staff/tax/filings?{query}", authorization=key)
        assert answer.status_code == 200, answer.text
        return [row["amount"] for row in answer.json()["items"]]

    assert amounts("") == [1100, -100, 1100]
    assert amounts("status=failed") == [1100]
    assert amounts("kind=reversal") == [-100]
    assert amounts(f"order_id={first.order_id}") == [1100, -100]
    page = browser.get("/v1/staff/tax/filings?limit=2", authorization=key).json()
    rest = browser.get(f"/v1/staff/tax/filings?limit=2&cursor={page['next_cursor']}", authorization=key).json()
    assert (len(page["items"]), [row["status"] for row in rest["items"]], rest["next_cursor"]) == (2, ["failed"], None)
    one = browser.get(f"/v1/staff/tax/filings/{page['items'][0]['id']}", authorization=key).json()
    assert (one["transaction_id"], one["kind"], one["order_id"]) == ("tx_1", "sale", first.order_id)
    for path, status in (("?status=lost", 400), ("?cursor=x", 400), ("/txf_none", 404)):
        assert browser.get(f"/v1/staff/tax/filings{path}", authorization=key).status_code == status
    assert browser.get("/v1/staff/tax/filings").status_code in {401, 403}

"""The benchmark's shop comes in whole, and is told again as it came."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from engine.checks import RULES, broken_rules, check_tenant
from engine.checks.rule import prove
from engine.demo.seed import TenantExists
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.payments.stored_value_models import StoredValueAccount
from evals.tau2.exporting import export_shop
from evals.tau2.importing import import_shop
from evals.tau2.shop import NotThisShop

SLICE = Path(__file__).parents[3] / "evals" / "tau2" / "data" / "db.json"
WHOLE = os.environ.get("TAU2_DATA")


def read(path=SLICE):
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def slug(tenant):
    return f"tau2-{tenant.id[-12:]}"


def exported(runtime, tenant_id):
    return export_shop(runtime.store, tenant_id)


def test_what_comes_in_is_told_again_as_it_came(runtime, slug):
    db = read()
    came = import_shop(runtime, db, slug=slug)
    assert (len(came.products), len(came.goods), len(came.people), len(came.owners)) == (50, 591, 20, 60)
    told = exported(runtime, came.tenant_id)
    assert told == db
    assert [list(told[part]) for part in told] == [list(db[part]) for part in db]


@pytest.mark.skipif(not WHOLE, reason="TAU2_DATA names no folder with the whole data")
def test_so_does_the_whole_shop(runtime, slug):
    db = read(Path(WHOLE or "") / "db.json")
    came = import_shop(runtime, db, slug=slug)
    assert exported(runtime, came.tenant_id) == db


def test_its_books_are_right_from_the_first_moment(runtime, slug):
    came = import_shop(runtime, read(), slug=slug)
    with runtime.unit_of_work(came.tenant_id) as session:
        results = [prove(session, slug, rule) for rule in RULES]
    assert [result for result in results if not result.ok] == []
    assert sum(result.looked_at > 0 for result in results) > 30


def test_what_is_broken_is_found_in_one_trip_too(runtime, slug):
    came = import_shop(runtime, read(), slug=slug)
    assert broken_rules(runtime, came.tenant_id, slug) == []
    with runtime.unit_of_work(came.tenant_id) as session:
        session.execute(text("UPDATE app.stored_value_accounts SET balance = balance + 1"))
        session.execute(text("UPDATE app.orders SET total = total + 1 WHERE status = 'closed'"))
    quick = broken_rules(runtime, came.tenant_id, slug)
    whole = [result for result in check_tenant(runtime, came.tenant_id, slug) if not result.ok]
    assert {result.name for result in quick} == {result.name for result in whole}
    assert {"stored value equals its ledger", "order totals add up"} <= {result.name for result in quick}


def test_what_was_spent_of_a_gift_card_is_not_on_it(runtime, slug):
    db = read()
    came = import_shop(runtime, db, slug=slug)
    cards = {
        method["id"]: round(method["balance"] * 100)
        for user in db["users"].values()
        for method in user["payment_methods"].values()
        if method["source"] == "gift_card"
    }
    with runtime.unit_of_work(came.tenant_id) as session:
        rows = session.execute(select(StoredValueAccount.external_id, StoredValueAccount.balance)).all()
    assert dict(map(tuple, rows)) == cards


def test_a_slug_is_one_shops(runtime, slug):
    import_shop(runtime, {"products": {}, "users": {}, "orders": {}}, slug=slug)
    with pytest.raises(TenantExists):
        import_shop(runtime, {"products": {}, "users": {}, "orders": {}}, slug=slug)


def paid_short(order):
    order["payment_history"][0]["amount"] += 0.01


def somebody_elses(order):
    order["user_id"] = "nobody_1"


def changed_before(order):
    order["status"] = "return requested"


def of_goods_unknown(order):
    order["items"][0]["item_id"] = "1"
    order["fulfillments"] = [{"tracking_id": ["1"], "item_ids": [item["item_id"] for item in order["items"]]}]


def paid_by_a_stranger(order):
    order["payment_history"][0]["payment_method_id"] = "paypal_1"


def priced_by_a_word(order):
    order["items"][0]["price"] = "much"


@pytest.mark.parametrize(
    "spoil", [paid_short, somebody_elses, changed_before, of_goods_unknown, paid_by_a_stranger, priced_by_a_word]
)
def test_what_cannot_be_stops_all_of_it(runtime, slug, spoil):
    db = copy.deepcopy(read())
    spoiled = next(order for order in db["orders"].values() if order["status"] == "delivered")
    spoil(spoiled)
    with pytest.raises(NotThisShop) as refused:
        import_shop(runtime, db, slug=slug)
    assert spoiled["order_id"] in str(refused.value.param)
    with runtime.store.without_tenant() as session:
        assert session.scalar(select(func.count()).select_from(Tenant).where(Tenant.slug == slug)) == 0


def test_progress_is_told_by_customers(runtime, slug):
    heard = []
    came = import_shop(runtime, read(), slug=slug, progress=lambda done, whole: heard.append((done, whole)))
    assert heard == [(number, 20) for number in range(1, 21)]
    with runtime.unit_of_work(came.tenant_id) as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 60

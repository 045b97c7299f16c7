"""SuiteQL as a fixed catalogue: the shapes that the workflows ask, and a clear no to all others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World
from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.ledger import Erp


@pytest.fixture
def erp(client: httpx.Client, merchant: Merchant) -> Erp:
    return Erp(client, merchant)


def test_orders_that_wait_for_the_warehouse_are_found_until_they_are_marked(erp: Erp) -> None:
    text = (
        "SELECT t.id, t.tranid, t.externalid FROM transaction t WHERE t.type = 'SalesOrd' "
        "AND t.status = '{}' AND t.custbody_sent_to_3pl = 'F' ORDER BY t.id"
    )
    one, two = erp.order(external_id="SHOP-1"), erp.order(external_id="SHOP-2")

    assert erp.rows(text.format("SalesOrd:B")) == [
        {"id": one, "tranid": "SO1001", "externalid": "SHOP-1"},
        {"id": two, "tranid": "SO1002", "externalid": "SHOP-2"},
    ]
    erp.make(f"salesOrder/{one}", {"custbody_sent_to_3pl": True, "custbody_3pl_order": "SO1001"}, "PATCH")
    assert [row["id"] for row in erp.rows(text.format("B"))] == [two]


def test_a_status_is_told_bare_or_with_its_kind_as_the_account_has_it(erp: Erp) -> None:
    order = erp.order()
    text = f"select status, BUILTIN.DF(status) AS shown from transaction where id = {order}"

    assert erp.rows(text) == [{"status": "SalesOrd:B", "shown": "Pending Fulfillment"}]
    erp.merchant.account.prefixed_status = False
    assert erp.rows(text) == [{"status": "B", "shown": "Pending Fulfillment"}]
    assert erp.rows(f"SELECT id FROM transaction WHERE status IN ('SalesOrd:B') AND id = {order}") == [{"id": order}]


def test_sold_quantities_are_negative_and_bought_ones_are_not(erp: Erp) -> None:
    order = erp.order((erp.stocked(0), 3), (erp.stocked(1), 2))
    text = (
        "SELECT tl.id, i.itemid, tl.quantity FROM transactionline tl INNER JOIN item i ON i.id = tl.item "
        "WHERE tl.transaction = {} AND tl.mainline = 'F' AND tl.taxline = 'F' ORDER BY tl.linesequencenumber"
    )

    assert erp.rows(text.format(order)) == [
        {"id": "1", "itemid": erp.stocked(0), "quantity": "-3"},
        {"id": "2", "itemid": erp.stocked(1), "quantity": "-2"},
    ]
    main = erp.rows(f"SELECT mainline, quantity FROM transactionline WHERE transaction = {order} AND mainline = 'T'")
    assert main == [{"mainline": "T"}]


def test_goods_are_found_by_sku_and_kits_by_their_members(erp: Erp) -> None:
    skus = [erp.stocked(0), erp.stocked(1)]
    listed = ", ".join(f"'{sku}'" for sku in skus)

    found = erp.rows(f"SELECT id, itemid, itemtype FROM item WHERE itemid IN ({listed}) ORDER BY itemid DESC")
    members = erp.rows("SELECT parentitem, item, quantity FROM itemmember ORDER BY parentitem, item")

    assert [row["itemid"] for row in found] == sorted(skus, reverse=True)
    assert {row["itemtype"] for row in found} == {"InvtPart"}
    assert [row["quantity"] for row in members] == ["2", "1", "1", "2", "1"]


def test_stock_is_read_in_pages(erp: Erp) -> None:
    text = "SELECT item, location, quantityonhand, quantityavailable FROM inventorybalance ORDER BY item, location"
    whole = erp.query(text)
    assert whole["totalResults"] == len(erp.merchant.account.balances)
    assert (whole["count"], whole["hasMore"], whole["offset"]) == (1000, True, 0)
    assert whole["items"][0]["links"] == []

    rest = erp.query(text, "?limit=1000&offset=1000")
    assert rest["items"][0] != whole["items"][0]
    assert rest["count"] == min(whole["totalResults"] - 1000, 1000)


def test_a_shorter_page_says_where_the_next_begins(erp: Erp, put: Any) -> None:
    text = "SELECT id FROM item ORDER BY id"
    erp.rows(text)
    put("netsuite", "partial_page", match={"operation": "suiteql"})

    page = erp.query(text, "?limit=100")

    assert (page["count"], page["hasMore"]) == (50, True)
    assert page["links"][1]["href"].endswith("limit=50&offset=50")


def test_what_changed_since_is_found(erp: Erp, world: World) -> None:
    one = erp.order(external_id="SHOP-1")
    world.advance(timedelta(minutes=30))
    two = erp.order(external_id="SHOP-2")
    since = "TO_TIMESTAMP('2026-11-26 08:30:00', 'YYYY-MM-DD HH24:MI:SS')"
    text = f"SELECT id FROM transaction WHERE lastmodifieddate >= {since}"

    assert erp.rows(text) == [{"id": two}]
    assert [row["id"] for row in erp.rows("SELECT id FROM transaction WHERE trandate <= '2026-11-26' ORDER BY id")] == [
        one,
        two,
    ]


def test_open_invoices_tell_what_is_unpaid(erp: Erp) -> None:
    order = erp.order()
    erp.make(f"salesOrder/{order}/!transform/itemFulfillment", {"shipStatus": {"id": "C"}})
    ready = "SELECT id FROM transaction WHERE type = 'SalesOrd' AND status = 'SalesOrd:F'"
    assert erp.rows(ready) == [{"id": order}]
    bill = erp.make(f"salesOrder/{order}/!transform/invoice", {})

    columns = "id, createdfrom, foreigntotal, foreignamountunpaid"
    text = f"SELECT {columns} FROM transaction WHERE type = 'CustInvc' AND status = 'A'"
    assert erp.rows(text) == [{"id": bill, "createdfrom": order, "foreigntotal": "60", "foreignamountunpaid": "60"}]
    assert erp.rows(ready) == []


def test_nulls_are_left_out_and_can_be_asked_for(erp: Erp) -> None:
    order = erp.order()

    assert erp.rows(f"SELECT id, otherrefnum FROM transaction WHERE id = {order}") == [{"id": order}]
    assert erp.rows(f"SELECT id FROM transaction WHERE otherrefnum IS NULL AND id = {order}") == [{"id": order}]
    assert erp.rows("SELECT id FROM transaction WHERE otherrefnum IS NOT NULL") == []
    assert erp.rows(f"SELECT id FROM transaction WHERE id NOT IN ({order})") == []
    assert erp.rows(f"SELECT id FROM transaction WHERE id <> {order}") == []


def test_quoted_words_are_not_read_as_grammar(erp: Erp) -> None:
    erp.make("customer", {"firstName": "A", "subsidiary": {"id": "1"}})

    assert erp.rows("SELECT id FROM transaction WHERE tranid = 'this AND that OR ''other'''") == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM transaction",
        "SELECT COUNT(*) FROM transaction",
        "SELECT id FROM customer",
        "SELECT id FROM transaction WHERE id = 1 OR id = 2",
        "SELECT id FROM transaction WHERE id = (SELECT 1)",
        "SELECT colour FROM transaction",
        "SELECT t.id FROM transaction t JOIN entity e ON e.id = t.entity",
        "SELECT b.item FROM inventorybalance b JOIN item i ON i.id = b.location",
        "SELECT id FROM transaction GROUP BY id",
        "SELECT id FROM transaction WHERE id LIKE 'x%'",
        "DELETE FROM transaction",
        "",
    ],
)
def test_any_other_query_is_refused_with_the_catalogue(erp: Erp, text: str) -> None:
    answer = erp.request("POST", "/query/v1/suiteql", {"q": text}, Prefer="transient")

    assert answer.status_code == 400
    said = answer.json()["o:errorDetails"][0]
    assert said["o:errorCode"] == "INVALID_PARAMETER"
    assert "fixed catalogue" in said["detail"]


def test_a_query_says_that_it_is_transient(erp: Erp) -> None:
    answer = erp.request("POST", "/query/v1/suiteql", {"q": "SELECT id FROM item"})

    assert (answer.status_code, answer.json()["o:errorDetails"][0]["o:errorCode"]) == (400, "INVALID_HEADER")
    assert erp.request("GET", "/query/v1/suiteql").status_code == 405
    assert erp.request("POST", "/query/v1/suiteql", {}, Prefer="transient").status_code == 400

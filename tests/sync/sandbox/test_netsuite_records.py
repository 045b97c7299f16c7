"""Records of an account: made once, changed as asked, and moved from order to cash."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.ledger import Erp


@pytest.fixture
def erp(client: httpx.Client, merchant: Merchant) -> Erp:
    return Erp(client, merchant)


def ship(erp: Erp, order: str, *, status: str = "C", **body: Any) -> str:
    return erp.make(f"salesOrder/{order}/!transform/itemFulfillment", {"shipStatus": {"id": status}} | body)


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {"item": {"items": [{"orderLine": number, **fields}]}}


class TestRecords:
    def test_an_upsert_makes_one_record_and_changes_it_the_next_time(self, erp: Erp) -> None:
        body = {"firstName": "Maya", "email": "maya@example.com", "subsidiary": {"id": "1"}}
        first = erp.make("customer/eid:SHOP-7", body, "PUT")
        again = erp.make("customer/eid:SHOP-7", body | {"firstName": "May"}, "PUT")

        assert first == again
        found = erp.get("customer/eid:SHOP-7")
        assert (found["id"], found["firstName"], found["externalId"]) == (first, "May", "SHOP-7")
        assert found["links"][0]["href"].endswith(f"/record/v1/customer/{first}")

    def test_an_external_id_is_had_once_in_a_record_type(self, erp: Erp) -> None:
        body = {"externalId": "X-1", "firstName": "Maya", "subsidiary": {"id": "1"}}
        erp.make("customer", body)

        assert erp.refused("customer", body) == (400, "DUP_RCRD")
        assert len(erp.merchant.account.kind("customer")) == 1

    @pytest.mark.parametrize(
        ("body", "code", "path"),
        [
            ({"subsidiary": {"id": "77"}}, "INVALID_CONTENT", "subsidiary"),
            ({}, "USER_ERROR", "subsidiary"),
            ({"subsidiary": {"id": "1"}, "isPerson": "yes"}, "INVALID_CONTENT", "isPerson"),
            ({"subsidiary": {"id": "1"}, "shoeSize": 9}, "NONEXISTENT_FIELD", "shoeSize"),
            ({"subsidiary": {"id": "1"}, "custentity_size": 9}, "NONEXISTENT_FIELD", "custentity_size"),
        ],
    )
    def test_a_field_that_is_wrong_is_named(self, erp: Erp, body: dict[str, Any], code: str, path: str) -> None:
        answer = erp.request("POST", "/record/v1/customer", body)

        assert answer.status_code == 400
        said = answer.json()["o:errorDetails"][0]
        assert (said["o:errorCode"], said["o:errorPath"]) == (code, path)
        assert erp.merchant.account.kind("customer") == {}

    def test_an_unknown_field_is_passed_over_when_the_header_says_so(self, erp: Erp) -> None:
        body = {"subsidiary": {"id": "1"}, "shoeSize": 9}
        for word in ("Ignore", "Warning"):
            answer = erp.request("POST", "/record/v1/customer", body, **{"X-NetSuite-PropertyNameValidation": word})
            assert answer.status_code == 204

    def test_what_is_not_there_is_not_found(self, erp: Erp) -> None:
        assert erp.request("GET", "/record/v1/customer/99999").status_code == 404
        assert erp.request("GET", "/record/v1/customer/eid:none").json()["o:errorDetails"][0]["o:errorCode"] == (
            "NONEXISTENT_ID"
        )
        assert erp.request("GET", "/record/v1/spaceship").status_code == 404

    def test_a_collection_is_paged_and_filtered(self, erp: Erp) -> None:
        for number in range(3):
            erp.make("customer", {"email": f"b{number}@example.com", "subsidiary": {"id": "1"}})

        page = erp.request("GET", "/record/v1/customer?limit=2").json()
        rest = erp.request("GET", "/record/v1/customer?limit=2&offset=2").json()
        one = erp.request("GET", '/record/v1/customer?q=email IS "b1@example.com"').json()

        assert (page["count"], page["hasMore"], page["totalResults"]) == (2, True, 3)
        assert page["links"][1]["href"].endswith("limit=2&offset=2")
        assert (rest["count"], rest["hasMore"], rest["offset"]) == (1, False, 2)
        assert one["totalResults"] == 1
        for query in ("limit=0", "limit=1001", "limit=2&offset=1", "q=name CONTAIN x"):
            answer = erp.request("GET", f"/record/v1/customer?{query}")
            assert answer.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_PARAMETER"

    def test_sublists_are_addresses_until_they_are_asked_for(self, erp: Erp) -> None:
        order = erp.order()

        plain = erp.request("GET", f"/record/v1/salesOrder/{order}").json()
        some = erp.request("GET", f"/record/v1/salesOrder/{order}?fields=tranId,status").json()
        lines = erp.request("GET", f"/record/v1/salesOrder/{order}/item").json()

        assert plain["item"]["links"][0]["href"].endswith(f"/salesOrder/{order}/item")
        assert some.keys() == {"links", "id", "tranId", "status"}
        assert lines == erp.get(f"salesOrder/{order}")["item"]

    def test_unreadable_json_and_the_wrong_method_are_refused(self, erp: Erp) -> None:
        erp.request("GET", "/record/v1/customer")
        head = {"Authorization": f"Bearer {erp.bearer}"}
        bad = erp.client.post(f"{erp.base}/record/v1/customer", content=b"{", headers=head)

        assert bad.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_CONTENT"
        assert erp.request("PATCH", "/record/v1/customer", {}).status_code == 405
        assert erp.refused("itemFulfillment", {}) == (400, "INVALID_RCRD_TYPE")

    def test_a_kit_is_made_of_members(self, erp: Erp) -> None:
        members = [{"item": {"id": erp.item(erp.stocked(place))}, "quantity": place + 1} for place in range(2)]
        kit = erp.make("kitItem", {"itemId": "KIT-X", "basePrice": 30.5, "member": {"items": members}})

        found = erp.get(f"kitItem/{kit}")
        assert (found["itemId"], found["basePrice"]) == ("KIT-X", 30.5)
        assert [(row["item"]["id"], row["quantity"]) for row in found["member"]["items"]] == [
            (one["item"]["id"], one["quantity"]) for one in members
        ]


class TestSalesOrders:
    def test_an_order_is_priced_numbered_and_approved(self, erp: Erp) -> None:
        sku = erp.stocked()
        order = erp.order((sku, 3), shippingCost=7.95, custbody_shopify_order_id="123", otherRefNum="#1001")

        found = erp.get(f"salesOrder/{order}")

        assert found["orderStatus"] == found["status"] == {"id": "B", "refName": "Pending Fulfillment"}
        assert (found["tranId"], found["externalId"], found["total"]) == ("SO1001", "SHOP-1", 67.95)
        assert (found["custbody_shopify_order_id"], found["otherRefNum"]) == ("123", "#1001")
        [row] = found["item"]["items"]
        assert (row["line"], row["quantity"], row["rate"], row["amount"]) == (1, 3, 20, 60)
        assert row["item"]["refName"] == sku
        assert (row["quantityFulfilled"], row["quantityBilled"], row["quantityCommitted"]) == (0, 0, 3)

    def test_stock_is_committed_and_what_is_lacking_is_committed_when_it_comes(self, erp: Erp) -> None:
        sku = erp.stocked()
        on_hand, _ = erp.balance(sku)
        order = erp.order((sku, on_hand + 4))
        assert erp.balance(sku) == (on_hand, 0)
        vendor = next(iter(erp.merchant.account.kind("vendor")))
        bought = erp.make(
            "purchaseOrder",
            {
                "entity": {"id": str(vendor)},
                "location": {"id": erp.place()},
                "item": {"items": [{"item": {"id": erp.item(sku)}, "quantity": 10}]},
            },
        )

        erp.make(f"purchaseOrder/{bought}/!transform/itemReceipt", {})

        assert erp.balance(sku) == (on_hand + 10, 6)
        assert erp.get(f"salesOrder/{order}")["item"]["items"][0]["quantityCommitted"] == on_hand + 4

    def test_an_order_waits_for_approval_where_the_account_wants_it(self, erp: Erp) -> None:
        erp.merchant.account.approves_orders = True
        order = erp.order()
        assert erp.status("salesOrder", order) == "A"
        assert erp.refused(f"salesOrder/{order}/!transform/itemFulfillment", {})[1] == "INVALID_INITIALIZE_REF"

        erp.make(f"salesOrder/{order}", {"orderStatus": {"id": "B"}}, "PATCH")
        assert erp.status("salesOrder", order) == "B"

    @pytest.mark.parametrize("quantity", [0, -1, None])
    def test_a_line_wants_a_quantity(self, erp: Erp, quantity: int | None) -> None:
        body = {
            "entity": {"id": erp.customer()},
            "item": {"items": [{"item": {"id": erp.item(erp.stocked())}, "quantity": quantity}]},
        }

        assert erp.refused("salesOrder", body) == (400, "USER_ERROR")
        assert erp.merchant.account.kind("salesOrder") == {}

    def test_an_order_wants_lines_and_a_buyer(self, erp: Erp) -> None:
        assert erp.refused("salesOrder", {"entity": {"id": erp.customer()}}) == (400, "USER_ERROR")
        assert erp.refused("salesOrder", {"item": {"items": []}})[1] == "USER_ERROR"
        assert erp.refused("salesOrder", {"entity": {"id": "9999"}})[1] == "INVALID_CONTENT"

    def test_an_upsert_without_replace_adds_lines_and_with_it_replaces_them(self, erp: Erp) -> None:
        sku = erp.stocked()
        order = erp.order((sku, 3))
        erp.order((sku, 3))
        assert [row["line"] for row in erp.get(f"salesOrder/{order}")["item"]["items"]] == [1, 2]

        body = {"item": {"items": [{"item": {"id": erp.item(sku)}, "quantity": 5, "rate": 20}]}}
        erp.make("salesOrder/eid:SHOP-1?replace=item", body, "PUT")

        found = erp.get(f"salesOrder/{order}")
        assert [(row["line"], row["quantity"]) for row in found["item"]["items"]] == [(1, 5)]
        on_hand, available = erp.balance(sku)
        assert on_hand - available == 5

    def test_a_line_is_changed_by_its_number_and_closed(self, erp: Erp) -> None:
        one, two = erp.stocked(0), erp.stocked(1)
        order = erp.order((one, 2), (two, 2))

        body = {"item": {"items": [{"line": 1, "quantity": 4}, {"line": 2, "isClosed": True}]}}
        erp.make(f"salesOrder/{order}", body | {"memo": "gift"}, "PATCH")

        found = erp.get(f"salesOrder/{order}")
        rows = [(row["quantity"], row["amount"], row["isClosed"]) for row in found["item"]["items"]]
        assert rows == [(4, 80, False), (2, 40, True)]
        assert found["memo"] == "gift"
        assert erp.balance(two)[0] == erp.balance(two)[1]

        erp.make(f"salesOrder/{order}", {"item": {"items": [{"line": 1, "isClosed": True}]}}, "PATCH")
        assert erp.status("salesOrder", order) == "H"
        assert erp.balance(one)[0] == erp.balance(one)[1]

    def test_what_has_left_cannot_be_taken_off(self, erp: Erp) -> None:
        order = erp.order((erp.stocked(), 3))
        ship(erp, order, **line(1, quantity=2))

        assert erp.refused(f"salesOrder/{order}", {"item": {"items": [{"line": 1, "quantity": 1}]}}, "PATCH")[1] == (
            "USER_ERROR"
        )
        assert erp.get(f"salesOrder/{order}")["item"]["items"][0]["quantity"] == 3


class TestFulfilment:
    def test_statuses_follow_from_the_lines(self, erp: Erp) -> None:
        order = erp.order((erp.stocked(), 3))
        seen = [erp.status("salesOrder", order)]
        ship(erp, order, **line(1, quantity=1))
        seen.append(erp.status("salesOrder", order))
        erp.make(f"salesOrder/{order}/!transform/invoice", {})
        seen.append(erp.status("salesOrder", order))
        ship(erp, order)
        seen.append(erp.status("salesOrder", order))
        erp.make(f"salesOrder/{order}/!transform/invoice", {})
        seen.append(erp.status("salesOrder", order))

        assert seen == ["B", "E", "D", "F", "G"]

    def test_goods_leave_the_shelf_when_they_are_shipped_and_not_before(self, erp: Erp) -> None:
        sku = erp.stocked()
        on_hand, _ = erp.balance(sku)
        order = erp.order((sku, 3))
        sent = ship(erp, order, status="A")
        assert erp.balance(sku) == (on_hand, on_hand - 3)
        assert erp.status("salesOrder", order) == "B"
        assert erp.refused(f"salesOrder/{order}/!transform/itemFulfillment", {})[1] == "INVALID_INITIALIZE_REF"

        erp.make(f"itemFulfillment/{sent}", {"shipStatus": {"id": "B"}}, "PATCH")
        erp.make(f"itemFulfillment/{sent}", {"shipStatus": {"id": "C"}}, "PATCH")

        assert erp.balance(sku) == (on_hand - 3, on_hand - 3)
        assert erp.status("itemFulfillment", sent) == "C"
        assert erp.refused(f"itemFulfillment/{sent}", {"shipStatus": {"id": "A"}}, "PATCH")[1] == "USER_ERROR"

    def test_a_transform_takes_every_line_unless_it_says_that_one_stays(self, erp: Erp) -> None:
        order = erp.order((erp.stocked(0), 3), (erp.stocked(1), 2))
        rows = [{"orderLine": 1, "quantity": 2, "itemReceive": True}, {"orderLine": 2, "itemReceive": False}]
        body = {
            "externalId": "DCL-20001-1-1",
            "item": {"items": rows},
            "package": {"items": [{"packageTrackingNumber": "1Z1", "packageWeight": 1.5}]},
        }

        sent = ship(erp, order, **body)

        found = erp.get(f"itemFulfillment/{sent}")
        assert [(row["orderLine"], row["quantity"]) for row in found["item"]["items"]] == [(1, 2)]
        assert found["package"]["items"] == [{"packageTrackingNumber": "1Z1", "packageWeight": 1.5}]
        assert (found["createdFrom"]["id"], found["externalId"], found["tranId"]) == (order, "DCL-20001-1-1", "IF1001")
        rest = ship(erp, order)
        assert [(row["orderLine"], row["quantity"]) for row in erp.get(f"itemFulfillment/{rest}")["item"]["items"]] == [
            (1, 1),
            (2, 2),
        ]

    def test_a_shipment_is_written_down_once_by_its_external_id(self, erp: Erp) -> None:
        order = erp.order((erp.stocked(), 3))
        body = {"shipStatus": {"id": "C"}, "externalId": "DCL-1"} | line(1, quantity=1)
        erp.make(f"salesOrder/{order}/!transform/itemFulfillment", body)

        assert erp.refused(f"salesOrder/{order}/!transform/itemFulfillment", body) == (400, "DUP_RCRD")
        assert erp.get(f"salesOrder/{order}")["item"]["items"][0]["quantityFulfilled"] == 1

    @pytest.mark.parametrize("quantity", [4, -1])
    def test_more_than_is_left_cannot_leave(self, erp: Erp, quantity: int) -> None:
        order = erp.order((erp.stocked(), 3))

        assert (
            erp.refused(f"salesOrder/{order}/!transform/itemFulfillment", line(1, quantity=quantity))[1] == "USER_ERROR"
        )
        assert erp.status("salesOrder", order) == "B"

    def test_a_line_wants_a_place(self, erp: Erp) -> None:
        order = erp.order(location=None)

        assert erp.refused(f"salesOrder/{order}/!transform/itemFulfillment", {})[1] == "USER_ERROR"
        ship(erp, order, **line(1, location={"id": erp.place()}))
        assert erp.status("salesOrder", order) == "F"

    def test_a_kit_takes_its_members_off_the_shelf(self, erp: Erp) -> None:
        kit = erp.rows("SELECT id FROM item WHERE itemid = 'KIT-CAMP-DUO'")[0]["id"]
        members = erp.rows(
            f"SELECT i.itemid, m.quantity FROM itemmember m JOIN item i ON i.id = m.item WHERE m.parentitem = {kit}"
        )
        place = next(
            one.fields["name"]
            for one in erp.merchant.account.kind("location").values()
            if all(erp.balance(row["itemid"], one.fields["name"])[0] >= 4 for row in members)
        )
        before = [erp.balance(row["itemid"], place)[0] for row in members]
        order = erp.order(("KIT-CAMP-DUO", 2), location={"id": erp.place(place)})
        assert [erp.balance(row["itemid"], place)[1] for row in members] == [before[0] - 4, before[1] - 2]

        ship(erp, order)

        assert [erp.balance(row["itemid"], place) for row in members] == [
            (n, n) for n in (before[0] - 4, before[1] - 2)
        ]


class TestBilling:
    def test_only_what_left_is_billed_and_shipping_once(self, erp: Erp) -> None:
        order = erp.order((erp.stocked(), 3), shippingCost=5)
        assert erp.refused(f"salesOrder/{order}/!transform/invoice", {})[1] == "INVALID_INITIALIZE_REF"
        ship(erp, order, **line(1, quantity=1))
        first = erp.make(f"salesOrder/{order}/!transform/invoice", {"externalId": f"INV-{order}"})
        ship(erp, order)
        second = erp.make(f"salesOrder/{order}/!transform/invoice", {})

        one, two = erp.get(f"invoice/{first}"), erp.get(f"invoice/{second}")
        assert (one["total"], two["total"]) == (25, 40)
        assert (one["amountremaining"], one["amountpaid"], one["status"]["id"]) == (25, 0, "A")
        assert one["createdFrom"]["id"] == order
        assert erp.refused(f"salesOrder/{order}/!transform/invoice", {})[1] == "INVALID_INITIALIZE_REF"

    def test_charges_are_billed_with_the_first_goods_and_wait_for_none(self, erp: Erp) -> None:
        order = erp.order((erp.stocked(), 3), ("SALES-TAX", 1))
        assert erp.refused(f"salesOrder/{order}/!transform/invoice", {})[1] == "INVALID_INITIALIZE_REF"
        sent = ship(erp, order, **line(1, quantity=1))
        assert [row["orderLine"] for row in erp.get(f"itemFulfillment/{sent}")["item"]["items"]] == [1]
        first = erp.make(f"salesOrder/{order}/!transform/invoice", {})
        assert (erp.get(f"invoice/{first}")["total"], erp.status("salesOrder", order)) == (40, "D")
        ship(erp, order)
        second = erp.make(f"salesOrder/{order}/!transform/invoice", {})

        assert (erp.get(f"invoice/{second}")["total"], erp.status("salesOrder", order)) == (40, "G")

    def test_an_order_of_charges_alone_waits_to_be_billed(self, erp: Erp) -> None:
        order = erp.order(("SALES-TAX", 1))
        assert erp.refused(f"salesOrder/{order}/!transform/itemFulfillment", {})[1] == "INVALID_INITIALIZE_REF"
        erp.make(f"salesOrder/{order}/!transform/invoice", {})

        assert erp.status("salesOrder", order) == "G"

    def test_an_order_is_invoiced_or_sold_for_cash(self, erp: Erp) -> None:
        order = erp.order()
        ship(erp, order)
        sale = erp.make(f"salesOrder/{order}/!transform/cashSale", {"undepFunds": True})

        assert erp.get(f"cashSale/{sale}")["total"] == 60
        assert erp.status("salesOrder", order) == "G"
        assert erp.refused(f"salesOrder/{order}/!transform/invoice", {})[1] == "INVALID_INITIALIZE_REF"

    def test_payments_bring_an_invoice_to_nothing(self, erp: Erp) -> None:
        order = erp.order()
        ship(erp, order)
        bill = erp.make(f"salesOrder/{order}/!transform/invoice", {})
        part = erp.make(
            f"invoice/{bill}/!transform/customerPayment",
            {
                "externalId": "PAY-1",
                "payment": 20,
                "apply": {"items": [{"doc": {"id": bill}, "apply": True, "amount": 20}]},
            },
        )
        assert (erp.get(f"invoice/{bill}")["amountremaining"], erp.status("invoice", bill)) == (40, "A")

        rest = erp.make(f"invoice/{bill}/!transform/customerPayment", {"account": {"id": "100"}})

        assert (erp.get(f"invoice/{bill}")["amountremaining"], erp.status("invoice", bill)) == (0, "B")
        assert [erp.get(f"customerPayment/{one}")["payment"] for one in (part, rest)] == [20, 40]
        assert erp.get(f"customerPayment/{part}")["unapplied"] == 0
        assert (
            erp.refused(f"invoice/{bill}/!transform/customerPayment", {"externalId": "PAY-1", "payment": 1})[0] == 400
        )

    def test_a_payment_above_what_remains_stays_unapplied(self, erp: Erp) -> None:
        order = erp.order()
        ship(erp, order)
        bill = erp.make(f"salesOrder/{order}/!transform/invoice", {})
        over = {"payment": 70, "apply": {"items": [{"doc": {"id": bill}, "apply": True, "amount": 70}]}}
        assert erp.refused(f"invoice/{bill}/!transform/customerPayment", over)[1] == "USER_ERROR"

        paid = erp.make(f"invoice/{bill}/!transform/customerPayment", {"payment": 70})

        found = erp.get(f"customerPayment/{paid}")
        assert (found["applied"], found["unapplied"]) == (60, 10)

    def test_a_payment_is_made_on_its_own_and_taken_back(self, erp: Erp) -> None:
        order = erp.order()
        ship(erp, order)
        bill = erp.make(f"salesOrder/{order}/!transform/invoice", {})
        body = {
            "customer": {"externalId": "SHOP-maya"},
            "payment": 60,
            "apply": {"items": [{"doc": {"id": bill}, "apply": True}]},
        }
        paid = erp.make("customerPayment/eid:PAY-9", body, "PUT")
        assert erp.status("invoice", bill) == "B"
        assert erp.request("DELETE", f"/record/v1/invoice/{bill}").status_code == 400

        assert erp.request("DELETE", f"/record/v1/customerPayment/{paid}").status_code == 204
        assert (erp.status("invoice", bill), erp.get(f"invoice/{bill}")["amountremaining"]) == ("A", 60)
        assert erp.refused("customerPayment", {"payment": 5}) == (400, "USER_ERROR")

    def test_another_customers_invoice_is_not_paid(self, erp: Erp) -> None:
        order = erp.order()
        ship(erp, order)
        bill = erp.make(f"salesOrder/{order}/!transform/invoice", {})
        other = erp.make("customer", {"firstName": "Tom", "subsidiary": {"id": "1"}})
        body = {"customer": {"id": other}, "payment": 5, "apply": {"items": [{"doc": {"id": bill}, "amount": 5}]}}

        assert erp.refused("customerPayment", body) == (400, "USER_ERROR")
        assert erp.get(f"invoice/{bill}")["amountremaining"] == 60

    def test_a_credit_takes_off_what_is_owed(self, erp: Erp) -> None:
        order = erp.order()
        ship(erp, order)
        bill = erp.make(f"salesOrder/{order}/!transform/invoice", {})
        credit = erp.make(f"invoice/{bill}/!transform/creditMemo", line(1, quantity=1))

        assert erp.get(f"creditMemo/{credit}")["total"] == 20
        assert erp.status("creditMemo", credit) == "B"
        assert erp.get(f"invoice/{bill}")["amountremaining"] == 40

    def test_what_was_sent_may_be_authorized_to_come_back(self, erp: Erp) -> None:
        order = erp.order()
        assert erp.refused(f"salesOrder/{order}/!transform/returnAuthorization", {})[1] == "INVALID_INITIALIZE_REF"
        ship(erp, order)
        back = erp.make(f"salesOrder/{order}/!transform/returnAuthorization", line(1, quantity=2))

        assert erp.get(f"returnAuthorization/{back}")["status"] == {"id": "B", "refName": "Pending Receipt"}


class TestPurchasing:
    def purchase(self, erp: Erp, *lines: tuple[str, int]) -> str:
        vendor = next(iter(erp.merchant.account.kind("vendor")))
        items = [{"item": {"id": erp.item(sku)}, "quantity": quantity} for sku, quantity in lines]
        body = {"entity": {"id": str(vendor)}, "location": {"id": erp.place()}, "item": {"items": items}}
        return erp.make("purchaseOrder", body)

    def test_receipts_bring_stock_and_status(self, erp: Erp) -> None:
        sku = erp.stocked()
        on_hand, _ = erp.balance(sku)
        bought = self.purchase(erp, (sku, 10))
        seen = [erp.status("purchaseOrder", bought)]
        erp.make(f"purchaseOrder/{bought}/!transform/itemReceipt", {"externalId": "R-1"} | line(1, quantity=4))
        seen.append(erp.status("purchaseOrder", bought))
        assert erp.balance(sku) == (on_hand + 4, on_hand + 4)
        erp.make(f"purchaseOrder/{bought}/!transform/itemReceipt", {})
        seen.append(erp.status("purchaseOrder", bought))
        erp.make(f"purchaseOrder/{bought}/!transform/vendorBill", {})
        seen.append(erp.status("purchaseOrder", bought))

        assert seen == ["B", "E", "F", "G"]
        assert erp.get(f"purchaseOrder/{bought}")["item"]["items"][0]["quantityReceived"] == 10
        assert erp.balance(sku)[0] == on_hand + 10

    def test_more_than_was_ordered_comes_only_where_the_account_allows_it(self, erp: Erp) -> None:
        sku = erp.stocked()
        bought = self.purchase(erp, (sku, 5))
        assert erp.refused(f"purchaseOrder/{bought}/!transform/itemReceipt", line(1, quantity=6))[1] == "USER_ERROR"

        erp.merchant.account.allow_overage = True
        erp.make(f"purchaseOrder/{bought}/!transform/itemReceipt", line(1, quantity=6))
        assert erp.get(f"purchaseOrder/{bought}")["item"]["items"][0]["quantityReceived"] == 6

    def test_a_receipt_that_is_deleted_takes_its_stock_along(self, erp: Erp) -> None:
        sku = erp.stocked()
        before = erp.balance(sku)
        bought = self.purchase(erp, (sku, 5))
        got = erp.make(f"purchaseOrder/{bought}/!transform/itemReceipt", {"externalId": "R-1"})

        assert erp.request("DELETE", f"/record/v1/itemReceipt/{got}").status_code == 204

        assert erp.balance(sku) == before
        assert erp.status("purchaseOrder", bought) == "B"
        assert erp.request("GET", "/record/v1/itemReceipt/eid:R-1").status_code == 404
        assert erp.request("DELETE", f"/record/v1/purchaseOrder/{bought}").status_code == 400

    def test_short_closing_ends_a_purchase(self, erp: Erp) -> None:
        bought = self.purchase(erp, (erp.stocked(0), 5), (erp.stocked(1), 5))
        erp.make(
            f"purchaseOrder/{bought}/!transform/itemReceipt",
            {"item": {"items": [{"orderLine": 2, "itemReceive": False}]}},
        )
        erp.make(f"purchaseOrder/{bought}", {"item": {"items": [{"line": 2, "isClosed": True}]}}, "PATCH")

        assert erp.status("purchaseOrder", bought) == "F"

    def test_a_transfer_leaves_one_place_and_arrives_at_the_other(self, erp: Erp) -> None:
        sku = erp.stocked()
        here, there = erp.balance(sku)[0], erp.balance(sku, "CMH")[0]
        body = {
            "location": {"id": erp.place()},
            "transferlocation": {"id": erp.place("CMH")},
            "item": {"items": [{"item": {"id": erp.item(sku)}, "quantity": 4}]},
        }
        moved = erp.make("transferOrder", body)
        seen = [erp.status("transferOrder", moved)]
        erp.make(f"transferOrder/{moved}/!transform/itemFulfillment", {"shipStatus": {"id": "C"}})
        seen.append(erp.status("transferOrder", moved))
        assert (erp.balance(sku)[0], erp.balance(sku, "CMH")[0]) == (here - 4, there)
        erp.make(f"transferOrder/{moved}/!transform/itemReceipt", line(1, quantity=1))
        seen.append(erp.status("transferOrder", moved))
        erp.make(f"transferOrder/{moved}/!transform/itemReceipt", {})
        seen.append(erp.status("transferOrder", moved))

        assert seen == ["B", "F", "F", "G"]
        assert (erp.balance(sku)[0], erp.balance(sku, "CMH")[0]) == (here - 4, there + 4)

    def test_a_transform_that_is_none_is_refused(self, erp: Erp) -> None:
        order = erp.order()

        assert erp.refused(f"salesOrder/{order}/!transform/itemReceipt", {})[1] == "INVALID_RCRD_TRANSFRM"
        assert erp.refused("salesOrder/99999/!transform/invoice", {}) == (404, "NONEXISTENT_ID")
        assert erp.refused(f"salesOrder/{order}/!transform/itemFulfillment", line(7))[1] == "INVALID_CONTENT"

"""Orders, parcels, bills, money and goods in the books, each once however often it is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.sync.canonical import Address, Parcel, ParcelItem, Parcels
from engine.sync.connectors.netsuite.connector import NetSuite
from engine.sync.connectors.netsuite.records import StillAtWork
from engine.sync.connectors.netsuite.wire import CustomerBody, SalesOrderBody
from engine.sync.errors import Conflict, Rejected, Transient, UnknownOutcome
from engine.sync.recording import Recording
from engine.sync.sandbox import emitting
from tests.sync.connectors.netsuite.conftest import MAYA, START, Books, left

SHIP_TO = {
    "addressee": "Maya Lindqvist",
    "attention": "Summit GmbH",
    "addr1": "12 Pine St",
    "city": "Portland",
    "state": "OR",
    "zip": "97201",
    "country": "US",
    "addrPhone": "+1 503",
}


def test_an_order_is_made_once_and_its_lines_are_those_that_were_said_last(books: Books, erp: NetSuite) -> None:
    sku, other = books.skus(2)
    first = books.order(erp, (sku, 3, "19.99"), (other, 1, "5"))
    again = books.order(books.open(), (sku, 2, "19.99"), memo="changed")

    assert first == again
    assert [(one.external_id, one.fields["memo"]) for one in books.kind("salesOrder")] == [("SHOP-1", "changed")]
    assert [(str(one.quantity), str(one.fields["rate"])) for one in books.kind("salesOrder")[0].lines] == [
        ("2", "19.99")
    ]


def test_a_record_is_found_by_its_external_id_or_not_at_all(books: Books, erp: NetSuite) -> None:
    order = books.order(erp, external_id="SHOP-x:9+1")

    assert erp.found("salesOrder", "SHOP-x:9+1") == order
    assert erp.found("salesOrder", "SHOP-2") is None
    assert erp.found("invoice", "SHOP-x:9+1") is None
    with pytest.raises(Rejected):
        erp.found("salesOrder", "a/b")


def test_an_order_is_read_in_canonical_words(books: Books, erp: NetSuite) -> None:
    sku = books.skus()[0]
    charge = erp.items(["SHIPPING"])["SHIPPING"]
    number = books.order(
        erp,
        (sku, 3, "19.99"),
        ("SHIPPING", 1, "7.95"),
        email="maya@example.com",
        otherRefNum="#1071",
        shippingAddress=SHIP_TO,
        shipMethod={"id": "10"},
        custbody_shopify_order_id="5001",
    )
    found = erp.sales_order(id=number)

    assert found is not None
    assert erp.sales_order(external_id="SHOP-1") == found
    assert found.model_dump(exclude={"raw", "lines", "ship_to", "number", "placed_on"}) == {
        "source": "netsuite",
        "account": "TSTDRV1001",
        "source_id": number,
        "external_id": "SHOP-1",
        "other_ref": "#1071",
        "status": "B",
        "currency": "USD",
        "email": "maya@example.com",
        "ship_method": "10",
        "total": 6792,
        "shipping": None,
        "tax": None,
        "flags": {"custbody_shopify_order_id": "5001"},
    }
    assert found.ship_to == Address(
        name="Maya Lindqvist",
        company="Summit GmbH",
        line_one="12 Pine St",
        city="Portland",
        region="OR",
        postal_code="97201",
        country="US",
        phone="+1 503",
    )
    assert [(one.line, one.sku, one.quantity, one.unit_price, one.amount) for one in found.lines] == [
        (1, sku, 3, 1999, 5997),
        (2, "", 1, 795, 795),
    ]
    assert found.lines[1].item_id == charge
    assert erp.sales_order(id="999999") is None


@pytest.mark.parametrize("prefixed", [True, False])
def test_orders_are_listed_by_letter_and_mark_in_one_request(books: Books, erp: NetSuite, prefixed: bool) -> None:
    books.merchant.account.prefixed_status = prefixed
    numbers = [books.order(erp, external_id=f"SHOP-{place}") for place in range(3)]
    erp.flag("salesOrder", numbers[1], {"custbody_sent_to_3pl": True})
    before = len(books.asked("suiteql"))
    found = list(erp.sales_orders(status="B", flag=("custbody_sent_to_3pl", False)))

    assert [(one.source_id, one.status, one.external_id) for one in found] == [
        (numbers[0], "B", "SHOP-0"),
        (numbers[2], "B", "SHOP-2"),
    ]
    assert found[0].flags == {"custbody_sent_to_3pl": False}
    assert [one.source_id for one in erp.sales_orders(status="B", flag=("custbody_sent_to_3pl", True))] == [numbers[1]]
    assert list(erp.sales_orders(status="F")) == []
    assert len(books.asked("suiteql")) == before + 3


def test_a_field_that_is_none_is_refused_before_it_leaves() -> None:
    body = {"entity": {"id": "1"}, "item": {"items": [{"item": {"id": "2"}, "quantity": 1, "custcol_x": "y"}]}}
    assert SalesOrderBody.model_validate(body | {"custbody_a": 1}).model_extra == {"custbody_a": 1}
    for wrong in ({"shipingCost": 1}, {"custcol_a": 1}, {"entity": {}}, {"entity": {"id": "1", "externalId": "2"}}):
        with pytest.raises(ValueError, match=r"field of this record|an id or an external id"):
            SalesOrderBody.model_validate(body | wrong)
    with pytest.raises(ValueError, match="greater than 0"):
        SalesOrderBody.model_validate(
            {"entity": {"id": "1"}, "item": {"items": [{"item": {"id": "2"}, "quantity": 0}]}}
        )
    with pytest.raises(ValueError, match="field of this record"):
        CustomerBody.model_validate(MAYA | {"nickname": "M"})


def test_an_order_of_many_lines_is_made_in_the_background_once(books: Books, erp: NetSuite) -> None:
    lines = [(books.skus()[0], 1, "1")] * 201
    for _ in range(2):
        with pytest.raises(StillAtWork):
            books.order(erp, *lines)
    books.world.advance(timedelta(seconds=2))
    number = books.order(books.open(), *lines)

    assert number == str(books.kind("salesOrder")[0].id)
    assert (len(books.kind("salesOrder")), len(books.kind("salesOrder")[0].lines)) == (1, 201)
    assert len(books.merchant.account.jobs) == 1


def test_a_closed_order_stays_closed(books: Books, erp: NetSuite) -> None:
    order = books.order(erp)
    erp.close_order(order)
    erp.close_order(order)

    assert erp.sales_order(id=order).status == "H"
    assert [one.method for one in books.asked("salesOrder")].count("PATCH") == 1


def test_a_parcel_is_booked_once_and_leaves_the_rest_open(books: Books, erp: NetSuite) -> None:
    sku, other = books.skus(2)
    order = books.order(erp, (sku, 3, "20"), (other, 1, "5"), ("SHIPPING", 1, "7.95"))
    there = books.on_hand(sku)
    made = erp.fulfil(order, "DCL-1-SO1-1", left((sku, 2), number="1Z9"))
    again = books.open().fulfil(order, "DCL-1-SO1-1", left((sku, 2), number="1Z9"))

    assert made == again
    assert [(one.external_id, one.status) for one in books.kind("itemFulfillment")] == [("DCL-1-SO1-1", "C")]
    assert books.kind("itemFulfillment")[0].sublists["package"] == [
        {"packageTrackingNumber": "1Z9", "packageDescr": "C-1Z9"}
    ]
    assert books.on_hand(sku) == there - 2
    assert [(one.sku, one.shipped) for one in erp.sales_order(id=order).lines] == [(sku, 2), (other, 0), ("", 0)]
    assert erp.sales_order(id=order).status == "E"


def test_a_parcel_whose_booking_nobody_confirmed_is_not_booked_twice(books: Books, erp: NetSuite) -> None:
    sku = books.skus()[0]
    order = books.order(erp, (sku, 4, "20"))
    books.put("timeout_after_commit", match={"operation": "salesOrder!itemFulfillment"})
    with pytest.raises(UnknownOutcome):
        erp.fulfil(order, "DCL-1", left((sku, 2)))
    probed = erp.found("itemFulfillment", "DCL-1")

    assert probed == erp.fulfil(order, "DCL-1", left((sku, 2)))
    assert len(books.kind("itemFulfillment")) == 1
    assert erp.sales_order(id=order).lines[0].shipped == 2


def test_more_than_is_open_does_not_leave(books: Books, erp: NetSuite) -> None:
    sku, other = books.skus(2)
    order = books.order(erp, (sku, 1, "20"))
    with pytest.raises(Rejected) as error:
        erp.fulfil(order, "DCL-1", left((sku, 2), (other, 1)))

    assert {one.path: one.message for one in error.value.fields} == {
        f"items.{sku}": "1 more than the order has open",
        f"items.{other}": "1 more than the order has open",
    }
    assert books.kind("itemFulfillment") == []


def test_members_of_a_kit_leave_as_the_kit(books: Books, erp: NetSuite) -> None:
    kits = erp.kits()
    members = kits["KIT-TRAIL-SET"]
    order = books.order(erp, ("KIT-TRAIL-SET", 2, "100"))
    erp.fulfil(order, "DCL-1", left(*[(sku, each * 2) for sku, each in members]))

    assert erp.sales_order(id=order).lines[0].shipped == 2
    with pytest.raises(Rejected):
        erp.fulfil(books.order(erp, ("KIT-TRAIL-SET", 1, "1"), external_id="SHOP-2"), "DCL-2", left((members[0][0], 1)))


def shipped(books: Books, erp: NetSuite, *, external_id: str = "SHOP-1") -> str:
    """An order of 67.95 whose goods left."""
    sku = books.skus()[0]
    order = books.order(erp, (sku, 3, "20"), ("SHIPPING", 1, "7.95"), external_id=external_id)
    erp.fulfil(order, f"DCL-{external_id}", left((sku, 3), number=f"1Z-{external_id}"))
    return order


def test_what_left_is_invoiced_once(books: Books, erp: NetSuite) -> None:
    order = shipped(books, erp)
    assert [one.source_id for one in erp.sales_orders(status="F")] == [order]
    made = erp.bill(order, f"INV-{order}", "invoice")
    again = books.open().bill(order, f"INV-{order}", "invoice")

    assert made == again
    assert (made.kind, made.total, made.remaining, made.currency, made.order_id) == (
        "invoice",
        6795,
        6795,
        "USD",
        order,
    )
    assert len(books.kind("invoice")) == 1
    assert (
        erp.invoice(id=made.source_id) == erp.invoice(external_id=f"INV-{order}") == erp.invoice(order_id=order) == made
    )
    assert [(one.source_id, one.remaining) for one in erp.open_invoices()] == [(made.source_id, 6795)]
    assert erp.sales_order(id=order).status == "G"


def test_a_cash_sale_is_paid(books: Books, erp: NetSuite) -> None:
    order = shipped(books, erp)
    made = erp.bill(order, f"CS-{order}", "cash_sale")

    assert (made.kind, made.total, made.remaining) == ("cash_sale", 6795, 0)
    assert erp.invoice(order_id=order) == made
    assert (list(erp.open_invoices()), books.kind("invoice")) == ([], [])
    assert erp.invoice(order_id="1") is None


def test_payments_bring_an_invoice_to_nothing_each_once(books: Books, erp: NetSuite) -> None:
    order = shipped(books, erp)
    bill = erp.bill(order, "INV-1", "invoice")

    assert erp.pay(bill.source_id, "PAY-1", 2000, account="100", at="2026-11-26") == 4795
    assert erp.pay(bill.source_id, "PAY-1", 2000, account="100", at="2026-11-26") == 4795
    books.put("timeout_after_commit", match={"operation": "invoice!customerPayment"})
    with pytest.raises(UnknownOutcome):
        erp.pay(bill.source_id, "PAY-2", 4795)
    assert erp.pay(bill.source_id, "PAY-2", 4795) == 0
    assert [(one.external_id, str(one.fields["payment"])) for one in books.kind("customerPayment")] == [
        ("PAY-1", "20"),
        ("PAY-2", "47.95"),
    ]
    assert books.kind("customerPayment")[0].fields["account"]["id"] == "100"
    assert list(erp.open_invoices()) == []


def test_what_is_above_the_invoice_stays_unapplied(books: Books, erp: NetSuite) -> None:
    bill = erp.bill(shipped(books, erp), "INV-1", "invoice")

    assert erp.pay(bill.source_id, "PAY-1", 7000) == 0
    found = erp.payment("PAY-1")
    assert (found.amount, found.applied, found.unapplied) == (7000, 6795, 205)
    assert erp.pay(bill.source_id, "PAY-2", 100) == 0
    assert (erp.payment("PAY-2").applied, erp.payment("PAY-2").unapplied) == (0, 100)
    assert erp.payment("PAY-3") is None


def test_a_refund_is_a_credit_of_its_own_once(books: Books, erp: NetSuite) -> None:
    bill = erp.bill(shipped(books, erp), "INV-1", "invoice")
    erp.pay(bill.source_id, "PAY-1", 6795)
    made = erp.credit(bill.source_id, "REF-1", 1234, at="2026-11-27")

    assert erp.credit(bill.source_id, "REF-1", 1234, at="2026-11-27") == made
    assert [(one.external_id, [str(line.amount) for line in one.lines]) for one in books.kind("creditMemo")] == [
        ("REF-1", ["12.34"])
    ]


def test_a_record_in_no_known_currency_is_not_guessed_at(opened, world) -> None:
    books = opened(currency="", currencies={})
    erp = books.open()
    order = shipped(books, erp)
    books.kind("salesOrder")[0].fields["currency"] = {"id": "7", "refName": "Pound of flesh"}

    assert (erp.sales_order(id=order).currency, erp.sales_order(id=order).total) == ("", None)
    with pytest.raises(Rejected) as error:
        erp.bill(order, "INV-1", "invoice")
    assert error.value.fields[0].path == "currency"


def buys(books: Books, *lines: tuple[str, int]) -> str:
    return str(emitting.purchase(books.world, books.merchant, lines=lines, location="RNO").id)


def test_what_is_to_come_is_listed_by_two_queries(books: Books, erp: NetSuite) -> None:
    sku, other, third = books.skus(3)
    bought = [buys(books, (sku, 40), (other, 25)), buys(books, (sku, 12))]
    moved = emitting.transfer(books.world, books.merchant, lines=[(third, 1)], source="RNO", target="CMH")
    erp.flag("purchaseOrder", bought[1], {"custbody_asn_sent": True})
    before = len(books.asked())
    found = list(erp.expected(["purchase", "transfer"]))

    assert [(one.kind, one.source_id, one.announced) for one in found] == [
        ("purchase", bought[0], False),
        ("purchase", bought[1], True),
        ("transfer", str(moved.id), False),
    ]
    assert [(one.line, one.sku, one.quantity, one.received) for one in found[0].lines] == [
        (1, sku, 40, 0),
        (2, other, 25, 0),
    ]
    assert len(books.asked()) == before + 6  # heads and lines of each kind, and the items of each
    one = erp.expected_one("purchase", bought[0])
    costs = [int(line.fields["rate"] * 100) for line in books.kind("purchaseOrder")[0].lines]
    priced = tuple(
        line.model_copy(update={"unit_cost": cost}) for line, cost in zip(found[0].lines, costs, strict=True)
    )
    assert (one.number, one.vendor, one.lines, one.changed_at) == (  # what a unit costs its record alone says
        found[0].number,
        "Ridgeline Supply",
        priced,
        found[0].changed_at,
    )
    assert erp.find_expected(found[2].number) == ("transfer", str(moved.id))
    assert erp.find_expected("PO-none") is None
    assert erp.expected_one("purchase", "999") is None


def test_goods_are_received_once_as_counted(books: Books, erp: NetSuite) -> None:
    sku, other = books.skus(2)
    order = buys(books, (sku, 40), (other, 25))
    there = books.on_hand(sku), books.on_hand(other)
    made = erp.receive("purchase", order, "RCPT-1", {1: 30}, at="2026-11-26")
    again = books.open().receive("purchase", order, "RCPT-1", {1: 30}, at="2026-11-26")

    assert made == again
    assert (books.on_hand(sku), books.on_hand(other)) == (there[0] + 30, there[1])
    assert [one.received for one in erp.expected_one("purchase", order).lines] == [30, 0]
    erp.close_lines("purchase", order, [1])
    assert [one.closed for one in erp.expected_one("purchase", order).lines] == [True, False]
    assert erp.unreceive("RCPT-1")
    assert not erp.unreceive("RCPT-1")
    assert books.on_hand(sku) == there[0]


def test_more_than_was_ordered_comes_only_where_the_account_allows_it(books: Books, erp: NetSuite) -> None:
    sku = books.skus()[0]
    order = buys(books, (sku, 10))
    with pytest.raises(Rejected):
        erp.receive("purchase", order, "RCPT-1", {1: 11})
    with pytest.raises(Rejected) as error:
        erp.receive("purchase", order, "RCPT-1", {7: 1})
    assert [one.path for one in error.value.fields] == ["lines.7"]
    books.merchant.account.allow_overage = True
    erp.receive("purchase", order, "RCPT-1", {1: 11})
    assert erp.expected_one("purchase", order).lines[0].received == 11


def test_a_transfer_arrives_at_the_other_place(books: Books, erp: NetSuite) -> None:
    sku = books.skus()[0]
    order = str(emitting.transfer(books.world, books.merchant, lines=[(sku, 5)], source="RNO", target="CMH").id)
    there = books.on_hand(sku, "CMH")
    erp.receive("transfer", order, "RCPT-1", {1: 5})

    assert books.on_hand(sku, "CMH") == there + 5
    assert erp.expected_one("transfer", order).lines[0].received == 5
    assert list(erp.expected(["transfer"])) == []


def test_stock_is_every_item_at_every_place(books: Books, erp: NetSuite) -> None:
    sku = books.skus()[0]
    books.order(erp, (sku, 3, "20"))
    found = {(one.sku, erp.places()[one.location]): (one.available, one.on_hand) for one in erp.stock()}

    on_hand = books.on_hand(sku)
    assert found[sku, "RNO"] == (on_hand - 3, on_hand)
    assert len(found) == len(books.merchant.account.balances)


def test_pages_that_are_shorter_than_asked_for_lose_nothing(books: Books, erp: NetSuite) -> None:
    whole = list(erp.stock())
    books.put("partial_page", match={"operation": "suiteql"}, times=3)
    erp._account.queries = type(erp._account.queries)(erp._account.client, page=40)

    assert list(erp.stock()) == whole
    assert len(books.asked("suiteql")) > 3


def test_stock_that_changes_while_it_is_read_is_read_again(books: Books, erp: NetSuite) -> None:
    erp._account.queries = type(erp._account.queries)(erp._account.client, page=50)
    pages = erp._account.queries.rows("SELECT item, location FROM inventorybalance ORDER BY item, location", whole=True)
    for _ in range(50):
        next(pages)
    books.merchant.account.balances.pop(next(iter(books.merchant.account.balances)))

    with pytest.raises(Conflict):
        list(pages)


def test_items_are_asked_for_once_in_a_run(books: Books, erp: NetSuite) -> None:
    skus = books.skus(3)
    first = erp.items([*skus, "none"])
    before = len(books.asked("suiteql"))

    assert (erp.items([*skus, "none"]), set(first)) == (first, set(skus))
    assert len(books.asked("suiteql")) == before
    item = next(one for one in books.kind("inventoryItem") if one.fields["itemId"] == skus[0])
    item.fields["isInactive"] = True
    assert skus[0] not in books.open().items(skus)


def test_what_nobody_answered_is_not_remembered_as_missing(books: Books, erp: NetSuite) -> None:
    sku = books.skus()[0]
    number = books.order(books.open(), (sku, 3, "20.00"))
    for ask in (lambda: erp.items([sku]), lambda: erp.sales_order(id=number)):
        books.put("http_503", match={"operation": "suiteql"})
        with pytest.raises(Transient):
            ask()

    order = erp.sales_order(id=number)

    assert order is not None
    assert [(line.sku, line.quantity) for line in order.lines] == [(sku, 3)]
    assert list(erp.items([sku])) == [sku]


def test_a_text_in_a_query_stays_a_text(books: Books, erp: NetSuite) -> None:
    assert erp.items(["O'Neill' OR 'a' = 'a", "x"]) == {}
    assert erp.find_expected("PO' OR tranid = 'x") is None


def test_in_the_shadow_nothing_is_made_and_the_run_goes_on(books: Books, erp: NetSuite) -> None:
    order = shipped(books, erp)
    recording = Recording()
    shadow = books.open(shadow=recording)
    bill = shadow.bill(order, "INV-1", "invoice")

    assert (bill.source_id, bill.total, bill.remaining) == ("shadow:INV-1", 6795, 6795)
    assert shadow.put_customer("SHOP-new", CustomerBody.model_validate(MAYA)) == "shadow:SHOP-new"
    assert books.kind("invoice") == []
    writes = [one.path for one in recording.requests if not one.reads]
    assert writes == [f"/record/v1/salesOrder/{order}/!transform/invoice", "/record/v1/customer/eid:SHOP-new"]


def test_cartons_of_one_shipment_are_one_booking(books: Books, erp: NetSuite) -> None:
    sku, other = books.skus(2)
    order = books.order(erp, (sku, 2, "20"), (other, 1, "5"))
    cartons = tuple(
        Parcel(ref=f"C{number}", tracking_number=f"1Z{number}", items=(ParcelItem(sku=item, quantity=count),))
        for number, (item, count) in enumerate([(sku, 1), (sku, 1), (other, 1)])
    )
    whole = Parcels(source="dcl", account="1", source_id="S", order_ref="x", parcels=cartons, shipped_at=START)
    erp.fulfil(order, "DCL-1", whole, location="RNO")

    booked = books.kind("itemFulfillment")
    assert [one["packageTrackingNumber"] for one in booked[0].sublists["package"]] == ["1Z0", "1Z1", "1Z2"]
    assert (len(booked), erp.sales_order(id=order).status) == (1, "F")

"""What an ERP at NetSuite is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.sync.canonical import Parcel, ParcelItem, Parcels
from engine.sync.connectors.netsuite.wire import CustomerBody, SalesOrderBody
from engine.sync.port import Capability
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite import transforms
from engine.sync.sandbox.netsuite.ledger import Book
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.wire import Call as Request
from tests.contracts.connectors.bench import START
from tests.contracts.connectors.scenes import Call

ITEM: Final = "TH-FELL1-ORG"
EMPTY: Final = Request("POST", "", {}, {}, b"", "")
MAYA: Final = CustomerBody.model_validate(
    {"subsidiary": {"id": "1"}, "firstName": "Maya", "lastName": "Lindqvist", "email": "maya@example.com"}
)


def book(world: World, merchant: Merchant) -> Book:
    return Book(merchant.account, EMPTY, world.now())


def _item(merchant: Merchant, sku: str = ITEM) -> str:
    return str(next(one.id for one in merchant.account.kind("inventoryItem").values() if one.fields["itemId"] == sku))


def _customer(world: World, merchant: Merchant) -> str:
    given = {"subsidiary": {"id": "1"}, "firstName": "Maya", "lastName": "Lindqvist"}
    return str(book(world, merchant).create("customer", given).id)


def _buyer(world: World, merchant: Merchant) -> dict[str, str]:
    return {"customer": _customer(world, merchant), "item": _item(merchant)}


def _body(told: dict[str, str], quantity: int = 2, lines: int = 1) -> SalesOrderBody:
    line = {"item": {"id": told["item"]}, "quantity": quantity, "rate": "19.99", "custcol_shopify_line_id": "11"}
    return SalesOrderBody.model_validate(
        {
            "entity": {"id": told["customer"]},
            "location": {"externalId": "RNO"},
            "currency": {"id": "1"},
            "otherRefNum": "#1071",
            "tranDate": "2026-11-26",
            "custbody_shopify_order_id": "5001",
            "shippingAddress": {"addressee": "Maya Lindqvist", "addr1": "12 Pine St", "city": "Reno", "country": "US"},
            "item": {"items": [line] * lines},
        }
    )


def fresh(merchant: Merchant, kind: str, prefix: str) -> str:
    """An external id that nobody has: the first of a new world is 1."""
    return f"{prefix}-{len(merchant.account.kind(kind)) + 1}"


def order(world: World, merchant: Merchant) -> Record:
    lines = [
        {"item": {"id": _item(merchant)}, "quantity": 2, "rate": "19.99", "location": {"externalId": "RNO"}},
        {"item": {"id": _item(merchant)}, "quantity": 1, "rate": "5", "location": {"externalId": "RNO"}},
    ]
    head = {"entity": {"id": _customer(world, merchant)}, "currency": {"id": "1"}, "item": {"items": lines}}
    name = fresh(merchant, "salesOrder", "SHOP")
    return book(world, merchant).create("salesOrder", head, external_id=name)


def _order(world: World, merchant: Merchant) -> str:
    return str(order(world, merchant).id)


def _named(world: World, merchant: Merchant) -> str:
    return str(order(world, merchant).external_id)


def _orders(world: World, merchant: Merchant) -> None:
    for number in range(3):
        made = order(world, merchant)
        made.fields["custbody_sent_to_3pl"] = number == 1


def _left(world: World, merchant: Merchant) -> str:
    made = order(world, merchant)
    transforms.transform(book(world, merchant), made, "itemFulfillment", {"shipStatus": {"id": "C"}})
    return str(made.id)


def _billed(kind: str) -> Callable[[World, Merchant], dict[str, str]]:
    def bill(world: World, merchant: Merchant) -> dict[str, str]:
        number = _left(world, merchant)
        source = merchant.account.kind("salesOrder")[int(number)]
        name = fresh(merchant, kind, "BILL")
        made = transforms.transform(book(world, merchant), source, kind, {"externalId": name})
        return {"order": number, "bill": str(made.id), "name": name}

    return bill


_invoiced = _billed("invoice")


def _paid(world: World, merchant: Merchant) -> dict[str, str]:
    told = _invoiced(world, merchant)
    invoice = merchant.account.kind("invoice")[int(told["bill"])]
    name = fresh(merchant, "customerPayment", "PAY")
    transforms.transform(book(world, merchant), invoice, "customerPayment", {"externalId": name, "payment": 50})
    return told | {"payment": name}


def shipment(quantity: int = 2) -> Parcels:
    parcel = Parcel(ref="C-1", tracking_number="1Z1", items=(ParcelItem(sku=ITEM, quantity=quantity),))
    return Parcels(source="dcl", account="20001", source_id="1", order_ref="x", parcels=(parcel,), shipped_at=START)


def _bought(world: World, merchant: Merchant) -> str:
    return str(emitting.purchase(world, merchant, lines=[(ITEM, 40)], location="RNO").id)


def _to_come(world: World, merchant: Merchant) -> dict[str, str]:
    bought = merchant.account.kind("purchaseOrder")[int(_bought(world, merchant))]
    moved = emitting.transfer(world, merchant, lines=[(ITEM, 1)], source="CMH", target="RNO")
    return {"purchase": str(bought.id), "transfer": str(moved.id), "number": moved.fields["tranId"]}


def _came(world: World, merchant: Merchant) -> str:
    bought = merchant.account.kind("purchaseOrder")[int(_bought(world, merchant))]
    name = fresh(merchant, "itemReceipt", "RCPT")
    transforms.transform(book(world, merchant), bought, "itemReceipt", {"externalId": name})
    return name


def _there(kind: str, name: str) -> Callable[[World, Merchant], int]:
    """How many records have this external id: one is all that there can be, so all of the kind are counted."""

    def count(_world: World, merchant: Merchant) -> int:
        every = merchant.account.kind(kind).values()
        return len(every) if any(one.external_id == name for one in every) else 0

    return count


def _closed(kind: str) -> Callable[[World, Merchant], int]:
    def count(_world: World, merchant: Merchant) -> int:
        every = merchant.account.kind(kind).values()
        return sum(all(line.closed for line in one.lines) for one in every)

    return count


def _quietly(found: object) -> None:
    """Whether there was one to take back differs from time to time."""
    del found


CALLS: Final = {
    "found": Call(
        Capability.SALES_ORDERS,
        lambda erp, told: [erp.found("salesOrder", told) is not None, erp.found("salesOrder", "SHOP-0")],
        prepare=_named,
    ),
    "items": Call(
        Capability.SALES_ORDERS,
        lambda erp, _: erp.items([ITEM, "SHIPPING", "O'NEILL-1"]),
        prepare=_order,
        lists="items",
    ),
    "put_customer": Call(
        Capability.SALES_ORDERS,
        lambda erp, _: erp.put_customer("SHOP-maya", MAYA),
        done=_there("customer", "SHOP-maya"),
        match={"operation": "customer"},
    ),
    "put_sales_order": Call(
        Capability.SALES_ORDERS,
        lambda erp, told: erp.put_sales_order("SHOP-99", _body(told)),
        prepare=_buyer,
        done=_there("salesOrder", "SHOP-99"),
        match={"operation": "salesOrder", "method": "PUT"},
    ),
    "sales_order": Call(Capability.SALES_ORDERS, lambda erp, told: erp.sales_order(id=told), prepare=_order),
    "sales_order_by_external_id": Call(
        Capability.SALES_ORDERS,
        lambda erp, told: [erp.sales_order(external_id=told), erp.sales_order(external_id="SHOP-0")],
        prepare=_named,
    ),
    "sales_orders": Call(
        Capability.SALES_ORDERS,
        lambda erp, _: erp.sales_orders(status="B", flag=("custbody_sent_to_3pl", False)),
        prepare=_orders,
        lists="items",
    ),
    "flag": Call(
        Capability.SALES_ORDERS,
        lambda erp, told: erp.flag("salesOrder", told, {"custbody_sent_to_3pl": True}),
        prepare=_order,
        done=lambda _, merchant: sum(
            one.fields.get("custbody_sent_to_3pl") is True for one in merchant.account.kind("salesOrder").values()
        ),
        match={"method": "PATCH"},
    ),
    "close_order": Call(
        Capability.SALES_ORDERS,
        lambda erp, told: erp.close_order(told),
        prepare=_order,
        done=_closed("salesOrder"),
        match={"method": "PATCH"},
    ),
    "fulfil": Call(
        Capability.FULFILMENTS,
        lambda erp, told: erp.fulfil(told, "DCL-1", shipment(), location="RNO"),
        prepare=_order,
        done=_there("itemFulfillment", "DCL-1"),
        match={"operation": "salesOrder!itemFulfillment"},
    ),
    "bill": Call(
        Capability.BILLING,
        lambda erp, told: erp.bill(told, "INV-99", "invoice"),
        prepare=_left,
        done=_there("invoice", "INV-99"),
        match={"operation": "salesOrder!invoice"},
    ),
    "sell_for_cash": Call(
        Capability.BILLING,
        lambda erp, told: erp.bill(told, "CS-1", "cash_sale"),
        prepare=_left,
        done=_there("cashSale", "CS-1"),
        match={"operation": "salesOrder!cashSale"},
    ),
    "invoice": Call(
        Capability.BILLING,
        lambda erp, told: [erp.invoice(id=told["bill"]), erp.invoice(order_id=told["order"])],
        prepare=_invoiced,
    ),
    "invoice_by_external_id": Call(
        Capability.BILLING, lambda erp, told: erp.invoice(external_id=told["name"]), prepare=_billed("cashSale")
    ),
    "open_invoices": Call(Capability.BILLING, lambda erp, _: erp.open_invoices(), prepare=_invoiced, lists="items"),
    "pay": Call(
        Capability.PAYMENTS,
        lambda erp, told: erp.pay(told["bill"], "PAY-99", 4000, account="100", at="2026-11-26"),
        prepare=_invoiced,
        done=_there("customerPayment", "PAY-99"),
        match={"operation": "invoice!customerPayment"},
    ),
    "pay_what_is_paid": Call(
        Capability.PAYMENTS,
        lambda erp, told: erp.pay(told["bill"], "PAY-99", 9900),
        prepare=_invoiced,
        done=_there("customerPayment", "PAY-99"),
        match={"operation": "invoice!customerPayment"},
    ),
    "payment": Call(
        Capability.PAYMENTS, lambda erp, told: [erp.payment(told["payment"]), erp.payment("PAY-0")], prepare=_paid
    ),
    "credit": Call(
        Capability.PAYMENTS,
        lambda erp, told: erp.credit(told["bill"], "REF-1", 1234, at="2026-11-27"),
        prepare=_invoiced,
        done=_there("creditMemo", "REF-1"),
        match={"operation": "creditMemo"},
    ),
    "expected": Call(
        Capability.PURCHASING,
        lambda erp, _: erp.expected(["purchase", "transfer"]),
        prepare=_to_come,
        lists="items",
    ),
    "expected_one": Call(
        Capability.PURCHASING,
        lambda erp, told: [
            erp.expected_one("purchase", told["purchase"]),
            erp.expected_one("transfer", told["transfer"]),
        ],
        prepare=_to_come,
    ),
    "find_expected": Call(
        Capability.PURCHASING,
        lambda erp, told: [erp.find_expected(told["number"]), erp.find_expected("PO-none")],
        prepare=_to_come,
        lists="items",
    ),
    "receive": Call(
        Capability.PURCHASING,
        lambda erp, told: erp.receive("purchase", told, "RCPT-99", {1: 30}, at="2026-11-26"),
        prepare=_bought,
        done=_there("itemReceipt", "RCPT-99"),
        match={"operation": "purchaseOrder!itemReceipt"},
    ),
    "unreceive": Call(
        Capability.PURCHASING,
        lambda erp, told: _quietly(erp.unreceive(told)),
        prepare=_came,
        done=lambda _, merchant: int(not merchant.account.kind("itemReceipt")),
        match={"method": "DELETE"},
    ),
    "close_lines": Call(
        Capability.PURCHASING,
        lambda erp, told: erp.close_lines("purchase", told, [1]),
        prepare=_bought,
        done=_closed("purchaseOrder"),
        match={"method": "PATCH"},
    ),
    "stock": Call(
        Capability.STOCK,
        lambda erp, _: [one for one in erp.stock() if one.sku.startswith("TH-FELL")],
        prepare=_order,
        lists="items",
    ),
    "kits": Call(Capability.STOCK, lambda erp, _: erp.kits(), lists="items"),
    "places": Call(Capability.STOCK, lambda erp, _: erp.places(), lists="items"),
}

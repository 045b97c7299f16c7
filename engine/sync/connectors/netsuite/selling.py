"""Sales orders: made, found, sent, billed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import BaseModel

from engine.sync.canonical import Invoice, Parcels, SalesOrder
from engine.sync.connectors.netsuite import reading, suiteql, wire
from engine.sync.connectors.netsuite.account import Account, open_units
from engine.sync.connectors.netsuite.allocating import OpenLine, allocate
from engine.sync.connectors.netsuite.amounts import minor
from engine.sync.connectors.netsuite.records import SHADOW, eid
from engine.sync.connectors.netsuite.suiteql import Row, quoted, status_is
from engine.sync.connectors.netsuite.wire import Named, Ref
from engine.sync.models import System

Kind = Literal["invoice", "cash_sale"]
RECORDS: Final[dict[Kind, str]] = {"invoice": "invoice", "cash_sale": "cashSale"}
_TYPES: Final[dict[str, Kind]] = {"CustInvc": "invoice", "CashSale": "cash_sale"}
_ORDERS: Final = (
    "SELECT id, tranid, externalid, status, otherrefnum, trandate{column} FROM transaction "
    "WHERE type = 'SalesOrd' AND {status}{flagged} ORDER BY id"
)
_BILLS: Final = (
    "SELECT id, type, foreignamountunpaid FROM transaction "
    "WHERE createdfrom = {order} AND type IN ('CustInvc', 'CashSale') ORDER BY id"
)
_OPEN: Final = (
    "SELECT id, tranid, externalid, createdfrom, currency, foreigntotal, foreignamountunpaid FROM transaction "
    "WHERE type = 'CustInvc' AND {status} ORDER BY id"
)
_LONG: Final = 200
"""Lines from which an order is made in the background: a request has half a minute."""


def put_order(account: Account, external_id: str, body: BaseModel) -> str:
    """Make or change a sales order, its lines anew; its id."""
    if isinstance(body, wire.SalesOrderBody) and len(body.item.items) > _LONG:
        return account.records.upsert_later("salesOrder", external_id, body, replace="item")
    return account.records.upsert("salesOrder", external_id, body, replace="item")


def order(account: Account, key: str) -> SalesOrder | None:
    """By id, or ``eid:…``."""
    raw = account.records.read("salesOrder", key)
    if raw is None:
        return None
    items = account.catalogue.by_ids(one.item.id for one in reading.transaction(raw).item.items)
    return reading.sales_order(raw, account=account.number, items=items, currencies=account.currencies)


def orders(account: Account, status: str, flag: tuple[str, bool] | None) -> Iterator[SalesOrder]:
    """Orders of these letters, without their lines: a request for a thousand of them."""
    name, wanted = flag or ("", False)
    text = _ORDERS.format(
        column=f", {name}" if name else "",
        status=status_is("status", "SalesOrd", status),
        flagged=f" AND {name} = {quoted('T' if wanted else 'F')}" if name else "",
    )
    for row in account.queries.rows(text):
        yield SalesOrder(
            source=System.NETSUITE,
            account=account.number,
            source_id=row["id"],
            raw=dict(row),
            external_id=row.get("externalid", ""),
            number=row.get("tranid", ""),
            other_ref=row.get("otherrefnum", ""),
            status=suiteql.letter(row["status"]),
            placed_on=row.get("trandate", ""),
            flags={name: suiteql.truth(row.get(name.lower()))} if name else {},
        )


def close(account: Account, kind: str, id: str, lines: set[int] | None = None) -> None:  # noqa: A002 (what it is)
    """Close lines that are open, of all of them or of ``lines``."""
    read = reading.transaction(account.must_read(kind, id))
    wanted = [one.line for one in read.item.items if not one.is_closed and (lines is None or one.line in lines)]
    if wanted:
        closed = wire.LinesClosed(item=wire.ClosedLines(items=[wire.ClosedLine(line=line) for line in wanted]))
        account.records.change(kind, id, wire.body(closed))


def fulfil(account: Account, order_id: str, external_id: str, shipment: Parcels, location: str) -> str:
    """Book what left; the lines of which nothing left stay open."""
    return account.once(
        "itemFulfillment", external_id, lambda: _fulfil(account, order_id, external_id, shipment, location)
    )


def _fulfil(account: Account, order_id: str, external_id: str, shipment: Parcels, location: str) -> str:
    read = reading.transaction(account.must_read("salesOrder", order_id))
    items = account.catalogue.by_ids(one.item.id for one in read.item.items)
    goods = [one for one in read.item.items if one.item.id in items and items[one.item.id].goods]
    lines = [OpenLine(one.line, items[one.item.id].sku, open_units(read, one.line)) for one in goods]
    counts = Counter[str]()
    for parcel in shipment.parcels:
        counts.update({item.sku: 0 for item in parcel.items})
        for item in parcel.items:
            counts[item.sku] += item.quantity
    kits = {} if counts.keys() <= {line.sku for line in lines} else account.catalogue.kits()
    taken = allocate(lines, counts, kits)
    place = Ref(id=account.catalogue.place(location)) if location else None
    body = wire.FulfilmentBody(
        external_id=external_id,
        ship_status=Ref(id="C"),
        tran_date=shipment.shipped_at.date(),
        item=chosen({line.line: taken.get(line.line, 0) for line in lines if line.left}, place),
        package=wire.Packages(items=[_package(one.tracking_number, one.ref) for one in shipment.parcels]),
    )
    return account.records.transform("salesOrder", order_id, "itemFulfillment", external_id, body)


def chosen(quantities: dict[int, int], place: Ref | None) -> wire.TransformLines:
    """A transform takes every line that it is not told to leave: each is named."""
    rows = []
    for line, quantity in sorted(quantities.items()):
        if quantity:
            rows.append(wire.TransformLine(order_line=line, quantity=Decimal(quantity), location=place))
        else:
            rows.append(wire.TransformLine(order_line=line, item_receive=False))
    return wire.TransformLines(items=rows)


def _package(number: str, ref: str) -> wire.PackageBody:
    return wire.PackageBody(package_tracking_number=number, package_descr=ref[:200] or None)


def bill(account: Account, order_id: str, external_id: str, kind: Kind) -> Invoice:
    """Invoice what left and is not billed, or sell it for cash."""
    body = wire.BillBody(external_id=external_id)
    if kind == "cash_sale":
        deposit = account.setting("deposit_account")
        body = wire.BillBody(
            external_id=external_id,
            account=Ref(id=deposit) if deposit else None,
            undep_funds=None if deposit else True,
        )
    made = account.records.transform("salesOrder", order_id, RECORDS[kind], external_id, body)
    if made.startswith(SHADOW):
        return _would_be(account, order_id, external_id, kind, made)
    return read_bill(account, kind, made)


def _would_be(account: Account, order_id: str, external_id: str, kind: Kind, made: str) -> Invoice:
    """What a shadow would have billed: the order's whole."""
    raw = account.must_read("salesOrder", order_id)
    read = reading.transaction(raw)
    total = read.total or Decimal(0)
    said: dict[str, Any] = {
        "id": made,
        "externalId": external_id,
        "createdFrom": {"id": order_id},
        "amountremaining": str(total),
    }
    said |= {"total": str(total), "currency": read.currency.model_dump(by_alias=True) if read.currency else None}
    return reading.invoice(said, kind=kind, account=account.number, currencies=account.currencies)


def read_bill(account: Account, kind: Kind, key: str) -> Invoice:
    raw = account.must_read(RECORDS[kind], key)
    return reading.invoice(raw, kind=kind, account=account.number, currencies=account.currencies)


def bill_by_id(account: Account, id: str) -> Invoice | None:  # noqa: A002 (what it is)
    """By its id, whichever kind it is."""
    return _either(account, id)


def bill_of(account: Account, external_id: str) -> Invoice | None:
    """By its external id, whichever kind it is."""
    return _either(account, eid(external_id))


def _either(account: Account, key: str) -> Invoice | None:
    for kind, record in RECORDS.items():
        raw = account.records.read(record, key)
        if raw is not None:
            return reading.invoice(raw, kind=kind, account=account.number, currencies=account.currencies)
    return None


def bill_of_order(account: Account, order_id: str) -> Invoice | None:
    """Of several the first that is open, else the last."""
    if not order_id.isdigit():
        return None
    rows = list(account.queries.rows(_BILLS.format(order=order_id)))
    if not rows:
        return None
    wanted = next((row for row in rows if suiteql.units(row.get("foreignamountunpaid")) > 0), rows[-1])
    return read_bill(account, _TYPES[wanted["type"]], wanted["id"])


def open_invoices(account: Account) -> Iterator[Invoice]:
    """A request for a thousand of them."""
    for row in account.queries.rows(_OPEN.format(status=status_is("status", "CustInvc", "A"))):
        currency = account.currencies.needed(Named(id=row["currency"]) if "currency" in row else None)
        yield Invoice(
            source=System.NETSUITE,
            account=account.number,
            source_id=row["id"],
            raw=dict(row),
            external_id=row.get("externalid", ""),
            number=row.get("tranid", ""),
            order_id=row.get("createdfrom", ""),
            currency=currency,
            total=_amount(row, "foreigntotal", currency),
            remaining=_amount(row, "foreignamountunpaid", currency),
        )


def _amount(row: Row, name: str, currency: str) -> int:
    return minor(suiteql.units(row.get(name)), currency)

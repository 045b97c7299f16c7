"""The tables that SuiteQL reads, made of an account's records each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from engine.sync.sandbox.netsuite import sales, statuses
from engine.sync.sandbox.netsuite.fields import KINDS
from engine.sync.sandbox.netsuite.state import AccountState, Line, Record
from engine.sync.sandbox.wire import Json

Row = dict[str, Any]
Fixed = Mapping[str, frozenset[str]]
"""Columns that a query holds to some values: what has others need not be read."""
Table = Callable[[AccountState, Fixed], Iterator[Row]]


def _records(state: AccountState, types: frozenset[str] | None, ids: frozenset[str] | None) -> Iterator[Record]:
    """Transactions, of these short types and ids alone where some are named."""
    for kind, spec in KINDS.items():
        if not spec.short or (types is not None and spec.short not in types):
            continue
        found = state.kind(kind)
        if ids is None:
            yield from found.values()
        else:
            yield from (found[int(one)] for one in sorted(ids) if one.isdigit() and int(one) in found)


def _moment(record: Record, name: str) -> str:
    return str(getattr(record, name).strftime("%Y-%m-%d %H:%M:%S"))


def _custom(record: Record) -> Row:
    return {name: _flag(value) for name, value in record.fields.items() if name.startswith("cust")}


def _flag(value: Any) -> Any:
    if isinstance(value, bool):
        return "T" if value else "F"
    return value["id"] if isinstance(value, dict) else value


def _transactions(state: AccountState, fixed: Fixed) -> Iterator[Row]:
    for record in _records(state, fixed.get("type"), fixed.get("id")):
        yield _transaction(state, record, KINDS[record.kind].short)


def _transaction(state: AccountState, record: Record, short: str) -> Row:
    status = f"{short}:{record.status}" if state.prefixed_status else record.status
    row: Row = {name: "F" for name in state.custom_fields if name.startswith("custbody") and name.endswith(FLAGGED)}
    return (
        row
        | _custom(record)
        | {
            "id": record.id,
            "type": short,
            "recordtype": record.kind.lower(),
            "tranid": record.fields.get("tranId"),
            "externalid": record.external_id,
            "entity": _id(record.fields.get("entity") or record.fields.get("customer")),
            "status": status,
            "df:status": statuses.shown(record)["refName"],
            "trandate": record.fields.get("tranDate"),
            "location": _id(record.fields.get("location")),
            "transferlocation": _id(record.fields.get("transferlocation")),
            "currency": _id(record.fields.get("currency")),
            "otherrefnum": record.fields.get("otherRefNum"),
            "createddate": _moment(record, "created_at"),
            "lastmodifieddate": _moment(record, "modified_at"),
            "foreigntotal": sales.total(record) if record.lines else None,
            "foreignamountunpaid": sales.remaining(record) if record.kind == "invoice" else None,
            "createdfrom": record.parent.id if record.parent else None,
            "voided": "F",
        }
    )


FLAGGED: Final = ("_sent_to_3pl", "_asn_sent", "_synced")
"""Custom check boxes: not ticked is ``F``, not null."""


def _id(ref: Json | None) -> int | None:
    return int(ref["id"]) if ref else None


def _lines(state: AccountState, fixed: Fixed) -> Iterator[Row]:
    """Lines of transactions, the main line and no tax lines among them. Sold quantities are negative."""
    ids = fixed.get("transaction", fixed.get("transaction.id"))
    for record in _records(state, fixed.get("transaction.type"), ids):
        yield {"transaction": record.id, "id": 0, "linesequencenumber": 0, "mainline": "T", "taxline": "F"}
        for line in record.lines:
            yield _line(record, line)


def _line(record: Record, line: Line) -> Row:
    sign = -1 if record.kind in _SOLD else 1
    return _custom_line(line.fields) | {
        "transaction": record.id,
        "id": line.number,
        "linesequencenumber": line.number,
        "mainline": "F",
        "taxline": "F",
        "item": line.item,
        "quantity": line.quantity * sign,
        "quantityshiprecv": line.done,
        "quantitybilled": line.billed,
        "rate": line.fields.get("rate"),
        "foreignamount": line.amount * sign,
        "location": line.location,
        "isclosed": "T" if line.closed else "F",
    }


_SOLD: Final = frozenset({"salesOrder", "invoice", "cashSale", "itemFulfillment"})


def _custom_line(fields: Json) -> Row:
    return {name: _flag(value) for name, value in fields.items() if name.startswith("custcol")}


def _items(state: AccountState, _: Fixed) -> Iterator[Row]:
    for kind, name in (("inventoryItem", "InvtPart"), ("kitItem", "Kit"), ("otherChargeSaleItem", "OthCharge")):
        for record in state.kind(kind).values():
            yield {
                "id": record.id,
                "itemid": record.fields.get("itemId"),
                "displayname": record.fields.get("displayName"),
                "itemtype": name,
                "externalid": record.external_id,
                "isinactive": "T" if record.fields.get("isInactive") else "F",
                "lastmodifieddate": _moment(record, "modified_at"),
            }


def _members(state: AccountState, _: Fixed) -> Iterator[Row]:
    for kit in state.kind("kitItem").values():
        for member in kit.sublists.get("member", []):
            yield {"parentitem": kit.id, "item": int(member["item"]["id"]), "quantity": member["quantity"]}


def _balances(state: AccountState, _: Fixed) -> Iterator[Row]:
    for (item, location), one in sorted(state.balances.items()):
        yield {"item": item, "location": location, "quantityonhand": one.on_hand, "quantityavailable": one.available}


def _locations(state: AccountState, _: Fixed) -> Iterator[Row]:
    for record in state.kind("location").values():
        yield {
            "id": record.id,
            "name": record.fields.get("name"),
            "isinactive": "T" if record.fields.get("isInactive") else "F",
        }


def _with_item(rows: Table, key: str) -> Table:
    def joined(state: AccountState, fixed: Fixed) -> Iterator[Row]:
        items = {row["id"]: {f"item.{name}": value for name, value in row.items()} for row in _items(state, {})}
        for row in rows(state, fixed):
            if row.get(key) in items:
                yield row | items[row[key]]

    return joined


def _with_transaction(state: AccountState, fixed: Fixed) -> Iterator[Row]:
    ids = fixed.get("transaction", fixed.get("transaction.id"))
    named = {"id": ids, "type": fixed.get("transaction.type")}
    whole = {
        row["id"]: row for row in _transactions(state, {key: kept for key, kept in named.items() if kept is not None})
    }
    for row in _lines(state, fixed):
        yield row | {f"transaction.{name}": value for name, value in whole[row["transaction"]].items()}


CATALOGUE: Final[dict[str, Table]] = {
    "transaction": _transactions,
    "transactionline": _lines,
    "transactionline join transaction": _with_transaction,
    "transactionline join item": _with_item(_lines, "item"),
    "item": _items,
    "itemmember": _members,
    "itemmember join item": _with_item(_members, "item"),
    "inventorybalance": _balances,
    "inventorybalance join item": _with_item(_balances, "item"),
    "location": _locations,
}
LINKS: Final = {
    "transactionline join transaction": {"transaction", "transaction.id"},
    "transactionline join item": {"item", "item.id"},
    "itemmember join item": {"item", "item.id"},
    "inventorybalance join item": {"item", "item.id"},
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TRANSACTION: Final = _names(
    "id type recordtype tranid externalid entity status currency location transferlocation trandate "
    "otherrefnum createddate lastmodifieddate foreigntotal foreignamountunpaid createdfrom voided"
)
_LINE: Final = _names(
    "transaction id linesequencenumber mainline taxline item quantity quantityshiprecv quantitybilled rate "
    "foreignamount location isclosed"
)
_ITEM: Final = _names("id itemid displayname itemtype externalid isinactive lastmodifieddate")
_MEMBER: Final = _names("parentitem item quantity")
_BALANCE: Final = _names("item location quantityonhand quantityavailable")
_OF_ITEM: Final = frozenset(f"item.{name}" for name in _ITEM)
COLUMNS: Final[dict[str, frozenset[str]]] = {
    "transaction": _TRANSACTION,
    "transactionline": _LINE,
    "transactionline join transaction": _LINE | {f"transaction.{name}" for name in _TRANSACTION},
    "transactionline join item": _LINE | _OF_ITEM,
    "item": _ITEM,
    "itemmember": _MEMBER,
    "itemmember join item": _MEMBER | _OF_ITEM,
    "inventorybalance": _BALANCE,
    "inventorybalance join item": _BALANCE | _OF_ITEM,
    "location": _names("id name isinactive"),
}

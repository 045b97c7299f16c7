"""The account's book of records: made, changed, found and shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from engine.sync.sandbox.netsuite import sales, statuses, stock
from engine.sync.sandbox.netsuite.errors import missing, refuse
from engine.sync.sandbox.netsuite.fields import KINDS, read_fields, rows_of
from engine.sync.sandbox.netsuite.state import ZERO, AccountState, Line, Record
from engine.sync.sandbox.wire import Call, Json

_OPEN_ORDERS: Final = frozenset({"salesOrder", "purchaseOrder", "transferOrder"})
_DUPLICATE: Final = "DUP_RCRD"
_MOST_LINES: Final = 10_000
_OF_THE_LINE: Final = frozenset({"line", "quantity", "isClosed", "orderLine", "itemReceive", "quantityReceived"})
"""What a line knows of itself beside its fields."""


@dataclass(frozen=True)
class Book:
    """One account, for the length of one request."""

    state: AccountState
    call: Call
    now: datetime

    def find(self, kind: str, key: str) -> Record:
        """By id or ``eid:…``. Raises ``Refused`` (404)."""
        if key.startswith("eid:"):
            number = self.state.external.get((kind, key.removeprefix("eid:")))
        else:
            number = int(key) if key.isdigit() else None
        found = self.state.kind(kind).get(number) if number is not None else None
        if found is None:
            raise missing(kind, key)
        return found

    def create(self, kind: str, given: Any, *, external_id: str | None = None) -> Record:
        """A new record. Raises ``Refused``; then nothing was changed."""
        fields = read_fields(self.state, self.call, kind, given, vendor=kind == "purchaseOrder")
        lines = self.read_lines(kind, fields, given)
        self._require(kind, fields, lines)
        eid = self.external(kind, external_id or given.get("externalId"))
        record = self.record(kind, fields, lines, external_id=eid)
        record.sublists = self._other_sublists(kind, given)
        self.keep(record)
        return record

    def record(self, kind: str, fields: Json, lines: list[Line], *, external_id: str | None) -> Record:
        """A record that is not in the book yet."""
        made = Record(kind, self.state.take_id(), fields, self.now, self.now, lines, external_id=external_id)
        made.status = statuses.FIRST.get(kind, "A")
        if KINDS[kind].short:
            fields.setdefault("tranDate", self.now.date().isoformat())
            fields["tranId"] = fields.get("tranId") or self.state.take_number(KINDS[kind].prefix)
        return made

    def keep(self, record: Record) -> None:
        """Write a record into the book; an order is approved as it says, or as the account has it."""
        if record.kind in _OPEN_ORDERS:
            waits = self.state.approves_orders and record.kind == "salesOrder"
            record.status = self.order_status(record.fields) or ("A" if waits else "B")
        self.state.kind(record.kind)[record.id] = record
        if record.external_id:
            self.state.external[(record.kind, record.external_id)] = record.id
        stock.hold(self.state, record)

    def order_status(self, fields: Json) -> str:
        """The status that a body asks for, taken off its fields: approved or not. Raises ``Refused``."""
        wanted = (fields.pop("orderStatus", None) or {"id": ""})["id"]
        if wanted not in {"", "A", "B"}:
            raise refuse("Invalid Field Value for the following field: orderStatus", path="orderStatus")
        return str(wanted)

    def external(self, kind: str, given: Any) -> str | None:
        """An external id that nobody has. Raises ``Refused``."""
        if given is None:
            return None
        if (kind, str(given)) in self.state.external:
            raise refuse("This record already exists: the external ID is in use.", _DUPLICATE, "externalId")
        return str(given)

    def _require(self, kind: str, fields: Json, lines: list[Line]) -> None:
        for name in KINDS[kind].required:
            if not (lines if name == "item" else fields.get(name)):
                raise refuse(f"Please enter value(s) for: {name}", "USER_ERROR", name)

    def read_lines(self, kind: str, fields: Json, given: Any) -> list[Line]:
        """The lines of an order or a sale, numbered and priced."""
        rows = (rows_of(given, "item") or []) if "item" in KINDS[kind].sublists else []
        return [self.read_line(kind, fields, row, number=place) for place, row in enumerate(rows, start=1)]

    def read_line(self, kind: str, header: Json, row: Any, *, number: int) -> Line:
        kept = read_fields(self.state, self.call, kind, row, sublist="item")
        if not kept.get("item"):
            raise refuse("Please enter value(s) for: Item", "USER_ERROR", "item.item")
        quantity = kept.get("quantity")
        if quantity is None or quantity <= 0:
            raise refuse("Please enter a quantity above zero.", "USER_ERROR", "item.quantity")
        if kept.get("location") is None and header.get("location") is not None:
            kept["location"] = header["location"]
        self._price(kind, kept)
        closed, charge = bool(kept.get("isClosed")), self.state.is_charge(int(kept["item"]["id"]))
        fields = {name: value for name, value in kept.items() if name not in _OF_THE_LINE}
        return Line(number, fields, quantity, closed=closed, charge=charge)

    def _price(self, kind: str, kept: Json) -> None:
        if kept.get("rate") is None and kept.get("amount") is None:
            item = self.state.item(int(kept["item"]["id"]))
            kept["rate"] = (
                item.fields.get("cost" if kind == "purchaseOrder" else "basePrice") if item else None
            ) or ZERO
        if kept.get("amount") is None:
            kept["amount"] = sales.cents(kept["rate"] * kept["quantity"])
        if kept.get("rate") is None:
            kept["rate"] = kept["amount"] / kept["quantity"]

    def _other_sublists(self, kind: str, given: Json) -> dict[str, list[Json]]:
        found = {}
        for name in KINDS[kind].sublists:
            rows = rows_of(given, name) if name != "item" else None
            if rows is not None:
                found[name] = [read_fields(self.state, self.call, kind, row, sublist=name) for row in rows]
        for member in found.get("member", []):
            if not member.get("item") or member.get("quantity", ZERO) <= 0:
                raise refuse("A member is an item and how many of it.", "USER_ERROR", "member")
        return found

    def update(self, record: Record, given: Any, *, replaced: frozenset[str] = frozenset()) -> None:
        """PATCH: what is named is changed; a sublist in ``replaced`` is written anew. Raises ``Refused``."""
        fields = read_fields(self.state, self.call, record.kind, given, vendor=record.kind == "purchaseOrder")
        lines = self._changed_lines(record, rows_of(given, "item"), anew="item" in replaced)
        sublists = self._other_sublists(record.kind, given)
        wanted = self.order_status(fields)
        if given.get("externalId") not in {None, record.external_id}:
            self.state.external[(record.kind, str(self.external(record.kind, given["externalId"])))] = record.id
            record.external_id = str(given["externalId"])
        record.fields |= fields
        record.sublists |= sublists
        self._relay(record, lines, wanted)
        record.modified_at = self.now

    def _relay(self, record: Record, lines: list[Line] | None, wanted: str) -> None:
        if lines is not None:
            for line in record.lines:
                stock.uncommit(self.state, line, line.committed)
            record.lines = lines
        if wanted and record.status in {"A", "B"}:
            record.status = wanted
        statuses.recompute(record)
        stock.free(self.state, record)
        stock.hold(self.state, record)

    def _changed_lines(self, record: Record, rows: list[Json] | None, *, anew: bool) -> list[Line] | None:
        """The lines after a change. What was shipped, received or billed cannot be taken away again."""
        if rows is None or record.kind not in _OPEN_ORDERS:
            return None
        old = {line.number: line for line in record.lines}
        made = {} if anew else dict(old)
        for row in rows:
            said = row.get("line")
            number = said if isinstance(said, int) and 0 < said <= _MOST_LINES else max([*made, 0]) + 1
            made[number] = self._changed_line(record, old.get(number), row, number)
        for line in old.values():
            kept = made.get(line.number)
            if line.done and (kept is None or kept.quantity < line.done):
                raise refuse(f"Line {line.number} has been fulfilled or received already.", "USER_ERROR", "item")
        return [made[number] for number in sorted(made)]

    def _changed_line(self, record: Record, old: Line | None, row: Json, number: int) -> Line:
        if old is None:
            return self.read_line(record.kind, record.fields, row, number=number)
        kept = read_fields(self.state, self.call, record.kind, row, sublist="item")
        fields = old.fields | kept
        quantity = kept.get("quantity", old.quantity)
        if {"quantity", "rate"} & kept.keys() and "amount" not in kept:
            fields["amount"] = sales.cents(fields["rate"] * quantity)
        closed = kept.get("isClosed", old.closed)
        if quantity <= 0:
            raise refuse("Please enter a quantity above zero.", "USER_ERROR", "item.quantity")
        fields = {name: value for name, value in fields.items() if name not in _OF_THE_LINE}
        return Line(number, fields, quantity, old.done, old.billed, old.arrived, closed=bool(closed), charge=old.charge)


def shown(record: Record, *, expanded: bool, base: str) -> Json:
    """A record as it is given out."""
    here = f"{base}/{record.kind}/{record.id}"
    said: Json = {
        "links": [{"rel": "self", "href": here}],
        "id": str(record.id),
        "createdDate": _stamp(record.created_at),
        "lastModifiedDate": _stamp(record.modified_at),
    }
    said |= {name: plain(value) for name, value in record.fields.items() if value is not None}
    if record.external_id:
        said["externalId"] = record.external_id
    if KINDS[record.kind].short:
        said |= _transaction(record)
    for name in KINDS[record.kind].sublists:
        rows = _rows(record, name)
        said[name] = (
            {"items": rows, "totalResults": len(rows)}
            if expanded
            else {"links": [{"rel": "self", "href": f"{here}/{name}"}]}
        )
    return said


def _transaction(record: Record) -> Json:
    said: Json = {"status": statuses.shown(record)}
    if record.kind in _OPEN_ORDERS:
        said["orderStatus"] = said["status"]
    if record.kind == "itemFulfillment":
        said["shipStatus"] = said["status"]
    if record.parent is not None:
        said["createdFrom"] = record.parent.ref()
    if record.kind == "customerPayment":
        used = sum((row["amount"] for row in record.sublists.get("apply", []) if row.get("apply")), ZERO)
        said |= {"applied": plain(used), "unapplied": plain(record.fields.get("payment", ZERO) - used)}
    elif record.kind not in {"itemFulfillment", "itemReceipt"}:
        said |= {"subtotal": plain(sales.subtotal(record)), "total": plain(sales.total(record))}
    if record.kind in {"invoice", "vendorBill", "creditMemo"}:
        said |= {"amountpaid": plain(sales.paid(record)), "amountremaining": plain(sales.remaining(record))}
    return said


def _rows(record: Record, name: str) -> list[Json]:
    if name != "item":
        return [{key: plain(value) for key, value in row.items()} for row in record.sublists.get(name, [])]
    return [_row(record, line) for line in record.lines]


def _row(record: Record, line: Line) -> Json:
    said = {name: plain(value) for name, value in line.fields.items() if value is not None}
    said |= {"line": line.number, "quantity": plain(line.quantity), "isClosed": line.closed}
    if record.kind == "salesOrder":
        said |= {
            "quantityFulfilled": plain(line.done),
            "quantityBilled": plain(line.billed),
            "quantityCommitted": plain(line.committed),
        }
    if record.kind in {"purchaseOrder", "transferOrder"}:
        received = line.arrived if record.kind == "transferOrder" else line.done
        said |= {"quantityReceived": plain(received), "quantityBilled": plain(line.billed)}
    if line.order_line is not None:
        said["orderLine"] = line.order_line
    return said


def plain(value: Any) -> Any:
    """A value as JSON has it: whole numbers without a point."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _stamp(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")

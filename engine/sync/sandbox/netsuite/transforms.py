"""``!transform``: from an order to what left, what came, what is billed; from a bill to what was paid."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from engine.sync.sandbox.netsuite import sales, statuses, stock
from engine.sync.sandbox.netsuite.errors import refuse
from engine.sync.sandbox.netsuite.fields import read_fields, rows_of
from engine.sync.sandbox.netsuite.ledger import Book
from engine.sync.sandbox.netsuite.state import ZERO, Line, Record
from engine.sync.sandbox.wire import Json

Make = Callable[[Book, Record, str, Json], Record]
_ORDER: Final = {"A": 0, "B": 1, "C": 2}
_OF_THE_ROW: Final = frozenset({"line", "orderLine", "itemReceive", "isClosed", "quantity", "item"})
_APPROVED: Final = frozenset({"B", "D", "E"})


def transform(book: Book, source: Record, target: str, given: Any) -> Record:
    """Make ``target`` of ``source``; the body overrides. Raises ``Refused``."""
    make = TRANSFORMS.get((source.kind, target))
    if make is None or not isinstance(given, dict):
        raise refuse(f"You can not transform {source.kind} to {target}.", "INVALID_RCRD_TRANSFRM")
    return make(book, source, target, given)


def _nothing(source: Record, target: str) -> Exception:
    return refuse(f"You can not initialize {target}: invalid reference {source.id}.", "INVALID_INITIALIZE_REF")


def _chosen(book: Book, source: Record, target: str, given: Json, offered: dict[int, Decimal]) -> list[Line]:
    """The lines of a transform: all that is offered, but as the body has it.

    A line that the body does not name is taken whole: who wants it left out says ``itemReceive: false``.
    """
    rows = rows_of(given, "item") or []
    told: dict[int, Json] = {}
    for row in rows:
        kept = read_fields(book.state, book.call, target, row, sublist="item")
        number = int(kept.get("orderLine") or kept.get("line") or 0)
        if source.line(number) is None:
            raise refuse(f"Line {number} is not on {source.kind} {source.id}.", "INVALID_CONTENT", "item.orderLine")
        told[number] = kept
    lines = []
    for number, most in offered.items():
        line = _line(book, source, number, most, told.get(number, {}))
        if line is not None:
            lines.append(line)
    closed = [number for number, kept in told.items() if number not in offered and kept.get("itemReceive") is not False]
    if closed:
        raise refuse(f"Line {closed[0]} has nothing left.", "USER_ERROR", "item.quantity")
    return lines


def _line(book: Book, source: Record, number: int, most: Decimal, kept: Json) -> Line | None:
    if kept.get("itemReceive") is False:
        return None
    origin = source.line(number)
    assert origin is not None
    quantity = kept.get("quantity", most)
    if quantity == 0:
        return None
    over = book.state.allow_overage and source.kind == "purchaseOrder"
    if quantity < 0 or (quantity > most and not over):
        raise refuse(
            f"Line {number}: the quantity {quantity} is more than the {most} that are left.",
            "USER_ERROR",
            "item.quantity",
        )
    fields = {name: value for name, value in origin.fields.items() if name != "amount"}
    fields |= {name: value for name, value in kept.items() if name not in _OF_THE_ROW}
    fields["amount"] = sales.cents((fields.get("rate") or ZERO) * quantity)
    return Line(number, fields, quantity, order_line=number, charge=origin.charge)


def _made(book: Book, source: Record, target: str, given: Json, lines: list[Line], carried: tuple[str, ...]) -> Record:
    """The new record, not kept yet."""
    if not lines:
        raise _nothing(source, target)
    fields = {name: source.fields[name] for name in carried if source.fields.get(name) is not None}
    fields |= read_fields(book.state, book.call, target, given)
    eid = book.external(target, given.get("externalId"))
    made = book.record(target, fields, lines, external_id=eid)
    made.parent = source
    return made


def _fulfill(book: Book, source: Record, target: str, given: Json) -> Record:
    """Goods leave: with ``shipStatus`` C at once, with A or B when it is set to C later."""
    if source.status not in _APPROVED:
        raise _nothing(source, target)
    pending = _pending(book, source)
    offered = {line.number: line.left - pending.get(line.number, ZERO) for line in source.lines}
    lines = _chosen(book, source, target, given, {number: most for number, most in offered.items() if most > 0})
    if any(line.location is None for line in lines):
        raise refuse("Please enter value(s) for: Location", "USER_ERROR", "item.location")
    made = _made(book, source, target, given, lines, ("shipMethod",))
    made.sublists = {"package": _packages(book, given)}
    made.status = (made.fields.pop("shipStatus", None) or {"id": "A"})["id"]
    if made.status not in _ORDER:
        raise refuse("Invalid Field Value for the following field: shipStatus", path="shipStatus")
    book.keep(made)
    if made.status == "C":
        _leave(book, made)
    return made


def _pending(book: Book, source: Record) -> dict[int, Decimal]:
    """What is picked or packed and has not left."""
    waiting: dict[int, Decimal] = {}
    for one in book.state.kind("itemFulfillment").values():
        if one.parent is source and one.status != "C":
            for line in one.lines:
                waiting[line.number] = waiting.get(line.number, ZERO) + line.quantity
    return waiting


def _packages(book: Book, given: Json) -> list[Json]:
    rows = rows_of(given, "package") or []
    return [read_fields(book.state, book.call, "itemFulfillment", row, sublist="package") for row in rows]


def _leave(book: Book, made: Record) -> None:
    source = made.parent
    assert source is not None
    for line in made.lines:
        origin = source.line(line.number)
        assert origin is not None
        stock.leave(book.state, origin, line.location or 0, line.quantity)
    _touch(book, source)


def set_ship_status(book: Book, made: Record, wanted: str) -> None:
    """Picked, packed, shipped: forward only. Raises ``Refused``."""
    if wanted not in _ORDER or _ORDER[wanted] < _ORDER[made.status]:
        raise refuse("Invalid Field Value for the following field: shipStatus", "USER_ERROR", "shipStatus")
    ships = wanted == "C" and made.status != "C"
    made.status = wanted
    if ships:
        _leave(book, made)


def _touch(book: Book, source: Record) -> None:
    statuses.recompute(source)
    source.modified_at = book.now


def _goods_wait(source: Record) -> bool:
    """Whether an order's charges have nothing to be billed with yet."""
    return any(line.left for line in source.lines)


_SALE: Final = (
    "entity",
    "subsidiary",
    "location",
    "department",
    "class",
    "currency",
    "exchangeRate",
    "otherRefNum",
    "memo",
    "email",
    "terms",
    "shippingAddress",
    "billingAddress",
    "discountItem",
    "shipMethod",
)


def _bill(book: Book, source: Record, target: str, given: Json) -> Record:
    """An invoice or cash sale of what left and is not billed; shipping and discount go on the first."""
    offered = {line.number: line.billable for line in source.lines if line.billable > 0}
    if all(source_line.charge for source_line in source.lines if source_line.number in offered) and _goods_wait(source):
        raise _nothing(source, target)
    lines = _chosen(book, source, target, given, offered)
    first = not any(line.billed for line in source.lines)
    carried = (*_SALE, "shippingCost", "discountRate") if first and source.kind == "salesOrder" else _SALE
    made = _made(book, source, target, given, lines, carried)
    book.keep(made)
    for line in made.lines:
        origin = source.line(line.number)
        assert origin is not None
        origin.billed += line.quantity
    _touch(book, source)
    return made


def _receive(book: Book, source: Record, target: str, given: Json) -> Record:
    """Goods of a purchase order come, or those of a transfer order arrive."""
    transfer = source.kind == "transferOrder"
    offered = {
        line.number: (line.done - line.arrived if transfer else line.left)
        for line in source.lines
        if (line.done > line.arrived if transfer else line.left > 0 or book.state.allow_overage)
    }
    if source.status in {"A", "C", "H"}:
        raise _nothing(source, target)
    lines = _chosen(book, source, target, given, offered)
    place = source.fields.get("transferlocation") if transfer else None
    for line in lines:
        line.fields |= {"location": place} if place else {}
        if line.location is None:
            raise refuse("Please enter value(s) for: Location", "USER_ERROR", "item.location")
    made = _made(book, source, target, given, lines, ("memo",))
    book.keep(made)
    _arrive(book, made, 1)
    return made


def _arrive(book: Book, made: Record, sign: int) -> None:
    source = made.parent
    assert source is not None
    for line in made.lines:
        origin = source.line(line.number)
        assert origin is not None
        stock.move(book.state, line.item, line.location or 0, line.quantity * sign)
        if source.kind == "transferOrder":
            origin.arrived += line.quantity * sign
        else:
            origin.done += line.quantity * sign
    _touch(book, source)


def _pay(book: Book, source: Record, target: str, given: Json) -> Record:
    """A payment of an invoice: of what remains unless the body says how much."""
    return pay(book, {"customer": {"id": source.fields["entity"]["id"]}} | given, source)


def pay(book: Book, given: Json, source: Record | None = None) -> Record:
    """A customer's payment, applied to invoices as ``apply`` says. Raises ``Refused``."""
    fields = read_fields(book.state, book.call, "customerPayment", given)
    if not fields.get("customer"):
        raise refuse("Please enter value(s) for: Customer", "USER_ERROR", "customer")
    rows = _applied(book, source, given, fields)
    used = sum((amount for _, amount in rows), ZERO)
    if fields.get("payment") is None:
        fields["payment"] = used
    if fields["payment"] <= 0:
        raise refuse("Please enter an amount above zero.", "USER_ERROR", "payment")
    if used > fields["payment"]:
        raise refuse("The amount applied is more than the payment.", "USER_ERROR", "apply")
    eid = book.external("customerPayment", given.get("externalId"))
    made = book.record("customerPayment", fields, [], external_id=eid)
    made.parent = source
    made.sublists = {"apply": [{"doc": invoice.ref(), "apply": True, "amount": amount} for invoice, amount in rows]}
    book.keep(made)
    for invoice, amount in rows:
        sales.apply(invoice, made, amount)
        invoice.modified_at = book.now
    return made


def _applied(book: Book, source: Record | None, given: Json, fields: Json) -> list[tuple[Record, Decimal]]:
    items = rows_of(given, "apply") or []
    kept = [read_fields(book.state, book.call, "customerPayment", row, sublist="apply") for row in items]
    rows = [(book.find("invoice", row["doc"]["id"]), row) for row in kept if row.get("apply", True) and row.get("doc")]
    if not rows and source is not None and not items:
        rows = [(source, {"amount": min((fields.get("payment") or sales.remaining(source)), sales.remaining(source))})]
    found = []
    for invoice, row in rows:
        amount = row.get("amount", sales.remaining(invoice))
        if invoice.fields["entity"]["id"] != fields["customer"]["id"]:
            raise refuse("The invoice is another customer's.", "USER_ERROR", "apply.doc")
        if not ZERO < amount <= sales.remaining(invoice):
            raise refuse(f"Invoice {invoice.id}: {amount} cannot be applied.", "USER_ERROR", "apply.amount")
        found.append((invoice, amount))
    return found


def _credit(book: Book, source: Record, target: str, given: Json) -> Record:
    """A credit of an invoice, applied to what remains of it."""
    offered = {line.number: line.quantity for line in source.lines}
    lines = _chosen(book, source, target, given, offered)
    made = _made(book, source, target, given, lines, (*_SALE, "shippingCost"))
    book.keep(made)
    amount = min(sales.total(made), sales.remaining(source))
    if amount > 0:
        sales.apply(source, made, amount)
    made.status = "B" if amount == sales.total(made) else "A"
    return made


def _authorize_return(book: Book, source: Record, target: str, given: Json) -> Record:
    offered = {
        line.number: line.done if source.kind == "salesOrder" else line.quantity
        for line in source.lines
        if source.kind != "salesOrder" or line.done
    }
    lines = _chosen(book, source, target, given, offered)
    made = _made(book, source, target, given, lines, _SALE)
    made.status = book.order_status(made.fields) or "B"
    book.keep(made)
    return made


def delete(book: Book, record: Record) -> None:
    """Take a record back with what it did. Raises ``Refused`` where others stand on it."""
    children = [one for kind in book.state.records.values() for one in kind.values() if one.parent is record]
    if children or record.sublists.get("applied"):
        raise refuse("This record cannot be deleted because it has dependent records.", "THIS_RECORD_CANNOT_BE_DELETED")
    if record.kind == "itemReceipt":
        _arrive(book, record, -1)
    elif record.kind in {"invoice", "cashSale", "vendorBill"} and record.parent is not None:
        for line in record.lines:
            origin = record.parent.line(line.number)
            assert origin is not None
            origin.billed -= line.quantity
        _touch(book, record.parent)
    elif record.kind == "customerPayment":
        for row in record.sublists.get("apply", []):
            sales.unapply(book.find("invoice", row["doc"]["id"]), record)
    elif record.kind not in {"customer", "vendor"}:
        raise refuse(f"The sandbox does not delete {record.kind}.", "THIS_RECORD_CANNOT_BE_DELETED")
    del book.state.kind(record.kind)[record.id]
    book.state.external.pop((record.kind, record.external_id or ""), None)


TRANSFORMS: Final[dict[tuple[str, str], Make]] = {
    ("salesOrder", "itemFulfillment"): _fulfill,
    ("salesOrder", "invoice"): _bill,
    ("salesOrder", "cashSale"): _bill,
    ("salesOrder", "returnAuthorization"): _authorize_return,
    ("purchaseOrder", "itemReceipt"): _receive,
    ("purchaseOrder", "vendorBill"): _bill,
    ("transferOrder", "itemFulfillment"): _fulfill,
    ("transferOrder", "itemReceipt"): _receive,
    ("invoice", "customerPayment"): _pay,
    ("invoice", "creditMemo"): _credit,
    ("invoice", "returnAuthorization"): _authorize_return,
}

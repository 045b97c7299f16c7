"""Which fields a record has and what may stand in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from engine.sync.sandbox.netsuite.errors import refuse
from engine.sync.sandbox.netsuite.state import AccountState, Record
from engine.sync.sandbox.wire import Call, Json

TEXT, NUMBER, FLAG, DATE, REF, ADDRESS, CHOICE = "text", "number", "flag", "date", "ref", "address", "choice"
Spec = dict[str, str]
_REFERS: Final = {
    "entity": "customer",
    "customer": "customer",
    "vendor": "vendor",
    "item": "item",
    "location": "location",
    "transferlocation": "location",
    "doc": "transaction",
}
"""What a reference must lead to; of other references the account's lists know the values."""


_LARGEST: Final = 10**12


def _spec(**kinds: str) -> Spec:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


_SOLD: Final = _spec(
    text="otherRefNum memo email tranId",
    number="exchangeRate shippingCost discountRate handlingCost",
    flag="shipComplete toBeEmailed",
    date="tranDate shipDate",
    ref="entity subsidiary location department class currency terms shipMethod discountItem",
    address="shippingAddress billingAddress",
)
_LINE: Final = _spec(
    text="description",
    number="line quantity rate amount orderLine quantityReceived",
    flag="isClosed itemReceive",
    ref="item location department class price",
    address="inventoryDetail",
)


@dataclass(frozen=True)
class Kind:
    """A record type: its fields, its sublists, its short name in SuiteQL and the prefix of its numbers."""

    fields: Spec
    sublists: dict[str, Spec] = field(default_factory=dict)
    short: str = ""
    prefix: str = ""
    required: tuple[str, ...] = ()


KINDS: Final[dict[str, Kind]] = {
    "customer": Kind(
        _spec(
            text="entityId companyName firstName lastName email phone comments",
            flag="isPerson isInactive",
            ref="subsidiary currency terms",
            address="addressbook",
        ),
        required=("subsidiary",),
    ),
    "vendor": Kind(_spec(text="entityId companyName email", ref="subsidiary currency")),
    "location": Kind(
        _spec(text="name", flag="isInactive", ref="subsidiary", address="mainAddress"), required=("name",)
    ),
    "inventoryItem": Kind(
        _spec(text="itemId displayName upcCode", number="basePrice cost weight", flag="isInactive", ref="subsidiary"),
        required=("itemId",),
    ),
    "kitItem": Kind(
        _spec(text="itemId displayName", number="basePrice", flag="isInactive", ref="subsidiary"),
        {"member": _spec(number="quantity", ref="item")},
        required=("itemId",),
    ),
    "otherChargeSaleItem": Kind(
        _spec(text="itemId displayName", number="basePrice", flag="isInactive", ref="subsidiary"),
        required=("itemId",),
    ),
    "salesOrder": Kind(
        _SOLD | _spec(choice="orderStatus"), {"item": _LINE}, "SalesOrd", "SO", required=("entity", "item")
    ),
    "itemFulfillment": Kind(
        _spec(text="memo tranId", date="tranDate", choice="shipStatus", number="shippingCost", ref="shipMethod"),
        {
            "item": _LINE,
            "package": _spec(text="packageTrackingNumber packageDescr", number="packageWeight"),
        },
        "ItemShip",
        "IF",
    ),
    "invoice": Kind(
        _SOLD | _spec(date="dueDate", ref="account"), {"item": _LINE}, "CustInvc", "INV", ("entity", "item")
    ),
    "cashSale": Kind(
        _SOLD | _spec(ref="account paymentOption", flag="undepFunds"),
        {"item": _LINE},
        "CashSale",
        "CS",
        ("entity", "item"),
    ),
    "customerPayment": Kind(
        _spec(
            text="memo tranId checkNum",
            number="payment exchangeRate",
            flag="undepFunds autoApply",
            date="tranDate",
            ref="customer account aracct currency subsidiary paymentOption",
        ),
        {"apply": _spec(number="amount line", flag="apply", ref="doc")},
        "CustPymt",
        "PYMT",
        ("customer",),
    ),
    "creditMemo": Kind(_SOLD, {"item": _LINE}, "CustCred", "CM", ("entity",)),
    "returnAuthorization": Kind(_SOLD | _spec(choice="orderStatus"), {"item": _LINE}, "RtnAuth", "RA", ("entity",)),
    "purchaseOrder": Kind(
        _spec(
            text="memo tranId otherRefNum",
            number="exchangeRate",
            date="tranDate shipDate dueDate",
            choice="orderStatus",
            ref="entity subsidiary location department class currency terms",
        ),
        {"item": _LINE},
        "PurchOrd",
        "PO",
        ("entity", "item"),
    ),
    "transferOrder": Kind(
        _spec(
            text="memo tranId",
            date="tranDate shipDate",
            choice="orderStatus",
            ref="subsidiary location transferlocation department class",
        ),
        {"item": _LINE},
        "TrnfrOrd",
        "TO",
        ("location", "transferlocation", "item"),
    ),
    "itemReceipt": Kind(_spec(text="memo tranId", date="tranDate"), {"item": _LINE}, "ItemRcpt", "IR"),
    "vendorBill": Kind(
        _spec(text="memo tranId", date="tranDate dueDate", ref="entity subsidiary location"),
        {"item": _LINE},
        "VendBill",
        "BILL",
    ),
}
READ_ONLY: Final = frozenset(
    {
        "id",
        "links",
        "refName",
        "createdFrom",
        "createdDate",
        "lastModifiedDate",
        "status",
        "total",
        "subtotal",
        "amountremaining",
        "amountpaid",
        "applied",
        "unapplied",
        "quantityFulfilled",
        "quantityBilled",
        "quantityReceived",
        "quantityCommitted",
    }
)
"""Given back by a client that read them before: not an error, and not written."""


def read_fields(
    state: AccountState, call: Call, kind: str, given: Any, *, sublist: str = "", vendor: bool = False
) -> Json:
    """The fields of a body (or of a line of a sublist) as they are kept. Raises ``Refused``."""
    if not isinstance(given, dict):
        raise refuse("Invalid content in the request body.", path=sublist)
    spec = KINDS[kind].sublists[sublist] if sublist else KINDS[kind].fields
    kept: Json = {}
    for name, value in given.items():
        if name in READ_ONLY or (not sublist and name in {"externalId", *KINDS[kind].sublists}):
            continue
        path = f"{sublist}.{name}" if sublist else name
        what = spec.get(name) or _custom(state, name)
        if not what:
            _unknown(call, kind, path)
            continue
        refers = "vendor" if vendor and name == "entity" else str(_REFERS.get(name, name))
        if value is not None:
            kept[name] = _value(state, what, value, path, refers)
        elif not sublist:
            kept[name] = None
    return kept


def rows_of(given: Any, sublist: str) -> list[Json] | None:
    """The rows of a sublist in a body; nothing where it is not named. Raises ``Refused``."""
    body = given.get(sublist)
    if body is None:
        return None
    rows = body.get("items", []) if isinstance(body, dict) else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise refuse(f"Invalid content of the sublist '{sublist}'.", path=sublist)
    return rows


def _custom(state: AccountState, name: str) -> str:
    """Custom fields are there as the account was set up."""
    if not name.startswith(("custbody", "custcol", "custentity", "custitem")) or name not in state.custom_fields:
        return ""
    return "any"


def _unknown(call: Call, kind: str, path: str) -> None:
    """An unknown field is an error, unless the header says that it is to be passed over."""
    if (call.header("x-netsuite-propertynamevalidation") or "Error").lower() == "error":
        raise refuse(f"Unknown reference or field '{path}' of record '{kind}'.", "NONEXISTENT_FIELD", path)


def _value(state: AccountState, what: str, value: Any, path: str, refers: str) -> Any:
    match what:
        case "number":
            return _number(value, path)
        case "flag":
            if not isinstance(value, bool):
                raise refuse(f"Invalid value for the field '{path}': true or false is expected.", path=path)
            return value
        case "date":
            return _date(value, path)
        case "ref":
            return resolve(state, value, path, refers)
        case "choice":
            return {"id": str(value.get("id") if isinstance(value, dict) else value)}
        case "text":
            if not isinstance(value, str):
                raise refuse(f"Invalid value for the field '{path}': a string is expected.", path=path)
    return value


def _number(value: Any, path: str) -> Decimal:
    wrong = refuse(f"Invalid value for the field '{path}': a number is expected.", path=path)
    try:
        number = Decimal("bool" if isinstance(value, bool) else str(value))
    except InvalidOperation as error:
        raise wrong from error
    if not number.is_finite() or abs(number) > _LARGEST:
        raise wrong
    return number


def _date(value: Any, path: str) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise refuse(f"Invalid value for the field '{path}': a date (YYYY-MM-DD) is expected.", path=path) from error


def resolve(state: AccountState, value: Any, path: str, refers: str) -> Json:
    """A reference by id or external id, as it is kept. Raises ``Refused`` where it leads nowhere."""
    found = value if isinstance(value, dict) else {"id": value}
    for kind in kinds_of(refers):
        record = _referred(state, kind, found)
        if record is not None:
            return record.ref()
    names = state.lists.get(refers)
    number = str(found.get("id", ""))
    if names is not None and number.lstrip("-").isdigit() and int(number) in names:
        return {"id": number, "refName": names[int(number)]}
    shown = found.get("id") or found.get("externalId")
    raise refuse(f"Invalid Field Value {shown} for the following field: {path}", "INVALID_CONTENT", path)


def kinds_of(refers: str) -> tuple[str, ...]:
    """The record types behind a word for a reference."""
    if refers == "item":
        return ("inventoryItem", "kitItem", "otherChargeSaleItem")
    if refers == "transaction":
        return tuple(name for name, kind in KINDS.items() if kind.short)
    return (refers,) if refers in KINDS else ()


def _referred(state: AccountState, kind: str, found: Json) -> Record | None:
    if found.get("externalId") is not None:
        number = state.external.get((kind, str(found["externalId"])))
    else:
        text = str(found.get("id", ""))
        number = int(text) if text.isdigit() else None
    return state.kind(kind).get(number) if number is not None else None

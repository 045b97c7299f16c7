"""DCL behind its door. Orders, batches and RMAs are known; announcements, receipts, items are assumed, and say so."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from engine.sync.sandbox.dcl import warehouse
from engine.sync.sandbox.dcl.state import Expected, Order, OrderLine, Warehouse
from engine.sync.sandbox.door import half, partial
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.hooks import stamp
from engine.sync.sandbox.wire import Answer, BadJson, Call, Json

ASSUMED: Final = {"x-sandbox-assumed": "true"}
MOST_ORDERS: Final = 1000
_PAGE: Final = 100
_ADDRESS: Final = ("address1", "city", "postal_code", "country_code")
_INVALID, _EXISTS, _UNKNOWN_ITEM, _BUSY = 10, 20, 30, 99
_FAILED: Final = 1
_MOST_UNITS: Final = 1_000_000


class Dcl:
    """All warehouse accounts of a world. Whose a request is, its user name says."""

    system = "dcl"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.houses: dict[str, Warehouse] = {}

    def add(self, house: Warehouse) -> Warehouse:
        self.houses[house.username] = house
        return house

    def house_of(self, account_number: str) -> Warehouse:
        """The house of an account number. Raises ``KeyError``."""
        return next(one for one in self.houses.values() if one.account_number == account_number)

    def tenant(self, call: Call) -> str:
        """The account that the caller says it is."""
        name, _ = credentials(call)
        house = self.houses.get(name)
        return house.account_number if house else ""

    def operation(self, call: Call) -> str:
        return f"{call.method} {call.rest.strip('/').removeprefix('api/v1/').partition('/')[0]}"

    def enter(self, call: Call) -> Answer | None:
        return None

    def leave(self, call: Call) -> None:
        return None

    def handle(self, call: Call) -> Answer:
        name, password = credentials(call)
        house = self.houses.get(name)
        if house is None or not hmac.compare_digest(house.password.encode(), password.encode()):
            return _unauthorized()
        if not house.bucket.take(1, self._ground.pace()):
            return _too_many({})
        work = self._routes().get((call.method, call.rest.removeprefix("/api/v1")))
        if work is not None:
            return self._worked(work, house, call)
        if call.method == "PUT" and call.rest.startswith("/api/v1/purchase_orders/"):
            return self._worked(self._announce, house, call)
        return Answer(404, {"message": "No HTTP resource was found that matches the request URI."})

    def _routes(self) -> dict[tuple[str, str], Callable[[Warehouse, Call], Answer]]:
        return {
            ("POST", "/batches"): self._batches,
            ("GET", "/orders"): _orders,
            ("POST", "/rmas"): self._rmas,
            ("GET", "/rmas"): _list_rmas,
            ("POST", "/purchase_orders"): self._announce,
            ("GET", "/purchase_orders"): _list_expected,
            ("GET", "/receipts"): _receipts,
            ("GET", "/items"): _items,
        }

    def _worked(self, work: Callable[[Warehouse, Call], Answer], house: Warehouse, call: Call) -> Answer:
        try:
            return work(house, call)
        except (BadJson, ValueError) as error:
            return Answer(400, {"message": f"The request is invalid: {error}"})

    def _batches(self, house: Warehouse, call: Call) -> Answer:
        """Take orders. HTTP says 200 whatever becomes of them: the codes within say."""
        given = call.json()
        rows = given.get("orders") if isinstance(given, dict) else None
        if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ORDERS:
            return Answer(200, _outcome(_INVALID, f"A batch has between 1 and {MOST_ORDERS} orders", []))
        statuses: list[Json] = []
        made: list[Order] = []
        for place, row in enumerate(rows):
            order, status = self._read(house, row, {one.number for one in made})
            if partial(call) and place >= max(len(rows) // 2, 1):
                order, status = (
                    None,
                    status | {"error_code": _BUSY, "error_message": "The order could not be processed now"},
                )
            statuses.append(status)
            made += [order] if order else []
        failed = len(rows) - len(made)
        taken = made if not failed or given.get("allow_partial") or partial(call) else []
        for order in taken:
            warehouse.accept(self._ground, house, order)
        return Answer(200, _outcome(_FAILED if failed else 0, f"{failed} orders failed" if failed else "", statuses))

    def _read(self, house: Warehouse, row: Any, earlier: set[str]) -> tuple[Order | None, Json]:
        number = str(row.get("order_number") or "") if isinstance(row, dict) else ""
        code, message = _wrong(house, row, number, earlier)
        status = {"order_number": number, "error_code": code, "error_message": message}
        if code:
            return None, status
        now = self._ground.now().replace(microsecond=0)
        lines = [
            OrderLine(
                one["line_number"],
                one["item_number"],
                one.get("description") or house.items[one["item_number"]].description,
                one["quantity"],
                str(one.get("price") or "0.00"),
            )
            for one in _numbered(row["lines"])
        ]
        return Order(number, row, lines, now, now), status

    def _rmas(self, house: Warehouse, call: Call) -> Answer:
        given = call.json()
        rows = given.get("rmas", [given]) if isinstance(given, dict) else given
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("RMAs are objects")
        statuses = []
        for row in rows:
            number = str(row.get("rma_number") or "")
            code, message = _wrong_rma(house, row, number)
            statuses.append({"rma_number": number, "error_code": code, "error_message": message})
            if not code:
                house.rmas[number] = row | {"received_date": None, "created_at": stamp(self._ground.now())}
        failed = any(one["error_code"] for one in statuses)
        outcome = {"error_code": _FAILED if failed else 0, "error_message": "Some RMAs failed" if failed else ""}
        return Answer(200, outcome | {"rma_statuses": statuses})

    def _announce(self, house: Warehouse, call: Call) -> Answer:
        """Assumed: goods are announced by their purchase order; a PUT amends what has not come yet."""
        given = call.json()
        if not isinstance(given, dict):
            raise ValueError("an object is expected")  # noqa: TRY004 (the caller's mistake, not the program's)
        number = str(given.get("po_number") or "")
        known = house.expected.get(number)
        amended = call.method == "PUT"
        code, message = _wrong_announcement(house, given, number, known, amended=amended)
        if amended and not call.rest.endswith(f"/{number}"):
            code, message = _INVALID, "The address names another purchase order"
        if not code:
            version = known.version + 1 if known else 1
            made = Expected(number, given, _numbered(given["lines"]), self._ground.now(), version)
            warehouse.expect(self._ground, house, made)
        return Answer(200, {"po_number": number, "error_code": code, "error_message": message}, dict(ASSUMED))

    def faulty(self, kind: str, params: Json, call: Call) -> Answer:
        match kind:
            case "http_429" | "throttled_points" | "concurrency_exceeded":
                return _too_many(params)
            case "auth_expired":
                return _unauthorized()
        return Answer(int(kind.removeprefix("http_")), {"message": "An error has occurred."})

    def rotate(self, tenant: str, params: Json) -> None:
        """A new password."""
        self.house_of(tenant).password = str(params.get("value") or f"{self._ground.rng.getrandbits(96):024x}")


def credentials(call: Call) -> tuple[str, str]:
    """User name and password of a Basic header; two empty texts where there is none."""
    scheme, _, rest = call.header("authorization").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _unauthorized() -> Answer:
    return Answer(401, {"message": "Authorization has been denied for this request."}, {"www-authenticate": "Basic"})


def _too_many(params: Json) -> Answer:
    after = str(params.get("retry_after", 1))
    return Answer(429, {"message": "API calls quota exceeded!"}, {"retry-after": after})


def _outcome(code: int, message: str, statuses: list[Json]) -> Json:
    return {"error_code": code, "error_message": message, "order_statuses": statuses}


def _wrong(house: Warehouse, row: Any, number: str, earlier: set[str]) -> tuple[int, str]:
    """Code and message of what is wrong with an order; 0 where nothing is."""
    if not number:
        return _INVALID, "order_number is required"
    if number in house.orders or number in earlier:
        return _EXISTS, f"Order {number} already exists"
    if str(row.get("account_number")) != house.account_number:
        return _INVALID, "account_number is not yours"
    address = row.get("shipping_address")
    lacking = [name for name in _ADDRESS if not (isinstance(address, dict) and address.get(name))]
    if lacking:
        return _INVALID, f"shipping_address.{lacking[0]} is required"
    return _wrong_lines(house, row.get("lines"))


def _wrong_lines(house: Warehouse, lines: Any) -> tuple[int, str]:
    if not isinstance(lines, list) or not lines:
        return _INVALID, "lines are required"
    for line in lines:
        if not isinstance(line, dict):
            return _INVALID, "lines are objects"
        if str(line.get("item_number")) not in house.items:
            return _UNKNOWN_ITEM, f"Item {line.get('item_number')} is unknown"
        if not _whole(line.get("quantity")):
            return _INVALID, "quantity must be a whole number above zero"
        if line.get("line_number") is not None and not _whole(line["line_number"]):
            return _INVALID, "line_number must be a whole number above zero"
    return 0, ""


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_UNITS


def _numbered(lines: list[Json]) -> list[Json]:
    """Lines with a number each; theirs, or their place."""
    return [line | {"line_number": line.get("line_number") or place} for place, line in enumerate(lines, start=1)]


def _wrong_rma(house: Warehouse, row: Json, number: str) -> tuple[int, str]:
    if not number:
        return _INVALID, "rma_number is required"
    if number in house.rmas:
        return _EXISTS, f"RMA {number} already exists"
    if str(row.get("account_number")) != house.account_number:
        return _INVALID, "account_number is not yours"
    kind, disposition = str(row.get("rma_type") or ""), str(row.get("disposition") or "")
    if len(kind) != 3 or not kind.startswith("T") or not kind[1:].isdigit() or kind == "T00":
        return _INVALID, "rma_type must be T01 to T99"
    if not disposition.startswith("D") or not disposition[1:].isdigit():
        return _INVALID, "disposition must be D1 and so on"
    return 0, ""


def _wrong_announcement(
    house: Warehouse, given: Json, number: str, known: Expected | None, *, amended: bool
) -> tuple[int, str]:
    if not number:
        return _INVALID, "po_number is required"
    if str(given.get("account_number")) != house.account_number:
        return _INVALID, "account_number is not yours"
    if amended and known is None:
        return _INVALID, f"Purchase order {number} is unknown"
    if not amended and known is not None:
        return _EXISTS, f"Purchase order {number} already exists"
    if known is not None and known.received:
        return _INVALID, f"Purchase order {number} has been received"
    return _wrong_lines(house, given.get("lines"))


def _orders(house: Warehouse, call: Call) -> Answer:
    """The orders that the filters let through, a page of them. An empty page is the end."""
    query = dict(call.query)
    if "filter" in query:
        raise ValueError("the sandbox does not emulate 'filter'")
    found = [order for order in house.orders.values() if _fits(order, query)]
    found.sort(key=lambda one: (one.modified_at, one.number))
    rows = [_order(house, one) for one in _page(found, call)]
    wanted = {name for name in query.get("fields", "").split(",") if name}
    return Answer(200, {"orders": [{name: row[name] for name in row if not wanted or name in wanted} for row in rows]})


def _fits(order: Order, query: Json) -> bool:
    numbers = {one.strip() for one in query.get("order_numbers", "").split(",") if one.strip()}
    status = query.get("status", "0")
    states = {
        "0": not order.cancelled,
        "1": not order.cancelled and not order.shipped,
        "2": order.cancelled,
        "3": bool(order.shipments),
    }
    if status not in states:
        raise ValueError("status must be 0, 1, 2 or 3")
    sent = [_time(one["ship_date"]) for one in order.shipments]
    return (
        states[status]
        and (not numbers or order.number in numbers)
        and _within([order.received_at], query, "received")
        and _within([order.modified_at], query, "modified")
        and _within(sent, query, "shipped")
    )


def _within(times: list[datetime], query: Json, name: str) -> bool:
    first, last = query.get(f"{name}_from"), query.get(f"{name}_to")
    if first is None and last is None:
        return True
    return any((first is None or one >= _time(first)) and (last is None or one <= _end(last)) for one in times)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _end(text: str) -> datetime:
    """A day without an hour lasts until its end."""
    return (
        _time(text) + timedelta(days=1) - timedelta(microseconds=1) if len(text) == len("2026-11-26") else _time(text)
    )


def _page(rows: list[Any], call: Call) -> list[Any]:
    number, size = int(call.query.get("page", "1")), int(call.query.get("page_size", str(_PAGE)))
    if number < 1 or not 1 <= size <= _PAGE:
        raise ValueError(f"page begins with 1, page_size is at most {_PAGE}")
    size = half(size, call)
    return rows[(number - 1) * size : number * size]


def _order(house: Warehouse, order: Order) -> Json:
    return {
        "account_number": house.account_number,
        "order_number": order.number,
        "order_type": "NormalOrder",
        "customer_number": order.given.get("customer_number"),
        "po_number": order.given.get("po_number"),
        "received_date": stamp(order.received_at),
        "modified_at": stamp(order.modified_at),
        "order_status": 2 if order.cancelled else (3 if order.shipped else 1),
        "stage_description": order.stage,
        "shipping_address": order.given.get("shipping_address"),
        "lines": [
            {"line_number": line.number, "item_number": line.item, "quantity": line.quantity, "shipped": line.shipped}
            for line in order.lines
        ],
        "shipments": order.shipments,
    }


def _list_rmas(house: Warehouse, call: Call) -> Answer:
    return Answer(200, {"rmas": _page(list(house.rmas.values()), call)}, dict(ASSUMED))


def _list_expected(house: Warehouse, call: Call) -> Answer:
    rows = [
        {"po_number": one.number, "version": one.version, "lines": one.lines, "received": bool(one.received)}
        for one in house.expected.values()
    ]
    return Answer(200, {"purchase_orders": _page(rows, call)}, dict(ASSUMED))


def _receipts(house: Warehouse, call: Call) -> Answer:
    asked = call.query.get("received_from")
    rows = [one for one in house.receipts if asked is None or _time(one["received_date"]) >= _time(asked)]
    return Answer(200, {"receipts": _page(rows, call)}, dict(ASSUMED))


def _items(house: Warehouse, call: Call) -> Answer:
    numbers = {one.strip() for one in call.query.get("item_numbers", "").split(",") if one.strip()}
    waiting: dict[str, int] = {}
    for order in house.orders.values():
        for line in order.lines:
            waiting[line.item] = waiting.get(line.item, 0) + (0 if order.cancelled else line.left)
    rows = [
        {
            "account_number": house.account_number,
            "item_number": one.number,
            "description": one.description,
            "on_hand": one.on_hand,
            "available": one.on_hand - waiting.get(one.number, 0),
        }
        for one in house.items.values()
        if not numbers or one.number in numbers
    ]
    wanted = {name for name in call.query.get("fields", "").split(",") if name}
    page = [{name: row[name] for name in row if not wanted or name in wanted} for row in _page(rows, call)]
    return replace(Answer(200, {"items": page}), headers=dict(ASSUMED))

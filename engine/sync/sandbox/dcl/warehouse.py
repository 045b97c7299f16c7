"""The warehouse at work: orders are picked and shipped over time, in cartons, and not always whole."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from engine.sync.sandbox.dcl.state import Expected, Order, OrderLine, Warehouse
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.hooks import stamp
from engine.sync.sandbox.wire import Json

CARRIERS: Final = {"UPS": "1Z", "FEDEX": "7", "USPS": "94", "DHL": "JD"}


def accept(ground: Ground, house: Warehouse, order: Order) -> None:
    """An order was taken: it will be picked, then leave."""
    house.orders[order.number] = order
    ground.later(house.pace.picks_after, lambda: pick(ground, order))
    ground.later(house.pace.ships_after, lambda: ship(ground, house, order))


def resume(ground: Ground, house: Warehouse, order: Order) -> None:
    """Work that was taken goes on after a pause, each part at its time or now."""
    since = ground.now() - order.received_at
    for after, work in (
        (house.pace.picks_after, lambda: pick(ground, order)),
        (house.pace.ships_after, lambda: ship(ground, house, order)),
    ):
        ground.later(max(after - since, timedelta()), work)


def pick(ground: Ground, order: Order) -> None:
    if not order.cancelled and order.stage == "Received":
        order.stage, order.modified_at = "In Process", _now(ground)


def ship(ground: Ground, house: Warehouse, order: Order, *, short: bool | None = None) -> None:
    """What is there of an order leaves as one shipment of one or more cartons; the rest waits for goods."""
    if order.cancelled or not order.left:
        return
    if short is None:
        short = order.left > 1 and house.rng.random() < house.pace.short_rate
    picked = [(line, _picked(house, line)) for line in order.lines]
    if short:
        picked = _shortened(picked)
    picked = [(line, quantity) for line, quantity in picked if quantity]
    order.modified_at = _now(ground)
    if not picked:
        order.stage = "Backordered"
        return
    for line, quantity in picked:
        line.shipped += quantity
        house.items[line.item].on_hand -= quantity
    order.shipments.append(_shipment(ground, house, order, picked))
    order.stage = "Backordered" if order.left else "Shipped"
    if order.left and short:
        ground.later(house.pace.ships_after, lambda: ship(ground, house, order, short=False))


def _picked(house: Warehouse, line: OrderLine) -> int:
    return min(line.left, max(house.items[line.item].on_hand, 0))


def _shortened(picked: list[tuple[OrderLine, int]]) -> list[tuple[OrderLine, int]]:
    """A short pick: the last unit of the largest line stays behind."""
    largest = max(range(len(picked)), key=lambda place: picked[place][1])
    line, quantity = picked[largest]
    return [*picked[:largest], (line, max(quantity - 1, 0)), *picked[largest + 1 :]]


def _shipment(ground: Ground, house: Warehouse, order: Order, picked: list[tuple[OrderLine, int]]) -> Json:
    carrier = str(order.given.get("shipping_carrier") or "UPS")
    return {
        "ship_date": stamp(_now(ground)),
        "shipping_address": order.given.get("shipping_address"),
        "carrier": carrier,
        "service": order.given.get("shipping_service") or "Ground",
        "packages": [_package(house, carrier, content) for content in _cartons(house, picked)],
        "shipped_lines": [
            {"line_number": line.number, "item_number": line.item, "quantity": quantity} for line, quantity in picked
        ],
    }


def _cartons(house: Warehouse, picked: list[tuple[OrderLine, int]]) -> list[list[tuple[OrderLine, int]]]:
    """Units into cartons, as many as fit."""
    cartons: list[list[tuple[OrderLine, int]]] = [[]]
    room = house.pace.carton_units
    for line, quantity in picked:
        left = quantity
        while left:
            if not room:
                cartons.append([])
                room = house.pace.carton_units
            units = min(left, room)
            cartons[-1].append((line, units))
            left, room = left - units, room - units
    return cartons


def _package(house: Warehouse, carrier: str, content: list[tuple[OrderLine, int]]) -> Json:
    house.cartons += 1
    tail = f"{house.rng.randrange(10**8):08d}{house.cartons:06d}"
    return {
        "carton_id": f"C{house.account_number}-{house.cartons:06d}",
        "tracking_number": f"{CARRIERS.get(carrier.upper(), 'TRK')}{tail}",
        "shipped_items": [_content(house, line, units) for line, units in content],
    }


def _content(house: Warehouse, line: OrderLine, units: int) -> Json:
    serials = house.items[line.item].serialized
    return {
        "item_number": line.item,
        "description": line.description,
        "quantity": units,
        "serial_numbers": [f"SN{house.rng.randrange(10**10):010d}" for _ in range(units)] if serials else [],
    }


def cancel(ground: Ground, order: Order) -> bool:
    """Call an order off, while nothing of it has left."""
    if order.shipments or order.cancelled:
        return False
    order.cancelled, order.stage, order.modified_at = True, "Cancelled", _now(ground)
    return True


def expect(ground: Ground, house: Warehouse, expected: Expected) -> None:
    """Announced goods come when they were said to, else after the usual time."""
    house.expected[expected.number] = expected
    said = expected.given.get("expected_date")
    at = _at(said) if said else None
    wait = max(at - ground.now(), house.pace.receives_after * 0) if at else house.pace.receives_after

    def come() -> None:
        if house.expected[expected.number] is expected and not expected.received:
            receive(ground, house, expected.number, None)

    ground.later(wait, come)


def _at(text: Any) -> datetime | None:
    from datetime import UTC

    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def receive(ground: Ground, house: Warehouse, number: str, quantities: dict[int, int] | None) -> Json:
    """Goods of an announcement come: as announced, or as many of a line as ``quantities`` say."""
    expected = house.expected[number]
    rows = []
    for line in expected.lines:
        place = int(line["line_number"])
        wanted = int(line["quantity"]) - expected.received.get(place, 0)
        got = wanted if quantities is None else quantities.get(place, 0)
        if got <= 0:
            continue
        expected.received[place] = expected.received.get(place, 0) + got
        house.items[line["item_number"]].on_hand += got
        rows.append(
            {
                "line_number": place,
                "item_number": line["item_number"],
                "quantity_expected": int(line["quantity"]),
                "quantity_received": got,
            }
        )
    receipt = {
        "receipt_id": f"R{house.account_number}-{len(house.receipts) + 1:05d}",
        "po_number": number,
        "received_date": stamp(_now(ground)),
        "lines": rows,
    }
    house.receipts.append(receipt)
    _ship_waiting(ground, house)
    return receipt


def _ship_waiting(ground: Ground, house: Warehouse) -> None:
    for order in list(house.orders.values()):
        if order.stage == "Backordered" and any(_picked(house, line) for line in order.lines):
            ship(ground, house, order, short=False)


def _now(ground: Ground) -> datetime:
    return ground.now().replace(microsecond=0)

"""What a warehouse at DCL is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from engine.sync.canonical import Expected, ExpectedLine, WarehouseState
from engine.sync.connectors.dcl.wire import BatchAddress, BatchLine, BatchOrder
from engine.sync.models import System
from engine.sync.port import Capability
from engine.sync.sandbox import World, emitting
from engine.sync.sandbox.dcl import warehouse
from engine.sync.sandbox.dcl.state import Expected as Announced
from engine.sync.sandbox.dcl.state import Order, OrderLine
from engine.sync.sandbox.merchants import Merchant
from tests.contracts.connectors.bench import START
from tests.contracts.connectors.scenes import Call

ITEM: Final = "TH-FELL1-ORG"
ADDRESS: Final = BatchAddress(
    attention="Maya Lindqvist",
    address1="2719 Quivas Street",
    city="Denver",
    state_province="CO",
    postal_code="80211",
    country_code="US",
)


def batch_order(number: str, quantity: int = 2, item: str = ITEM) -> BatchOrder:
    line = BatchLine(line_number=1, item_number=item, quantity=quantity, price="20.00")
    return BatchOrder(
        order_number=number,
        ordered_date=START.date(),
        shipping_carrier="UPS",
        shipping_service="Ground",
        shipping_address=ADDRESS,
        lines=[line],
        total_due="40.00",
    )


def there(world: World, merchant: Merchant, number: str, quantity: int = 2) -> Order:
    """An order that the warehouse has, of whatever day."""
    given = {"order_number": number, "shipping_carrier": "UPS", "shipping_service": "Ground"}
    lines = [OrderLine(1, ITEM, "Tent", quantity, "20.00")]
    made = Order(number, given, lines, world.now(), world.now())
    warehouse.accept(world.ground, merchant.house, made)
    return made


def _three(world: World, merchant: Merchant) -> None:
    there(world, merchant, "TS-1", 12)
    there(world, merchant, "TS-2")
    there(world, merchant, "TS-3")
    emitting.cancel_at_warehouse(world, merchant, "TS-3")
    emitting.ship(world, merchant, "TS-1", short=True)


def _many(world: World, merchant: Merchant) -> None:
    for number in range(230):
        there(world, merchant, f"TS-{number}")


def _received(world: World, merchant: Merchant) -> None:
    lines = [{"line_number": 1, "item_number": ITEM, "quantity": 40}]
    announced = Announced("PO-7", {}, lines, world.now())
    warehouse.expect(world.ground, merchant.house, announced)
    emitting.receive(world, merchant, "PO-7", {1: 30})


def _known(world: World, merchant: Merchant) -> None:
    lines = [{"line_number": 1, "item_number": ITEM, "quantity": 9}]
    warehouse.expect(world.ground, merchant.house, Announced("PO-8", {}, lines, world.now()))


def purchase(number: str, quantity: int = 40) -> Expected:
    return Expected(
        source=System.NETSUITE,
        account="TSTDRV1001",
        source_id="77",
        kind="purchase",
        number=number,
        vendor="Ridgeline Supply",
        expected_at=START + timedelta(days=3),
        changed_at="1",
        lines=(
            ExpectedLine(line=1, sku=ITEM, quantity=quantity),
            ExpectedLine(line=2, sku=ITEM, quantity=1, closed=True),
        ),
    )


def _announced(number: str, quantity: int) -> Any:
    def count(_: World, merchant: Merchant) -> int:
        found = merchant.house.expected.get(number)
        return int(found is not None and [line["quantity"] for line in found.lines] == [quantity])

    return count


def _has(number: str) -> Any:
    return lambda _, merchant: int(number in merchant.house.orders)


CALLS: Final[dict[str, Call]] = {
    "submit": Call(Capability.SUBMIT, lambda dcl, _: dcl.submit([batch_order("TS-9")]), done=_has("TS-9")),
    "submit_partly": Call(
        Capability.SUBMIT,
        lambda dcl, _: dcl.submit([batch_order("TS-9"), batch_order("TS-10", item="NOPE")]),
        done=_has("TS-9"),
    ),
    "submit_what_is_there": Call(
        Capability.SUBMIT,
        lambda dcl, _: dcl.submit([batch_order("TS-1", 12), batch_order("TS-3"), batch_order("TS-9")]),
        prepare=_three,
        done=_has("TS-9"),
    ),
    "orders_by_number": Call(
        Capability.SUBMIT, lambda dcl, _: dcl.orders(numbers=["TS-1", "TS-3", "TS-4"]), prepare=_three, lists="orders"
    ),
    "orders_shipped_since": Call(
        Capability.SUBMIT,
        lambda dcl, _: dcl.orders(modified_from=START, state=WarehouseState.SHIPPED),
        prepare=_three,
        lists="orders",
    ),
    "orders_canceled": Call(
        Capability.SUBMIT, lambda dcl, _: dcl.orders(state=WarehouseState.CANCELED), prepare=_three, lists="orders"
    ),
    "orders_in_pages": Call(
        Capability.SUBMIT, lambda dcl, _: [one.order_ref for one in dcl.orders()], prepare=_many, lists="orders"
    ),
    "announce": Call(Capability.ANNOUNCE, lambda dcl, _: dcl.announce(purchase("PO-7")), done=_announced("PO-7", 40)),
    "amend": Call(
        Capability.ANNOUNCE,
        lambda dcl, _: dcl.announce(purchase("PO-8", 25)),
        prepare=_known,
        done=_announced("PO-8", 25),
        match={"method": "PUT"},
    ),
    "receipts": Call(Capability.RECEIPTS, lambda dcl, _: dcl.receipts(START), prepare=_received, lists="receipts"),
    "items": Call(
        Capability.STOCK,
        lambda dcl, _: [one for one in dcl.items() if one.sku.startswith("TH-FELL")],
        prepare=_three,
        lists="items",
    ),
}

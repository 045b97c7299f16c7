"""What must hold after whatever struck: between the shop, the ERP, the warehouse, our own shop and our rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from engine.checks import broken_rules
from engine.payments.models import Alert
from engine.sync import exceptions
from engine.sync.alerts import WAREHOUSE_CANCELED
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite import sales
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.shopify.state import Order, Variant
from engine.sync.work_models import ExceptionStatus
from engine.workflows.models import CursorRow

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

OURS: Final = "IC-"
"""How the ERP's names of our own orders begin."""


def what_is_wrong(scene: Stage) -> list[str]:
    """Invariants that do not hold, in words; nothing: all do."""
    return [*between_systems(scene), *_rows(scene)]


def between_systems(scene: Stage) -> list[str]:
    """Of those, what does not fit between the systems."""
    return [
        *_orders(scene.merchant),
        *_our_orders(scene),
        *_parcels(scene.merchant),
        *_bills(scene.merchant),
        *_money(scene.merchant),
        *_stock(scene),
        *_told(scene),
    ]


def _orders(merchant: Merchant) -> Iterator[str]:
    """One sales order per order, its quantities alike; none of what was canceled."""
    made: dict[str, list[Record]] = {}
    for one in merchant.account.kind("salesOrder").values():
        made.setdefault(str(one.fields.get("otherRefNum", "")), []).append(one)
    for order in merchant.shop.state.orders.values():
        its = [one for one in made.get(order.name, []) if one.status != "H"]
        wanted = 0 if order.cancelled_at or order.test else 1
        if len(its) != wanted:
            yield f"{order.name} is {len(its)} sales orders, not {wanted}"
        elif its:
            sold = sum(line.current for line in order.lines)
            there = _goods(its[0])
            if sold != there:
                yield f"{order.name} has {sold} pieces, and {there} in the ERP"


def _our_orders(scene: Stage) -> Iterator[str]:
    """As of the platform's."""
    made = scene.merchant.account.kind("salesOrder").values()
    for number, units in scene.ours.wanted().items():
        its = [one for one in made if one.external_id == f"{OURS}{number}" and one.status != "H"]
        there = sum(_goods(one) for one in its)
        if (len(its), there) != (int(units > 0), units):
            yield f"our order {number} of {units} is {len(its)} sales orders of {there}"


def _goods(order: Record) -> Decimal:
    return sum((line.quantity for line in order.lines if not line.charge), Decimal(0))


def _parcels(merchant: Merchant) -> Iterator[str]:
    """One fulfillment per shipment of the warehouse, each tracking number once, no more than was ordered."""
    account, numbers = merchant.account, Counter[str]()
    for order in merchant.shop.state.orders.values():
        numbers.update(one["number"] for parcel in order.fulfillments for one in parcel.tracking if one.get("number"))
        for line in order.lines:
            if line.fulfilled > line.quantity:
                yield f"{order.name}: {line.fulfilled} of {line.quantity} left"
    yield from (f"tracking number {number} is there {times} times" for number, times in numbers.items() if times > 1)
    shipments = sum(len(order.shipments) for order in merchant.house.orders.values())
    fulfilled = [one for one in account.kind("itemFulfillment").values() if _parent(one) == "salesOrder"]
    if shipments != len(fulfilled):
        yield f"{shipments} shipments are {len(fulfilled)} fulfillments"
    sent = {
        package["tracking_number"]
        for order in merchant.house.orders.values()
        for shipment in order.shipments
        for package in shipment["packages"]
    }
    if not set(numbers) <= sent:
        yield f"the shop knows parcels that never left: {sorted(set(numbers) - sent)}"
    for one in account.kind("salesOrder").values():
        for line in one.lines:
            if line.done > line.quantity:
                yield f"sales order {one.id}: {line.done} of {line.quantity} left"
    received = {str(one["receipt_id"]) for one in merchant.house.receipts}
    if len(received) != len(account.kind("itemReceipt")):
        yield f"{len(received)} receipts of the warehouse are {len(account.kind('itemReceipt'))} in the ERP"


def _parent(record: Record) -> str:
    return record.parent.kind if record.parent else ""


def _told(scene: Stage) -> Iterator[str]:
    """Each parcel is known to whoever sold it: the shop, or ours."""
    shop = {
        one.get("number")
        for order in scene.merchant.shop.state.orders.values()
        for parcel in order.fulfillments
        for one in parcel.tracking
    }
    ours = scene.ours.tracking()
    yield from (f"tracking number {one} is ours {times} times" for one, times in ours.items() if times > 1)
    for order in scene.merchant.house.orders.values():
        sent = [one["tracking_number"] for shipment in order.shipments for one in shipment["packages"]]
        yield from (f"nobody was told of parcel {one} of {order.number}" for one in sent if one not in shop | set(ours))
        if order.cancelled and order.number in scene.called_off and order.number not in _alerted(scene):
            yield f"nobody was told that the warehouse called {order.number} off"


def _alerted(scene: Stage) -> set[str]:
    with scene.runtime.unit_of_work(scene.tenant.id) as session:
        query = select(Alert.subject).where(Alert.tenant_id == scene.tenant.id, Alert.kind == WAREHOUSE_CANCELED)
        return set(session.scalars(query))


def _bills(merchant: Merchant) -> Iterator[str]:
    """Invoices or cash sales, never both; what left wholly is billed; nothing bears a name twice."""
    account = merchant.account
    of: dict[int, Counter[str]] = {}
    for kind in ("invoice", "cashSale"):
        for bill in account.kind(kind).values():
            if bill.parent is not None:
                of.setdefault(bill.parent.id, Counter())[kind] += 1
    yield from (f"sales order {one} has invoices and cash sales" for one, kinds in of.items() if len(kinds) > 1)
    for order in account.kind("salesOrder").values():
        if order.status == "F":
            yield f"sales order {order.id} left and is not billed"
    for kind in ("invoice", "cashSale", "itemFulfillment", "itemReceipt", "customerPayment", "creditMemo"):
        names = Counter(one.external_id for one in account.kind(kind).values())
        yield from (f"{kind} {name} is there {times} times" for name, times in names.items() if times > 1)


def _money(merchant: Merchant) -> Iterator[str]:
    """What was paid in the shop is on the invoice, to the cent, and what was given back of it is credited."""
    account = merchant.account
    paid: Counter[str] = Counter()
    for payment in account.kind("customerPayment").values():
        for row in payment.sublists.get("apply", []):
            paid[str(row["doc"]["id"])] += row["amount"]
    shop = {order.name: order for order in merchant.shop.state.orders.values()}
    for bill in account.kind("invoice").values():
        total, came = sales.total(bill), Decimal(paid[str(bill.id)])
        if came != total or bill.status != "B":
            yield f"invoice {bill.id} of {total} has payments of {came}"
        order = shop.get(str(bill.fields.get("otherRefNum", "")))
        if order is not None:
            yield from _given_back(account, order)


def _given_back(account: Any, order: Order) -> Iterator[str]:
    """Of an order that was invoiced."""
    back = sum(one.amount.shop for one in order.transactions if one.kind == "REFUND")
    names = {f"REF-{one.id}" for one in order.transactions if one.kind == "REFUND"}
    given = [one for one in account.kind("creditMemo").values() if one.external_id in names]
    credited = sum((sales.total(one) for one in given), Decimal(0))
    if credited * 100 != back:
        yield f"{order.name}: {back} cents went back, and {credited} are credited"


def _stock(scene: Stage) -> Iterator[str]:
    """Shop = ERP - safety - what we promised and the ERP does not know, place by place in sum; of a bundle what can
    be put together at each place of what the shop has there.
    """
    account, shop = scene.merchant.account, scene.merchant.shop.state
    items = {str(one.fields["itemId"]): one.id for one in account.kind("inventoryItem").values()}
    kits = {str(one.fields["itemId"]): one for one in account.kind("kitItem").values()}
    owed = scene.ours.unknown_to(account)
    for variant in shop.variants.values():
        if variant.components:
            continue
        there = sum(level.available for level in variant.levels.values())
        if variant.sku in kits:
            wanted = sum(
                _buildable(kits[variant.sku], shop.variants.values(), items, place) for place in variant.levels
            )
        else:
            places = (kept for (item, _), kept in account.balances.items() if item == items[variant.sku])
            have = sum(max(0, int(kept.available)) for kept in places)
            wanted = max(0, have - scene.safety - owed[variant.sku])
        if there != wanted:
            yield f"{variant.sku}: the shop has {there}, and should have {wanted}"


def _buildable(kit: Record, variants: Any, items: dict[str, int], place: int) -> int:
    by_item: dict[int, Variant] = {items[one.sku]: one for one in variants if one.sku in items}
    members = [(by_item[int(row["item"]["id"])], row["quantity"]) for row in kit.sublists["member"]]
    return min(int(one.levels[place].available // each) if place in one.levels else 0 for one, each in members)


def _rows(scene: Stage) -> Iterator[str]:
    """What ``icommerce check`` finds, and what a person has left to do."""
    with scene.runtime.unit_of_work(scene.tenant.id) as session:
        for row in exceptions.listed(session, scene.tenant.id, status=ExceptionStatus.OPEN, limit=200).items:
            yield f"{row.workflow_id} waits for a person: {row.code} {row.reason}"
        for cursor in session.scalars(select(CursorRow).where(CursorRow.tenant_id == scene.tenant.id)):
            if cursor.failures:
                yield f"the poll of {cursor.workflow} fails: {cursor.error}"
    yield from (f"{one.name}: {one.detail}" for one in broken_rules(scene.runtime, scene.tenant.id, scene.tenant.slug))
    yield from (f"{run} is {where}" for run, where in scene.left().items())

"""What a demo shop sold before today: orders in every stage, with payments, books and stock behind them.

Nothing here changes what can be bought: units that are sold and still to be shipped were received for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.catalog.shop_file import (
    AddressRow,
    CardRow,
    CatalogFile,
    CustomerRow,
    PastOrderRow,
)
from engine.catalog.shop_file import (
    PastOrderStage as Stage,
)
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.compliance import service as compliance
from engine.demo import afterwards
from engine.demo.ledger import Ledger, Row
from engine.demo.payouts import add_payouts
from engine.demo.people import TEST_REFS, WALLET_REFS
from engine.finance import postings
from engine.inventory.models import MovementKind, Reservation, ReservationStatus
from engine.inventory.service import Allocation
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.money import allocate
from engine.kit.policies import policy_of
from engine.orders.models import (
    AdjustmentKind,
    Order,
    OrderAdjustment,
    OrderLine,
    OrderStatus,
    Shipment,
    order_numbers,
)
from engine.payments.models import Payment, PaymentStatus, Refund, RefundStatus
from engine.payments.naming import method_label
from engine.shipping import service as shipping
from engine.tax import service as tax
from engine.warranties.policy import WarrantiesPolicy

GATEWAY: Final = "seed"
"""Payments of before our time: captured, and unknown to every gateway we have."""
_TO_SHIP: Final = frozenset({Stage.PAID, Stage.PARTLY_SHIPPED})
_ARRIVED: Final = frozenset({Stage.DELIVERED, Stage.PARTLY_RETURNED, Stage.RETURNED})


@dataclass(slots=True)
class _Line:
    """A line on its way: what of it was shipped, canceled, returned."""

    row: Row
    restrictions: list[str]
    tax_category: str
    weight_g: int

    @property
    def goods(self) -> int:
        return int(self.row["unit_price"] * self.row["ordered"])

    def net(self, quantity: int) -> int:
        """What some of its units were sold for, without tax."""
        within = self.share(self.row["tax"], quantity) if self.row["tax_included"] else 0
        return int(self.row["unit_price"] * quantity - within)

    @property
    def waiting(self) -> int:
        return int(self.row["ordered"] - self.row["canceled"] - self.row["shipped"])

    def share(self, amount: int, quantity: int) -> int:
        """The part of ``amount`` that ``quantity`` of the units stand for."""
        ordered = self.row["ordered"]
        return allocate(amount, [quantity, ordered - quantity])[0]


@dataclass(frozen=True, slots=True)
class _Shop:
    """What every past order needs to know."""

    ledger: Ledger
    people: Mapping[str, CustomerRow]
    customer_ids: Mapping[str, str]
    variants: Mapping[str, Any]
    home: str
    """Id of the location that shipped."""
    country: str
    prefix: str
    warranties: WarrantiesPolicy


@dataclass(slots=True)
class _Sale:
    """One past order while it is put together."""

    plan: PastOrderRow
    order: Row
    lines: list[_Line]
    shipping_amount: int
    payment_id: str
    at: datetime


def add_past_orders(
    session: Session,
    tenant_id: str,
    file: CatalogFile,
    customers: Mapping[str, str],
    variants: Mapping[str, str],
    locations: Mapping[str, str],
) -> int:
    """Insert the file's orders; returns the cost of the goods they took, for the opening entry."""
    if not file.orders:
        return 0
    ledger = Ledger(tenant_id, file.shop.currency)
    home = next((row.code for row in file.locations if row.ships), file.locations[0].code)
    shop = _Shop(
        ledger=ledger,
        people={row.email: row for row in file.customers},
        customer_ids=customers,
        variants={row.Variant.sku: row for row in session.execute(_wanted(tenant_id, file, variants))},
        home=locations[home],
        country=file.shop.country,
        prefix=file.shop.order_prefix,
        warranties=policy_of(session, tenant_id, WarrantiesPolicy),
    )
    oldest_first = sorted(file.orders, key=lambda plan: -plan.days_ago)
    for place, plan in enumerate(oldest_first):
        _act_out(
            shop,
            _sale(session, shop, plan, clock.now() - timedelta(days=plan.days_ago, hours=1, minutes=7 * place)),
        )
    add_payouts(ledger, GATEWAY)
    ledger.write(session)
    taken = ledger.rows[OrderLine]
    return sum(row["unit_cost"] * (row["ordered"] - row["canceled"]) for row in taken)


def _wanted(
    tenant_id: str, file: CatalogFile, variants: Mapping[str, str]
) -> Select[Variant, str, list[str], str, str, int]:
    ids = {variants[line.sku] for order in file.orders for line in order.lines}
    return (
        select(
            Variant,
            Product.title,
            Product.restrictions,
            Product.tax_category,
            Product.category,
            Product.warranty_months,
        )
        .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
        .where(Variant.tenant_id == tenant_id, Variant.id.in_(ids))
    )


def _sale(session: Session, shop: _Shop, plan: PastOrderRow, at: datetime) -> _Sale:
    """Price the order as the shop would have, and write what buying it left behind."""
    ledger, person = shop.ledger, shop.people[plan.customer]
    address, card = person.addresses[0], person.cards[0] if person.cards else None
    order_id, lines = new_id("order"), [_line(shop, line.sku, line.quantity) for line in plan.lines]
    rules = tax.rules_at(session, ledger.tenant_id, address.model_dump(), currency=ledger.currency)
    option = _option(session, shop, plan, address, lines)
    goods, fee = sum(line.goods for line in lines), option.amount if option else 0
    items = [tax.Item(line.tax_category, line.goods, line.row["ordered"]) for line in lines]
    bill = rules.bill(items, shipping=fee)
    for position, (line, one) in enumerate(zip(lines, bill.items, strict=True)):
        line.row |= {
            "order_id": order_id,
            "position": position,
            "tax": one.amount,
            "taxes": [part.told() for part in one.parts],
            "tax_included": rules.included,
        }
    taxed, fee_tax = bill.total, bill.shipping.amount
    charged = fee - (fee_tax if rules.included else 0)
    order = {
        "id": order_id,
        "number": f"{shop.prefix}-{session.execute(order_numbers.next_value()).scalar_one()}",
        "session_id": new_id("checkout"),
        "owner_id": shop.customer_ids[plan.customer],
        "customer_id": shop.customer_ids[plan.customer],
        "currency": ledger.currency,
        "totals": _totals(goods, option, taxed, rules),
        "total": goods + fee + (0 if rules.included else taxed),
        "tax": taxed,
        "tax_included": rules.included,
        "taxes": bill.by_jurisdiction(),
        "shipping": charged,
        "shipping_tax": fee_tax,
        "buyer": {"name": person.name, "email": person.email, "phone": person.phone},
        "ship_to": address.model_dump(),
        "fulfillment": _chosen(option),
        "placed_at": at,
        "updated_at": at,
    }
    sale = _Sale(plan, order, lines, charged, new_id("payment"), at)
    _pay(shop, sale, _method(card))
    return sale


def _line(shop: _Shop, sku: str, quantity: int) -> _Line:
    found = shop.variants[sku]
    variant: Variant = found.Variant
    row = {
        "tenant_id": shop.ledger.tenant_id,
        "id": new_id("order_line"),
        "product_id": variant.product_id,
        "variant_id": variant.id,
        "sku": sku,
        "title": found.title,
        "options": variant.options,
        "unit_price": variant.price,
        "unit_cost": variant.cost,
        "ordered": quantity,
        "canceled": 0,
        "allocated": quantity,
        "released": 0,
        "shipped": 0,
        "delivered": 0,
        "returned": 0,
    }
    return _Line(row, list(found.restrictions), found.tax_category, variant.weight_g)


def _option(
    session: Session, shop: _Shop, plan: PastOrderRow, address: AddressRow, lines: list[_Line]
) -> shipping.Option | None:
    parcel = shipping.Parcel(
        weight_g=sum(line.weight_g * line.row["ordered"] for line in lines),
        goods=sum(line.goods for line in lines),
        units=sum(line.row["ordered"] for line in lines),
        region=address.state,
        postal_code=address.postal_code,
        po_box=shipping.to_po_box(address.line_one),
    )
    items = [compliance.Item(line.row["title"], line.restrictions) for line in lines]
    place = compliance.Place(shop.country, address.country, address.state, po_box=parcel.po_box)
    offered = shipping.options(
        session,
        shop.ledger.tenant_id,
        parcel,
        country=address.country,
        ground_only=compliance.ground_only(items, place),
        currency=shop.ledger.currency,
    )
    return next((option for option in offered if option.id == plan.shipping), next(iter(offered), None))


def _totals(goods: int, option: shipping.Option | None, taxed: int, rules: tax.Rules) -> list[Row]:
    rows = [("items_base_amount", "Items", goods), ("subtotal", "Subtotal", goods)]
    if option:
        rows.append(("fulfillment", f"Shipping: {option.title}", option.amount))
    rows.append(("tax", f"{'Tax included' if rules.included else 'Tax'}: {rules.name}", taxed))
    on_top = 0 if rules.included else taxed
    rows.append(("total", "Total", goods + on_top + (option.amount if option else 0)))
    told: list[Row] = [{"type": kind, "display_text": words, "amount": amount} for kind, words, amount in rows]
    if rules.included:
        told[-2]["included"] = True
    return told


def _chosen(option: shipping.Option | None) -> Row:
    parts = ("id", "title", "carrier", "amount", "min_days", "max_days")
    return {part: getattr(option, part) for part in parts} if option else {}


def _method(card: CardRow | None) -> Row:
    brand, last4, wallet = (card.brand, card.last4, card.wallet) if card else ("visa", "4242", "")
    return {
        "gateway": GATEWAY,
        "ref": (WALLET_REFS if wallet else TEST_REFS)[brand],
        "brand": brand,
        "last4": last4,
        "label": method_label(brand, last4, wallet=wallet),
    }


def _pay(shop: _Shop, sale: _Sale, method: Row) -> None:
    ledger, order, at = shop.ledger, sale.order, sale.at
    ledger.add(
        CheckoutSession,
        id=order["session_id"],
        owner_id=order["owner_id"],
        status=SessionStatus.COMPLETED,
        currency=ledger.currency,
        lines=[{"variant_id": line.row["variant_id"], "quantity": line.row["ordered"]} for line in sale.lines],
        buyer=order["buyer"],
        ship_to=order["ship_to"],
        fulfillment_option_id=order["fulfillment"].get("id"),
        payment_method=method,
        created_at=at - timedelta(minutes=9),
        updated_at=at,
        expires_at=at + timedelta(hours=6),
    )
    ledger.add(
        Payment,
        id=sale.payment_id,
        session_id=order["session_id"],
        order_id=order["id"],
        gateway=GATEWAY,
        amount=order["total"],
        currency=ledger.currency,
        method={key: method[key] for key in ("brand", "last4", "label")},
        status=PaymentStatus.CAPTURED,
        created_at=at,
        settled_at=at,
    )
    if order["total"]:
        ledger.capture(sale.payment_id, order, at)
    ledger.post("capture", sale.payment_id, order["id"], at, postings.capture(order["total"], order["tax"]))


def _act_out(shop: _Shop, sale: _Sale) -> None:
    """Let happen what happened to the order since it was paid, and write its end state."""
    stage = sale.plan.stage
    if stage == Stage.CANCELED:
        _cancel(shop, sale)
    elif stage != Stage.PAID:
        _ship(shop, sale)
    if stage in _TO_SHIP:
        _reserve(shop, sale)
    if stage in {Stage.PARTLY_RETURNED, Stage.RETURNED}:
        _take_back(shop, sale, everything=stage == Stage.RETURNED)
    if stage in _ARRIVED:
        _promise(shop, sale)
    ended = {Stage.CANCELED: OrderStatus.CANCELED} | dict.fromkeys(_ARRIVED, OrderStatus.CLOSED)
    status = ended.get(stage, OrderStatus.OPEN)
    times = {
        "canceled_at": sale.at if status == OrderStatus.CANCELED else None,
        "closed_at": clock.now() if status == OrderStatus.CLOSED else None,
    }
    shop.ledger.add(Order, **sale.order, **times, status=status)
    shop.ledger.rows.setdefault(OrderLine, []).extend(line.row for line in sale.lines)


def _cancel(shop: _Shop, sale: _Sale) -> None:
    for line in sale.lines:
        line.row |= {"canceled": line.row["ordered"], "allocated": 0}
    sale.order |= {"shipping": 0, "shipping_tax": 0}
    _refund(shop, sale, sale.order["total"], sale.order["tax"], "Canceled before it was shipped.", shipped=False)


def _ship(shop: _Shop, sale: _Sale) -> None:
    """Send all that this stage says has left, in one parcel. Its first parcel earns the shipping fee."""
    ledger, at, shipment_id = shop.ledger, sale.at + timedelta(hours=22), new_id("shipment")
    sent = sale.lines
    if sale.plan.stage == Stage.PARTLY_SHIPPED and len(sent) > 1:
        sent = sent[:-1]
    arrived = sale.plan.stage in _ARRIVED
    for line in sent:
        line.row["released"] = line.row["shipped"] = line.row["ordered"]
        line.row["delivered"] = line.row["ordered"] if arrived else 0
        one = Allocation(line.row["variant_id"], shop.home, line.row["ordered"])
        ledger.move(one, MovementKind.RECEIPT, "history", sale.at, on_hand=one.quantity, reserved=0)
        ledger.move(one, MovementKind.SHIP, shipment_id, at, on_hand=-one.quantity, reserved=0)
    goods = sum(line.net(line.row["ordered"]) for line in sent)
    cost = sum(line.row["unit_cost"] * line.row["ordered"] for line in sent)
    amounts = postings.shipment(goods, 0, sale.shipping_amount, cost)
    ledger.post("shipment", shipment_id, sale.order["id"], at, amounts)
    ledger.add(
        Shipment,
        id=shipment_id,
        order_id=sale.order["id"],
        location_id=shop.home,
        carrier=sale.order["fulfillment"].get("carrier", "UPS"),
        tracking_number=_tracking_number(sale.order["number"]),
        lines=[{"order_line_id": line.row["id"], "quantity": line.row["ordered"]} for line in sent],
        **_journey(at, sale.order["fulfillment"].get("max_days", 4), arrived=arrived),
    )


def _tracking_number(order_number: str) -> str:
    return f"1ZDEMO{order_number.replace('-', '')}"


def _journey(at: datetime, days: int, *, arrived: bool) -> Row:
    told = [
        (timedelta(), "shipped", "Handed to the carrier"),
        (timedelta(hours=14), "in_transit", "On its way"),
    ]
    if arrived:
        told += [
            (timedelta(days=days, hours=-5), "out_for_delivery", "Out for delivery"),
            (timedelta(days=days), "delivered", "Delivered"),
        ]
    now = clock.now()
    events = [
        {"at": min(at + after, now).isoformat(), "status": status, "text": words}
        for after, status, words in told
        if arrived or at + after <= now or not after
    ]
    return {
        "status": "delivered" if arrived else "shipped",
        "events": events,
        "shipped_at": min(at, now),
        "delivered_at": min(at + timedelta(days=days), now) if arrived else None,
    }


def _reserve(shop: _Shop, sale: _Sale) -> None:
    """Units that are sold and wait to be shipped: received for it, and promised."""
    for line in sale.lines:
        if not line.waiting:
            continue
        one = Allocation(line.row["variant_id"], shop.home, line.waiting)
        shop.ledger.received.append(one)
        shop.ledger.move(one, MovementKind.RECEIPT, "history", sale.at, on_hand=one.quantity, reserved=0)
        shop.ledger.move(one, MovementKind.RESERVE, sale.payment_id, sale.at, on_hand=0, reserved=one.quantity)
        shop.ledger.add(
            Reservation,
            id=new_id("reservation"),
            variant_id=one.variant_id,
            location_id=one.location_id,
            quantity=one.quantity,
            status=ReservationStatus.COMMITTED,
            payment_id=sale.payment_id,
            order_line_id=line.row["id"],
            created_at=sale.at,
        )


def _promise(shop: _Shop, sale: _Sale) -> None:
    """Every unit that arrived has its warranty."""
    arrived = _arrival(sale)
    for line in sale.lines:
        product = shop.variants[line.row["sku"]]
        afterwards.promise(
            shop.ledger,
            shop.warranties,
            line.row,
            category=product.category,
            own_months=product.warranty_months,
            arrived=arrived,
        )


def _arrival(sale: _Sale) -> datetime:
    days = sale.order["fulfillment"].get("max_days", 4)
    return min(sale.at + timedelta(days=days, hours=22), clock.now())


def _take_back(shop: _Shop, sale: _Sale, *, everything: bool) -> None:
    """Goods came back and were not put on the shelf again; their price and tax went back to the customer."""
    backs: list[afterwards.Back] = []
    for line in sale.lines if everything else sale.lines[:1]:
        quantity = line.row["ordered"]
        if not everything and len(sale.lines) == 1 and quantity > 1:
            quantity -= 1
        line.row["returned"] = quantity
        taxed = line.share(line.row["tax"], quantity)
        fee = (sale.shipping_amount, sale.order["shipping_tax"]) if everything and not backs else (0, 0)
        backs.append(afterwards.Back(line.row, quantity, line.net(quantity), taxed, *fee))
    amount = sum(one.goods + one.tax + one.shipping + one.shipping_tax for one in backs)
    taxed = sum(one.tax + one.shipping_tax for one in backs)
    return_id = afterwards.take_back(shop.ledger, sale.order, backs, home=shop.home, at=_sent_back(sale))
    _refund(shop, sale, amount, taxed, f"return:{sale.order['number']}-R1", shipped=True, return_id=return_id)


def _sent_back(sale: _Sale) -> datetime:
    days = sale.order["fulfillment"].get("max_days", 4) + 6
    return min(sale.at + timedelta(days=days, hours=3), clock.now())


def _refund(
    shop: _Shop, sale: _Sale, amount: int, taxed: int, reason: str, *, shipped: bool, return_id: str | None = None
) -> None:
    at = _sent_back(sale) if shipped else min(sale.at + timedelta(hours=3), clock.now())
    refund_id = new_id("refund")
    shop.ledger.add(
        Refund,
        id=refund_id,
        payment_id=sale.payment_id,
        order_id=sale.order["id"],
        amount=amount,
        tax=taxed,
        unearned=0 if shipped else amount - taxed,
        currency=shop.ledger.currency,
        reason=reason,
        return_id=return_id,
        status=RefundStatus.SUCCEEDED,
        created_at=at,
        updated_at=at,
        settled_at=at,
    )
    shop.ledger.add(
        OrderAdjustment,
        id=new_id("adjustment"),
        order_id=sale.order["id"],
        kind=AdjustmentKind.RETURN if shipped else AdjustmentKind.CANCEL,
        amount=-amount,
        tax=-taxed,
        change_id=None,
        return_id=return_id,
        refund_id=refund_id,
        at=at,
    )
    amounts = postings.refund(amount, taxed, unearned=0 if shipped else amount - taxed)
    shop.ledger.post("refund", refund_id, sale.order["id"], at, amounts)

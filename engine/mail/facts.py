"""What letters may say of an order: its number, its goods, its sums and a part of its address. Never a way into it.

Whoever reads a letter has proven nothing: an e-mail address may be mistyped, and a letter is easily passed on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.digital.access import Access
from engine.fulfillment.carriers import PICKUP
from engine.inventory.models import Backorder
from engine.kit.money import format_minor
from engine.orders.models import Order, OrderChange, OrderLine, OrderStatus, Shipment
from engine.orders.money import OrderMoney
from engine.payments.models import Destination, Payment, Refund

Facts = dict[str, Any]
_OFF: Final = frozenset({"items_discount", "discount"})
"""Totals that are told without a sign and are taken off."""
_WAITS: Final = ("held", "waiting")


def of_order(order: Order, *, due: int | None = None) -> Facts:
    """``order``: number, day, total as it is due now, the masked address."""
    assert order.placed_at is not None
    return {
        "number": order.number,
        "placed_on": order.placed_at.date().isoformat(),
        "total": format_minor(order.total if due is None else due, order.currency),
        "address": masked_address(order.ship_to),
        "place": place_of(order.fulfillment),
        "held": order.status == OrderStatus.ON_HOLD,
    }


def place_of(way: Mapping[str, Any] | None) -> str:
    """Where an order is fetched: a place of the shop's, told in full; empty where it is sent."""
    place = (way or {}).get("place") or {}
    parts = [place.get(name) for name in ("name", "line_one", "city", "state", "postal_code")]
    return ", ".join(str(part) for part in parts if part)


def masked_address(address: Mapping[str, Any] | None) -> str:
    """Initials, city, state and country: enough to know whether it is the right one."""
    if not address:
        return ""
    initials = " ".join(f"{word[0]}." for word in str(address.get("name") or "").split())
    place = " ".join(str(address[part]) for part in ("city", "state") if address.get(part))
    return ", ".join(part for part in (initials, place, str(address.get("country") or "")) if part)


def items(lines: Iterable[OrderLine], currency: str, units: Mapping[str, int] | None = None) -> Facts:
    """The table of goods: the kept units of each line, or those of ``units`` by line."""
    rows = []
    for line in lines:
        count = line.ordered - line.canceled if units is None else units.get(line.id, 0)
        if count:
            rows.append([titled(line), str(count), format_minor(line.unit_price * count, currency)])
    return {"head": ["Item", "Quantity", "Price"], "rows": rows}


def titled(line: OrderLine) -> str:
    chosen = ", ".join(str(value) for value in line.options.values())
    return f"{line.title} ({chosen})" if chosen else line.title


def totals(order: Order) -> Facts:
    """The table of sums, as agreed to."""
    rows = []
    for row in order.totals:
        if row["type"] != "items_base_amount" and (row["amount"] or row["type"] in {"tax", "total"}):
            amount = -row["amount"] if row["type"] in _OFF else row["amount"]
            rows.append([row["display_text"], format_minor(amount, order.currency)])
    return {"head": ["", "Amount"], "rows": rows}


def that_wait(session: Session, tenant_id: str, order_ids: Collection[str]) -> set[str]:
    """Those of the orders of which something is sold ahead of its stock."""
    query = select(Backorder.order_id).where(
        Backorder.tenant_id == tenant_id, Backorder.order_id.in_(order_ids), Backorder.status.in_(_WAITS)
    )
    return set(session.scalars(query)) if order_ids else set()


def waiting(session: Session, order: Order, lines: Iterable[OrderLine]) -> Facts:
    """The table of what is sold ahead of its stock, with the day each was promised for."""
    named = {line.id: titled(line) for line in lines}
    query = select(Backorder).where(
        Backorder.tenant_id == order.tenant_id,
        Backorder.order_line_id.in_(named),
        Backorder.status.in_(_WAITS),
    )
    rows = []
    for row in session.scalars(query.order_by(Backorder.created_at, Backorder.id)):
        if left := row.quantity - row.allocated - row.canceled:
            promised = row.promised_on.isoformat() if row.promised_on else "not known yet"
            rows.append([named[row.order_line_id], str(left), promised])
    return {"head": ["Item", "Quantity", "Expected"], "rows": rows}


def parcel(shipment: Shipment, lines: Iterable[OrderLine]) -> Facts:
    """``parcel``: whether it is fetched, carrier, number, day, and how many kept units have not left yet."""
    return {
        "pickup": shipment.carrier == PICKUP,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "expected_on": shipment.expected_on.isoformat() if shipment.expected_on else "",
        "rest": sum(line.ordered - line.canceled - line.shipped for line in lines),
    }


def given(accesses: Iterable[Access]) -> Facts:
    """The table of what has no parcel: where it is had, by which codes, until when."""
    rows = []
    for one in accesses:
        until = f"good until {one.expires_at.date().isoformat()}" if one.expires_at else ""
        codes = f"code {', '.join(one.codes)}" if one.codes else ""
        rows.append([one.title, str(one.quantity), " - ".join(filter(None, (one.url, codes, until)))])
    return {"head": ["Item", "Quantity", "How to get it"], "rows": rows}


def notes(accesses: Iterable[Access]) -> str:
    """What the shop says of how to use it."""
    return " ".join(dict.fromkeys(one.instructions for one in accesses if one.instructions))


def paid_back_to(payment: Payment, refund: Refund) -> str:
    """Where a refund went, in words."""
    if refund.destination == Destination.STORE_CREDIT:
        return "your store credit"
    if refund.destination == Destination.ACCOUNT:
        return "your gift card or store credit"
    if refund.destination == Destination.METHOD:
        return "the other way to pay that you chose"
    return f"your {payment.method.get('label') or 'payment method'}"


def change(row: OrderChange, money: OrderMoney, currency: str) -> Facts:
    """``change``: what kind, what was charged or goes back for it, what is due now."""
    effect = row.quote.get("effect", {})

    def told(amount: int) -> str:
        return format_minor(amount, currency) if amount else ""

    return {
        "kind": str(row.kind),
        "message": row.message or "",
        "charged": told(effect.get("charge", 0)),
        "returned": told(effect.get("refund", 0)),
        "total": format_minor(money.due, currency),
    }

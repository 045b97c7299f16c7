"""Placing an order and what payment does to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Text, cast, insert, literal, update
from sqlalchemy.orm import Session

from engine.checkout.models import CheckoutSession
from engine.checkout.pricing import Quote
from engine.kit import clock
from engine.kit.ids import new_id
from engine.orders.models import Order, OrderLine, OrderStatus, order_numbers
from engine.orders.states import ORDER


def place(
    session: Session, checkout: CheckoutSession, quote: Quote, *, order_id: str, customer_id: str | None
) -> dict[str, str]:
    """Write the order as agreed to, waiting for its payment and invisible until then.

    Returns the order line of each variant.
    """
    option = quote.selected
    order = {
        "tenant_id": checkout.tenant_id,
        "id": order_id,
        "number": literal(f"{quote.shop.settings.get('order_prefix', 'IC')}-") + cast(order_numbers.next_value(), Text),
        "session_id": checkout.id,
        "owner_id": checkout.owner_id,
        "customer_id": customer_id,
        "thread_id": checkout.thread_id,
        "status": OrderStatus.PENDING_PAYMENT,
        "currency": checkout.currency,
        "totals": quote.totals(),
        "total": quote.total,
        "tax": quote.tax,
        "shipping": quote.shipping,
        "shipping_tax": quote.shipping_tax,
        "buyer": checkout.buyer,
        "ship_to": checkout.ship_to,
        "fulfillment": {
            "id": option.id,
            "title": option.title,
            "carrier": option.carrier,
            "amount": option.amount,
            "min_days": option.min_days,
            "max_days": option.max_days,
        }
        if option
        else {},
        "discount_codes": list(checkout.discount_codes),
    }
    session.execute(insert(Order).values(order))
    lines = _lines(checkout.tenant_id, order_id, quote)
    session.execute(insert(OrderLine), lines)
    return {line["variant_id"]: line["id"] for line in lines}


def mark_paid(session: Session, tenant_id: str, order_id: str) -> Order:
    """The money is there: the order is real and visible from now on."""
    order = session.get_one(Order, (tenant_id, order_id), with_for_update=True)
    order.status = ORDER.check(order.status, OrderStatus.OPEN)
    order.placed_at = order.updated_at = clock.now()
    order.version += 1
    return order


def abandon(session: Session, tenant_id: str, order_id: str) -> None:
    """The payment came to nothing: the order never was."""
    order = session.get_one(Order, (tenant_id, order_id), with_for_update=True)
    order.status = ORDER.check(order.status, OrderStatus.CANCELED)
    order.updated_at = clock.now()
    order.version += 1
    session.execute(
        update(OrderLine).where(OrderLine.tenant_id == tenant_id, OrderLine.order_id == order_id).values(allocated=0)
    )


def _lines(tenant_id: str, order_id: str, quote: Quote) -> list[dict[str, Any]]:
    return [
        {
            "tenant_id": tenant_id,
            "id": new_id("order_line"),
            "order_id": order_id,
            "position": position,
            "product_id": line.product_id,
            "variant_id": line.variant_id,
            "sku": line.sku,
            "title": line.title,
            "options": line.options,
            "unit_price": line.unit_price,
            "unit_cost": line.unit_cost,
            "ordered": line.quantity,
            "allocated": line.quantity,
            "discount": line.discount,
            "tax": line.tax,
        }
        for position, line in enumerate(quote.lines)
    ]

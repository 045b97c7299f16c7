"""Views cut down to what a model needs to know and say: money as text, no pictures, nothing internal."""

from __future__ import annotations

from typing import Any

from engine.carts.schemas import CartView
from engine.catalog.schemas import ProductDetail, ProductView
from engine.checkout.schemas import CheckoutView
from engine.kit.money import format_minor
from engine.orders.schemas import OrderView


def product(view: ProductView) -> dict[str, Any]:
    return {
        "id": view.id,
        "title": view.title,
        "category": view.category,
        "brand": view.brand,
        "price": str(view.price),
        "rating": f"{view.rating // 10}.{view.rating % 10}" if view.rating else None,
        "in_stock": any(variant.available for variant in view.variants),
        "options": view.options,
        "variants": [
            {"id": v.id, "options": v.options, "price": str(v.price), "available": v.available} for v in view.variants
        ],
    }


def product_detail(view: ProductDetail) -> dict[str, Any]:
    return product(view) | {
        "description": view.description,
        "features": view.features,
        "materials": view.materials,
        "compatibility": view.compatibility,
        "care": view.care,
        "attributes": view.attributes,
        "restrictions": view.restrictions,
        "warranty_months": view.warranty_months,
        "weight_g": view.weight_g,
        **_where_said(view),
    }


def _where_said(view: ProductDetail) -> dict[str, Any]:
    """Facts that few products have, where they are."""
    facts = {name: getattr(view, name) for name in ("constraints", "safety", "units", "dimensions", "faqs")}
    return {name: value for name, value in facts.items() if value}


def cart(view: CartView) -> dict[str, Any]:
    return {
        "lines": [
            {
                "variant_id": line.variant_id,
                "product_id": line.product_id,
                "title": line.title,
                "options": line.options,
                "quantity": line.quantity,
                "unit_price": str(line.unit_price) if line.unit_price else None,
                "line_total": str(line.line_total) if line.line_total else None,
                "available": line.available,
            }
            for line in view.lines
        ],
        "total": str(view.total),
        "item_count": view.item_count,
        "discount_codes": view.discount_codes,
        "notices": view.notices,
    }


def checkout(view: CheckoutView) -> dict[str, Any]:
    return {
        "session_id": view.id,
        "status": view.status,
        "lines": [{"title": line.title, "options": line.options, "quantity": line.quantity} for line in view.lines],
        "totals": {total.type: format_minor(total.amount, view.currency) for total in view.totals},
        "total": str(view.total),
        "buyer": view.buyer.model_dump(),
        "ship_to": view.ship_to.model_dump() if view.ship_to else None,
        "fulfillment_options": [
            {
                "id": option.id,
                "title": option.title,
                "price": format_minor(option.amount, view.currency),
                "days": f"{option.min_days}-{option.max_days}",
                "selected": option.selected,
            }
            for option in view.fulfillment_options
        ],
        "payment_method": view.payment_method.label if view.payment_method else None,
        "discount_codes": view.discount_codes,
        "missing": view.missing,
        "problems": view.problems,
    } | _waits_and_tenders(view)


def _waits_and_tenders(view: CheckoutView) -> dict[str, Any]:
    """What ships later, and what stored value pays; nothing for a checkout with neither."""
    more: dict[str, Any] = {}
    if notices := [line.notice for line in view.lines if line.notice]:
        more["notices"] = notices
    if view.tenders:
        more["tenders"] = {one.label: format_minor(one.amount, view.currency) for one in view.tenders}
        more["due"] = str(view.due)
    return more


def order(view: OrderView) -> dict[str, Any]:
    return {
        "id": view.id,
        "number": view.number,
        "placed": view.created_at.date().isoformat(),
        "status": view.status,
        "payment": view.payment_status,
        "fulfillment": view.fulfillment_status,
        "total": str(view.total),
        "lines": [{"title": line.title, "quantity": line.ordered} for line in view.lines],
        "shipments": [
            {
                "carrier": shipment.carrier,
                "tracking_number": shipment.tracking_number,
                "status": shipment.status,
                "items": [f"{line.quantity} x {line.title}" for line in shipment.lines],
                "last_event": shipment.events[-1].text if shipment.events else "",
                "delivered": shipment.delivered_at.date().isoformat() if shipment.delivered_at else None,
            }
            for shipment in view.shipments
        ],
        "refunds": [format_minor(a.amount, view.total.currency) for a in view.adjustments if a.type == "refund"],
    }

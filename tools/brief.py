"""Views cut down to what a model needs to know and say: money as text, no pictures, nothing internal."""

from __future__ import annotations

from typing import Any

from engine.carts.schemas import CartView
from engine.catalog.schemas import ProductDetail, ProductView
from engine.checkout.schemas import CheckoutView
from engine.kit.money import format_minor
from engine.orders.changes.schemas import ChangeLineView, ChangeView
from engine.orders.schemas import OrderView
from engine.returns.schemas import ReturnableLineView, ReturnableView


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


NOTE_OF_CARD = "Say what it would do and that they press Yes or No on the card. Nothing has been changed."


def change(view: ChangeView) -> dict[str, Any]:
    """A quote in words and amounts: only what it moves."""
    amounts = {
        "charge": view.charge,
        "refund": view.refund,
        "kept_fee": view.kept_fee,
        "set_aside": view.set_aside,
        "bank_gave_back_before": view.bank_gave,
        "balance_after": view.balance_after,
    }
    told: dict[str, Any] = {"order": view.order_number, "kind": view.kind, "status": view.status}
    told |= {name: str(price) for name, price in amounts.items() if price.amount}
    for name, rows in (("ends", view.ended), ("comes", view.added), ("sent_back", view.returned)):
        if rows:
            told[name] = [_changed(row) for row in rows]
    if view.refund.amount or view.terms:
        told["refund_to"] = view.refund_label or view.refund_to.replace("_", " ")
    if view.payment_method:
        told["pays_with"] = view.payment_method.label
    if view.ship_to:
        told["ship_to"] = view.ship_to.model_dump()
    if view.fulfillment:
        told["shipping"] = view.fulfillment.title
    if view.terms:
        told["terms"] = _terms(view)
    if view.needs_partner:
        told["needs_warehouse"] = True
    total = next((row.amount for row in view.totals if row.type == "total"), None)
    if total is not None and not view.terms:
        told["order_total_after"] = format_minor(total, view.difference.currency)
    return told | {"card": "shown", "valid_until": f"{view.expires_at:%H:%M} UTC", "note": NOTE_OF_CARD}


def _changed(row: ChangeLineView) -> dict[str, Any]:
    told = {"title": row.title, "options": row.options, "quantity": row.quantity, "total": str(row.total)}
    return told | ({"notice": row.notice} if row.notice else {})


def _terms(view: ChangeView) -> dict[str, Any]:
    terms = view.terms
    assert terms is not None
    return {
        "goes_back": str(terms.refund),
        "when": "at once" if terms.keep else f"when the goods are {terms.refund_at.replace('_', ' ')}",
        "fee": str(terms.fee),
        "shipping_back": str(terms.shipping),
        "keep_the_goods": terms.keep,
        "shop_looks_first": terms.reviewed,
        "label_paid_by": terms.label,
        "send_within_days": terms.send_within_days,
    }


def returnable(view: ReturnableView) -> dict[str, Any]:
    """What can come back, for the reasons that count."""
    return {
        "possible": view.possible,
        "message": view.message,
        "lines": [_returnable(line) for line in view.lines],
        "reasons": {one.code: one.text for one in view.reasons},
        "shop_fault_reasons": [one.code for one in view.reasons if one.shop_fault],
        "conditions": view.conditions,
        "refund_to": view.refund_to,
        "exchanges": view.exchanges,
    }


def _returnable(line: ReturnableLineView) -> dict[str, Any]:
    told: dict[str, Any] = {
        "line_id": line.line_id,
        "variant_id": line.variant_id,
        "title": line.title,
        "options": line.options,
        "units": line.units,
        "units_if_shop_fault": line.units_for_fault,
        "worth": str(line.worth),
        "until": line.until.date().isoformat() if line.until else None,
    }
    if line.message:
        told["why_not"] = line.message
    if line.parts:
        told["parts"] = [one.model_dump() for one in line.parts]
    return told

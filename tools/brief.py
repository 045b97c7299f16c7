"""Views cut down to what a model needs to know and say: money as text, no pictures, nothing internal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from engine.carts.schemas import CartView
from engine.catalog.schemas import ProductDetail, ProductView, VariantView
from engine.checkout.outlook import Outlook
from engine.checkout.schemas import CheckoutView
from engine.customers.known import Profile, Way
from engine.kit.money import format_minor
from engine.orders.changes.allowed import Allowed
from engine.orders.changes.schemas import ChangeLineView, ChangeView
from engine.orders.schemas import OrderLineView, OrderView, ShipmentView
from engine.payments.stored_value_models import StoredValueAccount
from engine.shipping import digital
from engine.shipping.service import Option


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


_QUOTED_BY: Final = {
    "cancel": "quote_cancel",
    "address": "quote_address_change",
    "payment_method": "quote_payment_change",
    "items": "quote_item_change",
    "return": "quote_return",
}


def may(found: Allowed) -> dict[str, Any]:
    """What can be asked for now, by the tools that ask."""
    told: dict[str, Any] = {"can": [_QUOTED_BY[kind] for kind in found.changes]}
    return told | ({"cancel_reasons": dict(found.reasons)} if found.reasons else {})


def profile(found: Profile) -> dict[str, Any]:
    """Who somebody is, where they live and how they can pay."""
    customer, address = found.customer, found.address
    told = {"id": customer.id, "name": customer.name, "email": customer.email}
    told |= {name: getattr(customer, name) for name in ("given_name", "family_name") if getattr(customer, name)}
    parts = ("name", "line_one", "line_two", "city", "state", "postal_code", "country")
    place = {"ref": address.id} | {part: getattr(address, part) for part in parts} if address else None
    return told | {"default_address": place, "payment_methods": [_pays(one) for one in found.ways]}


def purse(row: StoredValueAccount) -> dict[str, str]:
    """A gift card or credit with what is on it."""
    return {"ref": row.id, "kind": str(row.kind), "balance": format_minor(row.balance, row.currency)} | (
        {"last4": row.last4} if row.last4 else {}
    )


def _pays(one: Way) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in ("ref", "kind", "label", "brand", "last4", "wallet")}
    told = {name: value for name, value in told.items() if value}
    if one.balance is None or one.currency is None:
        return told
    return told | {"balance": format_minor(one.balance, one.currency)}


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
        "shipments": [shipment(one) for one in view.shipments],
        "refunds": [format_minor(a.amount, view.total.currency) for a in view.adjustments if a.type == "refund"],
    }


def order_detail(view: OrderView) -> dict[str, Any]:
    """With the ids that a change names, where it goes, and what was or is being changed."""
    told = order(view) | {
        "lines": [_order_line(line) for line in view.lines],
        "totals": {total.display_text: format_minor(total.amount, view.total.currency) for total in view.totals},
        "ship_to": view.ship_to.model_dump() if view.ship_to else None,
        "shipping": view.fulfillment.title if view.fulfillment else None,
    }
    if view.due and view.due.amount != view.total.amount:
        told["total_now"] = str(view.due)
    if view.balance and view.balance.amount:
        told["balance"] = str(view.balance)
    if view.changes:
        told["changes"] = [{"kind": c.kind, "status": c.status, "message": c.message} for c in view.changes]
    if view.notes:
        told["notes"] = [{"by": note.author, "text": note.text} for note in view.notes]
    return told


def _order_line(line: OrderLineView) -> dict[str, Any]:
    told: dict[str, Any] = {
        "line_id": line.id,
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "title": line.title,
        "options": line.options,
        "quantity": line.ordered,
        "unit_price": str(line.unit_price),
    }
    counts = ("canceled", "shipped", "delivered", "returned")
    return told | {name: getattr(line, name) for name in counts if getattr(line, name)}


def shipment(view: ShipmentView) -> dict[str, Any]:
    return {
        "carrier": view.carrier,
        "tracking_number": view.tracking_number,
        "status": view.status,
        "items": [f"{line.quantity} x {line.title}" for line in view.lines],
        "last_event": view.events[-1].text if view.events else "",
        "delivered": view.delivered_at.date().isoformat() if view.delivered_at else None,
    }


def tracked(view: OrderView, promised: Mapping[str, date | None]) -> dict[str, Any]:
    """Where an order is; ``promised``: lines that wait for stock, and by when it was promised."""
    told: dict[str, Any] = {
        "order": view.number,
        "status": view.status,
        "fulfillment": view.fulfillment_status,
        "shipments": [shipment(one) | {"events": _last_events(one)} for one in view.shipments],
    }
    if view.fulfillment:
        told["shipping"] = view.fulfillment.title
    if view.fulfillment and view.fulfillment.latest:
        told["promised"] = _between(view.fulfillment.earliest, view.fulfillment.latest)
    left = [(line, line.ordered - line.canceled - line.shipped) for line in view.lines]
    told["not_shipped"] = [_not_shipped(line, units, promised) for line, units in left if units]
    return told


def _last_events(view: ShipmentView) -> list[str]:
    return [f"{event.at:%Y-%m-%d}: {event.text}" for event in view.events[-3:]]


def _not_shipped(line: OrderLineView, units: int, promised: Mapping[str, date | None]) -> dict[str, Any]:
    told: dict[str, Any] = {"title": line.title, "quantity": units}
    if line.id in promised:
        day = promised[line.id]
        told["waits_for_stock"] = f"expected by {day.isoformat()}" if day else "no day known"
    return told


def _between(earliest: str, latest: str) -> str:
    return earliest if earliest == latest else f"{earliest} to {latest}"


def outlook(item: ProductDetail, variant: VariantView, quantity: int, found: Outlook) -> dict[str, Any]:
    """Whether so much of it can be had, and when it would be there."""
    place = found.ship_to or {}
    told: dict[str, Any] = {
        "title": item.title,
        "variant_id": variant.id,
        "options": variant.options,
        "price": str(variant.price),
        "quantity": quantity,
        "in_stock": found.available,
        "to": " ".join(part for part in (place.get("state"), place.get("postal_code"), place.get("country")) if part),
        "ways": [_way(option, found.currency) for option in found.options],
    }
    if found.holds_until:
        told["if_ordered_by"] = f"{found.holds_until:%Y-%m-%d %H:%M %Z}"
    if found.problems:
        told["problems"] = list(found.problems)
    if found.notices:
        told["notices"] = list(found.notices)
    if not place and not found.options:
        told["note"] = "Ask for the postal code to say when it would arrive."
    others = [one for one in item.variants if one.id != variant.id and one.available]
    told["other_variants"] = [{"id": one.id, "options": one.options, "available": one.available} for one in others]
    return told


def outlook_card(item: ProductDetail, variant: VariantView, quantity: int, found: Outlook) -> dict[str, Any]:
    """The same as its shopper sees it: days to be written as the page writes them."""
    return {
        "title": item.title,
        "options": variant.options,
        "price": str(variant.price),
        "quantity": quantity,
        "in_stock": found.available,
        "ways": [_shown_way(option, found.currency) for option in found.options],
        "holds_until": found.holds_until.isoformat() if found.holds_until else None,
        "problems": list(found.problems),
        "notices": list(found.notices),
    }


def _shown_way(option: Option, currency: str) -> dict[str, Any]:
    days = {name: getattr(option, name) for name in ("earliest", "latest", "ready_by")}
    return {"title": option.title, "price": format_minor(option.amount, currency)} | days


def _way(option: Option, currency: str) -> dict[str, Any]:
    told: dict[str, Any] = {"title": option.title, "price": format_minor(option.amount, currency)}
    if option.fetched:
        return told | {"pick_up": True, "ready_by": option.ready_by}
    if option.type == digital.TYPE:
        return told | {"arrives": "at once, by e-mail"}
    told["arrives"] = _between(option.earliest, option.latest) if option.latest else f"{option.max_days} days"
    return told


NOTE_OF_CARD: Final = "Say what it would do and that they press Yes or No on the card. Nothing has been changed."


def change(view: ChangeView) -> dict[str, Any]:
    """A quote in words and amounts: only what it moves."""
    told: dict[str, Any] = {"order": view.order_number, "kind": view.kind, "status": view.status}
    told |= _moves(view)
    for name, rows in (("ends", view.ended), ("comes", view.added), ("sent_back", view.returned)):
        if rows:
            told[name] = [_changed(row) for row in rows]
    told |= _ways_of(view)
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
    return told | {"valid_until": f"{view.expires_at:%H:%M} UTC"}


def _moves(view: ChangeView) -> dict[str, str]:
    """Its amounts that are not nothing; of items that come for others always what they cost more."""
    amounts = {
        "charge": view.charge,
        "refund": view.refund,
        "kept_fee": view.kept_fee,
        "set_aside": view.set_aside,
        "bank_gave_back_before": view.bank_gave,
        "balance_after": view.balance_after,
    }
    told = {name: str(price) for name, price in amounts.items() if price.amount}
    if view.added:
        gone = sum(row.total.amount for row in (*view.ended, *view.returned))
        more = sum(row.total.amount for row in view.added) - gone
        told["difference"] = format_minor(more, view.difference.currency)
    return told


def _ways_of(view: ChangeView) -> dict[str, Any]:
    """What pays, and where money goes; of a gift card or credit what is on it before and after."""
    told: dict[str, Any] = {}
    if view.refund.amount or view.terms:
        told["refund_to"] = view.refund_label or view.refund_to.replace("_", " ")
    if view.payment_method:
        told["pays_with"] = view.payment_method.label
    if view.purse:
        told["on_it"] = {"what": view.purse.label, "now": str(view.purse.before), "after": str(view.purse.after)}
    return told


def _changed(row: ChangeLineView) -> dict[str, Any]:
    told = {"title": row.title, "options": row.options, "quantity": row.quantity, "total": str(row.total)}
    return told | ({"notice": row.notice} if row.notice else {})


def _terms(view: ChangeView) -> dict[str, Any]:
    terms = view.terms
    assert terms is not None
    later = {"charged_then": str(terms.to_charge)} if terms.to_charge else {}
    return later | {
        "goes_back": str(terms.refund),
        "when": "at once" if terms.keep else f"when the goods are {terms.refund_at.replace('_', ' ')}",
        "fee": str(terms.fee),
        "shipping_back": str(terms.shipping),
        "keep_the_goods": terms.keep,
        "shop_looks_first": terms.reviewed,
        "label_paid_by": terms.label,
        "send_within_days": terms.send_within_days,
    }

"""What webhooks carry: still the shape of the old REST resources, snake case and numeric ids."""

from __future__ import annotations

from typing import Any

from engine.sync.sandbox.hooks import stamp
from engine.sync.sandbox.shopify import pricing
from engine.sync.sandbox.shopify.state import (
    Bag,
    FulfilledLine,
    Fulfillment,
    Line,
    Order,
    Product,
    Refund,
    Return,
    ShippingLine,
    decimal,
)
from engine.sync.sandbox.wire import Json


def amount(bag: Bag) -> str:
    return decimal(bag.shop, bag.currency)


def money_set(bag: Bag) -> Json:
    shown = decimal(bag.presentment, bag.presentment_currency)
    return {
        "shop_money": {"amount": amount(bag), "currency_code": bag.currency},
        "presentment_money": {"amount": shown, "currency_code": bag.presentment_currency},
    }


def _both(name: str, bag: Bag) -> Json:
    return {name: amount(bag), f"{name}_set": money_set(bag)}


def order_body(order: Order) -> Json:
    """The order as ``orders/*`` carry it. Money is text; customer and addresses may be null."""
    return _head(order) | _state(order) | _money(order) | _parts(order)


def _head(order: Order) -> Json:
    return {
        "id": order.id,
        "admin_graphql_api_id": order.gid,
        "name": order.name,
        "number": order.number - 1000,
        "order_number": order.number,
        "confirmed": True,
        "test": order.test,
        "created_at": stamp(order.created_at),
        "processed_at": stamp(order.processed_at),
        "updated_at": stamp(order.updated_at),
        "cancelled_at": stamp(order.cancelled_at) if order.cancelled_at else None,
        "cancel_reason": order.cancel_reason.lower() if order.cancel_reason else None,
        "closed_at": stamp(order.closed_at) if order.closed_at else None,
        "currency": order.currency,
        "presentment_currency": order.presentment_currency,
        "email": order.email,
        "contact_email": order.email,
        "phone": order.phone,
        "note": order.note,
        "note_attributes": [{"name": one["key"], "value": one["value"]} for one in order.attributes],
        "po_number": order.po_number,
        "source_name": order.source_name,
        "tags": ", ".join(order.tags),
    }


def _state(order: Order) -> Json:
    sent = pricing.fulfillment_status(order)
    return {
        "financial_status": pricing.financial_status(order).lower(),
        "fulfillment_status": {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}.get(sent),
        "payment_gateway_names": sorted({one.gateway for one in order.transactions}),
        "location_id": None,
        "payment_terms": None,
        "merchant_of_record_app_id": None,
        "taxes_included": order.taxes_included,
        "tax_exempt": False,
        "duties_included": False,
        "estimated_taxes": False,
    }


def _money(order: Order) -> Json:
    goods = pricing.zero(order)
    for line in order.lines:
        goods += line.price.times(line.quantity)
    total, paid, back = pricing.total(order), pricing.paid(order), pricing.refunded(order)
    owed = total - paid + back if order.cancelled_at is None else pricing.zero(order)
    said = {
        "total_price": total,
        "subtotal_price": pricing.subtotal(order),
        "total_tax": pricing.taxes(order),
        "total_discounts": pricing.discounts(order),
        "total_line_items_price": goods,
        "current_total_price": pricing.current_total(order),
        "current_subtotal_price": pricing.subtotal(order) - pricing.refunded_goods(order),
        "current_total_tax": pricing.taxes(order),
        "current_total_discounts": pricing.discounts(order),
    }
    both: Json = {}
    for name, bag in said.items():
        both |= _both(name, bag)
    return both | {
        "total_shipping_price_set": money_set(pricing.shipping(order)),
        "total_outstanding": amount(owed),
        "total_tip_received": "0.00",
        "total_weight": 0,
    }


def _parts(order: Order) -> Json:
    return {
        "discount_codes": [_code(order, one) for one in order.discount_codes],
        "discount_applications": [_application(order, one) for one in order.discount_codes],
        "tax_lines": _tax_lines(pricing.tax_lines(order)),
        "line_items": [_line(line) for line in order.lines],
        "shipping_lines": [_shipping(line) for line in order.shipping],
        "shipping_address": _address(order.shipping_address),
        "billing_address": _address(order.billing_address),
        "customer": _customer(order),
        "fulfillments": [fulfillment_body(one) for one in order.fulfillments],
        "refunds": [refund_body(one) for one in order.refunds],
        "returns": [
            {"id": one.id, "admin_graphql_api_id": one.gid, "status": one.status.lower()} for one in order.returns
        ],
    }


def _code(order: Order, one: Json) -> Json:
    return {"code": one["code"], "amount": decimal(one["amount"], order.currency), "type": one["type"]}


def _application(order: Order, one: Json) -> Json:
    return {
        "type": "discount_code",
        "code": one["code"],
        "target_type": "line_item",
        "target_selection": "all",
        "allocation_method": "across",
        "value_type": one["type"],
        "value": decimal(one["amount"], order.currency),
        "title": one["code"],
    }


def _line(line: Line) -> Json:
    variant = line.variant
    left = line.unfulfilled
    return {
        "id": line.id,
        "admin_graphql_api_id": line.gid,
        "sku": line.sku,
        "variant_id": variant.id if variant else None,
        "product_id": variant.product.id if variant else None,
        "product_exists": variant is not None,
        "title": line.title,
        "variant_title": line.variant_title or None,
        "name": f"{line.title} - {line.variant_title}" if line.variant_title else line.title,
        "vendor": line.vendor,
        "quantity": line.quantity,
        "current_quantity": line.current,
        "fulfillable_quantity": left,
        "fulfillment_status": ("fulfilled" if not left else "partial") if line.fulfilled else None,
        "price": amount(line.price),
        "price_set": money_set(line.price),
        "total_discount": "0.00",
        "discount_allocations": [_allocation(bag) for bag in line.discounts],
        "tax_lines": _tax_lines(line.tax_lines),
        "duties": [],
        "grams": 0,
        "requires_shipping": line.requires_shipping,
        "taxable": line.taxable,
        "gift_card": line.gift_card,
        "properties": line.properties,
        "variant_inventory_management": "shopify" if variant and variant.tracked else None,
    }


def _allocation(bag: Bag) -> Json:
    return {"amount": amount(bag), "amount_set": money_set(bag), "discount_application_index": 0}


def _tax_lines(rows: list[Json]) -> list[Json]:
    return [
        {
            "title": one["title"],
            "rate": one["rate"],
            "price": amount(one["price"]),
            "price_set": money_set(one["price"]),
        }
        for one in rows
    ]


def _shipping(line: ShippingLine) -> Json:
    return {
        "id": line.id,
        "code": line.code,
        "title": line.title,
        "source": line.source,
        "price": amount(line.price),
        "price_set": money_set(line.price),
        "discounted_price": amount(line.price),
        "discounted_price_set": money_set(line.price),
        "carrier_identifier": None,
        "discount_allocations": [],
        "is_removed": False,
        "tax_lines": _tax_lines(line.tax_lines),
    }


def _address(kept: Json | None) -> Json | None:
    if kept is None:
        return None
    first, last = kept.get("firstName") or "", kept.get("lastName") or ""
    return {
        "first_name": first,
        "last_name": last,
        "name": f"{first} {last}".strip(),
        "company": kept.get("company"),
        "address1": kept.get("address1"),
        "address2": kept.get("address2"),
        "city": kept.get("city"),
        "province_code": kept.get("provinceCode"),
        "zip": kept.get("zip"),
        "country_code": kept.get("countryCode"),
        "phone": kept.get("phone"),
    }


def _customer(order: Order) -> Json | None:
    found = order.customer
    if found is None:
        return None
    return {
        "id": found.id,
        "admin_graphql_api_id": found.gid,
        "email": found.email,
        "first_name": found.first_name,
        "last_name": found.last_name,
        "phone": found.phone,
        "tags": ", ".join(found.tags),
    }


def fulfillment_body(made: Fulfillment) -> Json:
    numbers = [one["number"] for one in made.tracking]
    urls = [one["url"] for one in made.tracking if one["url"]]
    return {
        "id": made.id,
        "admin_graphql_api_id": made.gid,
        "order_id": made.order.id,
        "name": made.name,
        "status": "success",
        "created_at": stamp(made.created_at),
        "updated_at": stamp(made.updated_at),
        "location_id": made.location.id,
        "tracking_company": made.tracking[0]["company"] if made.tracking else None,
        "tracking_number": numbers[0] if numbers else None,
        "tracking_numbers": numbers,
        "tracking_url": urls[0] if urls else None,
        "tracking_urls": urls,
        "line_items": [_line(one.line) | {"quantity": one.quantity} for one in made.lines],
    }


def refund_body(made: Refund) -> Json:
    return {
        "id": made.id,
        "admin_graphql_api_id": made.gid,
        "order_id": made.order.id,
        "note": made.note,
        "created_at": stamp(made.created_at),
        "processed_at": stamp(made.created_at),
        "refund_line_items": [
            {
                "id": one.id,
                "line_item_id": one.line.id,
                "quantity": one.quantity,
                "restock_type": one.restock_type.lower(),
                "location_id": one.location.id if one.location else None,
                "subtotal": amount(one.subtotal),
                "subtotal_set": money_set(one.subtotal),
            }
            for one in made.lines
        ],
        "transactions": [_transaction(one) for one in made.order.transactions if one.kind == "REFUND"],
    }


def _transaction(one: Any) -> Json:
    return {
        "id": one.id,
        "kind": one.kind.lower(),
        "status": one.status.lower(),
        "gateway": one.gateway,
        "amount": amount(one.amount),
        "currency": one.amount.currency,
    }


def return_body(made: Return) -> Json:
    return {
        "id": made.id,
        "admin_graphql_api_id": made.gid,
        "name": made.name,
        "status": made.status.lower(),
        "order": {"id": made.order.id, "admin_graphql_api_id": made.order.gid},
        "return_line_items": [_return_line(sent, quantity, why) for sent, quantity, why in made.lines],
    }


def _return_line(sent: FulfilledLine, quantity: int, why: Json) -> Json:
    return {
        "quantity": quantity,
        "return_reason": why["reason"].lower(),
        "return_reason_note": why["note"],
        "fulfillment_line_item": {"id": sent.id, "line_item": {"id": sent.line.id}},
    }


def product_body(product: Product, currency: str) -> Json:
    """The product as ``products/update`` carries it."""
    return {
        "id": product.id,
        "admin_graphql_api_id": product.gid,
        "title": product.title,
        "handle": product.handle,
        "vendor": product.vendor,
        "product_type": product.product_type,
        "body_html": product.description_html,
        "status": "active",
        "tags": ", ".join(product.tags),
        "created_at": stamp(product.created_at),
        "updated_at": stamp(product.updated_at),
        "image": {"src": product.image_url} if product.image_url else None,
        "variants": [
            {
                "id": one.id,
                "admin_graphql_api_id": one.gid,
                "product_id": product.id,
                "title": one.title,
                "sku": one.sku,
                "price": decimal(one.price, currency),
                "inventory_item_id": one.item_id,
                "inventory_quantity": one.available(),
                "updated_at": stamp(one.updated_at or product.updated_at),
            }
            for one in product.variants
        ],
    }

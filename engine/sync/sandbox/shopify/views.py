"""How the schema's fields are read off a shop's things. What is not named here is the attribute of that name."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

from engine.sync.sandbox.hooks import stamp
from engine.sync.sandbox.shopify import pricing, searching
from engine.sync.sandbox.shopify.fulfilling import ACTIONS
from engine.sync.sandbox.shopify.listing import (
    ITEM_SEARCH,
    ORDER_KEYS,
    ORDER_SEARCH,
    PRODUCT_KEYS,
    PRODUCT_SEARCH,
    VARIANT_SEARCH,
)
from engine.sync.sandbox.shopify.mistakes import TopLevel
from engine.sync.sandbox.shopify.shop import Shop
from engine.sync.sandbox.shopify.state import (
    Bag,
    FulfillmentOrder,
    Line,
    Order,
    Variant,
    decimal,
)
from engine.sync.sandbox.wire import Json

View: TypeAlias = Callable[[Any, Json, Shop], Any]
_UPPER: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


def read(kind: str, name: str, thing: Any, args: Json, shop: Shop) -> Any:
    """The value of a field."""
    view = (
        FIELDS.get((kind, name)) or _EVERYWHERE.get(name) if not isinstance(thing, dict) else FIELDS.get((kind, name))
    )
    if view is not None:
        return view(thing, args, shop)
    if isinstance(thing, dict):
        return thing.get(name)
    return getattr(thing, _UPPER.sub(r"_\1", name).lower())


def kind_of(thing: Any) -> str:
    """The type of a thing behind an interface."""
    return str(thing["typename"] if isinstance(thing, dict) else thing.typename)


def iso(value: Any) -> Any:
    return stamp(value) if isinstance(value, datetime) else value


def money(minor: int, currency: str) -> Json:
    return {"amount": decimal(minor, currency), "currencyCode": currency}


def bag_json(bag: Bag) -> Json:
    return {
        "shopMoney": money(bag.shop, bag.currency),
        "presentmentMoney": money(bag.presentment, bag.presentment_currency),
    }


def page(found: Any, args: Json, shop: Shop, key: Callable[[Any], Any] | None = None) -> Json:
    return searching.connection(list(found), key or (lambda one: getattr(one, "id", 0)), args, halved=shop.halved)


def _paged(read_rows: Callable[[Any], Any]) -> View:
    return lambda thing, args, shop: page(read_rows(thing), args, shop)


def _plain(read_value: Callable[[Any], Any]) -> View:
    return lambda thing, _args, _shop: read_value(thing)


def _bag(read_value: Callable[[Any], Bag]) -> View:
    return lambda thing, _args, _shop: bag_json(read_value(thing))


def _address(read_value: Callable[[Any], Json | None]) -> View:
    def view(thing: Any, _args: Json, _shop: Shop) -> Json | None:
        kept = read_value(thing)
        if kept is None:
            return None
        first, last = kept.get("firstName") or "", kept.get("lastName") or ""
        named = {"id": "gid://shopify/MailingAddress/1", "name": f"{first} {last}".strip()}
        country = {"countryCodeV2": kept.get("countryCode"), "country": kept.get("countryCode")}
        return kept | named | country | {"province": kept.get("provinceCode")}

    return view


def _fulfillment_orders(order: Order, args: Json, shop: Shop) -> Json:
    return page(order.fulfillment_orders, args, shop)


def _orders(_root: Any, args: Json, shop: Shop) -> Json:
    found = filter(searching.matches(args.get("query"), ORDER_SEARCH), shop.state.orders.values())
    return page(found, args, shop, _sorted_by(args.get("sortKey") or "PROCESSED_AT", ORDER_KEYS))


def _sorted_by(name: str, keys: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    key = keys.get(name)
    if key is None:
        raise TopLevel(f"The sandbox does not sort by {name}.", "SANDBOX_UNSUPPORTED")
    return key


def _products(_root: Any, args: Json, shop: Shop) -> Json:
    found = filter(searching.matches(args.get("query"), PRODUCT_SEARCH), shop.state.products.values())
    return page(found, args, shop, _sorted_by(args.get("sortKey") or "ID", PRODUCT_KEYS))


def _variants(_root: Any, args: Json, shop: Shop) -> Json:
    found = filter(searching.matches(args.get("query"), VARIANT_SEARCH), shop.state.variants.values())
    keys = {"ID": lambda one: one.id, "SKU": lambda one: one.sku}
    return page(found, args, shop, _sorted_by(args.get("sortKey") or "ID", keys))


def _items(_root: Any, args: Json, shop: Shop) -> Json:
    found = filter(searching.matches(args.get("query"), ITEM_SEARCH), shop.state.variants.values())
    return page(found, args, shop)


def _locations(_root: Any, args: Json, shop: Shop) -> Json:
    wanted = [one for one in shop.state.locations.values() if one.is_active or args.get("includeInactive")]
    return page(wanted, args, shop, lambda one: one.name)


def _subscriptions(_root: Any, args: Json, shop: Shop) -> Json:
    topics, uri = args.get("topics"), args.get("uri")
    found = [one for one in shop.state.subscriptions.values() if not topics or one.topic in topics]
    return page([one for one in found if uri in {None, one.uri}], args, shop)


def _by_id(where: Callable[[Shop], dict[int, Any]], typename: str) -> View:
    def view(_root: Any, args: Json, shop: Shop) -> Any:
        head, _, tail = str(args["id"]).rpartition("/")
        if head != f"gid://shopify/{typename}":
            raise TopLevel("Invalid id: " + str(args["id"]), "RESOURCE_NOT_FOUND")
        return where(shop).get(int(tail)) if tail.isdigit() else None

    return view


def _shop(_root: Any, _args: Json, shop: Shop) -> Json:
    state = shop.state
    return {
        "id": "gid://shopify/Shop/1",
        "name": state.name,
        "myshopifyDomain": state.domain,
        "currencyCode": state.currency,
        "email": f"owner@{state.domain}",
        "ianaTimezone": "America/Denver",
    }


def _levels(variant: Variant, args: Json, shop: Shop) -> Json:
    rows = [_level(variant, place_id, shop) for place_id in variant.levels]
    return searching.connection(rows, lambda one: int(one["number"]), args, halved=shop.halved)


def _level(variant: Variant, place_id: int, shop: Shop) -> Json:
    kept = variant.levels[place_id]
    number = f"{variant.item_id}{place_id % 1000:03d}"
    at = kept.updated_at or variant.product.updated_at
    return {
        "number": number,
        "id": f"gid://shopify/InventoryLevel/{number}?inventory_item_id={variant.item_id}",
        "isActive": True,
        "item": variant,
        "location": shop.state.locations[place_id],
        "createdAt": at,
        "updatedAt": at,
        "kept": kept,
    }


def _one_level(variant: Variant, args: Json, shop: Shop) -> Json | None:
    tail = str(args["locationId"]).rpartition("/")[2]
    return _level(variant, int(tail), shop) if tail.isdigit() and int(tail) in variant.levels else None


def _quantities(level: Json, args: Json, _shop: Shop) -> list[Json]:
    known = {
        "available": level["kept"].available,
        "on_hand": level["kept"].on_hand,
        "committed": level["kept"].committed,
    }
    for name in args["names"]:
        if name not in known:
            raise TopLevel(f"The sandbox keeps no quantity {name!r}.", "SANDBOX_UNSUPPORTED")
    where = level["id"].replace("InventoryLevel", "InventoryQuantity")
    return [
        {"id": f"{where}&name={name}", "name": name, "quantity": known[name], "updatedAt": level["updatedAt"]}
        for name in args["names"]
    ]


def _changes(group: Json, args: Json, _shop: Shop) -> list[Json]:
    names = args.get("quantityNames")
    return [one for one in group["changes"] if not names or one["name"] in names]


def _tax_lines(carrier: Any) -> list[Json]:
    return [one | {"priceSet": bag_json(one["price"])} for one in carrier.tax_lines]


def _assigned(order: FulfillmentOrder) -> Json:
    place = order.location
    return place.address | {"name": place.name, "location": place}


def _unit_after(line: Line) -> Bag:
    return line.total().part(1, line.quantity)


def _image(product: Any) -> Json | None:
    if not product.image_url:
        return None
    return {"id": f"gid://shopify/ProductImage/{product.id}", "url": product.image_url, "altText": product.title}


def _bulk_url(operation: Any, _args: Json, shop: Shop) -> str | None:
    done = operation.status == "COMPLETED" and operation.result
    return f"{shop.origin}/shopify/{shop.state.domain}/_results/{operation.id}.jsonl" if done else None


_EVERYWHERE: Final[dict[str, View]] = {
    "id": lambda thing, _args, _shop: thing.gid,
    "legacyResourceId": lambda thing, _args, _shop: str(thing.id),
}
FIELDS: Final[dict[tuple[str, str], View]] = {
    ("QueryRoot", "shop"): _shop,
    ("QueryRoot", "orders"): _orders,
    ("QueryRoot", "order"): _by_id(lambda shop: shop.state.orders, "Order"),
    ("QueryRoot", "products"): _products,
    ("QueryRoot", "productVariants"): _variants,
    ("QueryRoot", "productVariant"): _by_id(lambda shop: shop.state.variants, "ProductVariant"),
    ("QueryRoot", "inventoryItems"): _items,
    ("QueryRoot", "inventoryItem"): _by_id(lambda shop: shop.state.items, "InventoryItem"),
    ("QueryRoot", "locations"): _locations,
    ("QueryRoot", "bulkOperation"): _by_id(lambda shop: shop.state.bulk_operations, "BulkOperation"),
    ("QueryRoot", "webhookSubscriptions"): _subscriptions,
    ("QueryRoot", "fulfillmentOrder"): _by_id(lambda shop: shop.state.fulfillment_orders, "FulfillmentOrder"),
    ("QueryRoot", "job"): lambda _root, args, shop: (
        {"id": args["id"], "done": True} if args["id"] in shop.state.jobs else None
    ),
    ("Location", "address"): _plain(lambda one: one.address),
    ("Location", "fulfillsOnlineOrders"): _plain(lambda one: one.is_active),
    ("Product", "status"): _plain(lambda _: "ACTIVE"),
    ("Product", "variants"): _paged(lambda one: one.variants),
    ("Product", "featuredImage"): _plain(_image),
    ("Product", "hasVariantsThatRequiresComponents"): _plain(lambda one: any(v.components for v in one.variants)),
    ("ProductVariant", "displayName"): _plain(lambda one: f"{one.product.title} - {one.title}"),
    ("ProductVariant", "barcode"): _plain(lambda _: None),
    ("ProductVariant", "image"): _plain(lambda one: _image(one.product)),
    ("ProductVariant", "price"): lambda one, _args, shop: decimal(one.price, shop.state.currency),
    ("ProductVariant", "inventoryQuantity"): _plain(lambda one: one.available()),
    ("ProductVariant", "inventoryItem"): _plain(lambda one: one),
    ("ProductVariant", "requiresComponents"): _plain(lambda one: bool(one.components)),
    ("ProductVariant", "productVariantComponents"): _paged(lambda one: one.components),
    ("ProductVariant", "selectedOptions"): _plain(
        lambda one: [{"name": name, "value": value} for name, value in one.options.items()]
    ),
    ("ProductVariant", "createdAt"): _plain(lambda one: one.product.created_at),
    ("ProductVariant", "updatedAt"): _plain(lambda one: one.updated_at or one.product.updated_at),
    ("ProductVariantComponent", "productVariant"): _plain(lambda one: one.variant),
    ("InventoryItem", "id"): _plain(lambda one: f"gid://shopify/InventoryItem/{one.item_id}"),
    ("InventoryItem", "legacyResourceId"): _plain(lambda one: str(one.item_id)),
    ("InventoryItem", "createdAt"): _plain(lambda one: one.product.created_at),
    ("InventoryItem", "updatedAt"): _plain(lambda one: one.updated_at or one.product.updated_at),
    ("InventoryItem", "unitCost"): lambda one, _args, shop: money(one.cost, shop.state.currency),
    ("InventoryItem", "inventoryLevel"): _one_level,
    ("InventoryItem", "inventoryLevels"): _levels,
    ("InventoryItem", "variant"): _plain(lambda one: one),
    ("InventoryLevel", "quantities"): _quantities,
    ("InventoryAdjustmentGroup", "changes"): _changes,
    ("InventoryAdjustmentGroup", "id"): _plain(lambda one: f"gid://shopify/InventoryAdjustmentGroup/{one['number']}"),
    ("Customer", "displayName"): _plain(lambda one: f"{one.first_name} {one.last_name}".strip()),
    ("Order", "number"): _plain(lambda one: one.number - 1000),
    ("Order", "confirmed"): _plain(lambda _: True),
    ("Order", "currencyCode"): _plain(lambda one: one.currency),
    ("Order", "presentmentCurrencyCode"): _plain(lambda one: one.presentment_currency),
    ("Order", "displayFinancialStatus"): _plain(pricing.financial_status),
    ("Order", "displayFulfillmentStatus"): _plain(pricing.fulfillment_status),
    ("Order", "totalPriceSet"): _bag(pricing.total),
    ("Order", "currentTotalPriceSet"): _bag(pricing.current_total),
    ("Order", "subtotalPriceSet"): _bag(pricing.subtotal),
    ("Order", "totalShippingPriceSet"): _bag(pricing.shipping),
    ("Order", "totalTaxSet"): _bag(pricing.taxes),
    ("Order", "totalDiscountsSet"): _bag(pricing.discounts),
    ("Order", "totalRefundedSet"): _bag(pricing.refunded),
    ("Order", "shippingAddress"): _address(lambda one: one.shipping_address),
    ("Order", "billingAddress"): _address(lambda one: one.billing_address),
    ("Order", "lineItems"): _paged(lambda one: one.lines),
    ("Order", "shippingLines"): _paged(lambda one: one.shipping),
    ("Order", "fulfillmentOrders"): _fulfillment_orders,
    ("Order", "fulfillments"): lambda one, args, _shop: one.fulfillments[: args.get("first") or None],
    ("Order", "transactions"): lambda one, args, _shop: one.transactions[: args.get("first") or None],
    ("Order", "refunds"): lambda one, args, _shop: one.refunds[: args.get("first") or None],
    ("Order", "returns"): _paged(lambda one: one.returns),
    ("Order", "customAttributes"): _plain(lambda one: one.attributes),
    ("Order", "metafields"): _paged(lambda one: one.metafields),
    ("LineItem", "name"): _plain(lambda one: f"{one.title} - {one.variant_title}" if one.variant_title else one.title),
    ("LineItem", "currentQuantity"): _plain(lambda one: one.current),
    ("LineItem", "unfulfilledQuantity"): _plain(lambda one: one.unfulfilled),
    ("LineItem", "refundableQuantity"): _plain(lambda one: one.current),
    ("LineItem", "isGiftCard"): _plain(lambda one: one.gift_card),
    ("LineItem", "product"): _plain(lambda one: one.variant.product if one.variant else None),
    ("LineItem", "originalUnitPriceSet"): _bag(lambda one: one.price),
    ("LineItem", "discountedUnitPriceSet"): _bag(_unit_after),
    ("LineItem", "originalTotalSet"): _bag(lambda one: one.price.times(one.quantity)),
    ("LineItem", "discountedTotalSet"): _bag(lambda one: one.total()),
    ("LineItem", "totalDiscountSet"): _bag(lambda one: one.discount()),
    ("LineItem", "discountAllocations"): _plain(
        lambda one: [{"allocatedAmountSet": bag_json(bag)} for bag in one.discounts]
    ),
    ("LineItem", "taxLines"): _plain(_tax_lines),
    ("LineItem", "customAttributes"): _plain(
        lambda one: [{"key": row["name"], "value": row["value"]} for row in one.properties]
    ),
    ("LineItem", "lineItemGroup"): _plain(lambda one: one.group),
    ("LineItemGroup", "customAttributes"): _plain(lambda _: []),
    ("LineItemGroup", "productId"): _plain(lambda one: one.variant.product.gid),
    ("LineItemGroup", "variantId"): _plain(lambda one: one.variant.gid),
    ("LineItemGroup", "variantSku"): _plain(lambda one: one.variant.sku),
    ("ShippingLine", "originalPriceSet"): _bag(lambda one: one.price),
    ("ShippingLine", "discountedPriceSet"): _bag(lambda one: one.price),
    ("ShippingLine", "taxLines"): _plain(_tax_lines),
    ("OrderTransaction", "amountSet"): _bag(lambda one: one.amount),
    ("OrderTransaction", "parentTransaction"): _plain(lambda one: one.parent),
    ("FulfillmentOrder", "requestStatus"): _plain(lambda one: "CLOSED" if one.status == "CLOSED" else "UNSUBMITTED"),
    ("FulfillmentOrder", "supportedActions"): _plain(
        lambda one: [{"action": action} for action in ACTIONS[one.status]]
    ),
    ("FulfillmentOrder", "assignedLocation"): _plain(_assigned),
    ("FulfillmentOrder", "lineItems"): _paged(lambda one: one.lines),
    ("FulfillmentOrder", "fulfillments"): _paged(lambda one: one.fulfillments),
    ("FulfillmentOrder", "fulfillmentHolds"): _plain(lambda one: one.holds),
    ("FulfillmentOrder", "orderId"): _plain(lambda one: one.order.gid),
    ("FulfillmentOrder", "orderName"): _plain(lambda one: one.order.name),
    ("FulfillmentOrder", "orderProcessedAt"): _plain(lambda one: one.order.processed_at),
    ("FulfillmentOrderLineItem", "lineItem"): _plain(lambda one: one.line),
    ("FulfillmentOrderLineItem", "totalQuantity"): _plain(lambda one: one.total),
    ("FulfillmentOrderLineItem", "remainingQuantity"): _plain(lambda one: one.remaining),
    ("FulfillmentOrderLineItem", "sku"): _plain(lambda one: one.line.sku),
    ("FulfillmentOrderLineItem", "requiresShipping"): _plain(lambda one: one.line.requires_shipping),
    ("FulfillmentOrderLineItem", "productTitle"): _plain(lambda one: one.line.title),
    ("FulfillmentOrderLineItem", "variant"): _plain(lambda one: one.line.variant),
    ("FulfillmentOrderLineItem", "inventoryItemId"): _plain(
        lambda one: f"gid://shopify/InventoryItem/{one.line.variant.item_id}" if one.line.variant else None
    ),
    ("Fulfillment", "status"): _plain(lambda _: "SUCCESS"),
    ("Fulfillment", "displayStatus"): _plain(lambda _: "FULFILLED"),
    ("Fulfillment", "totalQuantity"): _plain(lambda one: sum(line.quantity for line in one.lines)),
    ("Fulfillment", "requiresShipping"): _plain(lambda one: any(line.line.requires_shipping for line in one.lines)),
    ("Fulfillment", "trackingInfo"): lambda one, args, _shop: one.tracking[: args.get("first") or None],
    ("Fulfillment", "fulfillmentLineItems"): _paged(lambda one: one.lines),
    ("Fulfillment", "fulfillmentOrders"): _paged(
        lambda one: [parent for parent in one.order.fulfillment_orders if one in parent.fulfillments]
    ),
    ("FulfillmentLineItem", "lineItem"): _plain(lambda one: one.line),
    ("Refund", "totalRefundedSet"): _bag(lambda one: one.total),
    ("Refund", "processedAt"): _plain(lambda one: one.created_at),
    ("Refund", "updatedAt"): _plain(lambda one: one.created_at),
    ("Refund", "refundLineItems"): _paged(lambda one: one.lines),
    ("RefundLineItem", "lineItem"): _plain(lambda one: one.line),
    ("RefundLineItem", "subtotalSet"): _bag(lambda one: one.subtotal),
    ("Return", "totalQuantity"): _plain(lambda one: sum(quantity for _, quantity, _ in one.lines)),
    ("BulkOperation", "type"): _plain(lambda _: "MUTATION"),
    ("BulkOperation", "url"): _bulk_url,
    ("BulkOperation", "partialDataUrl"): _plain(lambda _: None),
    ("BulkOperation", "rootObjectCount"): _plain(lambda one: str(one.object_count)),
    ("BulkOperation", "objectCount"): _plain(lambda one: str(one.object_count)),
    ("BulkOperation", "fileSize"): _plain(lambda one: str(len(one.result)) if one.result else None),
    ("WebhookSubscription", "format"): _plain(lambda _: "JSON"),
    ("WebhookSubscription", "updatedAt"): _plain(lambda one: one.created_at),
}

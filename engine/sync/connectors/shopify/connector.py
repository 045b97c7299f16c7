"""Shopify as a storefront: orders, parcels, stock, products, and the letters that it sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import urlsplit

import orjson

from engine.sync import cartons
from engine.sync.canonical import OrderCreated, Parcel, Parcels, Product, Settlement, StockLevel
from engine.sync.client import VendorClient
from engine.sync.connectors.paging import each
from engine.sync.connectors.shopify import documents, letters, reading, shipping, wire
from engine.sync.connectors.shopify.asking import Asker, following
from engine.sync.connectors.shopify.documents import Operation
from engine.sync.connectors.shopify.reading import checked, gid, tail
from engine.sync.errors import Rejected
from engine.sync.models import Connection, System
from engine.sync.port import Capability, Said, StockChange, Told, Unread, Unreadable

T = TypeVar("T")
_SIGNATURE: Final = "x-shopify-hmac-sha256"
_SKUS_AT_ONCE: Final = 40
_PRODUCTS_AT_ONCE: Final = 8
_REASON: Final = "correction"


class ShopifyStorefront:
    """One shop. It keeps nothing but the currency of the shop."""

    system: ClassVar = System.SHOPIFY
    capabilities: ClassVar = frozenset(
        {
            Capability.ORDERS,
            Capability.WEBHOOKS,
            Capability.SUBSCRIPTIONS,
            Capability.TAGS,
            Capability.SHIPMENTS,
            Capability.STOCK,
            Capability.SET_STOCK,
            Capability.BUNDLES,
            Capability.PRODUCTS,
            Capability.SETTLEMENTS,
        }
    )
    hook_secret: ClassVar = "webhook_secret"  # noqa: S105 (its name)
    set_stock_most: ClassVar = 250

    def __init__(self, client: VendorClient, connection: Connection) -> None:
        self._client, self._asker = client, Asker(client)
        self._account = _account(connection)
        self._currency = str(connection.settings.get("currency", ""))

    @property
    def account(self) -> str:
        """The shop's domain."""
        return self._account

    # letters

    @classmethod
    def verify(cls, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """Base64 of HMAC-SHA256 over the raw body, by the app's client secret or the one before it."""
        given = headers.get(_SIGNATURE, "").encode()
        made = [base64.b64encode(hmac.new(one.encode(), body, hashlib.sha256).digest()) for one in secrets]
        return any([hmac.compare_digest(given, one) for one in made])  # noqa: C419 (all of them, in the same time)

    @classmethod
    def delivery(cls, headers: Mapping[str, str]) -> Told | None:
        """``X-Shopify-Webhook-Id`` stays the same when a letter is sent again."""
        name, topic = headers.get("x-shopify-webhook-id", ""), headers.get("x-shopify-topic", "")
        return Told(name, topic) if name and topic else None

    def read(self, topic: str, body: bytes) -> list[Said]:
        """Orders of ``orders/*``, the money of ``refunds/create``, products of ``products/*``."""
        kind, _, _ = topic.partition("/")
        if kind not in {"orders", "refunds", "products"} or topic.endswith("/delete"):
            return []
        said = _said(body)
        if kind == "orders":
            return [reading.letter_order(self._account, checked(letters.Order, said), said)]
        if kind == "refunds":
            return [*reading.letter_refund(self._account, checked(letters.Refund, said), said)]
        return [reading.letter_product(self._account, checked(letters.Product, said), self.currency(), said)]

    def listen(self, address: str, topics: Iterable[str]) -> list[str]:
        """One subscription for each topic (``orders/create``); the ones that are there stay."""
        known = {
            one.topic: one.id
            for one in (
                checked(wire.Subscription, row) for row in self._asker.pages(documents.SUBSCRIPTIONS, uri=address)
            )
        }
        wanted = [topic.replace("/", "_").upper() for topic in topics]
        return [tail(known.get(topic) or self._subscribe(topic, address)) for topic in dict.fromkeys(wanted)]

    # orders

    def order(self, source_id: str) -> OrderCreated:
        name = gid("Order", source_id)
        raw = self._asker.ask(documents.ORDER, id=name)
        if raw is None:
            raise Rejected("There is no such order in the shop.")
        return self._order(raw)

    def orders_since(self, at: datetime, *, unread: Unreadable | None = None) -> Iterator[OrderCreated]:
        since = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        rows = self._asker.pages(documents.ORDERS, query=f"updated_at:>='{since}'")
        yield from each(rows, self._order, _named(unread), changed="updatedAt")

    def settlements(self, source_id: str) -> list[Settlement]:
        raw = self._asker.ask(documents.TRANSACTIONS, id=gid("Order", source_id))
        if raw is None:
            raise Rejected("There is no such order in the shop.")
        return reading.settlements_of(self._account, checked(wire.Money, raw))

    def tag(self, source_id: str, tags: Iterable[str]) -> None:
        self._asker.ask(documents.TAG, id=gid("Order", source_id), tags=sorted(set(tags)))

    def ship(self, source_id: str, shipment: Parcels) -> list[str]:
        """The shop is read before each parcel: what one has taken the next has not. Cartons of one number are one."""
        parcels = [cartons.joined(some) for some in cartons.together(shipment.parcels)]
        return [made for parcel in parcels for made in self._ship(source_id, parcel)]

    # stock

    def stock(self, skus: Iterable[str] | None = None) -> Iterator[StockLevel]:
        if skus is None:
            yield from self._stock(None)
            return
        wanted = dict.fromkeys(sku for sku in skus if sku)
        for chunk in _chunks(wanted, _SKUS_AT_ONCE):
            found = self._stock(" OR ".join(f"sku:{_quoted(sku)}" for sku in chunk))
            yield from (level for level in found if level.sku in wanted)

    def set_stock(self, changes: Sequence[StockChange], *, key: str, reference: str = "") -> None:
        """``available``; a request is done wholly or not at all."""
        if not changes:
            return
        if len(changes) > self.set_stock_most:
            raise Rejected(f"A shop takes at most {self.set_stock_most} quantities at a time.")
        rows = [
            {
                "inventoryItemId": gid("InventoryItem", one.item_id),
                "locationId": gid("Location", one.location),
                "quantity": one.quantity,
                "changeFromQuantity": one.expected,
            }
            for one in changes
        ]
        given = {"name": "available", "reason": _REASON, "quantities": rows}
        if reference:
            given["referenceDocumentUri"] = reference
        self._asker.ask(documents.SET_STOCK, idempotency_key=key, input=given, key=key)

    def native_bundles(self) -> set[str]:
        found = (checked(wire.Bundled, row) for row in self._asker.pages(documents.BUNDLES))
        return {one.sku for one in found if one.requires_components and one.sku}

    # products

    def products_since(self, at: datetime | None, *, unread: Unreadable | None = None) -> Iterator[Product]:
        since = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None
        query = f"updated_at:>='{since}'" if since else None
        rows = self._asker.pages(documents.PRODUCTS, query=query)
        yield from each(rows, self._product, _named(unread), changed="updatedAt")

    def products(self, source_ids: Iterable[str], *, unread: Unreadable | None = None) -> list[Product]:
        found = list[Product]()
        for chunk in _chunks(dict.fromkeys(source_ids), _PRODUCTS_AT_ONCE):
            query = " OR ".join(f"id:{tail(one)}" for one in chunk)
            rows = self._asker.pages(documents.PRODUCTS, query=query)
            found += each(rows, self._product, _named(unread), changed="updatedAt")
        return found

    def currency(self) -> str:
        """The shop's own currency (ISO 4217), asked for once."""
        if not self._currency:
            said = self._asker.ask(documents.SHOP)
            self._currency = str((said or {}).get("currencyCode") or "")
        return self._currency

    def _order(self, raw: Any) -> OrderCreated:
        order = checked(wire.Order, raw)
        lines = [*order.line_items.nodes]
        after = following(raw["lineItems"], "lineItems")
        while after is not None:
            more = self._asker.ask(documents.ORDER, id=order.id, after=after)
            page = checked(wire.Order, more).line_items
            lines += page.nodes
            after = following(more["lineItems"], "lineItems")
        rest = self._rest(documents.SHIPPING_LINES, order.id, raw["shippingLines"], "shippingLines")
        shipping = [*order.shipping_lines.nodes, *(checked(wire.ShippingLine, one) for one in rest)]
        return reading.order_of(self._account, order, lines, shipping, raw)

    def _ship(self, source_id: str, parcel: Parcel) -> list[str]:
        state = self._shipments(source_id)
        known = [tail(one.id) for one in state.with_number(parcel.tracking_number)]
        for rows in shipping.missing(state, parcel):
            given = {"lineItemsByFulfillmentOrder": rows, "trackingInfo": shipping.tracking(parcel)}
            try:
                said = self._asker.ask(documents.SHIP, fulfillment=given | {"notifyCustomer": True})
            except Rejected:
                if there := self._there(source_id, parcel):
                    return there
                raise
            made = (said or {}).get("fulfillment")
            known += [tail(made["id"])] if made else []
        return known

    def _there(self, source_id: str, parcel: Parcel) -> list[str]:
        """The parcel's fulfillments where all of it is told by now: a request that nobody heard of may come late."""
        state = self._shipments(source_id)
        known = [tail(one.id) for one in state.with_number(parcel.tracking_number)]
        return [] if known and shipping.missing(state, parcel) else known

    def _shipments(self, source_id: str) -> shipping.State:
        name, after, sent, orders = gid("Order", source_id), None, list[wire.Fulfillment](), []
        while True:
            raw = self._asker.ask(documents.PARCELS, id=name, after=after)
            if raw is None:
                raise Rejected("There is no such order in the shop.")
            page = checked(wire.Shipments, raw)
            sent = page.fulfillments
            for order, node in zip(page.fulfillment_orders.nodes, raw["fulfillmentOrders"]["nodes"], strict=True):
                more = self._rest(documents.WAITING_LINES, order.id, node["lineItems"], "lineItems")
                lines = [*order.line_items.nodes, *(checked(wire.WaitingLine, one) for one in more)]
                orders.append((order, lines))
            after = following(raw["fulfillmentOrders"], "fulfillmentOrders")
            if after is None:
                return shipping.state_of(sent, orders)

    def _rest(self, operation: Operation, name: str, page: Any, at: str) -> Iterator[Any]:
        """What follows a page of a list that lies within another thing."""
        after = following(page, at)
        while after is not None:
            inner = (self._asker.ask(operation, id=name, after=after) or {}).get(at) or {"nodes": [], "pageInfo": {}}
            yield from inner["nodes"]
            after = following(inner, at)

    def _stock(self, query: str | None) -> Iterator[StockLevel]:
        for raw in self._asker.pages(documents.STOCK, query=query):
            item = checked(wire.Item, raw)
            if not item.tracked:
                continue
            more = self._rest(documents.LEVELS, item.id, raw["inventoryLevels"], "inventoryLevels")
            for level in (*item.inventory_levels.nodes, *(checked(wire.Level, one) for one in more)):
                counted = {one.name: one.quantity for one in level.quantities}
                yield StockLevel(
                    sku=item.sku,
                    item_id=tail(item.id),
                    location=tail(level.location.id),
                    available=counted.get("available", 0),
                    on_hand=counted.get("on_hand"),
                )

    def _product(self, raw: Any) -> Product:
        product = checked(wire.Product, raw)
        variants: Sequence[wire.Variant] = product.variants.nodes
        if product.variants.page_info.has_next_page:
            rows = self._asker.pages(documents.VARIANTS, query=f"product_id:{tail(product.id)}")
            variants = [checked(wire.Variant, row) for row in rows]
        return reading.product_of(self._account, product, variants, self.currency(), raw)

    def _subscribe(self, topic: str, address: str) -> str:
        said = self._asker.ask(documents.SUBSCRIBE, topic=topic, uri=address)
        return str(((said or {}).get("webhookSubscription") or {}).get("id", ""))


def _named(unread: Unreadable | None) -> Unreadable | None:
    """The same, told of by numbers."""
    if unread is None:
        return None
    return lambda one: unread(Unread(tail(one.source_id), one.changed_at, one.error))


def _account(connection: Connection) -> str:
    """The shop's domain: a setting, or the address's own host, or its last part (the sandbox's)."""
    named = connection.settings.get("shop")
    at = urlsplit(connection.base_url)
    return str(named or at.path.rpartition("/")[2] or at.hostname or "")


def _said(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise Rejected("This letter is no document.")
    return said


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _chunks(found: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(found)
    while chunk := list(islice(rest, size)):
        yield chunk

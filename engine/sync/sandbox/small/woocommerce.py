"""A small WooCommerce: a store's orders to be read, and webhooks that tell of new ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from engine.sync.sandbox.dcl.emulator import credentials
from engine.sync.sandbox.door import half
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.hooks import Delivery, Dispatcher
from engine.sync.sandbox.wire import Answer, BadJson, Call, Json, Refused

API: Final = "/wp-json/wc/v3"
ENDS_AFTER: Final = 5
"""Deliveries in a row that nobody took: then the webhook is disabled."""
_MOST: Final = 100
_TOPICS: Final = frozenset({"order.created", "order.updated"})
_SPOILED: Final = "not-the-secret-of-this-webhook"


@dataclass
class Webhook:
    id: int
    topic: str
    url: str
    secret: str
    status: str = "active"
    failures: int = 0

    def as_json(self) -> Json:
        return {"id": self.id, "topic": self.topic, "delivery_url": self.url, "status": self.status}


@dataclass
class Store:
    name: str
    key: str
    secret: str
    currency: str
    orders: dict[int, Json] = field(default_factory=dict)
    webhooks: dict[int, Webhook] = field(default_factory=dict)


class WooCommerce:
    """All stores of a world."""

    system = "woocommerce"

    def __init__(self, ground: Ground, hooks: Dispatcher) -> None:
        self._ground = ground
        self._hooks = hooks
        self.stores: dict[str, Store] = {}

    def add(self, store: Store) -> Store:
        self.stores[store.name] = store
        return store

    def operation(self, call: Call) -> str:
        return call.rest.removeprefix(f"{API}/").partition("/")[0]

    def enter(self, call: Call) -> Answer | None:
        return None

    def leave(self, call: Call) -> None:
        return None

    def handle(self, call: Call) -> Answer:
        store = self.stores.get(call.tenant)
        if store is None:
            return _error(404, "rest_no_route", "No route was found matching the URL and request method.")
        if credentials(call) != (store.key, store.secret):
            return _denied()
        match (call.method, call.rest.removeprefix(API)):
            case ("GET", "/orders"):
                return _orders(store, call)
            case ("POST", "/webhooks"):
                return self._subscribe(store, call)
            case ("GET", path) if path.startswith("/orders/"):
                return _order(store, path.removeprefix("/orders/"))
        return _error(404, "rest_no_route", "No route was found matching the URL and request method.")

    def _subscribe(self, store: Store, call: Call) -> Answer:
        try:
            given = call.json()
        except BadJson:
            given = None
        if not isinstance(given, dict) or given.get("topic") not in _TOPICS:
            return _error(400, "woocommerce_rest_invalid_topic", "Webhook topic is required and must be valid.")
        if not str(given.get("delivery_url", "")).startswith(("https://", "http://")):
            return _error(400, "woocommerce_rest_invalid_delivery_url", "Webhook delivery URL must be a valid URL.")
        number = self._ground.number()
        secret = str(given.get("secret") or store.secret)
        store.webhooks[number] = Webhook(number, given["topic"], given["delivery_url"], secret)
        return Answer(201, store.webhooks[number].as_json())

    def place(self, store: Store, given: Json) -> Json:
        """A buyer orders: ``line_items`` with sku, name, quantity and price (text), ``billing``, ``shipping``."""
        number = self._ground.number()
        at = self._ground.now().astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
        lines = [
            {"id": self._ground.number()} | line | {"total": _times(str(line["price"]), int(line["quantity"]))}
            for line in given["line_items"]
        ]
        order: Json = {
            "id": number,
            "number": str(number),
            "status": "processing",
            "currency": store.currency,
            "date_created_gmt": at,
            "date_modified_gmt": at,
            "billing": given.get("billing") or {},
            "shipping": given.get("shipping") or given.get("billing") or {},
            "shipping_lines": given.get("shipping_lines") or [],
            "meta_data": given.get("meta_data") or [],
            "line_items": lines,
        }
        parts = [line["total"] for line in (*lines, *order["shipping_lines"])]
        store.orders[number] = order | {"total": _sum(parts)}
        self._tell(store, "order.created", store.orders[number])
        return store.orders[number]

    def _tell(self, store: Store, topic: str, order: Json) -> None:
        for one in store.webhooks.values():
            if one.topic == topic and one.status == "active":
                self._post(store, one, order)

    def _post(self, store: Store, to: Webhook, order: Json) -> None:
        number = f"{self._ground.rng.getrandbits(128):032x}"
        resource, _, event = to.topic.partition(".")
        fixed = {
            "content-type": "application/json",
            "X-WC-Webhook-Topic": to.topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-ID": str(to.id),
            "X-WC-Webhook-Delivery-ID": number,
        }

        def sign(raw: bytes, spoiled: bool) -> Mapping[str, str]:
            return fixed | {"X-WC-Webhook-Signature": signature(_SPOILED if spoiled else to.secret, raw)}

        def ended(good: bool) -> None:
            to.failures = 0 if good else to.failures + 1
            to.status = "active" if to.failures < ENDS_AFTER else "disabled"

        delivery = Delivery(number, "woocommerce", store.name, to.topic, to.url, str(order["id"]), b"", sign, (), ended)
        self._hooks.post(delivery, order, lambda told: json.dumps(told, separators=(",", ":")).encode())

    def faulty(self, kind: str, params: Json, call: Call) -> Answer:
        match kind:
            case "http_429" | "throttled_points" | "concurrency_exceeded":
                answer = _error(429, "too_many_requests", "Too many requests.")
                answer.headers["retry-after"] = str(params.get("retry_after", 1))
                return answer
            case "auth_expired":
                return _denied()
        return _error(int(kind.removeprefix("http_")), "internal_server_error", "There has been a critical error.")

    def rotate(self, tenant: str, params: Json) -> None:
        """A new consumer secret."""
        self.stores[tenant].secret = str(params.get("value") or f"{self._ground.rng.getrandbits(128):032x}")


def signature(secret: str, raw: bytes) -> str:
    """Base64 of the HMAC-SHA256 of the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()


def _orders(store: Store, call: Call) -> Answer:
    query = call.query
    page, size = query.get("page", "1"), query.get("per_page", "10")
    if not (page.isdigit() and size.isdigit() and int(page) > 0 and 0 < int(size) <= _MOST):
        return _error(400, "rest_invalid_param", "Invalid parameter(s): page, per_page")
    rows = [one for one in store.orders.values() if _fits(one, query)]
    each = half(int(size), call)
    found = rows[(int(page) - 1) * each : int(page) * each]
    headers = {"x-wp-total": str(len(rows)), "x-wp-totalpages": str(-(-len(rows) // each))}
    return Answer(200, found, headers)


def _fits(order: Json, query: Mapping[str, str]) -> bool:
    """``status``, ``after`` and ``modified_after``; times without a zone are the store's, here UTC."""
    wanted = query.get("status", "any")
    marks = (("after", "date_created_gmt"), ("modified_after", "date_modified_gmt"))
    later = all(name not in query or datetime.fromisoformat(order[kept]) > _bare(query[name]) for name, kept in marks)
    return later and wanted in {"any", order["status"]}


def _bare(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(_error(400, "rest_invalid_param", "Invalid parameter(s): after")) from error
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def _order(store: Store, number: str) -> Answer:
    found = store.orders.get(int(number)) if number.isdigit() else None
    return Answer(200, found) if found else _error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")


def _times(price: str, quantity: int) -> str:
    return f"{Decimal(price) * quantity:.2f}"


def _sum(parts: list[str]) -> str:
    return f"{sum((Decimal(one) for one in parts), Decimal(0)):.2f}"


def _denied() -> Answer:
    return _error(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"code": code, "message": message, "data": {"status": status}})

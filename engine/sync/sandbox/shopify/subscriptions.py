"""Webhooks of a shop: who asked to be told, and the signed letter that each gets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final

from engine.sync.sandbox.hooks import Delivery, stamp
from engine.sync.sandbox.shopify.mistakes import refuse
from engine.sync.sandbox.shopify.shop import Shop, find
from engine.sync.sandbox.shopify.state import Subscription
from engine.sync.sandbox.wire import Json

RETRY_SECONDS: Final = (60, 120, 300, 600, 1200, 2400, 3600, 6120)
"""Eight retries within four hours; the vendor publishes the number and the four hours, not the steps."""
_SPOILED: Final = "not-the-secret-of-this-shop"


def create(shop: Shop, args: Json) -> Json:
    """``webhookSubscriptionCreate``. One address hears of a topic once."""
    given, topic = args["webhookSubscription"], args["topic"]
    uri = given.get("uri") or ""
    if not uri.startswith(("https://", "http://")):
        raise refuse("Address is invalid", "webhookSubscription", "uri")
    if any(one.topic == topic and one.uri == uri for one in shop.state.subscriptions.values()):
        raise refuse("Address for this topic has already been taken", "webhookSubscription", "uri")
    if given.get("format") == "XML":
        raise refuse("The sandbox speaks JSON only", "webhookSubscription", "format")
    made = Subscription(
        id=shop.number(),
        topic=topic,
        uri=uri,
        include_fields=list(given.get("includeFields") or []),
        metafield_namespaces=list(given.get("metafieldNamespaces") or []),
        filter=given.get("filter"),
        name=given.get("name"),
        created_at=shop.now(),
    )
    shop.state.subscriptions[made.id] = made
    return {"webhookSubscription": made}


def delete(shop: Shop, args: Json) -> Json:
    """``webhookSubscriptionDelete``."""
    found = find(shop.state.subscriptions, args["id"], "id", what="Webhook subscription")
    del shop.state.subscriptions[found.id]
    return {"deletedWebhookSubscriptionId": found.gid}


def tell(shop: Shop, topic: str, resource: str, body: Json) -> None:
    """Write a letter to each subscriber of the topic."""
    for one in list(shop.state.subscriptions.values()):
        if one.topic == topic:
            _post(shop, one, resource, body)


def _post(shop: Shop, to: Subscription, resource: str, body: Json) -> None:
    state = shop.state
    said = {name: body[name] for name in to.include_fields if name in body} if to.include_fields else body
    delivery_id = shop.uuid()
    fixed = {
        "content-type": "application/json",
        "user-agent": "Shopify-Captain-Hook",
        "X-Shopify-Topic": wire_topic(to.topic),
        "X-Shopify-Shop-Domain": state.domain,
        "X-Shopify-API-Version": shop.api_version,
        "X-Shopify-Webhook-Id": delivery_id,
        "X-Shopify-Event-Id": shop.event,
        "X-Shopify-Triggered-At": stamp(shop.ground.wall("shopify")),
    }

    def sign(raw: bytes, spoiled: bool) -> Mapping[str, str]:
        secret = _SPOILED if spoiled else state.client_secret
        return fixed | {"X-Shopify-Hmac-Sha256": signature(secret, raw)}

    delivery = Delivery(
        delivery_id,
        "shopify",
        state.domain,
        to.topic,
        to.uri,
        resource,
        b"",
        sign,
        RETRY_SECONDS,
        ended=lambda good: _count(shop, to, good=good),
    )
    shop.hooks.post(delivery, said, lambda told: json.dumps(told, separators=(",", ":")).encode())


def _count(shop: Shop, to: Subscription, *, good: bool) -> None:
    """A letter whose eight retries all failed ends the subscription."""
    if not good:
        shop.state.subscriptions.pop(to.id, None)


def wire_topic(topic: str) -> str:
    """``ORDERS_CREATE`` as the header has it: ``orders/create``."""
    head, _, tail = topic.lower().rpartition("_")
    return f"{head}/{tail}" if topic != "ORDERS_PARTIALLY_FULFILLED" else "orders/partially_fulfilled"


def signature(secret: str, raw: bytes) -> str:
    """Base64 of the HMAC-SHA256 of the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()

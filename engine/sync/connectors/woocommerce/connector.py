"""Orders of a WooCommerce store: by its letters, and by asking what changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import orjson

from engine.sync.canonical import OrderCreated
from engine.sync.client import VendorClient
from engine.sync.connectors import NotSupported
from engine.sync.connectors.paging import each, numbered
from engine.sync.connectors.woocommerce.reading import UNPAID, order_of
from engine.sync.errors import Rejected
from engine.sync.models import Connection, System
from engine.sync.port import Capability, Said, Storefront, Told, Unreadable

PAGE: Final = 100
_TOPICS: Final = frozenset({"order.created", "order.updated", "order.restored"})
_RESOLUTION: Final = timedelta(seconds=1)


class WooCommerce:
    """The base address ends in ``/wp-json/wc/v3``. Setting ``store``: what the account is called (its host name). The
    merchant adds webhooks for ``order.created`` and ``order.updated`` in the store's own settings.
    """

    system: ClassVar[System] = System.WOOCOMMERCE
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.ORDERS, Capability.WEBHOOKS})
    hook_secret: ClassVar[str] = "webhook_secret"  # noqa: S105 (its name)

    def __init__(self, client: VendorClient, connection: Connection) -> None:
        self._client = client
        self.account = str(connection.settings.get("store") or urlsplit(connection.base_url).hostname or "")

    def __getattr__(self, name: str) -> Any:
        """The rest of the port."""
        if not name.startswith("_") and hasattr(Storefront, name):
            raise NotSupported(f"There is no {name} for {self.system} here.")
        raise AttributeError(name)

    def order(self, source_id: str) -> OrderCreated:
        return order_of(self._client.request("GET", f"/orders/{source_id}").data, self.account)

    def orders_since(self, at: datetime, *, unread: Unreadable | None = None) -> Iterator[OrderCreated]:
        """Without those that nobody has paid for."""
        after = (at - _RESOLUTION).astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
        asked = {"modified_after": after, "dates_are_gmt": "true", "orderby": "modified", "order": "asc"}

        def page(number: int) -> list[Any]:
            params = {**asked, "per_page": PAGE, "page": number}
            return _rows(self._client.request("GET", "/orders", params=params).data)

        rows = numbered(page, lambda one: str(one.get("id")), size=PAGE)
        found = each(rows, lambda one: order_of(one, self.account), unread, changed="date_modified_gmt")
        yield from (one for one in found if not _unpaid(one))

    def read(self, topic: str, body: bytes) -> list[Said]:
        """The order of a letter; nothing while nobody has paid for it, and of any other topic."""
        if topic not in _TOPICS:
            return []
        try:
            found = order_of(orjson.loads(body), self.account)
        except orjson.JSONDecodeError:
            raise Rejected("The letter is no JSON.") from None
        return [] if _unpaid(found) else [found]

    @classmethod
    def verify(cls, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """``X-WC-Webhook-Signature`` is the base64 of the body's HMAC-SHA256."""
        said = headers.get("x-wc-webhook-signature", "").encode()
        made = [base64.b64encode(hmac.new(one.encode(), body, hashlib.sha256).digest()) for one in secrets]
        fits = [hmac.compare_digest(said, one) for one in made]
        return any(fits)

    @classmethod
    def delivery(cls, headers: Mapping[str, str]) -> Told | None:
        """The ping of a webhook that was just added names no topic."""
        number, topic = headers.get("x-wc-webhook-delivery-id", ""), headers.get("x-wc-webhook-topic", "")
        return Told(number, topic) if number and topic else None


def _rows(data: Any) -> list[Any]:
    if not isinstance(data, list) or not all(isinstance(one, Mapping) for one in data):
        raise Rejected("WooCommerce's answer is no list of orders.")
    return data


def _unpaid(order: OrderCreated) -> bool:
    return order.raw.get("status") in UNPAID

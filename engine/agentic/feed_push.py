"""Keeping a platform's copy of the shop's products: its feed is made once, then told of every product.

Nothing is open in the database while the platform is called. A push that ends early is begun again: telling of a
product twice changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic import feed as feeds
from engine.agentic.feed import Feed
from engine.agentic.models import AgentPlatform
from engine.agentic.receivers import may_loop
from engine.agentic.webhook_models import ProductFeed
from engine.agentic.wire import Body
from engine.kit import audit, clock, envelope, holds, outward
from engine.kit.errors import InvalidInput, NotFound, Unavailable
from engine.kit.ids import new_id
from engine.kit.outward import Answer, OutwardError
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime

VERSION: Final = "2026-04-17"
BATCH: Final = 100
SECONDS: Final = 30.0
_WAITS: Final = (1.0, 3.0, 9.0)
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
Wait = Callable[[float], None]


class FeedRefused(Unavailable):
    """The platform did not take it; its words are nobody's here."""

    code = "feed_refused"


@dataclass(frozen=True, slots=True)
class Pushed:
    remote_id: str
    products: int
    ended: int
    """Products that are not on sale any more, and were told to be."""


@dataclass(frozen=True, slots=True)
class _Door:
    """A platform's feed API, as one push needs it."""

    runtime: Runtime
    url: str
    token: str
    loopback: bool
    wait: Wait

    def call(self, method: str, path: str, body: Body) -> Answer:
        """Raises ``FeedRefused`` where it takes nothing after some tries."""
        headers = {"Content-Type": "application/json", "API-Version": VERSION}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        why = ""
        for pause in (*_WAITS, 0.0):
            try:
                answer = self.runtime.outward.call(
                    method,
                    f"{self.url}{path}",
                    body=orjson.dumps(body),
                    headers=headers,
                    seconds=SECONDS,
                    loopback=self.loopback,
                )
            except OutwardError as error:
                if not error.retryable:
                    raise
                why = error.code
            else:
                if answer.status not in _AGAIN:
                    return answer
                why = f"http_{answer.status}"
            if pause:
                self.wait(pause)
        raise FeedRefused(f"The platform does not take the feed ({why}).")


def set_feed(
    session: Session, runtime: Runtime, platform: AgentPlatform, *, country: str, api_url: str, token: str, actor: str
) -> ProductFeed:
    """Say where a platform keeps the products of a country. Raises ``AddressRefused``, ``InvalidInput``."""
    tenant = session.get_one(Tenant, platform.tenant_id)
    url = api_url.rstrip("/")
    target = outward.parse(url, loopback=may_loop(runtime, tenant))
    if len(country) != 2 or not country.isascii() or not country.isupper():
        raise InvalidInput("A country is two capital letters (ISO 3166-1), such as US.", param="country")
    if "?" in url:
        raise InvalidInput("The address of a feed API has no question mark.", param="api_url")
    row = _row(session, platform, country)
    if row is None:
        row = ProductFeed(tenant_id=tenant.id, id=new_id("product_feed"), platform_id=platform.id, country=country)
        session.add(row)
    elif row.api_url != url:
        row.remote_id = None
        if outward.parse(row.api_url, loopback=True).authority != target.authority:
            row.token_sealed = None  # it was given for whom it was told to, and for nobody else
    row.api_url = url
    if token:
        row.token_sealed = envelope.seal(runtime.secret_key, tenant.id, f"{row.id}|token", token)
    audit.record(session, tenant.id, actor=actor, action="feed.set", subject=row.id, facts={"country": country})
    return row


def push(
    runtime: Runtime, tenant_id: str, platform_id: str, *, country: str | None = None, wait: Wait = time.sleep
) -> Pushed:
    """Tell a platform of every product. Raises ``NotFound``, ``FeedRefused``, ``AddressRefused``, and
    ``HeldAfterRestore`` while a restore is not reconciled.
    """
    with runtime.unit_of_work(tenant_id) as session:
        holds.require_free(session, tenant_id)
        feed_id, remote_id, door, where = _begin(session, runtime, tenant_id, platform_id, country, wait)
    if remote_id is None:
        remote_id = _make(runtime, tenant_id, feed_id, door, where)
    told = ended = 0
    for batch in _batches(runtime, tenant_id, where, _on_sale):
        remote_id = _tell(runtime, tenant_id, feed_id, door, where, remote_id, batch)
        told += len(batch)
    for batch in _batches(runtime, tenant_id, where, _gone):
        remote_id = _tell(runtime, tenant_id, feed_id, door, where, remote_id, batch)
        ended += len(batch)
    with runtime.unit_of_work(tenant_id) as session:
        row = session.get_one(ProductFeed, (tenant_id, feed_id), with_for_update=True)
        row.products, row.pushed_at = told, clock.now()
    return Pushed(remote_id, told, ended)


def _begin(
    session: Session, runtime: Runtime, tenant_id: str, platform_id: str, country: str | None, wait: Wait
) -> tuple[str, str | None, _Door, str]:
    tenant = session.get_one(Tenant, tenant_id)
    where = country or tenant.country
    row = _row(session, session.get_one(AgentPlatform, (tenant_id, platform_id)), where)
    if row is None:
        raise NotFound(f"This platform has no feed for {where}: say first where it is (icommerce feed set).")
    sealed, context = row.token_sealed, f"{row.id}|token"
    token = envelope.unseal(runtime.secret_key, tenant_id, context, sealed) if sealed else ""
    return row.id, row.remote_id, _Door(runtime, row.api_url, token, may_loop(runtime, tenant), wait), where


def _row(session: Session, platform: AgentPlatform, country: str) -> ProductFeed | None:
    query = select(ProductFeed).where(
        ProductFeed.tenant_id == platform.tenant_id,
        ProductFeed.platform_id == platform.id,
        ProductFeed.country == country,
    )
    return session.scalars(query.with_for_update()).first()


def _make(runtime: Runtime, tenant_id: str, feed_id: str, door: _Door, country: str) -> str:
    answer = door.call("POST", "/feeds", {"target_country": country})
    remote_id = _read(answer).get("id") if answer.status in {200, 201} else None
    if not isinstance(remote_id, str) or not 1 <= len(remote_id) <= 200 or not remote_id.isprintable():
        raise FeedRefused(f"The platform makes no feed (http_{answer.status}).")
    with runtime.unit_of_work(tenant_id) as session:
        session.get_one(ProductFeed, (tenant_id, feed_id), with_for_update=True).remote_id = remote_id
    return remote_id


def _tell(
    runtime: Runtime, tenant_id: str, feed_id: str, door: _Door, country: str, remote_id: str, batch: list[Body]
) -> str:
    """Tell of some products; a feed that the platform has forgotten is made anew."""
    path = f"/feeds/{quote(remote_id, safe='')}/products"
    answer = door.call("PATCH", path, {"products": batch})
    if answer.status == 404:
        remote_id = _make(runtime, tenant_id, feed_id, door, country)
        answer = door.call("PATCH", f"/feeds/{quote(remote_id, safe='')}/products", {"products": batch})
    if answer.status != 200 or _read(answer).get("accepted") is False:
        raise FeedRefused(f"The platform does not take the products (http_{answer.status}).")
    return remote_id


def _read(answer: Answer) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


Page = Callable[[Session, Feed, str | None], tuple[list[Body], str | None]]


def _on_sale(session: Session, feed: Feed, cursor: str | None) -> tuple[list[Body], str | None]:
    return feeds.page(session, feed, cursor, limit=BATCH)


def _gone(session: Session, feed: Feed, cursor: str | None) -> tuple[list[Body], str | None]:
    return feeds.gone(session, feed, cursor or "", limit=BATCH)


def _batches(runtime: Runtime, tenant_id: str, country: str, read: Page) -> Iterator[list[Body]]:
    cursor: str | None = None
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            feed = feeds.feed_of(session, tenant_id, country, web_origin=runtime.web_origin)
            batch, cursor = read(session, feed, cursor)
        if batch:
            yield batch
        if cursor is None:
            return

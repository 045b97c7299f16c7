"""The shop's products in the protocol's feed schema (2026-04-17): what an assistant may offer before anybody asks.

A feed is of one country: prices are in the currency that is shown there. Availability is a hint of the moment; a
checkout decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic.order_shape import Shop
from engine.agentic.wire import Body, known
from engine.catalog import service as catalog
from engine.catalog.models import Product, Variant
from engine.catalog.prices import currency_for
from engine.catalog.schemas import ProductView, VariantView
from engine.catalog.shop_file import StockPolicy
from engine.kit.tenancy import Tenant

PAGE: Final = 200
FEW: Final = 5
"""So many units or fewer are told as few."""
_LINKS: Final = {
    "privacy_policy": "privacy_policy_url",
    "terms_of_service": "terms_url",
    "refund_policy": "return_policy_url",
    "shipping_policy": "shipping_policy_url",
    "faq": "faq_url",
}


@dataclass(frozen=True, slots=True)
class Feed:
    """Whose products, for which country."""

    tenant: Tenant
    country: str
    currency: str
    shop: Shop


def feed_of(session: Session, tenant_id: str, country: str | None, *, web_origin: str) -> Feed:
    """The shop's feed for a country; for its own one when none is named."""
    tenant = session.get_one(Tenant, tenant_id)
    where = country or tenant.country
    return Feed(tenant, where, currency_for(session, tenant_id, where), Shop.of(tenant, web_origin))


def products(session: Session, feed: Feed) -> Iterator[Body]:
    """Every product on sale, a page of them at a time."""
    cursor: str | None = None
    while True:
        found, cursor = page(session, feed, cursor)
        yield from found
        if cursor is None:
            return


def page(session: Session, feed: Feed, cursor: str | None, *, limit: int = PAGE) -> tuple[list[Body], str | None]:
    """Some products on sale, and where the next ones begin."""
    found = catalog.list_products(session, feed.tenant.id, currency=feed.currency, limit=limit, cursor=cursor)
    policies = _policies(session, feed.tenant.id, [one.id for view in found.items for one in view.variants])
    return [_product(feed, view, policies) for view in found.items], found.next_cursor


def gone(session: Session, feed: Feed, after: str, *, limit: int = PAGE) -> tuple[list[Body], str | None]:
    """Some products that are not on sale any more, by id: a receiver that keeps what it is not told of must hear so."""
    query = select(Product.id, Product.title).where(
        Product.tenant_id == feed.tenant.id, Product.status != "active", Product.id > after
    )
    rows = session.execute(query.order_by(Product.id).limit(limit)).all()
    variants: dict[str, list[Body]] = {row.id: [] for row in rows}
    query_variants = select(Variant.id, Variant.product_id, Variant.title).where(
        Variant.tenant_id == feed.tenant.id, Variant.product_id.in_(variants)
    )
    over = {"available": False, "status": "discontinued"}
    for one in session.execute(query_variants.order_by(Variant.position, Variant.id)):
        variants[one.product_id].append({"id": one.id, "title": one.title, "availability": over})
    found = [{"id": row.id, "title": row.title, "variants": variants[row.id]} for row in rows]
    return found, rows[-1].id if len(rows) == limit else None


def _product(feed: Feed, view: ProductView, policies: Mapping[str, StockPolicy]) -> Body:
    media = [{"type": "image", "url": feed.shop.address(view.image), "alt_text": view.title}]
    return known(
        {
            "id": view.id,
            "title": view.title,
            "description": {"plain": view.description} if view.description else None,
            "media": media,
            "variants": [_variant(feed, view, one, policies, media) for one in view.variants],
        }
    )


def _variant(
    feed: Feed,
    product: ProductView,
    view: VariantView,
    policies: Mapping[str, StockPolicy],
    media: Sequence[Body],
) -> Body:
    price = {"amount": view.price.amount, "currency": view.price.currency}
    return known(
        {
            "id": view.id,
            "title": view.title or product.title,
            "price": price,
            "list_price": price | {"amount": view.compare_at.amount} if view.compare_at else None,
            "availability": availability(view.available, policies.get(view.id, StockPolicy.DENY)),
            "categories": [{"value": product.category, "taxonomy": "merchant"}],
            "condition": ["new"],
            "variant_options": [{"name": name, "value": str(value)} for name, value in view.options.items()] or None,
            "media": list(media),
            "seller": _seller(feed.tenant),
        }
    )


def availability(units: int, policy: StockPolicy) -> Body:
    """Whether it can be bought now, and how it stands."""
    if policy == StockPolicy.UNTRACKED or units > FEW:
        return {"available": True, "status": "in_stock"}
    if units > 0:
        return {"available": True, "status": "limited_stock"}
    if policy in {StockPolicy.BACKORDER, StockPolicy.PREORDER}:
        return {"available": True, "status": str(policy)}
    return {"available": False, "status": "out_of_stock"}


def _seller(tenant: Tenant) -> Body:
    told: Mapping[str, Any] = tenant.settings
    links = [
        {"type": kind, "url": str(told[name])}
        for kind, name in _LINKS.items()
        if str(told.get(name) or "").startswith("https://")
    ]
    return {"name": tenant.name} | ({"links": links} if links else {})


def _policies(session: Session, tenant_id: str, variant_ids: Sequence[str]) -> dict[str, StockPolicy]:
    query = select(Variant.id, Variant.stock_policy).where(Variant.tenant_id == tenant_id, Variant.id.in_(variant_ids))
    return {row.id: row.stock_policy for row in session.execute(query)}

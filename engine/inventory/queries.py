"""Reading stock: what is available of a variant, and where it lies."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ScalarSelect, func, or_, select
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.inventory.models import Location, StockLevel
from engine.kit.views import View

MAX_ITEMS: Final = 20


class LocationStock(View):
    code: str
    name: str
    on_hand: int
    reserved: int
    available: int


class ItemStock(View):
    """One variant at every location, in the shop's order of places."""

    sku: str
    variant_id: str
    title: str
    locations: list[LocationStock]
    available: int


def available_units() -> ScalarSelect[int]:
    """Units on hand and not promised over all locations, for the ``Variant`` of the enclosing query."""
    return (
        select(func.coalesce(func.sum(StockLevel.on_hand - StockLevel.reserved), 0))
        .where(StockLevel.tenant_id == Variant.tenant_id, StockLevel.variant_id == Variant.id)
        .correlate(Variant)
        .scalar_subquery()
    )


def by_location(session: Session, tenant_id: str, query: str) -> list[ItemStock]:
    """Stock of at most 20 matching variants: by SKU, by variant or product id, or by words of the title."""
    found = _matching(session, tenant_id, query.strip())
    if not found:
        return []
    places = session.scalars(
        select(Location).where(Location.tenant_id == tenant_id).order_by(Location.position, Location.code)
    ).all()
    levels = {
        (level.variant_id, level.location_id): level
        for level in session.scalars(
            select(StockLevel)
            .where(
                StockLevel.tenant_id == tenant_id,
                StockLevel.variant_id.in_([variant.id for variant in found]),
            )
            .execution_options(populate_existing=True)
        )
    }
    return [_item(variant, [(place, levels.get((variant.id, place.id))) for place in places]) for variant in found]


def _matching(session: Session, tenant_id: str, query: str) -> list[Variant]:
    words = func.plainto_tsquery("english", query)
    titled = func.to_tsvector("english", Variant.title).op("@@")(words)
    exact = or_(Variant.id == query, Variant.product_id == query, func.lower(Variant.sku) == query.lower())
    base = (
        select(Variant)
        .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
        .where(Variant.tenant_id == tenant_id)
        .order_by(Product.position, Product.id, Variant.position, Variant.id)
        .limit(MAX_ITEMS)
    )
    if not query:
        return []
    if found := session.scalars(base.where(exact)).all():
        return list(found)
    starts = Variant.sku.istartswith(query, autoescape=True)
    return list(session.scalars(base.where(or_(starts, titled))).all())


def _item(variant: Variant, places: list[tuple[Location, StockLevel | None]]) -> ItemStock:
    locations = [_place(place, level) for place, level in places]
    return ItemStock(
        sku=variant.sku,
        variant_id=variant.id,
        title=variant.title,
        locations=locations,
        available=sum(location.available for location in locations),
    )


def _place(place: Location, level: StockLevel | None) -> LocationStock:
    on_hand, reserved = (level.on_hand, level.reserved) if level else (0, 0)
    return LocationStock(
        code=place.code, name=place.name, on_hand=on_hand, reserved=reserved, available=on_hand - reserved
    )
